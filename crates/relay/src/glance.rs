//! Edits that a platform does not announce: for some minutes after people wrote in a conversation its newest messages
//! are compared with the map every few seconds. What differs goes into the lanes by id, as after a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman_model::{ConversationId, EventKind, InstallationId, Message, RemoteMessage, Version};
use dragoman_platform::{Failure, HistoryQuery};
use dragoman_store::{LaneId, OriginalRow};

use crate::catchup::{Listed, is_ours, order_of_change};
use crate::core::Relay;
use crate::directory::{Route, Spot};
use crate::error::RelayError;
use crate::reaction_plan::is_note;

/// Messages of a bridge that one look covers, so that it fits into one page of the platform's list.
const NEWEST: u32 = 50;
/// Nothing older than this is looked at, in milliseconds.
const OLDEST_MS: i64 = 48 * 60 * 60 * 1000;
/// Pages of one look, should more have been written than the map knows of.
const MOST_PAGES: usize = 3;
/// What was sent so recently may be missing in the platform's list, in milliseconds.
const SETTLED_MS: i64 = 5_000;
/// Looks at one installation are at least so many milliseconds apart on average.
const SHARE_MS: i64 = 200;

/// A conversation that is looked at.
pub(crate) struct Glance {
    installation: InstallationId,
    /// Until when, milliseconds since 1970.
    until_ms: i64,
    next_ms: i64,
    /// When the last look began.
    looked_ms: i64,
    looking: bool,
    memory: Memory,
}

/// What the last look saw.
#[derive(Clone, Default)]
struct Memory {
    seen: BTreeMap<RemoteMessage, Sight>,
    /// Messages that were missing in the list and were asked for.
    asked: BTreeSet<RemoteMessage>,
    /// Messages of which nothing was heard, and that were looked for because of that.
    unheard: BTreeSet<RemoteMessage>,
}

/// A message as it was seen.
#[derive(Clone)]
struct Sight {
    version: Option<Version>,
    /// Targets that did not show it, so that nothing can be said of the state that they will show.
    pending: Vec<ConversationId>,
}

/// Conversations that are looked at.
pub(crate) type Glances = BTreeMap<ConversationId, Glance>;

impl Relay {
    /// People wrote here at this time: from now on unannounced edits are looked for, for a while.
    pub(crate) fn expect_edits(&self, spot: &Spot, at_ms: i64) {
        let Some(window_ms) = spot.capabilities.unannounced_edits_ms else { return };
        let (now_ms, until_ms) = (self.now_ms(), at_ms.saturating_add(window_ms));
        if until_ms <= now_ms {
            return;
        }
        let interval_ms = self.timing().glance_ms;
        {
            let mut glances = self.glances();
            let glance = glances.entry(spot.id.clone()).or_insert_with(|| Glance {
                installation: spot.place.session.installation.id.clone(),
                until_ms: 0,
                // Not all at the same time where many begin together.
                next_ms: now_ms + interval_ms / 2 + self.some_of(interval_ms / 2),
                looked_ms: 0,
                looking: false,
                memory: Memory::default(),
            });
            if until_ms <= glance.until_ms {
                return;
            }
            glance.until_ms = until_ms;
        }
        self.0.glancing.notify_one();
    }

