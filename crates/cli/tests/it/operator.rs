//! From an empty folder to a bridge that relays, and looking after it.

use std::fs;

use serde_json::{Value, json};

use crate::http::eventually;
use crate::rig::Rig;
use crate::sims::Sims;
use crate::world::{World, add_slack, add_teams, enter_team, install, tell_slack};

#[tokio::test]
async fn a_deployment_is_set_up_step_by_step() {
    let sims = Sims::start(&[]);
    let rig = Rig::new(&sims.config());
    let _gateway = rig.serve().await;

    let early = rig.refused(&["app", "add", "slack"]);
    assert!(early.contains("no organisation") && early.contains("dragoman org add NAME"), "{early}");
    let (table, _) = rig.ok(&["org", "add", "Harbor Works"]);
    assert!(table.contains("ORGANISATION") && table.contains("Harbor Works"), "{table}");
    assert_eq!(rig.json(&["org", "list"])[0]["name"], "Harbor Works");
    let orgs = rig.json(&["org", "policy", "unknown_outcome", "gap"]);
    assert_eq!(orgs[0]["policy"]["unknown_outcome"], "gap");
    let odd = rig.refused(&["org", "policy", "unknown_outcome", "guess"]);
    assert!(odd.contains("duplicate") && odd.contains("gap"), "{odd}");

    // Without its values an app explains what to bring, and cannot be installed.
    let odd = rig.refused(&["app", "add", "slack", "--features", "smells"]);
    assert!(odd.contains("'smells'") && odd.contains("direct-messages"), "{odd}");
    let (table, hints) = rig.ok(&["app", "add", "slack", "--features", "messages,reactions"]);
    assert!(
        table.contains("slack-manifest.json:") && table.contains("\"socket_mode_enabled\": false"),
        "{table}"
    );
    assert!(table.contains("reactions:write") && !table.contains("files:read"), "{table}");
    assert!(table.contains("add reactions to copies") && table.contains("1. Open"), "{table}");
    assert!(table.contains("lacks client_id, client_secret, signing_secret"), "{table}");
    assert!(table.contains("/hooks/slack/") && table.contains("/oauth/slack/callback"), "{table}");
    assert!(hints.contains("dragoman app package slack") && hints.contains("Basic Information"), "{hints}");
    let early = rig.refused(&["install", "start", "slack"]);
    assert!(early.contains("lacks client_id") && early.contains("dragoman app set slack"), "{early}");
    let odd = rig.refused(&["app", "set", "slack", "--set", "colour=blue"]);
    assert!(odd.contains("colour") && odd.contains("signing_secret"), "{odd}");
    let gone = rig.refused(&["app", "set", "slack", "--set", "client_secret=@/nowhere/secret"]);
    assert!(gone.contains("/nowhere/secret") && gone.contains("client_secret"), "{gone}");

    // What is set later is set; Socket Mode asks for its token.
    let socket = rig.json(&["app", "set", "slack", "--set", "transport=socket"]);
    assert!(socket["missing"].as_array().is_some_and(|missing| missing.contains(&json!("app_token"))));
    let (client_id, secret) = (sims.slack("client_id"), sims.slack("client_secret"));
    let signing = format!("signing_secret={}", sims.slack("signing_secret"));
    let (client_id, secret) = (format!("client_id={client_id}"), format!("client_secret={secret}"));
    let set = ["app", "set", "slack", "--set", &client_id, "--set", &secret, "--set", &signing];
    let app = rig.json(&[&set[..], &["--set", "transport="]].concat());
    assert_eq!(app["missing"], json!([]));
    tell_slack(&sims, &app).await;
    assert_eq!(rig.json(&["app", "list"])[0]["secrets"], json!(["client_secret", "signing_secret"]));

    let out = rig.path("package");
    let (told, _) = rig.ok(&["app", "package", "slack", "--out", &out.display().to_string()]);
    assert!(told.contains("chat:write") && told.contains("1. Open"), "{told}");
    let manifest = fs::read_to_string(out.join("slack-manifest.json")).expect("a manifest");
    assert!(manifest.contains(app["hooks_url"].as_str().expect("a URL")), "{manifest}");
    add_teams(&rig, &sims).await;
    rig.ok(&["app", "package", "teams", "--out", &out.display().to_string()]);
    assert!(fs::read(out.join("dragoman-teams.zip")).expect("a package").starts_with(b"PK"));

    let none = rig.refused(&["install", "conversations"]);
    assert!(none.contains("nothing is installed yet") && none.contains("dragoman install start"), "{none}");
    assert_eq!(install(&rig, &sims, "slack").await[0]["platform"], "slack");
    install(&rig, &sims, "teams").await;
    enter_team(&sims).await;
    let (table, _) = rig.ok(&["install", "list"]);
    assert!(table.contains("Harbor Works") && table.contains("well"), "{table}");
    assert_eq!(rig.json(&["install", "list"]).as_array().map(Vec::len), Some(2));
    let (link, _) = rig.ok(&["install", "start", "slack", "--no-wait"]);
    assert!(link.starts_with(sims.slack("base_url")), "{link}");

    eventually("the team's channels are known", async || {
        rig.ok(&["install", "conversations", "--search", "launch"])
            .0
            .contains("Product / launch")
            .then_some(())
    })
    .await;
    let found = rig.json(&["install", "conversations", "--search", "launch", "--scope", "slack"]);
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    let reference = found[0]["reference"].as_str().expect("a reference");

    let odd = rig.refused(&["bridge", "add", "slack:#lunch", "teams:#launch"]);
    assert!(odd.contains("slack:#lunch") && odd.contains("install conversations"), "{odd}");
    let odd = rig.refused(&["bridge", "add", "launch", "teams:#launch"]);
    assert!(odd.contains("'launch'") && odd.contains("PLATFORM:#name"), "{odd}");
    let (table, _) = rig.ok(&["bridge", "add", reference, "teams:#launch", "--test"]);
    assert!(table.contains("active") && table.contains("launch"), "{table}");
    let test = "This is a test of the link";
    eventually("the test line stands on both sides", async || {
        let slack = sims.slack_texts("launch").await.iter().any(|text| text.contains(test));
        let teams = sims.teams_texts("launch").await.iter().any(|text| text.contains(test));
        (slack && teams).then_some(())
    })
    .await;
    let twice = rig.refused(&["bridge", "add", "slack:#launch", "teams:#general"]);
    assert!(twice.contains("DRG-ALREADY-BRIDGED") && twice.contains("bridge members"), "{twice}");
    assert!(sims.end().success(), "the simulators end with their input");
}

