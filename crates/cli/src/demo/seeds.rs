//! What the demo's simulators are seeded with: one channel `launch` everywhere, a second pair on each platform, and
//! five that become one bridge; and somebody who has an account on all of them.

use dragoman_sim::slack::{SeedChannel, SlackLimits, SlackSimConfig};
use dragoman_sim::teams::{ChannelSeed, PersonSeed, TeamsSimConfig};
use dragoman_sim::webex::seed::{GITA, HENRIK, INES, ORG, SERVICE};
use dragoman_sim::webex::{SeedPerson as WebexPerson, SeedRoom, WebexSimConfig};
use dragoman_sim::zoom::config::{AppKind, BRIDGE, BRIDGE_SCOPES, IMANI, RUI, THEO};
use dragoman_sim::zoom::{
    SeedApp as ZoomApp, SeedChannel as ZoomChannel, SeedPerson as ZoomPerson, ZoomSimConfig,
};

/// Chloe's address on every platform.
pub(crate) const CHLOE: &str = "chloe.martin@harbor-works.example";
pub(crate) const CHLOE_AT_TEAMS: &str = "44a3d9e6-af58-4eb0-94fc-62715fbe7a34";
pub(crate) const CHLOE_AT_WEBEX: &str = "7254b0d6-91ea-4385-9a7c-461d0fa28907";
pub(crate) const CHLOE_AT_ZOOM: &str = "cHloeMart1n00Kestrel5D";

pub(crate) const CHLOE_AT_SLACK: &str = "U07CHLOEMARTIN";

/// The app that people on Zoom grant their own tokens to.
pub(crate) const ZOOM_PEOPLE: (&str, &str) =
    ("DragomanPeopleClientId", "DragomanPeopleClientSecretForTheDemo");

/// Ana's id at Slack.
pub(crate) const ANA: &str = "U07ANASOUZA";

/// Slack's channels of the bridge of five.
pub(crate) const SLACK_DECK: &str = "C07DECK";
pub(crate) const SLACK_MAST: &str = "C07MAST";
/// Teams' channels beside those of its seed.
pub(crate) const TEAMS_PIER: &str = "19:77c0ffee9b8a4612b3d4c5e6f7a80913@thread.tacv2";
pub(crate) const TEAMS_DECK: &str = "19:88c0ffee9b8a4612b3d4c5e6f7a80914@thread.tacv2";
/// Titles of Webex' spaces and names of Zoom's channels beside those of their seeds.
pub(crate) const PIER: &str = "Pier";
pub(crate) const DECK: &str = "Deck";
const WEBEX_PIER: &str = "ad3e9243-1f6c-11f1-b041-82ae4f506172";
const WEBEX_DECK: &str = "be4fa354-1f6d-11f1-c152-93bf5061728a";
pub(crate) const ZOOM_PIER: &str = "70696572000011aa22bb33cc44dd55ee";
pub(crate) const ZOOM_DECK: &str = "6465636b000011aa22bb33cc44dd55ff";

/// Slack; without its limits for a story.
pub(crate) fn slack(hurry: bool) -> SlackSimConfig {
    let mut config = SlackSimConfig { auto_approve: true, ..SlackSimConfig::default() };
    let workspace = &mut config.workspaces[0];
    let members: Vec<String> = workspace.people.iter().map(|person| person.id.clone()).collect();
    for (id, name) in [(SLACK_DECK, "deck"), (SLACK_MAST, "mast")] {
        workspace.channels.push(SeedChannel {
            id: id.to_owned(),
            name: name.to_owned(),
            private: false,
            members: members.clone(),
            shared_with: Vec::new(),
        });
    }
    if hurry {
        config.limits = SlackLimits { enabled: false, ..SlackLimits::default() };
    }
    config
}

