//! Reading what no webhook brought: what happened since, edits, our own copies.

use std::collections::BTreeSet;

use dragoman_model::operation::Candidate;
use dragoman_model::{Message, Post, RemoteMessage, Spokesman, codes};
use dragoman_platform::{Conversation, Failure, HistoryPage, HistoryQuery, Session, TokenSlot, byline};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::capabilities::{reads_compliance_events, sees_mentions_only};
use crate::client::{Client, Listed};
use crate::decode::{self, Own};
use crate::encode;
use crate::errors::Trouble;
use crate::wire::answers as wire;
use crate::{files, ids, operate, source};

/// Messages per call; more is slow in busy spaces ("504: reduce max").
const PAGE: &str = "100";
/// Calls that one listing may take before it is given up: twenty thousand messages.
const MOST_CALLS: usize = 200;
/// Edits of older messages that one listing fetches.
const MOST_EDITS: usize = 100;
/// Messages of one page whose files are asked for their names; those of the others stay without.
const MOST_NAMED: usize = 100;
/// How far Webex's clock may be from ours, in milliseconds: what we look for says the same, so that looking further
/// back finds nothing wrong.
const CLOCKS_MS: i64 = 120_000;

/// Where a listing goes on: times only.
#[derive(Serialize, Deserialize)]
struct Place {
    /// Ranges of times of creation, oldest first, from the first included to the second not.
    ranges: Vec<(i64, i64)>,
}

/// A part of a space.
struct Range<'a> {
    room: &'a str,
    mentions_only: bool,
    /// Included.
    from_ms: i64,
    /// Not included; the largest is now.
    to_ms: i64,
}

impl Range<'_> {
    fn url(&self, client: &Client) -> Url {
        let before = ids::time(self.to_ms);
        let mut query = vec![("roomId", self.room), ("max", PAGE)];
        if self.mentions_only {
            query.push(("mentionedPeople", "me"));
        }
        if self.to_ms != i64::MAX {
            query.push(("before", &before));
        }
        client.url(&["messages"], &query)
    }

    fn holds(&self, message: &wire::Message) -> bool {
        created_ms(message).is_some_and(|at_ms| (self.from_ms..self.to_ms).contains(&at_ms))
    }
}

fn created_ms(message: &wire::Message) -> Option<i64> {
    message.created.as_deref().and_then(ids::millis)
}

/// The time of the oldest message of a page; pages come newest first.
fn oldest_ms(messages: &[wire::Message]) -> Option<i64> {
    messages.iter().filter_map(created_ms).min()
}

/// Everything in a range, newest first.
async fn all(
    client: &Client,
    session: &Session,
    slot: &TokenSlot,
    range: &Range<'_>,
) -> Result<Vec<wire::Message>, Failure> {
    let mut found = Vec::new();
    let mut next = Some(range.url(client));
    for _ in 0..MOST_CALLS {
        let Some(url) = next else { return Ok(found) };
        let page: Listed<wire::Message> = client.list(session, slot, url).await.map_err(Trouble::failure)?;
        let done = oldest_ms(&page.items).is_some_and(|oldest_ms| oldest_ms < range.from_ms);
        found.extend(page.items.into_iter().filter(|message| range.holds(message)));
        next = page.next.filter(|_| !done);
    }
    if next.is_none() { Ok(found) } else { Err(Failure::Refused(codes::NOT_RECOVERABLE)) }
}

