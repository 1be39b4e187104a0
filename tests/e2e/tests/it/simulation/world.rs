//! One seed, from the first moment to the verdict.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use dragoman_testkit::digest;
use turmoil::Sim;

use super::judge::judge;
use super::machine::{Machine, lock};
use super::plan::{Outage, Plan, TURBULENT_MS, Weather};
use super::platforms::HOST;
use super::private::NOBODY;
use super::stage::{EPOCH_MICROS, Scene, Stage};

/// A planted bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bug {
    /// The product as it is.
    None,
    /// Syncs are only said to be done.
    NoSync,
    /// Platforms are answered before their event is appended.
    EarlyAcknowledgement,
    /// Copies of our own are taken for messages of people.
    NoEchoRule,
    /// Commands to the app are forgotten as soon as they are done.
    CommandAgain,
    /// A direct conversation takes what was written in a chat before it for its own.
    OthersPast,
    /// Whom people block is forgotten.
    BlockForgotten,
    /// Who leaves a conversation of several stays in it.
    LeaverStays,
}

/// What came of a seed.
pub(super) struct Outcome {
    /// What is wrong.
    pub(super) wrong: Vec<String>,
    /// Digest of every call, delivery, receipt and message with its time.
    pub(super) trace: String,
    /// All of that as text.
    pub(super) story: String,
    pub(super) crashes: usize,
    pub(super) messages: usize,
    /// What people wrote to the app: commands, and words in direct conversations.
    pub(super) commands: usize,
    pub(super) words: usize,
    /// Words to two people at once.
    pub(super) crowded: usize,
    /// Who was in a conversation in the end, and sure of it.
    pub(super) settled: Vec<bool>,
    /// Simulated time.
    pub(super) took: Duration,
}

/// How often the network and the machines take turns.
const TICK: Duration = Duration::from_millis(10);
/// A cut that waits for a write waits so long.
const PATIENCE_MS: u64 = 15_000;

/// Whether the gateway's machine is up.
enum State {
    Up,
    /// The power goes soon, or then at the latest; and for how long.
    Doomed {
        at_most_ms: u64,
        outage: Outage,
    },
    /// Until then; then, perhaps, once more.
    Down {
        until_ms: u64,
        again: Option<u8>,
    },
}

struct Driver<'a> {
    sim: Sim<'a>,
    stage: Arc<Stage>,
    state: State,
    outages: std::vec::IntoIter<Outage>,
    next: Option<Outage>,
    weather: std::vec::IntoIter<Weather>,
    sky: Option<Weather>,
    /// The network fails until then.
    storm: Option<(u64, bool)>,
    crashes: Vec<u64>,
}

/// Runs a seed.
pub(super) fn run(seed: u64, bug: Bug) -> Outcome {
    let plan = Plan::new(seed);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(UNIX_EPOCH + Duration::from_micros(EPOCH_MICROS.unsigned_abs()))
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(plan.latency_ms))
        .simulation_duration(Duration::from_hours(24))
        .tcp_capacity(4096)
        .build();
    let stage = Arc::new(Stage::new(Arc::new(Machine::new(seed, bug))));
    let (mut outages, mut weather) = (plan.outages.clone().into_iter(), plan.weather.clone().into_iter());
    let playing = Arc::clone(&stage);
    sim.client(HOST, async move { Ok(playing.play(seed, plan).await?) });
    let powered = Arc::clone(&stage);
    sim.host("gateway", move || {
        let stage = Arc::clone(&powered);
        async move {
            let addresses = loop {
                if let Some(addresses) = lock(&stage.addresses).clone() {
                    break addresses;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            };
            Arc::clone(&stage.machine).run(addresses).await;
            Ok(())
        }
    });
    let (next, sky) = (outages.next(), weather.next());
    let crashes = Vec::new();
    let mut driver =
        Driver { sim, stage, state: State::Up, outages, next, weather, sky, storm: None, crashes };
    let error = driver.drive();
    let took = driver.sim.elapsed();
    let mut scene = std::mem::take(&mut *lock(&driver.stage.scene));
    scene.problem = scene.problem.or(error);
    scene.crashes = driver.crashes.len();
    let story = story(&scene, &driver.crashes);
    Outcome {
        wrong: judge(&scene),
        trace: digest(story.as_bytes()),
        story,
        crashes: driver.crashes.len(),
        messages: scene.said.len(),
        commands: scene.private.commands.len(),
        words: scene.private.words.iter().filter(|word| word.to != NOBODY).count(),
        crowded: (scene.private.words.iter())
            .filter(|word| word.to.iter().filter(|to| **to).count() > 1)
            .count(),
        settled: scene.private.left.iter().map(Option::is_some).collect(),
        took,
    }
}

