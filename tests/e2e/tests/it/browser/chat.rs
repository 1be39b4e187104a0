//! A chat client in the page, used the way a person uses it: by mouse and keys. What it shows is read from what
//! is drawn.

use anyhow::Result;
use e2e::eventually;
use fantoccini::Locator;
use fantoccini::key::Key;
use serde::Deserialize;

use super::driver::{Browser, PATIENCE, hook};

/// One of the four clients.
#[derive(Clone, Copy)]
pub(super) struct Chat<'a> {
    browser: &'a Browser,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Slack,
    Teams,
    Webex,
    Zoom,
}

/// Which list of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pane {
    Channel,
    Thread,
}

/// A message as it is drawn.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) text: String,
    /// What is drawn in bold.
    pub(super) bold: Vec<String>,
}

/// Reads the messages of a list.
const READ: &str = r"
const list = document.querySelector(SELECTOR);
if (!list || list.hidden) return [];
return [...list.querySelectorAll('[data-test=message]')].map((message) => {
  // A message that is being edited shows a field instead.
  const text = message.querySelector('[data-test=message-text]') ?? document.createElement('div');
  const heavy = [...text.querySelectorAll('*')].filter((one) => getComputedStyle(one).fontWeight >= 600);
  return {
    id: message.dataset.id,
    author: message.querySelector('[data-test=author]')?.textContent ?? '',
    text: text.innerText,
    bold: heavy.map((one) => one.textContent),
  };
});";

impl<'a> Chat<'a> {
    pub(super) const fn slack(browser: &'a Browser) -> Self {
        Self { browser, kind: Kind::Slack }
    }

    pub(super) const fn teams(browser: &'a Browser) -> Self {
        Self { browser, kind: Kind::Teams }
    }

    pub(super) const fn webex(browser: &'a Browser) -> Self {
        Self { browser, kind: Kind::Webex }
    }

    pub(super) const fn zoom(browser: &'a Browser) -> Self {
        Self { browser, kind: Kind::Zoom }
    }

