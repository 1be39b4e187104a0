//! One life of the relay after another on one simulated disk, driven and judged by lines of text.
//!
//! `A post 1 hello` and the like happen in a room and are delivered; with `quiet` before the verb they happen and
//! nobody hears of them. `B next TRICK` says what becomes of the next call into a room. `B shows: a | b`,
//! `B wears: c0 👍` (what the app set there) and `B calls: x | y` are judged as they stand, calls since the last look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_model::{Clock, EventId, EventKind, LegId, OrgId, PersonId, Random};
use dragoman_platform::{Answer, App, Delivery, Item, TokenSet, TokenSlot};
use dragoman_relay::{Held, Parts, Relay, Slots, Timing, Vault};
use dragoman_seal::{
    EpochPolicy, FieldRef, KeyService, Keyring, LocalKeys, SlotLimits, SlotStore, Spool, Token,
};
use dragoman_store::{
    AccountRow, AppRow, BridgePast, BridgeRow, BridgeState, ConversationRow, Faults, InstallationRow, LaneId,
    Lease, ModelStore, Mutation, OrgRow, TokenRow,
};
use dragoman_testkit::{SeededRandom, SimDisk};
use http::StatusCode;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fake::{Fake, Said, payload};

const ORG: &str = "org";
const APP: &str = "app";
const BRIDGE: &str = "bridge";
/// Bytes that the spool takes.
const SPOOL: u64 = 1_000;
const ROOMS: [&str; 5] = ["A", "B", "C", "D", "E"];

/// Rooms from D on are in the first one's workspace.
fn workspace(room: &str) -> &str {
    if room > "C" { "A" } else { room }
}

/// The runtime's paused clock, going on from life to life.
struct LifeClock {
    base_ms: AtomicI64,
    started: Mutex<Option<Instant>>,
}

impl Clock for LifeClock {
    fn now_ms(&self) -> i64 {
        let started = *self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let lived = started.map_or(0, |started| i64::try_from(started.elapsed().as_millis()).unwrap());
        self.base_ms.load(Ordering::SeqCst) + lived
    }

    fn monotonic_ms(&self) -> i64 {
        self.now_ms()
    }
}

struct Life {
    relay: Relay,
    slots: Slots,
    stop: CancellationToken,
    tasks: TaskTracker,
    runtime: Runtime,
}

/// A message of [`Bench::flow`].
struct Flowed {
    number: u64,
    room: &'static str,
    /// Rooms that were linked to its own when it was written.
    to: Vec<&'static str>,
    /// Heard of after the next change, and perhaps by rooms that were linked only then.
    held: bool,
}

struct Bench {
    members: Vec<&'static str>,
    /// The name of the conversation, where people asked for it.
    talk: Option<&'static str>,
    active: bool,
    flowed: Vec<Flowed>,
    clock: Arc<LifeClock>,
    random: Arc<dyn Random>,
    keys: Arc<dyn KeyService>,
    data: SimDisk,
    folder: SimDisk,
    fake: Arc<Fake>,
    /// Where files rest whose length nobody knows.
    spool: tempfile::TempDir,
    life: Option<Life>,
    /// Deliveries are accepted in tasks of their own, as at the door.
    apart: bool,
    /// Calls that no script had looked at when the last of those was answered.
    called: usize,
    /// Made to wait.
    hold: Option<Held>,
    delivered: u64,
    /// Heard of later.
    held: Vec<(EventKind, String, Said, String)>,
    last: Vec<(EventKind, String, Said, String)>,
}

/// Runs a script between two rooms.
#[track_caller]
pub(crate) fn check(script: &str) {
    Bench::new(2, None).run(script);
}

/// Runs a script between three rooms.
#[track_caller]
pub(crate) fn check_three(script: &str) {
    Bench::new(3, None).run(script);
}

/// Runs a script between five rooms, of which A, D and E are in one workspace.
#[track_caller]
pub(crate) fn check_five(script: &str) {
    Bench::new(5, None).run(script);
}

