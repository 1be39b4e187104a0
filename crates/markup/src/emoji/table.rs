//! The generated table, indexed once.

use std::collections::HashMap;
use std::sync::LazyLock;

const VARIATION: char = '\u{fe0f}';

/// One emoji.
pub(super) struct Entry {
    /// Its characters, fully qualified, without a skin tone.
    pub(super) unicode: String,
    /// The short name that is written.
    pub(super) short_name: &'static str,
    /// Whether skin tones exist.
    pub(super) tones: bool,
    /// The Unicode name, lower case, letters and digits only.
    pub(super) squeezed: &'static str,
}

/// The table with its two indices.
pub(super) struct Table {
    entries: Vec<Entry>,
    by_name: HashMap<&'static str, usize>,
    by_unicode: HashMap<String, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("table.txt")));

/// The table.
pub(super) fn table() -> &'static Table {
    &TABLE
}

impl Table {
    fn read(text: &'static str) -> Self {
        let mut table = Self { entries: Vec::new(), by_name: HashMap::new(), by_unicode: HashMap::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split('|');
            let (Some(codes), Some(names), Some(tones), Some(squeezed)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let Some(unicode) = characters(codes) else { continue };
            let index = table.entries.len();
            let mut short_name = "";
            for name in names.split(',') {
                if short_name.is_empty() {
                    short_name = name;
                }
                table.by_name.entry(name).or_insert(index);
            }
            table.by_unicode.entry(bare(&unicode)).or_insert(index);
            table.entries.push(Entry { unicode, short_name, tones: tones == "+", squeezed });
        }
        table
    }

    /// By one of its short names.
    pub(super) fn named(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name).map(|index| &self.entries[*index])
    }

    /// By its characters, with or without variation selectors; the tone is 2 to 6, or 0 for none.
    pub(super) fn with_characters(&self, unicode: &str) -> Option<(&Entry, u8)> {
        let key = bare(unicode);
        if let Some(index) = self.by_unicode.get(&key) {
            return Some((&self.entries[*index], 0));
        }
        let mut rest = key.chars();
        let first = rest.next()?;
        let tone = tone_of(rest.next()?)?;
        let base: String = std::iter::once(first).chain(rest).collect();
        let entry = &self.entries[*self.by_unicode.get(&base)?];
        entry.tones.then_some((entry, tone))
    }
}

impl Entry {
    /// Its characters with a tone of 2 to 6; any other number is no tone.
    pub(super) fn toned(&self, tone: u8) -> String {
        let Some(modifier) = modifier(tone).filter(|_| self.tones) else { return self.unicode.clone() };
        let mut rest = self.unicode.chars().peekable();
        let mut out: String = rest.next().into_iter().collect();
        out.push(modifier);
        if rest.peek() == Some(&VARIATION) {
            rest.next();
        }
        out.extend(rest);
        out
    }
}

/// Whether the text is exactly one emoji of the table, with or without a skin tone.
pub fn is_emoji(text: &str) -> bool {
    table().with_characters(text).is_some()
}

/// `1f44d-1f3fb` as characters.
pub(crate) fn characters(codes: &str) -> Option<String> {
    codes.split('-').map(|code| u32::from_str_radix(code, 16).ok().and_then(char::from_u32)).collect()
}

fn bare(unicode: &str) -> String {
    unicode.chars().filter(|c| *c != VARIATION).collect()
}

fn modifier(tone: u8) -> Option<char> {
    (2..=6).contains(&tone).then(|| char::from_u32(0x1f3fb + u32::from(tone) - 2)).flatten()
}

fn tone_of(c: char) -> Option<u8> {
    let offset = (c as u32).checked_sub(0x1f3fb).filter(|offset| *offset < 5)?;
    u8::try_from(offset).ok().map(|offset| offset + 2)
}
