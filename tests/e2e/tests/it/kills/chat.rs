//! A conversation of two people in their own chats with the app, and that it opens whenever the process is killed.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_gateway::admin::api::BridgeList;
use dragoman_sim::slack::SeedApp;
use dragoman_sim::zoom::config as zoom;
use e2e::{Side, SlackSide, World, ZoomSide, eventually};

use super::talk::world;

const LIMIT: Duration = Duration::from_secs(30);
const BEN: &str = "U07BENOKAFOR";
const IMANI: &str = "imani.okoye@kestrel-outfitters.example";

pub(super) fn chat_of_ben(world: &World) -> Result<SlackSide> {
    let bot = world.slack.bot(&SeedApp::default().app_id, "T07HARBOR").context("no bot")?;
    let chat = world.slack.open_direct(&[BEN, &bot.user_id]).map_err(|error| anyhow!("{error:?}"))?;
    Ok(world.slack_person("ben.okafor", "Ben Okafor", &chat))
}

pub(super) fn chat_of_imani(world: &World) -> Result<ZoomSide> {
    let sim = world.zoom();
    let room = sim.open_direct(zoom::IMANI, zoom::BRIDGE).map_err(|error| anyhow!(error.message))?;
    Ok(world.zoom_person(zoom::IMANI, "Imani Okoye", &room))
}

/// How often words stand at a side.
async fn count(side: &dyn Side, words: &str) -> Result<usize, String> {
    let seen = side.read().await.map_err(|error| format!("{error:#}"))?;
    Ok(seen.iter().filter(|seen| seen.markup.contains(words)).count())
}

async fn sees(side: &dyn Side, words: &str) -> Result<()> {
    eventually(&format!("{} sees '{words}'", side.person()), LIMIT, async || {
        match count(side, words).await? {
            0 => Err("not there".to_owned()),
            _ => Ok(()),
        }
    })
    .await
}

/// One asks, the other says yes.
pub(super) async fn open(one: &SlackSide, other: &ZoomSide) -> Result<()> {
    one.post(&format!("dm {IMANI} kxhello"), None).await?;
    sees(other, "kxhello").await?;
    other.post("accept", None).await?;
    sees(one, "You are writing with").await?;
    sees(other, "You are writing with").await
}

/// Points that are passed while a conversation opens; whoever asks and answers makes the gateway die there.
pub(super) const KILLED: [&str; 2] = ["direct.agreed:1", "direct.opened:1"];

/// Whom somebody asks.
const ONE: &str = IMANI;
/// The same with somebody who does not answer: a conversation of several, of two for the time being.
const SEVERAL: &str = "imani.okoye@kestrel-outfitters.example theo.lindqvist@kestrel-outfitters.example";

/// Ben asks and Imani says yes while the gateway dies at the point; then they talk. `opened`: by then the conversation is
/// there, and nobody knows of it.
async fn survives(fault: &str, asked: &str, opened: bool) -> Result<()> {
    let mut world = world(1).await?;
    let (ben, imani) = (chat_of_ben(&world)?, chat_of_imani(&world)?);
    world.settled(LIMIT).await?;
    world.restart(Some(fault)).await?;
    ben.post(&format!("dm {asked} kxhello"), None).await?;
    // Nobody agrees before they are asked, and so it is alive until then.
    sees(&imani, "kxhello").await?;
    imani.post("accept", None).await?;
    ensure!(world.binary.died(LIMIT).await?, "the gateway outlived {fault}:\n{}", world.binary.tail());
    world.binary.start(None).await?;
    if opened {
        // What was done is told.
        sees(&imani, "You are writing with").await?;
    } else {
        // A command is done at most once; whose was interrupted is told so, and says it again.
        sees(&imani, "Something interrupted your last command").await?;
        imani.post("dm accept", None).await?;
    }
    eventually("the conversation is open", LIMIT, async || {
        let bridges = world.ask(&BridgeList { ended: false }).await.map_err(|error| format!("{error:#}"))?;
        if bridges.len() == 3 { Ok(()) } else { Err(format!("{} bridges", bridges.len())) }
    })
    .await?;
    // Both are told of it.
    sees(&ben, "You are writing with").await?;
    sees(&imani, "You are writing with").await?;
    world.settled(LIMIT).await?;
    ben.post("kxone", None).await?;
    sees(&imani, "kxone").await?;
    imani.post("kxtwo", None).await?;
    sees(&ben, "kxtwo").await?;
    world.settled(LIMIT).await?;
    // As copies look, of what is none of a command.
    let one = imani.read().await?.iter().any(|seen| seen.markup.contains("(Slack): kxone"));
    let two = ben.read().await?.iter().any(|seen| seen.author.ends_with("(Zoom)"));
    ensure!(one && two, "copies look otherwise than commands are looked for");
    for (side, words) in [(&imani as &dyn Side, "kxone"), (&ben, "kxtwo")] {
        let times = count(side, words).await.map_err(|error| anyhow!(error))?;
        ensure!(times == 1, "{} sees '{words}' {times} times", side.person());
    }
    // Their own invitations and answers have these words as things to type; nobody's command comes over.
    let asked = imani.read().await?.iter().any(|seen| seen.markup.contains("(Slack): dm "));
    let answered = ben.read().await?.iter().any(|seen| {
        let is_command = seen.markup.starts_with("accept") || seen.markup.starts_with("dm accept");
        seen.author.ends_with("(Zoom)") && is_command
    });
    ensure!(!asked && !answered, "a command was relayed");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_both_want_is_opened() -> Result<()> {
    survives(KILLED[0], ONE, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_opened_once() -> Result<()> {
    survives(KILLED[1], ONE, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_of_several_is_opened_and_everybody_told() -> Result<()> {
    survives(KILLED[1], SEVERAL, true).await
}