#[tokio::test]
async fn every_app_comes_with_what_to_upload_or_copy() {
    let sims = Sims::start(&[]);
    let rig = Rig::new(&sims.config());
    let _gateway = rig.serve().await;
    rig.ok(&["org", "add", "Harbor Works"]);
    for (platform, scope, file) in [
        ("slack", "chat:write", "slack-manifest.json"),
        ("teams", "ChannelMessage.Read.Group", ""),
        ("webex", "spark:messages_read", "webex-integration.txt"),
        ("zoom", "team_chat:read:user_message:admin", "zoom-scopes.txt"),
    ] {
        let out = rig.path(platform).display().to_string();
        let add = ["app", "add", platform, "--features", "messages", "--out", &out];
        let (told, _) = rig.ok(&add);
        let line = told.lines().find(|line| line.starts_with(scope)).unwrap_or_else(|| panic!("{told}"));
        assert!(line.contains("messages") && line.split_whitespace().count() > 4, "a reason: {line}");
        assert!(told.contains("\n1. "), "steps: {told}");
        // Without its id there is no package that Teams would take.
        assert!(
            file.is_empty() || fs::read_to_string(rig.path(platform).join(file)).expect(file).contains(scope)
        );
    }
    let scopes = fs::read_to_string(rig.path("zoom").join("zoom-scopes.txt")).expect("a list");
    assert!(
        scopes.contains("chat_message:read:admin"),
        "the classic names beside the granular ones: {scopes}"
    );
    let zoom = rig.json(&["app", "add", "zoom", "--features", "messages,reactions"]);
    let asked = zoom["package"]["scopes"].as_array().expect("scopes");
    assert!(asked.iter().any(|scope| scope["feature"] == "reactions" && scope["reason"] != ""), "{asked:?}");
}

