//! The checks that every connector passes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::floor::Target;
use dragoman_model::{Document, Feature, Operation, Outcome, Spokesman};
use dragoman_platform::conformance::{self, FileManner, Kit, Script, ScriptedServer, Shared};
use dragoman_platform::{App, Connector, Conversation, Failure, FileBytes, Inbound, Installation, Share};
use dragoman_slack::SlackConnector;
use http::HeaderName;
use serde_json::json;

use crate::support;

struct SlackKit {
    connector: SlackConnector,
    app: App,
}

#[async_trait]
impl Kit for SlackKit {
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
        let ts = format!("1760000{number:03}.000100");
        support::event(
            &format!("Ev{number}"),
            &json!({
                "type": "message", "channel": "CROOM", "channel_type": "channel", "user": "UANA",
                "text": text, "ts": ts, "event_ts": ts, "client_msg_id": "c-1",
                "blocks": [{ "type": "rich_text", "elements": [
                    { "type": "rich_text_section", "elements": [{ "type": "text", "text": text }] }
                ] }],
            }),
        )
    }

    fn signed(&self, body: Bytes, at_ms: i64) -> Inbound {
        support::signed(body, at_ms)
    }

    fn proof(&self) -> HeaderName {
        HeaderName::from_static("x-slack-signature")
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
        dragoman_markup::slack::render(document).text
    }

    fn floor(&self) -> Target {
        Target::Slack
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
        let slack = crate::files::treating(manner).await;
        let share = Share { name: name.to_owned(), ..crate::files::share("") };
        let connector = support::connector(&slack.url());
        let outcome = connector.share(&support::session(), &support::conversation(), &share, file).await;
        let calls = slack.calls();
        let messages = calls.iter().filter(|call| call.method == "files.completeUploadExternal").count();
        let requests = calls.into_iter().map(|call| format!("{} {}", call.method, call.body)).collect();
        Shared { outcome, requests, messages }
    }

    async fn download(&self, manner: FileManner) -> Result<FileBytes, Failure> {
        let slack = crate::files::holding_one(manner).await;
        let connector = support::connector(&slack.url());
        let message = "1760000001.000100".into();
        let file = crate::files::picture("F1");
        connector.download(&support::session(), &support::conversation(), &message, &file).await
    }

    fn operations(&self) -> Vec<Operation> {
        let post = support::post("hello");
        vec![
            Operation::Post(post.clone()),
            Operation::Edit { message: "1760000000.000100".into(), post },
            Operation::Delete {
                conversation: "CROOM".into(),
                message: "1760000000.000100".into(),
                thread_root: None,
                spokesman: Spokesman::App,
            },
        ]
    }
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    let kit = Arc::new(SlackKit { connector: support::offline(), app: support::app() });
    conformance::all(kit.as_ref()).await;
}
