//! From messages of Webex to canonical ones. Pure.

use dragoman_markup::webex::{WebexInput, parse};
use dragoman_markup::{Budget, link_url};
use dragoman_model::{
    Author, AuthorKind, Block, Document, FileRef, Inline, Mention, Message, Origin, RemoteUser,
};
use dragoman_platform::Session;
use serde_json::Value;

use crate::capabilities::is_bot;
use crate::ids;
use crate::wire::answers as wire;

/// Buttons of a card that are shown as links.
const MOST_LINKS: usize = 10;

/// The account that this installation speaks with.
#[derive(Clone, Default)]
pub(crate) struct Own {
    /// Its id.
    pub(crate) person: Option<RemoteUser>,
    /// Whether it is a bot, which people call by its name.
    pub(crate) bot: bool,
}

impl Own {
    /// From what was learnt at installation.
    pub(crate) fn of(session: &Session) -> Self {
        let person = session.installation.fact("person_id");
        Self { person: (!person.is_empty()).then(|| ids::person(person)), bot: is_bot(&session.installation) }
    }
}

/// A message of a space in canonical form. `None`: it has no id.
pub(crate) fn message(wire: &wire::Message, room: &str, own: &Own) -> Option<Message> {
    let id = ids::message(room, wire.id.as_deref().filter(|id| !id.is_empty())?);
    let root = wire.parent_id.as_deref().filter(|root| !root.is_empty());
    let root = root.map(|root| ids::message(room, root));
    let author = author(wire);
    let ours = author.user.is_some() && author.user == own.person;
    Some(Message {
        thread_root: root.filter(|root| *root != id),
        broadcast: false,
        body: body(wire, own),
        files: wire.files.iter().map(|url| file(url)).collect(),
        sent_at_ms: wire.created.as_deref().and_then(ids::millis).unwrap_or_default(),
        edited_at_ms: wire.updated.as_deref().and_then(ids::millis),
        version: Some(ids::version(wire.updated.as_deref())),
        origin: Origin { ours, marker: None },
        author,
        id,
    })
}

fn author(wire: &wire::Message) -> Author {
    // A message does not tell what kind of account wrote it, but the addresses of bots are Webex's own.
    let address = wire.person_email.as_deref().unwrap_or_default().to_ascii_lowercase();
    let bot = ["@webex.bot", "@sparkbot.io"].iter().any(|domain| address.ends_with(domain));
    Author {
        user: wire.person_id.as_deref().filter(|id| !id.is_empty()).map(ids::person),
        kind: if bot { AuthorKind::Bot } else { AuthorKind::Person },
        name: None,
        avatar_url: None,
    }
}

/// What the message says, mentions by the ids of people.
fn body(wire: &wire::Message, own: &Own) -> Document {
    let input = WebexInput { html: wire.html.as_deref(), text: wire.text.as_deref().unwrap_or_default() };
    let mut body = parse(input, Budget::default()).map_inlines(&mut |inline| match inline {
        Inline::Mention(Mention::Person { id, name }) => {
            Inline::Mention(Mention::Person { id: ids::person(id.as_str()), name })
        }
        other => other,
    });
    if own.bot {
        without_call(&mut body, own);
    }
    let links = card_links(&wire.attachments);
    if body.is_empty() && !wire.attachments.is_empty() {
        body.blocks.push(Block::Unsupported { kind: "card".to_owned(), text: Vec::new() });
    }
    if !links.is_empty() {
        body.blocks.push(Block::Paragraph(links));
    }
    body.normalise()
}

/// A bot hears only what begins with its name, which is no part of what is said.
fn without_call(body: &mut Document, own: &Own) {
    let Some(Block::Paragraph(text)) = body.blocks.first_mut() else { return };
    let called = matches!(text.first(), Some(Inline::Mention(Mention::Person { id, .. })) if Some(id) == own.person.as_ref());
    if called {
        text.remove(0);
        if let Some(Inline::Text(rest)) = text.first_mut() {
            *rest = rest.trim_start_matches([' ', ',', ':']).to_owned();
        }
    }
}

/// The links of cards; their text stands in the message beside them.
fn card_links(attachments: &[Value]) -> Vec<Inline> {
    let actions =
        attachments.iter().filter_map(|card| card.get("content")?.get("actions")?.as_array()).flatten();
    let links = actions.filter(|action| action.get("type").and_then(Value::as_str) == Some("Action.OpenUrl"));
    let mut found = Vec::new();
    for action in links.take(MOST_LINKS) {
        let text = |key: &str| action.get(key).and_then(Value::as_str).unwrap_or_default();
        let Some(url) = link_url(text("url")) else { continue };
        if !found.is_empty() {
            found.push(Inline::Break);
        }
        let title: String = text("title").chars().take(200).filter(|c| !c.is_control()).collect();
        let shown = if title.is_empty() { Vec::new() } else { vec![Inline::Text(title)] };
        found.push(Inline::Link { url: url.to_owned(), text: shown });
    }
    found
}

/// A file, of which the message tells nothing but where its bytes are.
fn file(url: &str) -> FileRef {
    FileRef { id: ids::content(url), name: String::new(), media_type: None, size: None, permalink: None }
}
