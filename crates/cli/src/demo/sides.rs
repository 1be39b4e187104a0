//! People at the simulators, acting and reading through the platforms' own public APIs: the judge of the story
//! never asks the gateway.

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use dragoman_platform::http::{HttpClient, HttpRequest};
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use url::Url;

/// A message as the target's public API shows it.
pub(crate) struct Seen {
    /// The platform's id.
    pub(crate) id: String,
    /// The root of its thread, where it is a reply.
    pub(crate) thread_root: Option<String>,
    /// The whole object.
    pub(crate) raw: Value,
    /// Text and markup in one string, as the platform holds it.
    pub(crate) markup: String,
    /// The author as shown.
    pub(crate) author: String,
}

/// A conversation at a simulator, with a person in it.
#[async_trait]
pub(crate) trait Side: Send + Sync {
    /// `slack` or `teams`.
    fn platform(&self) -> &'static str;
    /// Posts as the person; `markup` is in the platform's own.
    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String>;
    /// Posts a reply that is also sent to the conversation, where the platform has such a thing.
    async fn broadcast(&self, markup: &str, thread: &str) -> Result<String>;
    /// Edits what the person posted.
    async fn edit(&self, id: &str, thread: Option<&str>, markup: &str) -> Result<()>;
    /// Deletes what the person posted.
    async fn delete(&self, id: &str, thread: Option<&str>) -> Result<()>;
    /// Reads the conversation, threads included; deleted messages are not in it.
    async fn read(&self) -> Result<Vec<Seen>>;
    /// The person's name.
    fn person(&self) -> &str;
}

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

/// A person in a Teams channel.
pub(crate) struct TeamsSide {
    pub(crate) http: HttpClient,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) team: String,
    pub(crate) channel: String,
    pub(crate) person: String,
}

impl TeamsSide {
    fn url(&self, tail: &str) -> Result<Url> {
        let channel = url::form_urlencoded::byte_serialize(self.channel.as_bytes()).collect::<String>();
        Ok(Url::parse(&format!("{}/v1.0/teams/{}/channels/{channel}/messages{tail}", self.base, self.team))?)
    }

    async fn call(&self, method: Method, url: Url, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = send(&self.http, method, url, &self.token, "application/json", body).await?;
        if let Some(error) = answer.get("error") {
            bail!("Graph answered {error}");
        }
        Ok(answer)
    }

    fn path(id: &str, thread: Option<&str>) -> String {
        thread.map_or_else(|| format!("/{id}"), |root| format!("/{root}/replies/{id}"))
    }

    fn seen(raw: Value) -> Option<Seen> {
        if !raw["deletedDateTime"].is_null() || raw["messageType"] != "message" {
            return None;
        }
        let id = raw["id"].as_str()?.to_owned();
        let thread_root = raw["replyToId"].as_str().map(str::to_owned);
        let markup = raw["body"]["content"].as_str().unwrap_or_default().to_owned();
        let from = &raw["from"];
        let name = |kind: &str| from[kind]["displayName"].as_str().map(str::to_owned);
        let author = name("user").or_else(|| name("application")).unwrap_or_default();
        Some(Seen { id, thread_root, raw, markup, author })
    }

    /// A message body; `<at:OID:Name>` in the markup becomes a mention, as a client would make it, and
    /// `<at:channel:Name>` one of this channel.
    fn body(&self, markup: &str) -> Value {
        let mut content = String::new();
        let mut mentions = Vec::new();
        let mut rest = markup;
        while let Some((before, after)) = rest.split_once("<at:") {
            let Some((mention, tail)) = after.split_once('>') else { break };
            let (id, name) = mention.split_once(':').unwrap_or((mention, ""));
            let index = mentions.len();
            content.push_str(before);
            let tag = format!("<at id=\"{index}\">{name}</at>");
            content.push_str(&tag);
            let mentioned = if id == "channel" {
                json!({"conversation": {"id": self.channel, "displayName": name, "conversationIdentityType": "channel"}})
            } else {
                json!({"user": {"id": id, "displayName": name, "userIdentityType": "aadUser"}})
            };
            mentions.push(json!({"id": index, "mentionText": name, "mentioned": mentioned}));
            rest = tail;
        }
        content.push_str(rest);
        let mut body = json!({"body": {"contentType": "html", "content": content}});
        if !mentions.is_empty() {
            body["mentions"] = Value::Array(mentions);
        }
        body
    }
}

#[async_trait]
impl Side for TeamsSide {
    fn platform(&self) -> &'static str {
        "teams"
    }

    fn person(&self) -> &str {
        &self.person
    }

    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String> {
        let tail = thread.map(|root| format!("/{root}/replies")).unwrap_or_default();
        let answer = self.call(Method::POST, self.url(&tail)?, &self.body(markup)).await?;
        Ok(answer["id"].as_str().context("Graph gave no message id")?.to_owned())
    }

    async fn broadcast(&self, markup: &str, thread: &str) -> Result<String> {
        // Teams has no such thing: an ordinary reply.
        self.post(markup, Some(thread)).await
    }

    async fn edit(&self, id: &str, thread: Option<&str>, markup: &str) -> Result<()> {
        self.call(Method::PATCH, self.url(&Self::path(id, thread))?, &self.body(markup)).await?;
        Ok(())
    }

    async fn delete(&self, id: &str, thread: Option<&str>) -> Result<()> {
        let tail = format!("{}/softDelete", Self::path(id, thread));
        self.call(Method::POST, self.url(&tail)?, &Value::Null).await?;
        Ok(())
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        let mut next = Some(self.url("?$top=50&$expand=replies")?);
        while let Some(url) = next {
            let page = self.call(Method::GET, url, &Value::Null).await?;
            for root in page["value"].as_array().cloned().unwrap_or_default() {
                let replies = root["replies"].as_array().cloned().unwrap_or_default();
                seen.extend(replies.into_iter().filter_map(Self::seen));
                seen.extend(Self::seen(root));
            }
            next = page["@odata.nextLink"].as_str().map(Url::parse).transpose()?;
        }
        Ok(seen)
    }
}

async fn send(
    http: &HttpClient,
    method: Method,
    url: Url,
    token: &str,
    content_type: &'static str,
    body: String,
) -> Result<Value> {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for _ in 0..20 {
        let request = HttpRequest {
            method: method.clone(),
            url: url.clone(),
            headers: headers.clone(),
            body: Bytes::from(body.clone()),
            timeout: None,
            cap: Some(16 << 20),
            hosts: None,
            redirects: 0,
        };
        let answer = http.send(request).await?;
        if answer.status == http::StatusCode::TOO_MANY_REQUESTS {
            // People wait as they are told, too.
            let wait = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = wait.and_then(|value| value.parse::<f64>().ok()).unwrap_or(1.0);
            tokio::time::sleep(std::time::Duration::from_secs_f64(seconds.clamp(0.05, 30.0))).await;
            continue;
        }
        if answer.body.is_empty() {
            ensure!(answer.status.is_success(), "the simulator answered {}", answer.status);
            return Ok(Value::Null);
        }
        return serde_json::from_slice(answer.body.expose())
            .context("the simulator did not answer with JSON");
    }
    bail!("the simulator kept limiting the rate")
}
