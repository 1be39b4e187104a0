//! From the configuration to the first state.

use indexmap::IndexMap;

use super::api::grant_tokens;
use super::config::{BRIDGE_SCOPES, SlackSimConfig};
use super::desk::Desk;
use super::state::{Channel, Code, Kind, State, Team, Token, TokenKind, User};
use crate::core::World;

/// The workspaces, people and channels of a configuration.
pub fn seeded(config: &SlackSimConfig, world: &World) -> State {
    let now = world.clock.micros();
    let mut state = State {
        enterprise: config.enterprise.as_ref().map(|org| (org.id.clone(), org.name.clone())),
        ..State::default()
    };
    for seed in &config.workspaces {
        let enterprise = config.enterprise.as_ref().filter(|_| seed.in_enterprise).map(|org| org.id.clone());
        state.teams.insert(
            seed.id.clone(),
            Team {
                id: seed.id.clone(),
                name: seed.name.clone(),
                domain: seed.domain.clone(),
                enterprise,
                emoji: seed.emoji.iter().cloned().collect(),
                groups: seed
                    .groups
                    .iter()
                    .map(|(id, handle, users)| (id.clone(), (handle.clone(), users.clone())))
                    .collect::<IndexMap<_, _>>(),
            },
        );
        for person in &seed.people {
            state.users.insert(
                person.id.clone(),
                User {
                    id: person.id.clone(),
                    team: seed.id.clone(),
                    handle: person.handle.clone(),
                    real_name: person.real_name.clone(),
                    display_name: person.display_name.clone(),
                    email: Some(person.email.clone()).filter(|email| !email.is_empty()),
                    admin: person.admin,
                    deleted: false,
                    guest: false,
                    bot_id: None,
                    updated: now / 1_000_000,
                },
            );
            if let Some(text) = &person.client_token {
                state.tokens.insert(
                    text.clone(),
                    Token {
                        text: text.clone(),
                        kind: TokenKind::Client,
                        app_id: String::new(),
                        team: Some(seed.id.clone()),
                        enterprise: None,
                        user: person.id.clone(),
                        bot_id: None,
                        scopes: BRIDGE_SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
                        expires: None,
                        revoked: false,
                        exchanged: false,
                    },
                );
            }
        }
        for seed_channel in &seed.channels {
            let kind = if seed_channel.private { Kind::Private } else { Kind::Public };
            let creator = seed_channel.members.first().cloned().unwrap_or_default();
            let mut channel =
                Channel::new(&seed_channel.id, &seed.id, &seed_channel.name, kind, &creator, now);
            channel.members = seed_channel.members.iter().cloned().collect();
            channel.shared_with.clone_from(&seed_channel.shared_with);
            state.channels.insert(seed_channel.id.clone(), channel);
        }
    }
    state
}

/// Makes the installations that exist from the start. Their bots enter the channels without a word.
pub fn install(desk: &mut Desk<'_>) {
    for app in &desk.config.apps {
        for seed in &app.installed {
            let installer = desk
                .state
                .users
                .values()
                .find(|user| {
                    user.bot_id.is_none() && (user.team == seed.place || seed.place.starts_with('E'))
                })
                .map(|user| user.id.clone())
                .unwrap_or_default();
            let code = |user: &str| Code {
                app_id: app.app_id.clone(),
                place: seed.place.clone(),
                user: user.to_owned(),
                scopes: std::collections::BTreeSet::new(),
                user_scopes: std::collections::BTreeSet::new(),
                redirect_uri: None,
                challenge: None,
                expires: 0,
            };
            let bot_code = Code { scopes: seed.scopes.iter().cloned().collect(), ..code(&installer) };
            let granted = grant_tokens(desk, app, &bot_code, Some(&seed.bot_token));
            let bot = granted.get("bot_user_id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
            for id in &seed.member_of {
                if let Some(channel) = desk.state.channels.get_mut(id) {
                    channel.members.insert(bot.clone());
                }
            }
            for (user, text, scopes) in &seed.user_tokens {
                let code = Code { user_scopes: scopes.iter().cloned().collect(), ..code(user) };
                let granted = grant_tokens(desk, app, &code, None);
                let made = granted["authed_user"]["access_token"].as_str().unwrap_or_default().to_owned();
                if let Some(mut token) = desk.state.tokens.shift_remove(&made) {
                    token.text.clone_from(text);
                    desk.state.tokens.insert(text.clone(), token);
                }
            }
        }
    }
}
