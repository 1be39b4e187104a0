//! A person in a Zoom channel: writes in a client, reads through the API.

use anyhow::{Result, anyhow, ensure};
use async_trait::async_trait;
use dragoman_platform::http::HttpClient;
use dragoman_sim::zoom::people::Post;
use dragoman_sim::zoom::{ApiError, ZoomSim};
use http::Method;
use serde_json::Value;
use url::Url;

use super::side::{Seen, Side, exchange, send};

/// A person in a Zoom channel.
pub(crate) struct ZoomSide {
    pub(crate) sim: ZoomSim,
    pub(crate) http: HttpClient,
    pub(crate) token: String,
    /// User id.
    pub(crate) user: String,
    pub(crate) channel: String,
    /// The other person, where the conversation is a direct one.
    pub(crate) contact: Option<String>,
    /// From when on the channel is read, as the API takes it.
    pub(crate) since: String,
    pub(crate) person: String,
}

fn done<T>(result: Result<T, ApiError>) -> Result<T> {
    result.map_err(|error| anyhow!("Zoom refused: {} {}", error.code, error.message))
}

fn seen(raw: Value) -> Seen {
    let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
    Seen {
        id: text("id"),
        thread_root: raw["reply_main_message_id"].as_str().map(str::to_owned),
        markup: text("message"),
        author: text("sender_display_name"),
        raw,
    }
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
            Some(root) => self.sim.reply(&self.user, &self.channel, root, markup),
            None => self.sim.post(&self.user, &self.channel, markup),
        })
    }

    async fn broadcast(&self, markup: &str, thread: &str) -> Result<String> {
        // Zoom has no such thing: an ordinary reply.
        self.post(markup, Some(thread)).await
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        done(self.sim.edit(&self.user, &self.channel, id, markup))
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        done(self.sim.delete(&self.user, &self.channel, id))
    }

    async fn link(&self, id: &str) -> Result<String> {
        done(self.sim.copy_link(&self.user, &self.channel, id))
    }

    async fn change(&self, _mark: &str) -> Result<String> {
        done(self.sim.leave(dragoman_sim::zoom::config::RUI, &self.channel, None))?;
        Ok("Rui".to_owned())
    }

    async fn react(&self, id: &str, add: bool) -> Result<()> {
        done(if add {
            self.sim.react(&self.user, &self.channel, id, "👍")
        } else {
            self.sim.unreact(&self.user, &self.channel, id, "👍")
        })
    }

    async fn post_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let post = Post { text: "", root: None, files: vec![(name, bytes)] };
        done(self.sim.post_with(&self.user, &self.channel, &post))?;
        Ok(())
    }

    async fn files(&self, message: &Seen) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = Vec::new();
        for file in message.raw["files"].as_array().into_iter().flatten() {
            let Some(url) = file["download_url"].as_str() else { continue };
            let answer = exchange(&self.http, Method::GET, url, Some(&self.token), b"").await?;
            ensure!(answer.status.is_success(), "a file answered {}", answer.status);
            found.push((
                file["file_name"].as_str().unwrap_or_default().to_owned(),
                answer.body.expose().to_vec(),
            ));
        }
        Ok(found)
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let base = format!("{}/v2/chat/users/me/messages", self.sim.base_url());
        let mut found = Vec::new();
        let mut mark = String::new();
        loop {
            let mut url = Url::parse(&base)?;
            let place = match &self.contact {
                Some(contact) => ("to_contact", contact),
                None => ("to_channel", &self.channel),
            };
            url.query_pairs_mut()
                .append_pair(place.0, place.1)
                .append_pair("from", &self.since)
                .append_pair("page_size", "50")
                .append_pair("need_rich_text", "true")
                .append_pair("need_at_items", "true")
                .append_pair("next_page_token", &mark);
            let page =
                send(&self.http, Method::GET, url, &self.token, "application/json", String::new()).await?;
            let messages = page["messages"].as_array();
            ensure!(messages.is_some(), "the list was answered with {page}");
            found.extend(messages.cloned().unwrap_or_default().into_iter().map(seen));
            page["next_page_token"].as_str().unwrap_or_default().clone_into(&mut mark);
            if mark.is_empty() {
                return Ok(found);
            }
        }
    }
}
