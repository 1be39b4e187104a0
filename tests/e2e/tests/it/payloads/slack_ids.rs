//! From the ids of a recording of Slack to those of the live bridge.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bench::{PEOPLE, TEAM};

/// The live side.
pub(crate) struct Live<'a> {
    pub(crate) app: &'a str,
    pub(crate) bot_user: &'a str,
    pub(crate) bot: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) now_ms: i64,
    /// Timestamps of messages that were posted first, by those of the recording.
    pub(crate) prepared: &'a BTreeMap<String, String>,
    /// Another one for each file: many recordings were given the same.
    pub(crate) event_id: String,
    /// The recording does not say that it is the app's own response, and its origin does.
    pub(crate) own_response: bool,
}

/// A message that has to be there first: its timestamp, and that of the root that it answers.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Needed {
    pub(crate) ts: String,
    pub(crate) root: Option<String>,
}

/// What an event is about and does not bring itself.
pub(crate) fn needed(envelope: &Value) -> Vec<Needed> {
    let event = &envelope["event"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let one = |ts: Option<String>, root: Option<String>| {
        let root = root.filter(|root| ts.as_ref() != Some(root));
        let before = root.clone().map(|ts| Needed { ts, root: None });
        before.into_iter().chain(ts.map(|ts| Needed { ts, root })).collect::<Vec<_>>()
    };
    match (event["type"].as_str(), event["subtype"].as_str()) {
        (Some("reaction_added" | "reaction_removed"), _) => one(text(&event["item"]["ts"]), None),
        (Some("message"), Some("message_changed" | "message_deleted")) => {
            let (after, before) = (&event["message"], &event["previous_message"]);
            let ts = text(&after["ts"]).or_else(|| text(&before["ts"]));
            one(ts, text(&after["thread_ts"]).or_else(|| text(&before["thread_ts"])))
        }
        (Some("message"), _) if event["thread_ts"] != event["ts"] => one(text(&event["thread_ts"]), None),
        _ => Vec::new(),
    }
}

struct Ids<'a> {
    live: &'a Live<'a>,
    installed: Option<String>,
    app: Option<String>,
    users: BTreeMap<String, String>,
    own_bots: BTreeSet<String>,
    shift_s: i64,
}

/// Rebases an envelope.
pub(crate) fn rebased(envelope: &Value, live: &Live<'_>) -> Value {
    let text = |value: &Value| value.as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let first = &envelope["authorizations"][0];
    let pick = |of: &Value| text(&of["team_id"]).or_else(|| text(&of["enterprise_id"]));
    let event = &envelope["event"];
    let at = text(&event["event_ts"]).or_else(|| text(&event["ts"]));
    let at_s = at.and_then(|ts| ts.split('.').next()?.parse::<i64>().ok());
    let mut ids = Ids {
        live,
        installed: pick(first).or_else(|| pick(envelope)),
        app: text(&envelope["api_app_id"]),
        users: BTreeMap::new(),
        own_bots: BTreeSet::new(),
        shift_s: at_s.map_or(0, |at_s| live.now_ms / 1_000 - at_s),
    };
    ids.learn(envelope);
    let mut out = envelope.clone();
    ids.walk("", &mut out);
    if out.get("event_id").is_some() {
        out["event_id"] = live.event_id.clone().into();
    }
    for key in ["event_time", "minute_rate_limited"] {
        if out.get(key).is_some() {
            out[key] = (live.now_ms / 1_000).into();
        }
    }
    out
}

