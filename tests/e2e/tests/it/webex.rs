//! Slack and Webex with the real gateway between them: under the default answers of the simulator, and under the
//! other ones to what Webex's documentation leaves open.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use dragoman_gateway::admin::api;
use dragoman_sim::core::World as SimWorld;
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::webex::seed::{BOT, BOT_TOKEN, GITA, HENRIK, LAUNCH, ORG, SERVICE};
use dragoman_sim::webex::{
    EditNotice, NewSignature, Post, SeedIntegration, SeedPerson, WebexDoubts, WebexSim, WebexSimConfig,
};
use e2e::{Options, Seen, Side, SlackSide, World, eventually};
use serde_json::Value;

const CHANNEL: &str = "C07LAUNCH";
/// Ana Souza has an account on both platforms.
const ANA_AT_WEBEX: &str = "7254b0d6-91ea-4385-8a7c-461dfa28390a";
const ANA_AT_SLACK: &str = "U07ANASOUZA";
/// Long enough for a busy machine; shorter than what edits are looked for.
const SOON: Duration = Duration::from_secs(20);
/// Edits of which nobody tells have to show within this time.
const LOOKED_FOR: Duration = Duration::from_secs(20);

/// A person in a Webex space. What they do goes through the simulated client.
struct WebexSide {
    sim: WebexSim,
    account: &'static str,
    name: &'static str,
    room: String,
}

fn done<T>(result: Result<T, dragoman_sim::webex::ApiError>) -> Result<T> {
    result.map_err(|error| anyhow::anyhow!("Webex refused: {}", error.message))
}

#[async_trait]
impl Side for WebexSide {
    fn platform(&self) -> &'static str {
        "webex"
    }

    fn person(&self) -> &str {
        self.name
    }

    async fn post(&self, markup: &str, thread: Option<&str>) -> Result<String> {
        done(match thread {
            Some(root) => self.sim.reply(self.account, root, markup),
            None => self.sim.post(self.account, &self.room, markup),
        })
    }

    async fn edit(&self, id: &str, _thread: Option<&str>, markup: &str) -> Result<()> {
        done(self.sim.edit(self.account, id, markup))
    }

    async fn delete(&self, id: &str, _thread: Option<&str>) -> Result<()> {
        done(self.sim.delete(self.account, id))
    }

    async fn read(&self) -> Result<Vec<Seen>> {
        let seen = |raw: Value| {
            let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
            let markup = if text("html").is_empty() { text("text") } else { text("html") };
            let thread_root = raw["parentId"].as_str().map(str::to_owned);
            Seen { id: text("id"), thread_root, markup, author: text("personId"), raw }
        };
        Ok(self.sim.messages(&self.room).into_iter().map(seen).collect())
    }
}

/// Slack, Webex and the gateway; `launch` and "Launch" are linked.
struct Stage {
    world: World,
    webex: WebexSim,
    sim: Arc<SimWorld>,
    room: String,
}

impl Stage {
    async fn start(change: impl FnOnce(&mut WebexSimConfig)) -> Result<Self> {
        Self::start_with(&[], change).await
    }

    async fn start_with(features: &[&str], change: impl FnOnce(&mut WebexSimConfig)) -> Result<Self> {
        let mut stage = Self::bare(change).await?;
        let seed = SeedIntegration::default();
        let values = [("client_id", seed.client_id.as_str()), ("client_secret", &seed.client_secret)];
        stage.register(&values, features).await?;
        stage.world.install("webex").await?;
        stage.link().await?;
        Ok(stage)
    }

    /// The same with a bot instead of an account of its own.
    async fn with_bot(change: impl FnOnce(&mut WebexSimConfig)) -> Result<Self> {
        let mut stage = Self::bare(change).await?;
        stage.register(&[("account", "bot")], &[]).await?;
        let token = api::SecretText(BOT_TOKEN.to_owned());
        stage.world.ask(&api::InstallToken { app: "webex".to_owned(), token }).await?;
        stage.link().await?;
        Ok(stage)
    }

    async fn bare(change: impl FnOnce(&mut WebexSimConfig)) -> Result<Self> {
        let sim = SimWorld::real(2);
        let mut config = WebexSimConfig { auto_approve: true, ..WebexSimConfig::default() };
        config.limits.enabled = false;
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
        change(&mut config);
        let webex = WebexSim::start(&sim, config).await?;
        let base = format!("{}/v1/", webex.base_url());
        let mut settings = toml::Table::new();
        for (key, tail) in [("api_base", ""), ("authorize_url", "authorize"), ("token_url", "access_token")] {
            settings.insert(key.to_owned(), format!("{base}{tail}").into());
        }
        let mut options = Options { bridge: false, ..Options::default() };
        options.config.insert("webex".to_owned(), settings.into());
        let world = World::start(options).await?;
        let room = webex.room_id("Launch").context("there is no space Launch")?;
        Ok(Self { world, webex, sim, room })
    }

