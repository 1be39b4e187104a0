//! What people are told when they go from one conversation to another, and what nobody is told.

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api;
use e2e::eventually;

use super::people::{Person, SOON, ana, dana, gita, is_copy_of, world};

/// What is shown to somebody on Slack, without the blocks behind it, which have ids of their own.
async fn texts(person: &Person) -> Result<Vec<String>> {
    let all = person.all().await?;
    Ok(all.iter().map(|text| text.split("\n[").next().unwrap_or_default().to_owned()).collect())
}

/// Asks for a list; all that were shown to somebody, `count` with this one.
async fn lists(person: &Person, count: usize) -> Result<Vec<String>> {
    person.says("dm list").await?;
    eventually("another list", SOON, async || {
        let mut shown = texts(person).await.map_err(|error| format!("{error:#}"))?;
        // What the person typed holds no number.
        shown.retain(|text| text.contains("1. "));
        if shown.len() == count { Ok(shown) } else { Err(format!("{shown:?}")) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_left_and_found_again_is_told_both() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.begins(&[&dana], "").await?;
    ana.sees(&["You are writing with", "Dana", "on Teams"]).await?;

    // Both are willing, and one command of Dana's ends one conversation and opens the other.
    ana.asks(&[&dana, &gita], "ahoy").await?;
    dana.says("dm accept").await?;
    ana.sees(&["Dana", "went to another conversation"]).await?;
    ana.sees(&["You are writing with", "Dana Lindqvist (Teams)"]).await?;
    dana.sees(&["You are writing with", "Ana (Slack)"]).await?;

    dana.says("dm close").await?;
    ana.sees(&["Dana", "left this conversation", "Nobody else is there"]).await?;
    ana.says("dm 2 by number").await?;
    ana.sees(&["Nobody else is there now", "first words were not passed on"]).await?;
    world.settled(SOON).await?;
    ensure!(dana.count("by number").await? == 0, "Dana reads what Ana was told is lost");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_blocks_is_to_the_other_one_who_does_not_answer() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.asks(&[&gita], "eins").await?;
    ana.says(&format!("dm {} zwei", gita.email)).await?;
    ana.sees(&["was asked", "your new words were not passed on"]).await?;
    let before = lists(&ana, 1).await?;
    ensure!(before[0].contains("no answer yet"), "{before:?}");

    gita.says("block").await?;
    gita.sees(&["You hear no more of", "Ana"]).await?;
    let after = lists(&ana, 2).await?;
    ensure!(after[0] == after[1], "the list tells who blocks: {after:?}");
    ana.says(&format!("dm {} drei", gita.email)).await?;
    eventually("the same answer", SOON, async || {
        let mut answers = texts(&ana).await.map_err(|error| format!("{error:#}"))?;
        answers.retain(|text| text.contains("your new words were not passed on"));
        if answers.len() == 2 && answers[0] == answers[1] { Ok(()) } else { Err(format!("{answers:?}")) }
    })
    .await?;
    // What is no command is answered by whom one waits for.
    ana.says("anybody?").await?;
    ana.sees(&["Nothing is open", "Gita", "has not answered yet"]).await?;

    // In a conversation of several they stand with the others, and hear of nothing.
    ana.says(&format!("dm {} {} vier", dana.email, gita.email)).await?;
    ana.sees(&["Dana", "Gita", "were asked"]).await?;
    let all = lists(&ana, 3).await?;
    ensure!(all.iter().any(|list| list.contains("Gita Rao (Webex, no answer yet)")), "{all:?}");
    dana.sees(&["wants to write with you", "vier"]).await?;
    dana.says("accept").await?;
    ana.sees(&["You are writing with", "Dana"]).await?;
    let theirs = lists(&dana, 1).await?;
    ensure!(theirs[0].contains("Gita Rao (Webex, no answer yet)"), "{theirs:?}");
    world.settled(SOON).await?;
    for word in ["zwei", "drei", "vier", "with Dana"] {
        ensure!(gita.count(word).await? == 0, "who blocks hears {word}");
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_several_people_comes_back_by_themselves() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.begins(&[&dana, &gita], "ahoy").await?;
    for person in [&dana, &gita] {
        person.sees(&["You are writing with", "Ana (Slack)"]).await?;
    }
    dana.says("dm close").await?;
    gita.sees(&["Dana", "left this conversation"]).await?;
    ana.says("dm close").await?;
    gita.sees(&["Ana", "left this conversation", "Nobody else is there"]).await?;
    gita.says("dm 1 hello?").await?;
    gita.sees(&["Nobody else is there now", "first words were not passed on"]).await?;
    world.settled(SOON).await?;
    ensure!(dana.count("You are writing with").await? == 1, "Dana is taken along though she left");
    ensure!(world.ask(&api::BridgeList { ended: false }).await?.len() == 1, "something was opened");

    dana.says("dm 1 here I am").await?;
    let copy = gita.sees(&["here I am", "Dana"]).await?;
    ensure!(is_copy_of(&copy, "here I am"), "{}", copy.markup);
    dana.says("dm 1 and still").await?;
    gita.sees(&["and still", "Dana"]).await?;
    dana.sees(&["This conversation is open"]).await?;

    // Paused, nothing arrives, and nobody thinks so.
    let talk = world.ask(&api::DirectList {}).await?.talks.into_iter().find_map(|talk| talk.bridge);
    let bridge = talk.context("it is open")?;
    world.ask(&api::BridgeState { bridge: bridge.clone(), state: api::State::Paused }).await?;
    ana.says("dm 1 lost words").await?;
    ana.sees(&["You are in this conversation now", "paused it", "first words were not passed on"]).await?;
    dana.sees(&["Ana", "is in this conversation now"]).await?;
    world.ask(&api::BridgeState { bridge, state: api::State::Active }).await?;
    ana.says("now again").await?;
    dana.sees(&["now again", "Ana"]).await?;
    world.settled(SOON).await?;
    ensure!(dana.count("lost words").await? == 0, "words from the pause");
    world.end().await
}
