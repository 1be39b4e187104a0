//! Attachments ("secondary attachments"), still what many integrations write.

use dragoman_model::{Block, Document};
use serde_json::Value;

use super::blocks::{add_blocks, bold, labelled};
use super::elements::{array, string};
use super::flat::assemble;
use super::mrkdwn::{mrkdwn, mrkdwn_runs};
use super::pieces::{Gap, Pieces};
use crate::budget::Budget;
use crate::runs::{Leaf, Run, build, clean};
use crate::uri::link_url;

/// The attachments that an author made, each a quote below its pretext. Which of a message's attachments are
/// unfurled links is the connector's to tell; it passes the others.
pub fn parse_attachments(attachments: &Value, budget: Budget) -> Document {
    let list = match attachments {
        Value::Array(list) => list.as_slice(),
        Value::Object(_) => std::slice::from_ref(attachments),
        _ => &[],
    };
    let mut blocks = Vec::new();
    let mut left = budget;
    for attachment in list {
        let start = blocks.len();
        let pretext = {
            let mut pieces = Pieces::new(left);
            mrkdwn(string(attachment, "pretext"), Gap::Blank, &mut pieces);
            pieces.finish()
        };
        let inner = inside(attachment, left);
        blocks.extend(pretext.blocks);
        if !inner.blocks.is_empty() {
            blocks.push(Block::Quote(inner.blocks));
        }
        // What one attachment may have taken is gone for the next.
        left.nodes = left.nodes.saturating_sub(count(&blocks[start..]));
    }
    Document { blocks }.normalise()
}

fn count(blocks: &[Block]) -> usize {
    let mut nodes = 0;
    for block in blocks {
        let document = Document { blocks: vec![block.clone()] };
        document.visit_inlines(&mut |_| nodes += 1);
    }
    nodes
}

fn inside(attachment: &Value, budget: Budget) -> Document {
    let mut pieces = Pieces::new(budget);
    let forwarded = forwarded_from(attachment);
    add_blocks(array(attachment, "blocks"), &mut pieces);
    for message in array(attachment, "message_blocks") {
        if let Some(message) = message.get("message") {
            add_blocks(array(message, "blocks"), &mut pieces);
        }
    }
    if pieces.is_empty() {
        classic(attachment, forwarded.is_none(), &mut pieces);
    }
    if pieces.is_empty() {
        mrkdwn(string(attachment, "fallback"), Gap::Blank, &mut pieces);
    }
    let inner = assemble(pieces.into_list());
    let Some(url) = forwarded else { return inner };
    let author = Some(string(attachment, "author_name")).filter(|author| !author.is_empty());
    let mut blocks = vec![Block::Paragraph(build(heading(author.unwrap_or("message"), url)))];
    blocks.extend(inner.blocks);
    Document { blocks }
}

/// The address of the message that somebody forwarded. Its author's name leads there, not to its author's page.
fn forwarded_from(attachment: &Value) -> Option<&str> {
    let shared = attachment.get("is_share").and_then(Value::as_bool).unwrap_or(false);
    link_url(string(attachment, "from_url")).filter(|_| shared)
}

fn classic(attachment: &Value, with_author: bool, pieces: &mut Pieces) {
    let author = string(attachment, "author_name");
    if with_author && !author.is_empty() {
        pieces.lines(false, heading(author, string(attachment, "author_link")), Gap::Line);
    }
    let title = string(attachment, "title");
    if !title.is_empty() {
        pieces.lines(false, heading(title, string(attachment, "title_link")), Gap::Line);
    }
    mrkdwn(string(attachment, "text"), Gap::Line, pieces);
    for field in array(attachment, "fields") {
        let (name, value) = (string(field, "title"), string(field, "value"));
        if name.is_empty() && value.is_empty() {
            continue;
        }
        let mut runs = Vec::new();
        if !name.is_empty() {
            runs.push(bold(name));
            runs.push(if value.contains('\n') { Run::new(Leaf::Break, 0) } else { Run::text(": ", 0) });
        }
        runs.extend(mrkdwn_runs(value, &mut pieces.meter));
        pieces.lines(false, runs, Gap::Line);
    }
    if let Some(url) =
        [string(attachment, "image_url"), string(attachment, "thumb_url")].into_iter().find_map(link_url)
    {
        pieces.lines(false, labelled(Some(url), "image"), Gap::Line);
    }
    let footer = string(attachment, "footer");
    if !footer.is_empty() {
        let runs = mrkdwn_runs(footer, &mut pieces.meter);
        pieces.lines(false, runs, Gap::Line);
    }
}

fn heading(text: &str, url: &str) -> Vec<Run> {
    // Titles are plain text with the three escapes.
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    match link_url(url) {
        Some(url) => vec![Run::new(Leaf::Link { url: url.to_owned(), text: vec![bold(&text)] }, 0)],
        None => vec![bold(&clean(&text))],
    }
}
