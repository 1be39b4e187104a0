//! Webex tells nobody of edits. They show on all other platforms all the same, soon enough for people who talk.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_sim::teams::seed;
use dragoman_sim::webex::seed::{GITA, HENRIK};
use dragoman_sim::zoom::config::{LAUNCH, THEO};
use e2e::{Options, Seen, Side, World, eventually};

/// What a person waits for an edit.
const WITHIN: Duration = Duration::from_secs(20);

/// The one message that says so.
async fn shows(side: &dyn Side, words: &str) -> Result<Seen> {
    eventually(&format!("{} shows '{words}'", side.platform()), WITHIN, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let mut found: Vec<Seen> = all.into_iter().filter(|seen| seen.markup.contains(words)).collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages"))
    })
    .await
}

/// With the pauses of a real gateway, and the simulator's default: no event tells of an edit.
#[tokio::test(flavor = "multi_thread")]
async fn of_webex_show_on_all_other_platforms_within_twenty_seconds() -> Result<()> {
    let mut options = Options::four();
    options.config = "[relay]\nedit_look_ms = 10000\n".parse()?;
    let world = World::start(options).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    let members = [
        "slack:C07LAUNCH".to_owned(),
        format!("teams:{}", seed::LAUNCH),
        format!("webex:{room}"),
        format!("zoom:{LAUNCH}"),
    ];
    world.link(&members).await?;
    let gita = world.webex_person(GITA, "Gita Rao", &room);
    let henrik = world.webex_person(HENRIK, "Henrik Dahl", &room);
    let others: [Box<dyn Side>; 3] = [
        Box::new(world.ana("C07LAUNCH")),
        Box::new(world.dana(seed::LAUNCH)),
        Box::new(world.zoom_person(THEO, "Theo Lindqvist", LAUNCH)),
    ];
    let root = gita.post("the ferry leaves at nine", None).await?;
    let mut copies = Vec::new();
    for other in &others {
        copies.push(shows(other.as_ref(), "leaves at nine").await?);
    }
    let reply = henrik.post("from pier two", Some(&root)).await?;
    for other in &others {
        shows(other.as_ref(), "from pier two").await?;
    }
    gita.edit(&root, None, "the ferry leaves at ten").await?;
    henrik.edit(&reply, Some(&root), "from pier three").await?;
    for (other, copy) in others.iter().zip(&copies) {
        let edited = shows(other.as_ref(), "leaves at ten").await?;
        ensure!(edited.id == copy.id, "the copy at {} itself is edited", other.platform());
        shows(other.as_ref(), "from pier three").await?;
    }
    // Once more, of what was looked at already.
    gita.edit(&root, None, "the ferry leaves at eleven").await?;
    for other in &others {
        shows(other.as_ref(), "leaves at eleven").await?;
    }
    let status = world.settled(WITHIN).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    world.end().await
}
