//! From canonical posts to what Teams takes. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use dragoman_markup::teams::{Flavour, MentionKind, RenderedMention, render};
use dragoman_model::{Block, Document, Inline, Mention, Post, ShownAuthor, Spokesman};
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

/// What stands before the name of a file in a bot's message.
pub(crate) const CLIP: &str = "\u{1f4ce} ";

/// A message activity that links to a file: a bot cannot attach one.
pub(crate) fn file_activity(post: &Post, name: &str, address: &str) -> Vec<u8> {
    let mut text = text(post);
    if !post.body.blocks.is_empty() {
        text.html.push_str("<br/>");
    }
    // Writing to a text cannot fail.
    let _ = write!(text.html, "{CLIP}<a href=\"{}\">{}</a>", escape(address), escape(name));
    activity(&text, &BTreeMap::new())
}

/// Name and address of the file that a message of [`file_activity`] links to.
pub(crate) fn linked_file(body: &Document) -> Option<(String, String)> {
    let Some(Block::Paragraph(line)) = body.blocks.last() else { return None };
    let [.., Inline::Text(sign), Inline::Link { url, text }] = line.as_slice() else { return None };
    let [Inline::Text(name)] = text.as_slice() else { return None };
    sign.trim_end().ends_with(CLIP.trim_end()).then(|| (name.clone(), url.clone()))
}

/// A chatMessage of a person that refers to a file as Teams' own do.
pub(crate) fn file_message(post: &Post, name: &str, address: &str, guid: &str) -> Vec<u8> {
    let text = text(post);
    let message = chat_message(&text, post.conversation.as_str(), &BTreeMap::new());
    let mut message: Value = serde_json::from_slice(&message).unwrap_or_default();
    let tag = format!("<attachment id=\"{guid}\"></attachment>");
    message["body"]["content"] = json!(text.html + &tag);
    message["attachments"] =
        json!([{ "id": guid, "contentType": "reference", "contentUrl": address, "name": name }]);
    message.to_string().into_bytes()
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