/// Messages since a moment, oldest first. Replies stand among them, so that threads need no calls of their own.
pub(crate) async fn history(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    query: &HistoryQuery,
) -> Result<HistoryPage, Failure> {
    let mentions_only = sees_mentions_only(&session.installation, conversation);
    let range = |from_ms, to_ms| Range { room: conversation.remote.as_str(), mentions_only, from_ms, to_ms };
    let own = Own::of(session);
    let mut messages = Vec::new();
    let (mut place, found) = if let Some(cursor) = &query.cursor {
        let place: Place = serde_json::from_str(cursor).map_err(|_| Failure::Refused(codes::BAD_REQUEST))?;
        let Some((from_ms, to_ms)) = place.ranges.first().copied() else {
            return Ok(HistoryPage { messages, reactions: None, next: None });
        };
        let found = all(client, session, &TokenSlot::App, &range(from_ms, to_ms)).await?;
        (place, found)
    } else {
        let survey = survey(client, session, &range(query.since_ms, i64::MAX)).await?;
        messages.extend(older_edits(client, session, conversation, query.since_ms).await);
        survey
    };
    place.ranges.remove(0);
    // What cannot be decrypted now is left out: whoever misses it asks for it by its id.
    let mut named = 0;
    for wire in found.iter().filter(|message| !message.is_unreadable()) {
        let Some(mut message) = decode::message(wire, conversation.remote.as_str(), &own) else { continue };
        if !message.origin.ours && !wire.files.is_empty() && named < MOST_NAMED {
            named += 1;
            files::name(client, session, &wire.files, &mut message).await;
        }
        messages.push(message);
    }
    messages.sort_by(|a, b| (a.sent_at_ms, &a.id).cmp(&(b.sent_at_ms, &b.id)));
    messages.dedup_by(|a, b| a.id == b.id);
    let more = !place.ranges.is_empty();
    let next = more.then(|| serde_json::to_string(&place)).transpose();
    Ok(HistoryPage {
        messages,
        reactions: None,
        next: next.map_err(|_| Failure::Malformed(codes::MALFORMED))?,
    })
}

/// Webex lists from new to old, we have to go from old to new: the first pass keeps the times at which pages end, and
/// the messages of the oldest.
async fn survey(
    client: &Client,
    session: &Session,
    range: &Range<'_>,
) -> Result<(Place, Vec<wire::Message>), Failure> {
    let mut borders = Vec::new();
    let mut next = Some(range.url(client));
    for _ in 0..MOST_CALLS {
        let Some(url) = next.take() else { break };
        let page: Listed<wire::Message> =
            client.list(session, &TokenSlot::App, url).await.map_err(Trouble::failure)?;
        let oldest_ms = oldest_ms(&page.items);
        let done = oldest_ms.is_some_and(|oldest_ms| oldest_ms < range.from_ms);
        if done || page.next.is_none() {
            let ranges = ranges(range.from_ms, borders);
            let (from_ms, to_ms) = ranges.first().copied().unwrap_or((range.from_ms, i64::MAX));
            let oldest = Range { from_ms, to_ms, ..*range };
            let found = page.items.into_iter().filter(|message| oldest.holds(message)).collect();
            return Ok((Place { ranges }, found));
        }
        borders.extend(oldest_ms.filter(|border| borders.last().is_none_or(|last| border < last)));
        next = page.next;
    }
    Err(Failure::Refused(codes::NOT_RECOVERABLE))
}

/// Ranges between the borders, which come newest first. What was created at a border belongs to the newer range.
fn ranges(from_ms: i64, borders: Vec<i64>) -> Vec<(i64, i64)> {
    let mut from_ms = from_ms;
    let mut ranges = Vec::with_capacity(borders.len() + 1);
    for border in borders.into_iter().rev() {
        ranges.push((std::mem::replace(&mut from_ms, border), border));
    }
    ranges.push((from_ms, i64::MAX));
    ranges
}

