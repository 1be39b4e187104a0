//! Inlines as a flat sequence of styled leaves: the form that both platforms' markup is closest to. Overlapping
//! styles need no care here, and the tree that is built from it is the one canonical tree.

use dragoman_model::{Emoji, Inline, Mention};

use crate::uri::link_url;

pub(crate) const BOLD: u8 = 1;
pub(crate) const ITALIC: u8 = 2;
pub(crate) const STRIKE: u8 = 4;
pub(crate) const UNDERLINE: u8 = 8;
pub(crate) const CODE: u8 = 16;

/// A leaf with its styles.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) styles: u8,
    pub(crate) leaf: Leaf,
}

/// What a run shows.
#[derive(Clone)]
pub(crate) enum Leaf {
    Text(String),
    Link { url: String, text: Vec<Run> },
    Mention(Mention),
    Emoji(Emoji),
    Date { seconds: i64, fallback: String },
    Break,
}

impl Run {
    pub(crate) fn text(text: impl Into<String>, styles: u8) -> Self {
        Self { styles, leaf: Leaf::Text(text.into()) }
    }

    pub(crate) fn new(leaf: Leaf, styles: u8) -> Self {
        Self { styles, leaf }
    }

    /// A text of nothing that keeps what follows from joining what is before.
    pub(crate) fn barrier() -> Self {
        Self { styles: u8::MAX, leaf: Leaf::Text(String::new()) }
    }

    pub(crate) fn is_barrier(&self) -> bool {
        self.styles == u8::MAX
    }

    pub(crate) fn is_break(&self) -> bool {
        matches!(self.leaf, Leaf::Break)
    }
}

/// Adds text that may hold line breaks; control characters are left out.
pub(crate) fn push_text(runs: &mut Vec<Run>, text: &str, styles: u8) {
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            runs.push(Run::new(Leaf::Break, 0));
        }
        if line.is_empty() {
            continue;
        }
        let clean = clean(line);
        match runs.last_mut() {
            Some(Run { styles: before, leaf: Leaf::Text(text) }) if *before == styles => {
                text.push_str(&clean);
            }
            _ => runs.push(Run::text(clean, styles)),
        }
    }
}

