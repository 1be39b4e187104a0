//! The checks that every connector passes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::floor::Target;
use dragoman_model::{Document, Feature, Operation, Outcome, Spokesman};
use dragoman_platform::conformance::{self, FileManner, Kit, Script, ScriptedServer, Shared};
use dragoman_platform::{
    App, Connector, Conversation, Failure, FileBytes, Inbound, Installation, Session, Share,
};
use dragoman_testkit::ManualClock;
use http::{HeaderName, header};
use serde_json::json;

use crate::support::{self, BOT_KEY, MESSAGE, NOW_MS, ROOM, World, paragraph, post};

struct TeamsKit {
    world: World,
    app: App,
    /// Whether files go into a chat, in a person's name, and not into a channel.
    chat: bool,
}

#[async_trait]
impl Kit for TeamsKit {
    fn connector(&self) -> &dyn Connector {
        &self.world.connector
    }

    fn app(&self) -> &App {
        &self.app
    }

    fn now_ms(&self) -> i64 {
        NOW_MS
    }

    fn body(&self, number: u64, text: &str) -> Bytes {
        let id = (1_768_039_000_000 + number).to_string();
        let more = json!({ "id": id, "text": text, "attachments": support::html(text) });
        Bytes::from(support::activity(&self.world, "message", &more).to_string())
    }

    fn signed(&self, body: Bytes, at_ms: i64) -> Inbound {
        let token = BOT_KEY.sign(&support::bot_claims(&self.world.service_url(), at_ms));
        Inbound { body, ..support::request("messages", &json!(null), Some(&token)) }
    }

    fn proof(&self) -> HeaderName {
        header::AUTHORIZATION
    }

    fn covers_body(&self) -> bool {
        false
    }

    fn tolerance_ms(&self) -> i64 {
        // An hour of validity and five minutes of skew.
        3_900_000
    }

    fn installation(&self) -> Installation {
        support::installation(&self.world.service_url())
    }

    fn conversation(&self) -> Conversation {
        if self.chat { self.world.chat() } else { self.world.room() }
    }

    fn rendered(&self, document: &Document) -> String {
        let mut name = String::from("<b>");
        name.push_str(&"Ana Sample".repeat(20));
        name.push_str(" (Elsewhere)</b><br/>");
        name + &dragoman_markup::teams::render(document, dragoman_markup::teams::Flavour::Bot).html
    }

    fn floor(&self) -> Target {
        if self.chat { Target::TeamsChat } else { Target::TeamsChannel }
    }

    fn not_yet(&self) -> &'static [Feature] {
        &[]
    }

    async fn perform(&self, script: Script, operation: &Operation) -> Outcome {
        let login = crate::fake::Fake::start(|_| None).await;
        let target = ScriptedServer::start(script).await.expect("a free port");
        let connector = support::connector(&login.url(), &target.url(), Arc::new(ManualClock::new(NOW_MS)));
        let url = format!("{}/svc/", target.url());
        let session = Session {
            app: Arc::new(support::app()),
            installation: Arc::new(support::installation(&url)),
            tokens: Arc::new(support::Keeper::default()),
        };
        connector.perform(&session, &support::conversation(ROOM, &url), operation).await
    }

    async fn share(&self, manner: FileManner, name: &str, file: FileBytes) -> Shared {
        if self.chat {
            return crate::chat_files::shared(manner, name, file).await;
        }
        let world = crate::files::treating(manner).await;
        let share = Share { name: name.to_owned(), ..crate::files::share("") };
        let outcome = world.connector.share(&world.session(), &world.room(), &share, file).await;
        let calls = world.fake.calls();
        let messages = calls.iter().filter(|call| call.path.ends_with("/activities")).count();
        let requests = calls.into_iter().map(|call| format!("{} {}", call.line(), call.body)).collect();
        Shared { outcome, requests, messages }
    }

    async fn download(&self, manner: FileManner) -> Result<FileBytes, Failure> {
        if self.chat {
            return crate::chat_files::downloaded(manner).await;
        }
        let world = crate::files::holding_one(manner).await;
        let file = crate::files::file("01REF", Some("https://t.sharepoint.com/sites/T/plan.txt"));
        world.connector.download(&world.session(), &world.room(), &MESSAGE.into(), &file).await
    }

    fn operations(&self) -> Vec<Operation> {
        let spokesman = Spokesman::App;
        vec![
            Operation::Post(post(ROOM, vec![paragraph("x")])),
            Operation::Edit { message: "5".into(), post: post(ROOM, vec![paragraph("y")]) },
            Operation::Delete {
                conversation: ROOM.into(),
                message: "5".into(),
                thread_root: None,
                spokesman,
            },
        ]
    }
}

#[tokio::test]
async fn the_connector_keeps_the_contract() {
    let kit = TeamsKit { world: World::quiet().await, app: support::app(), chat: false };
    conformance::all(&kit).await;
}

#[tokio::test]
async fn files_of_chats_keep_it_too() {
    let kit = TeamsKit { world: World::quiet().await, app: support::app(), chat: true };
    conformance::files(&kit).await;
}
