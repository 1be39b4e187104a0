//! One message at a time: how long until it is acknowledged, and until it is at its target.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::clock;
use crate::stats::median;
use crate::subject::Subject;
use crate::sync::Sync;
use crate::target::{NULL, Target};
use crate::wire::{Connection, Dialer};

/// Round trips before each measurement, one after the other, with what is measured: a process that has rested needs as long
/// to begin as for its work.
const ROUND_TRIPS: usize = 10;
/// Where the gateway says that it lives.
const HEALTH: &str = "/healthz";
/// Before each measurement: until the settlement of the message before is synced too, and until a disk that counts syncs
/// has forgotten the last one.
const PAUSE: Duration = Duration::from_millis(6);
/// Messages per block.
const MESSAGES: usize = 40;

/// Medians of a block, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// A round trip to a server that only answers.
    pub(crate) rtt: f64,
    /// Two syncs at the same time.
    pub(crate) sync: f64,
    /// From the request to its acknowledgement.
    pub(crate) ack: f64,
    /// From the request to the head of the copy at the target.
    pub(crate) trip: f64,
    /// The acknowledgement of a message that comes after a pause, without round trips.
    pub(crate) rested_ack: f64,
    /// How long it takes to the target.
    pub(crate) rested_trip: f64,
}

impl Block {
    /// The acknowledgement in floors.
    pub(crate) fn ack_ratio(&self) -> f64 {
        self.ack / (self.sync + self.rtt)
    }

    /// What was added, in round trips.
    pub(crate) fn added_ratio(&self) -> f64 {
        (self.trip - self.sync) / self.rtt
    }
}

/// Measures blocks. Each message follows a sync that is measured; before both lie the same pause and as many round trips,
/// with the server that only answers and with the gateway. As many messages come after a pause alone.
pub(crate) async fn measure(
    subject: &mut Subject,
    target: &mut Target,
    dialer: &mut Dialer,
    sync: &mut Sync,
    blocks: usize,
) -> Result<Vec<Block>> {
    let mut hooks = dialer.open(subject.address).await?;
    let mut health = dialer.open(subject.health()?).await?;
    let mut null = dialer.open(target.address).await?;
    let mut measured = Vec::new();
    // The first block warms up.
    for block in 0..=blocks {
        let (mut rtts, mut syncs) = (Vec::new(), Vec::new());
        let (mut awake, mut rested) = (Times::default(), Times::default());
        for message in 0..MESSAGES {
            warm_up(&mut null, NULL, &mut rtts).await?;
            syncs.push(sync.probe()?);
            warm_up(&mut health, HEALTH, &mut Vec::new()).await?;
            send(subject, target, &mut hooks, message, &mut awake).await?;
            tokio::time::sleep(PAUSE).await;
            send(subject, target, &mut hooks, message + 1, &mut rested).await?;
        }
        if block > 0 {
            let [rtt, sync] = [&rtts, &syncs].map(|samples| median(samples));
            let [ack, trip, rested_ack, rested_trip] =
                [&awake.acks, &awake.trips, &rested.acks, &rested.trips].map(|samples| median(samples));
            measured.push(Block { rtt, sync, ack, trip, rested_ack, rested_trip });
        }
    }
    Ok(measured)
}

/// How long messages took, in microseconds.
#[derive(Default)]
struct Times {
    acks: Vec<f64>,
    trips: Vec<f64>,
}

async fn send(
    subject: &mut Subject,
    target: &mut Target,
    hooks: &mut Connection,
    message: usize,
    times: &mut Times,
) -> Result<()> {
    let channel = &subject.channels[message % subject.channels.len()];
    let (_, request) = subject.events.message(&channel.id, Some(&channel.root));
    let start = clock::now();
    let status = hooks.exchange(request).await?;
    times.acks.push(clock::us_since(start));
    ensure!(status.is_success(), "the gateway answered an event with {status}");
    let came = target.arrival().await?;
    times.trips.push(came.duration_since(start).as_secs_f64() * 1e6);
    Ok(())
}

/// A pause and round trips.
async fn warm_up(connection: &mut Connection, path: &str, rtts: &mut Vec<f64>) -> Result<()> {
    tokio::time::sleep(PAUSE).await;
    for _ in 0..ROUND_TRIPS {
        let request = Request::get(path).header("host", "null.example").body(Full::new(Bytes::new()))?;
        let start = clock::now();
        connection.exchange(request).await?;
        rtts.push(clock::us_since(start));
    }
    Ok(())
}
