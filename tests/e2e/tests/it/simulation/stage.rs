//! The machine that Slack runs on, and the people who write there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dragoman_sim::core::{LogEntry, LogKind, World};
use dragoman_sim::slack::{BotIdentity, SlackSim};
use dragoman_store::{DeadLetterRow, Receipt};
use serde_json::Value;

use super::machine::{Machine, OUR_APP, lock};
use super::net::SimNet;
use super::plan::{Deed, Plan, TURBULENT_MS};
use super::slack::{self, APP, CHANNELS, PEOPLE, TOKENS};

/// When the simulated world begins: a morning in November 2023, in microseconds since 1970.
pub(super) const EPOCH_MICROS: i64 = 1_700_000_000_000_000;
/// Deliveries that Slack tries: the first and three more.
const ATTEMPTS: u32 = 4;
/// So long without a call or a delivery is rest.
const REST_MS: i64 = 20_000;
/// Everything has to have come to rest so long after things stopped going wrong.
const SETTLE: Duration = Duration::from_hours(1);

/// What somebody wrote.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) channel: usize,
    pub(super) user: &'static str,
    pub(super) ts: String,
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
    /// Messages by channel, as Slack shows them.
    pub(super) messages: Vec<Vec<Value>>,
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
    pub(super) bots: Mutex<Option<Vec<BotIdentity>>>,
    pub(super) scene: Mutex<Scene>,
}

impl Stage {
    pub(super) fn new(machine: Arc<Machine>) -> Self {
        Self { machine, bots: Mutex::default(), scene: Mutex::default() }
    }

    /// Runs Slack and its people to the end. Something that never comes to rest is noted in the scene.
    pub(super) async fn play(self: Arc<Self>, seed: u64, plan: Plan) -> Result<()> {
        let began = tokio::time::Instant::now();
        let world = World::new(seed, EPOCH_MICROS, Arc::new(SimNet));
        let slack = SlackSim::start(&world, slack::config()).await?;
        let bots = TOKENS.map(|(team, _)| slack.bot(APP, team));
        let bots: Vec<BotIdentity> = bots.into_iter().collect::<Option<_>>().context("a bot is missing")?;
        *lock(&self.bots) = Some(bots);
        while self.machine.running().is_none() {
            if let Some(error) = self.machine.failed() {
                bail!("the gateway does not start: {error}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        slack.set_events_url(APP, Some(&format!("http://gateway/hooks/slack/{OUR_APP}/events")));
        let mut said = Vec::new();
        for (at_ms, deed) in plan.deeds {
            tokio::time::sleep_until(began + Duration::from_millis(at_ms)).await;
            act(&slack, &mut said, &deed)?;
        }
        tokio::time::sleep_until(began + Duration::from_millis(TURBULENT_MS)).await;
        slack.faults().clear();
        let problem = self.rest(&world, &slack, said.len()).await;
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
            messages: CHANNELS.iter().map(|(_, channel)| slack.messages(channel)).collect(),
            log: slack.log().since(0),
            receipts,
            dead,
            problem,
            rested_ms: u64::try_from(began.elapsed().as_millis())?,
        };
        Ok(())
    }

    /// Waits until nothing is under way any more; what is wrong, if that does not happen.
    async fn rest(&self, world: &World, slack: &SlackSim, said: usize) -> Option<String> {
        let deadline = tokio::time::Instant::now() + SETTLE;
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let unrest = match self.unrest(world, slack, said).await {
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
    async fn unrest(&self, world: &World, slack: &SlackSim, said: usize) -> Result<Option<String>> {
        let ours: usize =
            CHANNELS.iter().map(|(_, id)| slack.messages(id).iter().filter(|m| is_bot(m)).count()).sum();
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
        let log = slack.log().since(0);
        if log.last().is_some_and(|last| world.clock.millis() - last.at < REST_MS) {
            return Ok(Some("calls are made".to_owned()));
        }
        let pending = pending(&log);
        Ok((pending > 0).then(|| format!("{pending} deliveries are tried again later")))
    }
}

/// Deliveries that Slack will try again.
fn pending(log: &[LogEntry]) -> usize {
    let mut last: BTreeMap<&str, bool> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.kind == LogKind::Delivery) {
        let Some(event) = entry.detail["label"]["event_id"].as_str() else { continue };
        let over = entry.detail["failure"].is_null() || entry.attempt + 1 >= ATTEMPTS;
        *last.entry(event).or_default() |= over;
    }
    last.values().filter(|over| !**over).count()
}

pub(super) fn is_bot(message: &Value) -> bool {
    message["bot_id"].is_string()
}

fn act(slack: &SlackSim, said: &mut Vec<Said>, deed: &Deed) -> Result<()> {
    let refused = |error: dragoman_sim::slack::ApiError| anyhow::anyhow!("{}", error.code);
    match deed {
        Deed::Fault(order) => {
            slack.faults().add(order.clone());
        }
        Deed::Post { channel, person } => {
            let user = PEOPLE[*channel][*person];
            let ts = slack.post(user, CHANNELS[*channel].1, &text(said.len(), 0)).map_err(refused)?;
            said.push(Said { channel: *channel, user, ts, root: None, revision: 0, deleted: false });
        }
        Deed::Reply { pick } => {
            let Some(root) = choose(said, *pick, |one| one.root.is_none()) else { return Ok(()) };
            let Said { channel, ts, .. } = said[root].clone();
            let people = PEOPLE[channel];
            let user = people[usize::try_from(pick >> 32)? % people.len()];
            let ts = slack.reply(user, CHANNELS[channel].1, &ts, &text(said.len(), 0)).map_err(refused)?;
            said.push(Said { channel, user, ts, root: Some(root), revision: 0, deleted: false });
        }
        Deed::Edit { pick } => {
            let Some(chosen) = choose(said, *pick, |_| true) else { return Ok(()) };
            let one = &mut said[chosen];
            one.revision += 1;
            let text = text(chosen, one.revision);
            slack.edit(one.user, CHANNELS[one.channel].1, &one.ts, &text).map_err(refused)?;
        }
        Deed::Delete { pick } => {
            let Some(chosen) = choose(said, *pick, |_| true) else { return Ok(()) };
            let one = &mut said[chosen];
            one.deleted = true;
            slack.delete(one.user, CHANNELS[one.channel].1, &one.ts).map_err(refused)?;
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
