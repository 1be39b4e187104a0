//! Marks in what is not a message's text: files and their names, reactions, people of all platforms, what is said to the
//! app and in direct conversations.

use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_gateway::admin::api::OrgPolicy;
use dragoman_sim::core::fault::{FaultKind, FaultOrder};
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::{Place, seed};
use dragoman_sim::webex::seed as webex;
use dragoman_sim::zoom::config as zoom;
use e2e::{Options, Side, World, eventually};

use super::marks::{LIMIT, Marks, nothing, shows};
use super::watch::{Activity, look, nameless};

/// Everything that carries a mark.
const CARRIERS: &[&str] = &[
    "file from Slack",
    "name of a file from Slack",
    "file from Teams",
    "name of a file from Teams",
    "file from Webex",
    "name of a file from Webex",
    "file from Zoom",
    "name of a file from Zoom",
    "spooled file",
    "name of a spooled file",
    "file to a target that fails",
    "name of a file to a target that fails",
    "file to a target that refuses",
    "name of a file to a target that refuses",
    "name of a file that is withheld",
    "emoji at Slack",
    "emoji at Zoom",
    "name at Slack",
    "address at Slack",
    "name at Teams",
    "address at Teams",
    "name at Webex",
    "address at Webex",
    "name at Zoom",
    "address at Zoom",
    "what is no command",
    "unknown address",
    "address given to a command",
    "words given to a command",
    "first words",
    "direct text from Slack",
    "direct text from Teams",
    "direct file",
    "name of a direct file",
];

const ANA: &str = "U07ANASOUZA";
const CHANNEL: &str = "C07LAUNCH";
/// More than a few chunks, of streams and of the spool.
const SIZE: usize = 200_000;

fn named(marks: &Marks) -> Options {
    let (webex_config, zoom_config) = (Options::webex_config(), Options::zoom_config());
    let mut options = Options {
        log: "trace".to_owned(),
        webex: Some(webex_config),
        zoom: Some(zoom_config),
        fronts: true,
        bridge: false,
        direct: true,
        ..Options::default()
    };
    let name = |platform| format!("Somebody {}", marks.of(&format!("name at {platform}")));
    let address = |platform| format!("{}@{platform}.example", marks.of(&format!("address at {platform}")));
    for person in options.slack.workspaces.iter_mut().flat_map(|workspace| &mut workspace.people) {
        if person.id == ANA {
            person.real_name = name("Slack");
            person.display_name = name("Slack");
            person.email = address("Slack");
        }
    }
    for person in options.teams.people.iter_mut().filter(|person| person.id == seed::DANA) {
        person.name = name("Teams");
        person.mail = Some(address("Teams"));
        person.upn = address("Teams");
    }
    if let Some(config) = &mut options.webex {
        for person in config.orgs.iter_mut().flat_map(|org| &mut org.people) {
            if person.uuid == webex::GITA {
                person.display_name = name("Webex");
                person.email = address("Webex");
            }
        }
    }
    if let Some(config) = &mut options.zoom {
        for person in config.accounts.iter_mut().flat_map(|account| &mut account.people) {
            if person.id == zoom::THEO {
                "Somebody".clone_into(&mut person.first_name);
                person.last_name = marks.of("name at Zoom");
                person.email = address("Zoom");
            }
        }
    }
    options
}

/// Bytes with the mark all over them.
fn marked(mark: &str) -> Vec<u8> {
    format!("{mark}, ").into_bytes().into_iter().cycle().take(SIZE).collect()
}

/// Sends a file whose bytes and name are marked; the message.
async fn send(side: &dyn Side, marks: &Marks, carrier: &str, words: &str) -> Result<String> {
    let name = format!("plan {}.txt", marks.of(&format!("name of a {carrier}")));
    side.post_file(&name, &marked(&marks.of(carrier)), words, None).await
}