    pub(super) fn frame(self) -> &'static str {
        match self.kind {
            Kind::Slack => "slack",
            Kind::Teams => "teams",
            Kind::Webex => "webex",
            Kind::Zoom => "zoom",
        }
    }

    /// The messages of a list, as drawn now.
    pub(super) async fn read(self, pane: Pane) -> Result<Vec<Shown>, String> {
        self.browser.enter(self.frame()).await?;
        let hook = if pane == Pane::Channel { "messages" } else { "thread" };
        let script = READ.replace("SELECTOR", &format!("'[data-test={hook}]'"));
        let shown = self.browser.run(&script).await?;
        serde_json::from_value(shown).map_err(|error| error.to_string())
    }

    /// Waits for a message with this text.
    pub(super) async fn sees(self, pane: Pane, text: &str) -> Result<Shown> {
        let what = format!("{}: “{text}”", self.frame());
        eventually(&what, PATIENCE, || async {
            let shown = self.read(pane).await?;
            let texts: Vec<&str> = shown.iter().map(|one| &*one.text).collect();
            let listed = texts.join(" | ");
            shown.into_iter().find(|one| one.text.contains(text)).ok_or(listed)
        })
        .await
    }

    /// Waits until no message has this text.
    pub(super) async fn misses(self, pane: Pane, text: &str) -> Result<()> {
        let what = format!("{}: no “{text}”", self.frame());
        eventually(&what, PATIENCE, || async {
            let shown = self.read(pane).await?;
            let is_there = shown.iter().any(|one| one.text.contains(text));
            if is_there { Err("it is there".to_owned()) } else { Ok(()) }
        })
        .await
    }

    /// Writes into the list's composer and sends. What stands between asterisks is bold.
    pub(super) async fn write(self, pane: Pane, text: &str) -> Result<()> {
        let (composer, send) = match pane {
            Pane::Channel => ("composer", "send"),
            Pane::Thread => ("thread-composer", "thread-send"),
        };
        self.focus(composer).await?;
        match self.kind {
            // A Slack composer takes the asterisks as they are; those of Webex and Zoom want two.
            Kind::Slack => self.keys(composer, text).await?,
            Kind::Webex | Kind::Zoom => self.keys(composer, &text.replace('*', "**")).await?,
            Kind::Teams => {
                for (index, part) in text.split('*').enumerate() {
                    if index > 0 {
                        self.click(&format!("form:has({}) [title=Bold]", hook(composer))).await?;
                    }
                    self.keys(composer, part).await?;
                }
            }
        }
        self.click(&hook(send)).await
    }

    /// Begins to change a message of the channel to `text`.
    pub(super) async fn edit(self, id: &str, text: &str) -> Result<()> {
        self.press(id, "edit").await?;
        let field = if self.kind == Kind::Teams { "composer" } else { "edit-box" };
        self.focus(field).await?;
        let everything = format!("{}a{}", char::from(Key::Control), char::from(Key::Null));
        self.keys(field, &format!("{everything}{text}")).await
    }

    /// Saves what was begun.
    pub(super) async fn save(self) -> Result<()> {
        self.click(&hook(if self.kind == Kind::Teams { "send" } else { "edit-save" })).await
    }

    /// Deletes a message of the channel.
    pub(super) async fn delete(self, id: &str) -> Result<()> {
        self.press(id, "delete").await
    }

    /// Opens the thread of a message that has replies, or that is to get the first.
    pub(super) async fn open_thread(self, id: &str) -> Result<()> {
        self.press(id, "reply").await?;
        eventually("the thread", PATIENCE, || async {
            self.read(Pane::Thread).await?.first().map(|_| ()).ok_or_else(|| "it is closed".to_owned())
        })
        .await
    }

    /// Opens a thread by the line that counts its replies.
    pub(super) async fn open_replies(self, id: &str) -> Result<()> {
        self.click(&format!("{} {}", message(id), hook("replies"))).await
    }

    /// Closes the thread.
    pub(super) async fn close_thread(self) -> Result<()> {
        let button = match self.kind {
            Kind::Slack | Kind::Zoom => "#thread-close".to_owned(),
            Kind::Teams | Kind::Webex => hook("thread-close"),
        };
        self.click(&button).await
    }

    /// The name of the channel that is open, and what marks it in the list.
    pub(super) async fn open_channel(self) -> Result<String> {
        let selected = "[data-test=channel][aria-current=true]";
        eventually("an open channel", PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let script = format!("return document.querySelector('{selected}')?.innerText ?? ''");
            let name = self.browser.run(&script).await?;
            let name = name.as_str().unwrap_or_default().trim();
            // The sign before the name is on a line of its own.
            let name = name.lines().last().unwrap_or_default().to_owned();
            if name.is_empty() { Err("none is open".to_owned()) } else { Ok(name) }
        })
        .await
    }

    /// Presses one of the buttons that a message shows under the mouse.
    async fn press(self, id: &str, button: &str) -> Result<()> {
        let row = message(id);
        eventually(&format!("{}: the button “{button}”", self.frame()), PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let find = self.browser.client.find(Locator::Css(&row));
            let row = find.await.map_err(|error| error.to_string())?;
            self.browser.hover(&row).await?;
            let find = row.find(Locator::Css(&hook(button))).await.map_err(|error| error.to_string())?;
            find.click().await.map_err(|error| error.to_string())
        })
        .await
    }

    async fn click(self, selector: &str) -> Result<()> {
        eventually(&format!("{}: {selector}", self.frame()), PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let click = async { self.browser.client.find(Locator::Css(selector)).await?.click().await };
            click.await.map_err(|error| error.to_string())
        })
        .await
    }

    async fn focus(self, field: &str) -> Result<()> {
        self.click(&hook(field)).await
    }

    /// Types, once: what went in is not typed again.
    async fn keys(self, field: &str, text: &str) -> Result<()> {
        let field = self.browser.client.find(Locator::Css(&hook(field))).await?;
        Ok(field.send_keys(text).await?)
    }
}

/// The selector of a message in the channel's list.
fn message(id: &str) -> String {
    format!("[data-test=messages] [data-test=message][data-id=\"{id}\"]")
}
