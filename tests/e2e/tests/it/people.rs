//! People who granted a token of their own: what they write elsewhere stands in their own name.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use dragoman_gateway::admin::api::{self, InstallState};
use dragoman_sim::teams::seed;
use dragoman_sim::webex::{SeedIntegration, SeedPerson, seed as webex};
use dragoman_sim::zoom::config as zoom;
use e2e::{CHLOE_AT_TEAMS, Options, Seen, Side, World, eventually};
use serde_json::Value;

const CHANNEL: &str = "C07LAUNCH";
const CHLOE_AT_SLACK: &str = "U07CHLOEMARTIN";
const ANA_AT_SLACK: &str = "U07ANASOUZA";
const ANA_AT_WEBEX: &str = "7254b0d6-91ea-4385-8a7c-461dfa28390a";
const SOON: Duration = Duration::from_secs(20);

/// Exactly one message says all of this.
async fn sees(side: &dyn Side, words: &[&str]) -> Result<Seen> {
    eventually(&format!("{} shows {words:?}", side.platform()), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let mut found: Vec<Seen> =
            all.into_iter().filter(|seen| words.iter().all(|word| seen.markup.contains(word))).collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages"))
    })
    .await
}

async fn sees_no(side: &dyn Side, word: &str) -> Result<()> {
    eventually(&format!("{} shows {word} no more", side.platform()), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        if all.iter().any(|seen| seen.markup.contains(word)) { Err(String::new()) } else { Ok(()) }
    })
    .await
}

/// What people wrote; who joined is not it, nor our own notice.
async fn written(side: &dyn Side) -> Result<usize> {
    let all = side.read().await?;
    let notice = |seen: &&Seen| seen.markup.contains("These conversations are linked");
    Ok(all.iter().filter(|seen| seen.raw["subtype"] != "channel_join" && !notice(seen)).count())
}

/// Grants a token in a browser, in which somebody is signed in already: `sign_in` turns the link into theirs.
pub(crate) async fn grant(
    world: &World,
    person: &str,
    at: &str,
    sign_in: impl FnOnce(&str) -> String,
) -> Result<InstallState> {
    let ask = api::PersonToken { person: person.to_owned(), installation: at.to_owned() };
    let started = world.ask(&ask).await?;
    world.http.browse(&sign_in(&started.link)).await?;
    world.binary.installed(&started.ticket).await
}

pub(crate) fn at_teams(person: &str) -> impl FnOnce(&str) -> String {
    move |link| format!("{link}&login_hint={person}")
}

fn at_webex(person: &str) -> impl FnOnce(&str) -> String {
    move |link| {
        format!("{}&sim_allow=1&sim_user={person}", link.replacen("/authorize?", "/authorize/decision?", 1))
    }
}

pub(crate) fn at_slack(person: &str) -> impl FnOnce(&str) -> String {
    at_webex(person)
}

async fn link(world: &World, accounts: &[&str]) -> Result<api::PersonInfo> {
    let accounts = accounts.iter().map(|account| (*account).to_owned()).collect();
    world.ask(&api::PersonLink { accounts }).await
}

