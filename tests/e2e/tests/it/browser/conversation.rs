//! One conversation through four clients.

use std::path::{Path, PathBuf};

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
    "Same here",
    "banner",
    "twelve seats",
    "thirteen seats",
];

#[tokio::test]
#[ignore = "needs a browser: cargo xtask test --only browser"]
async fn four_clients_show_one_conversation() {
    on_the_page(async |browser, address, _| converse(browser, address).await).await.unwrap();
}

/// Does something with the demo's page in a browser, given its address and the folder of pictures.
#[expect(clippy::print_stdout, reason = "who runs the tests must read that this one was left out")]
pub(super) async fn on_the_page(act: impl AsyncFnOnce(&Browser, &str, &Path) -> Result<()>) -> Result<()> {
    let Some((chromium, driver)) = programs() else {
        ensure!(std::env::var_os("CI").is_none(), "chromium and chromedriver are missing");
        println!("SKIPPED: chromium and chromedriver are not installed");
        return Ok(());
    };
    let pictures = pictures()?;
    let demo = Demo::start(&pictures).await?;
    let browser = Browser::open(&chromium, &driver, &pictures).await?;
    let outcome = act(&browser, &demo.address, &pictures).await;
    if outcome.is_err() {
        browser.picture("failed").await?;
    }
    browser.close().await?;
    outcome?;
    demo.end().await
}

/// `target/browser`.
fn pictures() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).context("the test lies in no target directory")?;
    Ok(target.join("browser"))
}

async fn converse(browser: &Browser, address: &str) -> Result<()> {
    browser.resize(1600, 1000).await?;
    browser.goto(address).await?;
    let (slack, teams) = (Chat::slack(browser), Chat::teams(browser));
    let (webex, zoom) = (Chat::webex(browser), Chat::zoom(browser));
    for chat in [slack, teams, webex, zoom] {
        let open = chat.open_channel().await?.to_lowercase();
        ensure!(open == "launch", "the client of {} opens {open}, not the linked channel", chat.frame());
    }
    browser.picture("1-open").await?;

    formatting_goes_both_ways(slack, teams).await?;
    everybody_is_read_everywhere([slack, teams, webex, zoom]).await?;
    threads_go_both_ways(slack, teams).await?;
    let root = zoom.sees(Pane::Channel, "ready for review").await?;
    zoom.open_replies(&root.id).await?;
    // Webex draws threads among the messages.
    for (chat, pane) in [(zoom, Pane::Thread), (webex, Pane::Channel)] {
        chat.sees(pane, "Do we keep the countdown?").await?;
        chat.sees(pane, "Yes, until Friday noon.").await?;
    }
    browser.picture("2-thread").await?;
    slack.close_thread().await?;
    teams.close_thread().await?;
    zoom.close_thread().await?;
    edits_go_both_ways(slack, teams).await?;
    for chat in [webex, zoom] {
        chat.sees(Pane::Channel, "leaves at ten").await?;
        chat.misses(Pane::Channel, "leaves at nine").await?;
        chat.sees(Pane::Channel, "brings posters and tape").await?;
    }
    an_edit_that_nobody_announces_is_found(webex, [slack, teams, zoom]).await?;
    browser.picture("3-conversation").await?;
    deletions_go_both_ways(slack, teams).await?;
    for chat in [webex, zoom] {
        chat.misses(Pane::Channel, "Wrong channel").await?;
        chat.misses(Pane::Channel, "Not this one").await?;
    }
    browser.picture("4-deleted").await?;
    activity_has_outcomes_and_no_words(browser).await?;
    for (width, height) in [(1024, 768), (420, 860)] {
        fits(browser, width, height).await?;
        browser.picture(&format!("5-{width}-wide")).await?;
    }
    browser.resize(1600, 1000).await?;
    browser.dark().await?;
    browser.picture("6-dark").await
}

/// Webex and Zoom speak; each of the others shows it, with its bold words and its author.
async fn everybody_is_read_everywhere(all: [Chat<'_>; 4]) -> Result<()> {
    let [_, _, webex, zoom] = all;
    let said =
        [(webex, "Same here, *after two*.", "Gita"), (zoom, "I will fix the *banner* first.", "Imani")];
    for (from, words, author) in said {
        from.write(Pane::Channel, words).await?;
        let (plain, bold) = (words.replace('*', ""), words.split('*').nth(1).unwrap_or_default());
        for to in all.into_iter().filter(|to| to.frame() != from.frame()) {
            let seen = to.sees(Pane::Channel, &plain).await?;
            ensure!(seen.bold.iter().any(|text| text == bold), "bold on {}: {:?}", to.frame(), seen.bold);
            let named = seen.author.contains(author) || seen.text.contains(author);
            ensure!(named, "{} does not name {author}: {seen:?}", to.frame());
        }
    }
    Ok(())
}

/// No webhook tells of an edit; the gateway finds it by looking again.
async fn an_edit_that_nobody_announces_is_found(from: Chat<'_>, others: [Chat<'_>; 3]) -> Result<()> {
    from.write(Pane::Channel, "Room for twelve seats.").await?;
    for to in others {
        to.sees(Pane::Channel, "twelve seats").await?;
    }
    let own = from.sees(Pane::Channel, "twelve seats").await?;
    from.edit(&own.id, "Room for thirteen seats.").await?;
    from.save().await?;
    for to in others {
        to.sees(Pane::Channel, "thirteen seats").await?;
        to.misses(Pane::Channel, "twelve seats").await?;
    }
    Ok(())
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

/// Nothing is cut off, and every client has room.
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
