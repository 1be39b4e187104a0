//! Reactions as a platform lists them, compared with what is recorded: after a gap, and where the payload of an event is
//! gone. Who reacted meanwhile and who took it back goes the way of every other reaction.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{
    ConversationId, Event, EventKind, Happening, ListedReaction, ReactionChange, RemoteMessage, codes,
};
use dragoman_platform::Failure;
use dragoman_store::{LaneId, OriginalRow, ReactionKey, ReactionRow, Standing};

use crate::core::Relay;
use crate::directory::{Route, Spot};
use crate::error::RelayError;
use crate::leg::LiveEvent;
use crate::reaction_plan::is_note;
use crate::reactions::{KEPT_MS, UNSET_MS};

/// A listing says nothing of what happened so shortly before it, in milliseconds: platforms need a moment, and clocks
/// differ.
pub(crate) const SETTLED_MS: i64 = 5_000;
/// Parts of a copy whose reactions are read.
const MOST_PARTS: usize = 20;

/// Who reacted to a message in one conversation, as its platform lists it.
pub(crate) struct Look {
    /// Each with when it was set, as far as that is told.
    pub(crate) listed: Vec<ListedReaction>,
    /// When it was read, milliseconds since 1970.
    pub(crate) read_ms: i64,
}

impl Look {
    /// Everything that is there, as changes.
    pub(crate) fn changes(&self) -> Vec<ReactionChange> {
        let at = |at_ms: Option<i64>| at_ms.unwrap_or(self.read_ms - SETTLED_MS);
        let each = self.listed.iter().flat_map(|listed| listed.by.iter().map(move |by| (listed, by)));
        each.map(|(listed, (by, at_ms))| ReactionChange {
            by: by.clone(),
            emoji: listed.emoji.clone(),
            set: true,
            at_ms: at(*at_ms),
        })
        .collect()
    }
}

/// What is recorded of people in a conversation and is not there any more. `listed`: digests of emoji and who is listed
/// with them; of `cut` ones not everybody is.
fn taken_back<'a>(
    known: &'a [ReactionRow],
    at: &'a ConversationId,
    listed: &'a BTreeSet<(Vec<u8>, String)>,
    cut: &'a BTreeSet<Vec<u8>>,
) -> impl Iterator<Item = &'a ReactionKey> {
    known
        .iter()
        .filter(move |row| !row.key.ours && row.key.conversation == *at && row.standing == Standing::Set)
        .map(|row| &row.key)
        .filter(|key| !cut.contains(&key.emoji) && !listed.contains(&(key.emoji.clone(), key.who.clone())))
}

/// Whether what is told of a reaction is news: the later word holds, and what is known is not written again, as two
/// lanes bring the same.
fn is_news(row: &ReactionRow, before: Option<&ReactionRow>) -> bool {
    before.is_none_or(|it| row.at_ms >= it.at_ms && row.standing != it.standing)
}

/// Whether a listing tells otherwise than what happened just before it, so that only the next one shows what holds.
fn is_open(row: &ReactionRow, before: Option<&ReactionRow>, settled_ms: i64) -> bool {
    before.is_some_and(|it| it.standing != row.standing && it.at_ms > settled_ms)
}

/// What is news of the reactions to a message.
pub(crate) struct News {
    /// To be recorded.
    pub(crate) rows: Vec<ReactionRow>,
    /// Whether it has to be looked at again before everything is known.
    pub(crate) unsettled: bool,
}