/// Messages that are older than a listing and were edited since, from the organisation's events ("List Events"), where
/// a compliance officer granted them. What the events say is not read; only the bridged space is looked at.
async fn older_edits(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    since_ms: i64,
) -> Vec<Message> {
    if !reads_compliance_events(&session.installation) {
        return Vec::new();
    }
    let from = ids::time(since_ms);
    let query = [("resource", "messages"), ("type", "updated"), ("from", from.as_str()), ("max", PAGE)];
    let mut edited = BTreeSet::new();
    let mut next = Some(client.url(&["events"], &query));
    for _ in 0..MOST_CALLS {
        let Some(url) = next.take() else { break };
        let page: Listed<wire::ComplianceEvent> = match client.list(session, &TokenSlot::App, url).await {
            Ok(page) => page,
            Err(trouble) => {
                tracing::warn!(code = %trouble.failure().code(), "the organisation's events cannot be read; edits of older messages may be missed");
                break;
            }
        };
        for data in page.items.into_iter().filter_map(|event| event.data) {
            let here = data.room_id.is_some_and(|room| ids::same(&room, conversation.remote.as_str()));
            if let Some(id) = data.id.filter(|_| here && edited.len() < MOST_EDITS) {
                edited.insert(ids::message(conversation.remote.as_str(), &id));
            }
        }
        next = page.next;
    }
    let mut found = Vec::new();
    for id in edited {
        match source::message(client, session, conversation, &id).await {
            Ok(Some(message)) if message.sent_at_ms < since_ms => found.push(message),
            Ok(_) => {}
            Err(failure) => tracing::debug!(code = %failure.code(), "an edited message could not be read"),
        }
    }
    found
}

/// Messages of ours in the same thread that begin with an author's name or, in a person's name, say what the post says;
/// oldest first.
pub(crate) async fn find(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    post: &Post,
    since_ms: i64,
) -> Result<Vec<Candidate>, Failure> {
    let slot = operate::slot(&post.spokesman);
    let author = match &post.spokesman {
        Spokesman::App => Own::of(session).person,
        Spokesman::Person(person) => Some(operate::account(client, session, person).await?),
    };
    let range = Range {
        room: conversation.remote.as_str(),
        mentions_only: false,
        from_ms: since_ms.saturating_sub(CLOCKS_MS),
        to_ms: i64::MAX,
    };
    let sent = encode::text(post);
    let said = encode::squeezed(&dragoman_markup::degrade::webex(encode::shown(post, &post.body)));
    let same_root = |root: Option<&RemoteMessage>| match (root, &post.thread_root) {
        (Some(a), Some(b)) => ids::same(a.as_str(), b.as_str()),
        (None, None) => true,
        _ => false,
    };
    let as_app = post.spokesman == Spokesman::App;
    let mut found: Vec<(Message, bool)> = Vec::new();
    for wire in all(client, session, &slot, &range).await? {
        let decoded = decode::message(&wire, conversation.remote.as_str(), &Own::default());
        let Some(mut message) = decoded else { continue };
        let theirs = message.author.user.is_some() && message.author.user == author;
        // The markdown comes back as it was sent; where it does not, what it shows is compared.
        let same = match wire.markdown.as_deref().filter(|_| wire.updated.is_none()) {
            Some(markdown) => markdown == sent.markdown,
            None => encode::squeezed(&message.body) == said,
        };
        let fits = same || as_app && byline::may_be(&message.body, post);
        if theirs && fits && same_root(message.thread_root.as_ref()) {
            files::name(client, session, &wire.files, &mut message).await;
            found.push((message, same));
        }
    }
    found.sort_by(|(a, _), (b, _)| (a.sent_at_ms, &a.id).cmp(&(b.sent_at_ms, &b.id)));
    let candidate = |(message, same): (Message, bool)| Candidate {
        at_ms: message.sent_at_ms,
        version: message.version,
        message: message.id,
        same,
        file: message.files.into_iter().next().map(|file| file.name),
        beside: None,
    };
    Ok(found.into_iter().map(candidate).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_ranges_without_gaps_from_old_to_new() {
        assert_eq!(ranges(1, vec![]), [(1, i64::MAX)]);
        assert_eq!(ranges(1, vec![9, 5]), [(1, 5), (5, 9), (9, i64::MAX)]);
    }
}
