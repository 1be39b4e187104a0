//! Reading what happened: after a gap, and after a send whose answer was lost.
//!
//! Polling is not allowed by the platform's terms; these reads happen on recovery only, always with a date.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::operation::Candidate;
use dragoman_model::{Post, RemoteMessage, Spokesman, Version};
use dragoman_platform::{Conversation, Failure, HistoryPage, HistoryQuery, Session, byline};

use crate::body::{self, Body};
use crate::connector::TeamsConnector;
use crate::consent::{self, Card};
use crate::decode;
use crate::encode;
use crate::errors::Trouble;
use crate::ids::{format_time, is_channel, segment};
use crate::reactions;
use crate::wire::Collection;
use crate::wire::message::ChatMessage;

/// Pages of one read; beyond them the oldest are not recovered.
const PAGES: usize = 200;
/// Threads that are read although nothing in the list says that they changed.
const THREADS: usize = 50;
/// The platform's clock and ours may differ by this much.
const CLOCKS_MS: i64 = 60_000;

impl TeamsConnector {
    /// Everything since a moment as one page. Graph lists the newest first and by the last change of whole
    /// threads, so what is oldest is known only at the end.
    pub(crate) async fn read_history(
        &self,
        session: &Session,
        conversation: &Conversation,
        query: &HistoryQuery,
    ) -> Result<HistoryPage, Failure> {
        let base = self.path_of(session, conversation).await?;
        let found = if is_channel(conversation.remote.as_str()) {
            self.channel_since(session, &base, query).await
        } else {
            self.chat_since(session, &base, query.since_ms).await
        }
        .map_err(Trouble::failure)?;
        let app_id = session.app.fact("app_id");
        let (mut messages, mut reactions) = (Vec::new(), BTreeMap::new());
        for message in found.into_values() {
            let shown = !decode::is_gone(&message) && decode::is_message(&message);
            if !shown || decode::modified_ms(&message) < query.since_ms {
                continue;
            }
            if !message.reactions.is_empty() {
                reactions.insert(message.id.as_str().into(), reactions::listed(&message, app_id));
            }
            messages.push(decode::graph_message(&message, app_id));
        }
        Ok(HistoryPage { messages, reactions: Some(reactions), next: None })
    }

    async fn channel_since(
        &self,
        session: &Session,
        base: &str,
        query: &HistoryQuery,
    ) -> Result<BTreeMap<String, ChatMessage>, Trouble> {
        let mut found = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut next = Some(self.client.graph_url(&format!("{base}/messages?$top=50&$expand=replies")));
        let mut first = true;
        'pages: for _ in 0..PAGES {
            let Some(url) = next.take() else { break };
            if !std::mem::take(&mut first) {
                self.client.pause().await;
            }
            let page: Collection<ChatMessage> = self.client.graph_json(session, url).await?;
            next = page.next;
            for mut root in page.value {
                let replies = std::mem::take(&mut root.replies);
                let newest = replies.iter().map(decode::modified_ms).max().unwrap_or_default();
                if decode::modified_ms(&root).max(newest) < query.since_ms {
                    break 'pages;
                }
                seen.insert(root.id.clone());
                let more = root.replies_next.take();
                keep(&mut found, replies);
                if let Some(url) = more {
                    self.client.pause().await;
                    self.replies_since(session, url, query.since_ms, &mut found).await?;
                }
                keep(&mut found, [root]);
            }
        }
        let unseen = query.threads.iter().filter(|root| !seen.contains(root.as_str())).take(THREADS);
        for root in unseen {
            self.client.pause().await;
            let url =
                self.client.graph_url(&format!("{base}/messages/{}/replies?$top=50", segment(root.as_str())));
            match self.replies_since(session, url, query.since_ms, &mut found).await {
                // The root may be gone by now.
                Err(trouble) if trouble.status() == Some(404) => {}
                other => other?,
            }
        }
        Ok(found)
    }

    async fn replies_since(
        &self,
        session: &Session,
        first: String,
        since_ms: i64,
        found: &mut BTreeMap<String, ChatMessage>,
    ) -> Result<(), Trouble> {
        let mut next = Some(first);
        for page_number in 0..PAGES {
            let Some(url) = next.take() else { break };
            if page_number > 0 {
                self.client.pause().await;
            }
            let page: Collection<ChatMessage> = self.client.graph_json(session, url).await?;
            let old = page.value.last().is_some_and(|last| decode::modified_ms(last) < since_ms);
            keep(found, page.value);
            next = page.next.filter(|_| !old);
        }
        Ok(())
    }

    async fn chat_since(
        &self,
        session: &Session,
        base: &str,
        since_ms: i64,
    ) -> Result<BTreeMap<String, ChatMessage>, Trouble> {
        let filter = segment(&format!("lastModifiedDateTime gt {}", format_time(since_ms)));
        let order = segment("lastModifiedDateTime desc");
        let first = format!("{base}/messages?$top=50&$orderby={order}&$filter={filter}");
        let mut found = BTreeMap::new();
        self.replies_since(session, self.client.graph_url(&first), since_ms, &mut found).await?;
        Ok(found)
    }

    pub(crate) async fn find_copies(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        since_ms: i64,
    ) -> Result<Vec<Candidate>, Failure> {
        let base = self.path_of(session, conversation).await?;
        let root = post.thread_root.as_ref().filter(|_| is_channel(post.conversation.as_str()));
        let path = match root {
            Some(root) => format!("{base}/messages/{}/replies?$top=50", segment(root.as_str())),
            None => format!("{base}/messages?$top=50"),
        };
        let page: Collection<ChatMessage> =
            self.client.graph_json(session, self.client.graph_url(&path)).await.map_err(Trouble::failure)?;
        let found = matching(page.value, post, session.app.fact("app_id"), since_ms - CLOCKS_MS);
        let mut candidates = Vec::with_capacity(found.len());
        for (mut candidate, address) in found {
            // An author's text may link to anything, so this is asked for copies that say nothing of their own. What is
            // taken back is asked for so as well, whatever it said: only files that the app made are found.
            if let (Some(address), true) = (address, post.body.is_empty()) {
                candidate.beside = self.linked_item(session, conversation, post, &address).await;
            }
            candidates.push(candidate);
        }
        Ok(candidates)
    }
}

