//! Files at Slack in the name of the person who sent them elsewhere.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::{self, InstallState};
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::{Draft, seed};
use e2e::{Options, Seen, Side, World, eventually};

use crate::people::{at_slack, grant};

const CHANNEL: &str = "C07LAUNCH";
const BEN: &str = "U07BENOKAFOR";
const SOON: Duration = Duration::from_secs(20);

/// Grants Ben's token at Slack in a browser in which he is signed in, all of it or without files.
async fn grant_his(world: &World, files: bool) -> Result<()> {
    let asked = "%2Cfiles%3Awrite";
    let mut offered = String::new();
    let sign_in = |link: &str| {
        link.clone_into(&mut offered);
        at_slack(BEN)(&if files { link.to_owned() } else { link.replace(asked, "") })
    };
    let granted = grant(world, &format!("slack:{BEN}"), "slack", sign_in).await?;
    ensure!(offered.contains(asked), "he is not asked: {offered}");
    ensure!(matches!(granted, InstallState::Done(_)), "{granted:?}");
    Ok(())
}

/// Emre, who is Ben at Slack, sends a file; its message at Teams.
fn send(world: &World, text: &str, name: &str, bytes: &[u8]) -> Result<String> {
    let teams = &world.teams;
    let draft = teams.attaching(seed::EMRE, seed::LAUNCH, Draft::html(text), &[(name, bytes)])?;
    Ok(teams.post(seed::EMRE, seed::LAUNCH, draft)?)
}

async fn world() -> Result<World> {
    let world = World::start(Options::default()).await?;
    let accounts = vec![format!("slack:{BEN}"), format!("teams:{}", seed::EMRE)];
    world.ask(&api::PersonLink { accounts }).await?;
    Ok(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_of_who_sent_it_and_goes_with_its_message() -> Result<()> {
    let mut world = world().await?;
    let slack = world.ana(CHANNEL);
    grant_his(&world, true).await?;
    let sent = send(&world, "<p>here is the plan</p>", "plan.txt", b"the plan")?;
    let (copy, bytes) = slack.file("plan.txt").await?;
    ensure!(bytes == b"the plan" && copy.raw["user"] == BEN, "{}", copy.raw);
    ensure!(copy.raw["username"].is_null() && !copy.markup.contains("Emre"), "{}", copy.raw);
    ensure!(world.slack.kept_files() == [(BEN.to_owned(), "plan.txt".to_owned())], "whose is it");
    world.settled(SOON).await?;
    let count = world.teams.messages(seed::LAUNCH).len();

    // It dies after the upload was completed, before anybody wrote down which message that is.
    world.restart(Some("send.unanswered:1")).await?;
    send(&world, "", "chart.txt", b"the chart")?;
    ensure!(world.binary.died(SOON).await?, "it outlived its fault");
    world.binary.start(None).await?;
    let (copy, _) = slack.file("chart.txt").await?;
    ensure!(copy.raw["user"] == BEN, "{}", copy.raw);
    world.settled(SOON).await?;
    slack.file("chart.txt").await?;
    ensure!(world.teams.messages(seed::LAUNCH).len() == count + 1, "something came back");

    // Only his token may delete it, and does, also after a restart.
    world.restart(None).await?;
    world.teams.delete(seed::EMRE, seed::LAUNCH, &sent)?;
    eventually("message and file are gone", SOON, async || {
        let kept = world.slack.kept_files();
        let all = slack.read().await.map_err(|error| format!("{error:#}"))?;
        let said = all.iter().any(|it| it.markup.contains("here is the plan"));
        let only = kept == [(BEN.to_owned(), "chart.txt".to_owned())];
        if only && !said { Ok(()) } else { Err(format!("{kept:?}, {said}")) }
    })
    .await?;

    // His token dies, and nobody tells the gateway.
    world.slack.end_user_tokens(BEN);
    send(&world, "<p>after that</p>", "later.txt", b"later")?;
    let (copy, _) = slack.file("later.txt").await?;
    ensure!(copy.raw["user"] != BEN && copy.raw.to_string().contains("Emre"), "{}", copy.raw);
    ensure!(world.settled(SOON).await?.dead_letters == 0, "something was given up");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_grants_no_files_is_carried_by_the_app() -> Result<()> {
    let world = world().await?;
    let slack = world.ana(CHANNEL);
    grant_his(&world, false).await?;
    let sent = send(&world, "<p>my own words</p>", "words.txt", b"words")?;
    let (copy, bytes) = slack.file("words.txt").await?;
    ensure!(bytes == b"words" && copy.raw["user"] != BEN, "{}", copy.raw);
    ensure!(copy.raw.to_string().contains("Emre"), "nobody says whose it is: {}", copy.raw);
    let bot = world.slack.bot(&SeedApp::default().app_id, "T07HARBOR").context("no bot")?;
    ensure!(world.slack.kept_files() == [(bot.user_id, "words.txt".to_owned())], "whose is it");
    let all = slack.read().await?;
    let text: Vec<&Seen> = all.iter().filter(|it| it.markup.contains("my own words")).collect();
    ensure!(text.len() == 1 && text[0].raw["user"] == BEN, "{all:#?}");
    ensure!(!all.iter().any(|it| it.markup.contains("DRG-")), "{all:#?}");

    // It dies after the app's upload was completed, which he was refused before: it is the app's, whoever looks for it.
    let mut world = world;
    world.restart(Some("send.unanswered:2")).await?;
    let late = send(&world, "", "late.txt", b"late")?;
    ensure!(world.binary.died(SOON).await?, "it outlived its fault");
    world.binary.start(None).await?;
    let (copy, _) = slack.file("late.txt").await?;
    ensure!(copy.raw["user"] != BEN, "{}", copy.raw);
    world.settled(SOON).await?;
    slack.file("late.txt").await?;
    world.teams.delete(seed::EMRE, seed::LAUNCH, &late)?;

    // What each of them posted is taken away by who did.
    world.teams.delete(seed::EMRE, seed::LAUNCH, &sent)?;
    eventually("both are gone", SOON, async || {
        let all = slack.read().await.map_err(|error| format!("{error:#}"))?;
        let said = all.iter().any(|it| it.markup.contains("my own words"));
        let kept = world.slack.kept_files();
        if !said && kept.is_empty() { Ok(()) } else { Err(format!("{said}, {kept:?}")) }
    })
    .await?;
    ensure!(world.settled(SOON).await?.dead_letters == 0, "something was given up");
    world.end().await
}
