//! One conversation through both clients.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use e2e::eventually;

use super::chat::{Chat, Pane};
use super::demo::Demo;
use super::driver::{Browser, PATIENCE, programs};

/// Everything that was ever typed; the gateway's activity must show none of it.
const TYPED: &[&str] = &[
    "ready for review",
    "before lunch",
    "countdown",
    "Friday noon",
    "leaves at nine",
    "leaves at ten",
    "brings posters",
    "brings posters and tape",
    "Wrong channel",
    "Not this one",
];

#[tokio::test]
#[ignore = "needs a browser: cargo xtask test --only browser"]
async fn both_clients_show_one_conversation() {
    let Some((chromium, driver)) = programs() else {
        assert!(std::env::var_os("CI").is_none(), "chromium and chromedriver are missing");
        println!("SKIPPED: chromium and chromedriver are not installed");
        return;
    };
    let pictures = pictures().unwrap();
    let demo = Demo::start(&pictures).await.unwrap();
    let browser = Browser::open(&chromium, &driver, &pictures).await.unwrap();
    let outcome = converse(&browser, &demo.address).await;
    if outcome.is_err() {
        browser.picture("failed").await.unwrap();
    }
    browser.close().await.unwrap();
    outcome.unwrap();
    demo.end().await.unwrap();
}

/// `target/browser`.
fn pictures() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).context("the test lies in no target directory")?;
    Ok(target.join("browser"))
}

async fn converse(browser: &Browser, address: &str) -> Result<()> {
    browser.resize(1440, 900).await?;
    browser.goto(address).await?;
    let (slack, teams) = (Chat::slack(browser), Chat::teams(browser));
    ensure!(slack.open_channel().await? == "launch", "Slack's client opens the linked channel");
    ensure!(teams.open_channel().await? == "launch", "the client of Teams opens the linked channel");
    browser.picture("1-open").await?;

    formatting_goes_both_ways(slack, teams).await?;
    threads_go_both_ways(slack, teams).await?;
    browser.picture("2-thread").await?;
    slack.close_thread().await?;
    teams.close_thread().await?;
    edits_go_both_ways(slack, teams).await?;
    browser.picture("3-conversation").await?;
    deletions_go_both_ways(slack, teams).await?;
    browser.picture("4-deleted").await?;
    activity_has_outcomes_and_no_words(browser).await?;
    for (width, height) in [(1024, 768), (420, 860)] {
        fits(browser, width, height).await?;
        browser.picture(&format!("5-{width}-wide")).await?;
    }
    browser.resize(1440, 900).await?;
    browser.dark().await?;
    browser.picture("6-dark").await
}

async fn formatting_goes_both_ways(slack: Chat<'_>, teams: Chat<'_>) -> Result<()> {
    slack.write(Pane::Channel, "Morning! The launch page is *ready for review*.").await?;
    let seen = teams.sees(Pane::Channel, "The launch page is ready for review.").await?;
    ensure!(seen.bold.iter().any(|text| text == "ready for review"), "bold on Teams: {:?}", seen.bold);
    // A channel message of an app there names its author in its text.
    ensure!(seen.text.starts_with("Ana"), "Teams does not show the author: {}", seen.text);
    teams.write(Pane::Channel, "Lovely, I will read it *before lunch*.").await?;
    let seen = slack.sees(Pane::Channel, "Lovely, I will read it before lunch.").await?;
    ensure!(seen.bold == ["before lunch"], "bold on Slack: {:?}", seen.bold);
    ensure!(seen.author.contains("Dana Lindqvist"), "Slack shows {} as author", seen.author);
    Ok(())
}

async fn threads_go_both_ways(slack: Chat<'_>, teams: Chat<'_>) -> Result<()> {
    let root = teams.sees(Pane::Channel, "ready for review").await?;
    teams.open_thread(&root.id).await?;
    teams.write(Pane::Thread, "Do we keep the countdown?").await?;
    let root = slack.sees(Pane::Channel, "ready for review").await?;
    slack.open_replies(&root.id).await?;
    let seen = slack.sees(Pane::Thread, "Do we keep the countdown?").await?;
    ensure!(seen.author.contains("Dana Lindqvist"), "Slack's thread shows {} as author", seen.author);
    slack.write(Pane::Thread, "Yes, until Friday noon.").await?;
    teams.sees(Pane::Thread, "Yes, until Friday noon.").await?;
    slack.misses(Pane::Channel, "countdown").await?;
    teams.misses(Pane::Channel, "Friday noon").await
}

async fn edits_go_both_ways(slack: Chat<'_>, teams: Chat<'_>) -> Result<()> {
    slack.write(Pane::Channel, "The ferry leaves at nine.").await?;
    teams.sees(Pane::Channel, "leaves at nine").await?;
    let own = slack.sees(Pane::Channel, "leaves at nine").await?;
    slack.edit(&own.id, "The ferry leaves at ten.").await?;
    // What arrives meanwhile does not disturb who is writing.
    teams.write(Pane::Channel, "Emre brings posters.").await?;
    slack.sees(Pane::Channel, "brings posters").await?;
    slack.save().await?;
    teams.sees(Pane::Channel, "leaves at ten").await?;
    teams.misses(Pane::Channel, "leaves at nine").await?;

    let own = teams.sees(Pane::Channel, "brings posters").await?;
    teams.edit(&own.id, "Emre brings posters and tape.").await?;
    teams.save().await?;
    slack.sees(Pane::Channel, "brings posters and tape").await?;
    Ok(())
}

async fn deletions_go_both_ways(slack: Chat<'_>, teams: Chat<'_>) -> Result<()> {
    let slips = [(slack, teams, "Wrong channel, sorry."), (teams, slack, "Not this one either.")];
    for (from, to, text) in slips {
        from.write(Pane::Channel, text).await?;
        to.sees(Pane::Channel, text).await?;
        let own = from.sees(Pane::Channel, text).await?;
        from.delete(&own.id).await?;
        to.misses(Pane::Channel, text).await?;
    }
    Ok(())
}

/// Six messages, two edits and two deletions at least were told; of what was said, nothing.
async fn activity_has_outcomes_and_no_words(browser: &Browser) -> Result<()> {
    let text = eventually("ten deliveries in the activity", PATIENCE, || async {
        browser.leave().await?;
        let text = browser.run("return document.querySelector('[data-test=activity]').textContent").await?;
        let text = text.as_str().unwrap_or_default().to_owned();
        if text.matches("delivered").count() >= 10 { Ok(text) } else { Err(text) }
    })
    .await?;
    for typed in TYPED {
        ensure!(!text.contains(typed), "the activity shows “{typed}”");
    }
    Ok(())
}

/// Nothing is cut off, and both clients have room.
async fn fits(browser: &Browser, width: u32, height: u32) -> Result<()> {
    browser.resize(width, height).await?;
    let script = "const room = document.documentElement;
        const cut = room.scrollWidth > innerWidth;
        const small = [...document.querySelectorAll('iframe')].map((one) => one.getBoundingClientRect())
            .some((one) => one.width < 360 || one.height < 320);
        return cut ? 'it is too wide' : small ? 'a client is too small' : '';";
    eventually(&format!("the page at {width} pixels"), PATIENCE, || async {
        let fault = browser.run(script).await?;
        if fault == "" { Ok(()) } else { Err(fault.to_string()) }
    })
    .await
}
