//! People at the simulators, acting and reading through the platforms' own public APIs: who judges never asks
//! the gateway.

mod slack;
mod teams;
mod teams_chat;
mod webex;
mod zoom;

use anyhow::{Result, bail};
use async_trait::async_trait;
use serde_json::Value;

pub use slack::SlackSide;
pub use teams::TeamsSide;
pub use teams_chat::TeamsChat;
pub use webex::WebexSide;
pub use zoom::ZoomSide;

/// A message as the target's public API shows it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The platform's id.
    pub id: String,
    /// The root of its thread, where it is a reply.
    pub thread_root: Option<String>,
    /// The whole object.
    pub raw: Value,
    /// Text and markup in one string, as the platform holds it.
    pub markup: String,
    /// The author as shown.
    pub author: String,
}

/// A conversation at a simulator, with a person in it.
#[async_trait]
pub trait Side: Send + Sync {
    /// `slack`, `teams`, `webex` or `zoom`.
    fn platform(&self) -> &'static str;
    /// The person's name.
    fn person(&self) -> &str;
    /// Posts as the person, in the platform's own markup; the id of the message.
    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String>;
    /// Edits what the person posted.
    async fn edit(&self, id: &str, thread: Option<&str>, markup: &str) -> Result<()>;
    /// Deletes what the person posted.
    async fn delete(&self, id: &str, thread: Option<&str>) -> Result<()>;
    /// Posts a file as the person, with a text beside it that may be empty; the id of the message.
    async fn post_file(
        &self,
        name: &str,
        bytes: &[u8],
        markup: &str,
        thread: Option<&str>,
    ) -> Result<String> {
        let _ = (name, bytes, markup, thread);
        bail!("nobody sends files at {}", self.platform())
    }
    /// Sets a reaction of the person at any message, or takes it back: an emoji's own sign.
    async fn react(&self, id: &str, thread: Option<&str>, emoji: &str, add: bool) -> Result<()> {
        let _ = (id, thread, emoji, add);
        bail!("nobody reacts at {}", self.platform())
    }
    /// The files of a message, each by its name with its bytes.
    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        bail!("nobody reads the files of {} at {}", message.id, self.platform())
    }
    /// Reads the conversation, threads included, oldest first; deleted messages are not in it.
    async fn read(&self) -> Result<Vec<Seen>>;
}
