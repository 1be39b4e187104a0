//! A message of Zoom is a sequence of lines of one kind each. This is that sequence, what of a tree it can hold,
//! and the tree that it stands for.

use dragoman_model::{Block, Document, Inline, ListItem, Mention};

use crate::runs::{
    BOLD, CODE, ITALIC, Leaf, Run, UNDERLINE, build, canonical, clean, date_text, emoji_text, flatten,
    mention_text, text_of,
};
use crate::slack::code_text;

const RULE: &str = "\u{2014}\u{2014}\u{2014}";
const INDENT: &str = "    ";

/// What a whole line is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    Bullet,
    Number,
    Quote,
    Heading(u8),
}

/// One line, without breaks.
pub(crate) struct Line {
    pub(crate) kind: Kind,
    pub(crate) runs: Vec<Run>,
}

type Runs = Vec<Run>;

/// What a text is on Zoom.
pub(crate) fn degrade(document: &Document) -> Document {
    assemble(lines(document))
}

/// The lines that show the tree.
pub(crate) fn lines(document: &Document) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    for block in &document.blocks {
        let (kind, runs) = shown_block(block);
        let first = runs.iter().position(|runs| !runs.is_empty());
        let last = runs.iter().rposition(|runs| !runs.is_empty());
        let (Some(first), Some(last)) = (first, last) else { continue };
        // What is of one kind would be one block without an empty line between.
        let merges =
            out.last().is_some_and(|before| before.kind == kind) && !matches!(kind, Kind::Heading(_));
        if merges {
            out.push(Line { kind: Kind::Plain, runs: Vec::new() });
        }
        let kept = runs.into_iter().take(last + 1).skip(first);
        out.extend(kept.map(|runs| Line { kind, runs }));
    }
    out
}

fn shown_block(block: &Block) -> (Kind, Vec<Runs>) {
    match block {
        Block::Heading { level, text } => (Kind::Heading((*level).clamp(1, 3)), vec![in_one_line(text)]),
        Block::Quote(inner) => (Kind::Quote, quoted(inner)),
        Block::List { start, items } => {
            let written: Vec<Vec<Runs>> =
                items.iter().map(item_lines).filter(|item| !item.is_empty()).collect();
            let kind = match start {
                None => Some(Kind::Bullet),
                Some(1) => Some(Kind::Number),
                Some(_) => None,
            };
            match kind.filter(|_| written.iter().all(|item| item.len() == 1)) {
                Some(kind) => (kind, written.into_iter().flatten().collect()),
                None => (Kind::Plain, signed(*start, written)),
            }
        }
        other => (Kind::Plain, written(std::slice::from_ref(other), false)),
    }
}

/// What stays in a quote: Zoom clears all styles in one but links and italics.
fn quoted(inner: &[Block]) -> Vec<Runs> {
    let mut lines = written(inner, true);
    for runs in &mut lines {
        let plain = |run: &mut Run| run.styles &= ITALIC;
        for run in runs.iter_mut() {
            plain(run);
            if let Leaf::Link { text, .. } = &mut run.leaf {
                text.iter_mut().for_each(plain);
            }
        }
        *runs = canonical(std::mem::take(runs));
    }
    lines
}

/// Blocks as lines of text, with the signs that Zoom has no format for.
fn written(blocks: &[Block], apart: bool) -> Vec<Runs> {
    let mut out: Vec<Runs> = Vec::new();
    for block in blocks {
        let lines = match block {
            Block::Paragraph(text) => paragraph(text),
            Block::Heading { text, .. } => {
                let mut runs = in_one_line(text);
                for run in &mut runs {
                    run.styles |= BOLD;
                }
                vec![canonical(runs)]
            }
            Block::Quote(inner) => written(inner, false).into_iter().map(|runs| led("> ", runs)).collect(),
            Block::List { start, items } => {
                let items = items.iter().map(item_lines).filter(|item| !item.is_empty()).collect();
                signed(*start, items)
            }
            Block::Code { text, .. } => code(text),
            Block::Rule => vec![vec![Run::text(RULE, 0)]],
            Block::Table { header, rows } => table(*header, rows),
            Block::Unsupported { kind, text } => {
                let lines = paragraph(text);
                if lines.iter().all(Vec::is_empty) {
                    vec![vec![Run::text(format!("[{}]", clean(kind)), ITALIC)]]
                } else {
                    lines
                }
            }
        };
        if lines.iter().all(Vec::is_empty) {
            continue;
        }
        if apart && !out.is_empty() {
            out.push(Vec::new());
        }
        out.extend(lines);
    }
    out
}

fn item_lines(item: &ListItem) -> Vec<Runs> {
    written(&item.blocks, false)
}

fn signed(start: Option<u32>, items: Vec<Vec<Runs>>) -> Vec<Runs> {
    let mut out = Vec::new();
    let mut number = start;
    for item in items {
        let sign = number.map_or_else(|| "\u{2022} ".to_owned(), |number| format!("{number}. "));
        for (index, runs) in item.into_iter().enumerate() {
            out.push(match (index, runs.is_empty()) {
                (0, _) => led(&sign, runs),
                (_, true) => runs,
                (_, false) => led(INDENT, runs),
            });
        }
        number = number.map(|number| number.saturating_add(1));
    }
    out
}

fn led(sign: &str, runs: Runs) -> Runs {
    let mut out = vec![Run::text(sign, 0)];
    out.extend(runs);
    canonical(out)
}

/// The back-ticks stay: Zoom has no form for code.
fn code(text: &str) -> Vec<Runs> {
    let text = code_text(text);
    if text.is_empty() {
        return Vec::new();
    }
    let line = |line: &str| canonical(vec![Run::text(line, 0)]);
    let mut out = vec![line("```")];
    out.extend(text.split('\n').map(line));
    out.push(line("```"));
    out
}

