//! From a path to the act behind it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};

use super::api::{self, Ask};
use super::desk::Desk;
use super::problem::Problem;
use crate::http::{Answer, Handler, Request, respond};

/// The largest request, in bytes.
const REQUEST_CAP: usize = 1 << 20;
const JSON: &str = "application/json";

/// Does what a request asks for.
#[async_trait]
pub(super) trait Act: Ask {
    async fn act(self, desk: &Desk) -> Result<Self::Answer, Problem>;
}

/// The handler on the socket.
pub(crate) struct Admin(pub(crate) Arc<Desk>);

#[async_trait]
impl Handler for Admin {
    fn body_cap(&self, method: &Method, path: &str) -> Option<usize> {
        let name = path.strip_prefix("/v1/")?;
        (*method == Method::POST || name == "activity").then_some(REQUEST_CAP)
    }

    async fn handle(&self, request: Request) -> Answer {
        let name = request.path.strip_prefix("/v1/").unwrap_or_default().to_owned();
        if name == "activity" {
            return super::activity::stream(&self.0);
        }
        // In a task of its own: an act is not left half done because somebody pressed Ctrl-C.
        let desk = Arc::clone(&self.0);
        let act = self.0.tasks.spawn(async move { dispatch(&desk, &name, request.body).await });
        act.await.unwrap_or_else(|_| refuse(&Problem::stopping()))
    }
}

macro_rules! dispatch {
    ($desk:ident, $name:ident, $body:ident: $($ask:ident)*) => {
        match $name {
            $(<api::$ask>::NAME => run::<api::$ask>($desk, &$body).await,)*
            other => refuse(&Problem::no_such("request", other, "dragoman --help")),
        }
    };
}

async fn dispatch(desk: &Desk, name: &str, body: Bytes) -> Answer {
    dispatch!(desk, name, body:
        OrgAdd OrgList OrgPolicy PlatformList AppAdd AppSet AppList AppPackage
        InstallStart InstallWait InstallToken InstallList ScopeList ConversationSearch
        DirectList DirectClose DirectAllow
        PersonList PersonLink PersonUnlink PersonToken PersonRevoke
        BridgeAdd BridgeList BridgeState BridgeMembers BridgeSet BridgeTest FidelityGet
        DeliveryList DeadLetterList DeadLetterAct AuditList StatusGet Shutdown)
}

async fn run<A: Act>(desk: &Desk, body: &[u8]) -> Answer {
    let ask: A = match serde_json::from_slice(body) {
        Ok(ask) => ask,
        // What serde says may hold a part of a secret; the position is enough.
        Err(error) => {
            let what = format!(
                "{}: the request is not understood at line {}, column {}",
                A::NAME,
                error.line(),
                error.column()
            );
            return refuse(&Problem::wrong(what, "use the command line of the same version as the gateway"));
        }
    };
    match ask.act(desk).await {
        Ok(answer) => match serde_json::to_vec(&answer) {
            Ok(json) => respond(StatusCode::OK, JSON, json),
            Err(error) => refuse(&Problem::wrong(error.to_string(), "report this")),
        },
        Err(problem) => refuse(&problem),
    }
}

fn refuse(problem: &Problem) -> Answer {
    respond(StatusCode::UNPROCESSABLE_ENTITY, JSON, serde_json::to_vec(problem).unwrap_or_default())
}
