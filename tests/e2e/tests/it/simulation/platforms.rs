//! The simulated platforms on one machine, each on a port of its own, and people in five conversations that are one
//! bridge: two channels of two Slack workspaces, a Teams channel, a Webex space, a Zoom channel.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use dragoman_sim::core::{FaultOrder, LogEntry, World};
use dragoman_sim::slack::people::Post as SlackPost;
use dragoman_sim::slack::{BotIdentity, SlackSim};
use dragoman_sim::teams::{Draft, Place, Refusal, TeamsSim, TeamsSimConfig, seed};
use dragoman_sim::webex::seed::{GITA, HENRIK, INES, SERVICE};
use dragoman_sim::webex::{Post as WebexPost, WebexSim, WebexSimConfig, ids};
use dragoman_sim::zoom::config::{BRIDGE, IMANI, LAUNCH, RUI, THEO};
use dragoman_sim::zoom::{Post as ZoomPost, SeedApp, ZoomSim, ZoomSimConfig};
use serde_json::Value;

use super::shown::Shown;
use super::slack::{self, APP, TOKENS};
use super::stage::SentFile;

/// The simulated machine.
pub(super) const HOST: &str = "platforms";
/// The port of Slack; the others follow.
pub(super) const PORT: u16 = 80;

/// A conversation of the bridge, or somebody's own chat with the app.
pub(super) struct Channel {
    pub(super) platform: &'static str,
    /// The gateway's installation there.
    pub(super) installation: &'static str,
    /// Its id there; of Webex the UUID.
    pub(super) id: Cow<'static, str>,
    /// Who writes in it.
    pub(super) people: &'static [&'static str],
}

const fn channel(
    platform: &'static str,
    installation: &'static str,
    id: &'static str,
    people: &'static [&'static str],
) -> Channel {
    Channel { platform, installation, id: Cow::Borrowed(id), people }
}

pub(super) static CHANNELS: [Channel; 5] = [
    channel("slack", "inst-T07HARBOR", slack::CHANNELS[1].1, slack::PEOPLE[1]),
    channel("slack", "inst-T08TIDEWATER", slack::CHANNELS[2].1, slack::PEOPLE[2]),
    channel("teams", "inst-teams", seed::LAUNCH, &[seed::DANA, seed::EMRE, seed::FARAH]),
    channel("webex", "inst-webex", dragoman_sim::webex::seed::LAUNCH, &[GITA, HENRIK, INES]),
    channel("zoom", "inst-zoom", LAUNCH, &[THEO, IMANI, RUI]),
];

/// Who writes to the app, at each channel's installation, and their addresses.
pub(super) static PEOPLE: [(&str, &str); 5] = [
    ("U07ANASOUZA", "ana.souza@harbor-works.example"),
    ("U08DARIOCONTI", "dario.conti@tidewater.example"),
    (seed::DANA, "dana@fabrikant.example"),
    (GITA, "gita.rao@larkfield.example"),
    (IMANI, "imani.okoye@kestrel-outfitters.example"),
];

/// What people react with: the sign, and its name at Slack.
pub(super) const EMOJI: [(&str, &str); 3] =
    [("\u{1f44d}", "+1"), ("\u{1f389}", "tada"), ("\u{1f680}", "rocket")];

/// How somebody is called in notes.
pub(super) fn name(user: &str) -> &'static str {
    const NAMES: [(&str, &str); 14] = [
        ("U07ANASOUZA", "Ana"),
        ("U07BENOKAFOR", "Ben Okafor"),
        ("U07CHLOEMARTIN", "Chloe"),
        ("U08DARIOCONTI", "Dario Conti"),
        ("U08ELIFDEMIR", "Elif Demir"),
        (seed::DANA, "Dana Lindqvist"),
        (seed::EMRE, "Emre Kaya"),
        (seed::FARAH, "Farah Haddad"),
        (GITA, "Gita Rao"),
        (HENRIK, "Henrik Dahl"),
        (INES, "Ines Moreau"),
        (THEO, "Theo Lindqvist"),
        (IMANI, "Imani Okoye"),
        (RUI, "Rui Carvalho"),
    ];
    NAMES.iter().find(|(id, _)| *id == user).map_or("", |(_, name)| name)
}

/// The region of the Webex organisation.
const CLUSTER: &str = "urn:TEAM:eu-central-1_k";

impl Channel {
    /// The id that the gateway knows it by.
    pub(super) fn remote(&self) -> String {
        if self.platform == "webex" { ids::public(CLUSTER, "ROOM", &self.id) } else { self.id.to_string() }
    }
}

/// The simulators.
#[derive(Clone)]
pub(super) struct Platforms {
    pub(super) slack: SlackSim,
    pub(super) teams: TeamsSim,
    pub(super) webex: WebexSim,
    pub(super) zoom: ZoomSim,
}

