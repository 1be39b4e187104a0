//! How a world differs from the usual one.

use std::time::Duration;

use dragoman_sim::slack::{SlackLimits, SlackSimConfig, SlackTiming};
use dragoman_sim::teams::{PersonSeed, TeamsSimConfig, TeamsTiming};
use dragoman_sim::webex::WebexSimConfig;
use dragoman_sim::zoom::ZoomSimConfig;

use crate::world::CHLOE_AT_TEAMS;

/// What a world is started with; all of it may be changed.
pub struct Options {
    /// Seed of the simulators' randomness.
    pub seed: u64,
    /// The Slack simulator: no rate limits, redelivery within seconds instead of minutes.
    pub slack: SlackSimConfig,
    /// The Teams simulator: no rate limits, redelivery within seconds instead of hours.
    pub teams: TeamsSimConfig,
    /// The Webex simulator, where there is to be one. [`Options::webex_config`] is one without rate limits.
    pub webex: Option<WebexSimConfig>,
    /// The Zoom simulator, where there is to be one. [`Options::zoom_config`] is one without rate limits that
    /// redelivers within seconds instead of an hour.
    pub zoom: Option<ZoomSimConfig>,
    /// Whether the gateway reaches Webex and Zoom through a [`crate::Front`].
    pub fronts: bool,
    /// The gateway's log level.
    pub log: String,
    /// More lines of configuration, as TOML tables merged over the usual ones.
    pub config: toml::Table,
    /// Whether Slack's and Teams' `launch` are linked.
    pub bridge: bool,
    /// Whether people may write to the apps: with the features that this needs, and the app added for them on Teams.
    pub direct: bool,
}

impl Default for Options {
    fn default() -> Self {
        let slack = SlackSimConfig {
            auto_approve: true,
            limits: SlackLimits { enabled: false, ..SlackLimits::default() },
            timing: SlackTiming {
                retries: redeliveries(),
                // A busy machine is no reason for a later event to be sent before an earlier one was answered.
                stagger: Duration::from_secs(1),
                ..SlackTiming::default()
            },
            ..SlackSimConfig::default()
        };
        let mut teams = TeamsSimConfig::default();
        teams.limits.graph = false;
        teams.limits.connector = false;
        // What the feature for files asks an admin to grant.
        teams.apps[0].roles.push("Files.ReadWrite.All".to_owned());
        teams.apps[0].declared_scopes.push("Files.ReadWrite".to_owned());
        teams.timing = TeamsTiming {
            notification_backoff: redeliveries()
                .iter()
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
                .collect(),
            notification_deadline: 3_000,
            // A gateway that was away for a moment is not a slow one.
            slow_after: 2_900,
            ..TeamsTiming::fast()
        };
        teams.people.push(PersonSeed {
            id: CHLOE_AT_TEAMS.to_owned(),
            name: "Chloe Martin".to_owned(),
            upn: "chloe.martin@harbor-works.example".to_owned(),
            mail: Some("chloe.martin@harbor-works.example".to_owned()),
            guest: true,
            photo: false,
            nameless_in_messages: false,
        });
        if let Some(team) = teams.teams.first_mut() {
            team.members.push(CHLOE_AT_TEAMS.to_owned());
        }
        if let Some(app) = teams.apps.first_mut() {
            app.installed_teams.clear();
        }
        Self {
            seed: 1,
            slack,
            teams,
            webex: None,
            zoom: None,
            fronts: false,
            log: "info".to_owned(),
            config: toml::Table::new(),
            bridge: true,
            direct: false,
        }
    }
}

impl Options {
    /// All four platforms; nothing is linked.
    pub fn four() -> Self {
        let (webex, zoom) = (Some(Self::webex_config()), Some(Self::zoom_config()));
        Self { webex, zoom, bridge: false, ..Self::default() }
    }

    /// The same, and no simulator that was asked for minds how large a file is.
    #[must_use]
    pub fn any_file_size(mut self) -> Self {
        self.slack.files.largest = u64::MAX;
        if let Some(webex) = &mut self.webex {
            webex.limits.file_bytes = usize::MAX;
        }
        if let Some(zoom) = &mut self.zoom {
            zoom.limits.file_bytes = u64::MAX;
        }
        self
    }

    /// A Webex that limits nothing and approves at once.
    pub fn webex_config() -> WebexSimConfig {
        let mut config = WebexSimConfig { auto_approve: true, ..WebexSimConfig::default() };
        config.limits.enabled = false;
        // A busy machine is no reason for a later event to be sent before an earlier one was answered.
        config.timing.stagger = Duration::from_secs(1);
        config
    }

    /// A Zoom that limits nothing, approves at once and redelivers often.
    pub fn zoom_config() -> ZoomSimConfig {
        let mut config = ZoomSimConfig { auto_approve: true, ..ZoomSimConfig::default() };
        config.limits.enabled = false;
        config.limits.per_channel = false;
        config.timing.retries = redeliveries();
        config.timing.stagger = Duration::from_secs(1);
        config
    }
}

/// Often enough that a gateway that comes back within half a minute gets everything.
fn redeliveries() -> Vec<Duration> {
    let mut waits: Vec<Duration> = [0, 300, 600].map(Duration::from_millis).to_vec();
    waits.extend([Duration::from_millis(700); 60]);
    waits
}
