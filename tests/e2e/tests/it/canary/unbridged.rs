//! Conversations that nobody linked leave nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::DeliveryList;
use dragoman_sim::core::log::LogKind;
use dragoman_sim::teams::seed;
use e2e::{Options, Side as _, World};

const SLACK: usize = 900;
const TEAMS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_events_leave_no_row_and_no_slot() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let bot = world.slack.bot("A07DRAGOMAN", "T07HARBOR").context("the app has no bot at Slack")?;
    // Only where the app is in are there events.
    world.ana("C07GENERAL").invite(&bot.user_id).await?;
    world.settled(Duration::from_secs(20)).await?;
    let receipts = DeliveryList { limit: 1_000, ..DeliveryList::default() };
    let before = introduced(&world, &receipts).await?;
    let sizes = sizes(&world.binary.data_folder())?;
    let (ben, emre) = (world.ben("C07GENERAL"), world.emre(seed::GENERAL));
    let mut ids = Vec::new();
    for round in 0..SLACK {
        ids.push(ben.post(&format!("nobody relays this, {round}"), None).await?);
        if round % (SLACK / TEAMS) == 0 {
            ids.push(emre.post(&format!("nor this, {round}"), None).await?);
            // At any moment: a row that came and went would have left a receipt.
            world.settled(Duration::from_secs(2)).await?;
        }
    }
    let log = world.slack.log();
    log.wait_for(SLACK, Duration::from_mins(1), |entry| {
        entry.kind == LogKind::Delivery
            && entry.status == 200
            && entry.conversation.as_deref() == Some("C07GENERAL")
    })
    .await
    .context("Slack's events were not all taken")?;
    let log = world.teams.log();
    log.wait_for(TEAMS, Duration::from_mins(1), |entry| {
        entry.kind == LogKind::Delivery && (200..300).contains(&entry.status)
    })
    .await
    .context("the bot's activities were not all taken")?;
    let status = world.settled(Duration::from_secs(5)).await?;
    ensure!(status.payloads == 0 && status.originals == 0, "{} originals", status.originals);
    let after = world.ask(&receipts).await?;
    let codes: Vec<_> = after.iter().take(after.len() - before).map(|it| (&it.kind, &it.code)).collect();
    ensure!(codes.is_empty(), "receipts were written: {codes:?}");
    for (name, size) in self::sizes(&world.binary.data_folder())? {
        let was = sizes.iter().find(|(other, _)| *other == name).map_or(0, |(_, size)| *size);
        // Housekeeping writes its few rows a minute into the log.
        let slack = if name.ends_with("-wal") { 64 << 10 } else { 0 };
        ensure!(size <= was + slack, "{name} grew from {was} to {size}");
    }
    world.binary.kill()?;
    for entry in fs::read_dir(world.binary.data_folder())? {
        let path = entry?.path();
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for id in &ids {
            ensure!(
                !text.contains(id.as_str()),
                "{id} of an unbridged conversation is in {}",
                path.display()
            );
        }
        if path.ends_with("secrets.slots") {
            ensure!(bytes.iter().all(|byte| *byte == 0), "a slot was used");
        }
    }
    world.end().await
}

/// How many receipts there are once the lines with which the bridge introduced itself on both sides have come back.
async fn introduced(world: &World, receipts: &DeliveryList) -> Result<usize> {
    let came_back = async {
        loop {
            let found = world.ask(receipts).await?;
            if found.iter().filter(|it| it.code.as_deref() == Some("DRG-ECHO")).count() == 2 {
                return Ok(found.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), came_back)
        .await
        .context("the bridge's lines did not come back")?
}

fn sizes(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            sizes.push((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len()));
        }
    }
    Ok(sizes)
}
