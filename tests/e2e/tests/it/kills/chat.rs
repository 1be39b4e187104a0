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

/// One asks and the other says yes while the gateway dies at the point; then they talk.
async fn survives(fault: &str) -> Result<()> {
    let mut world = world(1).await?;
    let (ben, imani) = (chat_of_ben(&world)?, chat_of_imani(&world)?);
    world.settled(LIMIT).await?;
    world.restart(Some(fault)).await?;
    let asking = async {
        ben.post(&format!("dm {IMANI} kxhello"), None).await?;
        // What dies before it says so is heard again.
        let invited = eventually("the invitation", Duration::from_secs(5), async || {
            match count(&imani, "kxhello").await? {
                0 => Err("not there".to_owned()),
                _ => Ok(()),
            }
        });
        let invited = invited.await.is_ok();
        if invited {
            imani.post("accept", None).await?;
        }
        anyhow::Ok(invited)
    };
    let accepted = asking.await?;
    ensure!(world.binary.died(LIMIT).await?, "the gateway outlived {fault}:\n{}", world.binary.tail());
    world.binary.start(None).await?;
    sees(&imani, "kxhello").await?;
    if accepted {
        // A command is done at most once; whose was interrupted is told so, and says it again.
        sees(&imani, "Something interrupted your last command").await?;
        imani.post("dm accept", None).await?;
    } else {
        imani.post("accept", None).await?;
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
    for (side, words) in [(&imani as &dyn Side, "kxone"), (&ben, "kxtwo")] {
        let times = count(side, words).await.map_err(|error| anyhow!(error))?;
        ensure!(times == 1, "{} sees '{words}' {times} times", side.person());
    }
    for (side, word) in [(&imani as &dyn Side, "dm "), (&ben, "accept")] {
        // Their own invitations and answers have these words as things to type; nobody's command comes over.
        let seen = side.read().await?;
        let strayed = seen.iter().filter(|seen| seen.markup.starts_with(&format!("Ben Okafor: {word}")));
        ensure!(strayed.count() == 0, "a command was relayed");
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_both_want_is_opened() -> Result<()> {
    survives("direct.agreed:1").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_opened_once() -> Result<()> {
    survives("direct.opened:1").await
}
