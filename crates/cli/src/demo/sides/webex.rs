//! A person in a Webex space: writes in a client, reads through the API.

use anyhow::{Result, anyhow, bail, ensure};
use async_trait::async_trait;
use dragoman_platform::http::HttpClient;
use dragoman_sim::webex::{ApiError, Post, WebexSim};
use http::Method;
use serde_json::Value;
use url::Url;

use super::side::{Seen, Side, exchange, send};

/// A person in a Webex space.
pub(crate) struct WebexSide {
    pub(crate) sim: WebexSim,
    pub(crate) http: HttpClient,
    pub(crate) token: String,
    /// UUID of the person.
    pub(crate) uuid: String,
    /// Public id of the space.
    pub(crate) room: String,
    pub(crate) person: String,
}

fn done<T>(result: Result<T, ApiError>) -> Result<T> {
    result.map_err(|error| anyhow!("Webex refused: {}", error.message))
}

fn seen(raw: Value) -> Seen {
    let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
    Seen {
        id: text("id"),
        thread_root: raw["parentId"].as_str().map(str::to_owned),
        markup: if text("html").is_empty() { text("text") } else { text("html") },
        author: text("personEmail"),
        raw,
    }
}

#[async_trait]
impl Side for WebexSide {
    fn platform(&self) -> &'static str {
        "webex"
    }

    fn person(&self) -> &str {
        &self.person
    }

    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String> {
        done(match thread {
            Some(root) => self.sim.reply(&self.uuid, root, markup),
            None => self.sim.post(&self.uuid, &self.room, markup),
        })
    }

    async fn broadcast(&self, markup: &str, thread: &str) -> Result<String> {
        // Webex has no such thing: an ordinary reply.
        self.post(markup, Some(thread)).await
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        done(self.sim.edit(&self.uuid, id, markup))
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        done(self.sim.delete(&self.uuid, id))
    }

    async fn link(&self, id: &str) -> Result<String> {
        done(self.sim.copy_link(&self.uuid, id))
    }

    async fn change(&self, _mark: &str) -> Result<String> {
        done(self.sim.remove_member(&self.uuid, &self.room, dragoman_sim::webex::seed::HENRIK))?;
        Ok("Henrik".to_owned())
    }

    async fn react(&self, _id: &str, _add: bool) -> Result<()> {
        bail!("Webex tells nobody of reactions")
    }

    async fn post_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let post = Post { text: "", parent: None, files: vec![(name, bytes)], card: None };
        done(self.sim.post_with(&self.uuid, &self.room, &post))?;
        Ok(())
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        for url in message.raw["files"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let answer = exchange(&self.http, Method::GET, url, Some(&self.token), b"").await?;
            ensure!(answer.status.is_success(), "a file answered {}", answer.status);
            let told = answer.headers.get(http::header::CONTENT_DISPOSITION);
            let told = told.and_then(|value| value.to_str().ok()).unwrap_or_default();
            let name = told.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next());
            found.push((name.unwrap_or_default().to_owned(), answer.body.expose().to_vec()));
        }
        Ok(found)
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let mut url = Url::parse(&format!("{}/v1/messages", self.sim.base_url()))?;
        url.query_pairs_mut().append_pair("roomId", &self.room).append_pair("max", "1000");
        let page = send(&self.http, Method::GET, url, &self.token, "application/json", String::new()).await?;
        Ok(page["items"].as_array().cloned().unwrap_or_default().into_iter().map(seen).collect())
    }
}
