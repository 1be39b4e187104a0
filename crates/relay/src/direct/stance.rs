//! Who wants to write with whom, as facts of each person's chat with the app: ids and times, nothing else. Pure.

use std::collections::BTreeMap;

use dragoman_model::{ConversationId, RemoteMessage};
use dragoman_platform::Facts;

/// The fact with the id of the person whose chat with the app this is.
pub(crate) const PERSON: &str = "direct_person";
/// The beginning of facts about other people's chats.
const PEER: &str = "direct_peer:";
/// The beginning of facts about conversations of several.
const GROUP: &str = "direct_group:";
/// The fact with the messages that were taken for commands last.
const HANDLED: &str = "direct_handled";
/// How many of them.
const MOST_HANDLED: usize = 8;
/// The beginning of facts of an installation about people whom an operator keeps out.
const BARRED: &str = "direct_barred:";

/// What changes of facts; with `None` one is forgotten.
pub(crate) type Changes = BTreeMap<String, Option<String>>;

/// How a person stands to another, or to a conversation of several. Times are milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stance {
    /// The other asked then and was not answered yet.
    Asked(i64),
    /// Wants to write with the other.
    Willing(i64),
    /// Does not want to hear from the other.
    Blocked(i64),
}

impl Stance {
    fn since_ms(self) -> i64 {
        match self {
            Self::Asked(ms) | Self::Willing(ms) | Self::Blocked(ms) => ms,
        }
    }

    fn written(self) -> String {
        let word = match self {
            Self::Asked(_) => "asked",
            Self::Willing(_) => "willing",
            Self::Blocked(_) => "blocked",
        };
        format!("{word}@{}", self.since_ms())
    }

    fn read(text: &str) -> Option<Self> {
        let (word, ms) = text.split_once('@')?;
        let ms = ms.parse().ok()?;
        match word {
            "asked" => Some(Self::Asked(ms)),
            "willing" => Some(Self::Willing(ms)),
            "blocked" => Some(Self::Blocked(ms)),
            _ => None,
        }
    }
}

/// What a person has to do with: an entry of their list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum With {
    /// Another person, by their chat.
    Peer(ConversationId),
    /// Several people, by the id of their conversation.
    Group(String),
}

impl With {
    /// The id of the other's chat or of the conversation.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Peer(peer) => peer.as_str(),
            Self::Group(group) => group,
        }
    }

    fn key(&self) -> String {
        match self {
            Self::Peer(peer) => format!("{PEER}{peer}"),
            Self::Group(group) => format!("{GROUP}{group}"),
        }
    }
}

/// How the person of a chat stands to the person of another, or to several.
pub(crate) fn stance(facts: &Facts, with: &With) -> Option<Stance> {
    facts.get(&with.key()).and_then(|text| Stance::read(text))
}

/// Sets or, with `None`, forgets it.
pub(crate) fn change(with: &With, stance: Option<Stance>) -> Changes {
    Changes::from([(with.key(), stance.map(Stance::written))])
}

/// Everybody that a person has to do with, in the order in which that began.
pub(crate) fn list(facts: &Facts) -> Vec<(With, Stance)> {
    let known = facts.iter().filter_map(|(key, text)| {
        let peer = key.strip_prefix(PEER).map(|peer| With::Peer(peer.into()));
        let with = peer.or_else(|| group_of(key).map(|group| With::Group(group.to_owned())))?;
        Some((with, Stance::read(text)?))
    });
    let mut list: Vec<_> = known.collect();
    list.sort_by(|a, b| (a.1.since_ms(), &a.0).cmp(&(b.1.since_ms(), &b.0)));
    list
}

/// The conversation of several that a fact is about.
pub(crate) fn group_of(key: &str) -> Option<&str> {
    key.strip_prefix(GROUP)
}

/// Whether a message was taken for a command before.
pub(crate) fn is_handled(facts: &Facts, message: &RemoteMessage) -> bool {
    handled(facts).any(|known| known == message.as_str())
}

/// Remembers it.
pub(crate) fn handle(facts: &Facts, message: &RemoteMessage) -> Changes {
    let mut all: Vec<&str> = handled(facts).collect();
    all.push(message.as_str());
    let last = &all[all.len().saturating_sub(MOST_HANDLED)..];
    Changes::from([(HANDLED.to_owned(), Some(last.join("\n")))])
}

fn handled(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.get(HANDLED).map_or("", String::as_str).lines()
}

/// The fact of an installation that keeps a person out.
pub(crate) fn bar_of(user: &str) -> String {
    format!("{BARRED}{user}")
}

/// Whom an operator keeps out, as an installation's facts tell.
pub(crate) fn barred(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.keys().filter_map(|key| key.strip_prefix(BARRED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(facts: &mut Facts, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => facts.insert(key, value),
                None => facts.remove(&key),
            };
        }
    }

    #[test]
    fn stances_are_read_as_they_were_written_and_listed_from_old_to_new() {
        let peer = |id: &str| With::Peer(id.into());
        let all = With::Group("g1".to_owned());
        let mut facts = Facts::from([("service_url".to_owned(), "x".to_owned())]);
        put(&mut facts, change(&peer("bo"), Some(Stance::Willing(9))));
        put(&mut facts, change(&peer("cy"), Some(Stance::Asked(3))));
        put(&mut facts, change(&all, Some(Stance::Willing(4))));
        put(&mut facts, change(&peer("di"), Some(Stance::Blocked(5))));
        let listed = [
            (peer("cy"), Stance::Asked(3)),
            (all, Stance::Willing(4)),
            (peer("di"), Stance::Blocked(5)),
            (peer("bo"), Stance::Willing(9)),
        ];
        assert_eq!(list(&facts), listed);
        put(&mut facts, change(&peer("di"), None));
        assert_eq!(
            (stance(&facts, &peer("di")), stance(&facts, &peer("bo"))),
            (None, Some(Stance::Willing(9)))
        );
        facts.insert(peer("di").key(), "unheard-of@1".to_owned());
        assert_eq!(stance(&facts, &peer("di")), None);
    }

    #[test]
    fn the_last_commands_are_remembered() {
        let mut facts = Facts::new();
        for n in 0..20 {
            let message = format!("m{n}").as_str().into();
            assert!(!is_handled(&facts, &message));
            let changes = handle(&facts, &message);
            put(&mut facts, changes);
            assert!(is_handled(&facts, &message));
        }
        assert!(is_handled(&facts, &"m12".into()) && !is_handled(&facts, &"m1".into()));
        assert!(!is_handled(&facts, &"".into()));
    }
}
