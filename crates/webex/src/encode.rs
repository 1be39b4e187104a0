//! From posts to what Webex takes. Pure. Only `markdown` and `text` are sent, never `html`.

use dragoman_markup::webex::{WebexText, render};
use dragoman_model::{Block, Document, Inline, Post, ShownAuthor, Spokesman};
use serde_json::{Value, json};

use crate::capabilities::TEXT;

/// The longest name that is shown, platform included.
const LONGEST_NAME: usize = 80;

/// A post as it will be shown. A post always shows the token's account, so the app names the author in the text.
pub(crate) fn text(post: &Post) -> WebexText {
    render(&shown(post, &post.body))
}

/// What a post shows, as a tree.
pub(crate) fn shown(post: &Post, body: &Document) -> Document {
    let named = !post.author.name.is_empty() && !post.author.via.is_empty();
    if post.spokesman == Spokesman::App && named { with_name(body, &post.author) } else { body.clone() }
}

/// `**Ana (Slack):**` before the text.
fn with_name(body: &Document, author: &ShownAuthor) -> Document {
    let via = format!(" ({}):", author.via);
    let room = LONGEST_NAME.saturating_sub(via.chars().count());
    let mut name: String = author.name.chars().take(room).collect();
    name.push_str(&via);
    let name = Inline::Strong(vec![Inline::Text(name)]);
    let mut blocks = body.blocks.clone();
    match blocks.first_mut() {
        Some(Block::Paragraph(inlines)) => {
            inlines.splice(0..0, [name, Inline::Text(" ".to_owned())]);
        }
        _ => blocks.insert(0, Block::Paragraph(vec![name])),
    }
    Document { blocks }
}

/// The body of `POST /messages`.
pub(crate) fn post(post: &Post, text: &WebexText, root: Option<&str>) -> Value {
    let mut body = said(post, text);
    if let Some(root) = root {
        body["parentId"] = json!(root);
    }
    body
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
