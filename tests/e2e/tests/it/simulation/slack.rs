//! The simulated Slack: two workspaces, one app in both, which is in three channels.

use dragoman_sim::slack::{
    BRIDGE_SCOPES, SeedApp, SeedChannel, SeedInstall, SeedPerson, SeedWorkspace, SlackSimConfig,
};

pub(super) const APP: &str = "A07DRAGOMAN";
pub(super) const SIGNING_SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Workspaces with the token of the app's bot.
pub(super) const TOKENS: [(&str, &str); 2] =
    [("T07HARBOR", "xoxb-harbor-bot"), ("T08TIDEWATER", "xoxb-tidewater-bot")];
/// Channels with their workspaces.
pub(super) const CHANNELS: [(&str, &str); 3] =
    [("T07HARBOR", "C07GENERAL"), ("T07HARBOR", "C07LAUNCH"), ("T08TIDEWATER", "C08ORDERS")];
/// Who writes in each channel.
pub(super) const PEOPLE: [&[&str]; 3] = [
    &["U07ANASOUZA", "U07BENOKAFOR", "U07CHLOEMARTIN"],
    &["U07ANASOUZA", "U07BENOKAFOR", "U07CHLOEMARTIN"],
    &["U08DARIOCONTI", "U08ELIFDEMIR"],
];

fn person(id: &str, handle: &str, name: &str) -> SeedPerson {
    SeedPerson {
        id: id.to_owned(),
        handle: handle.to_owned(),
        real_name: name.to_owned(),
        display_name: String::new(),
        email: format!("{handle}@tidewater.example"),
        admin: false,
        client_token: None,
    }
}

pub(super) fn config() -> SlackSimConfig {
    let orders = SeedChannel {
        id: CHANNELS[2].1.to_owned(),
        name: "orders".to_owned(),
        private: false,
        members: PEOPLE[2].iter().map(|id| (*id).to_owned()).collect(),
        shared_with: Vec::new(),
    };
    let mut config = SlackSimConfig::default();
    config.workspaces.push(SeedWorkspace {
        id: TOKENS[1].0.to_owned(),
        name: "Tidewater Supply".to_owned(),
        domain: "tidewater-supply".to_owned(),
        people: vec![
            person(PEOPLE[2][0], "dario.conti", "Dario Conti"),
            person(PEOPLE[2][1], "elif.demir", "Elif Demir"),
        ],
        channels: vec![orders],
        ..SeedWorkspace::default()
    });
    let installed = TOKENS.map(|(team, token)| SeedInstall {
        place: team.to_owned(),
        bot_token: token.to_owned(),
        scopes: BRIDGE_SCOPES.map(str::to_owned).to_vec(),
        member_of: CHANNELS
            .iter()
            .filter(|(place, _)| *place == team)
            .map(|(_, channel)| (*channel).to_owned())
            .collect(),
        user_tokens: Vec::new(),
    });
    config.apps = vec![SeedApp {
        app_id: APP.to_owned(),
        signing_secret: SIGNING_SECRET.to_owned(),
        installed: installed.to_vec(),
        ..SeedApp::default()
    }];
    config
}