fn table(header: bool, rows: &[Vec<Vec<Inline>>]) -> Vec<Runs> {
    let line = |(index, row): (usize, &Vec<Vec<Inline>>)| {
        let mut runs = Vec::new();
        for (column, cell) in row.iter().enumerate() {
            if column > 0 {
                runs.push(Run::text(" | ", 0));
            }
            let bold = if header && index == 0 { BOLD } else { 0 };
            runs.extend(in_one_line(cell).into_iter().map(|run| Run { styles: run.styles | bold, ..run }));
        }
        canonical(runs)
    };
    rows.iter().enumerate().map(line).collect()
}

fn paragraph(text: &[Inline]) -> Vec<Runs> {
    let mut lines = vec![Vec::new()];
    for run in shown(text) {
        if run.is_break() {
            lines.push(Vec::new());
        } else if let Some(line) = lines.last_mut() {
            line.push(run);
        }
    }
    lines.into_iter().map(canonical).collect()
}

fn in_one_line(text: &[Inline]) -> Runs {
    let one_line = |run: Run| if run.is_break() { Run::text(" ", run.styles) } else { run };
    canonical(shown(text).into_iter().map(one_line).collect())
}

/// Inlines as the runs that Zoom can show.
fn shown(text: &[Inline]) -> Runs {
    let mut out = Vec::new();
    for run in canonical(flatten(text)) {
        let styles = run.styles;
        match run.leaf {
            Leaf::Text(text) => out.push(Run::text(ticked(&text, styles), styles & !CODE)),
            Leaf::Emoji(emoji) => out.push(Run::text(clean(&emoji_text(&emoji)), styles & !CODE)),
            Leaf::Date { seconds, fallback } => out.push(Run::text(date_text(seconds, &fallback), styles)),
            Leaf::Link { url, text } => link(url, text, styles, &mut out),
            Leaf::Mention(mention) => out.push(match kept(&mention) {
                Some(mention) => Run::new(Leaf::Mention(mention), styles),
                None => Run::text(clean(&mention_text(&mention)), styles),
            }),
            Leaf::Break => out.push(run),
        }
    }
    canonical(out)
}

fn ticked(text: &str, styles: u8) -> String {
    if styles & CODE != 0 && !text.is_empty() { format!("`{text}`") } else { text.to_owned() }
}

/// Links take addresses of http and https only, and no underline.
fn link(url: String, text: Vec<Run>, styles: u8, out: &mut Runs) {
    let inner: Vec<Run> = text
        .iter()
        .map(|run| {
            let text = ticked(&clean(&text_of(std::slice::from_ref(run))), run.styles);
            Run::text(text, run.styles & !(CODE | UNDERLINE))
        })
        .collect();
    if is_web(&url) {
        out.push(Run::new(Leaf::Link { url, text: inner }, styles & !(CODE | UNDERLINE)));
        return;
    }
    let address = url.split_once(':').map_or(url.as_str(), |(_, address)| address);
    let label = text_of(&inner);
    let styles = styles & !CODE;
    if label.is_empty() {
        out.push(Run::text(url, styles));
        return;
    }
    out.extend(inner.into_iter().map(|run| Run { styles: run.styles | styles, ..run }));
    if !label.contains(address) {
        out.push(Run::text(format!(" ({address})"), styles));
    }
}

/// Whether Zoom takes the address for a link.
pub(super) fn is_web(url: &str) -> bool {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The mention as Zoom can have it: its text has to be `@` and a name.
fn kept(mention: &Mention) -> Option<Mention> {
    match mention {
        Mention::Person { id, name } => {
            let name = crate::name::neutralise(name);
            let fits = !name.is_empty() && is_contact(id.as_str());
            fits.then(|| Mention::Person { id: id.clone(), name })
        }
        Mention::Everyone => Some(Mention::Everyone),
        _ => None,
    }
}

fn is_contact(id: &str) -> bool {
    !id.is_empty() && !id.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// The tree of lines.
pub(crate) fn assemble(lines: Vec<Line>) -> Document {
    let mut blocks = Vec::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(Line { kind, runs }) = lines.next() {
        let mut group = vec![runs];
        while let Some(line) = lines.next_if(|next| next.kind == kind && !matches!(kind, Kind::Heading(_))) {
            group.push(line.runs);
        }
        blocks.extend(match kind {
            Kind::Plain => text_block(group),
            Kind::Quote => text_block(group).map(|block| Block::Quote(vec![block])),
            Kind::Bullet => list_block(None, group),
            Kind::Number => list_block(Some(1), group),
            Kind::Heading(level) => {
                let text = build(group.into_iter().flatten().collect());
                (!text.is_empty()).then_some(Block::Heading { level, text })
            }
        });
    }
    Document { blocks }.normalise()
}

fn text_block(lines: Vec<Runs>) -> Option<Block> {
    let mut runs = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        if index > 0 {
            runs.push(Run::new(Leaf::Break, 0));
        }
        runs.extend(line);
    }
    let text = build(runs);
    (!text.is_empty()).then_some(Block::Paragraph(text))
}

fn list_block(start: Option<u32>, lines: Vec<Runs>) -> Option<Block> {
    let items: Vec<ListItem> = lines
        .into_iter()
        .map(build)
        .filter(|text| !text.is_empty())
        .map(|text| ListItem { blocks: vec![Block::Paragraph(text)] })
        .collect();
    (!items.is_empty()).then_some(Block::List { start, items })
}
