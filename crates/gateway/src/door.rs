//! What platforms and browsers can reach.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, StatusCode};

use crate::avatar::Avatars;
use crate::hooks::Hooks;
use crate::http::{Answer, Handler, Request, respond};
use crate::installs::InstallDesk;

/// The largest webhook, in bytes. No platform sends as much.
const HOOK_CAP: usize = 1 << 20;

/// The public handler.
pub(crate) struct Door {
    pub(crate) hooks: Hooks,
    pub(crate) installs: Arc<InstallDesk>,
    pub(crate) avatars: Option<Avatars>,
    /// Lets an operator see that a public address leads to this process.
    pub(crate) instance: String,
}

enum Route<'a> {
    Hook(&'a str),
    Callback(&'a str),
    Avatar(&'a str),
    Instance,
}

fn route<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if let Some(rest) = path.strip_prefix("/hooks/") {
        return (reads || *method == Method::POST).then_some(Route::Hook(rest));
    }
    if let Some(platform) = path.strip_prefix("/oauth/").and_then(|rest| rest.strip_suffix("/callback")) {
        return (*method == Method::GET).then_some(Route::Callback(platform));
    }
    if let Some(token) = path.strip_prefix("/avatar/") {
        return reads.then_some(Route::Avatar(token));
    }
    (path == "/instance" && reads).then_some(Route::Instance)
}

#[async_trait]
impl Handler for Door {
    fn body_cap(&self, method: &Method, path: &str) -> Option<usize> {
        Some(match route(method, path)? {
            Route::Hook(_) => HOOK_CAP,
            Route::Callback(_) | Route::Avatar(_) | Route::Instance => 0,
        })
    }

    async fn handle(&self, request: Request) -> Answer {
        let path = request.path.clone();
        let nothing = || respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "");
        match route(&request.method, &path) {
            // A secret that a proxy let travel in the clear is not taken.
            Some(Route::Hook(_)) if request.peer.secure == Some(false) => {
                respond(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", "")
            }
            Some(Route::Hook(rest)) => self.hooks.answer(rest, request).await,
            Some(Route::Callback(platform)) => self.installs.callback(platform, &request).await,
            Some(Route::Avatar(token)) => match &self.avatars {
                Some(avatars) => avatars.answer(token).await,
                None => nothing(),
            },
            Some(Route::Instance) => {
                respond(StatusCode::OK, "text/plain; charset=utf-8", self.instance.clone())
            }
            None => nothing(),
        }
    }
}
