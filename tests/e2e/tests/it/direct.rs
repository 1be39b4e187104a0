//! People who ask the app for a conversation with somebody on another platform.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::{Place, seed};
use dragoman_sim::webex::seed as webex;
use dragoman_sim::zoom::config as zoom;
use e2e::{Options, Seen, Side, World, eventually};

const ANA: &str = "U07ANASOUZA";
const BEN: &str = "U07BENOKAFOR";
const SOON: Duration = Duration::from_secs(20);

/// Somebody in their own chat with the app, and their address.
struct Person {
    side: Box<dyn Side>,
    email: &'static str,
    first: &'static str,
}

impl Person {
    async fn says(&self, text: &str) -> Result<String> {
        self.side.post(text, None).await
    }

    async fn sees(&self, words: &[&str]) -> Result<Seen> {
        eventually(&format!("{} sees {words:?}", self.first), SOON, async || {
            let all = self.side.read().await.map_err(|error| format!("{error:#}"))?;
            let shown: Vec<&str> = all.iter().map(|seen| seen.markup.as_str()).collect();
            let shown = format!("{shown:?}");
            let mut found: Vec<Seen> = all
                .into_iter()
                .filter(|seen| {
                    words.iter().all(|word| seen.markup.contains(word) || seen.author.contains(word))
                })
                .collect();
            let count = found.len();
            found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages in {shown}"))
        })
        .await
    }

    async fn sees_no(&self, word: &str) -> Result<()> {
        eventually(&format!("{} sees {word} no more", self.first), SOON, async || {
            let all = self.side.read().await.map_err(|error| format!("{error:#}"))?;
            if all.iter().any(|seen| seen.markup.contains(word)) { Err(String::new()) } else { Ok(()) }
        })
        .await
    }

    async fn all(&self) -> Result<Vec<String>> {
        Ok(self.side.read().await?.into_iter().map(|seen| seen.markup).collect())
    }

    async fn count(&self, word: &str) -> Result<usize> {
        Ok(self.side.read().await?.iter().filter(|seen| seen.markup.contains(word)).count())
    }
}

/// Four platforms on which people may write to the app.
async fn world() -> Result<World> {
    let world = World::start(Options { direct: true, ..Options::four() }).await?;
    for person in [seed::DANA, seed::EMRE] {
        ensure!(
            world.teams.install(seed::APP, &Place::Person(person.to_owned()), person),
            "the app could not be added for a person"
        );
    }
    // Whom the app may find on Teams it knows from the conversations that it is in.
    world.link(&["slack:C07LAUNCH".to_owned(), format!("teams:{}", seed::LAUNCH)]).await?;
    Ok(world)
}

fn on_slack(
    world: &World,
    user: &str,
    handle: &str,
    name: &'static str,
    email: &'static str,
) -> Result<Person> {
    let bot = world.slack.bot(&SeedApp::default().app_id, "T07HARBOR").context("no bot")?;
    let chat = world.slack.open_direct(&[user, &bot.user_id]).map_err(|error| anyhow!("{error:?}"))?;
    let first = name.split(' ').next().unwrap_or(name);
    Ok(Person { side: Box::new(world.slack_person(handle, name, &chat)), email, first })
}

fn ana(world: &World) -> Result<Person> {
    on_slack(world, ANA, "ana.souza", "Ana Souza", "ana.souza@harbor-works.example")
}

fn ben(world: &World) -> Result<Person> {
    on_slack(world, BEN, "ben.okafor", "Ben Okafor", "ben.okafor@harbor-works.example")
}

fn dana(world: &World) -> Person {
    let side = world.teams_chat(seed::DANA, "Dana Lindqvist");
    Person { side: Box::new(side), email: "dana@fabrikant.example", first: "Dana" }
}

fn emre(world: &World) -> Person {
    let side = world.teams_chat(seed::EMRE, "Emre Kaya");
    Person { side: Box::new(side), email: "emre@fabrikant.example", first: "Emre" }
}

