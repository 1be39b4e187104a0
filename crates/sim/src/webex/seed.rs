//! The default world, and from a configuration to the first state.

use std::net::SocketAddr;

use super::config::{
    BRIDGE_SCOPES, SeedBot, SeedGrant, SeedIntegration, SeedOrg, SeedPerson, SeedRoom, WebexDoubts,
    WebexLimits, WebexSimConfig, WebexTiming,
};
use super::state::{Kind, Org, Person, Room, RoomKind, State, Token, expand};
use crate::core::World;

/// The organisation "Larkfield Labs", in Europe.
pub const ORG: &str = "5d1a7c3e-90b2-4f6d-8a41-2c7e9b0f4d11";
/// "Quayside Partners", in the United States.
pub const PARTNER_ORG: &str = "b7e0c9a4-1f52-4c38-9d6b-70a3e5f8c122";
/// Gita Rao.
pub const GITA: &str = "1c9e5a70-3b84-4d2f-9a16-e0b7f4c2d301";
/// Henrik Dahl.
pub const HENRIK: &str = "2d0f6b81-4c95-4e30-8b27-f1c8a5d3e402";
/// Ines Moreau, who is the compliance officer.
pub const INES: &str = "3e107c92-5da6-4f41-9c38-02d9b6e4f503";
/// The account the bridge uses.
pub const SERVICE: &str = "4f218da3-6eb7-4052-ad49-13eac7f50604";
/// The bot "Dragoman".
pub const BOT: &str = "50329eb4-7fc8-4163-be5a-24fbd8061705";
/// Jonas Weber of the partner.
pub const JONAS: &str = "6143afc5-80d9-4274-8f6b-350ce9172806";
/// The space "General".
pub const GENERAL: &str = "7a0b6f10-1f69-11f1-8d1e-5f7b1c2d3e4f";
/// The space "Launch".
pub const LAUNCH: &str = "8b1c7021-1f6a-11f1-9e2f-608c2d3e4f50";
/// The space "Quayside orders", owned by the partner.
pub const SHARED: &str = "9c2d8132-1f6b-11f1-af30-719d3e4f5061";
/// Client id of the bot.
pub const BOT_CLIENT: &str = "C7b1e0d9c8a7f6b5e4d3c2b1a0f9e8d7c6b5a4f3e2d1c0b9a8f7e6d5c4b3a2f10";
/// Token of the bot.
pub const BOT_TOKEN: &str = "bot-simulated-token_PE93_5d1a7c3e-90b2-4f6d-8a41-2c7e9b0f4d11";
/// The developer portal, to which personal access tokens belong.
pub const PORTAL_CLIENT: &str = "C0000000000000000000000000000000000000000000000000000000000000000";

impl Default for SeedIntegration {
    fn default() -> Self {
        Self {
            client_id: "C3a9d1f0b7c24e6d8a15f9e0b3c7d2a48e61f05b9c3d7a2e4f8061b5c9d3e7a20".to_owned(),
            client_secret: "webex-client-secret-for-simulation".to_owned(),
            name: "Dragoman".to_owned(),
            redirect_uris: Vec::new(),
            scopes: BRIDGE_SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            granted: Vec::new(),
        }
    }
}

fn person(uuid: &str, name: &str, mail: &str) -> SeedPerson {
    SeedPerson {
        uuid: uuid.to_owned(),
        display_name: name.to_owned(),
        email: format!("{mail}@larkfield.example"),
        token: Some(format!("personal-{mail}_PE93_{ORG}")),
        ..SeedPerson::default()
    }
}

impl Default for WebexSimConfig {
    /// "Larkfield Labs" with Gita Rao, Henrik Dahl, Ines Moreau and the bridge's account, the spaces General and
    /// Launch (everybody is in both), a bot that is in no space, and one integration that nobody has authorised.
    fn default() -> Self {
        let people = [GITA, HENRIK, INES, SERVICE].map(str::to_owned).to_vec();
        let room = |uuid: &str, title: &str| SeedRoom {
            uuid: uuid.to_owned(),
            title: title.to_owned(),
            org: ORG.to_owned(),
            members: people.clone(),
            ..SeedRoom::default()
        };
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            trusted_pem: None,
            orgs: vec![SeedOrg {
                uuid: ORG.to_owned(),
                name: "Larkfield Labs".to_owned(),
                cluster: "urn:TEAM:eu-central-1_k".to_owned(),
                people: vec![
                    person(GITA, "Gita Rao", "gita.rao"),
                    person(HENRIK, "Henrik Dahl", "henrik.dahl"),
                    SeedPerson { compliance_officer: true, ..person(INES, "Ines Moreau", "ines.moreau") },
                    SeedPerson { service_account: true, ..person(SERVICE, "Dragoman Bridge", "bridge") },
                ],
            }],
            rooms: vec![room(GENERAL, "General"), room(LAUNCH, "Launch")],
            integrations: vec![SeedIntegration::default()],
            bots: vec![SeedBot {
                uuid: BOT.to_owned(),
                display_name: "Dragoman".to_owned(),
                email: "dragoman@webex.bot".to_owned(),
                token: BOT_TOKEN.to_owned(),
                client_id: BOT_CLIENT.to_owned(),
                org: ORG.to_owned(),
            }],
            auto_approve: false,
            approver: None,
            link_base: None,
            timing: WebexTiming::default(),
            limits: WebexLimits::default(),
            doubts: WebexDoubts::default(),
        }
    }
}

