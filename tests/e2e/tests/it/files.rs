//! Files through the real gateway.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_sim::webex::seed::GITA;
use dragoman_sim::zoom::config::{IMANI, LAUNCH};
use e2e::{Options, Side, World, eventually};

/// For a busy machine and a gateway that was not optimised.
const WITHIN: Duration = Duration::from_mins(2);
const MIB: u64 = 1 << 20;
/// What the file has, in bytes: the most that Webex gives.
const LARGE: usize = 100_000_000;

/// Bytes that differ everywhere, so that nothing can be swapped or cut out unseen.
fn bytes(count: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).take(count).collect()
}

/// A figure of a process's memory, in bytes.
fn memory(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    let kib: u64 = line.trim_matches([':', ' ', '\t']).split(' ').next().unwrap_or_default().parse()?;
    Ok(kib * 1024)
}

/// Waits until a side shows a file of this name, and gives its bytes.
async fn file_at(side: &dyn Side, name: &str) -> Result<Vec<u8>> {
    eventually("the file arrives", WITHIN, async || {
        let seen = side.read().await.map_err(|error| format!("{error:#}"))?;
        for message in &seen {
            let files = side.files(message).await.map_err(|error| format!("{error:#}"))?;
            if let Some((_, bytes)) = files.into_iter().find(|(known, _)| known == name) {
                return Ok(bytes);
            }
        }
        let shown: Vec<&str> = seen.iter().map(|message| message.markup.as_str()).collect();
        Err(format!("no such file at these messages: {shown:?}"))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_passes_through_a_process_that_stays_small() -> Result<()> {
    let world = World::start(Options::four()).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    world.link(&[format!("webex:{room}"), format!("zoom:{LAUNCH}")]).await?;
    let gita = world.webex_person(GITA, "Gita Rao", &room);
    let imani = world.zoom_person(IMANI, "Imani Okoye", LAUNCH);
    // What a first file costs once: connections, tokens, profiles.
    let small = bytes(300_000);
    gita.post_file("small.bin", &small, "", None).await?;
    ensure!(file_at(&imani, "small.bin").await? == small, "the small file arrived as another");
    world.settled(WITHIN).await?;

    let pid = world.binary.pid().context("the gateway does not run")?;
    // The peak counts from here.
    fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    let before = memory(pid, "VmRSS")?;
    let large = bytes(LARGE);
    gita.post_file("large.bin", &large, "the whole harbour", None).await?;
    ensure!(file_at(&imani, "large.bin").await? == large, "the large file arrived as another");
    world.settled(WITHIN).await?;
    let peak = memory(pid, "VmHWM")?;
    let grown = peak.saturating_sub(before);
    ensure!(grown < 16 * MIB, "the gateway grew by {} KiB from {} KiB", grown / 1024, before / 1024);
    let spooled = fs::read_dir(world.binary.data_folder().join("spool"))?.count();
    ensure!(spooled == 0, "{spooled} files are left in the spool");
    world.end().await
}
