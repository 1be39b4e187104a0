//! What was written before a bridge was made or somebody joined it, where an operator wants it relayed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::teams::seed;
use e2e::{Options, Seen, Side, World, eventually};

const CHANNEL: &str = "C07LAUNCH";
const GENERAL: &str = "C07GENERAL";
const SOON: Duration = Duration::from_secs(30);
const NOTICE: &str = "These conversations are linked";

/// What people wrote, oldest first.
async fn written(side: &dyn Side) -> Result<Vec<Seen>> {
    let mut all = side.read().await?;
    all.retain(|seen| seen.raw["subtype"] != "channel_join" && !seen.markup.contains(NOTICE));
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

async fn shows(side: &dyn Side, words: &[&str]) -> Result<Vec<Seen>> {
    eventually(&format!("{} shows {words:?}", side.platform()), SOON, async || {
        let all = written(side).await.map_err(|error| format!("{error:#}"))?;
        let right =
            all.len() == words.len() && all.iter().zip(words).all(|(seen, word)| seen.markup.contains(word));
        let markup: Vec<&str> = all.iter().map(|seen| seen.markup.as_str()).collect();
        if right { Ok(()) } else { Err(format!("{markup:?}")) }
    })
    .await?;
    written(side).await
}

/// Times are kept in milliseconds: what was said in the same one as the oldest that is asked for comes with it.
pub(crate) async fn its_millisecond_is_over(world: &World, ts: &str) -> Result<()> {
    let sent_ms = ts.replace('.', "").parse::<i64>().with_context(|| format!("{ts} is no time"))? / 1000;
    eventually("the next millisecond", SOON, async || {
        let now_ms = world.status().await.map_err(|error| format!("{error:#}"))?.now_ms;
        if now_ms > sent_ms { Ok(()) } else { Err(format!("it is {now_ms}")) }
    })
    .await
}

fn backfill(count: u32) -> api::BridgeAdd {
    let slack = format!("slack:{CHANNEL}");
    api::BridgeAdd {
        members: vec![slack.clone(), format!("teams:{}", seed::LAUNCH)],
        backfill: count,
        backfill_of: vec![slack],
        ..api::BridgeAdd::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_a_bridge_comes_first_once_and_with_its_time() -> Result<()> {
    let mut world = World::start(Options { bridge: false, ..Options::default() }).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let older = ana.post("older than asked for", None).await?;
    its_millisecond_is_over(&world, &older).await?;
    let root = ana.post("*first* of the old", None).await?;
    ana.post("second of the old", None).await?;
    ana.post("the reply", Some(&root)).await?;
    let last = ana.post("last of the old", None).await?;
    dana.post("<p>before, on Teams</p>", None).await?;
    ensure!(world.ask(&backfill(501)).await.is_err(), "that is too many");
    let unnamed = api::BridgeAdd { backfill_of: vec!["teams:elsewhere".to_owned()], ..backfill(4) };
    ensure!(world.ask(&unnamed).await.is_err(), "that is no member");

    // It dies when the second of them is there and nothing is written down of it.
    world.restart(Some("settle.before:2")).await?;
    world.ask(&backfill(4)).await?;
    ana.post("the first after it", None).await?;
    ensure!(world.binary.died(SOON).await?, "it outlived its fault");
    world.binary.start(None).await?;
    let words =
        ["before, on Teams", "first", "second of the old", "the reply", "last of the old", "after it"];
    let copies = shows(&dana, &words).await?;
    for copy in &copies[1..5] {
        ensure!(copy.markup.contains("Ana") && copy.markup.contains(" UTC)"), "{}", copy.markup);
    }
    ensure!(!copies[5].markup.contains("UTC"), "{}", copies[5].markup);
    ensure!(copies[3].thread_root.as_deref() == Some(copies[1].id.as_str()), "{}", copies[3].raw);

    // They are messages like all others from now on, and are not brought again.
    ana.edit(&root, None, "*opening* of the old").await?;
    let edited = eventually("the edit is there", SOON, async || {
        let all = written(&dana).await.map_err(|error| format!("{error:#}"))?;
        all.into_iter().find(|seen| seen.markup.contains("opening")).ok_or_else(String::new)
    })
    .await?;
    ensure!(edited.id == copies[1].id && edited.markup.contains(" UTC)"), "{}", edited.raw);
    ana.delete(&last, None).await?;
    world.settled(SOON).await?;
    world.restart(None).await?;
    dana.post("<p>and back</p>", None).await?;
    eventually("the way back is open", SOON, async || {
        let all = written(&ana).await.map_err(|error| format!("{error:#}"))?;
        if all.iter().any(|seen| seen.markup.contains("and back")) { Ok(()) } else { Err(String::new()) }
    })
    .await?;
    world.settled(SOON).await?;
    let words = ["before, on Teams", "opening", "second of the old", "the reply", "after it", "and back"];
    shows(&dana, &words).await?;
    let on_slack = written(&ana).await?;
    let from_teams: Vec<&Seen> = on_slack.iter().filter(|seen| !seen.raw["username"].is_null()).collect();
    ensure!(from_teams.len() == 1, "only what was asked for: {on_slack:#?}");
    // Nobody is told that what they said before came late.
    let told = on_slack.iter().find(|seen| seen.markup.contains("DRG-"));
    ensure!(told.is_none(), "{}", told.context("there is one")?.markup);
    ensure!(world.status().await?.dead_letters == 0, "and nothing was given up");
    world.end().await
}

fn joining(bridge: &api::BridgeInfo, count: u32) -> api::BridgeMembers {
    let general = format!("slack:{GENERAL}");
    api::BridgeMembers {
        bridge: bridge.id.clone(),
        add: vec![general.clone()],
        backfill: count,
        backfill_of: vec![general],
        ..api::BridgeMembers::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_brings_what_was_said_there_before_and_gets_nothing_of_the_others() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let bridge = world.bridge.clone().context("there is a bridge")?;
    let (ana, dana, ben) = (world.ana(CHANNEL), world.dana(seed::LAUNCH), world.ben(GENERAL));
    let older = ben.post("older than asked for", None).await?;
    its_millisecond_is_over(&world, &older).await?;
    ana.post("said in launch", None).await?;
    shows(&dana, &["said in launch"]).await?;
    let root = ben.post("*first* of the old", None).await?;
    ben.post("the reply", Some(&root)).await?;
    // What the others say between counts for them only.
    dana.post("<p>said on Teams</p>", None).await?;
    ben.post("last of the old", None).await?;
    shows(&ana, &["said in launch", "said on Teams"]).await?;
    ensure!(world.ask(&joining(&bridge, 501)).await.is_err(), "that is too many");
    let nobody = api::BridgeMembers { add: vec![], backfill_of: vec![], ..joining(&bridge, 3) };
    ensure!(world.ask(&nobody).await.is_err(), "nobody comes who could bring anything");

    // It dies when some of it is there and not written down.
    world.settled(SOON).await?;
    world.restart(Some("settle.before:3")).await?;
    world.ask(&joining(&bridge, 3)).await?;
    ben.post("the first after it", None).await?;
    ensure!(world.binary.died(SOON).await?, "it outlived its fault");
    world.binary.start(None).await?;
    let brought = ["first", "the reply", "last of the old", "after it"];
    let copies = shows(&dana, &[&["said in launch", "said on Teams"], &brought[..]].concat()).await?;
    let in_launch = shows(&ana, &[&["said in launch", "said on Teams"], &brought[..]].concat()).await?;
    for copy in copies[2..5].iter().chain(&in_launch[2..5]) {
        ensure!(copy.raw.to_string().contains(" UTC"), "{}", copy.raw);
    }
    ensure!(!copies[5].markup.contains("UTC"), "{}", copies[5].markup);
    ensure!(copies[3].thread_root.as_deref() == Some(copies[2].id.as_str()), "{}", copies[3].raw);

    // They are messages like all others from now on, and are not brought again.
    ben.edit(&root, None, "*opening* of the old").await?;
    eventually("the edit is there", SOON, async || {
        let all = written(&dana).await.map_err(|error| format!("{error:#}"))?;
        let edited = all.into_iter().find(|seen| seen.markup.contains("opening"));
        edited.filter(|seen| seen.id == copies[2].id).ok_or_else(String::new)
    })
    .await?;
    dana.post("<p>and back</p>", None).await?;
    world.restart(None).await?;
    let own = ["older than asked for", "opening", "the reply", "last of the old", "after it", "and back"];
    let there = shows(&ben, &own).await?;
    ensure!(there.iter().all(|seen| !seen.markup.contains("DRG-")), "nobody is told that it came late");
    world.settled(SOON).await?;
    shows(&ben, &own).await?;
    let all =
        ["said in launch", "said on Teams", "opening", "the reply", "last of the old", "after it", "back"];
    shows(&dana, &all).await?;
    shows(&ana, &all).await?;
    ensure!(world.status().await?.dead_letters == 0, "and nothing was given up");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_brought_into_a_paused_bridge_comes_when_it_is_resumed() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let bridge = world.bridge.clone().context("there is a bridge")?;
    let (dana, ben) = (world.dana(seed::LAUNCH), world.ben(GENERAL));
    ben.post("first of the old", None).await?;
    ben.post("last of the old", None).await?;
    let state = |state| api::BridgeState { bridge: bridge.id.clone(), state };
    world.ask(&state(api::State::Paused)).await?;
    world.ask(&joining(&bridge, 2)).await?;
    world.restart(None).await?;
    world.ask(&state(api::State::Active)).await?;
    ben.post("after it", None).await?;
    let paused = "link of this conversation is paused";
    shows(&dana, &[paused, "first of the old", "last of the old", "after it"]).await?;
    world.settled(SOON).await?;
    shows(&dana, &[paused, "first of the old", "last of the old", "after it"]).await?;
    world.end().await
}