    /// Looks wherever it is due, until the gateway stops.
    pub(crate) async fn keep_glancing(&self) {
        let stop = self.0.parts.stop.clone();
        loop {
            let now_ms = self.now_ms();
            let (due, next_ms) = {
                let mut glances = self.glances();
                (due(&mut glances, now_ms), next_due(&glances))
            };
            for id in due {
                self.glance_later(id);
            }
            let pause = next_ms.map(|next| Duration::from_millis((next - now_ms).max(1).unsigned_abs()));
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.glancing.notified() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    fn glance_later(&self, id: ConversationId) {
        let mut looking = Looking { relay: self.clone(), id, after_ms: 0 };
        self.0.parts.tasks.spawn(async move {
            let relay = looking.relay.clone();
            let Ok(_turn) = relay.0.looking.acquire().await else { return };
            match relay.glance(&looking.id).await {
                Ok(None) | Err(RelayError::Stopping) => {}
                Ok(Some(failure)) => {
                    tracing::debug!(conversation = %looking.id, code = %failure.code(), "edits cannot be looked for: {failure}");
                    if let Failure::Retry { after_ms: Some(after_ms), .. } = failure {
                        looking.wait(after_ms);
                    }
                }
                Err(error) => {
                    tracing::warn!(conversation = %looking.id, code = %error.code(), "edits cannot be looked for: {error}");
                }
            }
        });
    }

    /// One look. The failure, if the platform had one.
    async fn glance(&self, id: &ConversationId) -> Result<Option<Failure>, RelayError> {
        let directory = self.directory();
        let (Some(spot), Some(route)) = (directory.spot(id).cloned(), directory.route(id).cloned()) else {
            self.glances().remove(id);
            return Ok(None);
        };
        if !spot.capabilities.reread || self.is_catching_up(id) {
            return Ok(None);
        }
        let started_ms = self.now_ms();
        let (own, since_ms) = self.newest(&spot, &route, started_ms).await?;
        if own.is_empty() {
            return Ok(None);
        }
        let listed = match read(&spot, since_ms).await {
            Ok(listed) => listed,
            Err(failure) => return Ok(Some(failure)),
        };
        let mut memory = self.glances().get(id).map(|glance| glance.memory.clone()).unwrap_or_default();
        let mut present = BTreeMap::new();
        let mut unheard = false;
        for Listed { id: message, thread_root: root, version, edited_ms, .. } in listed {
            let before = memory.seen.get(&message);
            if before.is_some_and(|before| before.version == version && before.pending.is_empty()) {
                present.extend(memory.seen.remove_entry(&message));
                continue;
            }
            let (lanes, pending) = self.outdated(&spot, &route, &message, version, before).await?;
            if !lanes.is_empty() {
                let bridge = directory.bridge(&route.bridge);
                let order = order_of_change(bridge.map(|bridge| &bridge.row), edited_ms, self.now_ms());
                self.append_into(&spot, &route, &message, root, EventKind::Changed, order, lanes).await?;
            }
            // Nobody shows it, now as at the last look: perhaps it was announced, and that was lost.
            let silent = before.is_some() && pending.len() == route.targets.len();
            unheard |= silent && memory.unheard.insert(message.clone());
            present.insert(message, Sight { version, pending });
        }
        if unheard {
            self.catch_up_later(id.clone());
        }
        memory.unheard.retain(|message| present.contains_key(message));
        let mut unasked = None;
        for original in missing(&own, &present, &memory.asked, since_ms, started_ms) {
            let (place, root) = (&spot.place, original.thread_root.clone());
            let message = &original.message;
            match place.connector.message(&place.session, &spot.conversation, root.as_ref(), message).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    let lanes = route.targets.iter().cloned().map(LaneId::Conversation).collect();
                    let order = self.now_ms().saturating_mul(1000);
                    self.append_into(&spot, &route, message, root, EventKind::Deleted, order, lanes).await?;
                }
                // The others are asked for with the next look.
                Err(failure) => {
                    unasked = Some(failure);
                    break;
                }
            }
            memory.asked.insert(message.clone());
        }
        memory.asked.retain(|message| own.iter().any(|original| original.message == *message));
        memory.seen = present;
        if let Some(glance) = self.glances().get_mut(id) {
            glance.memory = memory;
        }
        Ok(unasked)
    }

    /// The newest originals of a conversation, and since when a list has to go to show them and not much more: what
    /// the other members wrote stands there too.
    async fn newest(
        &self,
        spot: &Spot,
        route: &Route,
        now_ms: i64,
    ) -> Result<(Vec<OriginalRow>, i64), RelayError> {
        let oldest_ms = now_ms - OLDEST_MS;
        let own = self.store().originals_since(&spot.id, oldest_ms, NEWEST).await?;
        let mut sent: Vec<i64> = own.iter().map(|original| original.sent_ms).collect();
        for member in &route.targets {
            let theirs = self.store().originals_since(member, oldest_ms, NEWEST).await?;
            sent.extend(theirs.iter().map(|original| original.sent_ms));
        }
        sent.sort_unstable_by(|a, b| b.cmp(a));
        sent.truncate(NEWEST as usize);
        let since_ms = sent.last().copied().unwrap_or(now_ms).max(oldest_ms);
        Ok((own.into_iter().filter(|original| original.sent_ms >= since_ms).collect(), since_ms))
    }

    /// The lanes of the targets that show, or will show, an older state of a message; and the targets of which that
    /// cannot be told yet.
    async fn outdated(
        &self,
        spot: &Spot,
        route: &Route,
        message: &RemoteMessage,
        version: Option<Version>,
        before: Option<&Sight>,
    ) -> Result<(Vec<LaneId>, Vec<ConversationId>), RelayError> {
        let store = self.store();
        let (mut lanes, mut pending) = (Vec::new(), Vec::new());
        if store.original_of_copy(&spot.id, message).await?.is_some() {
            return Ok((lanes, pending));
        }
        let edited = before.is_some_and(|before| before.version != version);
        for target in &route.targets {
            // What was put into its lane for this version is not put there again.
            if before.is_some_and(|before| !edited && !before.pending.contains(target)) {
                continue;
            }
            let copies = store.copies((&spot.id, message), target).await?;
            match copies.iter().find(|copy| !is_note(copy)) {
                // A copy without a version was not finished.
                Some(copy) if copy.version.is_some() && copy.version < version => {}
                Some(_) => continue,
                // It waits, or is not relayed: admission knows.
                None if edited => {}
                None => {
                    pending.push(target.clone());
                    continue;
                }
            }
            lanes.push(LaneId::Conversation(target.clone()));
        }
        Ok((lanes, pending))
    }

    fn glances(&self) -> MutexGuard<'_, Glances> {
        self.0.glances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn some_of(&self, range_ms: i64) -> i64 {
        let range = u64::try_from(range_ms).unwrap_or(0).max(1);
        i64::try_from(self.random().below(range)).unwrap_or(0)
    }
}

