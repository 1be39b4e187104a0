//! People in their own chats with the app, on all platforms.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::{Place, seed};
use dragoman_sim::webex::seed as webex;
use dragoman_sim::zoom::config as zoom;
use e2e::{Options, Seen, Side, World, eventually};

pub(super) const ANA: &str = "U07ANASOUZA";
pub(super) const BEN: &str = "U07BENOKAFOR";
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Somebody in their own chat with the app, and their address.
pub(super) struct Person {
    pub(super) side: Box<dyn Side>,
    pub(super) email: &'static str,
    pub(super) first: &'static str,
}

impl Person {
    pub(super) async fn says(&self, text: &str) -> Result<String> {
        self.side.post(text, None).await
    }

    pub(super) async fn sees(&self, words: &[&str]) -> Result<Seen> {
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

    /// Asks others for a conversation; each of them is told who asks, with the first words.
    pub(super) async fn asks(&self, others: &[&Self], words: &str) -> Result<()> {
        let addresses: Vec<&str> = others.iter().map(|other| other.email).collect();
        self.says(format!("dm {} {words}", addresses.join(" ")).trim_end()).await?;
        for other in others {
            let asked = other.sees(&["wants to write with you", words]).await?;
            ensure!(asked.markup.contains(self.first), "nobody says who asks: {}", asked.markup);
        }
        Ok(())
    }

    /// The same; then they accept one after the other, and everybody is told.
    pub(super) async fn begins(&self, others: &[&Self], words: &str) -> Result<()> {
        self.asks(others, words).await?;
        for (before, other) in others.iter().enumerate() {
            other.says("accept").await?;
            other.sees(&["You are writing with", self.first]).await?;
            let told = if before == 0 { "You are writing with" } else { "is in this conversation now" };
            self.sees(&[told, other.first]).await?;
        }
        Ok(())
    }

    pub(super) async fn sees_no(&self, word: &str) -> Result<()> {
        eventually(&format!("{} sees {word} no more", self.first), SOON, async || {
            let all = self.side.read().await.map_err(|error| format!("{error:#}"))?;
            if all.iter().any(|seen| seen.markup.contains(word)) { Err(String::new()) } else { Ok(()) }
        })
        .await
    }

    pub(super) async fn all(&self) -> Result<Vec<String>> {
        Ok(self.side.read().await?.into_iter().map(|seen| seen.markup).collect())
    }

    pub(super) async fn count(&self, word: &str) -> Result<usize> {
        Ok(self.side.read().await?.iter().filter(|seen| seen.markup.contains(word)).count())
    }
}

/// Four platforms on which people may write to the app.
pub(super) async fn world() -> Result<World> {
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

/// The id of somebody's chat with the app on Slack.
pub(super) fn chat_on_slack(world: &World, user: &str) -> Result<String> {
    let bot = world.slack.bot(&SeedApp::default().app_id, "T07HARBOR").context("no bot")?;
    world.slack.open_direct(&[user, &bot.user_id]).map_err(|error| anyhow!("{error:?}"))
}

fn on_slack(
    world: &World,
    user: &str,
    handle: &str,
    name: &'static str,
    email: &'static str,
) -> Result<Person> {
    let chat = chat_on_slack(world, user)?;
    let first = name.split(' ').next().unwrap_or(name);
    Ok(Person { side: Box::new(world.slack_person(handle, name, &chat)), email, first })
}

pub(super) fn ana(world: &World) -> Result<Person> {
    on_slack(world, ANA, "ana.souza", "Ana Souza", "ana.souza@harbor-works.example")
}

pub(super) fn ben(world: &World) -> Result<Person> {
    on_slack(world, BEN, "ben.okafor", "Ben Okafor", "ben.okafor@harbor-works.example")
}

pub(super) fn dana(world: &World) -> Person {
    let side = world.teams_chat(seed::DANA, "Dana Lindqvist");
    Person { side: Box::new(side), email: "dana@fabrikant.example", first: "Dana" }
}

pub(super) fn emre(world: &World) -> Person {
    let side = world.teams_chat(seed::EMRE, "Emre Kaya");
    Person { side: Box::new(side), email: "emre@fabrikant.example", first: "Emre" }
}

pub(super) fn gita(world: &World) -> Result<Person> {
    let sim = world.webex();
    let room = sim.direct(webex::GITA, webex::SERVICE).map_err(|error| anyhow!("{}", error.message))?;
    let side = world.webex_person(webex::GITA, "Gita Rao", &room);
    Ok(Person { side: Box::new(side), email: "gita.rao@larkfield.example", first: "Gita" })
}

pub(super) fn imani(world: &World) -> Result<Person> {
    let sim = world.zoom();
    let room = sim.open_direct(zoom::IMANI, zoom::BRIDGE).map_err(|error| anyhow!("{}", error.message))?;
    let side = world.zoom_person(zoom::IMANI, "Imani Okoye", &room);
    Ok(Person { side: Box::new(side), email: "imani.okoye@kestrel-outfitters.example", first: "Imani" })
}

/// Whether somebody's copy of what another one wrote begins with a word: their name and platform stand before it, or
/// are its author.
pub(super) fn is_copy_of(seen: &Seen, word: &str) -> bool {
    let mut text = String::new();
    let mut tag = false;
    for sign in seen.markup.chars() {
        match sign {
            '<' => tag = true,
            '>' => tag = false,
            '*' | '\n' | ' ' => {}
            sign if !tag => text.push(sign),
            _ => {}
        }
    }
    let word: String = word.split_whitespace().collect();
    let labelled = text.contains(&format!("):{word}")) || text.contains(&format!("){word}"));
    labelled || seen.author.ends_with(')') && text.starts_with(&word)
}
