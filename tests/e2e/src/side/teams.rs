//! A person in a Teams channel.

use anyhow::{Context as _, Result, bail, ensure};
use async_trait::async_trait;
use base64::Engine as _;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};

use super::{Seen, Side};
use crate::Http;

/// A person in a Teams channel.
#[derive(Clone)]
pub struct TeamsSide {
    pub(crate) http: Http,
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) team: String,
    pub(crate) channel: String,
    pub(crate) person: String,
}

impl TeamsSide {
    fn url(&self, tail: &str) -> String {
        let channel = url::form_urlencoded::byte_serialize(self.channel.as_bytes()).collect::<String>();
        format!("{}/v1.0/teams/{}/channels/{channel}/messages{tail}", self.base, self.team)
    }

    fn folder(&self) -> String {
        self.url("").replace("/messages", "/filesFolder")
    }

    fn proof(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", self.token))?);
        Ok(headers)
    }

    async fn call(&self, method: Method, url: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.http.call(method, url, &self.token, "application/json", body).await?;
        if let Some(error) = answer.get("error") {
            bail!("Graph answered {error}");
        }
        Ok(answer)
    }
}

/// Where the files of a message are: those that it refers to, and those that a bot links to.
fn addresses(message: &Seen) -> Vec<String> {
    let listed = message.raw["attachments"].as_array().into_iter().flatten();
    let listed = listed.filter_map(|it| it["contentUrl"].as_str().map(str::to_owned));
    let links = message.markup.split("\u{1f4ce} <a href=\"").skip(1);
    let linked = links.filter_map(|rest| rest.split_once('"').map(|(url, _)| url.replace("&amp;", "&")));
    listed.chain(linked).collect()
}

fn path(id: &str, thread: Option<&str>) -> String {
    thread.map_or_else(|| format!("/{id}"), |root| format!("/{root}/replies/{id}"))
}

fn body(markup: &str) -> Value {
    json!({"body": {"contentType": "html", "content": markup}})
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
        let answer = self.call(Method::POST, &self.url(&tail), &body(markup)).await?;
        Ok(answer["id"].as_str().context("Graph gave no message id")?.to_owned())
    }

    async fn post_file(
        &self,
        name: &str,
        bytes: &[u8],
        markup: &str,
        thread: Option<&str>,
    ) -> Result<String> {
        let folder = self.call(Method::GET, &self.folder(), &Value::Null).await?;
        let drive = folder["parentReference"]["driveId"].as_str().context("no drive")?;
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let url = format!(
            "{}/v1.0/drives/{drive}/items/{}:/{}:/content?@microsoft.graph.conflictBehavior=rename",
            self.base,
            folder["id"].as_str().context("no folder")?,
            name.replace('+', "%20"),
        );
        let (status, _, answer) = self.http.raw(Method::PUT, &url, self.proof()?, bytes.to_vec()).await?;
        ensure!(status.is_success(), "the upload answered {status}");
        let item: Value = serde_json::from_slice(&answer)?;
        let guid = item["eTag"].as_str().and_then(|tag| tag.get(2..38)).context("no id in the eTag")?;
        let mut message = body(&format!("{markup}<attachment id=\"{guid}\"></attachment>"));
        message["attachments"] = json!([{
            "id": guid, "contentType": "reference", "contentUrl": item["webUrl"], "name": item["name"],
        }]);
        let tail = thread.map(|root| format!("/{root}/replies")).unwrap_or_default();
        let answer = self.call(Method::POST, &self.url(&tail), &message).await?;
        Ok(answer["id"].as_str().context("Graph gave no message id")?.to_owned())
    }

    async fn react(&self, id: &str, thread: Option<&str>, emoji: &str, add: bool) -> Result<()> {
        let verb = if add { "setReaction" } else { "unsetReaction" };
        let url = self.url(&format!("{}/{verb}", path(id, thread)));
        self.call(Method::POST, &url, &json!({"reactionType": emoji})).await?;
        Ok(())
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        for address in addresses(message) {
            let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&address);
            let item = format!("{}/v1.0/shares/u!{token}/driveItem", self.base);
            let shown = self.call(Method::GET, &item, &Value::Null).await?;
            let content = format!("{item}/content");
            let (status, headers, _) =
                self.http.raw(Method::GET, &content, self.proof()?, Vec::new()).await?;
            let place = headers
                .get(header::LOCATION)
                .with_context(|| format!("a file answered {status}"))?
                .to_str()?;
            let (status, _, bytes) = self.http.raw(Method::GET, place, HeaderMap::new(), Vec::new()).await?;
            ensure!(status.is_success(), "a file answered {status}");
            found.push((shown["name"].as_str().unwrap_or_default().to_owned(), bytes));
        }
        Ok(found)
    }

    async fn edit(&self, id: &str, thread: Option<&str>, markup: &str) -> Result<()> {
        self.call(Method::PATCH, &self.url(&path(id, thread)), &body(markup)).await?;
        Ok(())
    }

    async fn delete(&self, id: &str, thread: Option<&str>) -> Result<()> {
        let tail = format!("{}/softDelete", path(id, thread));
        self.call(Method::POST, &self.url(&tail), &Value::Null).await?;
        Ok(())
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let mut found = Vec::new();
        let mut next = Some(self.url("?$top=50&$expand=replies"));
        while let Some(url) = next {
            let page = self.call(Method::GET, &url, &Value::Null).await?;
            for root in page["value"].as_array().cloned().unwrap_or_default() {
                found.extend(
                    root["replies"].as_array().cloned().unwrap_or_default().into_iter().filter_map(seen),
                );
                found.extend(seen(root));
            }
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        found.sort_by_key(|message| (message.id.len(), message.id.clone()));
        Ok(found)
    }
}