fn gita(world: &World) -> Result<Person> {
    let sim = world.webex();
    let room = sim.direct(webex::GITA, webex::SERVICE).map_err(|error| anyhow!("{}", error.message))?;
    let side = world.webex_person(webex::GITA, "Gita Rao", &room);
    Ok(Person { side: Box::new(side), email: "gita.rao@larkfield.example", first: "Gita" })
}

fn imani(world: &World) -> Result<Person> {
    let sim = world.zoom();
    let room = sim.open_direct(zoom::IMANI, zoom::BRIDGE).map_err(|error| anyhow!("{}", error.message))?;
    let side = world.zoom_person(zoom::IMANI, "Imani Okoye", &room);
    Ok(Person { side: Box::new(side), email: "imani.okoye@kestrel-outfitters.example", first: "Imani" })
}

/// One asks, the other accepts, both write, edit and delete, and one ends it.
async fn converse(world: &World, one: &Person, other: &Person, mark: &str) -> Result<()> {
    let mine = |word: &str| format!("{word}{mark}");
    one.says(&format!("dm {} {}", other.email, mine("salut"))).await?;
    let asked = other.sees(&[&mine("salut"), "wants to write with you"]).await?;
    ensure!(asked.markup.contains(one.first), "nobody says who asks: {}", asked.markup);
    one.sees(&[other.first, "was asked"]).await?;
    let open = world.ask(&api::BridgeList { ended: false }).await?.len();
    ensure!(open == 1, "something is open before the other says yes");

    other.says("accept").await?;
    other.sees(&["You are writing with", one.first]).await?;
    one.sees(&["You are writing with", other.first]).await?;

    let said = one.says(&mine("eins")).await?;
    other.sees(&[&mine("eins"), one.first]).await?;
    other.says(&mine("zwei")).await?;
    one.sees(&[&mine("zwei"), other.first]).await?;
    one.side.edit(&said, None, &mine("drei")).await?;
    other.sees(&[&mine("drei")]).await?;
    one.side.delete(&said, None).await?;
    other.sees_no(&mine("drei")).await?;

    let before = other.count("dm list").await?;
    one.says("dm list").await?;
    one.sees(&[other.email, ": open"]).await?;
    ensure!(other.count("dm list").await? == before, "a command was relayed");

    one.says("dm close").await?;
    other.sees(&[one.first, "ended this conversation"]).await?;
    one.sees(&[other.first, "has ended"]).await?;
    other.says(&mine("late")).await?;
    world.settled(SOON).await?;
    ensure!(one.count(&mine("late")).await? == 0, "it was relayed after the end");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_all_platforms_ask_for_conversations_and_have_them() -> Result<()> {
    let world = world().await?;
    let (ana, dana, gita, imani) = (ana(&world)?, dana(&world), gita(&world)?, imani(&world)?);
    for (mark, one, other) in
        [("sT", &ana, &dana), ("tW", &dana, &gita), ("wZ", &gita, &imani), ("zS", &imani, &ana)]
    {
        if let Err(error) = converse(&world, one, other, mark).await {
            let (here, there) = (one.all().await?, other.all().await?);
            bail!("{} → {}: {error:#}; {here:?}; {there:?}", one.first, other.first);
        }
    }
    world.end().await
}

async fn policy(world: &World, policy: &str, value: &str) -> Result<()> {
    let (policy, value) = (policy.to_owned(), value.to_owned());
    world.ask(&api::OrgPolicy { org: None, policy, value }).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_reached_who_does_not_want_it_or_may_not_be() -> Result<()> {
    let world = world().await?;
    let (ana, ben, dana, emre) = (ana(&world)?, ben(&world)?, dana(&world), emre(&world));

    ana.says("hello, anybody?").await?;
    ana.sees(&["Here you can write with people on other platforms"]).await?;
    ana.says("dm nobody@harbor-works.example hi").await?;
    ana.sees(&["Nobody with this address"]).await?;
    ana.says(&format!("dm {}", ben.email)).await?;
    ana.sees(&["They are on Slack as you are"]).await?;
    ana.says(&format!("dm {}", ana.email)).await?;
    ana.sees(&["your own address"]).await?;
    // Teams lets a bot write to nobody for whom the app was not added.
    ana.says("dm farah@fabrikant.example").await?;
    ana.sees(&["have not added this app on Teams", "DRG-NOT-JOINED"]).await?;

    ana.says(&format!("dm {} first", dana.email)).await?;
    dana.sees(&["wants to write with you", "first"]).await?;
    dana.says("block").await?;
    dana.sees(&["You hear no more of", "Ana"]).await?;
    ana.says(&format!("dm {} second", dana.email)).await?;
    eventually("Ana is answered as before", SOON, async || {
        let answers = ana.count("was asked").await.map_err(|error| format!("{error:#}"))?;
        if answers == 2 { Ok(()) } else { Err(format!("{answers} answers")) }
    })
    .await?;
    world.settled(SOON).await?;
    ensure!(dana.count("second").await? == 0, "who is blocked is heard");
    ensure!(world.ask(&api::BridgeList { ended: true }).await?.len() == 1, "something was opened");
    dana.says("unblock 1").await?;
    dana.sees(&["They may ask you again"]).await?;
    ana.says(&format!("dm {} third", dana.email)).await?;
    dana.sees(&["wants to write with you", "third"]).await?;

    policy(&world, "direct_domains", "harbor-works.example").await?;
    emre.says("dm help").await?;
    emre.sees(&["does not allow direct conversations for you"]).await?;
    let before = ana.count("Nobody with this address").await?;
    ana.says(&format!("dm {}", emre.email)).await?;
    eventually("Ana is told nothing of Emre", SOON, async || {
        let answers = ana.count("Nobody with this address").await.map_err(|error| format!("{error:#}"))?;
        if answers == before + 1 { Ok(()) } else { Err(format!("{answers} answers")) }
    })
    .await?;
    ensure!(policy(&world, "direct_domains", "no domain").await.is_err(), "that is no domain");

    policy(&world, "direct_domains", "any").await?;
    policy(&world, "direct_messages", "off").await?;
    let dropped = ben.says("dm list").await?;
    // What comes later in the same chat is answered, so that what came before was heard by then.
    world.settled(SOON).await?;
    policy(&world, "direct_messages", "known").await?;
    ben.says("dm list").await?;
    ben.sees(&["There is nobody yet"]).await?;
    ensure!(!dropped.is_empty() && ben.count("There is nobody yet").await? == 1, "it was off");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_chat_holds_one_conversation_at_a_time_and_commands_are_not_done_twice() -> Result<()> {
    let mut world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    ana.says(&format!("dm {}", dana.email)).await?;
    dana.sees(&["wants to write with you"]).await?;
    dana.says("accept").await?;
    ana.sees(&["You are writing with", "Dana"]).await?;

    // Gita is asked while Ana writes with Dana, and says yes.
    ana.says(&format!("dm {} psst", gita.email)).await?;
    gita.sees(&["wants to write with you", "psst"]).await?;
    ensure!(dana.count("psst").await? == 0, "Dana reads what is for Gita");
    gita.says("accept").await?;
    gita.sees(&["Ana", "is in another conversation"]).await?;
    ana.sees(&["Gita", "wants to write with you"]).await?;
    ana.says("still to Dana").await?;
    dana.sees(&["still to Dana", "Ana"]).await?;

    ana.says("dm 2").await?;
    dana.sees(&["Ana", "went to another conversation"]).await?;
    gita.sees(&["You are writing with", "Ana"]).await?;
    ana.says("now to Gita").await?;
    gita.sees(&["now to Gita", "Ana"]).await?;
    dana.says("are you there?").await?;
    ana.says("dm list").await?;
    ana.sees(&["dana@fabrikant.example", "dm 1 opens it"]).await?;

    world.settled(SOON).await?;
    world.restart(None).await?;
    ana.says("after the restart").await?;
    gita.sees(&["after the restart", "Ana"]).await?;
    gita.says("welcome back").await?;
    ana.sees(&["welcome back", "Gita"]).await?;
    world.settled(SOON).await?;
    ensure!(ana.count("dm 1 opens it").await? == 1, "a command was done twice");
    ensure!(dana.count("now to Gita").await? == 0, "Dana reads what is for Gita");
    ensure!(ana.count("are you there?").await? == 0, "Dana was told that it is over");
    world.end().await
}
