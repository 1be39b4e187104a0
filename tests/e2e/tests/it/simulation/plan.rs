//! What happens in a seed: who writes when, what goes wrong when. Made from the seed before anything runs.

use dragoman_model::Random as _;
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_testkit::SeededRandom;

use super::platforms::CHANNELS;

/// People write, and things go wrong, within this time, in milliseconds.
pub(super) const TURBULENT_MS: u64 = 150_000;
/// The first moment at which anything happens.
const START_MS: u64 = 3_000;

/// What somebody does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// Somebody posts in a channel.
    Post { channel: usize, person: usize, cargo: Cargo },
    /// Somebody replies to an earlier message; the number picks it.
    Reply { pick: u64, cargo: Cargo },
    /// An author edits a message.
    Edit { pick: u64 },
    /// An author deletes a message.
    Delete { pick: u64 },
    /// An author takes a file out of a message.
    Unfile { pick: u64 },
    /// Somebody reacts to a message, or takes that back; and changes their mind after so many milliseconds.
    React { pick: u64, again_ms: Option<u64> },
    /// Somebody does something in their own chat with the app; the number says what.
    Direct { pick: u64 },
    /// A platform is told to misbehave.
    Fault { platform: &'static str, order: FaultOrder },
}

/// What a message carries beside its text.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Cargo {
    /// How many files.
    pub(super) files: usize,
    /// Bytes of each.
    pub(super) size: usize,
    /// No text beside them.
    pub(super) wordless: bool,
}

/// How the gateway's machine goes down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) at_ms: u64,
    /// The power is cut before so many more writes and syncs; `None`: at once.
    pub(super) after: Option<u8>,
    /// How long it stays down.
    pub(super) down_ms: u64,
    /// Once more, so many writes and syncs into the start that follows.
    pub(super) again: Option<u8>,
}

/// How the network between the platforms and the gateway fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) at_ms: u64,
    pub(super) for_ms: u64,
    /// Packets are lost; otherwise they are late.
    pub(super) lossy: bool,
}

/// Everything of one seed.
pub(super) struct Plan {
    pub(super) deeds: Vec<(u64, Deed)>,
    pub(super) outages: Vec<Outage>,
    pub(super) weather: Vec<Weather>,
    /// The longest a packet takes, in milliseconds.
    pub(super) latency_ms: u64,
}

struct Dice(SeededRandom);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn between(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    fn index(&self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("below a usize")
    }

    fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let dice = Dice(SeededRandom::new(seed ^ 0x9e37_79b9_7f4a_7c15));
        let mut deeds = Vec::new();
        let mut at = START_MS;
        while at < TURBULENT_MS {
            deeds.push((at, deed(&dice)));
            // Bursts and pauses.
            at += if dice.one_in(3) { dice.between(50, 400) } else { dice.between(500, 9_000) };
        }
        for _ in 0..dice.between(2, 8) {
            deeds.push((dice.between(START_MS, TURBULENT_MS), fault(&dice)));
        }
        let private = Dice(SeededRandom::new(seed ^ 0x00d1_2ec7));
        let mut at = START_MS;
        while at < TURBULENT_MS {
            deeds.push((at, Deed::Direct { pick: private.below(u64::MAX) }));
            at += private.between(500, 6_500);
        }
        deeds.sort_by_key(|(at, _)| *at);
        let mut outages = outages(&dice);
        // Some when somebody speaks to the app.
        for outage in outages.iter_mut().filter(|_| private.one_in(2)) {
            let spoken = deeds.iter().find(|(at, deed)| {
                matches!(deed, Deed::Direct { .. }) && (outage.at_ms..outage.at_ms + 7_000).contains(at)
            });
            outage.at_ms = spoken.map_or(outage.at_ms, |(at, _)| *at);
        }
        Self { deeds, outages, weather: weather(&dice), latency_ms: dice.between(5, 200) }
    }
}

