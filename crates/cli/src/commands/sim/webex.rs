//! Webex, with an integration that nobody has authorised yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_sim::core::World;
use dragoman_sim::webex::seed::{BOT_TOKEN, SERVICE};
use dragoman_sim::webex::{WebexSim, WebexSimConfig};
use serde::Serialize;

use super::hosts::Stage;
use super::run::{address, first_name, in_use, loopback};
use crate::args::Sim;

/// Webex's names: the API, and its older name.
const HOSTS: &[&str] = &["webexapis.com", "*.webexapis.com", "api.ciscospark.com"];

#[derive(Serialize)]
pub(super) struct Webex {
    base_url: String,
    client_id: String,
    client_secret: String,
    bot_token: String,
    /// Of people; that of the account that the bridge is meant to use is not among them.
    user_tokens: BTreeMap<String, String>,
    people: BTreeMap<String, String>,
    rooms: BTreeMap<String, String>,
}

pub(super) async fn start(
    world: &Arc<World>,
    options: &Sim,
    stage: &mut Option<Stage>,
) -> Result<(WebexSim, Webex)> {
    let mut config = WebexSimConfig {
        listen: loopback(options.webex_port),
        auto_approve: options.auto_approve,
        ..WebexSimConfig::default()
    };
    config.limits.enabled = !options.no_limits;
    if let Some(stage) = stage {
        config.tls = Some(stage.certificate(HOSTS)?);
        config.link_base = Some("https://webexapis.com".to_owned());
    }
    let integration = config.integrations[0].clone();
    let people = config.orgs[0].people.clone();
    let titles: Vec<String> = config.rooms.iter().map(|room| room.title.clone()).collect();
    let sim = WebexSim::start(world, config).await.with_context(|| in_use("--webex-port"))?;
    if let Some(stage) = stage {
        stage.lead(HOSTS, address(sim.base_url())?);
    }
    let persons = || people.iter().filter(|person| person.uuid != SERVICE);
    let told = Webex {
        base_url: sim.base_url().to_owned(),
        client_id: integration.client_id,
        client_secret: integration.client_secret,
        bot_token: BOT_TOKEN.to_owned(),
        user_tokens: persons()
            .filter_map(|person| Some((first_name(&person.display_name), person.token.clone()?)))
            .collect(),
        people: persons()
            .filter_map(|it| Some((first_name(&it.display_name), sim.person_id(&it.display_name)?)))
            .collect(),
        rooms: titles
            .into_iter()
            .filter_map(|title| Some((title.to_lowercase(), sim.room_id(&title)?)))
            .collect(),
    };
    Ok((sim, told))
}
