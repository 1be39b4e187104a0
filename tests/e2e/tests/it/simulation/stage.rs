//! The machine that the platforms run on, and the people who write there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dragoman_model::ConversationId;
use dragoman_sim::core::{LogEntry, LogKind, World};
use dragoman_store::{DeadLetterRow, Receipt, Store};

use super::machine::{Machine, lock};
use super::net::SimNet;
use super::plan::{Cargo, Deed, Plan, TURBULENT_MS};
use super::platforms::{Addresses, CHANNELS, Channel, EMOJI, Platforms};
use super::private::Private;
use super::shown::Shown;

/// When the simulated world begins: a morning in November 2023, in microseconds since 1970.
pub(super) const EPOCH_MICROS: i64 = 1_700_000_000_000_000;
/// Deliveries that Slack tries: the first and three more.
const ATTEMPTS: u32 = 4;
/// So long without a write or a delivery is rest: longer than any platform waits before it tries again, and than it
/// takes to find an edit of which nobody tells.
const REST_MS: i64 = 80_000;
/// The same when nothing goes wrong any more and nobody edits.
const BREATH_MS: i64 = 20_000;
/// After an outage so long a platform may have given up.
const UNTOLD_MS: u64 = 60_000;
/// Edits of one message; platforms take no more than ten.
pub(super) const EDITS: u32 = 6;
/// Everything has to have come to rest so long after things stopped going wrong.
const SETTLE: Duration = Duration::from_hours(2);

/// What somebody wrote.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) channel: usize,
    pub(super) user: &'static str,
    /// As the gateway names it.
    pub(super) id: String,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// Which earlier one it replies to.
    pub(super) root: Option<usize>,
    pub(super) revision: u32,
    pub(super) deleted: bool,
    /// What it carries now.
    pub(super) files: Vec<SentFile>,
    /// It had more.
    pub(super) unfiled: bool,
    /// It has no text.
    pub(super) wordless: bool,
    /// Who reacts to it: channel, person, emoji.
    pub(super) reactions: BTreeSet<(usize, &'static str, usize)>,
}

/// A file as it was sent.
#[derive(Clone, Debug)]
pub(super) struct SentFile {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The text of the n-th message; what a copy is recognised by.
pub(super) fn text(number: usize, revision: u32) -> String {
    format!("note {number:03} rev {revision}.")
}

/// Files of the n-th message. Every byte says where it belongs.
fn files(number: usize, cargo: Cargo) -> Vec<SentFile> {
    let file = |index: usize| file_of(file_name(number, index), &format!("{number}.{index}."), cargo.size);
    (0..cargo.files).map(file).collect()
}

/// A file of so many bytes, with the same over and over.
pub(super) fn file_of(name: String, mark: &str, size: usize) -> SentFile {
    SentFile { name, bytes: mark.bytes().cycle().take(size).collect() }
}

/// What the copy of a file is recognised by.
fn file_name(number: usize, index: usize) -> String {
    format!("n{number:03}f{index}.txt")
}

/// What the simulators and the gateway hold in the end.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) said: Vec<Said>,
    /// Messages by channel, as its platform shows them.
    pub(super) messages: Vec<Vec<Shown>>,
    /// What people and the app wrote in chats with it.
    pub(super) private: Private,
    /// Messages of those chats.
    pub(super) chats: Vec<Vec<Shown>>,
    /// Our ids of them, where the gateway knows them.
    pub(super) chat_ids: Vec<Option<ConversationId>>,
    /// Names of files that the gateway put on a platform.
    pub(super) kept: BTreeMap<&'static str, Vec<String>>,
    /// How often the power went.
    pub(super) crashes: usize,
    /// Whether a platform may have given up telling of something.
    pub(super) untold: bool,
    pub(super) log: Vec<LogEntry>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) dead: Vec<DeadLetterRow>,
    /// What was wrong before it came to that.
    pub(super) problem: Option<String>,
    /// When it came to rest, in milliseconds from the start.
    pub(super) rested_ms: u64,
}

/// What both machines and the driver share.
pub(super) struct Stage {
    pub(super) machine: Arc<Machine>,
    pub(super) addresses: Mutex<Option<Addresses>>,
    pub(super) scene: Mutex<Scene>,
}

impl Stage {
    pub(super) fn new(machine: Arc<Machine>) -> Self {
        Self { machine, addresses: Mutex::default(), scene: Mutex::default() }
    }

