//! Reading again: one message, what happened since, our own copies.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::operation::Candidate;
use dragoman_model::{Message, Post, RemoteMessage, Spokesman, codes};
use dragoman_platform::{Conversation, Failure, HistoryPage, HistoryQuery, Session, byline};
use serde::{Deserialize, Serialize};

use crate::api::CallError;
use crate::client::Client;
use crate::decode::{self, Own};
use crate::envelope::is_written;
use crate::files;
use crate::ids;
use crate::people;
use crate::reactions;
use crate::wire::answers::{Form, Messages, next};
use crate::wire::message as wire;

/// Messages per call. Slack recommends at most 200.
const PAGE: usize = 200;
/// Calls that one listing may take before it is given up: forty thousand messages.
const MOST_CALLS: usize = 200;
/// Threads that are read for one page; calls are limited to fifty a minute.
const THREADS_PER_PAGE: usize = 15;

/// How far Slack's clock may be from ours, in milliseconds: markers are unique, so that looking further back
/// finds nothing wrong.
const CLOCKS_MS: i64 = 120_000;

/// Where a listing goes on: ids and times only.
#[derive(Serialize, Deserialize)]
struct Place {
    /// Ranges of `ts`, oldest first, from the first included to the second not; an empty end is now.
    ranges: Vec<(String, String)>,
    /// Roots whose replies are wanted.
    threads: Vec<String>,
    /// How many of them the first range has had already.
    done: usize,
}

/// A part of a conversation or thread.
struct Range<'a> {
    channel: &'a str,
    thread: Option<&'a str>,
    /// Included.
    from: &'a str,
    /// Not included; empty is now.
    to: &'a str,
}

/// One page, as Slack gives it: newest first in conversations, oldest first in threads.
async fn page(
    client: &Client,
    session: &Session,
    range: &Range<'_>,
    cursor: Option<String>,
) -> Result<Messages, CallError> {
    let mut form = Form::from([
        ("channel", range.channel.to_owned()),
        ("limit", PAGE.to_string()),
        ("oldest", range.from.to_owned()),
        ("inclusive", "true".to_owned()),
        ("include_all_metadata", "true".to_owned()),
    ]);
    if !range.to.is_empty() {
        form.insert("latest", range.to.to_owned());
    }
    if let Some(cursor) = cursor {
        form.insert("cursor", cursor);
    }
    match range.thread {
        Some(root) => {
            form.insert("ts", root.to_owned());
            client.read(session, "conversations.replies", form).await
        }
        None => client.read(session, "conversations.history", form).await,
    }
}

/// Everything in a range, by `ts`.
async fn all(
    client: &Client,
    session: &Session,
    range: &Range<'_>,
    into: &mut BTreeMap<String, wire::Message>,
) -> Result<(), Failure> {
    let mut cursor = None;
    for _ in 0..MOST_CALLS {
        let answer = match page(client, session, range, cursor).await {
            // The root is gone, and its replies with it.
            Err(error) if range.thread.is_some() && error.word() == "thread_not_found" => return Ok(()),
            other => other.map_err(CallError::failure)?,
        };
        cursor = next(answer.response_metadata);
        for message in answer.messages {
            let Some(ts) = message.ts.clone() else { continue };
            if ts.as_str() >= range.from && (range.to.is_empty() || ts.as_str() < range.to) {
                into.insert(ts, message);
            }
        }
        if cursor.is_none() {
            return Ok(());
        }
    }
    Err(Failure::Refused(codes::NOT_RECOVERABLE))
}

/// A message in its current state.
pub(crate) async fn message(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    thread_root: Option<&RemoteMessage>,
    id: &RemoteMessage,
) -> Result<Option<Message>, Failure> {
    let channel = conversation.remote.as_str();
    // A reply whose root is not known is found through itself.
    let threads = match thread_root {
        Some(root) => vec![Some(root)],
        None => vec![None, Some(id)],
    };
    for thread in threads {
        let found = raw(client, session, channel, thread, id).await.map_err(CallError::failure)?;
        if let Some(found) = found {
            return if is_shown(&found) {
                understood(client, session, &found, id.as_str(), &Own::of(session)).await.map(Some)
            } else {
                Ok(None)
            };
        }
    }
    Ok(None)
}

