//! A person in a Teams channel.

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use http::Method;
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

    async fn call(&self, method: Method, url: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.http.call(method, url, &self.token, "application/json", body).await?;
        if let Some(error) = answer.get("error") {
            bail!("Graph answered {error}");
        }
        Ok(answer)
    }
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
