//! The simulated platforms with the real gateway between them, set up as an operator would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::{self, Ask};
use dragoman_sim::core::World as SimWorld;
use dragoman_sim::slack::{SeedApp, SlackSim};
use dragoman_sim::teams::{Place, TeamsSim, seed};
use dragoman_sim::webex::{SeedIntegration, WebexSim};
use dragoman_sim::zoom::config::BRIDGE;
use dragoman_sim::zoom::{SeedApp as ZoomApp, ZoomSim};

use crate::side::{SlackSide, TeamsChat, TeamsSide, WebexSide, ZoomSide};
use crate::{Binary, Front, Http, Options, eventually};

/// Chloe Martin has an account on both platforms.
pub const CHLOE_AT_TEAMS: &str = "44a3d9e6-af58-4eb0-94fc-62715fbe7a34";

/// Slack's features where people write to the app.
const SLACK_DIRECT: [&str; 6] =
    ["private-channels", "reactions", "files", "email", "direct-messages", "slash-command"];

const TEAMS_FEATURES: [&str; 3] = ["messages", "chats", "files"];

/// Everything that runs in a test.
pub struct World {
    /// Slack.
    pub slack: SlackSim,
    /// Microsoft.
    pub teams: TeamsSim,
    /// Webex, where it was asked for.
    pub webex: Option<WebexSim>,
    /// Zoom, where it was asked for.
    pub zoom: Option<ZoomSim>,
    /// What stands before Webex and Zoom, where it was asked for.
    pub fronts: Vec<Front>,
    /// The gateway.
    pub binary: Binary,
    /// People's client.
    pub http: Http,
    /// The linked channels, where they are linked.
    pub bridge: Option<api::BridgeInfo>,
    sim: Arc<SimWorld>,
}

impl World {
    /// Starts everything: organisation, apps, installations, bridge.
    pub async fn start(options: Options) -> Result<Self> {
        Box::pin(Self::start_with(options, |_| Ok(()))).await
    }

    /// The same; before anything is installed, what else runs may learn where the simulators are.
    pub async fn start_with(options: Options, ready: impl FnOnce(&Self) -> Result<()>) -> Result<Self> {
        let sim = SimWorld::real(options.seed);
        let slack = SlackSim::start(&sim, options.slack).await?;
        let teams = TeamsSim::start(&sim, options.teams).await?;
        let webex = match options.webex {
            Some(config) => Some(WebexSim::start(&sim, config).await?),
            None => None,
        };
        let zoom = match options.zoom {
            Some(config) => Some(ZoomSim::start(&sim, config).await?),
            None => None,
        };
        let mut config = platforms(&slack, &teams)?;
        let mut fronts = Vec::new();
        for (name, base) in [
            ("webex", webex.as_ref().map(|webex| webex.base_url().to_owned())),
            ("zoom", zoom.as_ref().map(|zoom| zoom.base_url().to_owned())),
        ] {
            let Some(direct) = base else { continue };
            let mut base = direct.clone();
            if options.fronts {
                let front = Front::start(&sim, name, &base).await?;
                front.base().clone_into(&mut base);
                fronts.push(front);
            }
            config.insert(name.to_owned(), addresses(name, &base, &direct).parse::<toml::Table>()?.into());
        }
        if let (Some(zoom), Some(toml::Value::Table(section))) = (&zoom, config.get_mut("zoom")) {
            section.insert("files_base".to_owned(), format!("{}/v2/", zoom.files_url()).into());
        }
        config.insert(
            "log".to_owned(),
            toml::Table::from_iter([("level".to_owned(), options.log.into())]).into(),
        );
        for (section, value) in options.config {
            match (config.get_mut(&section), value) {
                (Some(toml::Value::Table(known)), toml::Value::Table(more)) => known.extend(more),
                (_, value) => {
                    config.insert(section, value);
                }
            }
        }
        let mut binary = Binary::prepare(&config)?;
        binary.start(None).await?;
        let http = Http::new()?;
        let direct = options.direct;
        let mut world = Self { slack, teams, webex, zoom, fronts, binary, http, bridge: None, sim };
        ready(&world)?;
        world.set_up(direct).await?;
        if options.bridge {
            let members = ["slack:C07LAUNCH".to_owned(), format!("teams:{}", seed::LAUNCH)];
            world.bridge = Some(world.link(&members).await?);
        }
        Ok(world)
    }

    /// Asks the gateway as an operator.
    pub async fn ask<A: Ask>(&self, request: &A) -> Result<A::Answer> {
        Ok(self.binary.client().ask(request).await?)
    }

    /// How the gateway is.
    pub async fn status(&self) -> Result<api::Status> {
        self.ask(&api::StatusGet {}).await
    }

