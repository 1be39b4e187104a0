//! The demo's world: two simulated platforms, a gateway on throw-away data between them, set up the way an
//! operator would: apps registered, installed through the consent pages, channels linked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dragoman_gateway::admin::api::{self, Ask};
use dragoman_gateway::admin::client::Client;
use dragoman_platform::http::HttpRequest;
use dragoman_sim::core::World;
use dragoman_sim::slack::{SlackLimits, SlackSim, SlackSimConfig};
use dragoman_sim::teams::{ChannelSeed, PersonSeed, Place, TeamsSim, TeamsSimConfig, seed};
use http::{Method, header};
use tempfile::TempDir;
use url::Url;

use super::sides::{SlackSide, TeamsSide};
use crate::commands::serve::{Gateway, Prepared};
use crate::config::Config;

/// A person with an account on both platforms.
const CHLOE_AT_TEAMS: &str = "44a3d9e6-af58-4eb0-94fc-62715fbe7a34";
const PIER: &str = "19:77c0ffee9b8a4612b3d4c5e6f7a80913@thread.tacv2";

/// Everything that runs in a demo.
pub(crate) struct Demo {
    pub(crate) gateway: Gateway,
    pub(crate) slack: SlackSim,
    pub(crate) teams: TeamsSim,
    world: Arc<World>,
    client: Client,
    _folder: TempDir,
}

impl Demo {
    /// Starts everything and links the channels. `hurry` lifts the platforms' rate limits for the story.
    pub(crate) async fn start(hurry: bool) -> Result<Self> {
        let world = World::real(1);
        let mut slack_config = SlackSimConfig { auto_approve: true, ..SlackSimConfig::default() };
        let mut teams_config = TeamsSimConfig::default();
        teams_config.people.push(PersonSeed {
            id: CHLOE_AT_TEAMS.to_owned(),
            name: "Chloe Martin".to_owned(),
            upn: "chloe.martin@harbor-works.example".to_owned(),
            mail: Some("chloe.martin@harbor-works.example".to_owned()),
            guest: true,
            photo: false,
            nameless_in_messages: false,
        });
        teams_config.teams[0].members.push(CHLOE_AT_TEAMS.to_owned());
        teams_config.teams[0].channels.push(ChannelSeed {
            id: PIER.to_owned(),
            name: "pier".to_owned(),
            membership: "standard".to_owned(),
            members: Vec::new(),
        });
        teams_config.apps[0].installed_teams.clear();
        if hurry {
            slack_config.limits = SlackLimits { enabled: false, ..SlackLimits::default() };
            teams_config.limits.graph = false;
            teams_config.limits.connector = false;
        }
        let slack = SlackSim::start(&world, slack_config).await?;
        let teams = TeamsSim::start(&world, teams_config).await?;
        let folder = TempDir::with_prefix("dragoman-demo-")?;
        let config = configure(&folder, &slack, &teams, hurry);
        let prepared = Prepared::throw_away(config.clone()).await?;
        let config = prepared.config().clone();
        let gateway = prepared.start().await?;
        let client = Client::new(crate::commands::socket_path(&config));
        let demo = Self { gateway, slack, teams, world, client, _folder: folder };
        demo.set_up().await?;
        Ok(demo)
    }

    async fn ask<A: Ask>(&self, request: &A) -> Result<A::Answer> {
        Ok(self.client.ask(request).await?)
    }

    async fn set_up(&self) -> Result<()> {
        self.ask(&api::OrgAdd { name: "Demo".to_owned() }).await?;
        let seed = dragoman_sim::slack::SeedApp::default();
        let slack_values = [
            ("client_id", seed.client_id.as_str()),
            ("client_secret", &seed.client_secret),
            ("signing_secret", &seed.signing_secret),
        ];
        let slack_app = self.register("slack", &slack_values, &["private-channels", "email"]).await?;
        let events_url = format!("{}/events", slack_app.hooks_url.trim_end_matches("/events"));
        self.slack.save_events_url(&seed.app_id, &events_url).await?;
        let teams_values =
            [("app_id", seed::APP), ("tenant_id", seed::TENANT), ("client_secret", seed::APP_SECRET)];
        let teams_app = self.register("teams", &teams_values, &[]).await?;
        self.teams.set_bot_endpoint(seed::APP, Some(&format!("{}/messages", teams_app.hooks_url)));
        self.install("slack").await?;
        self.install("teams").await?;
        ensure!(
            self.teams.install(seed::APP, &Place::Team(seed::TEAM.to_owned()), seed::DANA),
            "the app could not be installed in the simulated team"
        );
        let bot = self
            .slack
            .bot(&seed.app_id, "T07HARBOR")
            .context("the app has no bot in the simulated workspace")?;
        // A private channel takes apps by invitation only.
        self.ana("C07BACKSTAGE").invite(&bot.user_id).await?;
        self.link(&["slack:C07LAUNCH", &format!("teams:{}", seed::LAUNCH)]).await?;
        Ok(())
    }

