//! From operations to the bodies of calls.

use dragoman_markup::zoom::{Offsets, ZoomText, render};
use dragoman_model::{Document, Post, RemoteMessage, Spokesman};
use dragoman_platform::{Conversation, ConversationKind, byline};
use serde_json::{Map, Value, json};

use crate::capabilities::TEXT;
use crate::ids;

/// The fact with the other person of a direct conversation.
pub(crate) const CONTACT: &str = "contact";

/// Where a call goes: the argument's name and value.
pub(crate) fn target(conversation: &Conversation) -> (&'static str, String) {
    if is_direct(conversation) {
        ("to_contact", conversation.fact(CONTACT).to_owned())
    } else {
        ("to_channel", conversation.remote.as_str().to_owned())
    }
}

/// Whether a conversation is one of two people.
pub(crate) fn is_direct(conversation: &Conversation) -> bool {
    conversation.kind == ConversationKind::Direct || ids::is_direct(&conversation.remote)
}

/// The text as it is sent.
pub(crate) fn text(post: &Post) -> ZoomText {
    render(&shown(post), Offsets::SENDING)
}

/// The body of a send. `root`: the thread's root as Zoom writes it.
pub(crate) fn post(text: &ZoomText, conversation: &Conversation, root: Option<&str>) -> Value {
    let mut body = message(text, conversation);
    if !text.rich_text.is_empty() {
        let ranges: Vec<Value> = text
            .rich_text
            .iter()
            .map(|range| {
                let (kind, attribute) = range.format.wire();
                json!({
                    "start_position": range.start,
                    "end_position": range.end,
                    "format_type": kind,
                    "format_attr": attribute,
                })
            })
            .collect();
        body.insert("rich_text".to_owned(), Value::Array(ranges));
    }
    if !text.at_items.is_empty() && !is_direct(conversation) {
        let items: Vec<Value> = text
            .at_items
            .iter()
            .map(|item| {
                let mut entry = json!({ "start_position": item.start, "end_position": item.end });
                match &item.person {
                    Some(person) => {
                        entry["at_type"] = json!(1);
                        entry["at_contact"] = json!(person);
                    }
                    None => entry["at_type"] = json!(2),
                }
                entry
            })
            .collect();
        body.insert("at_items".to_owned(), Value::Array(items));
    }
    if let Some(root) = root {
        body.insert("reply_main_message_id".to_owned(), json!(root));
    }
    Value::Object(body)
}

/// The body of an edit: it takes nothing but the text.
pub(crate) fn update(text: &ZoomText, conversation: &Conversation) -> Value {
    Value::Object(message(text, conversation))
}

fn message(text: &ZoomText, conversation: &Conversation) -> Map<String, Value> {
    let (key, to) = target(conversation);
    Map::from_iter([("message".to_owned(), json!(text.message)), (key.to_owned(), json!(to))])
}

/// The text with its author in front: no call can choose the name that Zoom shows.
fn shown(post: &Post) -> Document {
    let named = post.spokesman == Spokesman::App && byline::is_named(&post.author);
    if named { byline::inline(&post.body, &post.author) } else { post.body.clone() }
}

/// The parts of a post, each within the limit with the author in front.
pub(crate) fn split(post: &Post) -> Vec<Document> {
    let measure = |part: &Document| {
        let part = Post { body: part.clone(), ..post.clone() };
        text(&part).length()
    };
    let parts = dragoman_markup::split(&post.body, TEXT, &measure);
    if parts.is_empty() { vec![Document::default()] } else { parts }
}

/// The root of a thread as Zoom writes it.
pub(crate) fn root(forms: &[String], root: Option<&RemoteMessage>) -> Option<String> {
    root.and(forms.first().cloned())
}
