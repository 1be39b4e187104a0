//! Marks in everything that people write and are, through deliveries that work, wait, fail, are killed and are
//! refused.

use std::fs::OpenOptions;
use std::io::Write as _;

use anyhow::{Result, ensure};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_gateway::admin::api::{AppList, OrgAdd};
use dragoman_sim::core::fault::{FaultKind, FaultOrder};
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::seed;
use e2e::{Options, Side, World, eventually};
use http::{HeaderMap, HeaderValue, Method};

use super::marks::{LIMIT, Marks, nothing, shows};
use super::watch::{Activity, look};

/// Everything that carries a mark.
const CARRIERS: &[&str] = &[
    "text from Slack",
    "text from Teams",
    "reply from Slack",
    "reply from Teams",
    "edit at Slack",
    "edit at Teams",
    "text deleted at Slack",
    "link at Slack",
    "link at Teams",
    "code at Slack",
    "name at Slack",
    "address at Slack",
    "name at Teams",
    "address at Teams",
    "oversized name at Slack",
    "oversized name at Teams",
    "text to a target that fails",
    "text to a target that refuses",
    "text to a silent target",
    "long text",
    "text nobody bridges",
    "unsigned delivery",
    "broken delivery",
    "odd delivery",
    "path",
    "query",
    "header",
];