    /// Runs the platforms and their people to the end. Something that never comes to rest is noted in the scene.
    pub(super) async fn play(self: Arc<Self>, seed: u64, plan: Plan) -> Result<()> {
        let began = tokio::time::Instant::now();
        let world = World::new(seed, EPOCH_MICROS, Arc::new(SimNet));
        let platforms = Platforms::start(&world).await?;
        *lock(&self.addresses) = Some(platforms.addresses().context("a bot is missing")?);
        while self.machine.running().is_none() {
            if let Some(error) = self.machine.failed() {
                bail!("the gateway does not start: {error}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        platforms.tell();
        let untold = plan.outages.iter().any(|outage| outage.down_ms >= UNTOLD_MS);
        let mut said = Vec::new();
        let mut private = Private { chats: platforms.chats()?, ..Private::default() };
        for (at_ms, deed) in plan.deeds {
            tokio::time::sleep_until(began + Duration::from_millis(at_ms)).await;
            act(&world, &platforms, (&mut said, &mut private), deed).await?;
        }
        tokio::time::sleep_until(began + Duration::from_millis(TURBULENT_MS)).await;
        platforms.heal();
        let mut problem = self.rest(&world, &platforms, &said, REST_MS).await;
        if problem.is_none() {
            private.last_words(&world, &platforms)?;
            problem = self.rest(&world, &platforms, &said, BREATH_MS).await;
        }
        // Who accepted while the gateway was away, or what was granted forgotten, is asked once more.
        while problem.is_none() && private.accept_files(&platforms)? {
            problem = self.rest(&world, &platforms, &said, BREATH_MS).await;
        }
        let running = self.machine.running();
        let (receipts, dead) = match &running {
            Some(running) => (
                running.store.receipts(None, None, 100_000).await?,
                running.store.dead_letters(None, 100_000).await?,
            ),
            None => Default::default(),
        };
        let rows = match &running {
            Some(running) => running.store.conversations().await?,
            None => Vec::new(),
        };
        let chat_id = |chat: &Channel| {
            rows.iter().find(|row| row.remote.as_str() == chat.remote()).map(|row| row.id.clone())
        };
        *lock(&self.scene) = Scene {
            said,
            messages: CHANNELS.iter().map(|channel| platforms.shown(channel)).collect(),
            chats: private.chats.iter().map(|chat| platforms.shown(chat)).collect(),
            chat_ids: private.chats.iter().map(chat_id).collect(),
            private,
            kept: kept(&platforms),
            untold: untold || given_up(&platforms.log()),
            crashes: 0,
            log: platforms.log(),
            receipts,
            dead,
            problem,
            rested_ms: u64::try_from(began.elapsed().as_millis())?,
        };
        Ok(())
    }

    /// Waits until nothing is under way any more; what is wrong, if that does not happen.
    async fn rest(
        &self,
        world: &World,
        platforms: &Platforms,
        said: &[Said],
        rest_ms: i64,
    ) -> Option<String> {
        let deadline = tokio::time::Instant::now() + SETTLE;
        let rest = Duration::from_millis(rest_ms.unsigned_abs());
        let mut life: Option<(Arc<dyn Store>, tokio::time::Instant)> = None;
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            // What was started a moment ago has not begun yet to look for what it missed.
            let store = self.machine.running().map(|running| running.store);
            let same =
                |(known, _): &(Arc<dyn Store>, _)| store.as_ref().is_some_and(|it| Arc::ptr_eq(it, known));
            if !life.as_ref().is_some_and(same) {
                life = store.map(|store| (store, tokio::time::Instant::now()));
            }
            if life.as_ref().is_some_and(|(_, since)| since.elapsed() < rest) {
                continue;
            }
            let unrest = match self.unrest(world, platforms, said, rest_ms).await {
                Ok(None) => return None,
                Ok(Some(unrest)) => unrest,
                Err(error) => return Some(format!("{error:#}")),
            };
            if tokio::time::Instant::now() > deadline {
                return Some(format!("it does not come to rest: {unrest}"));
            }
        }
    }

    /// What is still under way.
    async fn unrest(
        &self,
        world: &World,
        platforms: &Platforms,
        said: &[Said],
        rest_ms: i64,
    ) -> Result<Option<String>> {
        let ours: usize = CHANNELS
            .iter()
            .map(|channel| platforms.shown(channel).iter().filter(|shown| shown.ours).count())
            .sum();
        let sent: usize = said.iter().map(|one| 2 + one.files.len() + one.reactions.len()).sum();
        let most = sent * (CHANNELS.len() - 1) * 2;
        ensure!(ours <= most, "{ours} copies of {} messages: a loop", said.len());
        let Some(running) = self.machine.running() else { return Ok(Some("the gateway is down".to_owned())) };
        let counts = running.store.counts().await?;
        if counts.events + counts.legs + counts.payloads > 0 {
            return Ok(Some(format!("the store holds {counts:?}")));
        }
        let slots = running.slots.in_use();
        if slots > 0 || !running.store.named_slots().await?.is_empty() {
            return Ok(Some(format!("{slots} message secrets are left")));
        }
        let log = platforms.log();
        let stirs = |entry: &&LogEntry| entry.kind == LogKind::Delivery || !is_routine(entry);
        if let Some(last) = log.iter().rev().find(stirs)
            && world.clock.millis() - last.at < rest_ms
        {
            return Ok(Some(format!("{} is called", last.method)));
        }
        let pending = pending(&log);
        Ok((pending > 0).then(|| format!("{pending} deliveries are tried again later")))
    }
}

/// Deliveries that Slack will try again, which it does after minutes.
fn pending(log: &[LogEntry]) -> usize {
    let mut last: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.kind == LogKind::Delivery) {
        let Some(event) = entry.detail["label"]["event_id"].as_str() else { continue };
        let over = entry.detail["failure"].is_null() || entry.attempt + 1 >= ATTEMPTS;
        *last.entry(event).or_default() |= over;
    }
    last.values().filter(|over| !**over).count()
}

/// Whether a platform gave up telling of something.
fn given_up(log: &[LogEntry]) -> bool {
    let last = |platform: &str| match platform {
        "slack" | "zoom" => ATTEMPTS - 1,
        "teams" => ATTEMPTS,
        _ => u32::MAX,
    };
    let failed = |entry: &&LogEntry| entry.kind == LogKind::Delivery && !entry.detail["failure"].is_null();
    log.iter().filter(failed).any(|entry| entry.attempt >= last(entry.platform))
}

/// Looks for edits, at webhooks, at subscriptions, and what they cost.
fn is_routine(entry: &LogEntry) -> bool {
    let reads = entry.method.starts_with("GET ") || entry.method.starts_with("HEAD ");
    reads || ["token", "subscriptions", "webhooks"].iter().any(|word| entry.method.contains(word))
}

fn kept(platforms: &Platforms) -> BTreeMap<&'static str, Vec<String>> {
    let all = CHANNELS.iter().map(|channel| channel.platform);
    all.filter_map(|platform| Some((platform, platforms.kept(platform)?))).collect()
}

