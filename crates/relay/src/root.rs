//! The thread at a target that a reply goes into.

use std::sync::atomic::Ordering;

use dragoman_model::{ConversationId, Feature, Level, RemoteMessage};
use dragoman_store::{CopyRow, LaneId};

use crate::core::Relay;
use crate::directory::Spot;
use crate::error::RelayError;
use crate::leg::Leg;
use crate::plan::Root;

/// Where the root of a reply was found.
pub(crate) enum Found {
    Root(Root),
    /// It has to be relayed first.
    Summon(RemoteMessage),
    /// It may come.
    Wait,
    /// It is in the same lane.
    Coming,
}

impl Relay {
    /// Where the root of a reply is at the target.
    pub(crate) async fn root(
        &self,
        leg: &Leg,
        root: Option<&RemoteMessage>,
        source: &Spot,
        target: &Spot,
    ) -> Result<Found, RelayError> {
        let Some(root) = root else { return Ok(Found::Root(Root::None)) };
        if leg.rootless.load(Ordering::Relaxed) {
            return Ok(Found::Root(Root::Lost));
        }
        let store = self.store();
        if let Some(copy) = store.copies((&source.id, root), &target.id).await?.first() {
            return Ok(Found::Root(Root::At(root_of(copy))));
        }
        let original = store.original_of_copy(&source.id, root).await?.map(|(it, _)| it);
        let original = original.map(|it| (it.conversation, it.message, it.thread_root));
        if let Some((at, message, thread_root)) = original.or_else(|| self.unfinished(source, root)) {
            if at == target.id {
                return Ok(Found::Root(Root::At(thread_root.unwrap_or(message))));
            }
            if let Some(copy) = store.copies((&at, &message), &target.id).await?.first() {
                return Ok(Found::Root(Root::At(root_of(copy))));
            }
            // Its source may be catching up, so that it stands in the lane still.
            if self.with_lanes(|lanes| lanes.creates(&leg.lane, &(at, message))) {
                return Ok(Found::Coming);
            }
            if !self.patient(leg) {
                // Asked for again, it would be our own copy.
                return Ok(Found::Root(Root::Lost));
            }
        }
        let subject = (source.id.clone(), root.clone());
        if self.with_lanes(|lanes| lanes.creates(&leg.lane, &subject)) {
            return Ok(Found::Coming);
        }
        if self.patient(leg) {
            return Ok(Found::Wait);
        }
        if self.may_be_a_copy(leg, source) {
            return Ok(Found::Coming);
        }
        let gone = store.tombstone(&source.id, root).await?.is_some_and(|row| row.is_dead());
        if gone || leg.summoned.swap(true, Ordering::Relaxed) {
            return Ok(Found::Root(Root::Lost));
        }
        Ok(Found::Summon(root.clone()))
    }

    /// The original of a copy that is not all there yet, and the root of its thread.
    fn unfinished(
        &self,
        source: &Spot,
        copy: &RemoteMessage,
    ) -> Option<(ConversationId, RemoteMessage, Option<RemoteMessage>)> {
        let lane = LaneId::Conversation(source.id.clone());
        let whole = self.with_lanes(|lanes| lanes.whole_of(&lane, copy))?;
        let (conversation, message) = whole.event.subject()?;
        Some((conversation, message, whole.event.row.thread_root.clone()))
    }

    /// Whether an unknown root may be a copy that was sent before a restart and is not found yet. Words wait no longer for
    /// that than a crash is waited for; a reaction, which nobody misses so soon, does.
    fn may_be_a_copy(&self, leg: &Leg, source: &Spot) -> bool {
        let since_ms = leg.patience_until_ms.load(Ordering::Relaxed);
        self.now_ms() < since_ms.saturating_add(self.timing().crash_patience_ms)
            && self.may_be_sent(leg, source)
    }

    /// The thread at the target that replies to `root` go into, as far as it is known now.
    pub(crate) async fn thread_of(
        &self,
        leg: &Leg,
        root: Option<&RemoteMessage>,
        source: &Spot,
        target: &Spot,
    ) -> Result<Option<RemoteMessage>, RelayError> {
        let threads = target.capabilities.level(Feature::ThreadReply) >= Level::Partial;
        Ok(match self.root(leg, root, source, target).await? {
            Found::Root(Root::At(root)) if threads => Some(root),
            _ => None,
        })
    }
}

fn root_of(copy: &CopyRow) -> RemoteMessage {
    copy.thread_root.clone().unwrap_or_else(|| copy.message.clone())
}
