//! Messages of Webex as trees.

use dragoman_model::{Document, Mention};
use html5ever::tokenizer::{Tag, TagKind, Token};

use super::canonical::{apart, paragraphs};
use super::input::WebexInput;
use super::mentions::BREAKER;
use crate::budget::Budget;
use crate::runs::push_text;
use crate::teams::{Reader, TeamsInput, attribute, tokenize};
use crate::uri::webex_url;

/// The tags of mentions; the second is in newer clients.
const MENTION_TAGS: [&str; 2] = ["spark-mention", "webex-mention"];

/// A message: its `html` if it has one, else its `text`, in which nothing is markup. Unknown tags leave their text.
///
/// The id of a mentioned person is as the message has it: a public id or a bare UUID.
pub fn parse(input: WebexInput<'_>, budget: Budget) -> Document {
    let Some(html) = input.html.filter(|html| !html.trim().is_empty()) else { return plain(input.text) };
    let (html, over) = budget.cut(html);
    let mut reader = Reader::new(TeamsInput::new(""), budget);
    tokenize(html, &mut |token| match token {
        Token::TagToken(found) => tag(&mut reader, &found),
        Token::CharacterTokens(text) if text.contains(BREAKER) => {
            reader.text(&text.replace(BREAKER, ""));
        }
        Token::CharacterTokens(text) => reader.text(&text),
        _ => {}
    });
    let mut document = apart(reader.finish());
    document.blocks.extend(plain(over).blocks);
    document
}

fn plain(text: &str) -> Document {
    let text = text.replace("\r\n", "\n").replace(['\u{a0}', '\t'], " ").replace(BREAKER, "");
    let mut runs = Vec::new();
    push_text(&mut runs, &text, 0);
    Document { blocks: paragraphs(runs) }.normalise()
}

fn tag(reader: &mut Reader<'_>, tag: &Tag) {
    let name: &str = &tag.name;
    if reader.is_literal() {
        reader.tag(tag);
    } else if name == "p" {
        reader.end_paragraph();
    } else if let Some(mention) = mention(tag)
        && let Some(name) = MENTION_TAGS.into_iter().find(|known| *known == name)
    {
        reader.start_mention(name, mention);
    } else if name == "a" && tag.kind == TagKind::StartTag {
        reader.start_link_to(attribute(tag, "href").and_then(webex_url));
    } else {
        reader.tag(tag);
    }
}

fn mention(tag: &Tag) -> Option<Mention> {
    if tag.kind == TagKind::EndTag || tag.self_closing {
        return None;
    }
    match attribute(tag, "data-object-type")? {
        "person" => {
            let id = attribute(tag, "data-object-id").map(str::trim).filter(|id| !id.is_empty())?;
            Some(Mention::Person { id: id.into(), name: String::new() })
        }
        "groupMention" if attribute(tag, "data-group-type") == Some("all") => Some(Mention::Everyone),
        _ => None,
    }
}