/// A look under way. Dropped, by a panic too, it says when the next one is due.
struct Looking {
    relay: Relay,
    id: ConversationId,
    after_ms: i64,
}

impl Looking {
    /// The platform asked for a pause.
    fn wait(&mut self, after_ms: u64) {
        self.after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX);
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let (now_ms, interval_ms) = (self.relay.now_ms(), self.relay.timing().glance_ms);
        {
            let mut glances = self.relay.glances();
            let installation = glances.get(&self.id).map(|glance| glance.installation.clone());
            let others =
                glances.values().filter(|it| Some(&it.installation) == installation.as_ref()).count();
            if let Some(glance) = glances.get_mut(&self.id) {
                glance.looking = false;
                glance.next_ms = now_ms.saturating_add(pause(interval_ms, others, self.after_ms));
            }
        }
        self.relay.0.glancing.notify_one();
    }
}

/// What stands in a conversation since a time, without content: id, root, version. Not what we posted.
async fn read(spot: &Arc<Spot>, since_ms: i64) -> Result<Vec<Listed>, Failure> {
    let place = &spot.place;
    let mut query = HistoryQuery { since_ms, threads: BTreeSet::new(), cursor: None };
    let mut listed = Vec::new();
    for _ in 0..MOST_PAGES {
        let page = place.connector.history(&place.session, &spot.conversation, &query).await?;
        let others = page.messages.into_iter().filter(|message: &Message| !is_ours(message));
        listed.extend(others.map(Listed::from));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok(listed)
}

/// Takes what is due; forgets what is over.
fn due(glances: &mut Glances, now_ms: i64) -> Vec<ConversationId> {
    // One look begins after the window, for what was done at its very end.
    glances.retain(|_, glance| glance.looking || glance.looked_ms < glance.until_ms);
    let due = glances.iter_mut().filter(|(_, glance)| !glance.looking && glance.next_ms <= now_ms);
    due.map(|(id, glance)| {
        glance.looking = true;
        glance.looked_ms = now_ms;
        id.clone()
    })
    .collect()
}

fn next_due(glances: &Glances) -> Option<i64> {
    glances.values().filter(|glance| !glance.looking).map(|glance| glance.next_ms).min()
}

/// The pause after a look: longer where one installation serves many conversations, or asked for it.
fn pause(interval_ms: i64, conversations: usize, asked_ms: i64) -> i64 {
    let share = i64::try_from(conversations).unwrap_or(i64::MAX).saturating_mul(SHARE_MS);
    interval_ms.max(share).max(asked_ms)
}

/// Originals that a list should show and does not, and that were not asked for before.
fn missing<'a>(
    own: &'a [OriginalRow],
    present: &BTreeMap<RemoteMessage, Sight>,
    asked: &BTreeSet<RemoteMessage>,
    since_ms: i64,
    listed_ms: i64,
) -> Vec<&'a OriginalRow> {
    own.iter()
        .filter(|original| original.sent_ms >= since_ms && original.sent_ms < listed_ms - SETTLED_MS)
        .filter(|original| !present.contains_key(&original.message) && !asked.contains(&original.message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::original;

    fn glance(next_ms: i64, until_ms: i64, looked_ms: i64) -> Glance {
        let (installation, memory) = ("i".into(), Memory::default());
        Glance { installation, until_ms, next_ms, looked_ms, looking: false, memory }
    }

    #[test]
    fn each_is_looked_at_once_at_a_time_and_forgotten_after_its_window() {
        let mut glances = Glances::from([
            ("due".into(), glance(100, 1_000, 50)),
            ("last".into(), glance(100, 60, 50)),
            ("later".into(), glance(300, 1_000, 50)),
            ("looked-at".into(), Glance { looking: true, ..glance(100, 1_000, 50) }),
            ("over".into(), glance(100, 50, 50)),
        ]);
        assert_eq!(due(&mut glances, 200), ["due".into(), "last".into()]);
        assert_eq!(next_due(&glances), Some(300));
        assert!(!glances.contains_key(&"over".into()));
        assert_eq!(due(&mut glances, 200), []);
    }

    #[test]
    fn many_conversations_share_what_an_installation_allows() {
        assert_eq!(pause(10_000, 1, 0), 10_000);
        assert_eq!(pause(10_000, 200, 0), 40_000);
        assert_eq!(pause(10_000, 1, 3_600_000), 3_600_000);
    }

    #[test]
    fn only_what_should_have_been_listed_is_missing() {
        let own = [
            original("older-than-the-list", 99),
            original("gone", 200),
            original("listed", 300),
            original("asked", 400),
            original("too-new", 9_000),
        ];
        let present = BTreeMap::from([("listed".into(), Sight { version: None, pending: Vec::new() })]);
        let asked = BTreeSet::from(["asked".into()]);
        let found = missing(&own, &present, &asked, 100, 10_000);
        assert_eq!(found.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(), ["gone"]);
    }
}
