//! A chat client in the page, used the way a person uses it: by mouse and keys. What it shows is read from what
//! is drawn.

use std::path::Path;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::eventually;
use fantoccini::Locator;
use fantoccini::key::Key;
use serde::Deserialize;
use serde_json::{Value, json};

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

/// How a file gets into the composer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// By the button, from a folder.
    Chosen,
    /// Pasted from the clipboard.
    Pasted,
    /// Dropped on the conversation.
    Dropped,
}

/// A file as it is drawn.
#[derive(Debug, Deserialize)]
pub(super) struct ShownFile {
    pub(super) name: String,
    /// Where its bytes come from.
    pub(super) address: String,
    /// Shown as a picture, which has been loaded.
    pub(super) drawn: bool,
}

/// Gives files to the page as the mouse or the clipboard does.
const GIVE: &str = r"
const [selector, kind, name, type, data] = arguments;
const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
const files = new DataTransfer();
files.items.add(new File([bytes], name, { type }));
const place = document.querySelector(selector);
const event = (name) => kind === 'paste' ? new ClipboardEvent(name, { clipboardData: files, bubbles: true, cancelable: true })
  : new DragEvent(name, { dataTransfer: files, bubbles: true, cancelable: true });
if (kind === 'drop') place.dispatchEvent(event('dragover'));
place.dispatchEvent(event(kind));";

