//! A person in a Teams channel, on Graph.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use async_trait::async_trait;
use base64::Engine as _;
use dragoman_platform::http::HttpClient;
use dragoman_sim::teams::{Draft, Refusal, TeamsSim};
use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::side::{Seen, Side, exchange, send};

/// A person in a Teams channel.
pub(crate) struct TeamsSide {
    pub(crate) sim: TeamsSim,
    pub(crate) http: HttpClient,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) team: String,
    pub(crate) channel: String,
    pub(crate) person: String,
    /// The person's id, where the conversation is a chat and not a channel.
    pub(crate) chat_of: Option<String>,
}

impl TeamsSide {
    fn url(&self, tail: &str) -> Result<Url> {
        let channel = url::form_urlencoded::byte_serialize(self.channel.as_bytes()).collect::<String>();
        if let Some(person) = &self.chat_of {
            let chats = format!("{}/v1.0/users/{person}/chats", self.base);
            return Ok(Url::parse(&format!("{chats}/{channel}/messages{tail}"))?);
        }
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

    async fn card(&self, mark: &str) -> Result<String> {
        let card = json!({
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [
                { "type": "TextBlock", "text": format!("Berth plan {mark}") },
                { "type": "TextBlock", "text": "Pier two is free from noon" },
            ],
            "actions": [{ "type": "Action.OpenUrl", "title": "Show it", "url": "https://harbor.example/berth" }],
        });
        let body = json!({
            "body": { "contentType": "html", "content": "<attachment id=\"berth\"></attachment>" },
            "attachments": [{
                "id": "berth",
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": card.to_string(),
            }],
        });
        let answer = self.call(Method::POST, self.url("")?, &body).await?;
        Ok(answer["id"].as_str().context("Graph gave no message id")?.to_owned())
    }

    async fn quote(&self, quoted: &str, id: &str, markup: &str) -> Result<String> {
        let reference = json!({
            "messageId": id,
            "messagePreview": quoted,
            "messageSender": { "user": { "displayName": self.person } },
        });
        let content = format!("<attachment id=\"{id}\"></attachment>{markup}");
        let body = json!({
            "body": { "contentType": "html", "content": content },
            "attachments": [{ "id": id, "contentType": "messageReference", "content": reference.to_string() }],
        });
        let answer = self.call(Method::POST, self.url("")?, &body).await?;
        Ok(answer["id"].as_str().context("Graph gave no message id")?.to_owned())
    }

    async fn link(&self, id: &str) -> Result<String> {
        let message = self.call(Method::GET, self.url(&Self::path(id, None))?, &Value::Null).await?;
        Ok(message["webUrl"].as_str().context("the message has no address")?.to_owned())
    }

    async fn change(&self, mark: &str) -> Result<String> {
        self.sim.rename_channel(&self.channel, dragoman_sim::teams::seed::DANA, mark);
        Ok(mark.to_owned())
    }

    async fn react(&self, id: &str, add: bool) -> Result<()> {
        let verb = if add { "setReaction" } else { "unsetReaction" };
        let url = self.url(&format!("/{id}/{verb}"))?;
        self.call(Method::POST, url, &json!({"reactionType": "👍"})).await?;
        Ok(())
    }

    async fn post_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if let Some(person) = &self.chat_of {
            // A person's own client puts it into their own drive.
            let draft = self.sim.attaching(person, &self.channel, Draft::html(""), &[(name, bytes)]);
            let posted = draft.and_then(|draft| self.sim.post(person, &self.channel, draft));
            posted.map_err(|refusal| anyhow!("Teams refused: {refusal:?}"))?;
            return Ok(());
        }
        let folder = Url::parse(&self.url("")?.as_str().replace("/messages", "/filesFolder"))?;
        let folder = self.call(Method::GET, folder, &Value::Null).await?;
        let url = format!(
            "{}/v1.0/drives/{}/items/{}:/{name}:/content",
            self.base,
            folder["parentReference"]["driveId"].as_str().context("no drive")?,
            folder["id"].as_str().context("no folder")?,
        );
        let answer = exchange(&self.http, Method::PUT, &url, Some(&self.token), bytes).await?;
        ensure!(answer.status.is_success(), "the upload answered {}", answer.status);
        let item: Value = serde_json::from_slice(answer.body.expose())?;
        let guid = item["eTag"].as_str().and_then(|tag| tag.get(2..38)).context("no id in the eTag")?;
        let mut message = self.body(&format!("<attachment id=\"{guid}\"></attachment>"));
        message["attachments"] = json!([{
            "id": guid, "contentType": "reference", "contentUrl": item["webUrl"], "name": name,
        }]);
        self.call(Method::POST, self.url("")?, &message).await?;
        Ok(())
    }

    async fn accept_files(&self) -> Result<()> {
        let Some(person) = &self.chat_of else { return Ok(()) };
        for message in self.read().await? {
            let cards = message.raw["attachments"].as_array().into_iter().flatten();
            let mut kinds = cards.filter_map(|card| card["contentType"].as_str());
            if kinds.any(|kind| kind.ends_with(".card.file.consent")) {
                match self.sim.accept_file(person, &self.channel, &message.id) {
                    // They did before, and the file may have come by now.
                    Ok(()) | Err(Refusal::Answered | Refusal::Deleted) => {}
                    Err(refusal) => bail!("Teams refused: {refusal:?}"),
                }
            }
        }
        Ok(())
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        // Those that a message refers to, and those that a bot's links to; a link to another platform's file is none.
        let listed = message.raw["attachments"].as_array().into_iter().flatten();
        let listed = listed.filter_map(|it| it["contentUrl"].as_str().map(str::to_owned));
        let links = message.markup.split("\u{1f4ce} <a href=\"").skip(1);
        let linked = links.filter_map(|rest| rest.split_once('"').map(|(url, _)| url.replace("&amp;", "&")));
        let linked = linked.filter(|url| url.starts_with(&self.base));
        let mut found = Vec::new();
        for address in listed.chain(linked) {
            let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&address);
            let item = format!("{}/v1.0/shares/u!{token}/driveItem", self.base);
            let shown = self.call(Method::GET, Url::parse(&item)?, &Value::Null).await?;
            let content = format!("{item}/content");
            let moved = exchange(&self.http, Method::GET, &content, Some(&self.token), b"").await?;
            let place = moved.headers.get(http::header::LOCATION).context("the file is nowhere")?;
            // Such addresses refuse tokens.
            let answer = exchange(&self.http, Method::GET, place.to_str()?, None, b"").await?;
            ensure!(answer.status.is_success(), "a file answered {}", answer.status);
            found
                .push((shown["name"].as_str().unwrap_or_default().to_owned(), answer.body.expose().to_vec()));
        }
        Ok(found)
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        let all = if self.chat_of.is_some() { "?$top=50" } else { "?$top=50&$expand=replies" };
        let mut next = Some(self.url(all)?);
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