    /// Waits until nothing is under way any more.
    pub async fn settled(&self, within: Duration) -> Result<api::Status> {
        eventually("nothing under way", within, async || {
            let status = self.status().await.map_err(|error| error.to_string())?;
            let quiet = status.events == 0 && status.payloads == 0 && status.legs == 0;
            if quiet {
                return Ok(status);
            }
            Err(format!("{} events, {} payloads, {} legs", status.events, status.payloads, status.legs))
        })
        .await
    }

    /// Kills the gateway and starts it again.
    pub async fn restart(&mut self, fault: Option<&str>) -> Result<()> {
        self.binary.kill()?;
        self.binary.start(fault).await
    }

    /// Links conversations by their references.
    pub async fn link(&self, members: &[String]) -> Result<api::BridgeInfo> {
        let add =
            api::BridgeAdd { members: members.to_vec(), allow_external: false, ..api::BridgeAdd::default() };
        eventually("the channels are linked", Duration::from_secs(20), async || {
            self.ask(&add).await.map_err(|error| format!("{error:#}"))
        })
        .await
    }

    /// Ana in a Slack channel.
    pub fn ana(&self, channel: &str) -> SlackSide {
        self.slack_person("ana.souza", "Ana Souza", channel)
    }

    /// Ben in a Slack channel.
    pub fn ben(&self, channel: &str) -> SlackSide {
        self.slack_person("ben.okafor", "Ben Okafor", channel)
    }

    /// Anybody in a Slack channel.
    pub fn slack_person(&self, handle: &str, name: &str, channel: &str) -> SlackSide {
        SlackSide {
            http: self.http.clone(),
            base: self.slack.base_url().to_owned(),
            token: format!("xoxp-client-{handle}"),
            channel: channel.to_owned(),
            person: name.to_owned(),
        }
    }

    /// Dana in a Teams channel.
    pub fn dana(&self, channel: &str) -> TeamsSide {
        self.teams_person(seed::DANA, "Dana Lindqvist", channel)
    }

    /// Emre in a Teams channel.
    pub fn emre(&self, channel: &str) -> TeamsSide {
        self.teams_person(seed::EMRE, "Emre Kaya", channel)
    }

    /// Anybody in a Teams channel of the seeded team.
    pub fn teams_person(&self, id: &str, name: &str, channel: &str) -> TeamsSide {
        let scopes = [
            "ChannelMessage.Send",
            "ChannelMessage.ReadWrite",
            "ChannelMessage.Read.All",
            "Files.ReadWrite.All",
        ];
        TeamsSide {
            http: self.http.clone(),
            base: self.teams.base_url().to_owned(),
            token: self.teams.user_token(seed::APP, id, &scopes),
            team: seed::TEAM.to_owned(),
            channel: channel.to_owned(),
            person: name.to_owned(),
        }
    }

    /// Anybody in their personal chat with the app on Teams.
    pub fn teams_chat(&self, id: &str, name: &str) -> TeamsChat {
        TeamsChat {
            sim: self.teams.clone(),
            id: id.to_owned(),
            person: name.to_owned(),
            chat: self.teams.personal_chat_in_graph(seed::APP, id),
        }
    }

    /// Webex.
    ///
    /// # Panics
    /// When the world was started without it.
    pub fn webex(&self) -> &WebexSim {
        self.webex.as_ref().expect("this world has a Webex")
    }

    /// Zoom.
    ///
    /// # Panics
    /// When the world was started without it.
    pub fn zoom(&self) -> &ZoomSim {
        self.zoom.as_ref().expect("this world has a Zoom")
    }

    /// What stands before a platform.
    ///
    /// # Panics
    /// When the world was started without it.
    pub fn front(&self, platform: &str) -> &Front {
        self.fronts.iter().find(|front| front.platform() == platform).expect("this world has fronts")
    }

    /// Anybody in a Webex space, which is named by its public id.
    pub fn webex_person(&self, uuid: &str, name: &str, room: &str) -> WebexSide {
        WebexSide {
            sim: self.webex().clone(),
            uuid: uuid.to_owned(),
            room: room.to_owned(),
            person: name.to_owned(),
        }
    }

    /// Anybody in a Zoom channel.
    pub fn zoom_person(&self, id: &str, name: &str, channel: &str) -> ZoomSide {
        ZoomSide {
            sim: self.zoom().clone(),
            id: id.to_owned(),
            channel: channel.to_owned(),
            person: name.to_owned(),
        }
    }

    /// Ends everything; nothing is left.
    pub async fn end(mut self) -> Result<()> {
        self.binary.kill()?;
        if let Some(webex) = &self.webex {
            webex.shutdown().await;
        }
        if let Some(zoom) = &self.zoom {
            zoom.shutdown().await;
        }
        self.slack.shutdown().await;
        self.teams.shutdown().await;
        self.sim.tasks.shutdown().await;
        Ok(())
    }