/// Runs a script in a conversation that three people asked for.
#[track_caller]
pub(crate) fn check_people(script: &str) {
    Bench::new(3, Some("people")).run(script);
}

impl Bench {
    fn new(members: usize, talk: Option<&'static str>) -> Self {
        let clock =
            Arc::new(LifeClock { base_ms: AtomicI64::new(1_700_000_000_000), started: Mutex::default() });
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
        let mut bench = Self {
            members: ROOMS[..members].to_vec(),
            talk,
            active: true,
            flowed: Vec::new(),
            fake: Arc::new(Fake::new(clock.clone())),
            clock,
            keys: Arc::new(LocalKeys::ephemeral(Arc::clone(&random))),
            random,
            data: SimDisk::new(),
            folder: SimDisk::new(),
            spool: tempfile::tempdir().unwrap(),
            life: None,
            apart: false,
            called: 0,
            hold: None,
            delivered: 0,
            held: Vec::new(),
            last: Vec::new(),
        };
        bench.start(true);
        // The first catching up is over then.
        bench.pass("1s");
        bench
    }

    #[track_caller]
    fn run(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.line(line);
        }
    }

    #[track_caller]
    fn line(&mut self, line: &str) {
        if let Some((room, wanted)) = line.split_once(" shows: ") {
            let shown = self.fake.room(room, |room| {
                let here = room.said.iter().filter(|said| said.marker.is_some() && !said.deleted);
                here.map(|said| said.text.clone()).collect::<Vec<_>>().join(" | ")
            });
            let shown = shown.replace('\n', "↵");
            let shown = if shown.is_empty() { "nothing".to_owned() } else { shown };
            assert_eq!(shown, wanted, "what {room} shows at `{line}`");
            return;
        }
        if let Some((room, wanted)) = line.split_once(" wears:") {
            let now_ms = self.now_ms();
            let worn = self.fake.room(room, |room| room.wears(now_ms));
            let worn = worn.into_iter().collect::<Vec<_>>().join(" | ");
            assert_eq!(worn, wanted.trim_start(), "what {room} wears at `{line}`");
            return;
        }
        if let Some((room, wanted)) = line.split_once(" calls:") {
            let wanted = wanted.trim_start();
            let calls =
                self.fake.room(room, |room| std::mem::take(&mut room.calls)).join(" | ").replace('\n', "↵");
            assert_eq!(calls, wanted, "calls into {room} at `{line}`");
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["run", time] => self.pass(time),
            // What can be done at once is done; no time passes.
            ["settle"] => self.life().runtime.block_on(async {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }),
            ["crash"] => self.crash(),
            ["start"] => self.start(false),
            ["stop"] => self.stop(),
            ["again"] => {
                let last = self.last.clone();
                self.deliver(last);
            }
            ["flow", time] => self.flow(time),
            ["flowed"] => self.flowed(),
            ["join", room] => {
                let room = ROOMS.into_iter().find(|it| *it == room).unwrap();
                self.members.push(room);
                self.set_members();
            }
            ["leave", room] => {
                self.members.retain(|it| *it != room);
                // Nothing goes there any more, whenever it was written.
                let held = self.flowed.iter_mut().rev().take_while(|it| it.held);
                held.for_each(|it| it.to.retain(|to| *to != room));
                self.set_members();
            }
            ["hold", room] => {
                let life = self.life.as_ref().unwrap();
                self.hold = Some(life.runtime.block_on(async { life.relay.hold_back(&[(*room).into()]) }));
            }
            ["let-go"] => {
                let hold = self.hold.take();
                self.life().runtime.block_on(async { drop(hold) });
            }
            ["pause"] => self.set_bridge(BridgeState::Paused),
            ["resume"] => self.set_bridge(BridgeState::Active),
            ["policy", name, word] => self.policy(name, word),
            ["notices", word] => {
                let notices = dragoman_store::Notices::parse(word).unwrap();
                self.commit(Mutation::SetNotices { bridge: BRIDGE.into(), notices });
                self.life().runtime.block_on(self.life().relay.reload()).unwrap();
            }
            ["disk", state] => self.data.set_full(state == "full"),
            ["lose-secrets"] => {
                let limits = SlotLimits { segment: 64, limit: 4096 };
                let file = SlotStore::open(&self.data, "slots", limits, Arc::clone(&self.random)).unwrap();
                file.erase_unnamed(&BTreeSet::new()).unwrap();
            }
            ["apart"] => self.apart = true,
            ["answered-after", count] => assert_eq!(self.called.to_string(), count, "calls"),
            ["stolen", room] => self.steal(room),
            ["replay"] => self.replay(),
            ["dead", ref codes @ ..] => assert_eq!(self.dead(), *codes, "dead letters"),
            ["dropped", code, count] => {
                let dropped = self
                    .receipts()
                    .iter()
                    .filter(|it| it.code.as_deref() == Some(&format!("DRG-{code}")))
                    .count();
                assert_eq!(dropped.to_string(), count, "dropped with {code}");
            }
            ["notes", ref codes @ ..] => assert_eq!(self.notes(), *codes, "notes of the last receipt"),
            ["secrets", count] => {
                let slots = &self.life.as_ref().unwrap().slots;
                assert_eq!(slots.in_use().to_string(), count, "secrets in use");
            }
            [room, "next", ref tricks @ ..] => self.fake.room(room, |room| {
                room.tricks.extend(tricks.iter().map(|trick| (*trick).to_owned()));
            }),
            [room, "cannot", what] => {
                self.fake.room(room, |room| room.cannot.push(what.to_owned()));
                // What a conversation can carry follows from its data, so a change of it comes with a reload.
                if let Some(life) = &self.life {
                    life.runtime.block_on(life.relay.reload()).unwrap();
                }
            }
            // Who asks is told who reacted.
            [room, "lists"] => self.fake.room(room, |room| room.reactions = Some(BTreeMap::new())),
            [room, "keeps", id, count] => {
                let of = (&room.into(), &id.into());
                let life = self.life();
                let kept = life.runtime.block_on(life.relay.store().reactions(of)).unwrap();
                assert_eq!(kept.len().to_string(), count, "reactions kept with {id} of {room}");
            }
            [room, "knows", user] => {
                let (installation, life) = (workspace(room).into(), self.life());
                let known = life.runtime.block_on(life.relay.store().account(&installation, &user.into()));
                assert!(known.unwrap().is_some(), "{user} of {room} is not known");
            }
            [room, "awaits", count] => {
                let (lane, life) = (LaneId::Conversation(room.into()), self.life());
                let legs = life.runtime.block_on(life.relay.store().legs(&lane, None, 100)).unwrap();
                assert_eq!(legs.len().to_string(), count, "legs into {room}");
            }
            [room, "echo"] => self.echo(room),
            ["speaks", ref rooms @ ..] => self.speaks(rooms),
            [room, "revokes", "within", time] => self.revokes(room, time),
            [room, "ended", ref tokens @ ..] => {
                let ended = self.fake.room(room, |room| std::mem::take(&mut room.ended));
                assert_eq!(ended, *tokens, "permissions that were ended");
            }
            [room, "removes", text] => self.fake.room(room, |room| {
                room.said.iter_mut().filter(|said| said.text == text).for_each(|said| said.deleted = true);
            }),
            [room, "quiet", ref words @ ..] => {
                self.say(room, words);
            }
            [room, ref words @ ..] => {
                let said = self.say(room, words);
                self.deliver(vec![said]);
            }
            [] => {}
        }
    }

    /// Something happens in a room.
    fn say(&mut self, room: &str, words: &[&str]) -> (EventKind, String, Said, String) {
        let now_ms = self.now_ms();
        let new = |id: &str, root: Option<&str>, text: &[&str]| Said {
            id: id.to_owned(),
            root: root.map(str::to_owned),
            text: text.join(" "),
            // Edits count from here.
            version: 0,
            sent_ms: now_ms,
            at_ms: now_ms,
            deleted: false,
            bot: false,
            marker: None,
            own: false,
            files: Vec::new(),
            beside: None,
        };
        // `a+b` are two files.
        let files = |words: &str| -> Vec<String> {
            words.split('+').filter(|name| *name != "none").map(str::to_owned).collect()
        };
        let (kind, said) = self.fake.room(room, |room| match words {
            ["post", id, text @ ..] => {
                room.said.push(new(id, None, text));
                (EventKind::Created, new(id, None, text))
            }
            ["file", id, names, text @ ..] => {
                let said = Said { files: files(names), ..new(id, None, text) };
                room.said.push(said.clone());
                (EventKind::Created, said)
            }
            ["file-reply", id, root, names, text @ ..] => {
                let said = Said { files: files(names), ..new(id, Some(root), text) };
                room.said.push(said.clone());
                (EventKind::Created, said)
            }
            ["edit-files", id, names, text @ ..] => {
                let said = room.find(id).unwrap();
                said.text = text.join(" ");
                said.files = files(names);
                said.version = now_ms;
                said.at_ms = now_ms;
                (EventKind::Changed, said.clone())
            }
            ["reply", id, root, text @ ..] => {
                room.said.push(new(id, Some(root), text));
                (EventKind::Created, new(id, Some(root), text))
            }
            ["bot", id, text @ ..] => {
                let said = Said { bot: true, ..new(id, None, text) };
                room.said.push(said.clone());
                (EventKind::Created, said)
            }
            // It was said before; the event comes only now.
            ["hear", id] => (EventKind::Created, room.find(id).unwrap().clone()),
            ["edit", id, text @ ..] => {
                let said = room.find(id).unwrap();
                said.text = text.join(" ");
                said.version = now_ms;
                said.at_ms = now_ms;
                (EventKind::Changed, said.clone())
            }
            // What it said right after it was said first; the event comes only now.
            ["hear-edit", id, text @ ..] => {
                let said = room.find(id).unwrap();
                let first_ms = said.sent_ms + 1;
                let text = text.join(" ");
                (EventKind::Changed, Said { text, version: first_ms, at_ms: first_ms, ..said.clone() })
            }
            ["delete", id] => {
                let said = room.find(id).unwrap();
                said.deleted = true;
                said.at_ms = now_ms;
                (EventKind::Deleted, said.clone())
            }
            // Somebody answers what asks them for a file.
            ["accept", id] => (EventKind::Offer, new(id, None, &["yes"])),
            ["decline", id] => (EventKind::Offer, new(id, None, &["no"])),
            ["notice", id, text @ ..] => (EventKind::Conversation, new(id, None, text)),
            [mark @ ("react" | "unreact"), id, who, emoji] => {
                let sign = if *mark == "react" { "+" } else { "-" };
                if let Some(reactions) = &mut room.reactions {
                    let there = reactions.entry((*id).to_owned()).or_default();
                    there.retain(|it| *it != ((*who).to_owned(), (*emoji).to_owned()));
                    there.extend((sign == "+").then(|| ((*who).to_owned(), (*emoji).to_owned())));
                }
                let said = Said { text: format!("{sign}{who} {emoji}"), ..new(id, None, &[]) };
                (EventKind::Reaction, said)
            }
            // The author takes the deletion back.
            ["restore", id] => {
                let said = room.find(id).unwrap();
                said.deleted = false;
                said.at_ms = now_ms;
                (EventKind::Changed, said.clone())
            }
            other => panic!("nobody knows how to {other:?}"),
        });
        self.delivered += 1;
        (kind, room.to_owned(), said, format!("key{}", self.delivered))
    }

    /// Our own copies come back as events.
    fn echo(&mut self, room: &str) {
        let said = self.fake.room(room, |room| room.said.clone());
        let ours = said.into_iter().filter(|said| said.marker.is_some());
        let echoes = ours.map(|said| {
            let key = format!("echo {room} {}", said.id);
            (EventKind::Created, room.to_owned(), said, key)
        });
        let echoes = echoes.collect();
        self.deliver(echoes);
    }

    fn deliver(&mut self, said: Vec<(EventKind, String, Said, String)>) {
        let app = App {
            id: APP.into(),
            org: ORG.into(),
            platform: dragoman_model::Platform("fake"),
            facts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            features: BTreeSet::new(),
        };
        let items = said.iter().map(|(kind, room, said, key)| Item {
            workspace: workspace(room).into(),
            conversation: Some(room.as_str().into()),
            message: Some(said.id.as_str().into()),
            thread_root: said.root.as_deref().map(Into::into),
            kind: *kind,
            delivery_key: Some(key.as_str().into()),
            at_ms: said.at_ms,
            feed: "events",
            payload: payload(kind.as_str(), room, said),
        });
        let answer = Answer::status(StatusCode::OK);
        let delivery = Delivery { items: items.collect(), answer, dropped: Vec::new() };
        self.last = said;
        if let Some(life) = &self.life {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let relay = life.relay.clone();
            if !self.apart {
                life.runtime.block_on(relay.accept(&app, delivery, answer));
                return;
            }
            life.runtime.block_on(async {
                life.tasks.spawn(async move { relay.accept(&app, delivery, answer).await });
                answered.await.unwrap().unwrap();
            });
            self.called = self.fake.rooms().values().map(|room| room.calls.len()).sum();
        }
    }

    fn now_ms(&self) -> i64 {
        match &self.life {
            Some(life) => life.runtime.block_on(async { self.clock.now_ms() }),
            None => self.clock.now_ms(),
        }
    }

    fn pass(&self, time: &str) {
        let (number, unit) = time.split_at(time.len() - 1);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            other => panic!("no unit {other}"),
        };
        let seconds = seconds * number.parse::<u64>().unwrap();
        match &self.life {
            Some(life) => life.runtime.block_on(async {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }),
            None => {
                self.clock.base_ms.fetch_add(i64::try_from(seconds * 1000).unwrap(), Ordering::SeqCst);
            }
        }
    }

    /// The power goes.
    fn crash(&mut self) {
        self.end_life();
        self.data.crash(&*self.random);
        self.folder.crash(&*self.random);
    }

    fn stop(&mut self) {
        if let Some(life) = &self.life {
            life.stop.cancel();
            life.tasks.close();
            let ended = async { tokio::time::timeout(Duration::from_secs(10), life.tasks.wait()).await };
            assert!(life.runtime.block_on(ended).is_ok(), "it does not stop");
        }
        self.end_life();
    }

    fn end_life(&mut self) {
        let now_ms = self.now_ms();
        drop(self.life.take());
        *self.clock.started.lock().unwrap() = None;
        self.clock.base_ms.store(now_ms, Ordering::SeqCst);
    }

    fn start(&mut self, first: bool) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (relay, slots) = runtime.block_on(async {
            *self.clock.started.lock().unwrap() = Some(Instant::now());
            let store = Arc::new(ModelStore::open(&self.data).unwrap());
            let clock: Arc<dyn Clock> = self.clock.clone();
            let keyring = Keyring::open(
                Arc::clone(&self.keys),
                Arc::new(self.folder.clone()),
                "epochs",
                Arc::clone(&clock),
                Arc::clone(&self.random),
                EpochPolicy::default(),
            );
            let vault = Arc::new(Vault::new(Arc::new(keyring.unwrap())));
            let limits = SlotLimits { segment: 64, limit: 4096 };
            let file = SlotStore::open(&self.data, "slots", limits, Arc::clone(&self.random)).unwrap();
            let slots = Slots::inline(Arc::new(file));
            let parts = Parts {
                store: store.clone(),
                vault: Arc::clone(&vault),
                slots: slots.clone(),
                connectors: BTreeMap::from([("fake", self.fake.clone() as _)]),
                clock,
                random: Arc::clone(&self.random),
                spool: Some(Arc::new(
                    Spool::open(self.spool.path(), SPOOL, Arc::clone(&self.random)).unwrap(),
                )),
                avatars: None,
                timing: Timing { pace: false, ..Timing::default() },
                owner: "local".to_owned(),
                faults: Faults::none(),
                tasks: tasks.clone(),
                stop: stop.clone(),
            };
            let relay = Relay::new(parts).await.unwrap();
            if first {
                self.set_up(&relay).await;
                relay.reload().await.unwrap();
            }
            relay.start().await.unwrap();
            (relay, slots)
        });
        self.life = Some(Life { relay, slots, stop, tasks, runtime });
    }

    async fn set_up(&self, relay: &Relay) {
        let (store, vault, created_ms) = (relay.store(), relay.vault(), self.clock.now_ms());
        let org = OrgId::from(ORG);
        let (version, wrapped) = vault.keyring().create_org(&org).await.unwrap();
        let row = OrgRow {
            id: org.clone(),
            name: "Harbor Works".to_owned(),
            wrapped_keys: BTreeMap::from([(version, wrapped)]),
            // Scripts judge what is relayed; those about what senders are told switch it on.
            policy: [("tell_senders".to_owned(), "no".to_owned())].into(),
            created_ms,
        };
        vault.register_org(&row).await.unwrap();
        let app = AppRow {
            id: APP.into(),
            org: org.clone(),
            platform: "fake".to_owned(),
            facts: BTreeMap::new(),
            sealed_secrets: BTreeMap::new(),
            features: BTreeSet::new(),
            created_ms,
        };
        let mut rows = vec![Mutation::PutOrg(row), Mutation::PutApp(app)];
        for room in &ROOMS[..3] {
            rows.push(Mutation::PutInstallation(InstallationRow {
                id: (*room).into(),
                org: org.clone(),
                app: APP.into(),
                workspace: (*room).into(),
                name: (*room).to_owned(),
                facts: BTreeMap::new(),
                scopes: BTreeSet::new(),
                trouble: None,
                created_ms,
            }));
        }
        for room in &ROOMS {
            let field = FieldRef { org: &org, purpose: "conversation-name", row: room };
            rows.push(Mutation::PutConversation(ConversationRow {
                id: (*room).into(),
                org: org.clone(),
                installation: workspace(room).into(),
                remote: (*room).into(),
                kind: "channel".to_owned(),
                sealed_name: vault.seal_text(&field, room).await.unwrap(),
                external: false,
                facts: BTreeMap::new(),
                watch_id: Some(String::new()),
                watch_renew_ms: None,
                watch_expires_ms: None,
                seen_until_ms: 0,
            }));
        }
        rows.push(Mutation::AddBridge(BridgeRow {
            id: BRIDGE.into(),
            org,
            state: BridgeState::Active,
            members: self.members.iter().map(|room| (*room).into()).collect(),
            created_ms,
            since_ms: created_ms,
            past: BridgePast::default(),
            notices: dragoman_store::Notices::Off,
            talk: self.talk.map(str::to_owned),
        }));
        for row in rows {
            store.commit(row).await.unwrap();
        }
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    fn commit(&self, mutation: Mutation) {
        let life = self.life();
        life.runtime.block_on(async {
            life.relay.store().commit(mutation).await.unwrap();
            life.relay.reload().await.unwrap();
        });
    }

    /// As `bridge pause` and `bridge resume` do.
    fn set_bridge(&mut self, state: BridgeState) {
        let since_ms = Some(self.now_ms());
        self.commit(Mutation::SetBridge { bridge: BRIDGE.into(), state, since_ms });
        self.active = state == BridgeState::Active;
        if self.active {
            self.catch_up();
        }
    }

    /// As `bridge members` does.
    fn set_members(&self) {
        let members = self.members.iter().map(|room| (*room).into()).collect();
        let since_ms = Some(self.now_ms());
        self.commit(Mutation::SetMembers {
            bridge: BRIDGE.into(),
            members,
            since_ms,
            backfill_ms: BTreeMap::new(),
            joined_by: None,
        });
        self.catch_up();
    }

    fn catch_up(&self) {
        let life = self.life();
        life.runtime.block_on(async {
            self.members.iter().for_each(|room| life.relay.catch_up_later((*room).into()));
        });
    }

    /// Fifty messages a second, in all rooms by turns: some delivered twice, some heard of late, the last ones only after
    /// what comes next; and all copies come back.
    fn flow(&mut self, time: &str) {
        let seconds: u64 = time.trim_end_matches('s').parse().unwrap();
        let mut late = None;
        for turn in 0..seconds * 50 {
            let number = self.flowed.len() as u64;
            let room = ROOMS[usize::try_from(number).unwrap() % ROOMS.len()];
            let linked = self.active && self.members.contains(&room);
            let others = self.members.iter().copied().filter(|other| linked && *other != room);
            let held = turn + 3 >= seconds * 50;
            self.flowed.push(Flowed { number, room, to: others.collect(), held });
            let said = self.say(room, &["post", &format!("m{number}"), &format!("n{number}")]);
            // The last ones before whatever comes next are heard of after it.
            if held {
                self.held.push(said);
            } else if number.is_multiple_of(11) {
                late = Some(said);
            } else {
                let mut batch = vec![said];
                if number % 11 == 2 {
                    batch.extend(late.take());
                }
                self.deliver(batch.clone());
                if number.is_multiple_of(7) {
                    self.deliver(batch);
                }
            }
            if turn == 1 {
                let held = std::mem::take(&mut self.held);
                self.deliver(held);
            }
            if number % 40 == 39 {
                for room in ROOMS {
                    self.echo(room);
                }
            }
            let life = self.life();
            life.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
        self.deliver(late.into_iter().collect());
    }

    /// Everything that flowed is in each room that it was for, once, and in no other; each room's in its order.
    #[track_caller]
    fn flowed(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.deliver(held);
        self.pass("60s");
        for room in ROOMS {
            let shown: Vec<String> = self.fake.room(room, |room| {
                room.said.iter().filter(|it| it.marker.is_some()).map(|it| it.text.clone()).collect()
            });
            for source in ROOMS {
                let number = |it: &Flowed| format!("n{}", it.number);
                let here: Vec<&Flowed> = self.flowed.iter().filter(|it| it.room == source).collect();
                let wanted: Vec<String> =
                    here.iter().filter(|it| it.to.contains(&room)).map(|it| number(it)).collect();
                let possible = |text: &&String| {
                    here.iter().any(|it| number(it) == **text && (!it.held || it.to.contains(&room)))
                };
                let shown: Vec<&String> = shown.iter().filter(possible).collect();
                let missing: Vec<_> = wanted.iter().filter(|text| !shown.contains(text)).collect();
                let excess: Vec<_> = shown.iter().filter(|text| !wanted.contains(text)).collect();
                let state = format!("from {source} to {room}: {missing:?} are missing, {excess:?} too many");
                assert!(missing.is_empty() && excess.is_empty(), "{state}");
                assert!(shown.iter().copied().eq(wanted.iter()), "from {source} to {room}: {shown:?}");
            }
        }
    }

    /// The author of everything has an account in the first three workspaces, and granted tokens in these.
    fn speaks(&self, rooms: &[&str]) {
        for room in &ROOMS[..3] {
            self.commit(Mutation::PutAccount(AccountRow {
                org: ORG.into(),
                installation: (*room).into(),
                user: "u1".into(),
                sealed_profile: Vec::new(),
                email_digest: None,
                person: Some("p1".into()),
                refreshed_ms: 0,
            }));
        }
        for room in rooms {
            self.commit(Mutation::PutToken(TokenRow {
                installation: (*room).into(),
                slot: "p1".to_owned(),
                sealed_access: Vec::new(),
                sealed_refresh: None,
                expires_at_ms: None,
            }));
        }
        self.life().runtime.block_on(self.life().relay.reload()).unwrap();
    }

    /// The author of everything takes a permission back while its token is being refreshed, and waits so long at most.
    #[track_caller]
    fn revokes(&self, room: &str, time: &str) {
        let life = self.life();
        let (person, slot) = (PersonId::from("p1"), TokenSlot::Person("p1".into()));
        let set = |token: &str| TokenSet {
            access: Token::new(token.to_owned()),
            refresh: None,
            expires_at_ms: None,
        };
        let place = life.relay.directory().place(&room.into()).cloned().unwrap();
        let tokens = &place.session.tokens;
        let most = Duration::from_secs(time.trim_end_matches('s').parse().unwrap());
        life.runtime.block_on(async {
            tokens.put(&slot, set("old")).await.unwrap();
            let refresh = tokens.lock(&slot).await;
            let (relay, at) = (life.relay.clone(), Arc::clone(&place));
            let revoked = life.tasks.spawn(async move { relay.revoke_voice(&at, &person).await });
            tokio::time::sleep(Duration::from_millis(100)).await;
            tokens.put(&slot, set("new")).await.unwrap();
            drop(refresh);
            tokio::time::timeout(most, revoked).await.expect("it waits").unwrap().unwrap();
            assert!(tokens.get(&slot).await.unwrap().is_none(), "it is forgotten");
        });
    }

    fn policy(&self, name: &str, word: &str) {
        let life = self.life();
        let mut row = life.runtime.block_on(life.relay.store().orgs()).unwrap().remove(0);
        row.policy.insert(name.to_owned(), word.to_owned());
        self.commit(Mutation::PutOrg(row));
    }

    /// Another worker takes the lane into a room once the lease is over.
    fn steal(&self, room: &str) {
        let lane = LaneId::Conversation(room.into());
        let now_ms = self.now_ms() + 120_000;
        let lease = Lease { owner: "other".to_owned(), now_ms, until_ms: now_ms + 1 };
        self.commit(Mutation::ClaimLanes { lease, lanes: vec![lane], limit: 1 });
    }

    fn dead(&self) -> Vec<String> {
        let life = self.life();
        let letters = life.runtime.block_on(life.relay.store().dead_letters(None, 100)).unwrap();
        letters.into_iter().rev().map(|letter| letter.code.replace("DRG-", "")).collect()
    }

    fn receipts(&self) -> Vec<dragoman_store::Receipt> {
        let life = self.life();
        life.runtime.block_on(life.relay.store().receipts(None, None, 100)).unwrap()
    }

    fn notes(&self) -> Vec<String> {
        self.receipts()[0].notes.iter().map(|code| code.replace("DRG-", "")).collect()
    }

    /// As `dead-letter replay` does, with all there are.
    fn replay(&self) {
        let now_ms = self.now_ms();
        let life = self.life();
        let letters = life.runtime.block_on(life.relay.store().dead_letters(None, 100)).unwrap();
        for letter in letters {
            let replay = Mutation::Replay {
                dead_letter: letter.id,
                event: EventId::fresh(now_ms, &*self.random),
                leg: LegId::fresh(now_ms, &*self.random),
                now_ms,
            };
            life.runtime.block_on(async {
                life.relay.store().commit(replay).await.unwrap();
                life.relay.wake(letter.lane);
            });
        }
    }
}
