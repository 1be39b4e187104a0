//! What the platforms show.

use dragoman_sim::webex::ids;
use dragoman_sim::webex::seed::SERVICE;
use dragoman_sim::zoom::config::BRIDGE;
use serde_json::Value;

use super::platforms::{CHANNELS, Channel, EMOJI, Platforms, key};

/// A message as a platform shows it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// As the gateway names it.
    pub(super) id: String,
    pub(super) root: Option<String>,
    pub(super) text: String,
    /// Posted by the gateway.
    pub(super) ours: bool,
    /// Name and bytes; of what the gateway posted only.
    pub(super) files: Vec<(String, Vec<u8>)>,
    /// Emoji by number and who reacted with it; `None` is the gateway.
    pub(super) reactions: Vec<(Option<usize>, Option<String>)>,
    pub(super) raw: Value,
}

impl Shown {
    /// Whether it asks whoever it is for to take a file.
    pub(super) fn is_offer(&self) -> bool {
        list(&self.raw["attachments"])
            .any(|it| it["contentType"] == "application/vnd.microsoft.teams.card.file.consent")
    }
}

impl Platforms {
    /// The messages that a conversation shows, oldest first.
    pub(super) fn shown(&self, channel: &Channel) -> Vec<Shown> {
        let place = &*channel.id;
        match channel.platform {
            "slack" => {
                let all = self.slack.messages(place).into_iter();
                all.filter_map(|raw| self.of_slack(channel, raw)).collect()
            }
            "teams" => self.teams.messages(place).into_iter().filter_map(|raw| self.of_teams(raw)).collect(),
            "webex" => self.webex.messages(place).into_iter().map(|raw| self.of_webex(raw)).collect(),
            _ => {
                let all = self.zoom.messages(place, BRIDGE).into_iter();
                all.map(|raw| self.of_zoom(place, raw)).collect()
            }
        }
    }

    /// The names of files that the gateway put on a platform and that are still there; `None`: nobody tells.
    pub(super) fn kept(&self, platform: &str) -> Option<Vec<String>> {
        let ours = |files: Vec<(String, String)>, is_ours: &dyn Fn(&str) -> bool| {
            files.into_iter().filter(|(owner, _)| is_ours(owner)).map(|(_, name)| name).collect()
        };
        match platform {
            "slack" => Some(ours(self.slack.kept_files(), &|owner| !is_person(owner))),
            "zoom" => Some(ours(self.zoom.kept_files(), &|owner| owner == BRIDGE)),
            // People's lie there too.
            "teams" => Some(self.teams.kept_files()),
            _ => None,
        }
    }

    fn of_slack(&self, channel: &Channel, raw: Value) -> Option<Shown> {
        if raw["subtype"] == "tombstone" {
            return None;
        }
        let id = text(&raw["ts"]);
        let root = raw["thread_ts"].as_str().filter(|root| *root != id).map(str::to_owned);
        let files = list(&raw["files"])
            .filter_map(|file| Some((text(&file["name"]), self.slack.file_bytes(file["id"].as_str()?)?)));
        let mut reactions = Vec::new();
        for reaction in list(&raw["reactions"]) {
            for user in list(&reaction["users"]) {
                let who = Some(text(user)).filter(|user| channel.people.contains(&user.as_str()));
                reactions.push((emoji(&text(&reaction["name"])), who));
            }
        }
        let files = files.collect();
        let ours = raw["bot_id"].is_string();
        Some(Shown { root, text: text(&raw["text"]), ours, files, reactions, id, raw })
    }

    fn of_teams(&self, raw: Value) -> Option<Shown> {
        if !raw["deletedDateTime"].is_null() {
            return None;
        }
        let root = raw["replyToId"].as_str().map(str::to_owned);
        let ours = raw["from"]["application"].is_object();
        let mut content = text(&raw["body"]["content"]);
        let card = |kind: &str| {
            let kind = format!("application/vnd.microsoft.teams.card.file.{kind}");
            list(&raw["attachments"]).find(|it| it["contentType"] == kind.as_str())
        };
        if let Some(offer) = card("consent") {
            content.push_str(&text(&offer["name"]));
        }
        let taken = card("info");
        let taken =
            taken.and_then(|it| Some((text(&it["name"]), self.teams.file_at(it["contentUrl"].as_str()?)?)));
        let linked = content.split("\u{1f4ce} <a href=\"").skip(1).filter_map(|rest| {
            let (address, rest) = rest.split_once('"')?;
            let name = rest.split_once('>')?.1.split_once('<')?.0.to_owned();
            Some((name, self.teams.file_at(&address.replace("&amp;", "&"))?))
        });
        let files = linked.chain(taken).collect();
        let reactions = list(&raw["reactions"]).map(|reaction| {
            let who = reaction["user"]["user"]["id"].as_str().map(str::to_owned);
            (emoji(&text(&reaction["reactionType"])), who)
        });
        let reactions = reactions.collect();
        Some(Shown { id: text(&raw["id"]), root, text: content, ours, files, reactions, raw })
    }

    fn of_webex(&self, raw: Value) -> Shown {
        let root = raw["parentId"].as_str().map(key);
        let ours = raw["personId"] == ids::person(SERVICE);
        let files = self.webex.files(&text(&raw["id"]));
        Shown {
            id: key(&text(&raw["id"])),
            root,
            text: text(&raw["text"]),
            ours,
            files,
            reactions: Vec::new(),
            raw,
        }
    }

    fn of_zoom(&self, place: &str, raw: Value) -> Shown {
        let root = raw["reply_main_message_id"].as_str().map(str::to_owned);
        let ours = text(&raw["sender"]).starts_with("dragoman.bridge@");
        let files = self.zoom.files_of(place, &text(&raw["id"]));
        let mut reactions = Vec::new();
        for reaction in list(&raw["reactions"]) {
            for sender in list(&reaction["senders"]) {
                let who = Some(text(&sender["user_id"])).filter(|user| user != BRIDGE);
                reactions.push((emoji(&text(&reaction["emoji"])), who));
            }
        }
        Shown { id: text(&raw["id"]), root, text: text(&raw["message"]), ours, files, reactions, raw }
    }
}

fn is_person(user: &str) -> bool {
    CHANNELS.iter().any(|channel| channel.people.contains(&user))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The number of an emoji, however a platform writes it.
pub(super) fn emoji(written: &str) -> Option<usize> {
    EMOJI.iter().position(|(sign, name)| {
        let point = sign.chars().next().map_or(0, u32::from);
        *sign == written || *name == written || format!("U+{point:X}").eq_ignore_ascii_case(written)
    })
}
