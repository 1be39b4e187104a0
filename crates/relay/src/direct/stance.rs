//! Who wants to write with whom, as facts of each person's chat with the app: ids and times, nothing else. Pure.

use dragoman_model::ConversationId;
use dragoman_platform::{ConversationKind, Facts};

/// The fact with the id of the person whose chat with the app this is.
pub(crate) const PERSON: &str = "direct_person";
/// The beginning of facts about other people's chats.
const PEER: &str = "direct_peer:";

/// How a person stands to another. Times are milliseconds since 1970.
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

/// How the person of a chat stands to the person of another.
pub(crate) fn stance(facts: &Facts, peer: &ConversationId) -> Option<Stance> {
    facts.get(&key(peer)).and_then(|text| Stance::read(text))
}

/// Sets or, with `None`, forgets it.
pub(crate) fn set(facts: &mut Facts, peer: &ConversationId, stance: Option<Stance>) {
    match stance {
        Some(stance) => facts.insert(key(peer), stance.written()),
        None => facts.remove(&key(peer)),
    };
}

/// Everybody that a person has to do with, in the order in which that began.
pub(crate) fn peers(facts: &Facts) -> Vec<(ConversationId, Stance)> {
    let known = facts.iter().filter_map(|(key, text)| {
        let peer = key.strip_prefix(PEER)?;
        Some((ConversationId::from(peer), Stance::read(text)?))
    });
    let mut peers: Vec<_> = known.collect();
    peers.sort_by(|a, b| (a.1.since_ms(), &a.0).cmp(&(b.1.since_ms(), &b.0)));
    peers
}

/// Whether two chats with the app that are linked are so because their people asked for it, not by an operator. One who
/// is just leaving has nothing to do with the other any more.
pub(crate) fn is_direct(members: [(&ConversationId, ConversationKind, &Facts); 2]) -> bool {
    let [(one, one_kind, one_facts), (other, other_kind, other_facts)] = members;
    [one_kind, other_kind] == [ConversationKind::Direct; 2]
        && (stance(one_facts, other).is_some() || stance(other_facts, one).is_some())
}

fn key(peer: &ConversationId) -> String {
    format!("{PEER}{peer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stances_are_read_as_they_were_written_and_listed_from_old_to_new() {
        let (bo, cy, di) = ("bo".into(), "cy".into(), "di".into());
        let mut facts = Facts::from([("service_url".to_owned(), "x".to_owned())]);
        set(&mut facts, &bo, Some(Stance::Willing(9)));
        set(&mut facts, &cy, Some(Stance::Asked(3)));
        set(&mut facts, &di, Some(Stance::Blocked(5)));
        let listed =
            [(cy, Stance::Asked(3)), (di.clone(), Stance::Blocked(5)), (bo.clone(), Stance::Willing(9))];
        assert_eq!(peers(&facts), listed);
        set(&mut facts, &di, None);
        assert_eq!((stance(&facts, &di), stance(&facts, &bo)), (None, Some(Stance::Willing(9))));
        facts.insert(key(&di), "unheard-of@1".to_owned());
        assert_eq!(stance(&facts, &di), None);
    }

    #[test]
    fn a_link_is_direct_where_people_have_to_do_with_each_other() {
        let (ana, bo): (ConversationId, ConversationId) = ("ana".into(), "bo".into());
        let (mut of_ana, mut of_bo) = (Facts::new(), Facts::new());
        let direct = |of_ana: &Facts, of_bo: &Facts, kind| {
            is_direct([(&ana, ConversationKind::Direct, of_ana), (&bo, kind, of_bo)])
        };
        assert!(!direct(&of_ana, &of_bo, ConversationKind::Direct), "an operator linked them");
        set(&mut of_ana, &bo, Some(Stance::Willing(1)));
        assert!(direct(&of_ana, &of_bo, ConversationKind::Direct));
        assert!(!direct(&of_ana, &of_bo, ConversationKind::Channel));
        set(&mut of_ana, &bo, None);
        set(&mut of_bo, &ana, Some(Stance::Willing(2)));
        assert!(direct(&of_ana, &of_bo, ConversationKind::Direct));
    }
}
