//! Loops through somebody else's bridge: it takes our copy for a message and brings it back, under its own name and
//! with our name line in the text. What was relayed a moment ago is remembered as digests, and cut when it comes round.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_model::{AuthorKind, BridgeId, ConversationId, Inline, Message, RemoteMessage};

use crate::core::Relay;
use crate::directory::Spot;

/// How long a round may take, in milliseconds.
const ROUND_MS: i64 = 2 * 60 * 1000;
/// Messages remembered of one bridge.
const MOST: usize = 1_000;
/// Characters of what a name line tells after the platform: what its author is there, and when they wrote.
const LONGEST: usize = 48;

/// What was relayed lately, by bridge: no bridge pushes out another's.
#[derive(Default)]
pub(crate) struct Rounds(Mutex<BTreeMap<BridgeId, VecDeque<Relayed>>>);

struct Relayed {
    from: ConversationId,
    message: RemoteMessage,
    /// Epoch and fingerprint of the words.
    words: (String, Vec<u8>),
    at_ms: i64,
}

impl Rounds {
    /// Forgets what is too long ago to come round.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().retain(|_, relayed| {
            relayed.retain(|it| it.at_ms + ROUND_MS >= now_ms);
            !relayed.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BridgeId, VecDeque<Relayed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Remembers a message that goes out for the first time.
    pub(crate) fn remember_round(&self, bridge: &BridgeId, source: &Spot, message: &Message) {
        let now_ms = self.now_ms();
        let known = |it: &Relayed| it.message == message.id && it.from == source.id;
        // Another target had it just now.
        let rounds = &self.0.rounds;
        if rounds.lock().get(bridge).is_some_and(|relayed| relayed.iter().rev().take(64).any(known)) {
            return;
        }
        let words = words(&dragoman_markup::plain(&message.body));
        let Some(words) = self.vault().fingerprint(&source.org, words.as_bytes()) else { return };
        let (from, message) = (source.id.clone(), message.id.clone());
        let mut rounds = rounds.lock();
        let relayed = rounds.entry(bridge.clone()).or_default();
        while relayed.front().is_some_and(|old| old.at_ms + ROUND_MS < now_ms) || relayed.len() >= MOST {
            relayed.pop_front();
        }
        relayed.push_back(Relayed { from, message, words, at_ms: now_ms });
    }

    /// Whether a message is one that was relayed a moment ago and that another bridge brings back.
    pub(crate) fn is_round(&self, bridge: &BridgeId, source: &Spot, message: &Message) -> bool {
        let now_ms = self.now_ms();
        let platforms: Vec<&str> =
            self.connectors().values().map(|connector| connector.display_name()).collect();
        let quotes = quoted(message, &platforms);
        let digests: Vec<_> =
            quotes.iter().filter_map(|text| self.vault().fingerprint(&source.org, text.as_bytes())).collect();
        let round = |it: &Relayed| {
            it.at_ms + ROUND_MS >= now_ms
                && (it.from != source.id || it.message != message.id)
                && digests.contains(&it.words)
        };
        !digests.is_empty()
            && self.0.rounds.lock().get(bridge).is_some_and(|relayed| relayed.iter().any(round))
    }
}

/// The words of what a message says under a name line such as we write them, `Name (Platform)` or `Name (Platform,
/// guest, 2026-01-02 03:55 UTC)`: whether it stands in the text or is the author's name.
fn quoted(message: &Message, platforms: &[&str]) -> Vec<String> {
    // Most messages have no bracket at all.
    let mut bracket = message.author.name.as_deref().is_some_and(|name| name.contains('('));
    message.body.visit_inlines(&mut |inline| {
        bracket |= matches!(inline, Inline::Text(text) if text.contains('('));
    });
    if !bracket {
        return Vec::new();
    }
    let mut found = Vec::new();
    let by_name = message.author.name.as_deref().is_some_and(|name| !brackets(name, platforms).is_empty());
    let text = dragoman_markup::plain(&message.body);
    if by_name {
        found.push(words(&text));
    }
    for (start, end) in brackets(&text, platforms) {
        let (before, after) = (&text[..start], &text[end..]);
        // People quote in the middle of what they say; a bridge puts its line first.
        if message.author.kind == AuthorKind::Bot || before.split_whitespace().count() <= 6 {
            found.push(words(after));
        }
    }
    found.retain(|words| !words.is_empty());
    found
}

/// Where a text has the brackets of a name line: ` (Platform)`, or ` (Platform, …)`, whatever is told there.
fn brackets(text: &str, platforms: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices(" (") {
        let inner = &text[start + " (".len()..];
        for told in platforms.iter().filter_map(|platform| inner.strip_prefix(platform)) {
            let close = told.char_indices().take(LONGEST).find(|(_, c)| *c == ')');
            let Some((close, _)) = close.filter(|_| told.starts_with([')', ','])) else { continue };
            found.push((start, text.len() - told.len() + close + ")".len()));
        }
    }
    found
}

/// The words of a text, whatever its formatting.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().flat_map(char::to_lowercase));
    }
    words
}

#[cfg(test)]
mod tests {
    use dragoman_model::{Author, Document, Origin};

    use super::*;

    fn said(name: Option<&str>, kind: AuthorKind, text: &str) -> Vec<String> {
        let message = Message {
            id: "m".into(),
            thread_root: None,
            broadcast: false,
            author: Author { user: None, kind, name: name.map(str::to_owned), avatar_url: None },
            body: Document::plain(text),
            files: vec![],
            sent_at_ms: 1,
            edited_at_ms: None,
            version: None,
            origin: Origin::default(),
        };
        quoted(&message, &["Fjord", "Harbor"])
    }

    #[test]
    fn what_stands_under_a_name_line_is_found_however_it_is_wrapped() {
        use AuthorKind::{Bot, Person};
        let hello = vec!["hello you there".to_owned()];
        assert_eq!(said(None, Bot, "Ines (Fjord)\nHello, you there!"), hello);
        assert_eq!(said(None, Bot, "<relay> **Ines (Harbor):** Hello *you* there"), hello);
        assert_eq!(said(Some("Ines (Fjord)"), Bot, "Hello you there"), hello);
        assert_eq!(said(Some("Ines (Fjord, guest)"), Bot, "Hello you there"), hello);
        assert_eq!(said(None, Bot, "Ines (Harbor, external): hello you there"), hello);
        assert_eq!(said(None, Person, "Ines (Fjord): hello you there"), hello);
        let earlier = "2026-01-02 03:55 UTC";
        assert_eq!(said(Some(&format!("Ines (Fjord, {earlier})")), Bot, "Hello you there"), hello);
        assert_eq!(said(None, Bot, &format!("Ines (Fjord, deactivated, {earlier}): hello you there")), hello);
    }

    #[test]
    fn ordinary_messages_are_not_looked_into() {
        use AuthorKind::{Bot, Person};
        assert!(said(Some("Deploy"), Bot, "Hello you there").is_empty());
        assert!(said(None, Person, "is it (maybe) so?").is_empty());
        assert!(said(None, Bot, "Ines (Fjordland): hello").is_empty(), "another platform");
        assert!(said(None, Bot, "Ines (Fjord, hello").is_empty(), "no bracket at all");
        let long = format!("Ines (Fjord, {}): hello", "so ".repeat(LONGEST));
        assert!(said(None, Bot, &long).is_empty(), "a sentence in brackets");
        let story = "did you see what was written by our friend Ines (Fjord): hello";
        assert!(said(None, Person, story).is_empty());
    }
}