/// Waits until the file stands at a side, as it was sent.
async fn arrives(side: &dyn Side, marks: &Marks, carrier: &str) -> Result<()> {
    let (name, bytes) = (marks.of(&format!("name of a {carrier}")), marked(&marks.of(carrier)));
    eventually(&format!("{carrier} at {}", side.platform()), LIMIT, async || {
        let seen = side.read().await.map_err(|error| format!("{error:#}"))?;
        for message in &seen {
            let files = side.files(message).await.map_err(|error| format!("{error:#}"))?;
            if files.iter().any(|(known, found)| known.contains(&name) && *found == bytes) {
                return Ok(());
            }
        }
        Err(format!("{} messages", seen.len()))
    })
    .await
}

/// People in the conversation of four platforms.
struct People {
    ana: Box<dyn Side>,
    dana: Box<dyn Side>,
    gita: Box<dyn Side>,
    theo: Box<dyn Side>,
}

impl People {
    async fn gather(world: &World, marks: &Marks) -> Result<Self> {
        let room = world.webex().room_id("Launch").context("there is no space Launch")?;
        let teams = format!("teams:{}", seed::LAUNCH);
        let launch = zoom::LAUNCH;
        world
            .link(&[format!("slack:{CHANNEL}"), teams, format!("webex:{room}"), format!("zoom:{launch}")])
            .await?;
        Ok(Self {
            ana: Box::new(world.ana(CHANNEL)),
            dana: Box::new(world.dana(seed::LAUNCH)),
            gita: Box::new(world.webex_person(webex::GITA, &marks.of("name at Webex"), &room)),
            theo: Box::new(world.zoom_person(zoom::THEO, &marks.of("name at Zoom"), launch)),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_files_reactions_and_direct_conversations_is_found_anywhere() -> Result<()> {
    let marks = Marks::new(31, CARRIERS);
    let scanner = marks.scanner();
    let mut world = World::start(named(&marks)).await?;
    let activity = Activity::follow(world.binary.client());
    let people = People::gather(&world, &marks).await?;
    let People { ana, dana, gita, theo } = &people;

    // Files from everybody to everybody.
    let all = [("Slack", ana), ("Teams", dana), ("Webex", gita), ("Zoom", theo)];
    for (platform, from) in all {
        send(&**from, &marks, &format!("file from {platform}"), "see").await?;
    }
    for (platform, _) in all {
        for (_, to) in all.iter().filter(|(other, _)| *other != platform) {
            arrives(&***to, &marks, &format!("file from {platform}")).await?;
        }
        for (_, to) in all.iter().filter(|(other, _)| *other != platform) {
            shows(&***to, &marks, &format!("name at {platform}")).await?;
        }
    }
    reactions(&world, &marks, &people).await?;
    direct(&world, &marks).await?;
    world.settled(LIMIT).await?;
    nothing(&world, &scanner, &activity, true, "after deliveries").await?;

    // A target that fails for a while.
    world.slack.faults().add(FaultOrder::next(
        3,
        "POST /upload",
        FaultKind::ServerErrorBefore { status: 503 },
    ));
    send(&**dana, &marks, "file to a target that fails", "").await?;
    arrives(&**ana, &marks, "file to a target that fails").await?;
    // One that the organisation keeps back: its name stands in a line.
    let (policy, value) = ("file_denied".to_owned(), "exe".to_owned());
    world.ask(&OrgPolicy { org: None, policy, value }).await?;
    let name = format!("{}.exe", marks.of("name of a file that is withheld"));
    gita.post_file(&name, b"MZ", "do not open", None).await?;
    shows(&**dana, &marks, "name of a file that is withheld").await?;

    // One that refuses.
    world.teams.block_writes(seed::LAUNCH, true);
    send(&**ana, &marks, "file to a target that refuses", "in vain").await?;
    arrives(&**theo, &marks, "file to a target that refuses").await?;
    eventually("a dead letter", LIMIT, async || {
        let status = world.status().await.map_err(|error| error.to_string())?;
        if status.dead_letters > 0 { Ok(()) } else { Err(format!("{} legs", status.legs)) }
    })
    .await?;
    world.teams.block_writes(seed::LAUNCH, false);

    // One that has to be spooled and rests there, and a kill meanwhile.
    let silence = spooled(&world, &marks, &**gita).await?;
    nothing(&world, &scanner, &activity, true, "after failures, with a dead letter and a file in the spool")
        .await?;
    world.binary.kill()?;
    nothing(&world, &scanner, &activity, false, "after a kill").await?;
    world.slack.faults().lift(silence);
    world.binary.start(None).await?;
    arrives(&**ana, &marks, "spooled file").await?;
    world.settled(LIMIT).await?;
    nothing(&world, &scanner, &activity, true, "after the restart").await?;
    ensure!(nameless(&world)?.is_empty(), "something is left in the spool");
    world.binary.kill()?;
    nothing(&world, &scanner, &activity, false, "at rest").await?;
    let log = std::fs::read(world.binary.stderr_path())?;
    ensure!(String::from_utf8_lossy(&log).contains("TRACE"), "the log was not at trace level");
    activity.end().await;
    world.end().await
}

/// Waits until a file whose length its source does not tell rests in the spool, for as long as the order holds that is
/// returned.
async fn spooled(world: &World, marks: &Marks, gita: &dyn Side) -> Result<u64> {
    world.front("webex").unmeasured("/v1/contents/");
    let latency = FaultKind::Latency { ms: 600_000 };
    let silence = world.slack.faults().add(FaultOrder::always("files.getUploadURLExternal", latency));
    send(gita, marks, "spooled file", "").await?;
    eventually("a file in the spool", LIMIT, async || {
        let sizes: Vec<usize> =
            nameless(world).map_err(|error| error.to_string())?.iter().map(|(_, it)| it.len()).collect();
        if sizes.iter().any(|size| *size >= SIZE) { Ok(()) } else { Err(format!("{sizes:?}")) }
    })
    .await?;
    Ok(silence)
}

/// Emoji of one workspace only are told by name.
async fn reactions(world: &World, marks: &Marks, people: &People) -> Result<()> {
    let said = people.ana.post("who comes along?", None).await?;
    let find = async |side: &dyn Side| {
        eventually("the question", LIMIT, async || {
            let seen = side.read().await.map_err(|error| format!("{error:#}"))?;
            let found = seen.into_iter().find(|seen| seen.markup.contains("who comes along"));
            found.map(|seen| seen.id).ok_or_else(|| "not there".to_owned())
        })
        .await
    };
    let at_zoom = find(&*people.theo).await?;
    let (slack, zoom_name) = (marks.of("emoji at Slack"), marks.of("emoji at Zoom"));
    world
        .slack
        .set_emoji("T07HARBOR", &slack, Some("https://emoji.example/x.png"))
        .and_then(|()| world.slack.react(ANA, CHANNEL, &said, &slack))
        .map_err(|error| anyhow!(error.code))?;
    world
        .zoom()
        .react(zoom::THEO, zoom::LAUNCH, &at_zoom, &zoom_name)
        .map_err(|error| anyhow!(error.message))?;
    for (carrier, to) in [
        ("emoji at Slack", &people.dana),
        ("emoji at Slack", &people.gita),
        ("emoji at Slack", &people.theo),
        ("emoji at Zoom", &people.ana),
        ("emoji at Zoom", &people.dana),
        // The note names who reacted.
        ("name at Zoom", &people.gita),
    ] {
        shows(&**to, marks, carrier).await?;
    }
    Ok(())
}

/// Ana writes to the app, and then with Dana and with Theo.
async fn direct(world: &World, marks: &Marks) -> Result<()> {
    ensure!(
        world.teams.install(seed::APP, &Place::Person(seed::DANA.to_owned()), seed::DANA),
        "the app could not be added for Dana"
    );
    let bot = world.slack.bot(&SeedApp::default().app_id, "T07HARBOR").context("no bot")?;
    let chat = world.slack.open_direct(&[ANA, &bot.user_id]).map_err(|error| anyhow!("{error:?}"))?;
    let ana = world.ana(&chat);
    let dana = world.teams_chat(seed::DANA, "Dana");
    let room = world.zoom().open_direct(zoom::THEO, zoom::BRIDGE).map_err(|error| anyhow!(error.message))?;
    let theo = world.zoom_person(zoom::THEO, "Theo", &room);
    let sees = async |side: &dyn Side, words: &str, times: usize| {
        eventually(&format!("{words} at {}", side.platform()), LIMIT, async || {
            let seen = side.read().await.map_err(|error| format!("{error:#}"))?;
            let count = seen.iter().filter(|seen| seen.markup.contains(words)).count();
            if count == times { Ok(()) } else { Err(format!("{count} times")) }
        })
        .await
    };
    ana.post(&marks.of("what is no command"), None).await?;
    sees(&ana, "Here you can write with people", 1).await?;
    ana.post(&format!("dm {}@nowhere.example", marks.of("unknown address")), None).await?;
    sees(&ana, "Nobody with this address", 1).await?;
    let (address, words) = (marks.of("address given to a command"), marks.of("words given to a command"));
    world
        .slack
        .command(&SeedApp::default().app_id, ANA, CHANNEL, &format!("{address}@nowhere.example {words}"))
        .await
        .map_err(|error| anyhow!("{error:?}"))?;
    eventually("the command's answer", LIMIT, async || {
        let answers = world.slack.ephemerals(ANA);
        let told = answers.iter().any(|answer| answer.text.contains("Nobody with this address"));
        if told { Ok(()) } else { Err(format!("{} answers", answers.len())) }
    })
    .await?;
    let ask = format!("dm {}@Teams.example {}", marks.of("address at Teams"), marks.of("first words"));
    ana.post(&ask, None).await?;
    shows(&dana, marks, "first words").await?;
    dana.post("accept", None).await?;
    sees(&ana, "You are writing with", 1).await?;
    sees(&dana, "You are writing with", 1).await?;
    ana.post(&marks.of("direct text from Slack"), None).await?;
    shows(&dana, marks, "direct text from Slack").await?;
    dana.post(&marks.of("direct text from Teams"), None).await?;
    shows(&ana, marks, "direct text from Teams").await?;
    ana.post("dm close", None).await?;
    sees(&dana, "ended this conversation", 1).await?;
    ana.post(&format!("dm {}@Zoom.example", marks.of("address at Zoom")), None).await?;
    sees(&theo, "wants to write with you", 1).await?;
    theo.post("accept", None).await?;
    sees(&ana, "You are writing with", 2).await?;
    sees(&theo, "You are writing with", 1).await?;
    send(&theo, marks, "direct file", "").await?;
    arrives(&ana, marks, "direct file").await?;
    // Addresses are shown to those who asked.
    ana.post("dm list", None).await?;
    shows(&ana, marks, "address at Teams").await
}

/// The search would find something: each of the marks, in every place that is looked into.
#[tokio::test(flavor = "multi_thread")]
async fn planted_leaks_of_each_kind_are_found() -> Result<()> {
    let marks = Marks::new(37, CARRIERS);
    let scanner = marks.scanner();
    let world = World::start(named(&marks)).await?;
    let activity = Activity::follow(world.binary.client());
    let people = People::gather(&world, &marks).await?;
    spooled(&world, &marks, &*people.gita).await?;
    nothing(&world, &scanner, &activity, true, "before anything is planted").await?;

    let spool = nameless(&world)?.pop().context("nothing in the spool")?.0;
    // What rests in the spool rests there for as long as one attempt lasts: it is the first.
    let places = [
        spool.into(),
        world.binary.data_folder().join("dragoman.db-leak"),
        world.binary.data_folder().join("spool/leak"),
        world.binary.key_folder().join("leak"),
        world.binary.stderr_path(),
    ];
    for path in places {
        let mut leak = Vec::new();
        for carrier in CARRIERS {
            leak.extend(format!("{{\"what\":\"{}\"}}\n", marks.of(carrier)).into_bytes());
        }
        OpenOptions::new().create(true).append(true).open(&path)?.write_all(&leak)?;
        let found = look(&world, &scanner, &activity, true).await?;
        let place = format!("{} at", path.display());
        for carrier in CARRIERS {
            let told =
                found.iter().any(|it| it.starts_with(&format!("{carrier} as plain")) && it.contains(&place));
            ensure!(told, "a leak of a {carrier} in {place} was not found");
        }
    }
    activity.end().await;
    world.end().await
}