/// A message as Slack shows it now, among those of a conversation or of a thread.
pub(crate) async fn raw(
    client: &Client,
    session: &Session,
    channel: &str,
    thread: Option<&RemoteMessage>,
    id: &RemoteMessage,
) -> Result<Option<wire::Message>, CallError> {
    let ts = id.as_str();
    let mut form = Form::from([
        ("channel", channel.to_owned()),
        ("oldest", ts.to_owned()),
        ("latest", ts.to_owned()),
        ("inclusive", "true".to_owned()),
        ("include_all_metadata", "true".to_owned()),
        // Threads begin with their root on every page.
        ("limit", "10".to_owned()),
    ]);
    let answer: Result<Messages, CallError> = match thread {
        Some(root) => {
            form.insert("ts", root.as_str().to_owned());
            client.read(session, "conversations.replies", form).await
        }
        None => client.read(session, "conversations.history", form).await,
    };
    match answer {
        Ok(answer) => Ok(answer.messages.into_iter().find(|message| message.ts.as_deref() == Some(ts))),
        Err(error) if matches!(error.word(), "thread_not_found" | "message_not_found") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Messages since a moment, oldest first.
pub(crate) async fn history(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    query: &HistoryQuery,
) -> Result<HistoryPage, Failure> {
    let channel = conversation.remote.as_str();
    let mut found = BTreeMap::new();
    let mut place = match &query.cursor {
        Some(cursor) => serde_json::from_str(cursor).map_err(|_| Failure::Refused(codes::BAD_REQUEST))?,
        None => survey(client, session, channel, query, &mut found).await?,
    };
    let Some((from, to)) = place.ranges.first().cloned() else {
        return Ok(HistoryPage { messages: Vec::new(), reactions: None, next: None });
    };
    let range = |thread| Range { channel, thread, from: &from, to: &to };
    if found.is_empty() && place.done == 0 {
        all(client, session, &range(None), &mut found).await?;
    }
    let end = place.threads.len().min(place.done + THREADS_PER_PAGE);
    for root in &place.threads[place.done.min(end)..end] {
        all(client, session, &range(Some(root)), &mut found).await?;
    }
    if end == place.threads.len() {
        place.ranges.remove(0);
        place.done = 0;
    } else {
        place.done = end;
    }
    let more = !place.ranges.is_empty();
    let next = more.then(|| serde_json::to_string(&place)).transpose();
    let own = Own::of(session);
    let mut messages = Vec::with_capacity(found.len());
    for (ts, message) in found.iter().filter(|(_, message)| is_shown(message)) {
        messages.push(understood(client, session, message, ts, &own).await?);
    }
    let reactions = reactions::of_page(session, found.iter());
    Ok(HistoryPage { messages, reactions, next: next.map_err(|_| Failure::Malformed(codes::MALFORMED))? })
}

/// Slack lists from new to old, we have to go from old to new: the first pass keeps the borders of the pages,
/// the roots with new replies, and the messages of the oldest page.
async fn survey(
    client: &Client,
    session: &Session,
    channel: &str,
    query: &HistoryQuery,
    oldest_page: &mut BTreeMap<String, wire::Message>,
) -> Result<Place, Failure> {
    let since = ids::ts_of(query.since_ms);
    let range = Range { channel, thread: None, from: &since, to: "" };
    let mut threads: BTreeSet<String> = query.threads.iter().map(|root| root.as_str().to_owned()).collect();
    let mut borders = Vec::new();
    let mut cursor = None;
    for _ in 0..MOST_CALLS {
        let answer = page(client, session, &range, cursor).await.map_err(CallError::failure)?;
        cursor = next(answer.response_metadata);
        oldest_page.clear();
        for message in answer.messages {
            let Some(ts) = message.ts.clone() else { continue };
            if message.latest_reply.as_ref().is_some_and(|latest| *latest >= since) {
                threads.insert(ts.clone());
            }
            oldest_page.insert(ts, message);
        }
        if cursor.is_none() {
            return Ok(Place {
                ranges: ranges(&since, borders),
                threads: threads.into_iter().collect(),
                done: 0,
            });
        }
        if let Some((first, _)) = oldest_page.first_key_value() {
            borders.push(first.clone());
        }
    }
    Err(Failure::Refused(codes::NOT_RECOVERABLE))
}

/// Ranges between the borders, which come newest first.
fn ranges(since: &str, borders: Vec<String>) -> Vec<(String, String)> {
    let mut from = since.to_owned();
    let mut ranges = Vec::with_capacity(borders.len() + 1);
    for border in borders.into_iter().rev() {
        ranges.push((std::mem::replace(&mut from, border.clone()), border));
    }
    ranges.push((from, String::new()));
    ranges
}

/// Copies with the post's marker, oldest first; and of a post without text messages with files alone, which carry no
/// marker: ours, and in the author's name. What the app posted is none of a person's, nor the other way round: only who
/// posted it can delete it.
pub(crate) async fn find(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    post: &Post,
    since_ms: i64,
) -> Result<Vec<Candidate>, Failure> {
    let arrived = files::under_way(client, session, post).await?;
    if !arrived.is_empty() {
        return Ok(arrived);
    }
    let since = ids::ts_of(since_ms.saturating_sub(CLOCKS_MS));
    let range = Range {
        channel: conversation.remote.as_str(),
        thread: post.thread_root.as_ref().map(RemoteMessage::as_str),
        from: &since,
        to: "",
    };
    let mut found = BTreeMap::new();
    all(client, session, &range, &mut found).await?;
    let own = Own::of(session);
    let texts =
        [post.body.clone(), byline::above(&post.body, &post.author)].map(dragoman_markup::degrade::slack);
    let bare = post.body.blocks.is_empty();
    let as_app = post.spokesman == Spokesman::App;
    Ok(found
        .iter()
        .map(|(ts, message)| (message, decode::message(message, ts, &own)))
        .filter(|(wire, message)| {
            // With a name of its author's, what the app posted has perhaps no user; and where nobody said which is the
            // app's, every one may be.
            let by_app = wire.user.as_deref().is_none_or(|user| user == own.bot_user);
            let fits = by_app == as_app || own.bot_user.is_empty();
            let ours = message.origin.ours || client.uploads.hold_any(&message.files);
            let marked = message.origin.marker.as_ref() == Some(&post.marker);
            let file = message.origin.marker.is_none()
                && !message.files.is_empty()
                && names(wire, post)
                && (bare || texts.contains(&message.body));
            fits && ours && (marked || file)
        })
        .map(|(_, message)| Candidate {
            at_ms: message.sent_at_ms,
            version: message.version,
            same: bare || texts.contains(&message.body),
            file: message.files.into_iter().next().map(|file| file.name),
            beside: None,
            message: message.id,
        })
        .collect())
}

/// Whether a message shows the name of a post's author, or none of its own.
fn names(message: &wire::Message, post: &Post) -> bool {
    let shown = message.username.as_deref().filter(|name| !name.is_empty());
    shown.is_none_or(|name| !byline::is_named(&post.author) || name == byline::label(&post.author))
}

/// A message in canonical form, its author settled.
async fn understood(
    client: &Client,
    session: &Session,
    wire: &wire::Message,
    ts: &str,
    own: &Own,
) -> Result<Message, Failure> {
    let mut message = decode::message(wire, ts, own);
    if decode::is_ambiguous(wire, own) {
        people::settle(client, session, &mut message).await?;
    }
    message.origin.ours |= client.uploads.hold_any(&message.files);
    Ok(message)
}

fn is_shown(message: &wire::Message) -> bool {
    is_written(message.subtype.as_deref(), message.hidden.unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_become_ranges_without_gaps_from_old_to_new() {
        let text = |text: &str| text.to_owned();
        assert_eq!(ranges("1", vec![]), [(text("1"), text(""))]);
        assert_eq!(
            ranges("1", vec![text("9"), text("5")]),
            [(text("1"), text("5")), (text("5"), text("9")), (text("9"), text(""))]
        );
    }
}
