//! Who wants to write with whom, as facts of each person's chat with the app: ids and times, nothing else. Pure.

use std::collections::BTreeMap;

use dragoman_model::{ConversationId, RemoteMessage};
use dragoman_platform::Facts;

/// The beginning of all of these facts.
const DIRECT: &str = "direct_";
/// The fact with the id of the person whose chat with the app this is.
pub(crate) const PERSON: &str = "direct_person";
/// The beginning of facts about other people's chats.
const PEER: &str = "direct_peer:";
/// The beginning of facts about conversations of several.
const GROUP: &str = "direct_group:";
/// The beginning of facts about conversations of several for which this person asked the others.
const ASKED_FOR: &str = "direct_asked:";
/// The beginning of facts about people whom this person asked without anybody knowing whether that arrived.
const UNSURE: &str = "direct_unsure:";
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
    /// Left a conversation of several for which they were willing then, and comes back by themselves or not at all.
    Left(i64),
    /// Does not want to hear from the other, who asked then and was not answered; 0: who did not ask since.
    Blocked(i64),
}

impl Stance {
    fn since_ms(self) -> i64 {
        match self {
            Self::Asked(ms) | Self::Willing(ms) | Self::Left(ms) | Self::Blocked(ms) => ms,
        }
    }

    /// As who does not want to hear of somebody any more.
    pub(crate) fn blocked(before: Option<Self>) -> Self {
        match before {
            Some(Self::Asked(ms) | Self::Blocked(ms)) => Self::Blocked(ms),
            Some(Self::Willing(_) | Self::Left(_)) | None => Self::Blocked(0),
        }
    }

    /// As everybody else may know it: who does not want to hear of somebody is one who was asked and does not answer.
    /// `None`: it is as if they were not asked.
    pub(crate) fn shown(self) -> Option<Self> {
        match self {
            Self::Blocked(0) => None,
            Self::Blocked(ms) => Some(Self::Asked(ms)),
            open => Some(open),
        }
    }

    /// Whether the other waits for an answer, as far as they know.
    pub(crate) fn is_unanswered(self) -> bool {
        matches!(self.shown(), Some(Self::Asked(_)))
    }

