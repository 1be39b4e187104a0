//! Orders that scripts give while the simulators run.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use dragoman_sim::slack::SlackSim;
use dragoman_sim::teams::TeamsSim;
use serde_json::Value;

use crate::worlds;

/// Reads orders for as long as the program runs: `{"slack_events": URL, "teams_bot": URL}` say where the apps of
/// the gateway under test listen; the one on Teams is then installed in the team.
pub(crate) fn follow(pipe: PathBuf, slack: SlackSim, teams: TeamsSim) {
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let _inside = runtime.enter();
        // Opened for writing too, so that it does not end when a writer goes away.
        let pipe = File::options().read(true).write(true).open(&pipe);
        let Ok(pipe) = pipe else { return };
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let order: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(url) = order["slack_events"].as_str() {
                slack.set_events_url(worlds::SLACK_GATEWAY_APP, Some(url));
            }
            if let Some(url) = order["teams_bot"].as_str() {
                teams.set_bot_endpoint(worlds::TEAMS_GATEWAY_APP, Some(url));
                worlds::install_gateway(&teams);
            }
        }
    });
}