fn author(seen: &Seen) -> &Value {
    &seen.raw["from"]["user"]["id"]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_speaks_for_herself_on_teams_until_she_takes_her_word_back() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let slack = world.slack_person("chloe.martin", "Chloe Martin", CHANNEL);
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let person =
        link(&world, &[&format!("slack:{CHLOE_AT_SLACK}"), &format!("teams:{CHLOE_AT_TEAMS}")]).await?;
    ensure!(person.accounts.len() == 2 && person.accounts.iter().all(|it| !it.own_token), "{person:?}");

    // The account that consents has to be hers.
    let refused = grant(&world, &person.id, "teams", at_teams(seed::DANA)).await?;
    ensure!(matches!(&refused, InstallState::Failed(it) if it.code == "DRG-REFUSED"), "{refused:?}");
    let before = slack.post("through the *app*", None).await?;
    let through = sees(&dana, &["through the"]).await?;
    ensure!(author(&through).is_null() && through.markup.contains("Chloe"), "{}", through.raw);

    let granted =
        grant(&world, &format!("slack:{CHLOE_AT_SLACK}"), "teams", at_teams(CHLOE_AT_TEAMS)).await?;
    ensure!(matches!(granted, InstallState::Done(_)), "{granted:?}");
    let people = world.ask(&api::PersonList {}).await?;
    let speaks: Vec<&str> = people
        .iter()
        .flat_map(|it| &it.accounts)
        .filter(|it| it.own_token)
        .map(|it| it.platform.as_str())
        .collect();
    ensure!(speaks == ["teams"], "{people:?}");

    let said = slack.post("in my *own* name", None).await?;
    let own = sees(&dana, &["in my"]).await?;
    ensure!(author(&own) == CHLOE_AT_TEAMS, "it is of {}", own.raw["from"]);
    ensure!(!own.markup.contains("Chloe"), "nobody needs to say who it is: {}", own.markup);
    let reply = slack.post("and *again*", Some(&said)).await?;
    let answer = sees(&dana, &["again"]).await?;
    ensure!(
        answer.thread_root.as_deref() == Some(own.id.as_str()) && author(&answer) == CHLOE_AT_TEAMS,
        "{}",
        answer.raw
    );
    slack.edit(&said, None, "in my *very own* name").await?;
    let edited = sees(&dana, &["very own"]).await?;
    ensure!(edited.id == own.id && author(&edited) == CHLOE_AT_TEAMS, "the copy itself is edited");
    // What the app said stays the app's.
    slack.edit(&before, None, "through the *gateway*").await?;
    let edited = sees(&dana, &["gateway"]).await?;
    ensure!(edited.id == through.id && edited.markup.contains("Chloe"), "{}", edited.raw);
    slack.delete(&reply, Some(&said)).await?;
    sees_no(&dana, "again").await?;

    // A person may call the channel; an app cannot.
    slack.post("@channel we sail", None).await?;
    let call = sees(&dana, &["we sail"]).await?;
    let mentioned = &call.raw["mentions"][0]["mentioned"]["conversation"];
    ensure!(mentioned["conversationIdentityType"] == "channel", "{}", call.raw);

    // What she writes there goes to Slack, once, and nothing of the above came back.
    let there = world.teams_person(CHLOE_AT_TEAMS, "Chloe Martin", seed::LAUNCH);
    there.post("typed on Teams", None).await?;
    sees(&ana, &["typed on Teams"]).await?;
    world.settled(SOON).await?;
    ensure!(written(&ana).await? == 4, "something came back: {:#?}", ana.read().await?);

    // She takes her consent back, and nobody tells the gateway.
    world.teams.revoke_consent(seed::APP, CHLOE_AT_TEAMS);
    slack.post("back to the *old* ways", None).await?;
    let after = sees(&dana, &["old", "ways"]).await?;
    ensure!(author(&after).is_null() && after.markup.contains("Chloe"), "{}", after.raw);
    slack.edit(&said, None, "in my *former* name").await?;
    let corrected = sees(&dana, &["former"]).await?;
    ensure!(
        corrected.thread_root.as_deref() == Some(own.id.as_str())
            && corrected.markup.contains("corrected version"),
        "{}",
        corrected.raw
    );
    slack.delete(&said, None).await?;
    let letters = eventually("the deletion is a dead letter", SOON, async || {
        let letters = world.ask(&api::DeadLetterList { org: None, limit: 0 }).await;
        let letters = letters.map_err(|error| format!("{error:#}"))?;
        if letters.is_empty() { Err("none".to_owned()) } else { Ok(letters) }
    })
    .await?;
    ensure!(letters.len() == 1 && letters[0].code == "DRG-OWN-TOKEN", "{letters:?}");
    let trail = world.ask(&api::AuditList { limit: 0 }).await?;
    ensure!(trail.iter().filter(|row| row.act == "person.token-died").count() == 1, "{trail:?}");
    ensure!(world.status().await?.dead_letters == 1, "and nothing else");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reacts_for_herself() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let dana = world.dana(seed::LAUNCH);
    let person =
        link(&world, &[&format!("slack:{CHLOE_AT_SLACK}"), &format!("teams:{CHLOE_AT_TEAMS}")]).await?;
    let granted = grant(&world, &person.id, "teams", at_teams(CHLOE_AT_TEAMS)).await?;
    ensure!(matches!(granted, InstallState::Done(_)), "{granted:?}");
    let said = dana.post("<p>who brings the lamp</p>", None).await?;
    let copy = sees(&world.ana(CHANNEL), &["the lamp"]).await?.id;
    // Whose reactions the message shows, and what stands in its thread.
    let reacted = async |wanted: &[&str], notes: &[&str]| {
        eventually(&format!("Teams shows those of {wanted:?} and {notes:?}"), SOON, async || {
            let all = dana.read().await.map_err(|error| format!("{error:#}"))?;
            let seen = all.iter().find(|seen| seen.id == said).ok_or_else(|| "nothing".to_owned())?;
            let list = seen.raw["reactions"].as_array().cloned().unwrap_or_default();
            let by: Vec<String> = list
                .iter()
                .map(|it| it["user"]["user"]["id"].as_str().unwrap_or("the app").to_owned())
                .collect();
            let thread = all.iter().filter(|seen| seen.thread_root.as_deref() == Some(said.as_str()));
            let thread: Vec<&str> = thread.map(|seen| seen.markup.as_str()).collect();
            let told = thread.len() == notes.len()
                && thread.iter().zip(notes).all(|(shown, name)| shown.contains(name));
            if by == wanted && told { Ok(()) } else { Err(format!("{by:?}, {thread:?}")) }
        })
        .await
    };
    let react = |who: &str, add: bool| {
        let done = if add {
            world.slack.react(who, CHANNEL, &copy, "tada")
        } else {
            world.slack.unreact(who, CHANNEL, &copy, "tada")
        };
        done.map_err(|error| anyhow!(error.code))
    };
    react(CHLOE_AT_SLACK, true)?;
    reacted(&[CHLOE_AT_TEAMS], &[]).await?;
    react(ANA_AT_SLACK, true)?;
    reacted(&[CHLOE_AT_TEAMS, "the app"], &["Ana ("]).await?;
    react(CHLOE_AT_SLACK, false)?;
    reacted(&["the app"], &["Ana ("]).await?;
    react(ANA_AT_SLACK, false)?;
    reacted(&[], &[]).await?;
    // What we did in her name is not hers: the copy on Slack was never marked by the app.
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    let all = world.ana(CHANNEL).read().await?;
    let shown = all.iter().find(|seen| seen.id == copy).context("the copy is there")?;
    ensure!(shown.raw["reactions"].is_null(), "{}", shown.raw);
    world.end().await
}

