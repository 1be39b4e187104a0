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

impl TeamsChat {
    /// What the app offers: the messages, and the names of the files.
    pub fn offers(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for raw in self.sim.messages(&self.chat) {
            let name = card(&raw, "consent").and_then(|card| Some(card["name"].as_str()?.to_owned()));
            found.extend(raw["id"].as_str().map(str::to_owned).zip(name));
        }
        found
    }

    /// Takes a file that the app offers.
    ///
    /// # Errors
    /// When it is not offered, or was answered.
    pub fn accept(&self, offer: &str) -> Result<()> {
        done(self.sim.accept_file(&self.id, &self.chat, offer))
    }

    /// Does not take it.
    ///
    /// # Errors
    /// As for [`Self::accept`].
    pub fn decline(&self, offer: &str) -> Result<()> {
        done(self.sim.decline_file(&self.id, &self.chat, offer))
    }
}

/// A card of a file, as it stands in a message that is not deleted.
fn card<'a>(raw: &'a Value, kind: &str) -> Option<&'a Value> {
    let kind = format!("application/vnd.microsoft.teams.card.file.{kind}");
    let cards = raw["attachments"].as_array().filter(|_| raw["deletedDateTime"].is_null())?;
    cards.iter().find(|card| card["contentType"] == kind.as_str())
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

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        let Some(shown) = card(&message.raw, "info") else { return Ok(Vec::new()) };
        let bytes = shown["contentUrl"].as_str().and_then(|address| self.sim.file_at(address));
        let bytes = bytes.ok_or_else(|| anyhow!("there is no such file"))?;
        Ok(vec![(shown["name"].as_str().unwrap_or_default().to_owned(), bytes)])
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        Ok(self.sim.messages(&self.chat).into_iter().filter_map(seen).collect())
    }
}
