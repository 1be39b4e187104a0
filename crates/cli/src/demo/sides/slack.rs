//! A person in a Slack channel, on the Web API.

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use dragoman_platform::http::HttpClient;
use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::side::{Seen, Side, exchange, send};

/// A person in a Slack channel.
pub(crate) struct SlackSide {
    pub(crate) http: HttpClient,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) channel: String,
    pub(crate) person: String,
}

impl SlackSide {
    async fn call(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let url = Url::parse(&format!("{}/api/{method}", self.base))?;
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish();
        let answer =
            send(&self.http, Method::POST, url, &self.token, "application/x-www-form-urlencoded", body)
                .await?;
        ensure!(answer["ok"] == true, "{method} answered {}", answer["error"]);
        Ok(answer)
    }

    /// Invites somebody into the channel.
    pub(crate) async fn invite(&self, user: &str) -> Result<()> {
        self.call("conversations.invite", &[("channel", &self.channel), ("users", user)]).await?;
        Ok(())
    }

    fn seen(raw: Value) -> Seen {
        let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
        let id = text("ts");
        let thread = text("thread_ts");
        let markup = format!("{}\n{}", text("text"), raw["blocks"]);
        let author = if text("username").is_empty() { text("user") } else { text("username") };
        let thread_root = (!thread.is_empty() && thread != id).then_some(thread);
        Seen { id, thread_root, raw, markup, author }
    }
}

#[async_trait]
impl Side for SlackSide {
    fn platform(&self) -> &'static str {
        "slack"
    }

    fn person(&self) -> &str {
        &self.person
    }

    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String> {
        let mut arguments = vec![("channel", self.channel.as_str()), ("text", markup)];
        if let Some(thread) = thread {
            arguments.push(("thread_ts", thread));
        }
        let answer = self.call("chat.postMessage", &arguments).await?;
        Ok(answer["ts"].as_str().context("chat.postMessage gave no ts")?.to_owned())
    }

    async fn broadcast(&self, markup: &str, thread: &str) -> Result<String> {
        let arguments = [
            ("channel", self.channel.as_str()),
            ("text", markup),
            ("thread_ts", thread),
            ("reply_broadcast", "true"),
        ];
        let answer = self.call("chat.postMessage", &arguments).await?;
        Ok(answer["ts"].as_str().context("chat.postMessage gave no ts")?.to_owned())
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        self.call("chat.update", &[("channel", &self.channel), ("ts", id), ("text", markup)]).await?;
        Ok(())
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        self.call("chat.delete", &[("channel", &self.channel), ("ts", id)]).await?;
        Ok(())
    }

    async fn card(&self, mark: &str) -> Result<String> {
        let card = json!([{
            "title": format!("Berth plan {mark}"),
            "title_link": "https://harbor.example/berth",
            "text": "Pier two is free from *noon*",
            "fields": [{ "title": "Tide", "value": "low", "short": true }],
        }]);
        let arguments = [("channel", self.channel.as_str()), ("attachments", &card.to_string())];
        let answer = self.call("chat.postMessage", &arguments).await?;
        Ok(answer["ts"].as_str().context("chat.postMessage gave no ts")?.to_owned())
    }

    async fn quote(&self, quoted: &str, id: &str, markup: &str) -> Result<String> {
        let link = self.link(id).await?;
        // As a client forwards.
        let forward = json!([{
            "is_share": true,
            "is_msg_unfurl": true,
            "from_url": link,
            "author_name": self.person,
            "text": quoted,
        }]);
        let attachments = forward.to_string();
        let arguments =
            [("channel", self.channel.as_str()), ("text", markup), ("attachments", attachments.as_str())];
        let answer = self.call("chat.postMessage", &arguments).await?;
        Ok(answer["ts"].as_str().context("chat.postMessage gave no ts")?.to_owned())
    }

    async fn link(&self, id: &str) -> Result<String> {
        let link = self.call("chat.getPermalink", &[("channel", &self.channel), ("message_ts", id)]).await?;
        Ok(link["permalink"].as_str().context("chat.getPermalink gave none")?.to_owned())
    }

    async fn change(&self, mark: &str) -> Result<String> {
        self.call("conversations.setTopic", &[("channel", &self.channel), ("topic", mark)]).await?;
        Ok(mark.to_owned())
    }

    async fn react(&self, id: &str, add: bool) -> Result<()> {
        let method = if add { "reactions.add" } else { "reactions.remove" };
        self.call(method, &[("channel", &self.channel), ("timestamp", id), ("name", "+1")]).await?;
        Ok(())
    }

    async fn post_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let length = bytes.len().to_string();
        let asked = [("filename", name), ("length", length.as_str())];
        let reserved = self.call("files.getUploadURLExternal", &asked).await?;
        let url = reserved["upload_url"].as_str().context("no upload_url")?;
        let answer = exchange(&self.http, Method::POST, url, None, bytes).await?;
        ensure!(answer.status.is_success(), "the upload answered {}", answer.status);
        let files = json!([{ "id": reserved["file_id"], "title": name }]).to_string();
        let last = [("files", files.as_str()), ("channel_id", self.channel.as_str())];
        self.call("files.completeUploadExternal", &last).await?;
        Ok(())
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        for file in message.raw["files"].as_array().into_iter().flatten() {
            let Some(url) = file["url_private_download"].as_str() else { continue };
            let answer = exchange(&self.http, Method::GET, url, Some(&self.token), b"").await?;
            ensure!(answer.status.is_success(), "a file answered {}", answer.status);
            found.push((file["name"].as_str().unwrap_or_default().to_owned(), answer.body.expose().to_vec()));
        }
        Ok(found)
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let limit = "200";
        let history =
            self.call("conversations.history", &[("channel", &self.channel), ("limit", limit)]).await?;
        let mut seen = Vec::new();
        for message in history["messages"].as_array().cloned().unwrap_or_default() {
            if message["subtype"] == "tombstone" {
                continue;
            }
            let root = Self::seen(message);
            if root.raw["reply_count"].as_u64().unwrap_or(0) > 0 {
                let arguments =
                    [("channel", self.channel.as_str()), ("ts", root.id.as_str()), ("limit", limit)];
                let replies = self.call("conversations.replies", &arguments).await?;
                let replies = replies["messages"].as_array().cloned().unwrap_or_default();
                seen.extend(replies.into_iter().map(Self::seen).filter(|reply| reply.id != root.id));
            }
            seen.push(root);
        }
        Ok(seen)
    }
}
