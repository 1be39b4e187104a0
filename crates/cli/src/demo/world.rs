//! The demo's world: four simulated platforms, a gateway on throw-away data between them, set up the way an
//! operator would: apps registered, installed through the consent pages, channels linked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_gateway::admin::api::{self, Ask};
use dragoman_gateway::admin::client::Client;
use dragoman_model::Clock;
use dragoman_platform::http::HttpClient;
use dragoman_seal::{KeyService, LocalKeys, SystemRandom};
use dragoman_sim::core::World;
use dragoman_sim::slack::SlackSim;
use dragoman_sim::teams::{Place, TeamsSim, seed};
use dragoman_sim::webex::WebexSim;
use dragoman_sim::zoom::ZoomSim;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::seeds;
use super::sides::{SlackSide, TeamsSide, WebexSide, ZoomSide};
use crate::commands::serve::{Gateway, Prepared};
use crate::config::Config;
use crate::people::zoom_clients;

/// What is switched on at Slack and Zoom.
const SLACK_FEATURES: [&str; 6] =
    ["private-channels", "reactions", "files", "email", "direct-messages", "slash-command"];
const TEAMS_FEATURES: [&str; 3] = ["messages", "chats", "files"];
const ZOOM_FEATURES: [&str; 4] = ["messages", "reactions", "files", "direct-messages"];

/// Everything that runs in a demo.
pub(crate) struct Demo {
    pub(crate) sims: Sims,
    /// What people read the platforms with.
    pub(crate) http: HttpClient,
    pub(crate) clock: Arc<dyn Clock>,
    /// None during an outage.
    gateway: Option<Gateway>,
    config: Config,
    /// Written nowhere.
    keys: Arc<dyn KeyService>,
    world: Arc<World>,
    client: Client,
    _folder: TempDir,
}

/// The platforms.
pub(crate) struct Sims {
    pub(crate) slack: SlackSim,
    pub(crate) teams: TeamsSim,
    pub(crate) webex: WebexSim,
    pub(crate) zoom: ZoomSim,
    /// Tokens of people on Webex and Zoom, by name.
    webex_tokens: BTreeMap<String, String>,
    zoom_tokens: BTreeMap<String, String>,
}

impl Sims {
    async fn start(world: &Arc<World>, hurry: bool) -> Result<Self> {
        let (webex, mut zoom) = (seeds::webex(hurry), seeds::zoom(hurry));
        let zoom_tokens = zoom_clients(&mut zoom);
        let people = webex.orgs.iter().flat_map(|org| &org.people);
        let webex_tokens =
            people.filter_map(|it| Some((it.display_name.clone(), it.token.clone()?))).collect();
        Ok(Self {
            slack: SlackSim::start(world, seeds::slack(hurry)).await?,
            teams: TeamsSim::start(world, seeds::teams(hurry)).await?,
            webex: WebexSim::start(world, webex).await?,
            zoom: ZoomSim::start(world, zoom).await?,
            webex_tokens,
            zoom_tokens,
        })
    }

    async fn shutdown(self) {
        self.slack.shutdown().await;
        self.teams.shutdown().await;
        self.webex.shutdown().await;
        self.zoom.shutdown().await;
    }
}

impl Demo {
    /// Starts everything and links the channels. `hurry` lifts the platforms' rate limits for the story.
    pub(crate) async fn start(hurry: bool) -> Result<Self> {
        let world = World::real(1);
        let sims = Sims::start(&world, hurry).await?;
        let folder = TempDir::with_prefix("dragoman-demo-")?;
        let config = configure(&folder, &sims, hurry);
        let keys: Arc<dyn KeyService> = Arc::new(LocalKeys::ephemeral(Arc::new(SystemRandom)));
        let prepared = Prepared::throw_away(config, Arc::clone(&keys)).await?;
        let config = prepared.config().clone();
        let gateway = prepared.start().await?;
        let client = Client::new(crate::commands::socket_path(&config));
        let (http, clock) = (gateway.shared.http.clone(), Arc::clone(&gateway.shared.clock));
        let gateway = Some(gateway);
        let demo = Self { sims, http, clock, gateway, config, keys, world, client, _folder: folder };
        demo.set_up().await?;
        Ok(demo)
    }

