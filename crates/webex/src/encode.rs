//! From posts to what Webex takes. Pure. Only `markdown` and `text` are sent, never `html`.

use dragoman_markup::webex::{WebexText, render};
use dragoman_model::{Document, Post, Spokesman};
use dragoman_platform::byline;
use serde_json::{Value, json};

use crate::capabilities::TEXT;

/// A post as it will be shown. A post always shows the token's account, so the app names the author in the text.
pub(crate) fn text(post: &Post) -> WebexText {
    render(&shown(post, &post.body))
}

/// What a post shows, as a tree.
pub(crate) fn shown(post: &Post, body: &Document) -> Document {
    let named = post.spokesman == Spokesman::App && byline::is_named(&post.author);
    if named { byline::inline(body, &post.author) } else { body.clone() }
}

/// The body of `POST /messages`.
pub(crate) fn post(post: &Post, text: &WebexText, root: Option<&str>) -> Value {
    let mut body = said(post, text);
    if let Some(root) = root {
        body["parentId"] = json!(root);
    }
    body
}

/// The body of `POST /messages` that begins or finds a direct space.
pub(crate) fn post_to_person(person: &str, text: &WebexText) -> Value {
    json!({ "toPersonId": person, "markdown": text.markdown, "text": text.text })
}

/// The body of `PUT /messages/{id}`, which needs the space again.
pub(crate) fn edit(post: &Post, text: &WebexText) -> Value {
    said(post, text)
}

fn said(post: &Post, text: &WebexText) -> Value {
    json!({ "roomId": post.conversation.as_str(), "markdown": text.markdown, "text": text.text })
}

/// The parts of a post, each within the limit with the author's name before it.
pub(crate) fn split(post: &Post) -> Vec<Document> {
    let spoken = Post { spokesman: Spokesman::App, ..post.clone() };
    let measure = |part: &Document| render(&shown(&spoken, part)).bytes();
    let parts = dragoman_markup::split(&post.body, TEXT, &measure);
    if parts.is_empty() { vec![Document::default()] } else { parts }
}

/// What a text says without everything that differs between what was sent and what comes back: white space, and
/// the signs that keep mentions apart.
pub(crate) fn squeezed(document: &Document) -> String {
    let plain = dragoman_markup::plain(document);
    plain.chars().filter(|c| !c.is_whitespace() && *c != '\u{200b}').collect()
}
