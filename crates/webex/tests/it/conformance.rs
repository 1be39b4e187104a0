//! The checks that every connector passes.

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::floor::Target;
use dragoman_model::{Document, Feature, Operation, Outcome, Spokesman};
use dragoman_platform::conformance::{self, FileManner, Kit, Script, ScriptedServer, Shared};
use dragoman_platform::{App, Connector, Conversation, Failure, FileBytes, Inbound, Installation, Share};
use dragoman_webex::WebexConnector;
use http::HeaderName;
use serde_json::json;

use crate::support;

struct WebexKit {
    connector: WebexConnector,
    app: App,
}

#[async_trait]
impl Kit for WebexKit {
    fn connector(&self) -> &dyn Connector {
        &self.connector
    }

    fn app(&self) -> &App {
        &self.app
    }

    fn now_ms(&self) -> i64 {
        support::NOW_MS
    }

    /// Webhooks bring no text; a service that began to send it would not be heard either.
    fn body(&self, number: u64, text: &str) -> Bytes {
        let mut data = support::data(number, 1);
        data["text"] = json!(text);
        data["html"] = json!(format!("<p>{text}</p>"));
        support::delivery("messages", "created", &data)
    }

    fn signed(&self, body: Bytes, _at_ms: i64) -> Inbound {
        support::signed(body)
    }

    fn proof(&self) -> HeaderName {
        HeaderName::from_static("x-spark-signature")
    }

    fn covers_body(&self) -> bool {
        true
    }

    fn dated(&self) -> bool {
        false
    }

    fn tolerance_ms(&self) -> i64 {
        0
    }

    fn installation(&self) -> Installation {
        support::installation()
    }

    fn conversation(&self) -> Conversation {
        support::conversation()
    }

    fn rendered(&self, document: &Document) -> String {
        let rendered = dragoman_markup::webex::render(document);
        if rendered.text.len() > rendered.markdown.len() { rendered.text } else { rendered.markdown }
    }

    fn floor(&self) -> Target {
        Target::Webex
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
        let webex = crate::files::treating(manner).await;
        let share = Share { name: name.to_owned(), ..crate::files::share("") };
        let connector = support::connector(&webex.url());
        let outcome = connector.share(&support::session(), &support::conversation(), &share, file).await;
        let calls = webex.calls();
        let takes = matches!(manner, FileManner::Obliging | FileManner::LosesAnswer);
        let messages = calls.iter().filter(|call| takes && call.line == "POST messages").count();
        let requests = calls.into_iter().map(|call| format!("{} {}", call.line, call.body)).collect();
        Shared { outcome, requests, messages }
    }

    async fn download(&self, manner: FileManner) -> Result<FileBytes, Failure> {
        let webex = crate::files::holding_one(manner).await;
        let (session, conversation) = (support::session(), support::conversation());
        let message = support::message_key(5).into();
        let connector = support::connector(&webex.url());
        connector.download(&session, &conversation, &message, &crate::files::file()).await
    }

    fn operations(&self) -> Vec<Operation> {
        let post = support::post("hello");
        vec![
            Operation::Post(post.clone()),
            Operation::Edit { message: support::message_key(1).into(), post },
            Operation::Delete {
                conversation: support::room().into(),
                message: support::message_key(1).into(),
                thread_root: None,
                spokesman: Spokesman::App,
            },
        ]
    }
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    let kit = WebexKit { connector: support::offline(), app: support::app() };
    conformance::all(&kit).await;
}
