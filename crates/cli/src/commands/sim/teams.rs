//! Microsoft Teams: sign-in, Graph, the connector.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_sim::core::World;
use dragoman_sim::teams::{TeamsSim, TeamsSimConfig, seed};
use serde::Serialize;

use super::hosts::Stage;
use super::run::{address, first_name, in_use, loopback};
use crate::args::Sim;

/// Microsoft's names: sign-in, Graph, the Bot Framework's sign-in, the connector, the tenant's sites.
const HOSTS: &[&str] = &[
    "login.microsoftonline.com",
    "graph.microsoft.com",
    "login.botframework.com",
    "api.botframework.com",
    "smba.trafficmanager.net",
    "fabrikant.sharepoint.com",
];
/// What people's Graph tokens may do.
const SCOPES: [&str; 5] = [
    "ChannelMessage.Send",
    "ChannelMessage.ReadWrite",
    "ChannelMessage.Read.All",
    "Team.ReadBasic.All",
    "Channel.ReadBasic.All",
];

#[derive(Serialize)]
pub(super) struct Teams {
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

pub(super) async fn start(
    world: &Arc<World>,
    options: &Sim,
    stage: &mut Option<Stage>,
) -> Result<(TeamsSim, Teams)> {
    let mut config = TeamsSimConfig {
        addr: loopback(options.teams_port),
        auto_approve: options.auto_approve,
        ..TeamsSimConfig::default()
    };
    config.limits.graph = !options.no_limits;
    config.limits.connector = !options.no_limits;
    match &options.teams_messages {
        Some(endpoint) => config.apps[0] = config.apps[0].clone().with_endpoint(endpoint),
        // A bot that nobody listens for would never hear that it was added.
        None => config.apps[0].installed_teams.clear(),
    }
    if let Some(stage) = stage {
        let tls = stage.certificate(HOSTS)?;
        config.tls = Some((tls.chain_pem, tls.key_pem));
        config.service_host = Some("https://smba.trafficmanager.net".to_owned());
        config.site_host = Some("https://fabrikant.sharepoint.com".to_owned());
    }
    let people = config.people.clone();
    let sim = TeamsSim::start(world, config).await.with_context(|| in_use("--teams-port"))?;
    if let Some(stage) = stage {
        stage.lead(HOSTS, address(sim.base_url())?);
    }
    let told = Teams {
        base_url: sim.base_url().to_owned(),
        service_url: sim.service_url(),
        tenant: seed::TENANT.to_owned(),
        app_id: seed::APP.to_owned(),
        app_secret: seed::APP_SECRET.to_owned(),
        user_tokens: people
            .iter()
            .map(|person| (first_name(&person.name), sim.user_token(seed::APP, &person.id, &SCOPES)))
            .collect(),
        people: people.iter().map(|person| (first_name(&person.name), person.id.clone())).collect(),
        team: seed::TEAM.to_owned(),
        channels: [("general", seed::GENERAL), ("launch", seed::LAUNCH)]
            .map(|(name, id)| (name.to_owned(), id.to_owned()))
            .into(),
    };
    Ok((sim, told))
}