impl Ids<'_> {
    fn learn(&mut self, envelope: &Value) {
        let event = &envelope["event"];
        let is_app = event.get("bot_id").is_some_and(Value::is_string);
        let written = matches!(event["type"].as_str(), Some("message" | "app_mention" | "reaction_added"));
        for bot in envelope["authorizations"].as_array().into_iter().flatten() {
            // Shortened recordings give the person who wrote and the app's bot the same id.
            let person = written && !is_app && bot["user_id"] == event["user"];
            if bot["is_bot"] == true && !person {
                let id = bot["user_id"].as_str().unwrap_or_default().to_owned();
                self.users.insert(id, self.live.bot_user.to_owned());
            }
        }
        for id in event["tokens"]["bot"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.users.insert(id.to_owned(), self.live.bot_user.to_owned());
        }
        let by_own = self.app.is_some() && event["app_id"].as_str() == self.app.as_deref()
            || event["user"]
                .as_str()
                .is_some_and(|user| self.users.get(user).is_some_and(|live| *live == self.live.bot_user));
        if (by_own || self.live.own_response)
            && let Some(id) = event["bot_id"].as_str()
        {
            self.own_bots.insert(id.to_owned());
        }
        // Who did it comes first, so that it is always the same person.
        let mut found = Vec::new();
        for actor in [&event["user"], &event["message"]["user"]] {
            users("user", actor, &mut found);
        }
        users("", envelope, &mut found);
        mentioned(event["text"].as_str().unwrap_or_default(), &mut found);
        let mut next = 0;
        for id in found {
            if id == "USLACKBOT" || self.users.contains_key(&id) {
                continue;
            }
            self.users.insert(id, PEOPLE[next % PEOPLE.len()].to_owned());
            next += 1;
        }
    }

    fn walk(&self, key: &str, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (inner, value) in map.iter_mut() {
                    let key = match (key, inner.as_str()) {
                        ("channel" | "user", "id") => key,
                        (_, inner) => inner,
                    };
                    let key = key.to_owned();
                    self.walk(&key, value);
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| self.walk(key, value)),
            Value::String(text) => {
                if let Some(new) = self.replaced(key, text) {
                    *text = new;
                } else {
                    for (old, new) in &self.users {
                        *text = text.replace(&format!("<@{old}"), &format!("<@{new}"));
                    }
                }
            }
            _ => {}
        }
    }

    fn replaced(&self, key: &str, text: &str) -> Option<String> {
        let live = self.live;
        match key {
            "api_app_id" => return Some(live.app.to_owned()),
            "app_id" if self.app.as_deref() == Some(text) => return Some(live.app.to_owned()),
            "bot_id" if self.own_bots.contains(text) => return Some(live.bot.to_owned()),
            "channel" | "channel_id" => return Some(live.channel.to_owned()),
            "team_id" | "team" | "context_team_id" | "user_team" | "source_team" | "enterprise_id"
                if self.installed.as_deref() == Some(text) =>
            {
                return Some(TEAM.to_owned());
            }
            _ if is_user_key(key) => return self.users.get(text).cloned(),
            _ => {}
        }
        if let Some(new) = live.prepared.get(text) {
            return Some(new.clone());
        }
        let (seconds, rest) = text.split_once('.')?;
        let digits =
            |text: &str, from: usize| text.len() >= from && text.bytes().all(|it| it.is_ascii_digit());
        (digits(seconds, 9) && digits(rest, 4))
            .then(|| Some(format!("{}.{rest:0<6}", seconds.parse::<i64>().ok()? + self.shift_s)))?
    }
}

fn is_user_key(key: &str) -> bool {
    [
        "user",
        "user_id",
        "inviter",
        "item_user",
        "actor_id",
        "creator",
        "parent_user_id",
        "author_id",
        "authed_users",
        "reply_users",
        "oauth",
        "bot",
    ]
    .contains(&key)
}

fn mentioned(text: &str, found: &mut Vec<String>) {
    for rest in text.split("<@").skip(1) {
        let end = rest.find(['>', '|']).unwrap_or(rest.len());
        found.push(rest[..end].to_owned());
    }
}

fn users(key: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (inner, value) in map {
                let key = if key == "user" && inner == "id" { "user" } else { inner };
                users(key, value, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| users(key, value, found)),
        Value::String(id) if is_user_key(key) => found.push(id.clone()),
        _ => {}
    }
}
