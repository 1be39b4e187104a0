//! A person in their personal chat with the app on Teams. What they do goes through the simulated client.

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use dragoman_sim::teams::{Draft, Refusal, TeamsSim};
use serde_json::Value;

use super::{Seen, Side};

/// A person in their personal chat with the bot.
#[derive(Clone)]
pub struct TeamsChat {
    pub(crate) sim: TeamsSim,
    pub(crate) id: String,
    pub(crate) person: String,
    pub(crate) chat: String,
}

fn done<T>(result: Result<T, Refusal>) -> Result<T> {
    result.map_err(|refusal| anyhow!("Teams refused: {refusal:?}"))
}

fn seen(raw: Value) -> Option<Seen> {
    if !raw["deletedDateTime"].is_null() || raw["messageType"] != "message" {
        return None;
    }
    Some(Seen {
        id: raw["id"].as_str()?.to_owned(),
        thread_root: None,
        markup: raw["body"]["content"].as_str().unwrap_or_default().to_owned(),
        author: String::new(),
        raw,
    })
}

#[async_trait]
impl Side for TeamsChat {
    fn platform(&self) -> &'static str {
        "teams"
    }

    fn person(&self) -> &str {
        &self.person
    }

    async fn post(&self, markup: &str, _thread: Option<&str>) -> Result<String> {
        done(self.sim.post(&self.id, &self.chat, Draft::html(format!("<p>{markup}</p>"))))
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        done(self.sim.edit(&self.id, &self.chat, id, Draft::html(format!("<p>{markup}</p>"))))
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        done(self.sim.delete(&self.id, &self.chat, id))
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        Ok(self.sim.messages(&self.chat).into_iter().filter_map(seen).collect())
    }
}
