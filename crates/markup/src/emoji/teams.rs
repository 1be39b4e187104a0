//! Reaction types of Teams: old names, `{hex}_{name}` of the Bot Framework, and characters of Graph.

use super::table::{characters, table};

/// Old names with the emoji that clients show. The first six are what Graph still writes.
const LEGACY: [(&str, &str); 9] = [
    ("like", "\u{1f44d}"),
    ("heart", "\u{2764}\u{fe0f}"),
    ("laugh", "\u{1f606}"),
    ("surprised", "\u{1f62e}"),
    ("sad", "\u{1f622}"),
    ("angry", "\u{1f621}"),
    ("launch", "\u{1f680}"),
    ("think", "\u{1f914}"),
    ("party", "\u{1f973}"),
];
const WRITTEN: usize = 6;
const TONE: &str = "-tone";

/// The characters of a reaction; `None` for a custom one.
///
/// Takes the old names (`like`), ids of the Bot Framework (`1f440_eyes`, with `-tone1` to `-tone5`), and
/// the characters that Graph writes.
pub fn from_teams_reaction(kind: &str) -> Option<String> {
    let (base, tone) = match kind.rsplit_once(TONE) {
        Some((base, tone)) => match tone.parse::<u8>() {
            Ok(tone @ 1..=5) => (base, tone + 1),
            _ => (kind, 0),
        },
        None => (kind, 0),
    };
    let plain = LEGACY
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(base))
        .map(|(_, unicode)| (*unicode).to_owned())
        .or_else(|| base.split_once('_').and_then(|(codes, _)| characters(codes)))
        .unwrap_or_else(|| base.to_owned());
    let (entry, own_tone) = table().with_characters(&plain)?;
    Some(entry.toned(if tone == 0 { own_tone } else { tone }))
}

/// The reaction type that the Bot Framework takes for an emoji: `like`, `1f440_eyes`, `1f44b_…-tone2`.
pub fn to_teams_reaction(unicode: &str) -> Option<String> {
    let (entry, tone) = table().with_characters(unicode)?;
    let base = LEGACY[..WRITTEN].iter().find(|(_, legacy)| *legacy == entry.unicode).map_or_else(
        || {
            let codes: Vec<String> = entry
                .unicode
                .chars()
                .filter(|c| *c != '\u{fe0f}')
                .map(|c| format!("{:x}", c as u32))
                .collect();
            format!("{}_{}", codes.join("-"), entry.squeezed)
        },
        |(name, _)| (*name).to_owned(),
    );
    Some(if tone == 0 { base } else { format!("{base}{TONE}{}", tone - 1) })
}
