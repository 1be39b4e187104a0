//! `sim`: the simulators alone, for anybody's tests. Prints one JSON document with addresses and credentials,
//! then runs until standard input ends or Ctrl-C.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use dragoman_sim::core::World;
use dragoman_sim::slack::{SlackSim, SlackSimConfig};
use dragoman_sim::teams::{TeamsSim, TeamsSimConfig, seed};
use serde::Serialize;
use tokio::io::AsyncReadExt as _;

use crate::args::Sim;
use crate::end::End;
use crate::print;

/// The bot token of the installed Slack app.
const BOT_TOKEN: &str = "xoxb-simulated-dragoman";
/// What people's Graph tokens may do.
const SCOPES: [&str; 5] = [
    "ChannelMessage.Send",
    "ChannelMessage.ReadWrite",
    "ChannelMessage.Read.All",
    "Team.ReadBasic.All",
    "Channel.ReadBasic.All",
];

#[derive(Serialize)]
struct Addresses {
    slack: Slack,
    teams: Teams,
}

#[derive(Serialize)]
struct Slack {
    base_url: String,
    bot_token: String,
    user_tokens: BTreeMap<String, String>,
    team: String,
    app_id: String,
    client_id: String,
    client_secret: String,
    signing_secret: String,
    app_token: String,
    channels: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Teams {
    base_url: String,
    service_url: String,
    tenant: String,
    app_id: String,
    app_secret: String,
    user_tokens: BTreeMap<String, String>,
    people: BTreeMap<String, String>,
    team: String,
    channels: BTreeMap<String, String>,
}

pub(crate) async fn run(options: Sim) -> Result<()> {
    let mut end = End::listen()?;
    let world = World::real(options.seed);
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let mut slack_config = SlackSimConfig::installed(BOT_TOKEN, &["C07GENERAL", "C07LAUNCH"]);
    slack_config.listen = loopback(options.slack_port);
    slack_config.auto_approve = options.auto_approve;
    slack_config.limits.enabled = !options.no_limits;
    slack_config.apps[0].socket_mode = options.socket_mode;
    slack_config.apps[0].events_url = options.slack_events;
    let mut teams_config = TeamsSimConfig {
        addr: loopback(options.teams_port),
        auto_approve: options.auto_approve,
        ..TeamsSimConfig::default()
    };
    teams_config.limits.graph = !options.no_limits;
    teams_config.limits.connector = !options.no_limits;
    match &options.teams_messages {
        Some(endpoint) => teams_config.apps[0] = teams_config.apps[0].clone().with_endpoint(endpoint),
        // A bot that nobody listens for would never hear that it was added.
        None => teams_config.apps[0].installed_teams.clear(),
    }
    let app = slack_config.apps[0].clone();
    let team = slack_config.workspaces[0].id.clone();
    let people = slack_config.workspaces[0].people.clone();
    let channels = slack_config.workspaces[0].channels.clone();
    let teams_people = teams_config.people.clone();
    let in_use = |option| format!("the port of {option} cannot be used; take another, or 0 for a free one");
    let slack = SlackSim::start(&world, slack_config).await.with_context(|| in_use("--slack-port"))?;
    let teams = TeamsSim::start(&world, teams_config).await.with_context(|| in_use("--teams-port"))?;
    let first_name = |name: &str| name.split(' ').next().unwrap_or(name).to_lowercase();
    let addresses = Addresses {
        slack: Slack {
            base_url: slack.base_url().to_owned(),
            bot_token: BOT_TOKEN.to_owned(),
            user_tokens: people
                .iter()
                .filter_map(|person| Some((first_name(&person.real_name), person.client_token.clone()?)))
                .collect(),
            team,
            app_id: app.app_id,
            client_id: app.client_id,
            client_secret: app.client_secret,
            signing_secret: app.signing_secret,
            app_token: app.app_token,
            channels: channels.into_iter().map(|channel| (channel.name, channel.id)).collect(),
        },
        teams: Teams {
            base_url: teams.base_url().to_owned(),
            service_url: teams.service_url(),
            tenant: seed::TENANT.to_owned(),
            app_id: seed::APP.to_owned(),
            app_secret: seed::APP_SECRET.to_owned(),
            user_tokens: teams_people
                .iter()
                .map(|person| (first_name(&person.name), teams.user_token(seed::APP, &person.id, &SCOPES)))
                .collect(),
            people: teams_people.iter().map(|person| (first_name(&person.name), person.id.clone())).collect(),
            team: seed::TEAM.to_owned(),
            channels: [("general", seed::GENERAL), ("launch", seed::LAUNCH)]
                .map(|(name, id)| (name.to_owned(), id.to_owned()))
                .into(),
        },
    };
    print::json(&addresses)?;
    print::hint(
        "Each address shows a chat page in a browser. Ctrl-C, or the end of standard input, ends it.",
    );
    tokio::select! {
        () = end.came() => {}
        () = end_of_input() => {}
    }
    slack.shutdown().await;
    teams.shutdown().await;
    world.tasks.shutdown().await;
    Ok(())
}

/// Returns when whoever holds the other end of a pipe is gone; never on a terminal.
async fn end_of_input() {
    use std::io::IsTerminal as _;
    if std::io::stdin().is_terminal() {
        return std::future::pending().await;
    }
    let mut input = tokio::io::stdin();
    let mut buffer = [0_u8; 256];
    while matches!(input.read(&mut buffer).await, Ok(read) if read > 0) {}
}
