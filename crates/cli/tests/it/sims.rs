//! `dragoman sim` as a child: the platforms, spoken with through their own interfaces only.

use std::process::{Child, Command, Stdio};

use http::Method;
use serde_json::{Value, json};

use crate::http::Http;
use crate::rig::BINARY;

pub(crate) struct Sims {
    child: Child,
    pub(crate) http: Http,
    /// What it printed.
    pub(crate) told: Value,
}

impl Sims {
    pub(crate) fn start(more: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["sim", "--json", "--auto-approve", "--no-limits"]).args(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("a pipe");
        let mut documents = serde_json::Deserializer::from_reader(stdout).into_iter::<Value>();
        let told = documents.next().expect("a document").expect("JSON");
        Self { child, http: Http::new(), told }
    }

    /// Ends when its standard input does.
    pub(crate) fn end(mut self) -> std::process::ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().expect("a child")
    }

    pub(crate) fn slack(&self, key: &str) -> &str {
        self.told["slack"][key].as_str().expect("a text")
    }

    pub(crate) fn teams(&self, key: &str) -> &str {
        self.told["teams"][key].as_str().expect("a text")
    }

    pub(crate) fn webex(&self, key: &str) -> &str {
        self.told["webex"][key].as_str().expect("a text")
    }

    pub(crate) fn zoom(&self, key: &str) -> &str {
        self.told["zoom"][key].as_str().expect("a text")
    }

    /// Where the platforms are, for a configuration.
    pub(crate) fn config(&self) -> String {
        let (slack, teams) = (self.slack("base_url"), self.teams("base_url"));
        let service = self.teams("service_url");
        let (webex, zoom) = (self.webex("base_url"), self.zoom("base_url"));
        let (socket, files) = (zoom.replacen("http", "ws", 1), self.zoom("files_url"));
        format!(
            "[slack]\napi_base = \"{slack}/api/\"\nauthorize_url = \"{slack}/oauth/v2/authorize\"\n\
             [teams]\nlogin_base = \"{teams}\"\ngraph_base = \"{teams}\"\n\
             bot_openid_url = \"{teams}/v1/.well-known/openidconfiguration\"\n\
             allowed_service_hosts = [\"{teams}\"]\ndefault_service_url = \"{service}\"\ngraph_pause_ms = 0\n\
             [webex]\napi_base = \"{webex}/v1/\"\nauthorize_url = \"{webex}/v1/authorize\"\n\
             token_url = \"{webex}/v1/access_token\"\n\
             [zoom]\napi_base = \"{zoom}/v2/\"\noauth_base = \"{zoom}/oauth/\"\nws_url = \"{socket}/ws\"\n\
             compliance_url = \"{zoom}/oauth/data/compliance\"\nfiles_base = \"{files}/v2/\"\nsettle_ms = 0\n\
             [relay]\npace = false\nretry_base_ms = 50\necho_wait_ms = 300\nlook_pause_ms = 300\ncrash_patience_ms = 1500\n"
        )
    }

    pub(crate) async fn slack_call(&self, person: &str, method: &str, body: &Value) -> Value {
        let token = self.told["slack"]["user_tokens"][person].as_str().expect("a person");
        let url = format!("{}/api/{method}", self.slack("base_url"));
        let answer = self.http.call(Method::POST, &url, token, body).await;
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer
    }

    fn channel(&self, name: &str) -> &str {
        self.told["slack"]["channels"][name].as_str().expect("a channel")
    }

    /// Ana writes; the message's `ts`.
    pub(crate) async fn ana_says(&self, channel: &str, words: &str) -> String {
        let body = json!({"channel": self.channel(channel), "text": words});
        let answer = self.slack_call("ana", "chat.postMessage", &body).await;
        answer["ts"].as_str().expect("a ts").to_owned()
    }

    /// Texts of a Slack channel, the newest first.
    pub(crate) async fn slack_texts(&self, channel: &str) -> Vec<String> {
        let token = self.told["slack"]["user_tokens"]["ana"].as_str().expect("a person");
        let channel = self.channel(channel);
        let url = format!("{}/api/conversations.history?channel={channel}&limit=200", self.slack("base_url"));
        let answer = self.http.call(Method::GET, &url, token, &Value::Null).await;
        texts(&answer["messages"], |message| &message["text"])
    }

    fn teams_messages(&self, channel: &str) -> String {
        let id = self.told["teams"]["channels"][channel].as_str().expect("a channel");
        let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        format!("{}/v1.0/teams/{}/channels/{id}/messages", self.teams("base_url"), self.teams("team"))
    }

    /// Dana writes; the message's id.
    pub(crate) async fn dana_says(&self, channel: &str, words: &str) -> String {
        let token = self.told["teams"]["user_tokens"]["dana"].as_str().expect("a person");
        let body = json!({"body": {"contentType": "text", "content": words}});
        let answer = self.http.call(Method::POST, &self.teams_messages(channel), token, &body).await;
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Bodies of a Teams channel.
    pub(crate) async fn teams_texts(&self, channel: &str) -> Vec<String> {
        let token = self.told["teams"]["user_tokens"]["dana"].as_str().expect("a person");
        let url = format!("{}?$top=50", self.teams_messages(channel));
        let answer = self.http.call(Method::GET, &url, token, &Value::Null).await;
        texts(&answer["value"], |message| &message["body"]["content"])
    }

    /// A control call to the Slack simulator.
    pub(crate) async fn at_slack(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/_sim/{path}", self.slack("base_url"));
        self.http.call(Method::POST, &url, "", body).await
    }

    /// A control call to the Teams simulator.
    pub(crate) async fn at_teams(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/_sim/{path}", self.teams("base_url"));
        self.http.call(Method::POST, &url, "", body).await
    }

    /// Deliveries of Slack to the app so far.
    pub(crate) async fn slack_deliveries(&self) -> Vec<Value> {
        let url = format!("{}/_sim/log", self.slack("base_url"));
        let log = self.http.call(Method::GET, &url, "", &Value::Null).await;
        let entries = log["entries"].as_array().cloned().unwrap_or_default();
        entries.into_iter().filter(|entry| entry["kind"] == "delivery").collect()
    }
}

fn texts(messages: &Value, text: impl Fn(&Value) -> &Value) -> Vec<String> {
    let messages = messages.as_array().cloned().unwrap_or_default();
    messages.iter().map(|message| text(message).as_str().unwrap_or_default().to_owned()).collect()
}

impl Drop for Sims {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
