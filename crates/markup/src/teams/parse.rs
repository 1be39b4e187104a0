//! Bodies of Teams as trees.

use std::cell::{Cell, RefCell};

use dragoman_model::Document;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

use super::input::TeamsInput;
use super::sink::{Reader, attribute};
use crate::budget::Budget;
use crate::uri::link_url;

/// A tag with more separators than this is no tag of Teams: it is left out before it costs time.
const MAX_SEPARATORS: usize = 400;
/// How much the tokenizer gets at once, at most.
const PIECE: usize = 512;

/// A body of `contentType` `html`. What has no word in the tree becomes readable text or, without text, nothing.
pub fn parse(input: TeamsInput<'_>, budget: Budget) -> Document {
    let (html, over) = budget.cut(input.html);
    let mut reader = Reader::new(input, budget);
    tokenize(html, &mut |token| match token {
        Token::TagToken(tag) => reader.tag(&tag),
        Token::CharacterTokens(text) => reader.text(&text),
        _ => {}
    });
    let mut document = reader.finish();
    if !over.is_empty() {
        document.blocks.extend(Document::plain(over).blocks);
    }
    document.normalise()
}

/// A body of `contentType` `text`: nothing in it is markup.
pub fn parse_plain(text: &str) -> Document {
    let mut runs = Vec::new();
    crate::runs::push_text(&mut runs, &text.replace("\r\n", "\n").replace('\u{a0}', " "), 0);
    let runs = super::canonical::teams_runs(runs);
    let block = dragoman_model::Block::Paragraph(crate::runs::build(runs));
    Document { blocks: vec![block] }.normalise()
}

/// A picture that a body shows and that only a token opens: one of the message's files.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(Debug))]
pub struct InlineImage {
    /// Its address, `…/hostedContents/{id}/$value`.
    pub src: String,
    /// Its description, mostly `image`.
    pub alt: String,
}

/// The pasted pictures of a body, in order.
pub fn images(html: &str, budget: Budget) -> Vec<InlineImage> {
    let mut images = Vec::new();
    tokenize(budget.cut(html).0, &mut |token| {
        if let Token::TagToken(tag) = token
            && tag.kind == TagKind::StartTag
            && &*tag.name == "img"
            && !is_emoji(&tag)
            && let Some(src) = attribute(&tag, "src").and_then(link_url).filter(|src| is_hosted(src))
        {
            images.push(InlineImage {
                src: src.to_owned(),
                alt: attribute(&tag, "alt").unwrap_or_default().to_owned(),
            });
        }
    });
    images
}

fn is_emoji(tag: &Tag) -> bool {
    attribute(tag, "itemtype").is_some_and(|kind| kind.ends_with("/Emoji"))
}

/// Whether an address is that of a picture kept with a message: one of the web that ends with
/// `/hostedContents/{id}/$value`. Authors write addresses, too, and what only looks like one is a picture elsewhere.
pub(super) fn is_hosted(src: &str) -> bool {
    let of_web = src.starts_with("https://") || src.starts_with("http://");
    let front = src.strip_suffix("/$value").filter(|_| of_web && !src.contains(['?', '#']));
    let named = front.and_then(|front| front.rsplit_once("/hostedContents/"));
    named.is_some_and(|(_, id)| !id.is_empty() && !id.contains('/'))
}

struct Sink<'f> {
    handle: RefCell<&'f mut dyn FnMut(Token)>,
    /// Tokens so far.
    count: Cell<u64>,
}

impl TokenSink for Sink<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if !matches!(token, Token::ParseError(_)) {
            self.count.set(self.count.get() + 1);
        }
        if let Ok(mut handle) = self.handle.try_borrow_mut() {
            handle(token);
        }
        TokenSinkResult::Continue
    }
}

/// Feeds the tokenizer piece by piece. It compares each attribute of a tag with all before, so a tag of
/// hundreds of thousands would take minutes: such a tag is skipped, and reading goes on behind it.
pub(crate) fn tokenize(html: &str, handle: &mut dyn FnMut(Token)) {
    let mut rest = StrTendril::from_slice(html);
    while let Some(left) = read_until_overlong(rest, handle) {
        rest = left;
    }
}

/// Reads; `Some` is what follows a tag that was too long.
fn read_until_overlong(mut rest: StrTendril, handle: &mut dyn FnMut(Token)) -> Option<StrTendril> {
    let sink = Sink { handle: RefCell::new(handle), count: Cell::new(0) };
    let options = TokenizerOpts { discard_bom: false, ..TokenizerOpts::default() };
    let tokenizer = Tokenizer::new(sink, options);
    let queue = BufferQueue::default();
    let mut separators = 0;
    let mut comment = false;
    while !rest.is_empty() {
        let end = piece(&rest);
        let text = rest.subtendril(0, end);
        rest.pop_front(end);
        separators += text
            .bytes()
            .filter(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' | b'/' | b'"' | b'\''))
            .count();
        let before = tokenizer.sink.count.get();
        let opens_comment = text.contains("<!--");
        queue.push_back(text);
        let _ = tokenizer.feed(&queue);
        if tokenizer.sink.count.get() != before {
            separators = 0;
            comment = opens_comment;
            continue;
        }
        comment |= opens_comment;
        if separators > MAX_SEPARATORS {
            let end = if comment { "-->" } else { ">" };
            let skip = rest.find(end).map_or(rest.len(), |at| at + end.len());
            let skip = u32::try_from(skip).unwrap_or(u32::MAX);
            rest.pop_front(skip.min(rest.len32()));
            return Some(rest);
        }
    }
    tokenizer.end();
    None
}

fn piece(rest: &StrTendril) -> u32 {
    let limit = rest.floor_char_boundary(PIECE.min(rest.len()));
    let end = rest.as_bytes()[..limit].iter().position(|b| *b == b'>').map_or(limit, |at| at + 1);
    u32::try_from(end).unwrap_or(rest.len32())
}