/// The files of the messages from the one that has the words on.
const FILES: &str = r"
const list = [...document.querySelectorAll('[data-test=messages] [data-test=message]:not(.gone)')];
const first = list.findLastIndex((one) => one.querySelector('[data-test=message-text]')?.innerText.includes(arguments[0]));
if (first < 0) return [];
return list.slice(first, first + 2).flatMap((one) => [...one.querySelectorAll('[data-test=file]')]).map((one) => {
  const picture = one.matches('img') ? one : one.querySelector('img');
  const link = one.querySelector('[data-test=download]');
  return { name: one.dataset.name ?? '', address: link ? link.href : picture?.src ?? '', drawn: !!picture && picture.complete && picture.naturalWidth > 0 };
});";

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

    /// Puts a file into the composer.
    pub(super) async fn attach(self, way: Way, path: &Path, name: &str, bytes: &[u8]) -> Result<()> {
        let waiting = "[data-test=tray] [data-name]";
        match way {
            Way::Chosen => {
                eventually(&format!("{}: the field for files", self.frame()), PATIENCE, || async {
                    self.browser.enter(self.frame()).await?;
                    let field = self.browser.client.find(Locator::Css(&hook("attach-file"))).await;
                    let field = field.map_err(|error| error.to_string())?;
                    field.send_keys(&path.display().to_string()).await.map_err(|error| error.to_string())
                })
                .await?;
            }
            Way::Pasted | Way::Dropped => {
                let (place, kind) = if matches!(way, Way::Pasted) {
                    (hook("composer"), "paste")
                } else {
                    ("#room".to_owned(), "drop")
                };
                let media =
                    if name.to_ascii_lowercase().contains(".png") { "image/png" } else { "text/plain" };
                let arguments = [&*place, kind, name, media, &STANDARD.encode(bytes)].map(Value::from);
                self.browser.enter(self.frame()).await.map_err(anyhow::Error::msg)?;
                self.browser.client.execute(GIVE, arguments.to_vec()).await?;
            }
        }
        eventually(&format!("{}: the file before it is sent", self.frame()), PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let found = self.browser.client.find(Locator::Css(waiting)).await;
            found.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// Waits for a file of the message with these words, or of the next one, by a part of its name.
    pub(super) async fn sees_file(self, words: &str, name: &str) -> Result<ShownFile> {
        eventually(&format!("{}: “{name}” of “{words}”", self.frame()), PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let shown = self.browser.client.execute(FILES, vec![json!(words)]).await;
            let shown = shown.map_err(|error| error.to_string())?;
            let listed = shown.to_string();
            let shown: Vec<ShownFile> = serde_json::from_value(shown).map_err(|error| error.to_string())?;
            // Some clients write a space of a name otherwise; its beginning is enough.
            let start = name.split([' ', '_', '(']).next().unwrap_or(name);
            // A picture that is still being loaded is no picture yet.
            let is_whole = |one: &ShownFile| one.drawn || !one.name.contains(".png");
            let mut fitting = shown.into_iter().filter(|one| one.name.contains(start) && is_whole(one));
            fitting.next().ok_or(listed)
        })
        .await
    }

    /// Waits until the app offers a file, by a part of its name.
    pub(super) async fn sees_offer(self, name: &str) -> Result<()> {
        let wanted = format!("[data-test=offer][data-name*='{name}']");
        eventually(&format!("{}: the offer of “{name}”", self.frame()), PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let found = self.browser.client.find(Locator::Css(&wanted)).await;
            found.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// Takes the file that the app offers.
    pub(super) async fn accepts(self) -> Result<()> {
        self.click(&hook("accept")).await
    }

    /// Reacts to a message: by the button beside it, or by searching among all.
    pub(super) async fn react(self, id: &str, name: &str, searched: bool) -> Result<()> {
        if !searched {
            return self.press(id, &format!("react-{name}")).await;
        }
        self.press(id, "react").await?;
        self.click(&format!("{} [data-name=\"{name}\"]", hook("palette"))).await
    }

    /// Clicks on a reaction that is there.
    pub(super) async fn click_reaction(self, id: &str, shown: &str) -> Result<()> {
        let names = self.reactions(id).await.map_err(anyhow::Error::msg)?;
        let name = names.iter().find(|(_, sign, _)| sign == shown).map(|(name, ..)| name.clone());
        let name = name.ok_or_else(|| anyhow::anyhow!("no {shown} among {names:?}"))?;
        self.click(&format!("{} {}[data-name=\"{name}\"]", message(id), hook("reaction"))).await
    }

    /// Waits until a message has a reaction so many times.
    pub(super) async fn sees_reaction(self, id: &str, shown: &str, count: u64) -> Result<()> {
        eventually(&format!("{}: {shown} {count} times", self.frame()), PATIENCE, || async {
            let all = self.reactions(id).await?;
            let fits = all.iter().any(|(_, sign, times)| sign == shown && *times == count);
            if fits { Ok(()) } else { Err(format!("{all:?}")) }
        })
        .await
    }

    /// Waits until a message has a reaction no more.
    pub(super) async fn misses_reaction(self, id: &str, shown: &str) -> Result<()> {
        eventually(&format!("{}: no {shown}", self.frame()), PATIENCE, || async {
            let all = self.reactions(id).await?;
            if all.iter().any(|(_, sign, _)| sign == shown) { Err(format!("{all:?}")) } else { Ok(()) }
        })
        .await
    }

    /// The reactions of a message: name, sign, count.
    async fn reactions(self, id: &str) -> Result<Vec<(String, String, u64)>, String> {
        self.browser.enter(self.frame()).await?;
        let script = "return [...document.querySelectorAll(arguments[0])]
            .map((one) => [one.dataset.name, one.querySelector('.sign').textContent, Number(one.querySelector('.count').textContent)]);";
        let selector = format!("{} {}", message(id), hook("reaction"));
        let found = self.browser.client.execute(script, vec![json!(selector)]).await;
        serde_json::from_value(found.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    }

    /// Opens a conversation of the list by its name, or begins it.
    pub(super) async fn opens(self, name: &str) -> Result<()> {
        self.click(&format!("#lists button[data-name=\"{name}\"]")).await?;
        eventually(&format!("{}: the chat with {name}", self.frame()), PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let title = self.browser.run("return document.querySelector('#room-name').textContent").await?;
            if title == name { Ok(()) } else { Err(title.to_string()) }
        })
        .await
    }

    /// Waits until the last message but at most two has this text.
    pub(super) async fn sees_last(self, pane: Pane, text: &str) -> Result<()> {
        eventually(&format!("{}: “{text}” at last", self.frame()), PATIENCE, || async {
            let shown = self.read(pane).await?;
            let texts: Vec<&str> = shown.iter().rev().take(3).map(|one| &*one.text).collect();
            if texts.iter().any(|one| one.contains(text)) { Ok(()) } else { Err(texts.join(" | ")) }
        })
        .await
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
        self.click(&hook("thread-close")).await
    }

    /// The name of the channel that is open, and what marks it in the list.
    pub(super) async fn open_channel(self) -> Result<String> {
        let selected = "[data-test=channel][aria-current=true]";
        eventually("an open channel", PATIENCE, || async {
            self.browser.enter(self.frame()).await?;
            let script = format!("return document.querySelector('{selected}')?.dataset.name ?? ''");
            let name = self.browser.run(&script).await?;
            let name = name.as_str().unwrap_or_default().to_owned();
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
