//! From the configuration to the first state.

use indexmap::{IndexMap, IndexSet};

use super::config::{AppKind, ZoomSimConfig};
use super::desk::Desk;
use super::rooms::default_settings;
use super::state::{Account, App, ChannelInfo, Grant, Person, Role, Room, State, Subscription};
use crate::core::World;

/// The accounts, people, channels and apps of a configuration.
pub fn seeded(config: &ZoomSimConfig, world: &World) -> State {
    let now = world.clock.millis();
    let mut state = State { once_per_person: config.doubts.once_per_person, ..State::default() };
    for seed in &config.apps {
        let subscriptions = seed.subscriptions.iter().cloned().map(Subscription::of).collect();
        state.apps.push(App { seed: seed.clone(), subscriptions });
    }
    for seed in &config.accounts {
        let account = Account {
            id: seed.id.clone(),
            name: seed.name.clone(),
            emoji: seed.emoji.iter().cloned().collect(),
            cloud_storage: true,
            files_allowed: true,
        };
        state.accounts.insert(seed.id.clone(), account);
        for person in &seed.people {
            let known = Person {
                id: person.id.clone(),
                member_id: person.member_id.clone(),
                account: seed.id.clone(),
                first_name: person.first_name.clone(),
                last_name: person.last_name.clone(),
                display_name: format!("{} {}", person.first_name, person.last_name).trim().to_owned(),
                email: person.email.clone(),
                admin: person.admin,
                picture: None,
                contacts: person.contacts.iter().cloned().collect(),
                blocked: std::collections::BTreeSet::new(),
                chat_disabled: false,
                deleted: false,
                created: now,
            };
            state.people.insert(person.id.clone(), known);
        }
        for channel in &seed.channels {
            let role = |index: usize| if index == 0 { Role::Owner } else { Role::Member };
            let members: IndexMap<String, Role> =
                channel.members.iter().enumerate().map(|(index, id)| (id.clone(), role(index))).collect();
            let info = ChannelInfo {
                name: channel.name.clone(),
                kind: channel.kind,
                account: seed.id.clone(),
                archived: false,
                encrypted: channel.encrypted,
                settings: default_settings(),
                bots: IndexSet::new(),
                pinned: IndexMap::new(),
            };
            let room = Room {
                id: channel.id.clone(),
                channel: Some(info),
                members,
                bot: None,
                messages: IndexMap::new(),
            };
            state.rooms.insert(channel.id.clone(), room);
        }
    }
    state
}

/// Makes the authorisations that exist from the start.
///
/// # Errors
/// When one names nobody.
pub fn install(desk: &mut Desk<'_>) -> anyhow::Result<()> {
    for app in &desk.config.apps {
        for seed in &app.installed {
            desk.grant_with(app, &seed.user, &seed.access_token, &seed.refresh_token)?;
        }
        for room in &app.bot_in {
            desk.info_mut(room)?.bots.insert(app.app_id.clone());
        }
        if let (AppKind::ServerToServer, Some(account)) = (app.kind, &app.account) {
            desk.state.grants.push(Grant {
                app_id: app.app_id.clone(),
                account: account.clone(),
                user: String::new(),
                scopes: app.scopes.iter().cloned().collect(),
            });
        }
    }
    // Nobody is told of what was there before.
    desk.state.outbox.clear();
    Ok(())
}
