//! Tokens of HTML become blocks as they come: one pass, no document object model.

use dragoman_model::{Block, Document, Mention};
use html5ever::tokenizer::{Tag, TagKind};

use super::input::TeamsInput;
use super::tree::{Kind, Tree};
use crate::budget::{Budget, Meter};
use crate::runs::{BOLD, CODE, ITALIC, Leaf, Run, STRIKE, UNDERLINE, push_text, text_of};
use crate::slack::code_language;

pub(super) const NBSP: char = '\u{a0}';

/// Preformatted code that is being read.
pub(super) struct Code {
    /// Which tag ends it.
    pub(super) tag: &'static str,
    pub(super) language: Option<String>,
    pub(super) text: String,
    /// Whether anything stood in it; a line break right behind the opening tag does not count.
    pub(super) begun: bool,
}

/// A mention that is being read.
pub(super) struct At {
    /// Which tag ends it.
    pub(super) tag: &'static str,
    /// Its index in the mentions; `None` goes by order.
    pub(super) index: Option<u32>,
    /// The mention itself, where the tag says it.
    pub(super) given: Option<Mention>,
    pub(super) text: String,
    /// Spans that were opened inside.
    pub(super) nested: usize,
}

/// Reads the tokens of one body; of Webex's HTML too, which is a part of this.
pub(crate) struct Reader<'a> {
    pub(super) input: TeamsInput<'a>,
    pub(super) tree: Tree,
    pub(super) meter: Meter,
    /// Open tags of bold, italic, strike, underline, code.
    pub(super) styles: [u32; 5],
    pub(super) code: Option<Code>,
    pub(super) at: Option<At>,
    /// Mentions met so far.
    pub(super) ats: usize,
    /// Which attachments have found their place; each has one.
    pub(super) placed: Vec<bool>,
    /// The address and where its runs start.
    pub(super) link: Option<(String, usize)>,
    /// Inside `script` or `style`.
    pub(super) hidden: Option<&'static str>,
    /// Tables inside a cell.
    pub(super) inner_tables: u32,
    /// Whether the next white space would be a second one.
    pub(super) space: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: TeamsInput<'a>, budget: Budget) -> Self {
        Self {
            input,
            tree: Tree::new(budget.depth),
            meter: Meter::new(budget),
            styles: [0; 5],
            code: None,
            at: None,
            ats: 0,
            placed: vec![false; input.attachments.len()],
            link: None,
            hidden: None,
            inner_tables: 0,
            space: false,
        }
    }

    pub(crate) fn finish(mut self) -> Document {
        self.end_at();
        self.end_code();
        self.end_link();
        self.tree.finish()
    }

    pub(crate) fn tag(&mut self, tag: &Tag) {
        let name: &str = &tag.name;
        if let Some(hidden) = self.hidden {
            if tag.kind == TagKind::EndTag && name == hidden {
                self.hidden = None;
            }
            return;
        }
        if self.code.is_some() {
            self.tag_in_code(tag);
            return;
        }
        match tag.kind {
            TagKind::StartTag => self.start(name, tag),
            TagKind::EndTag => self.end(name),
        }
    }

    /// Whether tags are part of something else now: of code, or of what is not shown.
    pub(crate) fn is_literal(&self) -> bool {
        self.hidden.is_some() || self.code.is_some()
    }

    /// The edge of a paragraph that stands apart from its neighbours.
    pub(crate) fn end_paragraph(&mut self) {
        self.end_at();
        self.end_link();
        self.new_line();
        if !self.tree.between_frames() && !self.tree.top().kind.is_inline() {
            self.tree.top().flush();
        }
    }

    fn tag_in_code(&mut self, tag: &Tag) {
        let Some(code) = &mut self.code else { return };
        let name: &str = &tag.name;
        match (tag.kind, name) {
            (TagKind::EndTag, name) if name == code.tag => self.end_code(),
            (TagKind::StartTag, "code") if code.tag == "pre" && code.text.is_empty() => {
                // Only right behind `pre` itself does HTML drop a line break.
                code.begun = true;
                let language = attribute(tag, "class").and_then(|class| class.strip_prefix("language-"));
                code.language = code.language.take().or_else(|| language.and_then(code_language));
            }
            (TagKind::StartTag, "br") => {
                code.begun = true;
                code.text.push('\n');
            }
            (_, "p" | "div" | "li") if !code.text.is_empty() && !code.text.ends_with('\n') => {
                code.text.push('\n');
            }
            (TagKind::StartTag, "emoji" | "img") => {
                if let Some(alt) = attribute(tag, "alt") {
                    code.text.push_str(alt);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, name: &str, tag: &Tag) {
        if let Some(at) = &mut self.at {
            match name {
                "span" if at.tag == "span" => {
                    at.nested += 1;
                    return;
                }
                "p" | "div" | "br" | "blockquote" | "ul" | "ol" | "li" | "table" | "tr" | "td" | "th"
                | "pre" | "codeblock" | "at" => self.end_at(),
                _ => {}
            }
        }
        if let Some(style) = style(name) {
            if !(name == "code" && self.styles[4] > 0) {
                self.styles[style] = self.styles[style].saturating_add(1);
            }
            return;
        }
        match name {
            "br" => self.line_break(),
            "p" | "div" => self.new_line(),
            "a" => self.start_link(attribute(tag, "href")),
            "at" => {
                let index = attribute(tag, "id").and_then(|id| id.trim().parse().ok());
                self.start_at("at", index, tag.self_closing);
            }
            "span" if attribute(tag, "itemtype").is_some_and(|kind| kind.ends_with("/Mention")) => {
                let index = attribute(tag, "itemid").and_then(|id| id.trim().parse().ok());
                self.start_at("span", index, tag.self_closing);
            }
            "emoji" => self.emoji(attribute(tag, "alt"), attribute(tag, "title")),
            "customemoji" => self.custom_emoji(attribute(tag, "alt")),
            "img" => self.image(tag),
            "attachment" => self.attachment(attribute(tag, "id")),
            "quoted" => self.attachment(attribute(tag, "messageid")),
            "script" => self.hidden = Some("script"),
            "style" => self.hidden = Some("style"),
            _ => self.start_block(name, tag),
        }
    }

    fn start_block(&mut self, name: &str, tag: &Tag) {
        let kind = match name {
            "blockquote" => Kind::Quote,
            "h1" => Kind::Heading(1),
            "h2" => Kind::Heading(2),
            "h3" => Kind::Heading(3),
            "h4" => Kind::Heading(4),
            "h5" => Kind::Heading(5),
            "h6" => Kind::Heading(6),
            "ul" => Kind::List { start: None },
            "ol" => {
                let start = attribute(tag, "start").and_then(|start| start.trim().parse().ok());
                Kind::List { start: Some(start.unwrap_or(1)) }
            }
            "li" => return self.start_item(),
            "table" => return self.start_table(),
            "tr" | "td" | "th" => return self.start_cell(name),
            "hr" => return self.push_block(Block::Rule),
            "pre" => return self.start_code("pre", tag),
            "codeblock" => return self.start_code("codeblock", tag),
            _ => return,
        };
        self.open(kind);
    }

    fn end(&mut self, name: &str) {
        if let Some(at) = &mut self.at {
            if name == at.tag {
                if at.nested > 0 {
                    at.nested -= 1;
                } else {
                    self.end_at();
                }
                return;
            }
            if matches!(name, "p" | "div" | "li" | "td" | "th" | "tr" | "blockquote") {
                self.end_at();
            }
        }
        if let Some(style) = style(name) {
            self.styles[style] = self.styles[style].saturating_sub(1);
            return;
        }
        let never = |_| false;
        let is_table = |kind| kind == Kind::Table;
        match name {
            "a" => self.end_link(),
            "p" | "div" => self.new_line(),
            "blockquote" => self.close(|kind| kind == Kind::Quote, Kind::is_inline),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.close(|kind| matches!(kind, Kind::Heading(_)), never);
            }
            "ul" | "ol" => self.close(|kind| matches!(kind, Kind::List { .. }), Kind::is_inline),
            "li" => {
                self.close(
                    |kind| kind == Kind::Item,
                    |kind| kind.is_inline() || matches!(kind, Kind::List { .. }),
                );
            }
            "table" if self.inner_tables > 0 => self.inner_tables -= 1,
            "table" => self.close(is_table, never),
            "tr" if self.inner_tables == 0 => self.close(|kind| matches!(kind, Kind::Row { .. }), is_table),
            "td" | "th" if self.inner_tables == 0 => self.close(|kind| kind == Kind::Cell, is_table),
            _ => {}
        }
    }

    /// Text between tags.
    pub(crate) fn text(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        if let Some(code) = &mut self.code {
            let text = if code.begun { text } else { text.strip_prefix('\n').unwrap_or(text) };
            code.begun = true;
            code.text.extend(text.chars().map(|c| if c == NBSP { ' ' } else { c }).filter(|c| *c != '\r'));
            return;
        }
        if let Some(at) = &mut self.at {
            at.text.push_str(text);
            return;
        }
        if text.chars().all(is_html_space) && self.tree.between_frames() {
            return;
        }
        let mut collapsed = String::with_capacity(text.len());
        let frame = self.tree.text_frame();
        let mut at_start = frame.new_line || frame.at_line_start();
        for c in text.chars() {
            if is_html_space(c) {
                if !at_start && !self.space {
                    collapsed.push(' ');
                    self.space = true;
                }
                continue;
            }
            at_start = false;
            self.space = false;
            match c {
                NBSP => collapsed.push(' '),
                c if c.is_control() => {}
                c => collapsed.push(c),
            }
        }
        if !collapsed.is_empty() {
            let styles = self.style();
            self.begin_line();
            if self.meter.take() {
                push_text(&mut self.tree.text_frame().runs, &collapsed, styles);
            } else {
                push_text(&mut self.tree.text_frame().runs, &collapsed, 0);
            }
        }
    }

    pub(super) fn style(&self) -> u8 {
        [BOLD, ITALIC, STRIKE, UNDERLINE, CODE]
            .into_iter()
            .zip(self.styles)
            .filter(|(_, open)| *open > 0)
            .fold(0, |styles, (style, _)| styles | style)
    }

    /// Starts the line that a block's edge announced.
    pub(super) fn begin_line(&mut self) {
        let frame = self.tree.text_frame();
        // A break at the end of a paragraph is the end of that same line.
        let pending = frame.new_line && !frame.at_line_start();
        frame.new_line = false;
        if pending {
            frame.runs.push(Run::new(Leaf::Break, 0));
        }
    }

    pub(super) fn leaf(&mut self, leaf: Leaf) {
        let run = Run::new(leaf, self.style());
        if !self.meter.take() {
            self.literal(&text_of(&[run]));
            return;
        }
        self.space = false;
        self.begin_line();
        self.tree.text_frame().runs.push(run);
    }

    /// Text that is none of the body's own: kept as it is.
    pub(super) fn literal(&mut self, text: &str) {
        let styles = self.style();
        self.space = false;
        self.begin_line();
        push_text(&mut self.tree.text_frame().runs, &text.replace(NBSP, " "), styles);
    }

    fn line_break(&mut self) {
        if self.tree.between_frames() {
            return;
        }
        self.space = false;
        self.begin_line();
        self.tree.text_frame().runs.push(Run::new(Leaf::Break, 0));
    }

    pub(super) fn new_line(&mut self) {
        self.space = false;
        if !self.tree.between_frames() {
            let frame = self.tree.top();
            frame.new_line = !frame.runs.is_empty();
        }
    }

    fn open(&mut self, kind: Kind) {
        self.end_link();
        self.space = false;
        if !self.meter.take() || !self.tree.open(kind) {
            self.new_line();
        }
    }

    fn close(&mut self, matches: impl Fn(Kind) -> bool, stop: impl Fn(Kind) -> bool) {
        self.end_link();
        self.space = false;
        if !self.tree.close(matches, stop) {
            self.new_line();
        }
    }

    pub(super) fn push_block(&mut self, block: Block) {
        self.end_link();
        self.space = false;
        let frame = self.tree.text_frame();
        if frame.kind.is_inline() || !self.meter.take() {
            self.new_line();
            return;
        }
        self.tree.top().push(block);
    }

    fn start_item(&mut self) {
        self.end_link();
        let in_list = |kind| matches!(kind, Kind::List { .. });
        if self.tree.top().kind.is_inline() || !self.tree.within(in_list, Kind::is_inline) {
            self.new_line();
            self.literal("\u{2022} ");
            return;
        }
        self.tree.close(|kind| kind == Kind::Item, in_list);
        // What was left open between the list and here ends with the item before.
        while !in_list(self.tree.top().kind) {
            let kind = self.tree.top().kind;
            if !self.tree.close(|open| open == kind, |_| false) {
                break;
            }
        }
        self.open(Kind::Item);
    }

    fn start_table(&mut self) {
        let in_cell = self.tree.top().kind == Kind::Cell;
        if in_cell {
            self.inner_tables = self.inner_tables.saturating_add(1);
            self.new_line();
        } else {
            self.open(Kind::Table);
        }
    }

    fn start_cell(&mut self, name: &str) {
        let is_table = |kind| kind == Kind::Table;
        let is_row = |kind| matches!(kind, Kind::Row { .. });
        if self.inner_tables > 0 || !self.tree.within(is_table, |_| false) {
            if name == "tr" {
                self.new_line();
            } else {
                self.text(" ");
            }
            return;
        }
        self.end_link();
        if name == "tr" {
            self.tree.close(is_row, is_table);
            self.down_to(is_table);
            self.open(Kind::Row { header: false });
            return;
        }
        self.tree.close(|kind| kind == Kind::Cell, |kind| is_row(kind) || is_table(kind));
        if !is_row(self.tree.top().kind) {
            self.down_to(is_table);
            self.open(Kind::Row { header: false });
        }
        if name == "th" {
            self.tree.mark_header();
        }
        self.open(Kind::Cell);
    }

    fn down_to(&mut self, wanted: impl Fn(Kind) -> bool) {
        while !wanted(self.tree.top().kind) {
            let kind = self.tree.top().kind;
            if !self.tree.close(|open| open == kind, |_| false) {
                break;
            }
        }
    }
}

fn is_html_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

fn style(name: &str) -> Option<usize> {
    Some(match name {
        "b" | "strong" => 0,
        "i" | "em" => 1,
        "s" | "strike" | "del" => 2,
        "u" | "ins" => 3,
        "code" => 4,
        _ => return None,
    })
}

/// An attribute's value.
pub(crate) fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}
