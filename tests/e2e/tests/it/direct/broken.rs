//! Commands that are broken off, and platforms that do not answer.

use std::fs;

use anyhow::{Result, anyhow, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::core::{FaultKind, FaultOrder, LogEntry, LogKind};
use e2e::{World, eventually};

use super::people::{ANA, SOON, ana, ben, dana, emre, gita, imani, world};

#[tokio::test(flavor = "multi_thread")]
async fn first_words_of_a_command_that_was_broken_off_go_to_nobody_else() -> Result<()> {
    let mut world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    dana.begins(&[&ana], "").await?;

    // Gita is looked for when the gateway dies; what is open was opened a moment before.
    let hangs = FaultKind::Latency { ms: 600_000 };
    world.slack.faults().add(FaultOrder::next(1, "users.lookupByEmail", hangs));
    ana.says(&format!("dm {} for Gita alone", gita.email)).await?;
    eventually("Gita is looked for", SOON, async || {
        if world.slack.faults().orders().is_empty() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    world.restart(None).await?;
    ana.sees(&["Something interrupted your last command"]).await?;
    world.settled(SOON).await?;
    ensure!(dana.count("for Gita alone").await? == 0, "Dana reads what is for Gita");
    ensure!(ana.count("You are writing with").await? == 1, "nothing was opened");

    ana.asks(&[&gita], "once more").await?;
    world.end().await
}

/// Points that are passed while somebody joins a conversation of several.
pub(crate) const KILLED: [&str; 1] = ["direct.joined:1"];

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_while_the_gateway_dies_is_not_there_untold() -> Result<()> {
    let mut world = world().await?;
    let (ana, dana, emre, gita) = (ana(&world)?, dana(&world), emre(&world), gita(&world)?);
    ana.begins(&[&gita, &dana], "").await?;
    // She goes elsewhere, and wants to come back.
    gita.says(&format!("dm {}", emre.email)).await?;
    emre.sees(&["wants to write with you here"]).await?;
    emre.says("accept").await?;
    emre.sees(&["is in another conversation and was told"]).await?;
    gita.says("dm 2").await?;
    emre.sees(&["You are writing with", "Gita"]).await?;
    ana.sees(&["Gita", "left this conversation"]).await?;
    world.settled(SOON).await?;

    world.restart(Some(KILLED[0])).await?;
    gita.says("dm 1 ahoy again").await?;
    ensure!(world.binary.died(SOON).await?, "the gateway outlived it:\n{}", world.binary.tail());
    world.binary.start(None).await?;
    for there in [&ana, &dana] {
        there.sees(&["Gita", "is in this conversation now"]).await?;
        there.sees(&["ahoy again"]).await?;
    }
    world.settled(SOON).await?;
    ensure!(gita.count("Something interrupted").await? == 0, "she is there");
    gita.says("dm 1").await?;
    gita.sees(&["This conversation is open"]).await?;
    world.settled(SOON).await?;
    for there in [&ana, &dana] {
        let told = there.count("is in this conversation now").await?;
        let new = usize::from(there.first == "Ana");
        ensure!(told == 1 + new, "{} is told {told} times who is there", there.first);
        ensure!(there.count("ahoy again").await? == 1, "{} reads it twice", there.first);
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn first_words_do_not_go_where_an_earlier_command_led() -> Result<()> {
    let mut world = world().await?;
    let (ana, ben, dana, gita) = (ana(&world)?, ben(&world)?, dana(&world), gita(&world)?);
    let imani = imani(&world)?;
    ana.begins(&[&gita, &dana], "").await?;
    dana.asks(&[&ben], "").await?;
    ben.says("accept").await?;
    ben.sees(&["is in another conversation and was told"]).await?;
    dana.says("dm 2").await?;
    ben.sees(&["You are writing with", "Dana"]).await?;
    ben.says("dm close").await?;
    dana.sees(&["Ben", "ended this conversation"]).await?;
    world.settled(SOON).await?;

    // She comes back, and the command is lost behind that: its secret is gone, and Teams does not tell it again.
    world.restart(Some(KILLED[0])).await?;
    dana.says("dm 1").await?;
    ensure!(world.binary.died(SOON).await?, "the gateway outlived it:\n{}", world.binary.tail());
    let slots = world.binary.data_folder().join("secrets.slots");
    let bytes = fs::read(&slots)?;
    ensure!(bytes.iter().any(|byte| *byte != 0), "no secret is there to be lost");
    fs::write(&slots, vec![0; bytes.len()])?;
    world.binary.start(None).await?;
    world.settled(SOON).await?;
    ensure!(ana.count("is in this conversation now").await? == 1, "it was heard again");

    let hangs = FaultKind::Latency { ms: 600_000 };
    world.slack.faults().add(FaultOrder::next(1, "users.lookupByEmail", hangs));
    dana.says(&format!("dm {} for Imani alone", imani.email)).await?;
    eventually("Imani is looked for", SOON, async || {
        if world.slack.faults().orders().is_empty() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    world.restart(None).await?;
    dana.sees(&["Something interrupted your last command"]).await?;
    world.settled(SOON).await?;
    for there in [&ana, &gita] {
        ensure!(there.count("for Imani alone").await? == 0, "{} reads what is for Imani", there.first);
    }
    // Where she finds herself, the others are told.
    dana.says("dm 1").await?;
    for there in [&ana, &gita] {
        there.sees(&["You are writing with", "Dana"]).await?;
    }
    ensure!(dana.count("This conversation is open").await? == 0, "they were not told before");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_perhaps_was_not_asked_is_asked_again() -> Result<()> {
    let world = world().await?;
    let (ana, dana, emre, gita) = (ana(&world)?, dana(&world), emre(&world), gita(&world)?);
    for person in [&dana, &emre] {
        person.sees(&["Here you can write with people on other platforms"]).await?;
    }
    let posts = "POST /v3/conversations/*/activities";
    world.teams.faults().add(FaultOrder::next(1, posts, FaultKind::ResetBefore));
    ana.says(&format!("dm {} lost", dana.email)).await?;
    ana.sees(&["It is not known whether", "Dana", "Ask again"]).await?;
    ensure!(ana.count("was asked. You are told here").await? == 0, "nobody knows that");
    ana.asks(&[&dana], "again").await?;
    ana.sees(&["Dana", "was asked. You are told here"]).await?;
    ensure!(dana.count("lost").await? == 0, "the platform took it");
    ana.says(&format!("dm {} thrice", dana.email)).await?;
    ana.sees(&["your new words were not passed on"]).await?;

    world.teams.faults().add(FaultOrder::next(1, posts, FaultKind::ResetBefore));
    ana.says(&format!("dm {} {} together", emre.email, gita.email)).await?;
    gita.sees(&["wants to write with you", "together"]).await?;
    ana.sees(&["Gita Rao (Webex) was asked. It is not known whether Emre Kaya (Teams)"]).await?;
    ensure!(emre.count("together with").await? == 0, "the platform took it");
    world.end().await
}

/// Nothing is known of Ana any more, and her platform tells nothing of anybody.
async fn forget_ana(world: &World) -> Result<()> {
    let down = FaultKind::ServerErrorBefore { status: 503 };
    world.slack.faults().add(FaultOrder::always("users.info", down));
    let is_told = |entry: &LogEntry| {
        entry.kind == LogKind::Delivery && entry.status == 200 && entry.method == "user_change"
    };
    let before = world.slack.log().count(is_told);
    let renamed = world.slack.change_display_name(ANA, &format!("Ana {before}"));
    renamed.map_err(|error| anyhow!("{error:?}"))?;
    ensure!(world.slack.log().wait_for(before + 1, SOON, is_told).await.is_some(), "nobody was told");
    world.settled(SOON).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_platform_does_not_answer_is_not_left_out_nor_taken_for_a_guest() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.says(&format!("dm {}", dana.email)).await?;
    dana.sees(&["wants to write with you here. Answer"]).await?;
    ana.asks(&[&dana, &gita], "ahoy").await?;
    ana.sees(&["were asked"]).await?;
    forget_ana(&world).await?;

    // Of one, and of the only one who wants a conversation of several.
    dana.says("dm accept 1").await?;
    dana.sees(&["A platform does not answer. Try again"]).await?;
    gita.says("accept").await?;
    gita.sees(&["A platform does not answer. Try again"]).await?;
    ensure!(gita.count("Nobody else is there").await? == 0, "Ana is left out");
    ensure!(world.ask(&api::BridgeList { ended: false }).await?.len() == 1, "something was opened");

    world.slack.faults().clear();
    gita.says("accept").await?;
    gita.sees(&["You are writing with", "Ana"]).await?;
    ana.sees(&["You are writing with", "Gita"]).await?;
    dana.says("dm accept 2").await?;
    dana.sees(&["You are writing with", "Ana", "Gita"]).await?;

    // Of herself: within a conversation, and without one.
    forget_ana(&world).await?;
    ana.says("dm 1").await?;
    ana.sees(&["A platform does not answer. Try again"]).await?;
    world.slack.faults().clear();
    ana.says("dm close").await?;
    gita.sees(&["Ana", "left this conversation"]).await?;
    forget_ana(&world).await?;
    let failed = |entry: &LogEntry| entry.method == "users.info" && entry.status == 503;
    let before = world.slack.log().count(failed);
    ana.says("dm list").await?;
    ensure!(world.slack.log().wait_for(before + 1, SOON, failed).await.is_some(), "nobody was asked");
    world.slack.faults().clear();
    ana.sees(&["1. ", "2. Together with"]).await?;
    for person in [&ana, &dana, &gita] {
        ensure!(person.count("does not allow").await? == 0, "{} is taken for a guest", person.first);
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn several_legs_of_a_command_do_not_make_an_interrupted_one() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.begins(&[&dana], "").await?;
    ana.sees(&["You are writing with", "Dana", "on Teams"]).await?;
    ana.asks(&[&dana, &gita], "ahoy").await?;
    gita.says("accept").await?;
    gita.sees(&["Nobody else is there now"]).await?;
    // Ana was left a moment before the next command, which everybody there is about to get.
    dana.says("dm accept").await?;
    dana.sees(&["You are writing with", "Ana", "Gita"]).await?;
    let slow = FaultKind::Latency { ms: 1_500 };
    world.slack.faults().add(FaultOrder::next(1, "users.lookupByEmail", slow));
    dana.says("dm nobody@harbor-works.example").await?;
    dana.sees(&["Nobody with this address"]).await?;
    world.settled(SOON).await?;
    let told = ana.count("went to another conversation").await?;
    ensure!(told == 1, "Ana is told {told} times that Dana left");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_several_does_not_make_what_others_read_undelivered() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.asks(&[&dana, &gita], "ahoy").await?;
    dana.says("accept").await?;
    ana.sees(&["You are writing with", "Dana"]).await?;

    // What Ana writes is heard only when Gita is there, and Teams takes nothing yet.
    world.slack.faults().add(FaultOrder::next(1, "message*", FaultKind::Delay { ms: 5_000 }));
    ana.says("for Dana").await?;
    gita.says("accept").await?;
    dana.sees(&["Gita", "is in this conversation now"]).await?;
    let held = FaultKind::Latency { ms: 4_000 };
    let posts = "POST /v3/conversations/*/activities";
    world.teams.faults().add(FaultOrder::next(2, posts, held));
    dana.sees(&["for Dana", "Ana"]).await?;
    world.settled(SOON).await?;
    ensure!(gita.count("for Dana").await? == 0, "who joins reads nothing from before");
    ensure!(ana.count("was not delivered").await? == 0, "Dana reads what was not delivered");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_comes_late_is_not_said_to_whoever_asks_by_then() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    dana.asks(&[&ana], "first").await?;

    // The platform tells of Ana's yes only when Dana has gone and somebody else asks.
    world.slack.faults().add(FaultOrder::next(1, "message*", FaultKind::Delay { ms: 15_000 }));
    ana.says("dm accept").await?;
    ana.says(&format!("dm accept {}", dana.email)).await?;
    ana.sees(&["You are writing with", "Dana"]).await?;
    dana.says("dm close").await?;
    ana.sees(&["Dana", "ended this conversation"]).await?;
    gita.asks(&[&ana], "second").await?;
    ana.sees(&["It is not clear who is meant"]).await?;
    world.settled(SOON).await?;
    ensure!(gita.count("You are writing with").await? == 0, "Ana said nothing to Gita");

    ana.says("dm accept").await?;
    gita.sees(&["You are writing with", "Ana"]).await?;
    world.end().await
}
