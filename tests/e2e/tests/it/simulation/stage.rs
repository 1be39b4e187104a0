//! The machine that the platforms run on, and the people who write there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dragoman_sim::core::{LogEntry, LogKind, World};
use dragoman_store::{DeadLetterRow, Receipt, Store};

use super::machine::{Machine, lock};
use super::net::SimNet;
use super::plan::{Deed, Plan, TURBULENT_MS};
use super::platforms::{Addresses, CHANNELS, Platforms, Shown};

/// When the simulated world begins: a morning in November 2023, in microseconds since 1970.
pub(super) const EPOCH_MICROS: i64 = 1_700_000_000_000_000;
/// Deliveries that Slack tries: the first and three more.
const ATTEMPTS: u32 = 4;
/// So long without a write or a delivery is rest: longer than any platform waits before it tries again, and than it
/// takes to find an edit of which nobody tells.
const REST_MS: i64 = 80_000;
/// Edits of one message; platforms take no more than ten.
const EDITS: u32 = 6;
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
}

/// The text of the n-th message; what a copy is recognised by.
pub(super) fn text(number: usize, revision: u32) -> String {
    format!("note {number:03} rev {revision}.")
}

/// What the simulators and the gateway hold in the end.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) said: Vec<Said>,
    /// Messages by channel, as its platform shows them.
    pub(super) messages: Vec<Vec<Shown>>,
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
        let mut said = Vec::new();
        for (at_ms, deed) in plan.deeds {
            tokio::time::sleep_until(began + Duration::from_millis(at_ms)).await;
            act(&world, &platforms, &mut said, deed)?;
        }
        tokio::time::sleep_until(began + Duration::from_millis(TURBULENT_MS)).await;
        platforms.heal();
        let problem = self.rest(&world, &platforms, said.len()).await;
        let running = self.machine.running();
        let (receipts, dead) = match &running {
            Some(running) => (
                running.store.receipts(None, None, 100_000).await?,
                running.store.dead_letters(None, 100_000).await?,
            ),
            None => Default::default(),
        };
        *lock(&self.scene) = Scene {
            said,
            messages: CHANNELS.iter().map(|channel| platforms.shown(channel)).collect(),
            log: platforms.log(),
            receipts,
            dead,
            problem,
            rested_ms: u64::try_from(began.elapsed().as_millis())?,
        };
        Ok(())
    }

    /// Waits until nothing is under way any more; what is wrong, if that does not happen.
    async fn rest(&self, world: &World, platforms: &Platforms, said: usize) -> Option<String> {
        let deadline = tokio::time::Instant::now() + SETTLE;
        let rest = Duration::from_millis(REST_MS.unsigned_abs());
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
            let unrest = match self.unrest(world, platforms, said).await {
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
    async fn unrest(&self, world: &World, platforms: &Platforms, said: usize) -> Result<Option<String>> {
        let ours: usize = CHANNELS
            .iter()
            .map(|channel| platforms.shown(channel).iter().filter(|shown| shown.ours).count())
            .sum();
        let most = said * (CHANNELS.len() - 1) * 2;
        ensure!(ours <= most, "{ours} copies of {said} messages: a loop");
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
            && world.clock.millis() - last.at < REST_MS
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

/// Looks for edits, at webhooks, at subscriptions, and what they cost.
fn is_routine(entry: &LogEntry) -> bool {
    let reads = entry.method.starts_with("GET ") || entry.method.starts_with("HEAD ");
    reads || ["token", "subscriptions", "webhooks"].iter().any(|word| entry.method.contains(word))
}

fn act(world: &World, platforms: &Platforms, said: &mut Vec<Said>, deed: Deed) -> Result<()> {
    let at_ms = world.clock.millis();
    match deed {
        Deed::Fault { platform, order } => platforms.fault(platform, order),
        Deed::Post { channel, person } => {
            let here = &CHANNELS[channel];
            let user = here.people[person];
            let id = platforms.post(here, user, None, &text(said.len(), 0))?;
            said.push(Said { channel, user, id, at_ms, root: None, revision: 0, deleted: false });
        }
        Deed::Reply { pick } => {
            let Some(root) = choose(said, pick, |one| one.root.is_none()) else { return Ok(()) };
            let Said { channel, id, .. } = said[root].clone();
            let here = &CHANNELS[channel];
            let user = here.people[usize::try_from(pick >> 32)? % here.people.len()];
            let id = platforms.post(here, user, Some(&id), &text(said.len(), 0))?;
            said.push(Said { channel, user, id, at_ms, root: Some(root), revision: 0, deleted: false });
        }
        Deed::Edit { pick } => {
            let Some(chosen) = choose(said, pick, |one| one.revision < EDITS) else { return Ok(()) };
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
    }
    Ok(())
}

/// One of the latest messages that are still there.
fn choose(said: &[Said], pick: u64, fits: impl Fn(&Said) -> bool) -> Option<usize> {
    let there: Vec<usize> = (0..said.len()).filter(|at| !said[*at].deleted && fits(&said[*at])).collect();
    let latest = &there[there.len().saturating_sub(8)..];
    (!latest.is_empty()).then(|| latest[usize::try_from(pick % latest.len() as u64).expect("below a length")])
}