#[tokio::test]
async fn a_bridge_is_looked_after() {
    let world = World::start().await;
    let (rig, bridge) = (&world.rig, world.bridge.as_str());
    world.relays_both_ways("hello").await;

    // Receipts: of everything, of one message, of none.
    let ts = world.sims.ana_says("launch", "receipt please").await;
    world.arrives_at_teams("receipt please").await;
    eventually("its receipt is there", async || {
        let shown = rig.json(&["delivery", "show", &ts]);
        (shown[0]["outcome"] == "delivered").then_some(())
    })
    .await;
    let (table, _) = rig.ok(&["delivery", "show", &ts]);
    assert!(table.contains("OUTCOME") && table.contains("delivered"), "{table}");
    assert!(!rig.ok(&["delivery", "list"]).0.contains("receipt please"));
    let (_, hint) = rig.ok(&["delivery", "show", "1.1"]);
    assert!(hint.contains("1.1") && hint.contains("not bridged"), "{hint}");

    // Paused nothing passes, resumed it does again.
    assert_eq!(rig.json(&["bridge", "pause", bridge])[0]["state"], "paused");
    world.sims.ana_says("launch", "into the void").await;
    assert_eq!(rig.json(&["bridge", "resume", &bridge[..20]])[0]["state"], "active");
    world.relays_both_ways("again").await;
    assert!(!world.sims.teams_texts("launch").await.iter().any(|text| text.contains("into the void")));

    // Members come and go.
    let three = rig.json(&["bridge", "members", bridge, "--add", "slack:#general"]);
    assert_eq!(three[0]["members"].as_array().map(Vec::len), Some(3), "{three}");
    world.sims.dana_says("launch", "to both channels").await;
    world.arrives_at_slack("to both channels").await;
    eventually("it arrives in the third channel", async || {
        let texts = world.sims.slack_texts("general").await;
        texts.iter().any(|text| text.contains("to both channels")).then_some(())
    })
    .await;
    let odd = rig.refused(&["bridge", "members", bridge, "--remove", "slack:#backstage"]);
    assert!(odd.contains("slack:#backstage") && odd.contains("bridge list"), "{odd}");
    let two = rig.json(&["bridge", "members", bridge, "--remove", "slack:#general"]);
    assert_eq!(two[0]["members"].as_array().map(Vec::len), Some(2), "{two}");
    let few = rig.refused(&["bridge", "members", bridge, "--remove", "slack:#launch"]);
    assert!(few.contains("fewer than two") && few.contains("dragoman bridge remove"), "{few}");

    // Ended.
    assert_eq!(rig.json(&["bridge", "remove", bridge])[0]["state"], "ended");
    assert_eq!(rig.json(&["bridge", "list"]), json!([]));
    assert_eq!(rig.json(&["bridge", "list", "--ended"])[0]["state"], "ended");
    let over = rig.refused(&["bridge", "resume", bridge]);
    assert!(over.contains("has ended") && over.contains("dragoman bridge add"), "{over}");
    let none = rig.refused(&["bridge", "pause", "no-such-bridge"]);
    assert!(none.contains("no-such-bridge") && none.contains("dragoman bridge list"), "{none}");
}

