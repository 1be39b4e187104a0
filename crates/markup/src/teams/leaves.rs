//! What stands inside lines and in a place of its own: code, links, mentions, emoji, pictures, attachments.

use dragoman_model::{Block, Emoji, Inline, Mention};
use html5ever::tokenizer::Tag;

use super::sink::{At, Code, NBSP, Reader, attribute};
use super::tree::wrap_link;
use crate::runs::{Leaf, Run, clean, flatten, mention_text};
use crate::slack::code_language;
use crate::uri::link_url;

impl<'a> Reader<'a> {
    pub(super) fn start_code(&mut self, name: &'static str, tag: &Tag) {
        self.end_link();
        if tag.self_closing {
            return;
        }
        let language = attribute(tag, "class").and_then(code_language);
        self.code = Some(Code { tag: name, language, text: String::new(), begun: false });
    }

    pub(super) fn end_code(&mut self) {
        let Some(code) = self.code.take() else { return };
        let text: String =
            code.text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        let text = text.trim_end_matches('\n').to_owned();
        if text.is_empty() {
            return;
        }
        if self.tree.text_frame().kind.is_inline() || self.meter.spent() {
            self.new_line();
            for line in text.split('\n') {
                self.styles[4] += 1;
                self.literal(line);
                self.styles[4] -= 1;
                self.new_line();
            }
            return;
        }
        self.push_block(Block::Code { language: code.language, text });
    }

    pub(super) fn start_link(&mut self, href: Option<&str>) {
        self.start_link_to(href.and_then(link_url));
    }

    /// Starts a link to an address that may be one; without an address, its text is text.
    pub(crate) fn start_link_to(&mut self, url: Option<&str>) {
        self.end_link();
        let Some(url) = url else { return };
        if !self.meter.take() {
            return;
        }
        self.begin_line();
        let runs = &mut self.tree.text_frame().runs;
        self.link = Some((url.to_owned(), runs.len()));
        runs.push(Run::barrier());
    }

    pub(super) fn end_link(&mut self) {
        if let Some((url, start)) = self.link.take() {
            let frame = self.tree.text_frame();
            if frame.runs.len() > start + 1 {
                wrap_link(&mut frame.runs, start, &url);
            } else {
                frame.runs.truncate(start);
            }
        }
    }

    pub(super) fn start_at(&mut self, tag: &'static str, index: Option<u32>, self_closing: bool) {
        self.end_at();
        self.at = Some(At { tag, index, given: None, text: String::new(), nested: 0 });
        if self_closing {
            self.end_at();
        }
    }

    /// A mention whose tag says whom it names; what stands up to the end of `tag` is the name.
    pub(crate) fn start_mention(&mut self, tag: &'static str, mention: Mention) {
        self.end_at();
        self.at = Some(At { tag, index: None, given: Some(mention), text: String::new(), nested: 0 });
    }

    pub(super) fn end_at(&mut self) {
        let Some(at) = self.at.take() else { return };
        let shown = clean(&at.text.replace(NBSP, " ").split_whitespace().collect::<Vec<_>>().join(" "));
        if let Some(mention) = at.given {
            self.given_mention(mention, shown);
            return;
        }
        let order = self.ats;
        self.ats += 1;
        let found = match at.index {
            Some(index) => self.input.mentions.iter().find(|mention| mention.index == index),
            None => self.by_order(order, &shown),
        };
        let Some(mention) = found.map(|mention| mention.mention(&shown)) else {
            self.literal(&shown);
            return;
        };
        if self.link.is_some() {
            self.literal(&mention_text(&mention));
        } else if !self.join_name(&mention) {
            self.leaf(Leaf::Mention(mention));
        }
    }

    fn given_mention(&mut self, mut mention: Mention, shown: String) {
        if let Mention::Person { name, .. } = &mut mention {
            *name = shown;
        }
        if self.link.is_some() {
            self.literal(&mention_text(&mention));
        } else {
            self.leaf(Leaf::Mention(mention));
        }
    }