    async fn register(
        &self,
        platform: &str,
        values: &[(&str, &str)],
        features: &[&str],
    ) -> Result<api::AppInfo> {
        let values: BTreeMap<String, api::SecretText> = values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), api::SecretText((*value).to_owned())))
            .collect();
        let features = features.iter().map(|feature| (*feature).to_owned()).collect();
        let add = api::AppAdd { org: None, platform: platform.to_owned(), values, features };
        let app = self.ask(&add).await?;
        ensure!(app.missing.is_empty(), "the {platform} app lacks {}", app.missing.join(", "));
        Ok(app)
    }

    /// Goes the way an admin's browser goes.
    async fn install(&self, platform: &str) -> Result<()> {
        let started = self.ask(&api::InstallStart { app: platform.to_owned() }).await?;
        let mut url = Url::parse(&started.link)?;
        for _ in 0..6 {
            let answer = self.gateway.shared.http.send(HttpRequest::new(Method::GET, url.clone())).await?;
            let Some(location) = answer.headers.get(header::LOCATION) else { break };
            url = url.join(location.to_str()?)?;
        }
        for _ in 0..5 {
            match self.ask(&api::InstallWait { ticket: started.ticket.clone() }).await? {
                api::InstallState::Waiting => {}
                api::InstallState::Done(_) => return Ok(()),
                api::InstallState::Failed(problem) => return Err(problem.into()),
            }
        }
        bail!("installing the {platform} app did not come to an end")
    }

    /// Links conversations; waits until the platforms told what is needed for that.
    pub(crate) async fn link(&self, members: &[&str]) -> Result<api::BridgeInfo> {
        let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
        let add = api::BridgeAdd { members, allow_external: false };
        let deadline = self.gateway.shared.clock.monotonic_ms() + 10_000;
        loop {
            match self.ask(&add).await {
                Ok(bridge) if bridge.warnings.is_empty() => return Ok(bridge),
                Ok(bridge) => return Ok(bridge),
                Err(error) if self.gateway.shared.clock.monotonic_ms() > deadline => {
                    return Err(error.context("the channels could not be linked"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Ana in a Slack channel.
    pub(crate) fn ana(&self, channel: &str) -> SlackSide {
        SlackSide {
            http: self.gateway.shared.http.clone(),
            base: self.slack.base_url().to_owned(),
            token: "xoxp-client-ana.souza".to_owned(),
            channel: channel.to_owned(),
            person: "Ana Souza".to_owned(),
        }
    }

    /// Dana in a Teams channel.
    pub(crate) fn dana(&self, channel: &str) -> TeamsSide {
        let scopes = ["ChannelMessage.Send", "ChannelMessage.ReadWrite", "ChannelMessage.Read.All"];
        TeamsSide {
            http: self.gateway.shared.http.clone(),
            base: self.teams.base_url().to_owned(),
            token: self.teams.user_token(seed::APP, seed::DANA, &scopes),
            team: seed::TEAM.to_owned(),
            channel: channel.to_owned(),
            person: "Dana Lindqvist".to_owned(),
        }
    }

    /// The channels that the story links besides `launch`.
    pub(crate) fn more_channels() -> [(&'static str, &'static str); 2] {
        [("C07GENERAL", "C07BACKSTAGE"), (seed::GENERAL, PIER)]
    }

    /// Ends everything; nothing is left.
    pub(crate) async fn end(self) {
        self.gateway.stop().await;
        self.slack.shutdown().await;
        self.teams.shutdown().await;
        self.world.tasks.shutdown().await;
    }
}

fn configure(folder: &TempDir, slack: &SlackSim, teams: &TeamsSim, hurry: bool) -> Config {
    let mut config = Config {
        data_folder: folder.path().join("data"),
        key_folder: folder.path().join("keys"),
        ..Config::default()
    };
    config.listen.address.set_port(0);
    config.ops.address.set_port(0);
    config.outbound.allow_private = true;
    config.slack.api_base = format!("{}/api/", slack.base_url());
    config.slack.authorize_url = format!("{}/oauth/v2/authorize", slack.base_url());
    let base = teams.base_url();
    base.clone_into(&mut config.teams.login_base);
    base.clone_into(&mut config.teams.graph_base);
    config.teams.bot_openid_url = format!("{base}/v1/.well-known/openidconfiguration");
    config.teams.allowed_service_hosts = vec![base.to_owned()];
    config.teams.default_service_url = teams.service_url();
    if hurry {
        config.relay.pace = false;
        config.teams.graph_pause_ms = 0;
    }
    config
}