fn deed(dice: &Dice) -> Deed {
    match dice.below(100) {
        0..38 => {
            let channel = dice.index(CHANNELS.len());
            Deed::Post { channel, person: dice.index(CHANNELS[channel].people.len()), cargo: cargo(dice) }
        }
        38..51 => Deed::Reply { pick: dice.below(u64::MAX), cargo: cargo(dice) },
        51..67 => Deed::Edit { pick: dice.below(u64::MAX) },
        67..76 => Deed::Delete { pick: dice.below(u64::MAX) },
        76..80 => Deed::Unfile { pick: dice.below(u64::MAX) },
        _ => {
            let again_ms = dice.one_in(3).then(|| dice.below(400));
            Deed::React { pick: dice.below(u64::MAX), again_ms }
        }
    }
}

fn cargo(dice: &Dice) -> Cargo {
    if !dice.one_in(4) {
        return Cargo::default();
    }
    let size = if dice.one_in(4) { dice.between(10_000, 60_000) } else { dice.between(1, 3_000) };
    let size = usize::try_from(size).expect("small");
    Cargo { files: dice.index(3) + 1, size, wordless: dice.one_in(2) }
}

fn fault(dice: &Dice) -> Deed {
    const SLACK: [&str; 11] = [
        "chat.postMessage",
        "chat.postMessage",
        "chat.update",
        "chat.delete",
        "conversations.*",
        "users.info",
        "files.*",
        "POST /upload",
        "GET /files-pri",
        "reactions.*",
        "*",
    ];
    const OTHERS: [&str; 11] = [
        "POST *", "POST *", "POST *", "PUT *", "PUT *", "DELETE *", "GET *", "GET *", "GET *", "PATCH *", "*",
    ];
    let platform = CHANNELS[dice.index(CHANNELS.len())].platform;
    let count = u32::try_from(dice.between(1, 4)).expect("small");
    let method = if platform == "slack" { SLACK } else { OTHERS }[dice.index(11)];
    let kind = match dice.below(8) {
        0 => FaultKind::RateLimited { retry_after: dice.between(1, 12).to_string() },
        1 => FaultKind::ServerErrorBefore { status: 503 },
        2 => FaultKind::ServerErrorAfter { status: 500 },
        3 => FaultKind::ResetBefore,
        4 => FaultKind::ResetAfter,
        5 => FaultKind::Latency { ms: dice.between(100, 8_000) },
        6 => FaultKind::BreakOff { after: dice.index(5_000) },
        _ => {
            let order = FaultOrder::next(count, "*", delivery_fault(dice));
            return Deed::Fault { platform, order };
        }
    };
    Deed::Fault { platform, order: FaultOrder::next(count, method, kind) }
}

fn delivery_fault(dice: &Dice) -> FaultKind {
    match dice.below(3) {
        0 => FaultKind::Duplicate,
        1 => FaultKind::Reorder,
        _ => FaultKind::Delay { ms: dice.between(100, 6_000) },
    }
}

fn outages(dice: &Dice) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut at = START_MS + dice.between(2_000, 40_000);
    while at < TURBULENT_MS {
        let down_ms = match dice.below(10) {
            // Longer than platforms go on trying.
            0 => dice.between(400_000, 900_000),
            1..3 => dice.between(20_000, 90_000),
            _ => dice.between(100, 8_000),
        };
        let few = |most: u64| u8::try_from(dice.below(most)).expect("small");
        let after = (!dice.one_in(3)).then(|| few(12));
        let again = dice.one_in(4).then(|| few(10));
        outages.push(Outage { at_ms: at, after, down_ms, again });
        at += down_ms + dice.between(3_000, 60_000);
    }
    outages
}

fn weather(dice: &Dice) -> Vec<Weather> {
    let mut weather = Vec::new();
    let mut at = START_MS + dice.between(5_000, 60_000);
    while at < TURBULENT_MS {
        let for_ms = dice.between(200, 25_000);
        weather.push(Weather { at_ms: at, for_ms, lossy: dice.one_in(2) });
        at += for_ms + dice.between(10_000, 80_000);
    }
    weather
}
