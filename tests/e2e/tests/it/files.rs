//! Files through the real gateway: large ones between all platforms, and kills in the middle.
//!
//! `DRAGOMAN_FILE_MB=1024` makes them as large as any platform takes; `cargo xtask files` does so.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::{BridgeState, State};
use dragoman_sim::teams::{Draft, seed};
use dragoman_sim::webex::seed::GITA;
use dragoman_sim::zoom::config::{IMANI, LAUNCH};
use e2e::{Options, Side, World, eventually};
use tokio::time::Instant;

/// For a busy machine and a gateway that was not optimised.
const WITHIN: Duration = Duration::from_mins(2);
const MIB: u64 = 1 << 20;
/// Megabytes of a large file, unless told otherwise.
const MEGABYTES: usize = 32;
/// The most that goes into Webex.
const MOST_WEBEX: usize = 100_000_000;
const SLACK: &str = "C07LAUNCH";

/// Bytes that differ everywhere, so that nothing can be swapped or cut out unseen; others for every seed.
fn bytes(seed: u32, count: usize) -> Vec<u8> {
    // Word by word: a gigabyte byte by byte takes an unoptimised test a minute.
    let words = count.div_ceil(4);
    let mut out = Vec::with_capacity(words * 4);
    for number in (0_u32..).take(words) {
        out.extend_from_slice(&(number ^ seed).wrapping_mul(2_654_435_761).to_le_bytes());
    }
    out.truncate(count);
    out
}

/// How many bytes a large file has, and how long it may take.
fn large() -> Result<(usize, Duration)> {
    let megabytes = match std::env::var("DRAGOMAN_FILE_MB") {
        Ok(megabytes) => megabytes.parse().context("DRAGOMAN_FILE_MB")?,
        Err(_) => MEGABYTES,
    };
    Ok((megabytes << 20, WITHIN + Duration::from_secs(u64::try_from(megabytes)?)))
}

/// A figure of a process's memory, in bytes.
fn memory(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such figure")?;
    let kib: u64 = line.trim_matches([':', ' ', '\t']).split(' ').next().unwrap_or_default().parse()?;
    Ok(kib * 1024)
}

/// Everybody, in one conversation.
struct Four {
    world: World,
    sides: Vec<Box<dyn Side>>,
}

impl Four {
    async fn start(mut options: Options) -> Result<Self> {
        "warn".clone_into(&mut options.log);
        let world = Box::pin(World::start(options)).await?;
        let room = world.webex().room_id("Launch").context("there is no space Launch")?;
        let sides: Vec<Box<dyn Side>> = vec![
            Box::new(world.ana(SLACK)),
            Box::new(world.dana(seed::LAUNCH)),
            Box::new(world.webex_person(GITA, "Gita Rao", &room)),
            Box::new(world.zoom_person(IMANI, "Imani Okoye", LAUNCH)),
        ];
        Ok(Self { world, sides })
    }

    fn reference(&self, side: usize) -> Result<String> {
        let room = self.world.webex().room_id("Launch").context("there is no space Launch")?;
        Ok([
            format!("slack:{SLACK}"),
            format!("teams:{}", seed::LAUNCH),
            format!("webex:{room}"),
            format!("zoom:{LAUNCH}"),
        ][side]
            .clone())
    }

    async fn link(&self, sides: &[usize]) -> Result<String> {
        let members: Vec<String> = sides.iter().map(|side| self.reference(*side)).collect::<Result<_>>()?;
        Ok(self.world.link(&members).await?.id)
    }

    /// Posts a file as the person there.
    async fn post(&self, side: usize, name: &str, bytes: &[u8]) -> Result<String> {
        if side != 1 {
            return self.sides[side].post_file(name, bytes, "", None).await;
        }
        // People's clients upload in parts.
        let teams = &self.world.teams;
        let draft = teams.attaching(seed::DANA, seed::LAUNCH, Draft::html(""), &[(name, bytes)])?;
        Ok(teams.post(seed::DANA, seed::LAUNCH, draft)?)
    }

    /// Waits until a side shows a file of this name, once, and gives its bytes. The newest messages are looked at first.
    async fn file_at(&self, side: usize, name: &str, within: Duration) -> Result<Vec<u8>> {
        let side = &self.sides[side];
        eventually("the file arrives", within, async || {
            let failed = |error| format!("{error:#}");
            self.world.settled(within).await.map_err(failed)?;
            let mut found = None;
            let mut seen = side.read().await.map_err(failed)?;
            seen.reverse();
            for message in seen.iter().take(4) {
                for (known, bytes) in side.files(message).await.map_err(failed)? {
                    if known == name && found.replace(bytes).is_some() {
                        return Err("it is there twice".to_owned());
                    }
                }
            }
            let shown = || seen.iter().take(4).map(|message| message.markup.as_str()).collect::<Vec<_>>();
            found.ok_or_else(|| format!("no such file at {}: {:?}", side.platform(), shown()))
        })
        .await
    }