impl Driver<'_> {
    /// Steps until the platforms' people went home; the error, if there was one.
    fn drive(&mut self) -> Option<String> {
        loop {
            match self.sim.step() {
                Ok(true) => return None,
                Ok(false) => {}
                Err(error) => return Some(error.to_string()),
            }
            let now_ms = u64::try_from(self.sim.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.network(now_ms);
            if let Err(error) = self.power(now_ms) {
                return Some(error);
            }
        }
    }

    fn network(&mut self, now_ms: u64) {
        if let Some((until_ms, lossy)) = self.storm {
            if now_ms >= until_ms {
                if lossy {
                    self.sim.repair(HOST, "gateway");
                } else {
                    self.sim.release(HOST, "gateway");
                }
                self.storm = None;
            }
        } else if let Some(weather) = self.sky.filter(|weather| weather.at_ms <= now_ms) {
            if weather.lossy {
                self.sim.partition(HOST, "gateway");
            } else {
                self.sim.hold(HOST, "gateway");
            }
            self.storm = Some((now_ms + weather.for_ms, weather.lossy));
            self.sky = self.weather.next();
        }
    }

    fn power(&mut self, now_ms: u64) -> Result<(), String> {
        let machine = &self.stage.machine;
        match &self.state {
            State::Up => {
                if let Some(outage) = self.next.filter(|outage| outage.at_ms <= now_ms) {
                    self.next = self.outages.next();
                    let patience_ms = outage.after.map_or(0, |after| {
                        machine.power.cut_after(after);
                        PATIENCE_MS
                    });
                    self.state = State::Doomed { at_most_ms: now_ms + patience_ms, outage };
                } else if let Some(error) = machine.failed() {
                    return Err(format!("the gateway does not start: {error}"));
                }
            }
            State::Doomed { at_most_ms, outage } => {
                if machine.power.is_cut() || *at_most_ms <= now_ms {
                    let (until_ms, again) = (now_ms + outage.down_ms, outage.again);
                    // A machine without power says no goodbye, and in what order its sockets are dropped depends
                    // on what else ran in this process.
                    self.sim.partition(HOST, "gateway");
                    self.sim.crash("gateway");
                    match self.storm {
                        None => self.sim.repair(HOST, "gateway"),
                        Some((_, false)) => self.sim.hold(HOST, "gateway"),
                        Some((_, true)) => {}
                    }
                    machine.crashed();
                    self.crashes.push(now_ms);
                    self.state = State::Down { until_ms, again };
                }
            }
            State::Down { until_ms, again } if *until_ms <= now_ms => {
                let again = *again;
                self.sim.bounce("gateway");
                self.state = match again {
                    Some(after) => {
                        machine.power.cut_after(after);
                        let outage = Outage { at_ms: now_ms, after: Some(after), down_ms: 500, again: None };
                        State::Doomed { at_most_ms: now_ms + PATIENCE_MS, outage }
                    }
                    None => State::Up,
                };
            }
            State::Down { .. } => {}
        }
        Ok(())
    }
}

/// Everything that happened, with its time.
fn story(scene: &Scene, crashes: &[u64]) -> String {
    let mut story = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(story, "{text}");
    };
    for entry in &scene.log {
        let (at, conversation) =
            (entry.at - EPOCH_MICROS / 1000, entry.conversation.as_deref().unwrap_or("-"));
        line(format_args!(
            "{at} {} {:?} {} {conversation} {} {}ms #{} {}",
            entry.platform, entry.kind, entry.method, entry.status, entry.ms, entry.attempt, entry.detail
        ));
    }
    for crash in crashes {
        line(format_args!("{crash} crash"));
    }
    for receipt in scene.receipts.iter().rev() {
        line(format_args!(
            "{} receipt {} {} {:?} {:?} {} {:?} {} attempts, accepted {}",
            receipt.settled_ms - EPOCH_MICROS / 1000,
            receipt.leg,
            receipt.kind,
            receipt.message,
            receipt.to,
            receipt.outcome,
            receipt.code,
            receipt.attempts,
            receipt.received_ms - EPOCH_MICROS / 1000
        ));
    }
    for message in scene.messages.iter().chain(&scene.chats).flatten() {
        line(format_args!("{}", message.raw));
    }
    line(format_args!("rest at {}", scene.rested_ms));
    story
}

const _: () = assert!(TURBULENT_MS < 360_000, "the last attempt of a delivery comes after the turbulence");