/// Slack and a Webex whose events come before the answers to the posts that made them, with Ana on both.
async fn webex_world() -> Result<(World, String)> {
    let mut config = Options::webex_config();
    if let Some(org) = config.orgs.first_mut() {
        org.people.push(SeedPerson {
            uuid: ANA_AT_WEBEX.to_owned(),
            display_name: "Ana Souza".to_owned(),
            email: "ana.souza@harbor-works.example".to_owned(),
            ..SeedPerson::default()
        });
    }
    for room in &mut config.rooms {
        room.members.push(ANA_AT_WEBEX.to_owned());
    }
    config.timing.post_answer_delay = Duration::from_millis(400);
    let options = Options { webex: Some(config), bridge: false, ..Options::default() };
    let world = World::start(options).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    world.link(&[format!("slack:{CHANNEL}"), format!("webex:{room}")]).await?;
    let public = world.webex().person_id("Ana Souza").context("there is no Ana")?;
    link(&world, &[&format!("slack:{ANA_AT_SLACK}"), &format!("webex:{public}")]).await?;
    Ok((world, room))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_says_through_us_does_not_come_back_even_after_a_crash() -> Result<()> {
    let (mut world, room) = webex_world().await?;
    let ana = world.ana(CHANNEL);
    let there = world.webex_person(ANA_AT_WEBEX, "Ana Souza", &room);
    let public = world.webex().person_id("Ana Souza").context("there is no Ana")?;
    for (at, sign_in) in [("webex", ANA_AT_WEBEX), ("slack", ANA_AT_SLACK)] {
        let granted = match at {
            "webex" => grant(&world, &format!("slack:{ANA_AT_SLACK}"), at, at_webex(sign_in)).await?,
            _ => grant(&world, &format!("slack:{ANA_AT_SLACK}"), at, at_slack(sign_in)).await?,
        };
        ensure!(matches!(granted, InstallState::Done(_)), "{at}: {granted:?}");
    }

    let said = ana.post("bring the *lantern*", None).await?;
    let copy = sees(&there, &["lantern"]).await?;
    ensure!(copy.author == public && !copy.markup.contains("Ana"), "{}", copy.raw);
    ana.edit(&said, None, "bring the *compass*").await?;
    let edited = sees(&there, &["compass"]).await?;
    ensure!(edited.id == copy.id, "the copy itself is edited");
    let typed = there.post("typed on Webex", None).await?;
    let shown = sees(&ana, &["typed on Webex"]).await?;
    ensure!(shown.raw["user"] == ANA_AT_SLACK && shown.raw["username"].is_null(), "{}", shown.raw);
    there.delete(&typed, None).await?;
    sees_no(&ana, "typed on Webex").await?;
    world.settled(SOON).await?;
    ensure!(written(&ana).await? == 1 && written(&there).await? == 1, "something came back");

    // It dies after the post went out, before anybody wrote down which message that is.
    world.restart(Some("send.unanswered:1")).await?;
    ana.post("mind the *gap*", None).await?;
    ensure!(world.binary.died(SOON).await?, "it outlived its fault");
    world.binary.start(None).await?;
    let copy = sees(&there, &["gap"]).await?;
    ensure!(copy.author == public, "{}", copy.raw);
    ana.post("and *onward*", None).await?;
    sees(&there, &["onward"]).await?;
    world.settled(SOON).await?;
    ensure!(written(&there).await? == 3, "a copy is there twice: {:#?}", there.read().await?);
    ensure!(written(&ana).await? == 3, "it came back: {:#?}", ana.read().await?);

    // Forgotten here, or taken back there: the app speaks again.
    let revoke =
        api::PersonRevoke { person: format!("slack:{ANA_AT_SLACK}"), installation: "slack".to_owned() };
    ensure!(world.ask(&revoke).await?.count == 1, "there was a token");
    world.webex().revoke(ANA_AT_WEBEX, &SeedIntegration::default().client_id);
    ana.post("through the *app*", None).await?;
    let copy = sees(&there, &["through the"]).await?;
    ensure!(copy.author != public && copy.markup.contains("Ana"), "{}", copy.raw);
    there.post("me too", None).await?;
    let shown = sees(&ana, &["me too"]).await?;
    ensure!(shown.raw["user"] != ANA_AT_SLACK, "{}", shown.raw);
    world.end().await
}

/// A guest is called one, and who becomes one from then on: the platform tells, and the directory forgets.
#[tokio::test(flavor = "multi_thread")]
async fn guests_are_shown_as_guests() -> Result<()> {
    let world = World::start(Options::default()).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let chloe = world.teams_person(CHLOE_AT_TEAMS, "Chloe Martin", seed::LAUNCH);
    chloe.post("<p>a visitor at the quay</p>", None).await?;
    let copy = sees(&ana, &["a visitor"]).await?;
    ensure!(copy.raw["username"] == "Chloe Martin (Teams, guest)", "{}", copy.raw["username"]);
    dana.post("<p>at home here</p>", None).await?;
    let copy = sees(&ana, &["at home"]).await?;
    ensure!(copy.raw["username"] == "Dana Lindqvist (Teams)", "{}", copy.raw["username"]);

    ana.post("before *dusk*", None).await?;
    sees(&dana, &["before", "Ana (Slack)"]).await?;
    world.slack.make_guest(ANA_AT_SLACK).map_err(|refusal| anyhow!(refusal.code))?;
    // The change and the message come in deliveries of their own.
    let mut shown = String::new();
    for attempt in 0..20 {
        let words = format!("lantern {attempt}.");
        ana.post(&words, None).await?;
        shown = sees(&dana, &[&words]).await?.markup;
        if shown.contains("Ana (Slack, guest)") {
            return world.end().await;
        }
    }
    bail!("she is no guest: {shown}")
}

/// What apps write is told from what people write, wherever it is read.
#[tokio::test(flavor = "multi_thread")]
async fn apps_are_shown_as_apps() -> Result<()> {
    let world = World::start(Options::four()).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    let members = [
        format!("slack:{CHANNEL}"),
        format!("teams:{}", seed::LAUNCH),
        format!("webex:{room}"),
        format!("zoom:{}", zoom::LAUNCH),
    ];
    world.link(&members).await?;
    let policy = api::OrgPolicy { org: None, policy: "relay_bots".to_owned(), value: "yes".to_owned() };
    world.ask(&policy).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let gita = world.webex_person(webex::GITA, "Gita Rao", &room);
    let theo = world.zoom_person(zoom::THEO, "Theo Lindqvist", zoom::LAUNCH);
    let posted = world.slack.post_as_integration(CHANNEL, "Deploy", "the quay is open");
    posted.map_err(|refusal| anyhow!(refusal.code))?;
    for side in [&dana as &dyn Side, &gita, &theo] {
        let copy = sees(side, &["the quay is open"]).await?;
        ensure!(copy.markup.contains("Deploy (Slack, app)"), "{}: {}", side.platform(), copy.raw);
    }
    world.webex().add_member(webex::GITA, &room, webex::BOT).map_err(|it| anyhow!(it.message))?;
    world.webex().post(webex::BOT, &room, "the tide is low").map_err(|it| anyhow!(it.message))?;
    let copy = sees(&ana, &["the tide is low"]).await?;
    ensure!(copy.raw["username"] == "Dragoman (Webex, app)", "{}", copy.raw["username"]);
    // A person's is theirs alone.
    ana.post("who opened it?", None).await?;
    let copy = sees(&dana, &["who opened it"]).await?;
    ensure!(copy.markup.contains("Ana (Slack)"), "{}", copy.markup);
    world.end().await
}
