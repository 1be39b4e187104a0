//! A gateway between the simulators, set up through commands only.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::http::eventually;
use crate::rig::{Rig, Served, line_of, rest_of, text};
use crate::sims::Sims;

/// Everything that runs in a test.
pub(crate) struct World {
    pub(crate) rig: Rig,
    pub(crate) sims: Sims,
    pub(crate) gateway: Served,
    /// The bridge of both `launch` channels.
    pub(crate) bridge: String,
}

impl World {
    /// Slack through webhooks.
    pub(crate) async fn start() -> Self {
        Self::start_in(None, false).await
    }

    /// Data in a folder of the test's choice; Slack through Socket Mode where wanted.
    pub(crate) async fn start_in(data: Option<&Path>, socket_mode: bool) -> Self {
        let sims = Sims::start(if socket_mode { &["--socket-mode"] } else { &[] });
        let rig = Rig::with_data(&sims.config(), data);
        let gateway = rig.serve().await;
        rig.ok(&["org", "add", "Harbor Works"]);
        add_slack(&rig, &sims, socket_mode).await;
        add_teams(&rig, &sims).await;
        install(&rig, &sims, "slack").await;
        install(&rig, &sims, "teams").await;
        enter_team(&sims).await;
        let bridge = link(&rig, &["slack:#launch", "teams:#launch"]).await;
        let bridge = bridge[0]["id"].as_str().expect("an id").to_owned();
        Self { rig, sims, gateway, bridge }
    }

    /// A message of Ana arrives at Teams, and one of Dana at Slack.
    pub(crate) async fn relays_both_ways(&self, word: &str) {
        self.sims.ana_says("launch", &format!("from ana: {word}")).await;
        self.arrives_at_teams(&format!("from ana: {word}")).await;
        self.sims.dana_says("launch", &format!("from dana: {word}")).await;
        self.arrives_at_slack(&format!("from dana: {word}")).await;
    }

    pub(crate) async fn arrives_at_teams(&self, words: &str) {
        eventually(&format!("'{words}' arrives at Teams"), async || {
            self.sims.teams_texts("launch").await.iter().any(|text| text.contains(words)).then_some(())
        })
        .await;
    }

    pub(crate) async fn arrives_at_slack(&self, words: &str) {
        eventually(&format!("'{words}' arrives at Slack"), async || {
            self.sims.slack_texts("launch").await.iter().any(|text| text.contains(words)).then_some(())
        })
        .await;
    }
}

/// Registers the app on Slack with its secrets in files.
pub(crate) async fn add_slack(rig: &Rig, sims: &Sims, socket_mode: bool) -> Value {
    let secret = |key: &str| {
        let path = rig.path(key);
        fs::write(&path, format!("{}\n", sims.slack(key))).expect("a file");
        format!("{key}=@{}", path.display())
    };
    let client_id = format!("client_id={}", sims.slack("client_id"));
    let (client_secret, signing_secret) = (secret("client_secret"), secret("signing_secret"));
    let app_token = secret("app_token");
    let mut arguments =
        vec!["app", "add", "slack", "--set", &client_id, "--set", &client_secret, "--set", &signing_secret];
    if socket_mode {
        arguments.extend(["--set", "transport=socket", "--set", &app_token]);
    }
    let app = rig.json(&arguments);
    assert_eq!(app["missing"], json!([]));
    if !socket_mode {
        tell_slack(sims, &app).await;
    }
    app
}

/// Saves the request URL in the app's settings at Slack.
pub(crate) async fn tell_slack(sims: &Sims, app: &Value) {
    let url = format!("{}/events", app["hooks_url"].as_str().expect("a URL"));
    let saved = sims.at_slack("slack/app", &json!({"app": sims.slack("app_id"), "events_url": url})).await;
    assert_eq!(saved["ok"], true, "{saved}");
}

/// Registers the app on Teams, its secret in the environment.
pub(crate) async fn add_teams(rig: &Rig, sims: &Sims) -> Value {
    let app_id = format!("app_id={}", sims.teams("app_id"));
    let tenant = format!("tenant_id={}", sims.teams("tenant"));
    let mut command = rig.prepare(&["app", "add", "teams", "--json", "--set", &app_id, "--set", &tenant]);
    command.args(["--set", "client_secret=$TEAMS_SECRET"]).env("TEAMS_SECRET", sims.teams("app_secret"));
    let output = command.output().expect("the binary runs");
    let app: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(app["missing"], json!([]));
    let endpoint = format!("{}/messages", app["hooks_url"].as_str().expect("a URL"));
    sims.at_teams("endpoint", &json!({"app": sims.teams("app_id"), "endpoint": endpoint})).await;
    app
}

/// Puts the app into the team, as its owner does with the uploaded package.
pub(crate) async fn enter_team(sims: &Sims) {
    let place = json!({"app": sims.teams("app_id"), "team": sims.teams("team"), "as": sims.told["teams"]["people"]["dana"]});
    let done = sims.at_teams("install", &place).await;
    assert_eq!(done["done"], true, "{done}");
}

/// `install start`, with an admin who follows the link.
pub(crate) async fn install(rig: &Rig, sims: &Sims, platform: &str) -> Value {
    let mut command = rig.prepare(&["install", "start", platform, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut stderr = child.stderr.take().expect("a pipe");
    let link = line_of(&mut stderr, "http");
    let (status, page) = sims.http.browse(&link).await;
    assert!(status.is_success() && page.contains("The app is installed in"), "{status}: {page}");
    let mut stdout = child.stdout.take().expect("a pipe");
    let (told, hints) = (rest_of(&mut stdout), rest_of(&mut stderr));
    assert!(child.wait().expect("a child").success(), "{hints}");
    assert!(hints.contains("install conversations"), "{hints}");
    serde_json::from_str(&told).expect("JSON")
}

/// `bridge add`, as soon as the platforms told what is needed for it.
pub(crate) async fn link(rig: &Rig, members: &[&str]) -> Value {
    let arguments = [&["bridge", "add", "--json"], members].concat();
    let mut told = String::new();
    for _ in 0..100 {
        let output = rig.command(&arguments);
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).expect("JSON");
        }
        told = text(&output.stderr);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the channels cannot be linked: {told}");
}
