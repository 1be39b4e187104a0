//! What survives on each platform, as a pure description: `parse(render(tree))` gives exactly this.

use dragoman_model::{Block, Document, Inline, ListItem, Mention};

use crate::runs::{
    Leaf, Run, build, canonical, clean, date_text, emoji_text, flatten, mention_text, text_of,
};
use crate::slack::code_language;
use crate::teams::{Flavour, Roster, teams_runs};

/// What a text is on Slack.
///
/// Headings become one size (or a bold line), tables lose their heading row's rank, quotes and lists flatten
/// where Slack cannot nest them, names of mentions go (Slack shows its own), emoji that Slack has no name for
/// become text.
pub fn slack(document: Document) -> Document {
    crate::slack::assemble(crate::slack::flatten(&document))
}

/// What a text is on Teams, sent by Graph.
///
/// Headings end at the third size, emoji and dates become text, mentions that Teams has no form for become
/// text, spaces at the ends of lines go.
pub fn teams(document: Document) -> Document {
    teams_for(document, Flavour::Graph)
}

/// What a text is on Teams, by sender: a bot's code blocks have no language.
pub fn teams_for(document: Document, flavour: Flavour) -> Document {
    teams_of(&document, flavour)
}

pub(crate) fn teams_of(document: &Document, flavour: Flavour) -> Document {
    let mut teams = Teams { flavour, roster: Roster::new(flavour) };
    Document { blocks: teams.blocks(&document.blocks) }.normalise()
}

/// What a text is on Webex.
///
/// Underlines go, tables become code, dates, emoji and mentions of anything but people and everybody become
/// text, headings are one line, several empty lines are one.
pub fn webex(document: Document) -> Document {
    crate::webex::degrade(&document)
}

/// What a text is on Zoom.
///
/// Zoom has lines of one kind each: lists that nest or that have other numbers become lines with their signs,
/// code stays as text between backticks, tables and rules become lines, quotes keep links and italics only,
/// links of other schemes than http and https become text.
pub fn zoom(document: Document) -> Document {
    crate::zoom::degrade(&document)
}

struct Teams {
    flavour: Flavour,
    roster: Roster,
}

impl Teams {
    fn blocks(&mut self, blocks: &[Block]) -> Vec<Block> {
        let mut out = Vec::new();
        // Neighbouring paragraphs are one, with an empty line between.
        let mut open: Vec<Run> = Vec::new();
        for block in blocks {
            let block = match block {
                Block::Paragraph(text) => {
                    let runs = self.runs(text);
                    join(&mut open, runs);
                    continue;
                }
                Block::Unsupported { kind, text } => {
                    let mut runs = self.runs(text);
                    if runs.is_empty() {
                        runs = teams_runs(vec![Run::text(format!("[{}]", clean(kind)), crate::runs::ITALIC)]);
                    }
                    join(&mut open, runs);
                    continue;
                }
                Block::Heading { level, text } => {
                    let text = build(self.runs(text));
                    if text.is_empty() {
                        continue;
                    }
                    Block::Heading { level: (*level).clamp(1, 3), text }
                }
                Block::Code { language, text } => {
                    let Some(code) = self.code(language.as_deref(), text) else { continue };
                    code
                }
                Block::Rule => Block::Rule,
                nested @ (Block::Quote(_) | Block::List { .. } | Block::Table { .. }) => {
                    // Mentions count in reading order, so what is open goes first; an empty block changes
                    // nothing.
                    let Some(block) = self.nested(nested) else { continue };
                    block
                }
            };
            close(&mut open, &mut out);
            out.push(block);
        }
        close(&mut open, &mut out);
        out
    }

    fn nested(&mut self, block: &Block) -> Option<Block> {
        match block {
            Block::Quote(blocks) => {
                let blocks = self.blocks(blocks);
                (!blocks.is_empty()).then_some(Block::Quote(blocks))
            }
            Block::List { start, items } => {
                let items: Vec<ListItem> = items
                    .iter()
                    .map(|item| ListItem { blocks: self.blocks(&item.blocks) })
                    .filter(|item| !item.blocks.is_empty())
                    .collect();
                (!items.is_empty()).then_some(Block::List { start: *start, items })
            }
            Block::Table { header, rows } => {
                let columns = rows.iter().map(Vec::len).max().filter(|columns| *columns > 0)?;
                let rows = rows
                    .iter()
                    .map(|row| {
                        let mut row: Vec<Vec<Inline>> =
                            row.iter().map(|cell| build(self.runs(cell))).collect();
                        row.resize(columns, Vec::new());
                        row
                    })
                    .collect();
                Some(Block::Table { header: *header, rows })
            }
            _ => None,
        }
    }

    fn code(&self, language: Option<&str>, text: &str) -> Option<Block> {
        let text: String = text
            .chars()
            .map(|c| if c == '\u{a0}' { ' ' } else { c })
            .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            .collect();
        let text = text.trim_end_matches('\n').to_owned();
        let language = language.filter(|_| self.flavour == Flavour::Graph).and_then(code_language);
        (!text.is_empty()).then_some(Block::Code { language, text })
    }

    fn runs(&mut self, inlines: &[Inline]) -> Vec<Run> {
        let runs = canonical(flatten(inlines)).into_iter().map(|run| self.run(run)).collect();
        teams_runs(runs)
    }

    fn run(&mut self, run: Run) -> Run {
        let styles = run.styles;
        match run.leaf {
            Leaf::Text(text) => Run::text(spaces(text), styles),
            Leaf::Emoji(emoji) => Run::text(spaces(clean(&emoji_text(&emoji))), styles),
            Leaf::Date { seconds, fallback } => Run::text(spaces(date_text(seconds, &fallback)), styles),
            Leaf::Link { url, text } => {
                let text = text
                    .into_iter()
                    .map(|inner| {
                        Run::text(spaces(clean(&text_of(std::slice::from_ref(&inner)))), inner.styles)
                    })
                    .collect();
                Run::new(Leaf::Link { url, text }, styles)
            }
            Leaf::Mention(mention) => match (self.roster.add(&mention), mention) {
                (Some((_, name)), Mention::Person { id, .. }) => {
                    Run::new(Leaf::Mention(Mention::Person { id, name }), styles)
                }
                (Some((_, name)), Mention::Group { id, .. }) => {
                    Run::new(Leaf::Mention(Mention::Group { id, name }), styles)
                }
                (Some(_), mention) => Run::new(Leaf::Mention(mention), styles),
                (None, mention) => Run::text(spaces(clean(&mention_text(&mention))), styles),
            },
            Leaf::Break => run,
        }
    }
}

/// HTML has one kind of space.
fn spaces(text: String) -> String {
    // No-break spaces are the only spaces here with this first byte.
    if !text.bytes().any(|byte| matches!(byte, b'\t' | 0xc2)) {
        return text;
    }
    text.chars().map(|c| if matches!(c, '\t' | '\u{a0}') { ' ' } else { c }).collect()
}

fn join(open: &mut Vec<Run>, runs: Vec<Run>) {
    if runs.is_empty() {
        return;
    }
    if !open.is_empty() {
        open.extend([Run::new(Leaf::Break, 0), Run::new(Leaf::Break, 0)]);
    }
    open.extend(runs);
}

fn close(open: &mut Vec<Run>, out: &mut Vec<Block>) {
    if !open.is_empty() {
        out.push(Block::Paragraph(build(std::mem::take(open))));
    }
}
