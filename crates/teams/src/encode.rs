//! From canonical posts to what Teams takes. Pure.

use std::collections::BTreeMap;

use dragoman_markup::teams::{Flavour, MentionKind, RenderedMention, render};
use dragoman_model::{Document, Inline, Mention, Post, ShownAuthor, Spokesman};
use serde_json::{Value, json};

use crate::body::escape;
use crate::ids::is_channel;
use crate::wire::connector::{MentionEntity, MentionedAccount, MessageActivity};

/// A text ready to be sent.
pub(crate) struct Text {
    /// HTML, the name line first where the app speaks for somebody.
    pub(crate) html: String,
    /// Whom it mentions.
    pub(crate) mentions: Vec<RenderedMention>,
}

/// The line that names the author. Notices of our own need none: the app's name stands above them.
fn name_line(author: &ShownAuthor) -> String {
    if author.via.is_empty() || author.name.is_empty() {
        return String::new();
    }
    format!("<b>{} ({})</b><br/>", escape(&author.name), escape(&author.via))
}

/// Renders a post as it will be shown.
pub(crate) fn text(post: &Post) -> Text {
    text_of(post, &post.body)
}

/// The same with another body: one part of a long post.
pub(crate) fn text_of(post: &Post, body: &Document) -> Text {
    match post.spokesman {
        Spokesman::App => {
            let rendered = match without_everyone(body) {
                Some(body) => render(&body, Flavour::Bot),
                None => render(body, Flavour::Bot),
            };
            Text { html: name_line(&post.author) + &rendered.html, mentions: rendered.mentions }
        }
        Spokesman::Person(_) => {
            let rendered = render(body, Flavour::Graph);
            Text { html: rendered.html, mentions: rendered.mentions }
        }
    }
}

/// No fewer bytes than [`text_of`] makes for either spokesman.
pub(crate) fn at_most(post: &Post) -> usize {
    name_line(&post.author).len() + dragoman_markup::teams::at_most(&post.body)
}

/// A bot cannot call everybody: "team and channel mentions are not supported", and trying shows an unknown user.
/// `None`: nobody tries.
fn without_everyone(body: &Document) -> Option<Document> {
    let mut everyone = false;
    body.visit_inlines(&mut |inline| everyone |= matches!(inline, Inline::Mention(Mention::Everyone)));
    everyone.then(|| {
        body.clone().map_inlines(&mut |inline| match inline {
            Inline::Mention(Mention::Everyone) => Inline::Text("@everyone".to_owned()),
            other => other,
        })
    })
}

/// A message activity. `accounts` gives the accounts of bot traffic for directory ids.
pub(crate) fn activity(text: &Text, accounts: &BTreeMap<String, String>) -> Vec<u8> {
    let entities = text.mentions.iter().map(|mention| MentionEntity {
        kind: "mention",
        // Both strings have to match exactly, or nobody is notified.
        text: format!("<at>{}</at>", mention.name),
        mentioned: MentionedAccount {
            id: accounts.get(&mention.id).unwrap_or(&mention.id),
            name: &mention.name,
        },
    });
    let activity = MessageActivity {
        kind: "message",
        text_format: "xml",
        text: &text.html,
        entities: entities.collect(),
    };
    serde_json::to_vec(&activity).expect("texts and lists are always JSON")
}

/// A chatMessage that a person sends. `objects` gives the directory's ids for accounts of bot traffic.
pub(crate) fn chat_message(text: &Text, conversation: &str, objects: &BTreeMap<String, String>) -> Vec<u8> {
    let mentions: Vec<Value> = text
        .mentions
        .iter()
        .map(|mention| {
            let name = &mention.name;
            let id = objects.get(&mention.id).unwrap_or(&mention.id);
            let mentioned = match mention.kind {
                MentionKind::Everyone | MentionKind::Conversation => json!({ "conversation": {
                    "id": conversation,
                    "displayName": name,
                    "conversationIdentityType": if is_channel(conversation) { "channel" } else { "chat" },
                }}),
                MentionKind::Group => json!({ "tag": { "id": id, "displayName": name } }),
                MentionKind::Person => {
                    json!({ "user": { "id": id, "displayName": name, "userIdentityType": "aadUser" } })
                }
            };
            json!({ "id": mention.index, "mentionText": name, "mentioned": mentioned })
        })
        .collect();
    let mut body = json!({ "body": { "contentType": "html", "content": text.html } });
    if !mentions.is_empty() {
        body["mentions"] = Value::Array(mentions);
    }
    body.to_string().into_bytes()
}