    /// The gateway that runs.
    pub(crate) fn gateway(&self) -> Result<&Gateway> {
        self.gateway.as_ref().context("the gateway is down")
    }

    /// Ends the gateway as a service manager does, and with it all that it had in memory.
    pub(crate) async fn stop(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
    }

    /// Whether nobody listens where platforms deliver to.
    pub(crate) async fn is_down(&self) -> bool {
        TcpStream::connect(self.config.listen.address).await.is_err()
    }

    /// Starts another one at the same address, on what is written.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let prepared = Prepared::throw_away(self.config.clone(), Arc::clone(&self.keys)).await?;
        self.gateway = Some(prepared.start().await?);
        Ok(())
    }

    /// Whether the gateway has nothing under way. Says when to look, and nothing of what is seen then.
    pub(crate) async fn is_at_rest(&self) -> Result<bool> {
        let status = self.ask(&api::StatusGet {}).await?;
        Ok(status.events == 0 && status.payloads == 0 && status.legs == 0)
    }

    pub(crate) async fn ask<A: Ask>(&self, request: &A) -> Result<A::Answer> {
        Ok(self.client.ask(request).await?)
    }

    async fn set_up(&self) -> Result<()> {
        self.ask(&api::OrgAdd { name: "Demo".to_owned() }).await?;
        self.add_slack().await?;
        self.add_teams().await?;
        self.add_webex().await?;
        self.add_zoom().await?;
        let launch = [
            "slack:C07LAUNCH".to_owned(),
            format!("teams:{}", seed::LAUNCH),
            "webex:#Launch".to_owned(),
            "zoom:#Launch".to_owned(),
        ];
        self.link(&launch).await?;
        Ok(())
    }

    async fn add_slack(&self) -> Result<()> {
        let app = dragoman_sim::slack::SeedApp::default();
        let values = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", &app.client_secret),
            ("signing_secret", &app.signing_secret),
        ];
        let registered = self.register("slack", &values, &SLACK_FEATURES).await?;
        let events_url = format!("{}/events", registered.hooks_url);
        self.sims.slack.save_events_url(&app.app_id, &events_url).await?;
        self.sims.slack.set_command_url(&app.app_id, &format!("{}/commands", registered.hooks_url));
        self.install("slack").await?;
        let bot = self.sims.slack.bot(&app.app_id, "T07HARBOR");
        let bot = bot.context("the app has no bot in the simulated workspace")?;
        // A private channel takes apps by invitation only.
        self.ana("C07BACKSTAGE").invite(&bot.user_id).await
    }

    async fn add_teams(&self) -> Result<()> {
        let values =
            [("app_id", seed::APP), ("tenant_id", seed::TENANT), ("client_secret", seed::APP_SECRET)];
        let registered = self.register("teams", &values, &TEAMS_FEATURES).await?;
        let endpoint = format!("{}/messages", registered.hooks_url);
        self.sims.teams.set_bot_endpoint(seed::APP, Some(&endpoint));
        self.install("teams").await?;
        ensure!(
            self.sims.teams.install(seed::APP, &Place::Team(seed::TEAM.to_owned()), seed::DANA),
            "the app could not be installed in the simulated team"
        );
        ensure!(
            self.sims.teams.install(seed::APP, &Place::Person(seed::DANA.to_owned()), seed::DANA),
            "the app could not be added for Dana"
        );
        Ok(())
    }

    async fn add_webex(&self) -> Result<()> {
        let app = dragoman_sim::webex::SeedIntegration::default();
        let values = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret)];
        self.register("webex", &values, &[]).await?;
        self.install("webex").await
    }

    async fn add_zoom(&self) -> Result<()> {
        let app = dragoman_sim::zoom::SeedApp::default();
        let values = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", &app.client_secret),
            ("secret_token", &app.secret_token),
            ("bridge_user", dragoman_sim::zoom::config::BRIDGE),
            ("person_client_id", seeds::ZOOM_PEOPLE.0),
            ("person_client_secret", seeds::ZOOM_PEOPLE.1),
        ];
        let registered = self.register("zoom", &values, &ZOOM_FEATURES).await?;
        let events_url = format!("{}/events", registered.hooks_url);
        self.sims.zoom.save_events_url(&app.app_id, &events_url).await?;
        self.install("zoom").await
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
        self.browse(&started.link).await?;
        self.granted(&started.ticket).await.with_context(|| format!("installing the {platform} app"))
    }

    /// Links conversations; waits until the platforms told what is needed for that.
    pub(crate) async fn link(&self, members: &[String]) -> Result<()> {
        self.link_with(members, 0).await
    }

    /// The same, with so many messages of each that were written before.
    pub(crate) async fn link_with(&self, members: &[String], backfill: u32) -> Result<()> {
        let add = api::BridgeAdd { members: members.to_vec(), backfill, ..api::BridgeAdd::default() };
        let deadline = self.clock.monotonic_ms() + 10_000;
        loop {
            match self.ask(&add).await {
                Ok(bridge) => {
                    let warnings: Vec<String> = bridge.warnings.iter().map(ToString::to_string).collect();
                    ensure!(warnings.is_empty(), "the link is not whole: {}", warnings.join("; "));
                    return Ok(());
                }
                Err(error) if self.clock.monotonic_ms() > deadline => {
                    return Err(error.context("the channels could not be linked"));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Lets every bridge tell its members of notices.
    pub(crate) async fn tell_notices(&self) -> Result<()> {
        for bridge in self.ask(&api::BridgeList::default()).await? {
            let set = api::BridgeSet { bridge: bridge.id, notices: Some(api::NoticeMode::On) };
            self.ask(&set).await?;
        }
        Ok(())
    }

    /// Ana in a Slack channel.
    pub(crate) fn ana(&self, channel: &str) -> SlackSide {
        SlackSide {
            http: self.http.clone(),
            base: self.sims.slack.base_url().to_owned(),
            token: "xoxp-client-ana.souza".to_owned(),
            channel: channel.to_owned(),
            person: "Ana Souza".to_owned(),
        }
    }

    /// Dana in a Teams channel.
    pub(crate) fn dana(&self, channel: &str) -> TeamsSide {
        let scopes = [
            "ChannelMessage.Send",
            "ChannelMessage.ReadWrite",
            "ChannelMessage.Read.All",
            "Files.ReadWrite.All",
        ];
        TeamsSide {
            sim: self.sims.teams.clone(),
            http: self.http.clone(),
            base: self.sims.teams.base_url().to_owned(),
            token: self.sims.teams.user_token(seed::APP, seed::DANA, &scopes),
            team: seed::TEAM.to_owned(),
            channel: channel.to_owned(),
            person: "Dana Lindqvist".to_owned(),
            chat_of: None,
        }
    }

    /// Gita in a Webex space, by its title.
    pub(crate) fn gita(&self, title: &str) -> Result<WebexSide> {
        let person = "Gita Rao";
        Ok(WebexSide {
            sim: self.sims.webex.clone(),
            http: self.http.clone(),
            token: self.sims.webex_tokens.get(person).cloned().context("Gita has no token")?,
            uuid: dragoman_sim::webex::seed::GITA.to_owned(),
            room: self.sims.webex.room_id(title).context("there is no such space")?,
            person: person.to_owned(),
        })
    }

    /// Imani in a Zoom channel, by its id.
    pub(crate) fn imani(&self, channel: &str) -> Result<ZoomSide> {
        let yesterday_ms = self.clock.now_ms() - 86_400_000;
        let since = jiff::Timestamp::from_millisecond(yesterday_ms)?.strftime("%Y-%m-%dT%H:%M:%SZ");
        Ok(ZoomSide {
            sim: self.sims.zoom.clone(),
            http: self.http.clone(),
            token: self.sims.zoom_tokens.get("Imani").cloned().context("Imani has no token")?,
            user: dragoman_sim::zoom::config::IMANI.to_owned(),
            channel: channel.to_owned(),
            contact: None,
            since: since.to_string(),
            person: "Imani Okoye".to_owned(),
        })
    }

    /// Four people, one on each platform, each in their own chat with the app, with their addresses.
    pub(crate) fn chats(&self) -> Result<(SlackSide, TeamsSide, WebexSide, ZoomSide)> {
        let app = dragoman_sim::slack::SeedApp::default().app_id;
        let bot = self.sims.slack.bot(&app, "T07HARBOR").context("the app has no bot at Slack")?;
        let slack = self.sims.slack.open_direct(&[seeds::ANA, &bot.user_id]);
        let slack = slack.map_err(|_| anyhow!("Ana cannot write to the app"))?;
        let scopes = ["Chat.ReadWrite", "ChatMessage.Send", "Files.Read.All"];
        let dana = TeamsSide {
            token: self.sims.teams.user_token(seed::APP, seed::DANA, &scopes),
            chat_of: Some(seed::DANA.to_owned()),
            ..self.dana(&self.sims.teams.personal_chat_in_graph(seed::APP, seed::DANA))
        };
        let (gita, account) = (dragoman_sim::webex::seed::GITA, dragoman_sim::webex::seed::SERVICE);
        let room = self.sims.webex.direct(gita, account);
        let room = room.map_err(|_| anyhow!("Gita cannot write to the app"))?;
        let (imani, bridge) = (dragoman_sim::zoom::config::IMANI, dragoman_sim::zoom::config::BRIDGE);
        let session = self.sims.zoom.open_direct(imani, bridge);
        let session = session.map_err(|_| anyhow!("Imani cannot write to the bridge user"))?;
        let imani = ZoomSide { contact: Some(bridge.to_owned()), ..self.imani(&session)? };
        Ok((self.ana(&slack), dana, WebexSide { room, ..self.gita("Launch")? }, imani))
    }

    /// Ends everything; nothing is left.
    pub(crate) async fn end(mut self) {
        self.stop().await;
        self.sims.shutdown().await;
        self.world.tasks.shutdown().await;
    }
}

fn configure(folder: &TempDir, sims: &Sims, hurry: bool) -> Config {
    let mut config = Config {
        data_folder: folder.path().join("data"),
        key_folder: folder.path().join("keys"),
        ..Config::default()
    };
    config.listen.address.set_port(0);
    config.ops.address.set_port(0);
    config.outbound.allow_private = true;
    config.slack.api_base = format!("{}/api/", sims.slack.base_url());
    config.slack.authorize_url = format!("{}/oauth/v2/authorize", sims.slack.base_url());
    let base = sims.teams.base_url();
    base.clone_into(&mut config.teams.login_base);
    base.clone_into(&mut config.teams.graph_base);
    config.teams.bot_openid_url = format!("{base}/v1/.well-known/openidconfiguration");
    config.teams.allowed_service_hosts = vec![base.to_owned()];
    config.teams.default_service_url = sims.teams.service_url();
    let base = sims.webex.base_url();
    config.webex.api_base = format!("{base}/v1/");
    config.webex.authorize_url = format!("{base}/v1/authorize");
    config.webex.token_url = format!("{base}/v1/access_token");
    let base = sims.zoom.base_url();
    config.zoom.api_base = format!("{base}/v2/");
    config.zoom.oauth_base = format!("{base}/oauth/");
    config.zoom.ws_url = format!("{}/ws", base.replacen("http", "ws", 1));
    config.zoom.compliance_url = format!("{base}/oauth/data/compliance");
    config.zoom.files_base = format!("{}/v2/", sims.zoom.files_url());
    config.zoom.file_hosts = Vec::new();
    // Nobody at a demo waits half a minute to read who reacted.
    config.relay.reaction_gather_ms = if hurry { 300 } else { 3_000 };
    if hurry {
        config.relay.pace = false;
        config.teams.graph_pause_ms = 0;
        config.zoom.settle_ms = 0;
        config.zoom.channel_budget = false;
    }
    config
}