impl Relay {
    /// What of these changes at a source is news. `look`: what is recorded and does not stand there is news as well.
    pub(crate) async fn news(
        &self,
        source: &Spot,
        of: (&ConversationId, &RemoteMessage),
        changes: Vec<ReactionChange>,
        look: Option<&Look>,
    ) -> Result<News, RelayError> {
        let known = self.store().reactions(of).await?;
        let directory = self.directory();
        let installation = &source.place.session.installation.id;
        let now_ms = self.now_ms();
        let settled_ms = look.map_or(i64::MAX, |look| look.read_ms - SETTLED_MS);
        let mut unsettled = false;
        let mut rows: Vec<ReactionRow> = Vec::new();
        let mut seen = BTreeSet::new();
        for change in changes {
            let emoji = self.emoji_digest(source, of, &change.emoji).await?;
            if look.is_some() {
                seen.insert((emoji.clone(), change.by.to_string()));
            }
            let person = directory.person(installation, &change.by);
            let echo = change.set
                && person.is_some_and(|person| {
                    known.iter().any(|row| {
                        row.key.ours
                            && row.key.conversation == source.id
                            && row.key.who == person.as_str()
                            && row.key.emoji == emoji
                            && !matches!(row.standing, Standing::Refused | Standing::Unset)
                    })
                });
            if echo {
                continue;
            }
            let who = change.by.to_string();
            let key = ReactionKey { conversation: source.id.clone(), ours: false, who, emoji };
            let mut row = unset(key, change.at_ms, now_ms);
            if change.set {
                row.standing = Standing::Set;
                row.until_ms = now_ms + KEPT_MS;
            }
            let before = rows.iter().rev().chain(&known).find(|it| it.key == row.key);
            unsettled |= is_open(&row, before, settled_ms);
            if !is_news(&row, before) {
                continue;
            }
            if change.set {
                row.sealed_emoji = self.seal_emoji(source, of, &row.key.emoji, &change.emoji).await?;
            }
            rows.push(row);
        }
        if let Some(look) = look {
            let mut cut = BTreeSet::new();
            for listed in look.listed.iter().filter(|listed| !listed.complete) {
                cut.insert(self.emoji_digest(source, of, &listed.emoji).await?);
            }
            for key in taken_back(&known, &source.id, &seen, &cut) {
                let row = unset(key.clone(), settled_ms, now_ms);
                let before = known.iter().find(|it| it.key == row.key);
                unsettled |= is_open(&row, before, settled_ms);
                if is_news(&row, before) {
                    rows.push(row);
                }
            }
        }
        Ok(News { rows, unsettled })
    }

