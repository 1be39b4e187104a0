//! What an organisation decided. Every policy has a default; a stored word that is not known keeps it.

use std::collections::BTreeMap;

/// An organisation's policies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// A send whose outcome cannot be found out is repeated (a duplicate is possible) instead of left (a
    /// gap is possible).
    pub prefer_duplicate: bool,
    /// Messages of other apps are relayed.
    pub relay_bots: bool,
    /// A mention of everyone stays one.
    pub relay_everyone: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { prefer_duplicate: true, relay_bots: false, relay_everyone: true }
    }
}

/// Names, allowed words (the default first) and meanings, for `config` and its help.
pub const POLICIES: &[(&str, &[&str], &str)] = &[
    ("unknown_outcome", &["duplicate", "gap"], "what a send whose outcome cannot be found out may become"),
    ("relay_bots", &["no", "yes"], "whether messages of other apps are relayed"),
    ("relay_everyone", &["yes", "no"], "whether a mention of everyone stays one"),
];

impl Policy {
    /// Reads the stored words.
    pub fn from_words(words: &BTreeMap<String, String>) -> Self {
        let word = |name: &str| words.get(name).map(String::as_str);
        Self {
            prefer_duplicate: word("unknown_outcome") != Some("gap"),
            relay_bots: word("relay_bots") == Some("yes"),
            relay_everyone: word("relay_everyone") != Some("no"),
        }
    }
}
