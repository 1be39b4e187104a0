//! Addresses of messages in a text: each becomes the address of the same message where the text is read. Which message
//! an address means, and how one is written, the connectors know; what belongs together, the map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dragoman_model::{Block, ConversationId, Document, Inline, ListItem, RemoteMessage};
use dragoman_platform::Failure;
use tokio::time::Instant;

use crate::core::Relay;
use crate::directory::{Bridge, Spot};
use crate::error::RelayError;
use crate::reaction_plan::is_note;

/// Addresses of one message that are looked at; the rest stays as it is.
const MOST: usize = 20;
/// So long a message waits, on the whole, for the addresses of others at its target; what is not known then stays as it
/// was written.
pub(crate) const WAIT: Duration = Duration::from_secs(2);
/// Longer texts between spaces are no addresses.
const LONGEST: usize = 2_000;
/// How a bare address of a message is shown at its target: there it may be long and say nothing.
const LABEL: &str = "linked message";

/// Addresses at a source with what they are at a target.
pub(crate) type Links = BTreeMap<String, String>;

impl Relay {
    /// What the addresses of a text become at a target: those of messages of this bridge that stand there as well. A
    /// conversation outside of the bridge is nobody's business there; such an address stays as it was written.
    pub(crate) async fn links(
        &self,
        bridge: &Bridge,
        source: &Spot,
        target: &Spot,
        body: &Document,
        until: Instant,
    ) -> Result<Links, RelayError> {
        let mut links = Links::new();
        let written = addresses(body);
        if written.is_empty() {
            return Ok(links);
        }
        let directory = self.directory();
        let others = bridge.row.members.iter().filter(|member| **member != source.id);
        let members = std::iter::once(&source.id).chain(others);
        let spots: Vec<_> = members.filter_map(|member| directory.spot(member)).collect();
        for address in written {
            let meant = spots.iter().find_map(|spot| {
                let (place, here) = (&spot.place, &spot.conversation);
                Some((&spot.id, place.connector.linked(&place.session, here, &address)?))
            });
            // What leads to the target stays: it is read there.
            let Some((conversation, message)) = meant.filter(|(id, _)| **id != target.id) else { continue };
            let Some((root, there)) = self.counterpart(conversation, &message, target).await? else {
                continue;
            };
            if let Some(link) = self.address_of(target, root, there, until).await {
                links.insert(address, link);
            }
        }
        Ok(links)
    }

    /// The same message in another conversation, with the root of its thread: its copy, its original, or another copy.
    async fn counterpart(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
        target: &Spot,
    ) -> Result<Option<(Option<RemoteMessage>, RemoteMessage)>, RelayError> {
        let store = self.store();
        let (conversation, message) = match store.original_of_copy(conversation, message).await? {
            Some((original, _)) if original.conversation == target.id => {
                return Ok(Some((original.thread_root, original.message)));
            }
            Some((original, _)) => (original.conversation, original.message),
            None => (conversation.clone(), message.clone()),
        };
        let copies = store.copies((&conversation, &message), &target.id).await?;
        let copy = copies.into_iter().find(|copy| !is_note(copy));
        Ok(copy.map(|copy| (copy.thread_root, copy.message)))
    }

    /// The address of a message at a target, where it has one and it can be had until then.
    pub(crate) async fn address_of(
        &self,
        target: &Spot,
        root: Option<RemoteMessage>,
        message: RemoteMessage,
        until: Instant,
    ) -> Option<String> {
        let wait = until.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return None;
        }
        let (place, conversation) = (Arc::clone(&target.place), target.conversation.clone());
        let link = self.within(wait, async move {
            place.connector.link(&place.session, &conversation, root.as_ref(), &message).await
        });
        let told = |failure: &Failure| {
            tracing::debug!(code = %failure.code(), "the address of a message could not be had");
        };
        link.await?.inspect_err(told).ok().flatten()
    }
}

/// The distinct addresses in a text, bare ones included, as far as they can be ones of messages.
fn addresses(body: &Document) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |address: &str| {
        if found.len() < MOST && address.len() <= LONGEST {
            found.insert(address.to_owned());
        }
    };
    body.visit_inlines(&mut |inline| match inline {
        Inline::Link { url, .. } => add(url),
        Inline::Text(text) => pieces(text).filter(|piece| piece.address).for_each(|piece| add(piece.text)),
        _ => {}
    });
    found
}

