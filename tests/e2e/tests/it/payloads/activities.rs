//! Activities of a bot, sent with the token of the Bot Framework.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dragoman_sim::core::LogKind;
use dragoman_sim::teams::{Draft, TeamsSim, seed};
use serde_json::{Value, json};

use super::bench::{Bench, File, From, Pair, files};

/// The account that recordings of personal chats are rebased onto a group chat with.
fn is_personal(activity: &Value) -> bool {
    matches!(activity["conversation"]["conversationType"].as_str(), Some("personal") | None)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Recordings that leave out most of an activity are completed; the rest is as the service sends it.
fn complete(file: &Value) -> Value {
    let mut activity = file.clone();
    if activity.get("type").is_none() {
        let is_invoke = activity.get("name").is_some();
        activity["type"] = json!(if is_invoke { "invoke" } else { "message" });
        activity["id"] = json!(if is_invoke { "f:1" } else { "1485983408511" });
        activity["timestamp"] = json!("2017-02-01T21:10:07.437Z");
        activity["from"] = json!({"id": "29:somebody", "aadObjectId": "somebody"});
        activity["recipient"] = json!({"id": "28:bot"});
        activity["conversation"] = json!({"conversationType": "personal", "id": "a:chat"});
    }
    activity
}

/// Messages come first: what tells of the team lets the gateway read what it missed, and messages that were
/// only sent to it are not there. The end of the team is the end of all bridges.
fn turn(name: &str) -> u8 {
    match name {
        _ if name.contains("team-deleted") => 2,
        _ if name.starts_with("conversation-update") || name.starts_with("installation-update") => 1,
        _ => 0,
    }
}

/// The messages that an activity is about, the root of their thread first.
fn needed(activity: &Value) -> Vec<(String, Option<String>)> {
    let conversation = text(&activity["conversation"]["id"]);
    let root = conversation.split_once(";messageid=").map(|(_, root)| root.to_owned());
    let of = |id: String| {
        let root = root.clone().filter(|root| *root != id);
        let before = root.clone().map(|root| (root, None));
        before.into_iter().chain([(id, root)]).collect()
    };
    match activity["type"].as_str() {
        Some("messageUpdate" | "messageDelete") => of(text(&activity["id"])),
        Some("messageReaction") => of(text(&activity["replyToId"])),
        // Its own message is what the activity brings.
        Some("message") => {
            let own = text(&activity["id"]);
            root.filter(|root| *root != own).map(|root| (root, None)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

struct Ids<'a> {
    teams: &'a TeamsSim,
    pair: &'a Pair,
    prepared: &'a BTreeMap<String, String>,
    n: usize,
    now_ms: i64,
}

impl Ids<'_> {
    fn person(&self, account: &mut Value, person: &str) {
        let id = text(&account["id"]);
        if id.starts_with("28:") {
            account["id"] = json!(format!("28:{}", seed::APP));
            return;
        }
        account["id"] = json!(self.teams.bot_side_person(seed::APP, person));
        if account.get("aadObjectId").is_some() {
            account["aadObjectId"] = json!(person);
        }
    }

    /// The id of a message; one that was not prepared is as new as the file.
    fn message(&self, id: &str) -> String {
        self.prepared.get(id).cloned().unwrap_or_else(|| self.now_ms.to_string())
    }

    fn rebase(&self, mut activity: Value) -> Value {
        let is_number = |id: &str| id.len() > 9 && id.bytes().all(|it| it.is_ascii_digit());
        activity["channelId"] = json!("msteams");
        activity["serviceUrl"] = json!(self.teams.service_url());
        let now = jiff::Timestamp::from_millisecond(self.now_ms).expect("now is a time").to_string();
        for key in ["timestamp", "localTimestamp"] {
            if activity.get(key).is_some() {
                activity[key] = json!(now);
            }
        }
        let id = text(&activity["id"]);
        activity["id"] = json!(if is_number(&id) { self.message(&id) } else { format!("{id}{}", self.n) });
        let answered = text(&activity["replyToId"]);
        if !answered.is_empty() {
            activity["replyToId"] = json!(self.message(&answered));
        }
        self.person(&mut activity["from"], seed::DANA);
        activity["recipient"]["id"] = json!(format!("28:{}", seed::APP));
        for key in ["membersAdded", "membersRemoved"] {
            for account in activity[key].as_array_mut().into_iter().flatten() {
                self.person(account, seed::EMRE);
            }
        }
        for entity in activity["entities"].as_array_mut().into_iter().flatten() {
            if entity.get("mentioned").is_some() {
                self.person(&mut entity["mentioned"], seed::EMRE);
            }
        }
        // Absent members became null above.
        if let Some(map) = activity.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        let team = text(&activity["channelData"]["team"]["id"]);
        self.place(&mut activity, &team);
        activity
    }

    fn place(&self, activity: &mut Value, team: &str) {
        let personal = is_personal(activity);
        let conversation = &mut activity["conversation"];
        let old = text(&conversation["id"]);
        let (base, root) = match old.split_once(";messageid=") {
            Some((base, root)) => (base, Some(root)),
            None => (old.as_str(), None),
        };
        // Events of a team are told in its general channel, whose id the team has in bot traffic.
        let base = if base == team { seed::GENERAL } else { &self.pair.teams };
        let root = root.map(|root| format!(";messageid={}", self.message(root))).unwrap_or_default();
        conversation["id"] = json!(format!("{base}{root}"));
        if conversation.get("tenantId").is_some() {
            conversation["tenantId"] = json!(seed::TENANT);
        }
        if personal {
            conversation["conversationType"] = json!("groupChat");
            conversation["isGroup"] = json!(true);
        }
        let data = &mut activity["channelData"];
        data["tenant"] = json!({"id": seed::TENANT});
        for (pointer, id) in [
            ("/channel/id", self.pair.teams.as_str()),
            ("/settings/selectedChannel/id", &self.pair.teams),
            ("/teamsChannelId", &self.pair.teams),
            ("/teamsTeamId", seed::GENERAL),
            ("/team/id", seed::GENERAL),
            ("/team/aadGroupId", seed::TEAM),
        ] {
            if let Some(value) = data.pointer_mut(pointer) {
                *value = json!(id);
            }
        }
    }
}

/// What happens to the prepared message at the service without its telling, so that the recording tells first.
fn act(bench: &mut Bench, name: &str, pair: &Pair, message: &str) {
    let teams = bench.world.teams.clone();
    let done = |outcome: Result<(), dragoman_sim::teams::Refusal>| outcome.expect("it is Dana's own message");
    match name {
        "message-update-edit.json" => bench.silently(pair, || {
            done(teams.edit(seed::DANA, &pair.teams, message, Draft::html("<p>edited</p>")));
        }),
        "message-update-undelete.json" => {
            bench.silently(pair, || done(teams.undo_delete(seed::DANA, &pair.teams, message)));
        }
        "message-delete-soft.json" => {
            bench.silently(pair, || done(teams.delete(seed::DANA, &pair.teams, message)));
        }
        _ => {}
    }
}

async fn send(bench: &Bench, activity: &Value) -> Result<String> {
    let log = bench.world.teams.log();
    let position = log.position();
    let id = activity["id"].clone();
    bench.world.teams.send_activity(seed::APP, activity);
    let sent = |entry: &dragoman_sim::core::LogEntry| {
        entry.seq > position
            && entry.kind == LogKind::Delivery
            && entry.method.starts_with("bot.")
            && entry.detail["id"] == id
    };
    let found = log.wait_for(1, Duration::from_secs(10), sent).await.context("the activity was not sent")?;
    Ok(found[0].status.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activities() {
    let Some(files) = files("teams/bot/activities") else { return };
    let whole: Vec<Value> = files.iter().map(|file| complete(&file.json)).collect();
    let chats: Vec<bool> = whole.iter().map(is_personal).collect();
    let mut bench = Bench::start(&chats).await.unwrap();
    let mut prepared: Vec<BTreeMap<String, String>> = Vec::new();
    for (activity, pair) in whole.iter().zip(&bench.pairs) {
        let mut made: BTreeMap<String, String> = BTreeMap::new();
        for (id, root) in needed(activity) {
            let root = root.map(|root| made[&root].clone());
            let posted = bench.post_at_teams(pair, root.as_deref());
            made.insert(id, posted);
        }
        prepared.push(made);
    }
    bench.told_twice(prepared.iter().flat_map(BTreeMap::values)).await.unwrap();
    bench.settle().await.unwrap();
    // What was deleted was deleted for everybody before it came back.
    let undeleted = files.iter().position(|file| file.name == "message-update-undelete.json").unwrap();
    let message = prepared[undeleted].values().next().unwrap().clone();
    let place = bench.pairs[undeleted].teams.clone();
    bench.world.teams.delete(seed::DANA, &place, &message).unwrap();
    bench.told(&message, 4).await.unwrap();
    bench.settle().await.unwrap();
    let mut order: Vec<usize> = (0..files.len()).collect();
    order.sort_by_key(|n| (turn(&files[*n].name), *n));
    let mut lines = BTreeMap::new();
    for n in order {
        let File { name, .. } = &files[n];
        let pair = bench.pairs[n].clone();
        if let Some(message) = prepared[n].get(&text(&whole[n]["id"])) {
            act(&mut bench, name, &pair, message);
        }
        let now_ms = bench.now_ms().await.unwrap();
        let teams = bench.world.teams.clone();
        let ids = Ids { teams: &teams, pair: &pair, prepared: &prepared[n], n, now_ms };
        let activity = ids.rebase(whole[n].clone());
        let before = bench.before(From::Teams, &pair).await.unwrap();
        let answer = send(&bench, &activity).await.unwrap();
        let outcome = bench.outcome(before, &answer).await.unwrap();
        let first = if prepared[n].is_empty() { "" } else { "prepared, then " };
        lines.insert(name.clone(), format!("{name}: {first}{outcome}"));
    }
    let lines: Vec<String> = lines.into_values().collect();
    insta::assert_snapshot!("teams_bot_activities", lines.join("\n"));
    bench.world.end().await.unwrap();
}
