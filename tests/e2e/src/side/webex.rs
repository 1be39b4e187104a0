//! A person in a Webex space. What they do goes through the simulated client.

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use dragoman_sim::webex::{ApiError, Post, WebexSim};
use serde_json::Value;

use super::{Seen, Side};

/// A person in a Webex space.
#[derive(Clone)]
pub struct WebexSide {
    pub(crate) sim: WebexSim,
    pub(crate) uuid: String,
    pub(crate) room: String,
    pub(crate) person: String,
}

fn done<T>(result: Result<T, ApiError>) -> Result<T> {
    result.map_err(|error| anyhow!("Webex refused: {}", error.message))
}

fn seen(raw: Value) -> Seen {
    let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
    let markup = if text("html").is_empty() { text("text") } else { text("html") };
    let thread_root = raw["parentId"].as_str().map(str::to_owned);
    Seen { id: text("id"), thread_root, markup, author: text("personId"), raw }
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

    async fn post_file(
        &self,
        name: &str,
        bytes: &[u8],
        markup: &str,
        thread: Option<&str>,
    ) -> Result<String> {
        let post = Post { text: markup, parent: thread, files: vec![(name, bytes)], card: None };
        done(self.sim.post_with(&self.uuid, &self.room, &post))
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.sim.files(&message.id))
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        done(self.sim.edit(&self.uuid, id, markup))
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        done(self.sim.delete(&self.uuid, id))
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        Ok(self.sim.messages(&self.room).into_iter().map(seen).collect())
    }
}