    /// Bots' mentions have no index: the next one, unless another is the one of that name.
    pub(super) fn by_order(&self, order: usize, shown: &str) -> Option<&'a super::input::TeamsMention> {
        let next = self.input.mentions.get(order);
        let fits = |mention: &&super::input::TeamsMention| mention.name.trim() == shown;
        next.filter(fits).or_else(|| self.input.mentions.iter().find(fits)).or(next)
    }

    /// First and last name may come as two neighbouring mentions of one person.
    pub(super) fn join_name(&mut self, mention: &Mention) -> bool {
        let Mention::Person { id, name } = mention else { return false };
        let frame = self.tree.text_frame();
        if frame.new_line {
            return false;
        }
        let gap = match frame.runs.last() {
            Some(Run { leaf: Leaf::Text(text), .. }) if text.chars().all(|c| c == ' ') => 1,
            _ => 0,
        };
        let Some(at) = frame.runs.len().checked_sub(gap + 1) else { return false };
        let Leaf::Mention(Mention::Person { id: before, name: first }) = &mut frame.runs[at].leaf else {
            return false;
        };
        if before != id || first == name || first.is_empty() || name.is_empty() {
            return false;
        }
        first.push(' ');
        first.push_str(name);
        frame.runs.truncate(at + 1);
        true
    }

    pub(super) fn emoji(&mut self, alt: Option<&str>, title: Option<&str>) {
        let alt = alt.unwrap_or_default().trim();
        if alt.is_empty() || alt.is_ascii() {
            let name = if alt.is_empty() { title.unwrap_or_default() } else { alt };
            self.literal(&clean(name));
        } else {
            self.leaf(Leaf::Emoji(Emoji::Unicode(clean(alt))));
        }
    }

    pub(super) fn custom_emoji(&mut self, alt: Option<&str>) {
        let name = clean(alt.unwrap_or_default()).trim_matches([':', ' ', '\t']).to_owned();
        if !name.is_empty() {
            self.leaf(Leaf::Emoji(Emoji::Custom { name, url: None }));
        }
    }

    pub(super) fn image(&mut self, tag: &Tag) {
        let kind = attribute(tag, "itemtype").unwrap_or_default();
        let alt = attribute(tag, "alt");
        if kind.ends_with("/Emoji") {
            self.emoji(alt, attribute(tag, "title"));
            return;
        }
        let Some(src) = attribute(tag, "src").and_then(link_url) else { return };
        // A picture that was pasted is one of the message's files.
        if super::parse::is_hosted(src) {
            return;
        }
        let alt = clean(alt.unwrap_or_default());
        let label = if !alt.is_empty() {
            alt
        } else if kind.ends_with("/Giphy") {
            "GIF".to_owned()
        } else {
            "image".to_owned()
        };
        if self.link.is_some() {
            self.literal(&label);
        } else {
            self.leaf(Leaf::Link { url: src.to_owned(), text: vec![Run::text(label, 0)] });
        }
    }

    pub(super) fn attachment(&mut self, id: Option<&str>) {
        let Some(id) = id else { return };
        let attachments = self.input.attachments;
        let Some(at) = attachments.iter().position(|attachment| attachment.id == id) else { return };
        if std::mem::replace(&mut self.placed[at], true) {
            return;
        }
        let found = &attachments[at];
        if self.tree.text_frame().kind.is_inline() {
            let mut runs = Vec::new();
            found.document.visit_inlines(&mut |inline| {
                if let Inline::Text(_) | Inline::Code(_) = inline {
                    runs.extend(flatten(std::slice::from_ref(inline)));
                }
            });
            self.begin_line();
            self.tree.text_frame().runs.extend(runs);
            return;
        }
        for block in found.document.blocks.clone() {
            self.push_block(block);
        }
    }
}