/// Teams.
pub(crate) fn teams(hurry: bool) -> TeamsSimConfig {
    let mut config = TeamsSimConfig::default();
    // What the feature for files asks an admin to grant.
    config.apps[0].roles.push("Files.ReadWrite.All".to_owned());
    config.apps[0].declared_scopes.push("Files.ReadWrite".to_owned());
    config.people.push(PersonSeed {
        id: CHLOE_AT_TEAMS.to_owned(),
        name: "Chloe Martin".to_owned(),
        upn: CHLOE.to_owned(),
        mail: Some(CHLOE.to_owned()),
        guest: true,
        photo: false,
        nameless_in_messages: false,
    });
    let team = &mut config.teams[0];
    team.members.push(CHLOE_AT_TEAMS.to_owned());
    for (id, name) in [(TEAMS_PIER, "pier"), (TEAMS_DECK, "deck")] {
        team.channels.push(ChannelSeed {
            id: id.to_owned(),
            name: name.to_owned(),
            membership: "standard".to_owned(),
            members: Vec::new(),
        });
    }
    config.apps[0].installed_teams.clear();
    if hurry {
        config.limits.graph = false;
        config.limits.connector = false;
    }
    config
}

/// Webex.
pub(crate) fn webex(hurry: bool) -> WebexSimConfig {
    let mut config = WebexSimConfig { auto_approve: true, ..WebexSimConfig::default() };
    config.orgs[0].people.push(WebexPerson {
        uuid: CHLOE_AT_WEBEX.to_owned(),
        display_name: "Chloe Martin".to_owned(),
        email: CHLOE.to_owned(),
        ..WebexPerson::default()
    });
    for (uuid, title) in [(WEBEX_PIER, PIER), (WEBEX_DECK, DECK)] {
        config.rooms.push(SeedRoom {
            uuid: uuid.to_owned(),
            title: title.to_owned(),
            org: ORG.to_owned(),
            members: [GITA, HENRIK, INES, SERVICE].map(str::to_owned).to_vec(),
            ..SeedRoom::default()
        });
    }
    for room in &mut config.rooms {
        room.members.push(CHLOE_AT_WEBEX.to_owned());
    }
    config.limits.enabled = !hurry;
    config
}

/// Zoom.
pub(crate) fn zoom(hurry: bool) -> ZoomSimConfig {
    let mut config = ZoomSimConfig { auto_approve: true, ..ZoomSimConfig::default() };
    let account = &mut config.accounts[0];
    account.people.push(ZoomPerson {
        id: CHLOE_AT_ZOOM.to_owned(),
        member_id: chloe_as_member_of_zoom(),
        first_name: "Chloe".to_owned(),
        last_name: "Martin".to_owned(),
        email: CHLOE.to_owned(),
        admin: false,
        contacts: Vec::new(),
    });
    for (id, name) in [(ZOOM_PIER, PIER), (ZOOM_DECK, DECK)] {
        account.channels.push(ZoomChannel {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: 3,
            members: [THEO, IMANI, RUI, BRIDGE].map(str::to_owned).to_vec(),
            encrypted: false,
        });
    }
    for channel in &mut account.channels {
        if channel.members.iter().any(|member| member == BRIDGE) {
            channel.members.push(CHLOE_AT_ZOOM.to_owned());
        }
    }
    config.apps.push(ZoomApp {
        app_id: "dRgPeople0App1Kestrel".to_owned(),
        name: "Dragoman for people".to_owned(),
        kind: AppKind::User,
        client_id: ZOOM_PEOPLE.0.to_owned(),
        client_secret: ZOOM_PEOPLE.1.to_owned(),
        scopes: BRIDGE_SCOPES.iter().map(|scope| scope.trim_end_matches(":admin").to_owned()).collect(),
        robot_jid: None,
        subscriptions: Vec::new(),
        ..ZoomApp::default()
    });
    config.limits.enabled = !hurry;
    config
}

/// Chloe as members of a channel on Zoom see her.
pub(crate) fn chloe_as_member_of_zoom() -> String {
    format!("1v{}", CHLOE_AT_ZOOM.repeat(3))
}
