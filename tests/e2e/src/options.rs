//! How a world differs from the usual one.

use std::time::Duration;

use dragoman_sim::slack::{SlackLimits, SlackSimConfig, SlackTiming};
use dragoman_sim::teams::{PersonSeed, TeamsSimConfig, TeamsTiming};

use crate::world::CHLOE_AT_TEAMS;

/// What a world is started with; all of it may be changed.
pub struct Options {
    /// Seed of the simulators' randomness.
    pub seed: u64,
    /// The Slack simulator: no rate limits, redelivery within seconds instead of minutes.
    pub slack: SlackSimConfig,
    /// The Teams simulator: no rate limits, redelivery within seconds instead of hours.
    pub teams: TeamsSimConfig,
    /// The gateway's log level.
    pub log: String,
    /// More lines of configuration, as TOML tables merged over the usual ones.
    pub config: toml::Table,
    /// Whether Slack's and Teams' `launch` are linked.
    pub bridge: bool,
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
        Self { seed: 1, slack, teams, log: "info".to_owned(), config: toml::Table::new(), bridge: true }
    }
}

/// Often enough that a gateway that comes back within half a minute gets everything.
fn redeliveries() -> Vec<Duration> {
    let mut waits: Vec<Duration> = [0, 300, 600].map(Duration::from_millis).to_vec();
    waits.extend([Duration::from_millis(700); 60]);
    waits
}
