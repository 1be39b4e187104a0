//! Events: who may see them, and the envelope around them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value, json};

use super::config::{SeedApp, SlackDoubts};
use super::state::{Install, State};
use crate::core::World;

/// Who gets an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Installations with a member in the conversation.
    Channel(String),
    /// Installations in the workspace.
    Team(String),
    /// The installation of this bot user or of an app with a token of this user.
    User(String),
    /// One installation of one app: its place (`T…` or `E…`). Without `authorizations`.
    Install {
        /// The app.
        app_id: String,
        /// The place.
        place: String,
    },
}

/// Something to deliver.
#[derive(Debug, Clone)]
pub struct Event {
    /// The name in the app's subscriptions, for example `message.channels`.
    pub subscription: String,
    /// The scope needed; empty: none.
    pub scope: String,
    /// Who gets it.
    pub audience: Audience,
    /// The workspace where it happened.
    pub team: String,
    /// The inner event.
    pub body: Map<String, Value>,
}

impl Event {
    /// The conversation it is about.
    pub fn channel(&self) -> Option<&str> {
        match &self.audience {
            Audience::Channel(channel) => Some(channel),
            _ => self.body.get("channel").and_then(Value::as_str),
        }
    }
}

/// A delivery: the envelope and what the log says about it.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The app.
    pub app_id: String,
    /// The installation's workspace, or organisation.
    pub place: String,
    /// `Ev…`.
    pub event_id: String,
    /// Type of the inner event, with the subtype after a dot.
    pub name: String,
    /// Conversation.
    pub channel: Option<String>,
    /// The outer object.
    pub body: Value,
}

/// The installations of an app that may see an event, with the authorisation to name.
pub fn recipients(state: &State, app: &SeedApp, event: &Event) -> Vec<(Install, Value)> {
    if !app.bot_events.contains(&event.subscription) {
        return Vec::new();
    }
    let allowed =
        |scopes: &std::collections::BTreeSet<String>| event.scope.is_empty() || scopes.contains(&event.scope);
    let mut found = Vec::new();
    for install in state.installs.iter().filter(|install| install.app_id == app.app_id) {
        let by_bot = install.bot_user.as_ref().filter(|_| allowed(&install.scopes));
        let authorization = match &event.audience {
            Audience::Channel(channel) => {
                let Some(channel) = state.channels.get(channel) else { continue };
                by_bot
                    .filter(|bot| channel.members.contains(*bot))
                    .map(|bot| state.authorization(install, bot, true))
                    .or_else(|| {
                        install
                            .users
                            .iter()
                            .find(|(user, scopes)| allowed(scopes) && channel.members.contains(*user))
                            .map(|(user, _)| state.authorization(install, user, false))
                    })
            }
            Audience::Team(team) => {
                let covered = state.teams.get(team).is_some_and(|team| install.covers(team));
                by_bot.filter(|_| covered).map(|bot| state.authorization(install, bot, true))
            }
            Audience::User(user) => {
                by_bot.filter(|bot| *bot == user).map(|bot| state.authorization(install, bot, true))
            }
            Audience::Install { .. } => None,
        };
        if let Some(authorization) = authorization {
            found.push((install.clone(), authorization));
        }
    }
    found
}

/// Builds the delivery of an event to an app, or nothing when the app may not see it.
pub fn envelope(
    state: &mut State,
    doubts: &SlackDoubts,
    world: &World,
    app: &SeedApp,
    event: &Event,
) -> Option<Envelope> {
    let event_id = format!("Ev{}", world.upper(10));
    let kind = event.body.get("type").and_then(Value::as_str).unwrap_or_default();
    let name = match event.body.get("subtype").and_then(Value::as_str) {
        Some(subtype) => format!("{kind}.{subtype}"),
        None => kind.to_owned(),
    };
    let mut body = json!({
        "token": app.verification_token,
        "api_app_id": app.app_id,
        "event": event.body,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": world.clock.seconds(),
    });
    let channel = event.channel().map(str::to_owned);
    if let Audience::Install { app_id, place } = &event.audience {
        if *app_id != app.app_id || !app.bot_events.contains(&event.subscription) {
            return None;
        }
        if place.starts_with('E') {
            body["enterprise_id"] = json!(place);
        } else {
            body["team_id"] = json!(place);
            if let Some(enterprise) = state.teams.get(place).and_then(|team| team.enterprise.clone()) {
                body["enterprise_id"] = json!(enterprise);
            }
        }
        return Some(Envelope {
            app_id: app.app_id.clone(),
            place: place.clone(),
            event_id,
            name,
            channel,
            body,
        });
    }
    let seen_by = recipients(state, app, event);
    let (install, first) = seen_by.first()?;
    let conversation = channel.as_ref().and_then(|id| state.channels.get(id));
    let own_team = install
        .team
        .clone()
        .unwrap_or_else(|| conversation.map_or_else(|| event.team.clone(), |channel| channel.team.clone()));
    let shared = conversation.is_some_and(super::state::Channel::is_ext_shared);
    let outer = if shared && doubts.foreign_outer_team { event.team.clone() } else { own_team.clone() };
    let enterprise_of = |team: &str| state.teams.get(team).and_then(|team| team.enterprise.clone());
    let context = json!({"et": kind, "tid": own_team, "aid": app.app_id, "cid": channel, "n": event_id});
    let context = format!("4-{}", STANDARD_NO_PAD.encode(context.to_string()));
    let all: Vec<Value> = seen_by.iter().map(|(_, authorization)| authorization.clone()).collect();
    body["team_id"] = json!(outer);
    if let Some(enterprise) = enterprise_of(&outer) {
        body["enterprise_id"] = json!(enterprise);
    }
    body["context_team_id"] = json!(own_team);
    body["context_enterprise_id"] = json!(enterprise_of(&own_team));
    body["authorizations"] = json!([first]);
    body["is_ext_shared_channel"] = json!(shared);
    body["event_context"] = json!(context);
    let place = install.team.clone().or_else(|| install.enterprise.clone()).unwrap_or_default();
    state.contexts.insert(context, (app.app_id.clone(), json!(all)));
    if state.contexts.len() > 20_000 {
        state.contexts.shift_remove_index(0);
    }
    Some(Envelope { app_id: app.app_id.clone(), place, event_id, name, channel, body })
}
