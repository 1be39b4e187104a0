//! Senders are told what of theirs did not arrive: alone where the platform can, in the thread elsewhere.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::teams::seed;
use dragoman_sim::webex::seed::GITA;
use dragoman_sim::zoom::config::{LAUNCH, THEO};
use e2e::{Options, Seen, Side, World, eventually};

const CHANNEL: &str = "C07LAUNCH";
const ANA: &str = "U07ANASOUZA";
const SOON: Duration = Duration::from_secs(20);

/// What our notes say.
const TOLD: &str = "A file of your message did not reach";

fn notes(all: Vec<Seen>) -> Vec<Seen> {
    all.into_iter().filter(|seen| seen.markup.contains(TOLD)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_posts_a_file_that_may_not_pass_is_told_once_on_every_platform() -> Result<()> {
    let world = World::start(Options::four()).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    let teams = format!("teams:{}", seed::LAUNCH);
    world
        .link(&["slack:C07LAUNCH".to_owned(), teams, format!("webex:{room}"), format!("zoom:{LAUNCH}")])
        .await?;
    let policy = api::OrgPolicy { org: None, policy: "file_denied".to_owned(), value: "exe".to_owned() };
    world.ask(&policy).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let (gita, theo) =
        (world.webex_person(GITA, "Gita Rao", &room), world.zoom_person(THEO, "Theo Lindqvist", LAUNCH));
    let others: [&dyn Side; 3] = [&dana, &gita, &theo];
    for round in 0..2 {
        for (side, name) in others.into_iter().chain([&ana as &dyn Side]).zip(["dana", "gita", "theo", "ana"])
        {
            side.post_file(&format!("{name}{round}.exe"), b"MZ", "what about this", None).await?;
        }
        world.settled(SOON).await?;
    }
    for side in others {
        let platform = side.platform();
        let found = eventually(&format!("{platform} tells"), SOON, async || {
            let found = notes(side.read().await.map_err(|error| format!("{error:#}"))?);
            if found.is_empty() { Err("nothing".to_owned()) } else { Ok(found) }
        })
        .await?;
        let [note] = &found[..] else { anyhow::bail!("{platform} tells {} times", found.len()) };
        ensure!(note.thread_root.is_some(), "not in the thread on {platform}: {}", note.markup);
        ensure!(note.markup.contains("DRG-FILE-FORBIDDEN"), "{}", note.markup);
    }
    // On Slack nobody else sees it.
    let told = eventually("slack tells", SOON, async || {
        let told = world.slack.whispers(ANA, CHANNEL);
        if told.is_empty() { Err("nothing".to_owned()) } else { Ok(told) }
    })
    .await?;
    ensure!(told.len() == 1 && told[0].contains(TOLD), "{told:?}");
    ensure!(notes(ana.read().await?).is_empty(), "everybody on Slack sees it");
    world.settled(SOON).await?;
    world.end().await
}