    /// Reads the reactions that stand at a message of a source: of a copy, at all its parts. `None`: it is gone.
    pub(crate) async fn look_at_reactions(
        &self,
        live: &LiveEvent,
        source: &Spot,
    ) -> Result<Result<Option<Event>, Failure>, RelayError> {
        let row = &live.row;
        let Some(message) = &row.message else { return Ok(Err(Failure::Malformed(codes::NOT_REREADABLE))) };
        let mut parts = vec![(message.clone(), row.thread_root.clone())];
        if let Some((original, _)) = self.store().original_of_copy(&source.id, message).await? {
            let copies = self.store().copies((&original.conversation, &original.message), &source.id).await?;
            let copies = copies.into_iter().filter(|copy| !is_note(copy) && copy.message != *message);
            parts.extend(copies.take(MOST_PARTS).map(|copy| (copy.message, copy.thread_root)));
        }
        let read_ms = self.now_ms();
        let place = &source.place;
        let mut listed = Vec::new();
        for (index, (part, root)) in parts.iter().enumerate() {
            let read = place.connector.reactions(&place.session, &source.conversation, root.as_ref(), part);
            match read.await {
                Ok(Some(reactions)) => listed.extend(reactions),
                Ok(None) if index == 0 => return Ok(Ok(None)),
                Ok(None) => {}
                // What is recorded is done all the same.
                Err(Failure::Refused(_) | Failure::Malformed(_)) => {
                    return Ok(Err(Failure::Malformed(codes::NOT_REREADABLE)));
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
        let happening = Happening::ReactionsListed { message: message.clone(), listed };
        Ok(Ok(Some(Event {
            conversation: Some(source.conversation.remote.clone()),
            at_ms: read_ms,
            happening,
        })))
    }

    /// Reactions that were set or taken back unheard, at messages that a listing shows: they are read again when their
    /// turn comes. `new`: messages that are on their way. How many messages are concerned.
    pub(crate) async fn catch_up_with_reactions(
        &self,
        spot: &Spot,
        route: &Route,
        listed: Vec<ReactedTo>,
        new: &BTreeSet<RemoteMessage>,
        read_ms: i64,
    ) -> Result<usize, RelayError> {
        let mut found = 0;
        let mut looks: BTreeMap<(ConversationId, RemoteMessage), ReactedTo> = BTreeMap::new();
        let mut unheard = Vec::new();
        for one in listed {
            match self.reacted_original(spot, &one.message).await? {
                // The parts of a copy are one message.
                Some(OriginalRow { conversation, message, .. }) => match looks.entry((conversation, message))
                {
                    Entry::Occupied(mut look) => look.get_mut().reactions.extend(one.reactions),
                    Entry::Vacant(new) => {
                        new.insert(one);
                    }
                },
                None if new.contains(&one.message) && !one.reactions.is_empty() => unheard.push(one),
                None => {}
            }
        }
        let mut unsettled = false;
        for ((conversation, message), one) in looks {
            let look = Look { listed: one.reactions, read_ms };
            let news = self.news(spot, (&conversation, &message), look.changes(), Some(&look)).await?;
            unsettled |= news.unsettled;
            if !news.rows.is_empty() {
                unheard.push(ReactedTo { reactions: Vec::new(), ..one });
            }
        }
        if unsettled {
            self.catch_up_soon(spot.id.clone(), self.now_ms() + SETTLED_MS);
        }
        for one in unheard {
            found += 1;
            // After what is listed, and so after its message.
            let order = self.now_ms().saturating_mul(1000);
            let lanes = route.targets.iter().cloned().map(LaneId::Conversation).collect();
            let (message, root) = (&one.message, one.thread_root);
            self.append_into(spot, route, message, root, EventKind::Reaction, order, lanes).await?;
        }
        Ok(found)
    }

    /// The original that a message of a conversation is, or is a copy of. `None`: it is not in the map, or is a note.
    pub(crate) async fn reacted_original(
        &self,
        spot: &Spot,
        message: &RemoteMessage,
    ) -> Result<Option<OriginalRow>, RelayError> {
        if let Some(original) = self.store().original(&spot.id, message).await? {
            return Ok(Some(original));
        }
        let copy = self.store().original_of_copy(&spot.id, message).await?;
        Ok(copy.filter(|(_, copy)| !is_note(copy)).map(|(original, _)| original))
    }
}

/// A message of a listing and the reactions that stand at it.
pub(crate) struct ReactedTo {
    pub(crate) message: RemoteMessage,
    pub(crate) thread_root: Option<RemoteMessage>,
    pub(crate) reactions: Vec<ListedReaction>,
}

/// That somebody took a reaction back. Nobody asks any more with what; that it was so is known as long as a late delivery
/// may tell otherwise.
fn unset(key: ReactionKey, at_ms: i64, now_ms: i64) -> ReactionRow {
    let standing = Standing::Unset;
    ReactionRow { key, sealed_emoji: Vec::new(), standing, at_ms, until_ms: now_ms + UNSET_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(conversation: &str, ours: bool, who: &str, standing: Standing) -> ReactionRow {
        let key =
            ReactionKey { conversation: conversation.into(), ours, who: who.to_owned(), emoji: vec![1] };
        ReactionRow { standing, ..unset(key, 100, 0) }
    }

    #[test]
    fn only_what_should_be_listed_and_is_not_was_taken_back() {
        let known = [
            row("here", false, "listed", Standing::Set),
            row("here", false, "gone", Standing::Set),
            row("here", false, "gone-before", Standing::Unset),
            row("here", true, "app", Standing::Set),
            row("there", false, "elsewhere", Standing::Set),
        ];
        let here = "here".into();
        let listed = BTreeSet::from([(vec![1], "listed".to_owned())]);
        let gone = |cut: &BTreeSet<Vec<u8>>| {
            taken_back(&known, &here, &listed, cut).map(|key| key.who.clone()).collect::<Vec<_>>()
        };
        assert_eq!(gone(&BTreeSet::new()), ["gone"]);
        assert!(
            gone(&BTreeSet::from([vec![1]])).is_empty(),
            "a list that is cut off tells of nobody's removal"
        );
    }

    #[test]
    fn what_happened_just_before_a_listing_holds_against_it() {
        let live = row("here", false, "U1", Standing::Set);
        let told = |at_ms| ReactionRow { at_ms, ..row("here", false, "U1", Standing::Unset) };
        assert!(!is_news(&told(99), Some(&live)), "the listing may be older than the event");
        assert!(is_news(&told(100), Some(&live)));
        assert!(!is_news(&live, Some(&live)), "two lanes bring the same");
        assert!(is_open(&told(99), Some(&live), 99), "it is looked at again");
        assert!(!is_open(&told(100), Some(&live), 100) && !is_open(&live, Some(&live), 0));
        let look = Look {
            listed: vec![ListedReaction {
                emoji: dragoman_model::Emoji::Unicode("👍".to_owned()),
                by: vec![("U1".into(), None), ("U2".into(), Some(7))],
                complete: true,
            }],
            read_ms: 10_000,
        };
        assert_eq!(look.changes().iter().map(|it| it.at_ms).collect::<Vec<_>>(), [5_000, 7]);
    }
}