/// The text without control characters (tabs stay).
pub(crate) fn clean(text: &str) -> String {
    // Controls beyond ASCII begin with this byte.
    if !text.bytes().any(|byte| byte.is_ascii_control() || byte == 0xc2) {
        return text.to_owned();
    }
    text.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

/// How a mention reads where it is only text.
pub(crate) fn mention_text(mention: &Mention) -> String {
    let (sign, name, id) = match mention {
        Mention::Person { id, name } => ("@", name.as_str(), id.as_str()),
        Mention::Conversation { id, name } => ("#", name.as_str(), id.as_str()),
        Mention::Group { id, name } => ("@", name.as_str(), id.as_str()),
        Mention::Everyone => ("@", "everyone", ""),
        Mention::Here => ("@", "here", ""),
    };
    format!("{sign}{}", if name.is_empty() { id } else { name })
}

/// How an emoji reads where it is only text.
pub(crate) fn emoji_text(emoji: &Emoji) -> String {
    match emoji {
        Emoji::Unicode(characters) => characters.clone(),
        Emoji::Custom { name, .. } => format!(":{name}:"),
    }
}

/// How a moment reads where it is only text.
pub(crate) fn date_text(seconds: i64, fallback: &str) -> String {
    if !fallback.is_empty() {
        return fallback.to_owned();
    }
    let days = seconds.div_euclid(86_400);
    let second = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", second / 3600, second / 60 % 60)
}

/// Year, month and day of a count of days since 1970 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// Inlines as runs. Links keep only allowed addresses; a link inside a link is text.
pub(crate) fn flatten(inlines: &[Inline]) -> Vec<Run> {
    flatten_allowing(inlines, link_url)
}

/// The same where more addresses may become links.
pub(crate) fn flatten_allowing(inlines: &[Inline], allowed: Allowed) -> Vec<Run> {
    let mut runs = Vec::with_capacity(inlines.len());
    flatten_into(inlines, allowed, 0, false, &mut runs);
    runs
}

/// Which addresses may become links, and in what form.
type Allowed = fn(&str) -> Option<&str>;

fn flatten_into(inlines: &[Inline], allowed: Allowed, styles: u8, in_link: bool, runs: &mut Vec<Run>) {
    for inline in inlines {
        match inline {
            Inline::Text(text) => push_text(runs, text, styles),
            Inline::Code(text) => push_text(runs, text, styles | CODE),
            Inline::Strong(inner) => flatten_into(inner, allowed, styles | BOLD, in_link, runs),
            Inline::Emphasis(inner) => flatten_into(inner, allowed, styles | ITALIC, in_link, runs),
            Inline::Strike(inner) => flatten_into(inner, allowed, styles | STRIKE, in_link, runs),
            Inline::Underline(inner) => flatten_into(inner, allowed, styles | UNDERLINE, in_link, runs),
            Inline::Link { url, text } => match allowed(url).filter(|_| !in_link) {
                Some(url) => {
                    let mut inner = Vec::new();
                    flatten_into(text, allowed, 0, true, &mut inner);
                    runs.push(Run::new(Leaf::Link { url: url.to_owned(), text: inner }, styles));
                }
                None if text.is_empty() => push_text(runs, url, styles),
                None => flatten_into(text, allowed, styles, in_link, runs),
            },
            Inline::Mention(mention) if in_link => push_text(runs, &mention_text(mention), styles),
            Inline::Mention(mention) => runs.push(Run::new(Leaf::Mention(mention.clone()), styles)),
            Inline::Emoji(emoji) => runs.push(Run::new(Leaf::Emoji(emoji.clone()), styles)),
            Inline::Date { seconds, fallback } if in_link => {
                push_text(runs, &date_text(*seconds, fallback), styles);
            }
            Inline::Date { seconds, fallback } => {
                runs.push(Run::new(Leaf::Date { seconds: *seconds, fallback: clean(fallback) }, styles));
            }
            Inline::Break if in_link => push_text(runs, " ", styles),
            Inline::Break => runs.push(Run::new(Leaf::Break, 0)),
        }
    }
}

/// The one form of a sequence: neighbours of equal style merged, styles that a whole link shares put around
/// it, breaks styled only where both sides are, none at the edges.
pub(crate) fn canonical(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        let Run { styles, leaf } = run;
        match leaf {
            Leaf::Text(text) if text.is_empty() => {}
            Leaf::Text(text) => match out.last_mut() {
                Some(Run { styles: before, leaf: Leaf::Text(already) }) if *before == styles => {
                    already.push_str(&text);
                }
                _ => out.push(Run::text(text, styles)),
            },
            Leaf::Link { url, text } => out.push(link(url, text, styles)),
            Leaf::Break if out.is_empty() => {}
            Leaf::Break => out.push(Run::new(Leaf::Break, 0)),
            leaf => out.push(Run::new(leaf, styles & !CODE)),
        }
    }
    while out.last().is_some_and(Run::is_break) {
        out.pop();
    }
    style_breaks(&mut out);
    out
}

fn link(url: String, text: Vec<Run>, mut styles: u8) -> Run {
    let mut inner: Vec<Run> = text
        .into_iter()
        .map(|run| match run.leaf {
            Leaf::Text(_) => Run { styles: run.styles | (styles & CODE), ..run },
            Leaf::Break => Run::text(" ", run.styles | (styles & CODE)),
            _ => Run { styles: run.styles & !CODE, ..run },
        })
        .collect();
    inner.retain(|run| !matches!(&run.leaf, Leaf::Text(text) if text.is_empty()));
    if inner.is_empty() && styles & CODE != 0 {
        inner.push(Run::text(url.clone(), CODE));
    }
    styles &= !CODE;
    if !inner.is_empty() {
        styles |= inner.iter().fold(u8::MAX, |common, run| common & run.styles) & !CODE;
    }
    let mut merged: Vec<Run> = Vec::with_capacity(inner.len());
    for mut run in inner {
        run.styles &= !styles;
        match (merged.last_mut(), &run.leaf) {
            (Some(Run { styles: before, leaf: Leaf::Text(already) }), Leaf::Text(text))
                if *before == run.styles =>
            {
                already.push_str(text);
            }
            _ => merged.push(run),
        }
    }
    if let [Run { styles: 0, leaf: Leaf::Text(text) }] = merged.as_slice()
        && *text == url
    {
        merged.clear();
    }
    Run::new(Leaf::Link { url, text: merged }, styles)
}

