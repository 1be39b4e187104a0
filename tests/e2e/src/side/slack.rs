//! A person in a Slack channel.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;

use super::{Seen, Side};
use crate::{Http, eventually};

/// What is sent arrives sooner.
const SOON: Duration = Duration::from_secs(20);

/// A person in a Slack channel.
#[derive(Clone)]
pub struct SlackSide {
    pub(crate) http: Http,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) channel: String,
    pub(crate) person: String,
}

impl SlackSide {
    /// A method of the Web API as the person.
    pub async fn call(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish();
        let url = format!("{}/api/{method}", self.base);
        let form = "application/x-www-form-urlencoded";
        let answer = self.http.call(Method::POST, &url, &self.token, form, body).await?;
        ensure!(answer["ok"] == true, "{method} answered {}", answer["error"]);
        Ok(answer)
    }

    /// Invites somebody into the channel.
    pub async fn invite(&self, user: &str) -> Result<()> {
        self.call("conversations.invite", &[("channel", &self.channel), ("users", user)]).await?;
        Ok(())
    }

    /// Waits for the one message of the channel with a file of this name, and gives the file's bytes.
    pub async fn file(&self, name: &str) -> Result<(Seen, Vec<u8>)> {
        eventually(&format!("{name} is at Slack"), SOON, async || {
            let failed = |error| format!("{error:#}");
            let all = self.read().await.map_err(failed)?;
            let mut found = Vec::new();
            for seen in &all {
                for (known, bytes) in self.files(seen).await.map_err(failed)? {
                    if known == name {
                        found.push((seen.clone(), bytes));
                    }
                }
            }
            let count = found.len();
            let shown = || all.iter().map(|it| it.markup.as_str()).collect::<Vec<_>>();
            found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} of {name} in {:?}", shown()))
        })
        .await
    }

    async fn pages(&self, method: &str, arguments: &[(&str, &str)]) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut asked = vec![("channel", self.channel.as_str()), ("limit", "200")];
            asked.extend(arguments);
            if !cursor.is_empty() {
                asked.push(("cursor", &cursor));
            }
            let page = self.call(method, &asked).await?;
            found.extend(page["messages"].as_array().cloned().unwrap_or_default());
            page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
            if cursor.is_empty() {
                return Ok(found);
            }
        }
    }
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
        arguments.extend(thread.map(|thread| ("thread_ts", thread)));
        let answer = self.call("chat.postMessage", &arguments).await?;
        Ok(answer["ts"].as_str().context("chat.postMessage gave no ts")?.to_owned())
    }

    async fn post_file(
        &self,
        name: &str,
        bytes: &[u8],
        markup: &str,
        thread: Option<&str>,
    ) -> Result<String> {
        let length = bytes.len().to_string();
        let asked = [("filename", name), ("length", length.as_str())];
        let reserved = self.call("files.getUploadURLExternal", &asked).await?;
        let url = reserved["upload_url"].as_str().context("no upload_url")?;
        let (status, ..) = self.http.raw(Method::POST, url, HeaderMap::new(), bytes.to_vec()).await?;
        ensure!(status.is_success(), "the upload answered {status}");
        let id = reserved["file_id"].as_str().context("no file_id")?;
        let files = serde_json::json!([{"id": id, "title": name}]).to_string();
        let mut last = vec![("files", files.as_str()), ("channel_id", &self.channel)];
        last.extend((!markup.is_empty()).then_some(("initial_comment", markup)));
        last.extend(thread.map(|thread| ("thread_ts", thread)));
        self.call("files.completeUploadExternal", &last).await?;
        eventually("the file has a message", SOON, || async {
            let info = self.call("files.info", &[("file", id)]).await.map_err(|error| error.to_string())?;
            let shares = &info["file"]["shares"];
            let at = |kind: &str| shares[kind][&self.channel][0]["ts"].as_str().map(str::to_owned);
            at("public").or_else(|| at("private")).ok_or_else(|| "it is not shared yet".to_owned())
        })
        .await
    }

    async fn react(&self, id: &str, _thread: Option<&str>, emoji: &str, add: bool) -> Result<()> {
        let known = [("\u{1f44d}", "+1"), ("\u{1f389}", "tada"), ("\u{1f680}", "rocket")];
        let name = known.iter().find(|(sign, _)| *sign == emoji).context("an emoji without a name")?.1;
        let method = if add { "reactions.add" } else { "reactions.remove" };
        self.call(method, &[("channel", &self.channel), ("timestamp", id), ("name", name)]).await?;
        Ok(())
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        for file in message.raw["files"].as_array().into_iter().flatten() {
            let Some(url) = file["url_private_download"].as_str() else { continue };
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", self.token))?);
            let (status, headers, bytes) = self.http.raw(Method::GET, url, headers, Vec::new()).await?;
            let page = headers
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
            ensure!(status.is_success() && !page, "a file answered {status}, a page: {page}");
            found.push((file["name"].as_str().unwrap_or_default().to_owned(), bytes));
        }
        Ok(found)
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        self.call("chat.update", &[("channel", &self.channel), ("ts", id), ("text", markup)]).await?;
        Ok(())
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        self.call("chat.delete", &[("channel", &self.channel), ("ts", id)]).await?;
        Ok(())
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let mut found = Vec::new();
        for root in self.pages("conversations.history", &[]).await? {
            let root = seen(root);
            if root.raw["reply_count"].as_u64().unwrap_or(0) > 0 {
                let replies = self.pages("conversations.replies", &[("ts", &root.id)]).await?;
                found.extend(replies.into_iter().map(seen).filter(|reply| reply.id != root.id));
            }
            if root.raw["subtype"] != "tombstone" {
                found.push(root);
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }
}
