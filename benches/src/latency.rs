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

/// Round trips before each measurement, one after the other.
const ROUND_TRIPS: usize = 10;
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

/// Measures blocks. Each message follows a sync that is measured; before both lie the same pause and the same round trips.
pub(crate) async fn measure(
    subject: &mut Subject,
    target: &mut Target,
    dialer: &mut Dialer,
    sync: &mut Sync,
    blocks: usize,
) -> Result<Vec<Block>> {
    let mut hooks = dialer.open(subject.address).await?;
    let mut null = dialer.open(target.address).await?;
    let mut measured = Vec::new();
    // The first block warms up.
    for block in 0..=blocks {
        let (mut rtts, mut syncs, mut acks, mut trips) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for message in 0..MESSAGES {
            warm_up(&mut null, &mut rtts).await?;
            syncs.push(sync.probe()?);
            warm_up(&mut null, &mut rtts).await?;
            let channel = &subject.channels[message % subject.channels.len()];
            let (_, request) = subject.events.message(&channel.id, Some(&channel.root));
            let start = clock::now();
            let status = hooks.exchange(request).await?;
            acks.push(clock::us_since(start));
            ensure!(status.is_success(), "the gateway answered an event with {status}");
            let came = target.arrival().await?;
            trips.push(came.duration_since(start).as_secs_f64() * 1e6);
        }
        if block > 0 {
            let [rtt, sync, ack, trip] = [&rtts, &syncs, &acks, &trips].map(|samples| median(samples));
            measured.push(Block { rtt, sync, ack, trip });
        }
    }
    Ok(measured)
}

/// A pause and round trips.
async fn warm_up(null: &mut Connection, rtts: &mut Vec<f64>) -> Result<()> {
    tokio::time::sleep(PAUSE).await;
    for _ in 0..ROUND_TRIPS {
        let request = Request::get(NULL).header("host", "null.example").body(Full::new(Bytes::new()))?;
        let start = clock::now();
        null.exchange(request).await?;
        rtts.push(clock::us_since(start));
    }
    Ok(())
}
