//! The turn of a leg: opened, admitted, planned and performed. The decisions are in `admit`, `plan` and `retry`;
//! this is the thin layer that does what they say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{
    Code, Event, EventKind, Feature, Happening, Marker, Message, Operation, Spokesman, codes,
};
use dragoman_platform::Failure;
use dragoman_store::{BridgeState, CopyRow, LaneId, OriginalRow};
use tokio::time::Instant;

use crate::admit::{Admission, Grave, Known, admit, is_ambiguous, message_of, revives};
use crate::backfill::dated;
use crate::catchup::is_ours;
use crate::core::Relay;
use crate::direct::{is_blocked, meant_for_another};
use crate::directory::{Bridge, Spot};
use crate::error::RelayError;
use crate::files::{self, Bounds, is_file};
use crate::leg::{Doubt, Leg};
use crate::links;
use crate::notes;
use crate::open::{Opened, reread};
use crate::plan::{self, Scene};
use crate::reaction_plan::is_note;
use crate::reactions::{Here, is_reaction};
use crate::root::Found;
use crate::settle::{Ending, Fate, Shown};
use crate::voice::{self, is_mute};

/// How often a leg asks, in milliseconds, whether its bridge is still paused.
const PAUSED_MS: i64 = 2_000;

/// No platform takes so long to tell of something for the first time, in milliseconds.
const LATE_MS: i64 = 60_000;
/// So often is its source asked for the current state of what came late; then it is relayed as it was told.
const MOST_LATE_READS: u32 = 3;

/// How a leg's turn ended.
pub(crate) enum Turn {
    /// It is settled.
    Settled,
    /// It failed; it is tried again, and the lane with it, not before the given time.
    Later(i64, Code),
    /// Nothing was tried: the target takes nothing before the given time.
    Hold(i64),
    /// It waits beside the lane until the given time at the latest.
    Aside(i64),
    /// It waits in the lane for the answer to what may be its original.
    Await {
        /// Until it is looked whether that came.
        look_ms: i64,
        /// What is in doubt there and was appended before this goes first.
        yields: i64,
    },
}

