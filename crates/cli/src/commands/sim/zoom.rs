//! Zoom Team Chat, with an admin-managed app that nobody has authorised yet, and one through which people speak.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dragoman_sim::core::World;
use dragoman_sim::zoom::{ZoomSim, ZoomSimConfig};
use serde::Serialize;

use super::hosts::Stage;
use super::run::{address, first_name, in_use, loopback};
use crate::args::Sim;
use crate::people::zoom_clients;

/// Zoom's names: pages and sign-in, API, events; and those of the file host.
const HOSTS: &[&str] = &["zoom.us", "*.zoom.us"];
const FILE_HOSTS: &[&str] = &["file.zoom.us", "fileapi.zoom.us"];

#[derive(Serialize)]
pub(super) struct Zoom {
    base_url: String,
    files_url: String,
    account: String,
    app_id: String,
    client_id: String,
    client_secret: String,
    secret_token: String,
    subscription: String,
    bridge_user: String,
    user_tokens: BTreeMap<String, String>,
    people: BTreeMap<String, String>,
    channels: BTreeMap<String, String>,
}

pub(super) async fn start(
    world: &Arc<World>,
    options: &Sim,
    stage: &mut Option<Stage>,
) -> Result<(ZoomSim, Zoom)> {
    let mut config = ZoomSimConfig {
        listen: loopback(options.zoom_port),
        auto_approve: options.auto_approve,
        ..ZoomSimConfig::default()
    };
    config.limits.enabled = !options.no_limits;
    let user_tokens = zoom_clients(&mut config);
    if let Some(stage) = stage {
        config.tls = Some(stage.certificate(HOSTS)?);
        config.api_url = Some("https://api.zoom.us".to_owned());
    }
    let app = config.apps[0].clone();
    let account = config.accounts[0].clone();
    let sim = ZoomSim::start(world, config).await.with_context(|| in_use("--zoom-port"))?;
    if let Some(stage) = stage {
        stage.lead(FILE_HOSTS, address(sim.files_url())?);
        stage.lead(HOSTS, address(sim.base_url())?);
    }
    let bridge = dragoman_sim::zoom::config::BRIDGE;
    let people = account.people.iter().filter(|person| person.id != bridge);
    let told = Zoom {
        base_url: sim.base_url().to_owned(),
        files_url: sim.files_url().to_owned(),
        account: account.id.clone(),
        app_id: app.app_id,
        client_id: app.client_id,
        client_secret: app.client_secret,
        secret_token: app.secret_token,
        subscription: app.subscriptions.first().map(|it| it.id.clone()).unwrap_or_default(),
        bridge_user: bridge.to_owned(),
        user_tokens: user_tokens.into_iter().map(|(name, token)| (first_name(&name), token)).collect(),
        people: people.map(|person| (person.first_name.to_lowercase(), person.id.clone())).collect(),
        channels: account.channels.iter().map(|it| (it.name.to_lowercase(), it.id.clone())).collect(),
    };
    Ok((sim, told))
}
