//! People ask the app, in their own chat with it, to speak in their own name.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::slack::SeedApp;
use dragoman_sim::webex::seed as webex;
use dragoman_sim::webex::{SeedIntegration, SeedPerson};
use e2e::{Options, Seen, Side, World, eventually};

const CHANNEL: &str = "C07LAUNCH";
const ANA: &str = "U07ANASOUZA";
const ANA_AT_WEBEX: &str = "7254b0d6-91ea-4385-8a7c-461dfa28390a";
const SOON: Duration = Duration::from_secs(20);

/// Exactly one message says all of this.
async fn sees(side: &dyn Side, words: &[&str]) -> Result<Seen> {
    eventually(&format!("{} shows {words:?}", side.platform()), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let shown: Vec<String> = all.iter().map(|seen| seen.markup.clone()).collect();
        let mut found: Vec<Seen> =
            all.into_iter().filter(|seen| words.iter().all(|word| seen.markup.contains(word))).collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages in {shown:?}"))
    })
    .await
}

/// The link in what the app answered.
fn link_in(markup: &str) -> Result<String> {
    let markup = markup.replace("&amp;", "&").replace("\\/", "/");
    let start = markup.find("http").context("no link")?;
    let end = markup[start..].find(['"', '|', '>', '\\']).context("no end of the link")?;
    Ok(markup[start..start + end].to_owned())
}

/// Somebody is signed in already and allows what is asked.
async fn allow(world: &World, link: &str, person: &str) -> Result<()> {
    let decided =
        format!("{}&sim_allow=1&sim_user={person}", link.replacen("/authorize?", "/authorize/decision?", 1));
    world.http.browse(&decided).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_lend_the_app_their_name_and_take_it_back_without_an_administrator() -> Result<()> {
    let mut config = Options::webex_config();
    let org = config.orgs.first_mut().context("no organisation")?;
    org.people.push(SeedPerson {
        uuid: ANA_AT_WEBEX.to_owned(),
        display_name: "Ana Souza".to_owned(),
        email: "ana.souza@harbor-works.example".to_owned(),
        ..SeedPerson::default()
    });
    for room in &mut config.rooms {
        room.members.push(ANA_AT_WEBEX.to_owned());
    }
    let options = Options { webex: Some(config), bridge: false, direct: true, ..Options::default() };
    let world = World::start(options).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    world.link(&[format!("slack:{CHANNEL}"), format!("webex:{room}")]).await?;
    let (on_slack, on_webex) = (world.ana(CHANNEL), world.webex_person(ANA_AT_WEBEX, "Ana Souza", &room));
    let bot = world.slack.bot(&SeedApp::default().app_id, "T07HARBOR").context("no bot")?;
    let chat = world.slack.open_direct(&[ANA, &bot.user_id]).map_err(|error| anyhow!("{error:?}"))?;
    let slack_chat = world.slack_person("ana.souza", "Ana Souza", &chat);
    let chat =
        world.webex().direct(ANA_AT_WEBEX, webex::SERVICE).map_err(|error| anyhow!("{}", error.message))?;
    let webex_chat = world.webex_person(ANA_AT_WEBEX, "Ana Souza", &chat);
    let public = world.webex().person_id("Ana Souza").context("there is no Ana")?;

    on_slack.post("through the *app*", None).await?;
    let copy = sees(&on_webex, &["through the"]).await?;
    ensure!(copy.author != public && copy.markup.contains("Ana"), "{}", copy.raw);
    webex_chat.post("disconnect", None).await?;
    sees(&webex_chat, &["nothing to take back"]).await?;

    // On Webex: whose accounts they are is known by the one verified address.
    webex_chat.post("connect", None).await?;
    let offer = sees(&webex_chat, &["Open this link"]).await?;
    ensure!(!offer.markup.contains("not known yet"), "{}", offer.markup);
    allow(&world, &link_in(&offer.markup)?, ANA_AT_WEBEX).await?;
    on_slack.post("in my *own* name", None).await?;
    let copy = sees(&on_webex, &["in my"]).await?;
    ensure!(copy.author == public && !copy.markup.contains("Ana"), "{}", copy.raw);

    // On Slack, too; taken back there, the token is no good any more.
    slack_chat.post("connect", None).await?;
    let offer = sees(&slack_chat, &["Open this link"]).await?;
    allow(&world, &link_in(&offer.markup)?, ANA).await?;
    on_webex.post("typed on Webex", None).await?;
    let copy = sees(&on_slack, &["typed on Webex"]).await?;
    ensure!(copy.raw["user"] == ANA && copy.raw["username"].is_null(), "{}", copy.raw);
    ensure!(world.slack.live_user_tokens(ANA) == 1, "there is a token of hers");
    slack_chat.post("disconnect", None).await?;
    sees(&slack_chat, &["permission is forgotten"]).await?;
    ensure!(world.slack.live_user_tokens(ANA) == 0, "it was revoked at the platform");
    on_webex.post("and through the app", None).await?;
    let copy = sees(&on_slack, &["and through the app"]).await?;
    ensure!(copy.raw["user"] != ANA, "{}", copy.raw);

    // She takes her consent back at Webex, and nobody tells the gateway.
    world.webex().revoke(ANA_AT_WEBEX, &SeedIntegration::default().client_id);
    on_slack.post("back to the *old* ways", None).await?;
    let copy = sees(&on_webex, &["old"]).await?;
    ensure!(copy.author != public && copy.markup.contains("Ana"), "{}", copy.raw);
    on_slack.post("and *again*", None).await?;
    sees(&on_webex, &["again"]).await?;
    let trail = world.ask(&api::AuditList { limit: 0 }).await?;
    for act in ["person.token-died", "person.token-revoke"] {
        ensure!(trail.iter().filter(|row| row.act == act).count() == 1, "{trail:?}");
    }
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "nothing was given up");
    world.end().await
}