impl Relay {
    pub(crate) async fn turn(&self, leg: &Arc<Leg>, fence: i64) -> Result<Turn, RelayError> {
        let directory = self.directory();
        let row = &leg.event.row;
        let Some(place) = directory.place(&row.installation).cloned() else {
            return self.end(leg, fence, Ending::dropped(codes::UNKNOWN_INSTALLATION)).await;
        };
        let target_id = match &leg.lane {
            LaneId::Conversation(id) => id,
            LaneId::Control(_) => return self.control_turn(leg, fence, &place).await,
        };
        let source = row.conversation.as_ref().and_then(|id| directory.spot(id)).cloned();
        let target = directory.spot(target_id).cloned();
        let (Some(source), Some(target)) = (source, target) else {
            return self.end(leg, fence, Ending::dropped(codes::UNBRIDGED)).await;
        };
        if leg.event.kind() == EventKind::Offer {
            return self.offer_turn(leg, fence, &target).await;
        }
        if row.bridge.is_none() && notes::is_note(row) {
            return match self.shut_until(&target) {
                Some(until_ms) => Ok(Turn::Hold(until_ms)),
                None => self.note_turn(leg, fence, &target).await,
            };
        }
        let Some(bridge) = row.bridge.as_ref().and_then(|id| directory.bridge(id)).cloned() else {
            return self.end(leg, fence, Ending::dropped(codes::UNBRIDGED)).await;
        };
        let state = bridge.row.state;
        let linked = state != BridgeState::Ended && bridge.row.members.contains(target_id);
        if !linked && !is_under_way(leg, &bridge, &source, &target) {
            return self.parted_turn(leg, fence, &source, &bridge).await;
        }
        if state == BridgeState::Paused {
            // What was accepted before the pause goes out after it.
            return Ok(Turn::Hold(self.now_ms() + PAUSED_MS));
        }
        let ahead = self.with_lanes(|lanes| lanes.superseding(leg));
        let may_post = matches!(leg.event.kind(), EventKind::Created | EventKind::Changed);
        if may_post && leg.doubt() < ahead.doubt {
            // Told of more than once, the message may have been posted for another event.
            leg.set_doubt(ahead.doubt);
        }
        let untouched = leg.parts().is_empty() && leg.doubt() == Doubt::None;
        let superseded = ahead.deleted && leg.event.kind() != EventKind::Deleted;
        if superseded && untouched {
            return self.end(leg, fence, Ending::dropped(codes::SUPERSEDED)).await;
        }
        let here = Here { leg, fence, source: &source, target: &target };
        if leg.event.kind() == EventKind::Reaction || leg.reacted_ms.load(Ordering::Relaxed) > 0 {
            return self.reaction_turn(&here, &place, None, &ahead.reactions).await;
        }
        if let Some(until_ms) = self.shut_until(&target) {
            return Ok(Turn::Hold(until_ms));
        }
        if notes::is_note(row) {
            return self.note_turn(leg, fence, &target).await;
        }
        // What may have gone out, in part or as a whole, has to be found and removed with its message.
        let taken_back = leg.event.kind() != EventKind::Deleted && !untouched;
        if superseded {
            let ending = Ending::dropped(codes::SUPERSEDED);
            return self.take_back(leg, fence, &source, &target, ending).await;
        }
        let mut event = match self.open(leg, &place, Some(&source)).await? {
            Opened::Event(event) => event,
            Opened::Nothing(code @ codes::DELETED_MEANWHILE) if taken_back => {
                return self.take_back(leg, fence, &source, &target, Ending::dropped(code)).await;
            }
            Opened::Nothing(code) => return self.end(leg, fence, nothing(leg, code)).await,
            Opened::Failed(failure) => {
                let outcome = failure.into_outcome();
                return self.judge_at(&place, leg, fence, &outcome, Ending::delivered()).await;
            }
        };
        if is_reaction(&event) {
            return self.reaction_turn(&here, &place, Some(&*event), &ahead.reactions).await;
        }
        let waited = match leg.event.kind() {
            EventKind::Created => leg.failures() > 0,
            EventKind::Changed => true,
            _ => false,
        };
        if let (Some(newer), true) = (&ahead.changed, untouched && waited)
            && let Opened::Event(newer) = self.open(newer, &place, Some(&source)).await?
            && let Some(newest) = overtaken(&event, &newer)
        {
            // It waited, and was edited meanwhile: the newest text goes out at once, and the edit finds it there.
            event = Arc::new(newest);
        }
        if let Happening::Notice(notice) = &event.happening {
            return self.notice_turn(leg, fence, &place, &event, notice).await;
        }
        self.note_echo(&event);
        if let Some(turn) = self.waits_for_answer(leg, &event, &source) {
            return Ok(turn);
        }
        let (mut known, mut copies) = self.known(leg, &event, &source, &target, &bridge).await?;
        let (ambiguous, late) = (is_ambiguous(&event, &known), is_late(leg, &known));
        if (ambiguous || late) && source.capabilities.reread {
            match reread(&leg.event, &source, self.now_ms()).await {
                // What its author made of it after they parted is for nobody any more.
                Ok(Some(Event { happening: Happening::Posted(_) | Happening::Changed { .. }, .. }))
                    if !linked => {}
                Ok(Some(now)) => {
                    event = Arc::new(now);
                    (known, copies) = self.known(leg, &event, &source, &target, &bridge).await?;
                }
                Err(failure @ (Failure::Retry { .. } | Failure::SignIn(_)))
                    if ambiguous || leg.failures() < MOST_LATE_READS =>
                {
                    let outcome = failure.into_outcome();
                    return self.judge_at(&place, leg, fence, &outcome, Ending::delivered()).await;
                }
                Ok(None) if late && taken_back => {
                    let ending = Ending::dropped(codes::DELETED_MEANWHILE);
                    return self.take_back(leg, fence, &source, &target, ending).await;
                }
                Ok(None) if late => {
                    return self.end(leg, fence, Ending::dropped(codes::DELETED_MEANWHILE)).await;
                }
                Ok(None) | Err(_) => {}
            }
        }
        let ours = known.is_copy || message_of(&event).is_some_and(is_ours);
        if !ours && source.capabilities.unannounced_edits_ms.is_some() {
            self.expect_edits(&source, row.received_ms);
        }
        let mut admission = admit(&event, &known, &directory.policy(&source.org));
        if admission == Admission::Create
            && bridge.row.talk.is_some()
            && let Some(code) = meant_for_another(&event, &known)
        {
            self.heard_too_late(&event, &source, &bridge).await?;
            admission = Admission::Drop(code);
        }
        if admission == Admission::Create
            && let Some(heard) = self.heard_within(&event, &source, &bridge).await?
        {
            return self.end_heard(leg, fence, &place, heard, Some((&source, &event))).await;
        }
        match admission {
            Admission::Drop(code @ codes::DELETED_MEANWHILE) if taken_back => {
                self.take_back(leg, fence, &source, &target, Ending::dropped(code)).await
            }
            Admission::Drop(code) => self.end(leg, fence, Ending::dropped(code)).await,
            Admission::Bury(message) => {
                let died = Fate { died_ms: event.at_ms, ..Fate::of(&source.id, message) };
                let ending = Ending { fate: Some(died), ..Ending::dropped(codes::UNMAPPED) };
                if taken_back {
                    self.take_back(leg, fence, &source, &target, ending).await
                } else {
                    self.end(leg, fence, ending).await
                }
            }
            Admission::Wait => Ok(self.aside(leg)),
            Admission::Delete(message) if copies.iter().any(|copy| is_mute(&directory, &target, copy)) => {
                // Nobody but its author can delete it. It stays in the map: a new token makes up for it.
                let died = Fate { died_ms: event.at_ms, ..Fate::of(&source.id, message) };
                self.end(leg, fence, Ending { fate: Some(died), ..Ending::dead(codes::OWN_TOKEN) }).await
            }
            Admission::Delete(message) => {
                let steps = plan::deletions(&target.conversation.remote, &copies);
                let noted = self.unsay_notes(leg, &source, &message).await?;
                let died = Fate { died_ms: event.at_ms, ..Fate::of(&source.id, message) };
                let ending = Ending { fate: Some(died), gone: true, removed: noted, ..Ending::delivered() };
                self.do_steps(leg, fence, &source, &target, steps, ending).await
            }
            Admission::Create | Admission::Edit => {
                let fate = message_of(&event).filter(|_| revives(&event, &known)).map(|message| Fate {
                    revived_ms: event.at_ms,
                    ..Fate::of(&source.id, message.id.clone())
                });
                let ending = Ending { fate, ..Ending::delivered() };
                self.relay_message(leg, fence, &event, copies, &source, &target, &bridge, ending).await
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what a turn has found out so far, used once")]
    async fn relay_message(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        event: &Event,
        existing: Vec<CopyRow>,
        source: &Spot,
        target: &Spot,
        bridge: &Bridge,
        ending: Ending,
    ) -> Result<Turn, RelayError> {
        let Some(message) = message_of(event) else {
            return self.end(leg, fence, Ending::dropped(codes::KIND)).await;
        };
        let root = message.thread_root.as_ref().filter(|root| **root != message.id);
        let root = match self.root(leg, root, source, target).await? {
            Found::Root(root) => root,
            Found::Summon(root) => {
                self.summon(leg, &root, source).await?;
                return Ok(self.aside(leg));
            }
            Found::Wait => return Ok(self.aside(leg)),
            Found::Coming => return Ok(Turn::Aside(self.now_ms() + self.timing().patience_ms)),
        };
        if existing.is_empty() {
            self.remember_round(&bridge.row.id, source, message);
        }
        let mut author = self.shown_author(source, target, message).await?;
        let backfilled = bridge.row.is_backfilled(&source.id, message.sent_at_ms);
        if backfilled {
            author.via = dated(&author.via, message.sent_at_ms);
        }
        let mentions = self.mentions(source, target, &message.body).await?;
        let until = Instant::now() + links::WAIT;
        let links = self.links(bridge, source, target, &message.body, until).await?;
        let connector = &target.place.connector;
        let capabilities = &target.capabilities;
        let done_before = leg.parts();
        let directory = self.directory();
        let texts: Vec<CopyRow> = existing.iter().filter(|copy| !is_file(copy.part)).cloned().collect();
        let texts_done: Vec<CopyRow> =
            done_before.iter().filter(|copy| !is_file(copy.part)).cloned().collect();
        let latest = texts.iter().map(plan::generation).max();
        let mut shown_now = texts.iter().filter(|copy| Some(plan::generation(copy)) == latest);
        let mute = shown_now.any(|copy| is_mute(&directory, target, copy));
        let refused = mute || leg.uneditable.load(Ordering::Relaxed);
        let generation = plan::revision(&texts, &texts_done, capabilities.max_edits, refused);
        // With their own name above it, it would look as if it had been said now.
        let voiceless = leg.voiceless.load(Ordering::Relaxed);
        let new = if voiceless || backfilled {
            Spokesman::App
        } else {
            voice::voice(&directory, source, target, message)
        };
        let spokesman = voice::voice_of(existing.iter().chain(&done_before), generation, new, |copy| {
            is_mute(&directory, target, copy)
        });
        let there: Vec<CopyRow> = existing.iter().chain(&done_before).cloned().collect();
        let policy = directory.policy(&source.org).files;
        let carrier = files::carrier(capabilities.level(Feature::File), &spokesman, voiceless);
        let bounds = Bounds::of(capabilities, &carrier, &policy);
        let mut named = Vec::with_capacity(message.files.len());
        for file in &message.files {
            let key = self.vault().file_key(&source.org, &message.id, file.identity()).await?;
            named.push((file.clone(), key));
        }
        let mut cargo = files::sort(named, &there, &bounds, &leg.barred());
        // What stands in the name of somebody whose token is gone nobody can delete.
        cargo.gone.retain(|copy| !is_mute(&directory, target, copy));
        let wordless = message.body.is_empty() && !message.files.is_empty() && cargo.lines.is_empty();
        let corrects = plan::corrected(&existing).filter(|_| generation > 0 && !wordless);
        let pointed = match plan::pointed(&root, corrects.as_ref(), capabilities) {
            Some(message) => self.address_of(target, None, message.clone(), until).await,
            None => None,
        };
        let scene = Scene {
            message,
            author: &author,
            mentions: &mentions,
            links: &links,
            pointed,
            target: &target.conversation.remote,
            capabilities,
            root,
            corrects,
            spokesman,
            lines: &cargo.lines,
        };
        let (post, mut notes) = plan::compose(&scene);
        if mute {
            notes.push(codes::OWN_TOKEN);
        }
        notes.extend(cargo.notes());
        // Files alone need no empty message above them, and no correction that says nothing.
        let alone = post.body.is_empty() && wordless;
        let bodies = if alone { Vec::new() } else { connector.split(&post) };
        let first = plan::first_part(generation);
        let mut markers = BTreeMap::new();
        for part in (first..).take(bodies.len()).chain(cargo.parts()) {
            markers.insert(part, self.vault().marker(&source.org, leg.id.as_str(), part).await?);
        }
        let marker = |part: u32| markers.get(&part).cloned().unwrap_or_else(|| Marker::new(""));
        let done = |known: &CopyRow| done_before.iter().any(|copy| copy.part == known.part);
        let existing: Vec<CopyRow> = existing.into_iter().filter(|known| !done(known)).collect();
        let current: Vec<CopyRow> = existing
            .iter()
            .filter(|copy| !is_file(copy.part) && plan::generation(copy) == generation)
            .cloned()
            .collect();
        let mut steps = if alone {
            // Whatever was said goes, corrections included, also where nothing can be edited.
            let texts = there.iter().filter(|copy| !is_file(copy.part) && !is_mute(&directory, target, copy));
            plan::deletions(&target.conversation.remote, &texts.cloned().collect::<Vec<_>>())
        } else {
            plan::steps(&post, bodies, &current, first, &marker)
        };
        steps.extend(cargo.steps(&post, &carrier, &marker));
        steps.retain(|step| {
            let deletes = matches!(step.operation, Operation::Delete { .. });
            deletes || !done_before.iter().any(|copy| copy.part == step.part)
        });
        notes.extend(plan::lost_by_edits(&steps, capabilities).filter(|code| !notes.contains(code)));
        let shown = Shown {
            original: OriginalRow {
                bridge: bridge.row.id.clone(),
                conversation: source.id.clone(),
                message: message.id.clone(),
                thread_root: message.thread_root.clone(),
                sent_ms: message.sent_at_ms,
                active_ms: message.sent_at_ms,
            },
            version: message.version,
            fingerprint: self.vault().fingerprint(&source.org, &canonical(message)),
            copies: existing,
            made: done_before,
        };
        let ending = Ending { notes, shown: Some(shown), ..ending };
        self.do_steps(leg, fence, source, target, steps, ending).await
    }

    pub(crate) fn aside(&self, leg: &Leg) -> Turn {
        let now_ms = self.now_ms();
        let until_ms = match leg.patience_until_ms.load(Ordering::Relaxed) {
            0 => now_ms + self.timing().patience_ms,
            until_ms => until_ms.max(now_ms + self.timing().patience_ms / 10),
        };
        leg.patience_until_ms.store(until_ms, Ordering::Relaxed);
        Turn::Aside(until_ms)
    }

    /// What the map knows of an event's message, and the copies of it at the target.
    async fn known(
        &self,
        leg: &Leg,
        event: &Event,
        source: &Spot,
        target: &Spot,
        bridge: &Bridge,
    ) -> Result<(Known, Vec<CopyRow>), RelayError> {
        let message = match &event.happening {
            Happening::Posted(message) | Happening::Changed { after: message, .. } => &message.id,
            Happening::Deleted { message, .. } => message,
            _ => return Ok((Known::default(), Vec::new())),
        };
        let store = self.store();
        let strange = !store.is_known(&source.id, message).await?;
        let mut copies =
            if strange { Vec::new() } else { store.copies((&source.id, message), &target.id).await? };
        if !matches!(event.happening, Happening::Deleted { .. }) {
            copies.retain(|copy| !is_note(copy));
        }
        let first = copies.first().filter(|copy| !is_note(copy));
        let same_text = match (
            first.and_then(|copy| copy.epoch.as_deref().zip(copy.fingerprint.as_deref())),
            message_of(event),
        ) {
            (Some((epoch, digest)), Some(message)) => {
                self.vault().same_fingerprint(&source.org, epoch, digest, &canonical(message))
            }
            _ => None,
        };
        let sent_ms = message_of(event).map(|message| message.sent_at_ms);
        let known = Known {
            is_copy: !strange && store.original_of_copy(&source.id, message).await?.is_some(),
            shown: first.is_some(),
            shown_version: first.and_then(|copy| copy.version),
            same_text,
            grave: (if strange { None } else { store.tombstone(&source.id, message).await? })
                .map(|row| Grave { died_ms: row.died_ms, revived_ms: row.revived_ms }),
            round: first.is_none()
                && message_of(event).is_some_and(|message| {
                    !is_ours(message) && self.is_round(&bridge.row.id, source, message)
                }),
            unlinked: sent_ms.is_some_and(|sent_ms| !bridge.row.relays(&source.id, &target.id, sent_ms)),
            patient: self.patient(leg),
        };
        Ok((known, copies))
    }

    /// Whether a leg that waits for its message should go on waiting.
    pub(crate) fn patient(&self, leg: &Leg) -> bool {
        let until_ms = leg.patience_until_ms.load(Ordering::Relaxed);
        until_ms == 0 || self.now_ms() < until_ms
    }

    pub(crate) fn interval(&self, lane: &LaneId) -> u64 {
        if !self.timing().pace {
            return 0;
        }
        let LaneId::Conversation(id) = lane else { return 0 };
        let directory = self.directory();
        directory.spot(id).map_or(0, |spot| spot.capabilities.send_interval_ms)
    }

    fn note_echo(&self, event: &Event) {
        if let Some(message) = message_of(event)
            && let Some(marker) = &message.origin.marker
        {
            self.0.pending.echo(marker, &message.id, message.version);
        }
    }

    /// Until when nothing goes out through the installation of a target.
    pub(crate) fn shut_until(&self, target: &Spot) -> Option<i64> {
        let now_ms = self.now_ms();
        self.with_breaker(&target.place.session.installation.id, |breaker| breaker.shut_until(now_ms))
    }
}

/// Whether what is told came so late that the way here must have been broken, and what was told later may be lost. A copy
/// that is there already shows whatever came before.
fn is_late(leg: &Leg, known: &Known) -> bool {
    let row = &leg.event.row;
    let first =
        leg.event.kind() == EventKind::Created && !known.shown && !known.is_copy && known.grave.is_none();
    let told = first || leg.event.kind() == EventKind::Changed;
    told && leg.event.has_payload && row.at_ms > 0 && row.received_ms - row.at_ms > LATE_MS
}

/// Whether people parted while a message of theirs was on its way.
fn is_under_way(leg: &Leg, bridge: &Bridge, source: &Spot, target: &Spot) -> bool {
    // Nobody knows when what was found to be deleted was deleted, and taking it back tells nobody anything.
    let found_gone = leg.event.kind() == EventKind::Deleted && !leg.event.has_payload;
    let sent_ms = if found_gone { i64::MIN } else { leg.sent_ms() };
    bridge.row.is_under_way(&source.id, &target.id, sent_ms) && !is_blocked(source, target)
}

/// An event with the text of a later edit of its message. What comes later need not be later: one feed may tell of an
/// edit after another feed told of the next.
fn overtaken(event: &Event, newer: &Event) -> Option<Event> {
    let Happening::Changed { after, .. } = &newer.happening else { return None };
    if message_of(event).is_some_and(|message| after.version < message.version) {
        return None;
    }
    let happening = match &event.happening {
        Happening::Posted(_) => Happening::Posted(after.clone()),
        // What it was before the later edit is not what the target shows.
        Happening::Changed { .. } => Happening::Changed { after: after.clone(), before: None },
        _ => return None,
    };
    Some(Event { happening, ..newer.clone() })
}

/// What fingerprints are made of: the text and the files.
pub(crate) fn canonical(message: &Message) -> Vec<u8> {
    let mut bytes = dragoman_markup::canonical(&message.body);
    for file in &message.files {
        bytes.push(0);
        bytes.extend_from_slice(file.identity().as_bytes());
    }
    bytes
}

/// The end of a leg whose event cannot be had any more: what people or the gateway miss by that is a dead letter.
pub(crate) fn nothing(leg: &Leg, code: Code) -> Ending {
    let expected = matches!(code, codes::DELETED_MEANWHILE | codes::KIND);
    let missed = matches!(leg.event.kind(), EventKind::Created | EventKind::Changed)
        || code == codes::NOT_REREADABLE && leg.event.kind() == EventKind::Control;
    if expected || !missed { Ending::dropped(code) } else { Ending::dead(code) }
}