/// The text with its addresses as they are at the target.
pub(crate) fn rewrite(body: Document, links: &Links) -> Document {
    if links.is_empty() {
        return body;
    }
    Document { blocks: body.blocks.into_iter().map(|block| block_with(block, links)).collect() }
}

fn block_with(block: Block, links: &Links) -> Block {
    let blocks = |list: Vec<Block>| list.into_iter().map(|block| block_with(block, links)).collect();
    match block {
        Block::Paragraph(text) => Block::Paragraph(inlines(text, links)),
        Block::Heading { level, text } => Block::Heading { level, text: inlines(text, links) },
        Block::Quote(inner) => Block::Quote(blocks(inner)),
        Block::List { start, items } => {
            let items = items.into_iter().map(|item| ListItem { blocks: blocks(item.blocks) });
            Block::List { start, items: items.collect() }
        }
        Block::Table { header, rows } => {
            let cells = |row: Vec<Vec<Inline>>| row.into_iter().map(|cell| inlines(cell, links));
            Block::Table { header, rows: rows.into_iter().map(|row| cells(row).collect()).collect() }
        }
        Block::Unsupported { kind, text } => Block::Unsupported { kind, text: inlines(text, links) },
        other @ (Block::Code { .. } | Block::Rule) => other,
    }
}

fn inlines(list: Vec<Inline>, links: &Links) -> Vec<Inline> {
    let mut out = Vec::with_capacity(list.len());
    for inline in list {
        match inline {
            Inline::Text(text) => with_links(&text, links, &mut out),
            Inline::Link { url, text } => out.push(match links.get(&url) {
                Some(link) => {
                    let bare =
                        text.is_empty() || matches!(text.as_slice(), [Inline::Text(shown)] if *shown == url);
                    let text = if bare { vec![Inline::Text(LABEL.to_owned())] } else { text };
                    Inline::Link { url: link.clone(), text }
                }
                None => Inline::Link { url, text },
            }),
            Inline::Strong(inner) => out.push(Inline::Strong(inlines(inner, links))),
            Inline::Emphasis(inner) => out.push(Inline::Emphasis(inlines(inner, links))),
            Inline::Strike(inner) => out.push(Inline::Strike(inlines(inner, links))),
            Inline::Underline(inner) => out.push(Inline::Underline(inlines(inner, links))),
            other => out.push(other),
        }
    }
    out
}

fn with_links(text: &str, links: &Links, out: &mut Vec<Inline>) {
    let mut plain = String::new();
    for piece in pieces(text) {
        match links.get(piece.text).filter(|_| piece.address) {
            Some(link) => {
                if !plain.is_empty() {
                    out.push(Inline::Text(std::mem::take(&mut plain)));
                }
                out.push(Inline::Link { url: link.clone(), text: vec![Inline::Text(LABEL.to_owned())] });
            }
            None => plain.push_str(piece.text),
        }
    }
    if !plain.is_empty() {
        out.push(Inline::Text(plain));
    }
}

/// A piece of a text.
struct Piece<'a> {
    text: &'a str,
    address: bool,
}

/// A text in pieces: bare addresses, and what stands between them. Together they are the text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (start, end) = next_address(rest).unwrap_or((rest.len(), rest.len()));
        let at = if start == 0 { end } else { start };
        let (piece, tail) = rest.split_at(at);
        rest = tail;
        Some(Piece { text: piece, address: start == 0 })
    })
}

/// Where the first bare address of a text is: a word with a scheme, without the marks around it.
fn next_address(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("://") {
        let colon = from + found;
        let is_scheme = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let scheme: usize = text[from..colon].chars().rev().take_while(is_scheme).map(char::len_utf8).sum();
        let rest = &text[colon..];
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(rest.len());
        let trimmed =
            rest[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '*', '_']);
        if scheme > 0 && trimmed.len() > "://".len() {
            return Some((colon - scheme, colon + trimmed.len()));
        }
        from = colon + "://".len();
    }
    None
}

#[cfg(test)]
#[path = "links/tests.rs"]
mod tests;
