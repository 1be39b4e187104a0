//! A large file from one platform to another, as a stream: how fast, against a server that sends it to its reader.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dragoman_sim::webex::{Post, seed::GITA};
use dragoman_sim::zoom::config::LAUNCH;
use e2e::{Options, World};

use crate::cpu::Cpus;
use crate::depot::Depot;
use crate::sendfile::Sendfile;

/// Bytes of the file.
const SIZE: u64 = 512 << 20;
/// How often the floor sends it in a block: what else the machine does then meets floor and gateway alike.
const READS: u32 = 4;
/// Forty gigabytes over loopback, at most.
const MOST_BLOCKS: usize = 15;

/// Figures of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Gigabytes a second from a server to a reader.
    pub(crate) floor: f64,
    /// Gigabytes a second through the gateway.
    pub(crate) relayed: f64,
    /// By how much the gateway's memory grew at most, in MiB.
    pub(crate) grown: f64,
}

impl Block {
    /// The share of the floor.
    pub(crate) fn ratio(&self) -> f64 {
        self.relayed / self.floor
    }
}

/// Measures blocks, floor and gateway in turns; the name of the floor with them.
pub(crate) async fn measure(folder: &Path, cpus: &Cpus, blocks: usize) -> Result<(Vec<Block>, &'static str)> {
    let mut depot = Depot::start(SIZE)?;
    let origin = format!("http://{}", depot.address);
    let mut options = Options { log: "warn".to_owned(), ..Options::four() }.any_file_size();
    options.config = format!(
        "[webex]\napi_base = \"{origin}/v1/\"\n[zoom]\nfiles_base = \"{origin}/v2/\"\n[relay]\npace = false\n"
    )
    .parse()?;
    // The depot is where files go; the simulator would send them on to itself.
    let zoom = options.zoom.as_mut().context("there is no Zoom")?;
    zoom.doubts.upload_redirect = false;
    // The gateway asks for nothing before it is told to install.
    let world =
        World::start_with(options, |world| depot.before(world.webex().base_url(), world.zoom().files_url()))
            .await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    world.link(&[format!("webex:{room}"), format!("zoom:{LAUNCH}")]).await?;
    let floor = Sendfile::start(folder, SIZE).await?;
    let pid = world.binary.pid().context("the gateway does not run")?;
    cpus.to_second(std::process::id())?;
    cpus.to_first(pid)?;
    floor.pid().map_or(Ok(()), |pid| cpus.to_first(pid))?;
    let mut measured = Vec::new();
    // The first block warms up.
    for block in 0..=blocks.min(MOST_BLOCKS) {
        let mut seconds = 0.0;
        for _ in 0..READS {
            seconds += floor.read()? / f64::from(READS);
        }
        world.settled(Duration::from_secs(20)).await?;
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        let before = memory(pid, "VmRSS:")?;
        let file = Post { text: "", parent: None, files: vec![("file.bin", b"x")], card: None };
        let posted = world.webex().post_with(GITA, &room, &file);
        posted.map_err(|error| anyhow::anyhow!("Webex refused: {}", error.message))?;
        let relayed = speed(depot.transfer().await.with_context(|| world.binary.tail())?);
        world.settled(Duration::from_secs(20)).await?;
        let grown = (memory(pid, "VmHWM:")? - before) / 1024.0;
        if block > 0 {
            measured.push(Block { floor: speed(seconds), relayed, grown });
        }
    }
    world.end().await?;
    Ok((measured, floor.name))
}

#[expect(clippy::cast_precision_loss, reason = "half a gigabyte")]
fn speed(seconds: f64) -> f64 {
    SIZE as f64 / seconds / 1e9
}

/// A figure of a process's memory, in KiB.
fn memory(pid: u32, name: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}