    async fn register(&self, values: &[(&str, &str)], features: &[&str]) -> Result<()> {
        let secret = |text: &str| api::SecretText(text.to_owned());
        let add = api::AppAdd {
            org: None,
            platform: "webex".to_owned(),
            values: values.iter().map(|(key, value)| ((*key).to_owned(), secret(value))).collect(),
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        };
        let app = self.world.ask(&add).await?;
        ensure!(app.missing.is_empty(), "the app lacks {}", app.missing.join(", "));
        Ok(())
    }

    async fn link(&mut self) -> Result<()> {
        // Mentions are matched by address.
        let features = ["private-channels", "reactions", "files", "email"].map(str::to_owned);
        let set = api::AppSet { app: "slack".to_owned(), values: [].into(), features: Some(features.into()) };
        self.world.ask(&set).await?;
        self.world.install("slack").await?;
        let members = [format!("slack:{CHANNEL}"), format!("webex:{}", self.room)];
        self.world.bridge = Some(self.world.link(&members).await?);
        eventually("a webhook", SOON, async || {
            let hooks = self.webex.webhooks();
            if hooks.len() == 1 && hooks[0]["status"] == "active" {
                return Ok(());
            }
            Err(format!("{} webhooks", hooks.len()))
        })
        .await
    }

    fn ana(&self) -> SlackSide {
        self.world.ana(CHANNEL)
    }

    fn ben(&self) -> SlackSide {
        self.world.ben(CHANNEL)
    }

    fn webex_person(&self, account: &'static str, name: &'static str) -> WebexSide {
        WebexSide { sim: self.webex.clone(), account, name, room: self.room.clone() }
    }

    fn gita(&self) -> WebexSide {
        self.webex_person(GITA, "Gita Rao")
    }

    fn henrik(&self) -> WebexSide {
        self.webex_person(HENRIK, "Henrik Dahl")
    }

    async fn end(self) -> Result<()> {
        self.world.end().await?;
        self.webex.shutdown().await;
        self.sim.tasks.shutdown().await;
        Ok(())
    }
}

/// The one message that says all of this.
async fn sees(side: &dyn Side, words: &[&str], within: Duration) -> Result<Seen> {
    let what = format!("{} shows {words:?}", side.platform());
    eventually(&what, within, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let mut found: Vec<Seen> =
            all.into_iter().filter(|seen| words.iter().all(|word| seen.markup.contains(word))).collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages"))
    })
    .await
}

/// Nothing says this any more.
async fn sees_no(side: &dyn Side, word: &str, within: Duration) -> Result<()> {
    eventually(&format!("{} shows {word} no more", side.platform()), within, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        if all.iter().any(|seen| seen.markup.contains(word)) { Err(String::new()) } else { Ok(()) }
    })
    .await
}

