//! The checks that every connector passes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_markup::zoom::Offsets;
use dragoman_model::floor::Target;
use dragoman_model::{Document, Feature, Operation, Outcome, Spokesman};
use dragoman_platform::conformance::{self, FileManner, Kit, Script, ScriptedServer, Shared};
use dragoman_platform::{App, Connector, Conversation, Failure, FileBytes, Inbound, Installation, Share};
use dragoman_zoom::ZoomConnector;
use http::HeaderName;

use crate::support;

struct ZoomKit {
    connector: ZoomConnector,
    app: App,
}

#[async_trait]
impl Kit for ZoomKit {
    fn connector(&self) -> &dyn Connector {
        &self.connector
    }

    fn app(&self) -> &App {
        &self.app
    }

    fn now_ms(&self) -> i64 {
        support::NOW_MS
    }

    fn body(&self, number: u64, text: &str) -> Bytes {
        let object = support::message(number, text);
        support::event(
            "team_chat.channel_message_posted",
            support::NOW_MS + i64::try_from(number).unwrap(),
            &object,
        )
    }

    fn signed(&self, body: Bytes, at_ms: i64) -> Inbound {
        support::signed(body, at_ms)
    }

    fn proof(&self) -> HeaderName {
        HeaderName::from_static("x-zm-signature")
    }

    fn covers_body(&self) -> bool {
        true
    }

    fn tolerance_ms(&self) -> i64 {
        300_000
    }

    fn installation(&self) -> Installation {
        support::installation()
    }

    fn conversation(&self) -> Conversation {
        support::conversation()
    }

    fn rendered(&self, document: &Document) -> String {
        dragoman_markup::zoom::render(document, Offsets::SENDING).message
    }

    fn floor(&self) -> Target {
        Target::Zoom
    }

    fn not_yet(&self) -> &'static [Feature] {
        &[]
    }

    async fn perform(&self, script: Script, operation: &Operation) -> Outcome {
        let server = ScriptedServer::start(script).await.unwrap();
        let connector = support::connector(&server.url());
        connector.perform(&support::session(), &support::conversation(), operation).await
    }

    async fn share(&self, manner: FileManner, name: &str, file: FileBytes) -> Shared {
        let zoom = crate::files::treating(manner).await;
        let share = Share { name: name.to_owned(), ..crate::files::share("") };
        let connector = support::connector(&zoom.url());
        let outcome = connector.share(&support::session(), &support::conversation(), &share, file).await;
        let calls = zoom.calls();
        let messages = calls.iter().filter(|call| call.what.ends_with("/messages")).count();
        let requests = calls.into_iter().map(|call| format!("{} {}", call.what, call.body)).collect();
        Shared { outcome, requests, messages }
    }

    async fn download(&self, manner: FileManner) -> Result<FileBytes, Failure> {
        crate::files::download(&crate::files::holding_one(manner).await).await
    }

    fn operations(&self) -> Vec<Operation> {
        let post = support::post("hello");
        vec![
            Operation::Post(post.clone()),
            Operation::Edit { message: support::id(1).as_str().into(), post },
            Operation::Delete {
                conversation: support::CHANNEL.into(),
                message: support::id(1).as_str().into(),
                thread_root: None,
                spokesman: Spokesman::App,
            },
        ]
    }
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    let kit = Arc::new(ZoomKit { connector: support::offline(), app: support::app() });
    conformance::all(kit.as_ref()).await;
}