fn named(marks: &Marks) -> Options {
    let mut options = Options { log: "trace".to_owned(), ..Options::default() };
    let long = |carrier| format!("{} {}", marks.of(carrier), "Wolfeschlegelsteinhausen ".repeat(20));
    for person in options.slack.workspaces.iter_mut().flat_map(|workspace| &mut workspace.people) {
        match person.id.as_str() {
            "U07ANASOUZA" => {
                person.real_name = format!("Ana {}", marks.of("name at Slack"));
                person.display_name = person.real_name.clone();
                person.email = format!("{}@harbor-works.example", marks.of("address at Slack"));
            }
            "U07BENOKAFOR" => {
                person.real_name = long("oversized name at Slack");
                person.display_name = person.real_name.clone();
            }
            _ => {}
        }
    }
    for person in &mut options.teams.people {
        if person.id == seed::DANA {
            person.name = format!("Dana {}", marks.of("name at Teams"));
            person.mail = Some(format!("{}@fabrikant.example", marks.of("address at Teams")));
            person.upn = format!("{}@fabrikant.example", marks.of("address at Teams"));
        } else if person.id == seed::EMRE {
            person.name = long("oversized name at Teams");
        }
    }
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_what_people_write_is_found_anywhere() -> Result<()> {
    let marks = Marks::new(23, CARRIERS);
    let scanner = marks.scanner();
    let mut world = World::start(named(&marks)).await?;
    let activity = Activity::follow(world.binary.client());
    let (ana, ben) = (world.ana("C07LAUNCH"), world.ben("C07LAUNCH"));
    let (dana, emre) = (world.dana(seed::LAUNCH), world.emre(seed::LAUNCH));

    talk(&marks, &ana, &dana).await?;
    ben.post("who am I?", None).await?;
    emre.post("and who am I?", None).await?;
    shows(&dana, &marks, "name at Slack").await?;
    shows(&ana, &marks, "name at Teams").await?;
    shows(&dana, &marks, "oversized name at Slack").await?;
    shows(&ana, &marks, "oversized name at Teams").await?;
    strangers(&world, &marks).await?;
    world.settled(LIMIT).await?;
    nothing(&world, &scanner, &activity, true, "after deliveries").await?;

    // A target that fails for a while.
    let posts = "POST /v3/conversations*";
    world.teams.faults().add(FaultOrder::next(3, posts, FaultKind::ServerErrorBefore { status: 503 }));
    ana.post(&format!("try again: {}", marks.of("text to a target that fails")), None).await?;
    shows(&dana, &marks, "text to a target that fails").await?;
    nothing(&world, &scanner, &activity, true, "after failures").await?;

    // One that refuses.
    world.teams.block_writes(seed::LAUNCH, true);
    ana.post(&format!("in vain: {}", marks.of("text to a target that refuses")), None).await?;
    eventually("a dead letter", LIMIT, async || {
        let status = world.status().await.map_err(|error| error.to_string())?;
        if status.dead_letters > 0 { Ok(()) } else { Err(format!("{} legs", status.legs)) }
    })
    .await?;
    world.teams.block_writes(seed::LAUNCH, false);
    nothing(&world, &scanner, &activity, true, "with a dead letter").await?;

    // One that says nothing, and a kill while it does.
    let silence = world.teams.faults().add(FaultOrder::always(posts, FaultKind::Latency { ms: 600_000 }));
    ana.post(&format!("held: {}", marks.of("text to a silent target")), None).await?;
    eventually("a payload under way", LIMIT, async || {
        let status = world.status().await.map_err(|error| error.to_string())?;
        if status.payloads > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await?;
    nothing(&world, &scanner, &activity, true, "with a payload under way").await?;
    world.binary.kill()?;
    nothing(&world, &scanner, &activity, false, "after a kill").await?;
    world.teams.faults().lift(silence);
    world.binary.start(None).await?;
    shows(&dana, &marks, "text to a silent target").await?;
    world.settled(LIMIT).await?;
    nothing(&world, &scanner, &activity, true, "after the restart").await?;
    world.binary.kill()?;
    nothing(&world, &scanner, &activity, false, "at rest").await?;
    let log = std::fs::read(world.binary.stderr_path())?;
    ensure!(String::from_utf8_lossy(&log).contains("TRACE"), "the log was not at trace level");
    activity.end().await;
    world.end().await
}

/// An ordinary conversation, both ways.
async fn talk(marks: &Marks, ana: &dyn Side, dana: &dyn Side) -> Result<()> {
    let sides: [(&dyn Side, &dyn Side, &str); 2] = [(ana, dana, "Slack"), (dana, ana, "Teams")];
    for (from, to, platform) in sides {
        let text = format!("text from {platform}");
        let reply = format!("reply from {platform}");
        let edit = format!("edit at {platform}");
        let link = format!("link at {platform}");
        let root = from.post(&format!("hello, {}", marks.of(&text)), None).await?;
        shows(to, marks, &text).await?;
        from.post(&format!("more of it: {}", marks.of(&reply)), Some(&root)).await?;
        shows(to, marks, &reply).await?;
        from.edit(&root, None, &format!("better: {}", marks.of(&edit))).await?;
        shows(to, marks, &edit).await?;
        let address = format!("https://example.com/{}", marks.of(&link));
        let linked = if platform == "Slack" {
            format!("<{address}|here> and `{}`", marks.of("code at Slack"))
        } else {
            format!("<a href=\"{address}\">here</a>")
        };
        from.post(&linked, None).await?;
        shows(to, marks, &link).await?;
    }
    shows(dana, marks, "code at Slack").await?;
    let long = format!("{}\n", "one line of many, and none of them short at all\n".repeat(300));
    ana.post(&format!("{long}{}", marks.of("long text")), None).await?;
    shows(dana, marks, "long text").await?;
    let gone = ana.post(&format!("oops, {}", marks.of("text deleted at Slack")), None).await?;
    shows(dana, marks, "text deleted at Slack").await?;
    ana.delete(&gone, None).await
}

/// What does not belong to any bridge, and what is sent by somebody else.
async fn strangers(world: &World, marks: &Marks) -> Result<()> {
    world.ana("C07GENERAL").post(&marks.of("text nobody bridges"), None).await?;
    let apps = world.ask(&AppList {}).await?;
    let hooks = |platform: &str| {
        let app = apps.iter().find(|app| app.platform == platform);
        app.map_or_else(String::new, |app| app.hooks_url.trim_end_matches("/events").to_owned())
    };
    let slack = format!("{}/events", hooks("slack"));
    let unsigned = format!("{{\"type\":\"event_callback\",\"text\":\"{}\"}}", marks.of("unsigned delivery"));
    let broken =
        format!("{{\"type\":\"event_callback\",\"event\":{{\"text\":\"{}", marks.of("broken delivery"));
    let odd = format!(
        "{{\"type\":\"event_callback\",\"team_id\":\"T07HARBOR\",\"event\":{{\"type\":\"message\",\"channel\":\"C07LAUNCH\",\
         \"ts\":{{\"text\":\"{0}\"}},\"{0}\":7,\"text\":[\"{0}\"]}}}}",
        marks.of("odd delivery")
    );
    let post = async |url: &str, headers: HeaderMap, body: String| {
        world.http.raw(Method::POST, url, headers, body.into_bytes()).await
    };
    let (status, ..) = post(&slack, HeaderMap::new(), unsigned.clone()).await?;
    ensure!(status.is_client_error(), "an unsigned delivery was answered with {status}");
    for body in [broken, odd] {
        post(&slack, signed(&body)?, body.clone()).await?;
    }
    let teams = hooks("teams");
    for tail in ["messages", "notifications"] {
        post(&format!("{teams}/{tail}"), HeaderMap::new(), unsigned.clone()).await?;
    }
    let url = format!("{}/{}?q={}", world.binary.url(), marks.of("path"), marks.of("query"));
    let mut headers = HeaderMap::new();
    headers.insert("x-something", HeaderValue::from_str(&marks.of("header"))?);
    world.http.raw(Method::GET, &url, headers, Vec::new()).await?;
    Ok(())
}

fn signed(body: &str) -> Result<HeaderMap> {
    #[expect(clippy::disallowed_methods, reason = "Slack signs with the time of day")]
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SeedApp::default().signing_secret.as_bytes());
    let signature = hmac::sign(&key, format!("v0:{now}:{body}").as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("x-slack-request-timestamp", HeaderValue::from_str(&now.to_string())?);
    let signature = format!("v0={}", hex::encode(signature.as_ref()));
    headers.insert("x-slack-signature", HeaderValue::from_str(&signature)?);
    Ok(headers)
}

/// The search would find something: leaks are planted in each place that it looks into.
#[tokio::test(flavor = "multi_thread")]
async fn planted_leaks_are_found() -> Result<()> {
    let marks = Marks::new(29, CARRIERS);
    let scanner = marks.scanner();
    let world = World::start(Options::default()).await?;
    let activity = Activity::follow(world.binary.client());
    nothing(&world, &scanner, &activity, true, "before anything is planted").await?;

    let mut found = 0;
    let planted = [
        (world.binary.data_folder().join("dragoman.db-leak"), marks.of("text from Slack").into_bytes()),
        (
            world.binary.key_folder().join("leak"),
            marks.of("text from Teams").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            world.binary.stderr_path(),
            format!(
                "TRACE body={}",
                STANDARD.encode(format!("{{\"text\":\"{}\"}}", marks.of("edit at Slack")))
            )
            .into_bytes(),
        ),
    ];
    for (path, bytes) in planted {
        OpenOptions::new().create(true).append(true).open(&path)?.write_all(&bytes)?;
        let now = look(&world, &scanner, &activity, true).await?.len();
        ensure!(now > found, "a leak in {} was not found", path.display());
        found = now;
    }
    // What operators name is shown to them, so that a mark in such a name stands for a leak there.
    world.ask(&OrgAdd { name: marks.of("name at Slack") }).await?;
    let answers = look(&world, &scanner, &activity, true).await?;
    ensure!(answers.iter().any(|leak| leak.contains("in organisations")), "{}", answers.join("\n"));
    activity.end().await;
    world.end().await
}
