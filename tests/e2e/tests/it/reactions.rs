//! Reactions from every platform that tells of them to all others: set there by the app, named by a note.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::teams::seed;
use dragoman_sim::webex::seed::GITA;
use dragoman_sim::zoom::config::{LAUNCH, THEO};
use e2e::{Options, Seen, Side, World, eventually};

use crate::backfill::its_millisecond_is_over;

const CHANNEL: &str = "C07LAUNCH";
const ANA: &str = "U07ANASOUZA";
const SOON: Duration = Duration::from_secs(20);

/// The one message that says so.
async fn shows(side: &dyn Side, words: &str) -> Result<Seen> {
    eventually(&format!("{} shows '{words}'", side.platform()), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let mut found: Vec<Seen> = all.into_iter().filter(|seen| seen.markup.contains(words)).collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages"))
    })
    .await
}

/// The reactions that a message shows, each as often as people made it.
fn marks(platform: &str, seen: &Seen) -> Vec<String> {
    let list = seen.raw["reactions"].as_array().cloned().unwrap_or_default();
    let counted = |name: &str, count: &str| -> Vec<String> {
        let one = |it: &serde_json::Value| {
            let name = it[name].as_str().unwrap_or_default().to_owned();
            let count = usize::try_from(it[count].as_u64().unwrap_or(1)).unwrap_or(1);
            std::iter::repeat_n(name, count)
        };
        list.iter().flat_map(one).collect()
    };
    match platform {
        "slack" => counted("name", "count"),
        "teams" => counted("reactionType", ""),
        "zoom" => counted("emoji", "total_count"),
        _ => Vec::new(),
    }
}

/// Waits until a message shows these reactions, and its thread these notes and nothing else.
async fn stands(side: &dyn Side, id: &str, wanted: &[&str], note: Option<&[&str]>) -> Result<()> {
    let platform = side.platform();
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    let told = |seen: &Seen| note.is_some_and(|words| words.iter().all(|word| seen.markup.contains(word)));
    eventually(&format!("{platform} shows {wanted:?} and the note {note:?}"), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let seen = all.iter().find(|seen| seen.id == id).ok_or_else(|| "no message".to_owned())?;
        let notes: Vec<&Seen> = all.iter().filter(|it| it.thread_root.as_deref() == Some(id)).collect();
        let mut found = marks(platform, seen);
        found.sort_unstable();
        let right = notes.len() == usize::from(note.is_some()) && notes.iter().all(|seen| told(seen));
        if found == wanted && right {
            return Ok(());
        }
        let notes: Vec<&str> = notes.iter().map(|seen| seen.markup.as_str()).collect();
        Err(format!("{found:?}, notes {notes:?}"))
    })
    .await
}