#[tokio::test]
async fn dead_letters_are_replayed_or_dropped() {
    let world = World::start().await;
    let rig = &world.rig;
    world.relays_both_ways("before").await;
    // Nothing can be posted into an archived channel, however often it is tried.
    let archive = |archived: bool| json!({"action": "archive", "user": "U07ANASOUZA", "channel": "C07LAUNCH", "archived": archived});
    let done = world.sims.at_slack("slack/act", &archive(true)).await;
    assert_eq!(done["ok"], true, "{done}");
    let first = world.sims.dana_says("launch", "first refused").await;
    let second = world.sims.dana_says("launch", "second refused").await;
    // Teams tells of a message twice, through the bot and through Graph; each may be given up. Both have to be
    // through before the channel opens again, or what comes late is posted.
    let told_twice =
        |message: &str| rig.json(&["delivery", "show", message]).as_array().is_some_and(|all| all.len() >= 2);
    let of = |letters: &Value, message: &str| -> Vec<String> {
        let letters = letters.as_array().cloned().unwrap_or_default();
        let fitting = letters.iter().filter(|letter| letter["message"] == message);
        fitting.map(|letter| letter["id"].as_str().expect("an id").to_owned()).collect()
    };
    let (earlier, later) = eventually("both are given up and nothing is under way", async || {
        let letters = rig.json(&["dead-letter", "list"]);
        let (earlier, later) = (of(&letters, &first), of(&letters, &second));
        let waits = rig.json(&["doctor"]).to_string().contains(", 0 legs waiting");
        let through = waits && told_twice(&first) && told_twice(&second);
        (!earlier.is_empty() && !later.is_empty() && through).then(|| {
            // Read again: the last one may have been given up in between.
            let letters = rig.json(&["dead-letter", "list"]);
            (of(&letters, &first), of(&letters, &second))
        })
    })
    .await;
    let (table, _) = rig.ok(&["dead-letter", "list"]);
    assert!(table.contains("DRG-CONVERSATION-GONE") && !table.contains("refused"), "{table}");
    assert!(rig.ok(&["doctor"]).0.contains("`dragoman dead-letter list` shows them"));

    let which = rig.refused(&["dead-letter", "replay"]);
    assert!(which.contains("--all") && which.contains("dragoman dead-letter list"), "{which}");
    let none = rig.refused(&["dead-letter", "drop", "no-such-letter"]);
    assert!(none.contains("no-such-letter") && none.contains("dragoman dead-letter list"), "{none}");

    world.sims.at_slack("slack/act", &archive(false)).await;
    let act = |word: &'static str, ids: &[String]| -> Vec<String> {
        ["dead-letter", word].map(str::to_owned).into_iter().chain(ids.iter().cloned()).collect()
    };
    let run = |act: Vec<String>| rig.json(&act.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(run(act("drop", &later))["count"], later.len());
    assert_eq!(run(act("replay", &earlier))["count"], earlier.len());
    world.arrives_at_slack("first refused").await;
    assert_eq!(rig.json(&["dead-letter", "list"]), json!([]));
    assert_eq!(rig.json(&["dead-letter", "replay", "--all"])["count"], 0);
    world.relays_both_ways("after").await;
    let texts = world.sims.slack_texts("launch").await;
    assert_eq!(texts.iter().filter(|text| text.contains("first refused")).count(), 1, "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("second refused")));
}

#[tokio::test]
async fn a_token_that_an_admin_has_is_taken_over() {
    let sims = Sims::start(&[]);
    let rig = Rig::new(&sims.config());
    let _gateway = rig.serve().await;
    rig.ok(&["org", "add", "Harbor Works"]);
    add_slack(&rig, &sims, false).await;
    let file = rig.path("token");
    fs::write(&file, sims.slack("bot_token")).expect("a file");
    let installed = rig.json(&["install", "token", "slack", &file.display().to_string()]);
    assert_eq!(installed[0]["workspace"], sims.slack("team"));
    fs::write(&file, "xoxb-not-a-token").expect("a file");
    let wrong = rig.refused(&["install", "token", "slack", &file.display().to_string()]);
    assert!(wrong.contains("DRG-") && !wrong.contains("xoxb-not-a-token"), "{wrong}");
    let gone = rig.refused(&["install", "token", "slack", "/nowhere/token"]);
    assert!(gone.contains("/nowhere/token cannot be read"), "{gone}");
}
