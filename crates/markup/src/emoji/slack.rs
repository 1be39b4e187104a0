//! Slack's names: `wave`, `wave::skin-tone-3`.

use super::table::table;

const TONE: &str = "::skin-tone-";

/// The characters of an emoji that Slack names, with its skin tone; `None` for a custom one.
///
/// Takes `wave`, `wave::skin-tone-3`, and the same between colons.
pub fn from_slack(name: &str) -> Option<String> {
    let name = name.strip_prefix(':').and_then(|name| name.strip_suffix(':')).unwrap_or(name);
    let (base, tone) = match name.split_once(TONE) {
        Some((base, tone)) => (base, tone.parse::<u8>().ok().filter(|tone| (2..=6).contains(tone))?),
        None => (name, 0),
    };
    let entry = table().named(base)?;
    Some(entry.toned(tone))
}

/// The name that Slack writes for an emoji, without colons: `wave::skin-tone-3`.
pub fn to_slack(unicode: &str) -> Option<String> {
    let (entry, tone) = table().with_characters(unicode)?;
    Some(if tone == 0 { entry.short_name.to_owned() } else { format!("{}{TONE}{tone}", entry.short_name) })
}