/// What the gateway has to know of them.
#[derive(Clone)]
pub(super) struct Addresses {
    /// Who the app is in each Slack workspace.
    pub(super) bots: Vec<BotIdentity>,
    pub(super) slack: String,
    pub(super) teams: String,
    pub(super) service: String,
    pub(super) webex: String,
    pub(super) zoom: String,
    pub(super) zoom_files: String,
}

fn at(place: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORT + place))
}

fn seconds<const N: usize>(waits: [u64; N]) -> Vec<Duration> {
    waits.map(Duration::from_secs).to_vec()
}

/// A message as the gateway names it: of Webex by its UUID.
pub(super) fn key(id: &str) -> String {
    ids::read("MESSAGE", id).map_or_else(|| id.to_owned(), |named| named.key)
}

impl Platforms {
    pub(super) async fn start(world: &Arc<World>) -> Result<Self> {
        let mut teams = TeamsSimConfig { addr: at(1), auto_approve: true, ..TeamsSimConfig::default() };
        teams.apps[0].roles.push("Files.ReadWrite.All".to_owned());
        // Four hours of redelivery in a minute and a half.
        teams.timing.notification_backoff = vec![1_000, 5_000, 20_000, 60_000];
        let webex = WebexSimConfig { listen: at(2), auto_approve: true, ..WebexSimConfig::default() };
        let mut zoom = ZoomSimConfig {
            listen: at(3),
            files_listen: at(4),
            auto_approve: true,
            ..ZoomSimConfig::default()
        };
        zoom.apps[0].scopes.push("team_chat:delete:file:admin".to_owned());
        zoom.timing.retries = seconds([5, 20, 60]);
        Ok(Self {
            slack: SlackSim::start(world, slack::config()).await?,
            teams: TeamsSim::start(world, teams).await?,
            webex: WebexSim::start(world, webex).await?,
            zoom: ZoomSim::start(world, zoom).await?,
        })
    }

    pub(super) fn addresses(&self) -> Option<Addresses> {
        let bots = TOKENS.iter().map(|(team, _)| self.slack.bot(APP, team)).collect::<Option<_>>()?;
        Some(Addresses {
            bots,
            slack: self.slack.base_url().to_owned(),
            teams: self.teams.base_url().to_owned(),
            service: self.teams.service_url(),
            webex: self.webex.base_url().to_owned(),
            zoom: self.zoom.base_url().to_owned(),
            zoom_files: self.zoom.files_url().to_owned(),
        })
    }