/// Links the channels of all four; the space on Webex.
async fn link_all(world: &World) -> Result<String> {
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    let teams = format!("teams:{}", seed::LAUNCH);
    world
        .link(&["slack:C07LAUNCH".to_owned(), teams, format!("webex:{room}"), format!("zoom:{LAUNCH}")])
        .await?;
    Ok(room)
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_of_everybody_are_set_everywhere_and_named() -> Result<()> {
    let world = World::start(Options::four()).await?;
    let room = link_all(&world).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let (gita, theo) =
        (world.webex_person(GITA, "Gita Rao", &room), world.zoom_person(THEO, "Theo Lindqvist", LAUNCH));
    let said = ana.post("who has the *lamp*", None).await?;
    let at_teams = shows(&dana, "lamp").await?.id;
    let at_webex = shows(&gita, "lamp").await?.id;
    let at_zoom = shows(&theo, "lamp").await?.id;
    world.settled(SOON).await?;

    // The first of an emoji sets it, on the original and on the copies; the second adds a name.
    let dana_reacts = |add| {
        let done = world.teams.react(seed::DANA, seed::LAUNCH, &at_teams, "👍", add);
        done.map_err(|refusal| anyhow!("{refusal:?}"))
    };
    dana_reacts(true)?;
    stands(&ana, &said, &["+1"], Some(&["Dana Lindqvist (Teams)"])).await?;
    stands(&theo, &at_zoom, &["U+1F44D"], Some(&["Dana Lindqvist (Teams)"])).await?;
    stands(&gita, &at_webex, &[], Some(&["👍", "Dana Lindqvist (Teams)"])).await?;
    world.zoom().react(THEO, LAUNCH, &at_zoom, "👍").map_err(|it| anyhow!(it.message))?;
    let both = ["Dana Lindqvist (Teams)", "Theo Lindqvist (Zoom)"];
    stands(&ana, &said, &["+1"], Some(&both)).await?;
    stands(&gita, &at_webex, &[], Some(&both)).await?;
    stands(&dana, &at_teams, &["👍", "👍"], Some(&["Theo Lindqvist (Zoom)"])).await?;

    // With a skin tone it is another, and what a platform does not have is told by name.
    world.slack.react(ANA, CHANNEL, &said, "wave::skin-tone-4").map_err(|it| anyhow!(it.code))?;
    stands(&dana, &at_teams, &["👍", "👍", "👋🏽"], Some(&["👋🏽", "Ana (Slack)"])).await?;
    shows(&theo, "👋🏽 Ana (Slack)").await?;
    shows(&gita, "👋🏽 Ana (Slack)").await?;

    // Nobody's is left: reactions and notes go.
    dana_reacts(false)?;
    world.zoom().unreact(THEO, LAUNCH, &at_zoom, "👍").map_err(|it| anyhow!(it.message))?;
    world.slack.unreact(ANA, CHANNEL, &said, "wave::skin-tone-4").map_err(|it| anyhow!(it.code))?;
    stands(&ana, &said, &[], None).await?;
    stands(&dana, &at_teams, &[], None).await?;
    stands(&gita, &at_webex, &[], None).await?;
    stands(&theo, &at_zoom, &[], None).await?;
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    // No note came back as a message of somebody.
    let mut left = gita.read().await?;
    left.retain(|seen| !seen.markup.contains("These conversations are linked"));
    let left: Vec<&str> = left.iter().map(|seen| seen.markup.as_str()).collect();
    ensure!(left.len() == 1, "{left:?}");
    world.end().await
}

/// It dies at a point of its second call, which is the note: the reaction is set, the note is to be said.
async fn killed_at(point: &str) -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let said = ana.post("mind the *gap*", None).await?;
    let copy = shows(&dana, "gap").await?.id;
    world.settled(SOON).await?;
    world.restart(Some(&format!("{point}:2"))).await?;
    world.slack.react(ANA, CHANNEL, &said, "tada").map_err(|it| anyhow!(it.code))?;
    ensure!(world.binary.died(SOON).await?, "it outlived its fault at {point}");
    world.binary.start(None).await?;
    stands(&dana, &copy, &["🎉"], Some(&["🎉", "Ana (Slack)"])).await?;
    world.slack.unreact(ANA, CHANNEL, &said, "tada").map_err(|it| anyhow!(it.code))?;
    stands(&dana, &copy, &[], None).await?;
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_reaction_and_note_costs_neither() -> Result<()> {
    killed_at("send.before").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_the_note_went_out_makes_no_second_one() -> Result<()> {
    killed_at("send.unanswered").await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_app_may_not_react_the_note_tells() -> Result<()> {
    let mut options = Options::default();
    options.slack.doubts.emoji_per_message = 0;
    let world = World::start(options).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let said = dana.post("<p>low water at noon</p>", None).await?;
    let copy = shows(&ana, "low water").await?.id;
    let react = |kind: &str, add| {
        let done = world.teams.react(seed::DANA, seed::LAUNCH, &said, kind, add);
        done.map_err(|refusal| anyhow!("{refusal:?}"))
    };
    react("like", true)?;
    stands(&ana, &copy, &[], Some(&["+1", "Dana Lindqvist (Teams)"])).await?;
    react("🚢", true)?;
    stands(&ana, &copy, &[], Some(&["+1", "ship", "Dana Lindqvist (Teams)"])).await?;
    react("like", false)?;
    react("🚢", false)?;
    stands(&ana, &copy, &[], None).await?;
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    world.end().await
}

/// Waits until a side shows a file of this name.
async fn has_file(side: &dyn Side, name: &str) -> Result<()> {
    eventually(&format!("{} shows {name}", side.platform()), SOON, async || {
        let seen = side.read().await.map_err(|error| format!("{error:#}"))?;
        for message in &seen {
            let files = side.files(message).await.map_err(|error| format!("{error:#}"))?;
            if files.iter().any(|(known, bytes)| known == name && bytes == name.as_bytes()) {
                return Ok(());
            }
        }
        Err(format!("no such file at {} messages", seen.len()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_and_files_that_nobody_told_of_are_caught_up_with() -> Result<()> {
    let mut world = World::start(Options::four()).await?;
    let room = link_all(&world).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let (gita, theo) =
        (world.webex_person(GITA, "Gita Rao", &room), world.zoom_person(THEO, "Theo Lindqvist", LAUNCH));
    let said = ana.post("who has the *oar*", None).await?;
    let at_teams = shows(&dana, "oar").await?.id;
    let at_webex = shows(&gita, "oar").await?.id;
    let at_zoom = shows(&theo, "oar").await?.id;
    let dana_reacts = |kind: &str, add| {
        let done = world.teams.react(seed::DANA, seed::LAUNCH, &at_teams, kind, add);
        done.map_err(|refusal| anyhow!("{refusal:?}"))
    };
    dana_reacts("👍", true)?;
    stands(&ana, &said, &["+1"], Some(&["Dana Lindqvist (Teams)"])).await?;
    stands(&gita, &at_webex, &[], Some(&["👍", "Dana Lindqvist (Teams)"])).await?;
    world.settled(SOON).await?;

    let silence = || FaultOrder::always("", FaultKind::Silence);
    let faults = [world.slack.faults(), world.teams.faults(), world.webex().faults(), world.zoom().faults()];
    for book in &faults {
        book.add(silence());
    }
    dana_reacts("👍", false)?;
    dana_reacts("heart", true)?;
    world.zoom().react(THEO, LAUNCH, &at_zoom, "🎉").map_err(|it| anyhow!(it.message))?;
    world.slack.react(ANA, CHANNEL, &said, "eyes").map_err(|it| anyhow!(it.code))?;
    let files = ["slack.txt", "teams.txt", "webex.txt", "zoom.txt"];
    let sides: [&dyn Side; 4] = [&ana, &dana, &gita, &theo];
    for (side, name) in sides.into_iter().zip(files) {
        side.post_file(name, name.as_bytes(), "", None).await?;
    }
    for book in &faults {
        book.clear();
    }
    world.restart(None).await?;

    let (dana_and_theo, theo_and_ana) =
        (["Dana Lindqvist (Teams)", "Theo Lindqvist (Zoom)"], ["Theo", "Ana"]);
    stands(&ana, &said, &["eyes", "heart", "tada"], Some(&dana_and_theo)).await?;
    stands(&dana, &at_teams, &["heart", "👀", "🎉"], Some(&theo_and_ana)).await?;
    stands(&theo, &at_zoom, &["U+1F389", "U+1F440", "U+2764U+FE0F"], Some(&["Dana", "Ana"])).await?;
    stands(&gita, &at_webex, &[], Some(&["Dana", "Theo", "Ana"])).await?;
    for side in sides {
        for name in files {
            has_file(side, name).await?;
        }
    }
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    world.end().await
}

/// Waits until a message shows these reactions, whatever stands in its thread.
async fn set_on_teams(side: &dyn Side, id: &str, wanted: &[&str]) -> Result<()> {
    eventually(&format!("{wanted:?} stands there"), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let seen = all.iter().find(|seen| seen.id == id).ok_or_else(|| "no message".to_owned())?;
        let found = marks("teams", seen);
        if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
}

/// What was said before is linked, with its reactions: whose process dies then is named by `fault`.
async fn said_before(fault: Option<&str>) -> Result<()> {
    let mut world = World::start(Options { bridge: false, ..Options::default() }).await?;
    let (ana, dana) = (world.ana(CHANNEL), world.dana(seed::LAUNCH));
    let react = |world: &World, id: &str, emoji: &str| {
        world.slack.react(ANA, CHANNEL, id, emoji).map_err(|it| anyhow!(it.code))
    };
    let older = ana.post("older than asked for", None).await?;
    react(&world, &older, "tada")?;
    its_millisecond_is_over(&world, &older).await?;
    let first = ana.post("the first *lamp*", None).await?;
    react(&world, &first, "+1")?;
    let reply = ana.post("its *wick*", Some(&first)).await?;
    react(&world, &reply, "wave")?;
    ana.post("the second lamp", None).await?;
    let on_teams = dana.post("<p>an oar</p>", None).await?;
    world.teams.react(seed::DANA, seed::LAUNCH, &on_teams, "👍", true).map_err(|it| anyhow!("{it:?}"))?;
    if fault.is_some() {
        world.restart(fault).await?;
    }
    let (slack, teams) = (format!("slack:{CHANNEL}"), format!("teams:{}", seed::LAUNCH));
    let add = dragoman_gateway::admin::api::BridgeAdd {
        members: vec![slack.clone(), teams],
        backfill: 3,
        ..dragoman_gateway::admin::api::BridgeAdd::default()
    };
    let added = world.ask(&add).await;
    if fault.is_some() {
        ensure!(world.binary.died(SOON).await?, "it outlived its fault");
        world.binary.start(None).await?;
    } else {
        added?;
    }
    let at_teams = shows(&dana, "the first").await?.id;
    set_on_teams(&dana, &at_teams, &["👍"]).await?;
    set_on_teams(&dana, &shows(&dana, "wick").await?.id, &["👋"]).await?;
    let at_slack = shows(&ana, "an oar").await?.id;
    stands(&ana, &at_slack, &["+1"], Some(&["Dana Lindqvist (Teams)"])).await?;
    world.settled(SOON).await?;

    // Once each, and they go as they came.
    let all = dana.read().await?;
    let notes: Vec<&Seen> = all.iter().filter(|it| it.markup.contains("Ana (Slack)")).collect();
    ensure!(notes.len() == 2, "a note for each: {notes:#?}");
    ensure!(!all.iter().any(|it| it.markup.contains("🎉")), "nothing of what was not asked for");
    world.slack.unreact(ANA, CHANNEL, &first, "+1").map_err(|it| anyhow!(it.code))?;
    set_on_teams(&dana, &at_teams, &[]).await?;
    stands(&ana, &at_slack, &["+1"], Some(&["Dana Lindqvist (Teams)"])).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_at_what_was_said_before_come_with_its_copies() -> Result<()> {
    said_before(None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_at_what_was_said_before_survive_a_death() -> Result<()> {
    // The first copies are there, and nothing is written down of the second.
    said_before(Some("settle.before:2")).await?;
    // Messages are on their way, and not all of their reactions.
    said_before(Some("append.before:5")).await?;
    // A reaction is at a copy, and that is written down nowhere.
    said_before(Some("reaction.set:1")).await
}