async fn act(
    world: &World,
    platforms: &Platforms,
    (said, private): (&mut Vec<Said>, &mut Private),
    deed: Deed,
) -> Result<()> {
    match deed {
        Deed::Direct { pick } => private.act(world, platforms, pick)?,
        Deed::Fault { platform, order } => platforms.fault(platform, order),
        Deed::Post { channel, person, cargo } => {
            say(world, platforms, said, (channel, CHANNELS[channel].people[person]), None, cargo)?;
        }
        Deed::Reply { pick, cargo } => {
            let Some(root) = choose(said, pick, |one| one.root.is_none()) else { return Ok(()) };
            let channel = said[root].channel;
            let people = CHANNELS[channel].people;
            let user = people[usize::try_from(pick >> 32)? % people.len()];
            say(world, platforms, said, (channel, user), Some(root), cargo)?;
        }
        Deed::Edit { pick } => {
            // Webex lets nobody edit what has files.
            let fixed = |one: &Said| CHANNELS[one.channel].platform == "webex" && !one.files.is_empty();
            let editable = |one: &Said| one.revision < EDITS && !one.wordless && !fixed(one);
            let Some(chosen) = choose(said, pick, editable) else { return Ok(()) };
            let one = &mut said[chosen];
            one.revision += 1;
            let text = text(chosen, one.revision);
            platforms.edit(&CHANNELS[one.channel], one.user, &one.id, &text)?;
        }
        Deed::Delete { pick } => {
            let Some(chosen) = choose(said, pick, |_| true) else { return Ok(()) };
            let one = &mut said[chosen];
            one.deleted = true;
            platforms.delete(&CHANNELS[one.channel], one.user, &one.id)?;
        }
        Deed::Unfile { pick } => {
            // What has no text either would vanish with its last file.
            let spare = |one: &Said| one.files.len() > usize::from(one.wordless);
            let Some(chosen) = choose(said, pick, spare) else { return Ok(()) };
            let one = &mut said[chosen];
            let channel = &CHANNELS[one.channel];
            let Some(shown) = platforms.shown(channel).into_iter().find(|shown| shown.id == one.id) else {
                return Ok(());
            };
            // Replies stand under what was there first.
            let first = usize::from(one.wordless);
            let index = first + usize::try_from(pick >> 32)? % (one.files.len() - first);
            if platforms.unfile(channel, &shown, &one.files[index].name)? {
                one.files.remove(index);
                one.unfiled = true;
            }
        }
        Deed::React { pick, again_ms } => {
            let Some(reaction) = reaction(platforms, said, pick) else { return Ok(()) };
            toggle(platforms, said, &reaction)?;
            if let Some(again_ms) = again_ms {
                tokio::time::sleep(Duration::from_millis(again_ms)).await;
                toggle(platforms, said, &reaction)?;
            }
        }
    }
    Ok(())
}

