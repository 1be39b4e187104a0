//! A person in a Zoom channel. What they do goes through the simulated client.

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use dragoman_sim::zoom::{ApiError, Post, ZoomSim};
use serde_json::Value;

use super::{Seen, Side};

/// A person in a Zoom channel.
#[derive(Clone)]
pub struct ZoomSide {
    pub(crate) sim: ZoomSim,
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) person: String,
}

fn done<T>(result: Result<T, ApiError>) -> Result<T> {
    result.map_err(|error| anyhow!("Zoom refused: {} {}", error.code, error.message))
}

fn seen(raw: Value) -> Seen {
    let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
    let thread_root = raw["reply_main_message_id"].as_str().map(str::to_owned);
    Seen { id: text("id"), thread_root, markup: text("message"), author: text("sender_display_name"), raw }
}

#[async_trait]
impl Side for ZoomSide {
    fn platform(&self) -> &'static str {
        "zoom"
    }

    fn person(&self) -> &str {
        &self.person
    }

    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String> {
        done(match thread {
            Some(root) => self.sim.reply(&self.id, &self.channel, root, markup),
            None => self.sim.post(&self.id, &self.channel, markup),
        })
    }

    async fn post_file(
        &self,
        name: &str,
        bytes: &[u8],
        markup: &str,
        thread: Option<&str>,
    ) -> Result<String> {
        let post = Post { text: markup, root: thread, files: vec![(name, bytes)] };
        done(self.sim.post_with(&self.id, &self.channel, &post))
    }

    async fn react(&self, id: &str, _thread: Option<&str>, emoji: &str, add: bool) -> Result<()> {
        let (user, channel) = (&self.id, &self.channel);
        done(if add {
            self.sim.react(user, channel, id, emoji)
        } else {
            self.sim.unreact(user, channel, id, emoji)
        })
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.sim.files_of(&self.channel, &message.id))
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        done(self.sim.edit(&self.id, &self.channel, id, markup))
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        done(self.sim.delete(&self.id, &self.channel, id))
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        Ok(self.sim.messages(&self.channel, &self.id).into_iter().map(seen).collect())
    }
}