    /// The chats of everybody with the app, one at each installation, as [`PEOPLE`] names them.
    pub(super) fn chats(&self) -> Result<Vec<Channel>> {
        let chat = |channel: &'static Channel, person: &'static &'static str| {
            let id = match channel.platform {
                "slack" => {
                    let team = channel.installation.trim_start_matches("inst-");
                    let bot = self.slack.bot(APP, team).map(|bot| bot.user_id).unwrap_or_default();
                    self.slack.open_direct(&[person, &bot]).map_err(|error| anyhow!("{}", error.code))?
                }
                "teams" => {
                    let place = Place::Person((*person).to_owned());
                    anyhow::ensure!(self.teams.install(seed::APP, &place, person), "the app is not added");
                    self.teams.personal_chat_in_graph(seed::APP, person)
                }
                "webex" => {
                    let room = self.webex.direct(person, SERVICE).map_err(|error| anyhow!(error.message))?;
                    ids::read("ROOM", &room).map(|room| room.key).unwrap_or_default()
                }
                _ => self.zoom.open_direct(person, BRIDGE).map_err(|error| anyhow!(error.message))?,
            };
            let (platform, installation) = (channel.platform, channel.installation);
            Ok(Channel { platform, installation, id: Cow::Owned(id), people: std::slice::from_ref(person) })
        };
        CHANNELS.iter().zip(&PEOPLE).map(|(channel, (person, _))| chat(channel, person)).collect()
    }

    /// From now on events come. Webex and Teams' notifications were told where by the gateway.
    pub(super) fn tell(&self) {
        let hook =
            |platform: &str, tail: &str| format!("http://gateway/hooks/{platform}/app-{platform}/{tail}");
        self.slack.set_events_url(APP, Some(&hook("slack", "events")));
        self.teams.set_bot_endpoint(seed::APP, Some(&hook("teams", "messages")));
        self.zoom.set_events_url(&SeedApp::default().app_id, Some(&hook("zoom", "events")));
    }

    pub(super) fn fault(&self, platform: &str, order: FaultOrder) {
        let book = match platform {
            "slack" => self.slack.faults(),
            "teams" => self.teams.faults(),
            "webex" => self.webex.faults(),
            _ => self.zoom.faults(),
        };
        book.add(order);
    }

    pub(super) fn heal(&self) {
        for book in [self.slack.faults(), self.teams.faults(), self.webex.faults(), self.zoom.faults()] {
            book.clear();
        }
    }

    /// Everything that happened, by time.
    pub(super) fn log(&self) -> Vec<LogEntry> {
        let logs = [self.slack.log(), self.teams.log(), self.webex.log(), self.zoom.log()];
        let mut all: Vec<LogEntry> = logs.into_iter().flat_map(|log| log.since(0)).collect();
        all.sort_by_key(|entry| entry.at);
        all
    }

    /// Posts, or replies to a message, as somebody; the id, as the gateway names it.
    pub(super) fn post(
        &self,
        channel: &Channel,
        person: &str,
        root: Option<&str>,
        text: &str,
        files: &[SentFile],
    ) -> Result<String> {
        let place = &*channel.id;
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect();
        match channel.platform {
            "slack" => {
                let post = SlackPost { text, thread_ts: root, broadcast: false, files };
                self.slack.post_with(person, place, &post).map_err(|error| anyhow!("Slack: {}", error.code))
            }
            "teams" => {
                let html = if text.is_empty() { String::new() } else { format!("<p>{text}</p>") };
                let draft = self.teams.attaching(person, place, Draft::html(html), &files);
                let sent = draft.and_then(|draft| match root {
                    None => self.teams.post(person, place, draft),
                    Some(root) => self.teams.reply(person, place, root, draft),
                });
                sent.map_err(|error| anyhow!("Teams: {error:?}"))
            }
            "webex" => {
                let parent = root.map(|root| ids::public(CLUSTER, "MESSAGE", root));
                let post = WebexPost { text, parent: parent.as_deref(), files, card: None };
                let sent = self.webex.post_with(person, place, &post);
                sent.map(|id| key(&id)).map_err(|error| anyhow!("Webex: {}", error.message))
            }
            _ => {
                let post = ZoomPost { text, root, files };
                self.zoom.post_with(person, place, &post).map_err(|error| anyhow!("Zoom: {}", error.message))
            }
        }
    }

    /// Accepts a file that somebody is offered on Teams; `false`: they did before.
    pub(super) fn accept(&self, chat: &Channel, person: &str, id: &str) -> Result<bool> {
        match self.teams.accept_file(person, &chat.id, id) {
            Ok(()) => Ok(true),
            Err(Refusal::Answered) => Ok(false),
            Err(error) => Err(anyhow!("Teams: {error:?}")),
        }
    }

    /// Sets a reaction as somebody, or takes it back.
    pub(super) fn react(
        &self,
        channel: &Channel,
        person: &str,
        id: &str,
        emoji: usize,
        add: bool,
    ) -> Result<()> {
        let place = &*channel.id;
        let (sign, name) = EMOJI[emoji];
        match channel.platform {
            "slack" if add => self.slack.react(person, place, id, name).map_err(|error| anyhow!(error.code)),
            "slack" => self.slack.unreact(person, place, id, name).map_err(|error| anyhow!(error.code)),
            "teams" => self.teams.react(person, place, id, sign, add).map_err(|error| anyhow!("{error:?}")),
            "zoom" if add => self.zoom.react(person, place, id, sign).map_err(|error| anyhow!(error.message)),
            "zoom" => self.zoom.unreact(person, place, id, sign).map_err(|error| anyhow!(error.message)),
            other => Err(anyhow!("nobody reacts at {other}")),
        }
    }

    /// Takes a file out of a message, where that can be done; whether it was.
    pub(super) fn unfile(&self, channel: &Channel, message: &Shown, name: &str) -> Result<bool> {
        let listed = message.raw["files"].as_array().into_iter().flatten();
        let named = |file: &&Value| file["name"] == name || file["file_name"] == name;
        let id = |key: &str| listed.clone().find(named).and_then(|file| file[key].as_str());
        match channel.platform {
            "slack" => {
                let Some(id) = id("id") else { return Ok(false) };
                self.slack.delete_file(id).map_err(|error| anyhow!(error.code))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn edit(&self, channel: &Channel, person: &str, id: &str, text: &str) -> Result<()> {
        let place = &*channel.id;
        match channel.platform {
            "slack" => self.slack.edit(person, place, id, text).map_err(|error| anyhow!("{}", error.code)),
            "teams" => self
                .teams
                .edit(person, place, id, Draft::html(format!("<p>{text}</p>")))
                .map_err(|error| anyhow!("{error:?}")),
            "webex" => self.webex.edit(person, id, text).map_err(|error| anyhow!("{}", error.message)),
            _ => self.zoom.edit(person, place, id, text).map_err(|error| anyhow!("{}", error.message)),
        }
    }

    pub(super) fn delete(&self, channel: &Channel, person: &str, id: &str) -> Result<()> {
        let place = &*channel.id;
        match channel.platform {
            "slack" => self.slack.delete(person, place, id).map_err(|error| anyhow!("{}", error.code)),
            "teams" => self.teams.delete(person, place, id).map_err(|error| anyhow!("{error:?}")),
            "webex" => self.webex.delete(person, id).map_err(|error| anyhow!("{}", error.message)),
            _ => self.zoom.delete(person, place, id).map_err(|error| anyhow!("{}", error.message)),
        }
    }
}
