//! Many messages at the same time: what each costs in CPU time, against a request through a proxy at the same rate.
//!
//! At the same rate, because what an event loop needs for a request depends on how many it finds ready in one turn: at
//! its own utmost a proxy needs half of what it needs at a third of that.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_util::future::try_join_all;
use http::Request;
use http_body_util::Full;
use tokio::sync::Semaphore;

use crate::clock;
use crate::cpu::Usage;
use crate::proxy::Proxy;
use crate::subject::Subject;
use crate::target::{NULL, Target};
use crate::wire::{Connection, Dialer};

/// Connections that load comes in on.
const CONNECTIONS: usize = 64;
/// Requests through the proxy per block.
const PROXIED: usize = 4_000;
/// Messages per block.
const RELAYED: usize = 800;
/// What the gateway takes from one app: so many at once, and so many a second.
const BURST: usize = 5_000;
const PER_SECOND: f64 = 1_000.0;

/// Figures of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// CPU time of a request that is proxied at the rate of the messages, in microseconds.
    pub(crate) proxy: f64,
    /// CPU time of a request while the proxy gets as many as it takes, in microseconds.
    pub(crate) utmost: f64,
    /// CPU time of a relayed message, in microseconds.
    pub(crate) relay: f64,
    /// Messages a second, from the first request to the last arrival.
    pub(crate) per_second: f64,
}

impl Block {
    /// A message in proxied requests.
    pub(crate) fn ratio(&self) -> f64 {
        self.relay / self.proxy
    }
}

/// Measures blocks, proxy and gateway in turns.
pub(crate) async fn measure(
    subject: &mut Subject,
    target: &mut Target,
    dialer: &mut Dialer,
    proxy: &Proxy,
    blocks: usize,
) -> Result<Vec<Block>> {
    let mut through = connections(dialer, proxy.address).await?;
    let mut hooks = connections(dialer, subject.address).await?;
    let start = clock::now();
    let mut sent = 0;
    let mut measured = Vec::new();
    // The first block warms up.
    for block in 0..=blocks {
        stay_below_the_limit(start, sent).await;
        let messages = (0..RELAYED).map(|number| {
            let channel = &subject.channels[number % subject.channels.len()];
            subject.events.message(&channel.id, Some(&channel.root)).1
        });
        let messages: Vec<_> = messages.collect();
        sent += RELAYED;
        let before = Usage::read(subject.pid)?;
        let began = clock::now();
        load(&mut hooks, messages, None).await?;
        for _ in 0..RELAYED {
            target.arrival().await?;
        }
        let seconds = clock::us_since(began) / 1e6;
        subject.settled().await?;
        // Secrets are erased within a second of settlement: that is part of the cost.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let relayed_us = Usage::read(subject.pid)?.us_since(&before) / count(RELAYED);
        let per_second = count(RELAYED) / seconds;
        let before = Usage::read(proxy.pid())?;
        load(&mut through, proxied()?, Some(per_second)).await?;
        let proxied_us = Usage::read(proxy.pid())?.us_since(&before) / count(PROXIED);
        let before = Usage::read(proxy.pid())?;
        load(&mut through, proxied()?, None).await?;
        let utmost_us = Usage::read(proxy.pid())?.us_since(&before) / count(PROXIED);
        if block > 0 {
            measured.push(Block { proxy: proxied_us, utmost: utmost_us, relay: relayed_us, per_second });
        }
    }
    Ok(measured)
}

async fn connections(dialer: &mut Dialer, address: SocketAddr) -> Result<Vec<Connection>> {
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        all.push(dialer.open(address).await?);
    }
    Ok(all)
}

fn proxied() -> Result<Vec<Request<Full<Bytes>>>> {
    let body = Bytes::from(vec![b'x'; 2048]);
    let request = || Request::post(NULL).header("host", "null.example").body(Full::new(body.clone()));
    Ok((0..PROXIED).map(|_| request()).collect::<Result<_, _>>()?)
}

/// Sends all requests, each connection one after the other; as fast as they are answered, or so many a second.
async fn load(
    connections: &mut [Connection],
    requests: Vec<Request<Full<Bytes>>>,
    per_second: Option<f64>,
) -> Result<()> {
    let due = Arc::new(Semaphore::new(if per_second.is_some() { 0 } else { requests.len() }));
    let clock = per_second.map(|rate| metronome(Arc::clone(&due), requests.len(), rate)).transpose()?;
    let left = RefCell::new(requests.into_iter());
    try_join_all(connections.iter_mut().map(async |connection| {
        loop {
            let Some(request) = left.borrow_mut().next() else { return anyhow::Ok(()) };
            due.acquire().await?.forget();
            let status = connection.exchange(request).await?;
            ensure!(status.is_success(), "a request under load was answered with {status}");
        }
    }))
    .await?;
    let ended = clock.is_none_or(|clock| clock.join().is_ok());
    ensure!(ended, "the thread that keeps the pace has ended");
    Ok(())
}

/// Lets requests go at a rate.
fn metronome(due: Arc<Semaphore>, requests: usize, per_second: f64) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name("metronome".to_owned()).spawn(move || {
        let start = clock::now();
        for number in 0..requests {
            clock::sleep_until(start + Duration::from_secs_f64(count(number) / per_second));
            due.add_permits(1);
        }
    })
}

async fn stay_below_the_limit(start: Instant, sent: usize) {
    let allowed_after = count((sent + 2 * RELAYED).saturating_sub(BURST)) / PER_SECOND;
    let passed = clock::us_since(start) / 1e6;
    tokio::time::sleep(Duration::from_secs_f64((allowed_after - passed).max(0.0))).await;
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn count(number: usize) -> f64 {
    number as f64
}