fn style_breaks(runs: &mut [Run]) {
    let mut before = 0;
    let mut start = 0;
    while start < runs.len() {
        if !runs[start].is_break() {
            before = runs[start].styles;
            start += 1;
            continue;
        }
        let end =
            runs[start..].iter().position(|run| !run.is_break()).map_or(runs.len(), |count| start + count);
        let after = runs.get(end).map_or(0, |run| run.styles);
        for run in &mut runs[start..end] {
            run.styles = before & after & !CODE;
        }
        start = end;
    }
}

/// The canonical tree of runs.
pub(crate) fn build(runs: Vec<Run>) -> Vec<Inline> {
    nest(canonical(runs), &[BOLD, ITALIC, STRIKE, UNDERLINE])
}

fn nest(runs: Vec<Run>, styles: &[u8]) -> Vec<Inline> {
    let Some((style, inner_styles)) = styles.split_first() else {
        return runs.into_iter().map(leaf_inline).collect();
    };
    if !runs.iter().any(|run| run.styles & style != 0) {
        return nest(runs, inner_styles);
    }
    let mut out = Vec::new();
    let mut group: Vec<Run> = Vec::new();
    let mut group_styled = false;
    let mut close = |group: &mut Vec<Run>, styled: bool| {
        if group.is_empty() {
            return;
        }
        let inner = nest(std::mem::take(group), inner_styles);
        if styled {
            out.push(match *style {
                BOLD => Inline::Strong(inner),
                ITALIC => Inline::Emphasis(inner),
                STRIKE => Inline::Strike(inner),
                _ => Inline::Underline(inner),
            });
        } else {
            out.extend(inner);
        }
    };
    for run in runs {
        let styled = run.styles & style != 0;
        if styled != group_styled {
            close(&mut group, group_styled);
            group_styled = styled;
        }
        group.push(run);
    }
    close(&mut group, group_styled);
    out
}

fn leaf_inline(run: Run) -> Inline {
    match run.leaf {
        Leaf::Text(text) if run.styles & CODE != 0 => Inline::Code(text),
        Leaf::Text(text) => Inline::Text(text),
        Leaf::Link { url, text } => {
            Inline::Link { url, text: nest(text, &[BOLD, ITALIC, STRIKE, UNDERLINE]) }
        }
        Leaf::Mention(mention) => Inline::Mention(mention),
        Leaf::Emoji(emoji) => Inline::Emoji(emoji),
        Leaf::Date { seconds, fallback } => Inline::Date { seconds, fallback },
        Leaf::Break => Inline::Break,
    }
}

/// The text of runs without any style, breaks as spaces.
pub(crate) fn text_of(runs: &[Run]) -> String {
    let mut out = String::new();
    for run in runs {
        match &run.leaf {
            Leaf::Text(text) => out.push_str(text),
            Leaf::Link { url, text } if text.is_empty() => out.push_str(url),
            Leaf::Link { text, .. } => out.push_str(&text_of(text)),
            Leaf::Mention(mention) => out.push_str(&mention_text(mention)),
            Leaf::Emoji(emoji) => out.push_str(&emoji_text(emoji)),
            Leaf::Date { seconds, fallback } => out.push_str(&date_text(*seconds, fallback)),
            Leaf::Break => out.push(' '),
        }
    }
    out
}