impl WebexSimConfig {
    /// The default world in which the bridge's account has already authorised the integration.
    #[must_use]
    pub fn installed(access_token: &str, refresh_token: &str) -> Self {
        let mut config = Self::default();
        config.integrations[0].granted.push(SeedGrant {
            person: SERVICE.to_owned(),
            access_token: access_token.to_owned(),
            refresh_token: refresh_token.to_owned(),
            scopes: Vec::new(),
        });
        config
    }

    /// Adds "Quayside Partners", in another region, with Jonas Weber and the space "Quayside orders" that it owns
    /// and in which everybody is.
    #[must_use]
    pub fn with_partner(mut self) -> Self {
        self.orgs.push(SeedOrg {
            uuid: PARTNER_ORG.to_owned(),
            name: "Quayside Partners".to_owned(),
            cluster: "us".to_owned(),
            people: vec![SeedPerson {
                uuid: JONAS.to_owned(),
                display_name: "Jonas Weber".to_owned(),
                email: "jonas.weber@quayside.example".to_owned(),
                token: Some(format!("personal-jonas.weber_PF84_{PARTNER_ORG}")),
                ..SeedPerson::default()
            }],
        });
        self.rooms.push(SeedRoom {
            uuid: SHARED.to_owned(),
            title: "Quayside orders".to_owned(),
            org: PARTNER_ORG.to_owned(),
            members: [JONAS, GITA, HENRIK, INES, SERVICE].map(str::to_owned).to_vec(),
            ..SeedRoom::default()
        });
        self
    }

    /// Puts the first bot into a space.
    #[must_use]
    pub fn with_bot_in(mut self, room: &str) -> Self {
        let bot = self.bots.first().map(|bot| bot.uuid.clone());
        if let (Some(bot), Some(room)) = (bot, self.rooms.iter_mut().find(|known| known.uuid == room)) {
            room.members.push(bot);
        }
        self
    }
}

/// The organisations, people, spaces, bots and grants of a configuration.
pub fn seeded(config: &WebexSimConfig, world: &World) -> State {
    let now = world.clock.millis();
    let mut state = State::default();
    for org in &config.orgs {
        state.orgs.insert(org.uuid.clone(), Org { name: org.name.clone(), cluster: org.cluster.clone() });
        for seed in &org.people {
            let mut person =
                Person::new(&seed.uuid, &org.uuid, &seed.display_name, &seed.email, Kind::Person, now);
            person.compliance_officer = seed.compliance_officer;
            person.service_account = seed.service_account;
            state.people.insert(seed.uuid.clone(), person);
            if let Some(text) = &seed.token {
                let mut scopes = expand(["spark:all", "spark:kms"].into_iter().map(str::to_owned));
                if seed.compliance_officer {
                    scopes.extend(COMPLIANCE_SCOPES.iter().map(|scope| (*scope).to_owned()));
                }
                let token = Token::new(text, &seed.uuid, PORTAL_CLIENT, scopes, None);
                state.tokens.insert(text.clone(), token);
            }
        }
    }
    for bot in &config.bots {
        let person = Person::new(&bot.uuid, &bot.org, &bot.display_name, &bot.email, Kind::Bot, now);
        state.people.insert(bot.uuid.clone(), person);
        let scopes = expand(std::iter::once("spark:all".to_owned()));
        let token = Token::new(&bot.token, &bot.uuid, &bot.client_id, scopes, None);
        state.tokens.insert(bot.token.clone(), token);
    }
    for seed in &config.rooms {
        let cluster = state.orgs.get(&seed.org).map(|org| org.cluster.clone()).unwrap_or_default();
        let creator = seed.members.first().cloned().unwrap_or_default();
        let mut room =
            Room::new(&seed.uuid, &cluster, &seed.title, RoomKind::Group, &seed.org, &creator, now);
        for member in &seed.members {
            room.join(member, seed.moderators.contains(member), now);
        }
        room.locked = !seed.moderators.is_empty();
        room.announcement_only = seed.announcement_only;
        state.rooms.insert(seed.uuid.clone(), room);
    }
    for integration in &config.integrations {
        for grant in &integration.granted {
            let wanted = if grant.scopes.is_empty() { &integration.scopes } else { &grant.scopes };
            state.grant_as(
                &grant.person,
                &integration.client_id,
                wanted.iter().cloned().collect(),
                (&grant.access_token, &grant.refresh_token),
                now,
                &config.timing,
            );
        }
    }
    state
}

/// What a compliance officer can give.
pub const COMPLIANCE_SCOPES: [&str; 6] = [
    "spark-compliance:events_read",
    "spark-compliance:messages_read",
    "spark-compliance:messages_write",
    "spark-compliance:memberships_read",
    "spark-compliance:rooms_read",
    "spark-compliance:teams_read",
];