/// Somebody writes.
fn say(
    world: &World,
    platforms: &Platforms,
    said: &mut Vec<Said>,
    (channel, user): (usize, &'static str),
    root: Option<usize>,
    cargo: Cargo,
) -> Result<()> {
    let number = said.len();
    let files = files(number, cargo);
    let words = if cargo.wordless { String::new() } else { text(number, 0) };
    let root_id = root.map(|root| said[root].id.clone());
    let id = platforms.post(&CHANNELS[channel], user, root_id.as_deref(), &words, &files)?;
    said.push(Said {
        channel,
        user,
        id,
        at_ms: world.clock.millis(),
        root,
        revision: 0,
        deleted: false,
        files,
        unfiled: false,
        wordless: cargo.wordless,
        reactions: BTreeSet::new(),
    });
    Ok(())
}

/// Somebody's reaction to a message where they see it.
struct Reaction {
    number: usize,
    channel: usize,
    user: &'static str,
    emoji: usize,
    id: String,
}

/// Where it is, to what and by whom somebody reacts; `None`: they do not see it (yet), or nobody reacts there.
fn reaction(platforms: &Platforms, said: &[Said], pick: u64) -> Option<Reaction> {
    let number = choose(said, pick, |_| true)?;
    let dice = usize::try_from(pick >> 20).ok()?;
    let channel = dice % CHANNELS.len();
    let here = &CHANNELS[channel];
    if here.platform == "webex" {
        return None;
    }
    let user = here.people[(dice >> 8) % here.people.len()];
    let id = if said[number].channel == channel {
        said[number].id.clone()
    } else {
        platforms.shown(here).into_iter().find(|shown| shown.ours && numbered(shown) == Some(number))?.id
    };
    Some(Reaction { number, channel, user, emoji: (dice >> 16) % EMOJI.len(), id })
}

/// Sets it, or takes it back.
fn toggle(platforms: &Platforms, said: &mut [Said], reaction: &Reaction) -> Result<()> {
    let Reaction { number, channel, user, emoji, id } = reaction;
    let reactions = &mut said[*number].reactions;
    let key = (*channel, *user, *emoji);
    let add = reactions.insert(key);
    if !add {
        reactions.remove(&key);
    }
    platforms.react(&CHANNELS[*channel], user, id, *emoji, add)
}

/// Which message a copy is one of.
pub(super) fn numbered(shown: &Shown) -> Option<usize> {
    let digits = |text: &str, sign: &str| text.split(sign).nth(1)?.get(..3)?.parse().ok();
    match shown.files.first() {
        Some((name, _)) => digits(name, "n"),
        None => digits(&shown.text, "note "),
    }
}

/// One of the latest messages that are still there.
fn choose(said: &[Said], pick: u64, fits: impl Fn(&Said) -> bool) -> Option<usize> {
    let there: Vec<usize> = (0..said.len()).filter(|at| !said[*at].deleted && fits(&said[*at])).collect();
    let latest = &there[there.len().saturating_sub(8)..];
    (!latest.is_empty()).then(|| latest[usize::try_from(pick % latest.len() as u64).expect("below a length")])
}