fn keep(found: &mut BTreeMap<String, ChatMessage>, messages: impl IntoIterator<Item = ChatMessage>) {
    // Ids are milliseconds of equal length: their order is that of time.
    found.extend(messages.into_iter().map(|message| (message.id.clone(), message)));
}

/// Messages of ours that begin with an author's name or, in a person's name, say what the post says; oldest first. With
/// the addresses of their files.
fn matching(
    messages: Vec<ChatMessage>,
    post: &Post,
    app_id: &str,
    since_ms: i64,
) -> Vec<(Candidate, Option<String>)> {
    let wanted = fingerprint_of_post(post);
    let as_app = post.spokesman == Spokesman::App;
    let mut found: Vec<(Candidate, Option<String>)> = messages
        .iter()
        .filter(|message| !decode::is_gone(message) && decode::is_message(message))
        .filter_map(|message| {
            let made = decode::graph_message(message, app_id);
            let person = message.from.as_ref().is_some_and(|from| from.user.is_some());
            let fits = if as_app { made.origin.ours } else { person };
            let card = consent::card_of(message, &post.marker);
            let same = match &card {
                Some(card) => matches!(card, Card::Of(_)),
                None => fingerprint(&Body::of_graph(message)) == wanted,
            };
            let found = same || card.is_none() && as_app && byline::may_be(&made.body, post);
            if !fits || made.sent_at_ms < since_ms || !found {
                return None;
            }
            let listed = made.files.into_iter().next().map(|file| (file.name, file.permalink));
            // A text may end like the message of a file.
            let linked = || {
                let (name, address) = encode::linked_file(&made.body).filter(|_| !same)?;
                Some((name, Some(address)))
            };
            let carded = match card {
                Some(Card::Of(name)) => Some((name, None)),
                _ => None,
            };
            let (file, address) = carded.or(listed).or_else(linked).unzip();
            let candidate = Candidate {
                message: RemoteMessage::from(message.id.as_str()),
                at_ms: made.sent_at_ms,
                version: made.version.or(Some(Version(made.sent_at_ms))),
                same,
                file,
                beside: None,
            };
            Some((candidate, address.flatten()))
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| (a.at_ms, &a.message).cmp(&(b.at_ms, &b.message)));
    found
}

fn fingerprint_of_post(post: &Post) -> String {
    fingerprint(&Body::of_html(&encode::text(post).html))
}

/// What a reader sees, without white space and the signs in front of mentions: the service rewrites markup and
/// entities on the way, never words.
fn fingerprint(body: &Body<'_>) -> String {
    dragoman_markup::plain(&body::parse(body)).chars().filter(|c| !c.is_whitespace() && *c != '@').collect()
}