    async fn end_bridge(&self, bridge: &str) -> Result<()> {
        self.world.ask(&BridgeState { bridge: bridge.to_owned(), state: State::Ended }).await?;
        Ok(())
    }

    fn spooled(&self) -> Result<usize> {
        Ok(fs::read_dir(self.world.binary.data_folder().join("spool"))?.count())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_carries_large_files_through_a_process_that_stays_small() -> Result<()> {
    let (large, within) = large()?;
    let four = Four::start(Options::four().any_file_size()).await?;
    let pid = four.world.binary.pid().context("the gateway does not run")?;
    let pairs = (0..4).flat_map(|from| (0..4).map(move |to| (from, to)));
    for (number, (from, to)) in (0..).zip(pairs.filter(|(from, to)| from != to)) {
        let bridge = four.link(&[from, to]).await?;
        // What first files cost once: connections, tokens, profiles.
        let (name, small) = (format!("small-{from}-{to}.bin"), bytes(99, 300_000));
        four.post(from, &name, &small).await?;
        ensure!(four.file_at(to, &name, WITHIN).await? == small, "{name} arrived as another");
        // Into Webex goes what Webex takes.
        let size = if to == 2 { large.min(MOST_WEBEX) } else { large };
        let (name, sent) = (format!("large-{from}-{to}.bin"), bytes(number, size));
        // The peak counts from here.
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        let before = memory(pid, "VmRSS")?;
        let began = Instant::now();
        four.post(from, &name, &sent).await?;
        ensure!(four.file_at(to, &name, within).await? == sent, "{name} arrived as another");
        let took = began.elapsed();
        four.world.settled(within).await?;
        let grown = memory(pid, "VmHWM")?.saturating_sub(before);
        println!(
            "{name}: {} bytes posted, carried and read back in {:.1} s; the gateway grew by {} KiB from {}",
            sent.len(),
            took.as_secs_f64(),
            grown / 1024,
            before / 1024
        );
        ensure!(grown < 16 * MIB, "{name}: the gateway grew by {} KiB from {}", grown / 1024, before / 1024);
        four.end_bridge(&bridge).await?;
    }
    ensure!(four.spooled()? == 0, "something is left in the spool");
    four.world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_leaves_nothing_behind_and_the_file_arrives() -> Result<()> {
    let mut options = Options::four();
    if let Some(webex) = &mut options.webex {
        // Slack and Teams ask for it: from Webex files go through the spool.
        webex.doubts.contents_without_length = true;
    }
    let mut four = Four::start(options).await?;
    let sent = bytes(7, 16 << 20);
    for (from, to) in [(0, 1), (1, 0), (2, 0), (2, 1), (2, 3), (3, 2)] {
        let bridge = four.link(&[from, to]).await?;
        let warm = format!("warm-{from}-{to}.bin");
        four.post(from, &warm, b"x").await?;
        four.file_at(to, &warm, WITHIN).await?;
        four.world.binary.kill()?;
        four.world.binary.launch(Some("file.moving:12"))?;
        four.world.binary.answering().await?;
        let name = format!("killed-{from}-{to}.bin");
        four.post(from, &name, &sent).await?;
        ensure!(four.world.binary.died(WITHIN).await?, "the gateway outlived {name}");
        ensure!(four.spooled()? == 0, "{name} lies in the spool by a name");
        four.world.binary.start(None).await?;
        ensure!(four.file_at(to, &name, WITHIN).await? == sent, "{name} arrived as another");
        four.world.settled(WITHIN).await?;
        ensure!(four.spooled()? == 0, "{name} lies in the spool");
        four.end_bridge(&bridge).await?;
    }
    four.world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_at_teams_takes_its_file_along_also_after_a_restart() -> Result<()> {
    let mut four = Four::start(Options::four()).await?;
    four.link(&[0, 1]).await?;
    let id = four.post(0, "plan.txt", b"the plan").await?;
    ensure!(four.file_at(1, "plan.txt", WITHIN).await? == b"the plan", "another file");
    let shown = four.sides[1].read().await?.pop().context("no message")?;
    let (_, rest) = shown.markup.split_once("\u{1f4ce} <a href=\"").context("no link")?;
    let address = rest.split_once('"').context("no end")?.0.replace("&amp;", "&");
    ensure!(four.world.teams.file_at(&address).is_some(), "no file at {address}");
    four.world.restart(None).await?;
    four.sides[0].delete(&id, None).await?;
    eventually("message and file are gone", WITHIN, async || {
        let seen = four.sides[1].read().await.map_err(|error| format!("{error:#}"))?;
        let left = four.world.teams.file_at(&address).is_some();
        let there = seen.iter().any(|message| message.id == shown.id);
        if left || there { Err(format!("file: {left}, message: {there}")) } else { Ok(()) }
    })
    .await?;
    four.world.end().await
}