    fn written(self) -> String {
        let word = match self {
            Self::Asked(_) => "asked",
            Self::Willing(_) => "willing",
            Self::Left(_) => "left",
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
            "left" => Some(Self::Left(ms)),
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

/// Everybody that a person has to do with, in the order in which that began; whom they do not want to hear of comes
/// last. Nothing that those do moves them; who asks for the first time stands before them and moves their numbers.
pub(crate) fn list(facts: &Facts) -> Vec<(With, Stance)> {
    let known = facts.iter().filter_map(|(key, text)| {
        let peer = key.strip_prefix(PEER).map(|peer| With::Peer(peer.into()));
        let with = peer.or_else(|| group_of(key).map(|group| With::Group(group.to_owned())))?;
        Some((with, Stance::read(text)?))
    });
    let mut list: Vec<_> = known.collect();
    list.sort_by(|a, b| place(a).cmp(&place(b)));
    list
}

/// Whether something in a person's list began after this time. Nothing that those do whom they do not want to hear of
/// counts.
pub(crate) fn began_after(facts: &Facts, ms: i64) -> bool {
    let heard = |stance: &Stance| !matches!(stance, Stance::Blocked(_));
    list(facts).iter().any(|(_, stance)| heard(stance) && stance.since_ms() > ms)
}

fn place((with, stance): &(With, Stance)) -> (bool, i64, &With) {
    match stance {
        Stance::Blocked(_) => (true, 0, with),
        stance => (false, stance.since_ms(), with),
    }
}

/// Remembers that a person asked others for a conversation of several, whatever becomes of their own wish.
pub(crate) fn ask_for(group: &With) -> Changes {
    Changes::from([(format!("{ASKED_FOR}{}", group.id()), Some("yes".to_owned()))])
}

/// Conversations of several for which a person asked others.
pub(crate) fn asked_for(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.keys().filter_map(|key| key.strip_prefix(ASKED_FOR))
}

/// Remembers whether it is unknown that a question arrived which a person asked last.
pub(crate) fn be_unsure(of: &With, unsure: bool) -> Changes {
    Changes::from([(format!("{UNSURE}{}", of.id()), unsure.then(|| "yes".to_owned()))])
}

/// Whether nobody knows that it arrived.
pub(crate) fn is_unsure(facts: &Facts, of: &With) -> bool {
    facts.contains_key(&format!("{UNSURE}{}", of.id()))
}

/// Whether a fact of a chat is what its person decided in direct conversations.
pub fn is_of_people(fact: &str) -> bool {
    fact.starts_with(DIRECT)
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
            (all.clone(), Stance::Willing(4)),
            (peer("bo"), Stance::Willing(9)),
            (peer("di"), Stance::Blocked(5)),
        ];
        assert_eq!(list(&facts), listed);
        put(&mut facts, change(&peer("di"), None));
        assert_eq!(
            (stance(&facts, &peer("di")), stance(&facts, &peer("bo"))),
            (None, Some(Stance::Willing(9)))
        );
        facts.insert(peer("di").key(), "unheard-of@1".to_owned());
        assert_eq!(stance(&facts, &peer("di")), None);
        put(&mut facts, change(&all, Some(Stance::Left(4))));
        assert_eq!(stance(&facts, &all), Some(Stance::Left(4)));
        assert_eq!(asked_for(&facts).count(), 0);
        put(&mut facts, ask_for(&all));
        assert_eq!(asked_for(&facts).collect::<Vec<_>>(), ["g1"]);
        assert_eq!(list(&facts).len(), 3);
        put(&mut facts, be_unsure(&peer("bo"), true));
        assert!(is_unsure(&facts, &peer("bo")) && !is_unsure(&facts, &peer("cy")));
        assert_eq!(list(&facts).len(), 3, "it moves no number");
        put(&mut facts, be_unsure(&peer("bo"), false));
        assert!(!is_unsure(&facts, &peer("bo")));
    }

    #[test]
    fn who_is_blocked_sees_what_they_would_see_anyway() {
        let blocked = |before| Stance::blocked(before).shown();
        // Of one who was asked and does not answer, and of one who ended the conversation.
        assert_eq!(blocked(Some(Stance::Asked(7))), Some(Stance::Asked(7)));
        assert_eq!(blocked(Some(Stance::Willing(7))), None);
        assert_eq!(blocked(Some(Stance::Left(7))), None);
        assert_eq!(blocked(None), None);
        assert_eq!(Stance::blocked(Some(Stance::Blocked(7))), Stance::Blocked(7));
        for open in [Stance::Asked(7), Stance::Willing(7), Stance::Left(7)] {
            assert_eq!(open.shown(), Some(open));
        }
        assert!(Stance::Asked(7).is_unanswered() && Stance::Blocked(7).is_unanswered());
        assert!(!Stance::Blocked(0).is_unanswered() && !Stance::Left(7).is_unanswered());
    }

    #[test]
    fn who_is_blocked_does_not_move_the_numbers_of_a_list() {
        let peer = |id: &str| With::Peer(id.into());
        let mut facts = Facts::new();
        put(&mut facts, change(&peer("bo"), Some(Stance::Willing(9))));
        put(&mut facts, change(&peer("di"), Some(Stance::Blocked(0))));
        put(&mut facts, change(&peer("ed"), Some(Stance::Blocked(5))));
        let order = |facts: &Facts| list(facts).into_iter().map(|(with, _)| with).collect::<Vec<_>>();
        let before = order(&facts);
        put(&mut facts, change(&peer("di"), Some(Stance::Blocked(12))));
        assert_eq!(order(&facts), before);
        put(&mut facts, change(&peer("flo"), Some(Stance::Asked(12))));
        let after = [peer("bo"), peer("flo"), peer("di"), peer("ed")];
        assert_eq!(order(&facts), after, "who asks stands before them");
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