/// Messages, threads, edits and deletions, there and back.
async fn talk(stage: &Stage) -> Result<()> {
    let (ana, ben, gita, henrik) = (stage.ana(), stage.ben(), stage.gita(), stage.henrik());

    let asked = ana.post("who brings the *lantern*?", None).await?;
    let copy = sees(&gita, &["lantern"], SOON).await?;
    let service = stage.webex.person_id("Dragoman Bridge").context("no service account")?;
    ensure!(copy.author == service, "copies are of the service account");
    ensure!(copy.markup.contains("Ana (Slack):</strong>"), "the author is named: {}", copy.markup);
    ensure!(copy.markup.contains("<strong>lantern</strong>"), "{}", copy.markup);

    let told = henrik.post("I bring **two**", Some(&copy.id)).await?;
    let answer = sees(&ana, &["*two*"], SOON).await?;
    ensure!(answer.thread_root.as_deref() == Some(asked.as_str()), "the reply is in Ana's thread");
    ensure!(answer.author.contains("Henrik Dahl"), "{}", answer.author);
    let thanks = ben.post("thank you kindly", Some(&asked)).await?;
    let thanked = sees(&gita, &["thank you kindly"], SOON).await?;
    ensure!(thanked.thread_root.as_deref() == Some(copy.id.as_str()), "Ben's reply is in the same thread");

    let opened = gita.post("the harbour opens at six", None).await?;
    let notice = sees(&ana, &["opens at six"], SOON).await?;
    let doubt = ben.post("rather at seven", Some(&notice.id)).await?;
    let doubted = sees(&gita, &["rather at seven"], SOON).await?;
    ensure!(doubted.thread_root.as_deref() == Some(opened.as_str()), "the thread of Gita's message");

    ana.edit(&asked, None, "who brings the *compass*?").await?;
    let edited = sees(&gita, &["compass"], SOON).await?;
    ensure!(edited.id == copy.id, "the copy itself is edited");
    gita.edit(&opened, None, "the harbour opens at eight").await?;
    let edited = sees(&ana, &["opens at eight"], LOOKED_FOR).await?;
    ensure!(edited.id == notice.id, "the copy itself is edited");
    henrik.edit(&told, Some(&copy.id), "I bring **three**").await?;
    let edited = sees(&ana, &["*three*"], LOOKED_FOR).await?;
    ensure!(edited.id == answer.id, "a reply is edited");

    ben.delete(&thanks, Some(&asked)).await?;
    sees_no(&gita, "thank you kindly", SOON).await?;
    ben.delete(&doubt, Some(&notice.id)).await?;
    sees_no(&gita, "rather at seven", SOON).await?;
    gita.delete(&opened, None).await?;
    sees_no(&ana, "the harbour opens", SOON).await?;

    let status = stage.world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    let slack: Vec<Seen> =
        ana.read().await?.into_iter().filter(|seen| seen.raw["subtype"] != "channel_join").collect();
    let webex = gita.read().await?;
    ensure!(slack.len() == webex.len(), "something came back as an echo: {slack:#?} and {webex:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_on_slack_and_webex_talk() -> Result<()> {
    let stage = Stage::start(|_| {}).await?;
    talk(&stage).await?;
    stage.end().await
}

/// The same under every other answer to what the documentation leaves open.
#[tokio::test(flavor = "multi_thread")]
async fn they_talk_whatever_the_documentation_means() -> Result<()> {
    let stage = Stage::start(|config| {
        config.doubts = WebexDoubts {
            edit_notice: EditNotice::Updated,
            new_signature: NewSignature::Unknown,
            first_get_missing: true,
            deleted_with_created: true,
            room_events_with_title: true,
            bad_parent_not_found: true,
            refresh_rotates: true,
            refresh_ends_access: true,
            put_drops_secret: false,
            equal_webhooks_conflict: true,
            memberships_in_us: true,
            mentions_by_uuid: true,
            newline_breaks: false,
            strikethrough: true,
            empty_first_page: true,
            large_max_refused: true,
            ..WebexDoubts::default()
        };
        // Each event comes before the answer to the post that made it.
        config.timing.post_answer_delay = Duration::from_millis(300);
        config.timing.access_life = Duration::from_secs(4);
    })
    .await?;
    talk(&stage).await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_may_be_told_as_a_second_creation_and_the_old_signature_may_go() -> Result<()> {
    let stage = Stage::start(|config| {
        config.doubts = WebexDoubts {
            edit_notice: EditNotice::SecondCreated,
            new_signature: NewSignature::Bare,
            old_signature: false,
            ..WebexDoubts::default()
        };
    })
    .await?;
    talk(&stage).await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn mentions_reach_who_is_meant_and_nobody_else() -> Result<()> {
    let stage = Stage::start(|_| {}).await?;
    let (ana, ben, gita) = (stage.ana(), stage.ben(), stage.gita());
    gita.post("@Ana Souza would you look at the buoy?", None).await?;
    let copy = sees(&ana, &["the buoy"], SOON).await?;
    ensure!(copy.markup.contains(ANA_AT_SLACK), "Ana is mentioned at Slack: {}", copy.markup);

    ben.post("@Ana Souza the anchor, please", None).await?;
    let copy = sees(&gita, &["the anchor"], SOON).await?;
    let mentioned = copy.raw["mentionedPeople"].to_string();
    let ana_there = stage.webex.person_id("Ana Souza").context("Ana has no account")?;
    ensure!(mentioned.contains(&ana_there), "Ana is mentioned at Webex: {}", copy.raw);

    // Typed as text and in code.
    ben.post("<@all> <@personEmail:gita.rao@larkfield.example> typed text", None).await?;
    ben.post("`<@all>` in code, ```\n<@all>\n``` too", None).await?;
    for word in ["typed text", "in code"] {
        let copy = sees(&gita, &[word], SOON).await?;
        ensure!(copy.raw["mentionedGroups"].is_null(), "{word}: {}", copy.raw);
        ensure!(copy.raw["mentionedPeople"].is_null(), "{word}: {}", copy.raw);
    }
    // Meant as a mention of everybody.
    ben.post("@channel everybody up", None).await?;
    let copy = sees(&gita, &["everybody up"], SOON).await?;
    ensure!(copy.raw["mentionedGroups"][0] == "all", "{}", copy.raw);
    gita.post("@All hands on deck", None).await?;
    let copy = sees(&ana, &["hands on deck"], SOON).await?;
    ensure!(copy.markup.contains("broadcast") || copy.markup.contains("<!"), "{}", copy.markup);
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_eleventh_edit_shows_in_the_thread() -> Result<()> {
    let stage = Stage::start(|_| {}).await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    let draft = ana.post("draft 0", None).await?;
    let copy = sees(&gita, &["draft 0"], SOON).await?;
    for round in 1..=10 {
        ana.edit(&draft, None, &format!("draft {round}")).await?;
        let edited = sees(&gita, &[&format!("draft {round}")], SOON).await?;
        ensure!(edited.id == copy.id, "edit {round} is one");
    }
    ana.edit(&draft, None, "final wording").await?;
    let correction = sees(&gita, &["final wording"], SOON).await?;
    ensure!(correction.thread_root.as_deref() == Some(copy.id.as_str()), "a correction in the thread");
    stage.world.settled(SOON).await?;
    stage.end().await
}

/// Deliveries twice, swapped, and answers that get lost.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_things_go_wrong() -> Result<()> {
    let stage = Stage::start(|_| {}).await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    let faults = stage.webex.faults();
    faults.add(FaultOrder::next(3, "messages.created", FaultKind::Duplicate));
    for round in 0..6 {
        gita.post(&format!("from the quay {round}"), None).await?;
    }
    for round in 0..6 {
        sees(&ana, &[&format!("from the quay {round}")], SOON).await?;
    }
    faults.clear();
    faults.add(FaultOrder::next(2, "POST /messages", FaultKind::ResetAfter));
    for round in 0..4 {
        ana.post(&format!("to the quay {round}"), None).await?;
    }
    for round in 0..4 {
        sees(&gita, &[&format!("to the quay {round}")], SOON).await?;
    }
    stage.world.settled(SOON).await?;
    let texts: Vec<String> = gita.read().await?.into_iter().map(|seen| seen.markup).collect();
    let own: Vec<&String> = texts.iter().filter(|text| text.contains("to the quay")).collect();
    ensure!(own.len() == 4 && own.is_sorted_by_key(|text| text[text.len() - 5..].to_owned()), "{own:?}");
    stage.end().await
}

/// What was said while no webhook was active is read when the gateway comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_webhook_costs_nothing_but_time() -> Result<()> {
    let mut stage = Stage::start(|_| {}).await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    gita.post("before the storm", None).await?;
    sees(&ana, &["before the storm"], SOON).await?;
    let hooks = stage.webex.webhooks();
    stage.webex.set_webhook_active(hooks[0]["id"].as_str().unwrap_or_default(), false);
    gita.post("nobody hears this", None).await?;
    stage.world.restart(None).await?;
    sees(&ana, &["nobody hears this"], SOON).await?;
    stage.end().await
}

/// A compliance officer's events tell of edits however old the message is.
#[tokio::test(flavor = "multi_thread")]
async fn edits_of_old_messages_come_from_the_events_of_the_organisation() -> Result<()> {
    let stage = Stage::start_with(&["compliance-events"], |config| {
        for integration in &mut config.integrations {
            integration.scopes.push("spark-compliance:events_read".to_owned());
        }
        for person in config.orgs.iter_mut().flat_map(|org| &mut org.people) {
            person.compliance_officer |= person.service_account;
        }
    })
    .await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    let old = gita.post("the oldest word", None).await?;
    let copy = sees(&ana, &["the oldest word"], SOON).await?;
    // More than one look at the newest messages covers.
    for round in 0..55 {
        gita.post(&format!("filling {round}."), None).await?;
    }
    sees(&ana, &["filling 54."], Duration::from_mins(1)).await?;
    gita.edit(&old, None, "the oldest word, mended").await?;
    let edited = sees(&ana, &["mended"], LOOKED_FOR).await?;
    ensure!(edited.id == copy.id, "the copy itself is edited");
    stage.end().await
}

/// A bot hears only what mentions it, and says so nowhere else than in what is relayed.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_relays_what_mentions_it() -> Result<()> {
    let stage = Stage::with_bot(|config| {
        for room in &mut config.rooms {
            room.members.push(BOT.to_owned());
        }
    })
    .await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    gita.post("this is nobody else's business", None).await?;
    let asked = gita.post("@Dragoman is the **tide** in?", None).await?;
    let copy = sees(&ana, &["*tide*"], SOON).await?;
    ensure!(!copy.markup.contains("Dragoman"), "its name is no part of it: {}", copy.markup);
    ana.post("it is out", Some(&copy.id)).await?;
    let answer = sees(&gita, &["it is out"], SOON).await?;
    ensure!(answer.thread_root.as_deref() == Some(asked.as_str()), "in the thread");
    gita.edit(&asked, None, "@Dragoman is the **ebb** near?").await?;
    let edited = sees(&ana, &["*ebb*"], LOOKED_FOR).await?;
    ensure!(edited.id == copy.id, "the copy itself is edited");
    gita.delete(&asked, None).await?;
    sees_no(&ana, "*ebb*", SOON).await?;
    let texts = ana.read().await?;
    ensure!(texts.iter().all(|seen| !seen.markup.contains("business")), "{texts:#?}");
    stage.end().await
}

/// The ids of a space and of all its messages change when it is moved to another region.
#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_is_moved_keeps_its_bridge_and_its_messages() -> Result<()> {
    let mut stage = Stage::start(|_| {}).await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    let asked = ana.post("before the move", None).await?;
    let copy = sees(&gita, &["before the move"], SOON).await?;
    let said = gita.post("said in the old place", None).await?;
    let told = sees(&ana, &["said in the old place"], SOON).await?;
    stage.room = done(stage.webex.migrate(&stage.room, "urn:TEAM:us-west-2_r"))?;
    let gita = stage.gita();
    let there = sees(&gita, &["before the move"], SOON).await?;
    ensure!(there.id != copy.id, "its id is another one");

    gita.post("said in the new place", None).await?;
    sees(&ana, &["said in the new place"], SOON).await?;
    ana.edit(&asked, None, "edited after the move").await?;
    let edited = sees(&gita, &["edited after the move"], SOON).await?;
    ensure!(edited.id == there.id, "the copy itself is edited");
    gita.edit(&said, None, "mended after the move").await?;
    let mended = sees(&ana, &["mended after the move"], LOOKED_FOR).await?;
    ensure!(mended.id == told.id, "the copy itself is edited");
    ana.post("a reply across", Some(&told.id)).await?;
    let reply = sees(&gita, &["a reply across"], SOON).await?;
    let root = sees(&gita, &["mended after the move"], SOON).await?;
    ensure!(reply.thread_root.as_deref() == Some(root.id.as_str()), "in the thread of the moved message");
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_carried() -> Result<()> {
    let stage = Stage::start(|_| {}).await?;
    let (ana, gita) = (stage.ana(), stage.gita());
    let files = vec![("pier plan.pdf", &b"%PDF"[..]), ("photo.png", b"png")];
    done(stage.webex.post_with(GITA, &gita.room, &Post { text: "have a look", files, ..Post::default() }))?;
    sees(&ana, &["have a look"], SOON).await?;
    let wanted = [("photo.png".to_owned(), b"png".to_vec()), ("pier plan.pdf".to_owned(), b"%PDF".to_vec())];
    eventually("both files arrive", SOON, async || {
        let mut found = Vec::new();
        for seen in ana.read().await.map_err(|error| format!("{error:#}"))? {
            found.extend(ana.files(&seen).await.map_err(|error| format!("{error:#}"))?);
        }
        found.sort();
        if found == wanted { Ok(()) } else { Err(format!("{} files", found.len())) }
    })
    .await?;
    stage.end().await
}

/// Who the seeded people are does not matter to the gateway; that they are there does to these tests.
#[test]
fn the_seed_is_as_these_tests_have_it() {
    let config = WebexSimConfig::default();
    assert_eq!(config.orgs[0].uuid, ORG);
    assert!(config.orgs[0].people.iter().any(|person| person.uuid == SERVICE && person.service_account));
    assert!(config.rooms.iter().any(|room| room.uuid == LAUNCH && room.title == "Launch"));
}
