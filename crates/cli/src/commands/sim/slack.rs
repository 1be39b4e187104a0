//! Slack, with its app installed.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_sim::core::World;
use dragoman_sim::slack::{SlackSim, SlackSimConfig};
use serde::Serialize;

use super::hosts::Stage;
use super::run::{first_name, in_use, loopback};
use crate::args::Sim;

/// Slack's names: its pages and API, files, sockets, pictures.
const HOSTS: &[&str] = &["slack.com", "*.slack.com", "*.slack-edge.com"];
/// The bot token of the installed app.
const BOT_TOKEN: &str = "xoxb-simulated-dragoman";

#[derive(Serialize)]
pub(super) struct Slack {
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

pub(super) async fn start(
    world: &Arc<World>,
    options: &Sim,
    stage: &mut Option<Stage>,
) -> Result<(SlackSim, Slack)> {
    let mut config = SlackSimConfig::installed(BOT_TOKEN, &["C07GENERAL", "C07LAUNCH"]);
    config.listen = loopback(options.slack_port);
    config.auto_approve = options.auto_approve;
    config.limits.enabled = !options.no_limits;
    config.apps[0].socket_mode = options.socket_mode;
    config.apps[0].events_url.clone_from(&options.slack_events);
    if let Some(stage) = stage {
        config.tls = Some(stage.certificate(HOSTS)?);
        config.public_base = Some("https://slack.com".to_owned());
    }
    let app = config.apps[0].clone();
    let workspace = config.workspaces[0].clone();
    let sim = SlackSim::start(world, config).await.with_context(|| in_use("--slack-port"))?;
    if let Some(stage) = stage {
        stage.lead(HOSTS, sim.address());
    }
    let tokens = workspace.people.iter();
    let told = Slack {
        base_url: sim.base_url().to_owned(),
        bot_token: BOT_TOKEN.to_owned(),
        user_tokens: tokens
            .filter_map(|person| Some((first_name(&person.real_name), person.client_token.clone()?)))
            .collect(),
        team: workspace.id,
        app_id: app.app_id,
        client_id: app.client_id,
        client_secret: app.client_secret,
        signing_secret: app.signing_secret,
        app_token: app.app_token,
        channels: workspace.channels.into_iter().map(|channel| (channel.name, channel.id)).collect(),
    };
    Ok((sim, told))
}