    async fn set_up(&mut self, direct: bool) -> Result<()> {
        self.ask(&api::OrgAdd { name: "Test".to_owned() }).await?;
        let app = SeedApp::default();
        let values = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", &app.client_secret),
            ("signing_secret", &app.signing_secret),
        ];
        let slack = self.register("slack", &values, if direct { &SLACK_DIRECT } else { &[] }).await?;
        let events = format!("{}/events", slack.hooks_url.trim_end_matches("/events"));
        self.slack.save_events_url(&app.app_id, &events).await?;
        self.slack.set_command_url(&app.app_id, &events.replace("/events", "/commands"));
        let values =
            [("app_id", seed::APP), ("tenant_id", seed::TENANT), ("client_secret", seed::APP_SECRET)];
        let teams = self.register("teams", &values, &TEAMS_FEATURES).await?;
        self.teams.set_bot_endpoint(seed::APP, Some(&format!("{}/messages", teams.hooks_url)));
        self.install("slack").await?;
        self.install("teams").await?;
        if self.webex.is_some() {
            let app = SeedIntegration::default();
            let values = [("client_id", app.client_id.as_str()), ("client_secret", &app.client_secret)];
            self.register("webex", &values, &[]).await?;
            self.install("webex").await?;
        }
        if let Some(zoom) = &self.zoom {
            let app = ZoomApp::default();
            let values = [
                ("client_id", app.client_id.as_str()),
                ("client_secret", &app.client_secret),
                ("secret_token", &app.secret_token),
                ("bridge_user", BRIDGE),
            ];
            let features: &[&str] =
                if direct { &["messages", "reactions", "files", "direct-messages", "bot"] } else { &[] };
            let registered = self.register("zoom", &values, features).await?;
            let events = format!("{}/events", registered.hooks_url.trim_end_matches("/events"));
            zoom.save_events_url(&app.app_id, &events).await?;
            zoom.change_app(&app.app_id, |app| {
                app.bot_endpoint = Some(events.clone());
                app.deauthorization_url = Some(events);
            });
            self.install("zoom").await?;
        }
        ensure!(
            self.teams.install(seed::APP, &Place::Team(seed::TEAM.to_owned()), seed::DANA),
            "the app could not be installed in the simulated team"
        );
        let bot = self.slack.bot(&app.app_id, "T07HARBOR").context("the app has no bot at Slack")?;
        // A private channel takes apps by invitation only.
        self.ana("C07BACKSTAGE").invite(&bot.user_id).await?;
        self.heard_of_team().await
    }

    /// Waits until the gateway has heard of its installation in the team: before that, channels cannot be watched.
    async fn heard_of_team(&self) -> Result<()> {
        let list = api::DeliveryList::default();
        eventually("the app is installed in the team", Duration::from_secs(20), async || {
            let receipts = self.ask(&list).await.map_err(|error| error.to_string())?;
            let heard = receipts.iter().filter(|receipt| receipt.kind == "control").count();
            if heard >= 2 { Ok(()) } else { Err(format!("{heard} receipts")) }
        })
        .await
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

    /// Installs an app, as an admin does in a browser.
    pub async fn install(&self, platform: &str) -> Result<()> {
        let started = self.ask(&api::InstallStart { app: platform.to_owned() }).await?;
        self.http.browse(&started.link).await?;
        match self.binary.installed(&started.ticket).await? {
            api::InstallState::Failed(problem) => Err(problem.into()),
            _ => Ok(()),
        }
    }
}

/// Where Webex or Zoom is; `direct`: without a front, for event connections.
fn addresses(platform: &str, base: &str, direct: &str) -> String {
    if platform == "webex" {
        return format!(
            "api_base = \"{base}/v1/\"\nauthorize_url = \"{base}/v1/authorize\"\n\
             token_url = \"{base}/v1/access_token\"\n"
        );
    }
    let socket = direct.replacen("http", "ws", 1);
    format!(
        "api_base = \"{base}/v2/\"\noauth_base = \"{base}/oauth/\"\nws_url = \"{socket}/ws\"\n\
         compliance_url = \"{base}/oauth/data/compliance\"\nsettle_ms = 100\n"
    )
}

/// Where the platforms are, and no waiting where it would only cost time.
fn platforms(slack: &SlackSim, teams: &TeamsSim) -> Result<toml::Table> {
    let (slack_base, base) = (slack.base_url(), teams.base_url());
    let service = teams.service_url();
    let text = format!(
        "[slack]\napi_base = \"{slack_base}/api/\"\nauthorize_url = \"{slack_base}/oauth/v2/authorize\"\n\
         [teams]\nlogin_base = \"{base}\"\ngraph_base = \"{base}\"\n\
         bot_openid_url = \"{base}/v1/.well-known/openidconfiguration\"\nallowed_service_hosts = [\"{base}\"]\n\
         default_service_url = \"{service}\"\ngraph_pause_ms = 0\n\
         [relay]\npace = false\nretry_base_ms = 50\npatience_ms = 1500\necho_wait_ms = 300\nlook_pause_ms = 300\ncrash_patience_ms = 1500\n\
         edit_look_ms = 800\n\
         reaction_gather_ms = 1000\n"
    );
    Ok(text.parse()?)
}
