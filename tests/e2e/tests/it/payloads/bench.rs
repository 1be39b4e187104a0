//! A world with a bridge for every file, and how the outcome of a file is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dragoman_gateway::admin::api;
use dragoman_sim::core::{LogEntry, LogKind};
use dragoman_sim::slack::{ReplyNotice, SeedChannel};
use dragoman_sim::teams::{ChannelSeed, ChatSeed, seed};
use dragoman_testkit::digest;
use e2e::{Options, Side as _, World, eventually};
use serde_json::Value;

/// The workspace of the simulator.
pub(crate) const TEAM: &str = "T07HARBOR";
/// Ana, Ben, Chloe.
pub(crate) const PEOPLE: [&str; 3] = ["U07ANASOUZA", "U07BENOKAFOR", "U07CHLOEMARTIN"];

/// A recording.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) json: Value,
}

/// The recordings of a folder, by name. `None`, after a printed line, where there are none.
pub(crate) fn files(folder: &str) -> Option<Vec<File>> {
    let folder = dragoman_testkit::payloads()?.join(folder);
    let entries = std::fs::read_dir(&folder).expect("the folder is there");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    names.sort();
    let read = |path: &Path| File {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        json: serde_json::from_slice(&std::fs::read(path).expect("it can be read")).expect("it is JSON"),
    };
    Some(names.iter().map(|path| read(path)).collect())
}

/// Which side a file comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Slack,
    Teams,
    Webex,
    Zoom,
}

impl From {
    fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Webex => "webex",
            Self::Zoom => "zoom",
        }
    }
}

/// The linked conversations of a file.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) slack: String,
    /// The conversation at Teams; of a bench for another platform, the one there.
    pub(crate) teams: String,
    /// The gateway's ids of both.
    own: BTreeMap<&'static str, String>,
}

impl Pair {
    pub(crate) fn is_chat(&self) -> bool {
        self.teams.ends_with("@thread.v2")
    }

    fn source(&self, from: From) -> &str {
        &self.own[from.word()]
    }
}

/// How things were before a file was sent.
pub(crate) struct Before {
    from: From,
    pair: Pair,
    shown: BTreeMap<String, String>,
    position: u64,
    refused: BTreeMap<String, u64>,
}

/// A running gateway with a bridge for every file.
pub(crate) struct Bench {
    pub(crate) world: World,
    /// In the order of the files.
    pub(crate) pairs: Vec<Pair>,
    seen: BTreeSet<String>,
    hooks: BTreeMap<String, String>,
}

impl Bench {
    /// Starts it. For each file: whether its Teams conversation is a chat.
    pub(crate) async fn start(chats: &[bool]) -> Result<Self> {
        let mut options = Options { bridge: false, ..Options::default() };
        let mut places = Vec::new();
        for (n, chat) in chats.iter().enumerate() {
            let teams = format!("19:{n:032x}@thread.{}", if *chat { "v2" } else { "tacv2" });
            if *chat {
                options.teams.chats.push(ChatSeed {
                    id: teams.clone(),
                    kind: "group".to_owned(),
                    topic: Some(format!("Payload {n:03}")),
                    members: [seed::DANA, seed::EMRE, seed::FARAH].map(str::to_owned).to_vec(),
                });
                options.teams.apps[0].installed_chats.push(teams.clone());
            } else {
                options.teams.teams[0].channels.push(ChannelSeed {
                    id: teams.clone(),
                    name: format!("payload {n:03}"),
                    membership: "standard".to_owned(),
                    members: Vec::new(),
                });
            }
            places.push(teams);
        }
        options.teams.doubts.chat_rsc_may_subscribe = true;
        Box::pin(Self::between(From::Teams, options, places)).await
    }

    /// Starts it with a bridge between a Slack channel and each of these conversations of another platform.
    pub(crate) async fn between(
        platform: From,
        mut options: Options,
        conversations: Vec<String>,
    ) -> Result<Self> {
        let mut places = Vec::new();
        for (n, other) in conversations.into_iter().enumerate() {
            let slack = format!("C07P{n:03}");
            options.slack.workspaces[0].channels.push(SeedChannel {
                id: slack.clone(),
                name: format!("payload-{n:03}"),
                private: false,
                members: PEOPLE.map(str::to_owned).to_vec(),
                shared_with: Vec::new(),
            });
            places.push((slack, other));
        }
        // What a root is told about its replies is nothing that a test sent.
        options.slack.doubts.reply_notice = ReplyNotice::None;
        let world = Box::pin(World::start(options)).await?;
        // What its sender is told of a message is nothing that the message became.
        let (policy, value) = ("tell_senders".to_owned(), "no".to_owned());
        world.ask(&api::OrgPolicy { org: None, policy, value }).await?;
        let mut pairs = Vec::new();
        for (slack, other) in places {
            let members = [format!("slack:{slack}"), format!("{}:{other}", platform.word())];
            let bridge = world.link(&members).await?;
            anyhow::ensure!(bridge.warnings.is_empty(), "{:?}", bridge.warnings);
            let own = |word: &str| {
                let member = bridge.members.iter().find(|it| it.platform == word);
                member.map(|it| it.id.clone()).unwrap_or_default()
            };
            let own = ["slack", platform.word()].map(|word| (word, own(word))).into();
            pairs.push(Pair { slack, teams: other, own });
        }
        let apps = world.ask(&api::AppList {}).await?;
        let hooks = apps.into_iter().map(|app| (app.platform, app.hooks_url)).collect();
        let mut bench = Self { world, pairs, seen: BTreeSet::new(), hooks };
        bench.settle().await?;
        Ok(bench)
    }

    /// Waits until nothing is under way; what happened so far is nobody's outcome.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        self.world.settled(Duration::from_secs(30)).await?;
        self.receipts().await?;
        Ok(())
    }

    /// The gateway's clock, milliseconds since 1970.
    pub(crate) async fn now_ms(&self) -> Result<i64> {
        Ok(self.world.status().await?.now_ms)
    }

    /// Where a platform sends: `tail` is the endpoint.
    pub(crate) fn hook(&self, platform: &str, tail: &str) -> String {
        let base = self.hooks[platform].trim_end_matches("/events");
        format!("{base}/{tail}")
    }

    /// Waits until as many events about a message are settled.
    pub(crate) async fn told(&self, message: &str, events: usize) -> Result<()> {
        let list = api::DeliveryList { org: None, message: Some(message.to_owned()), limit: 50 };
        eventually("a prepared message is relayed", Duration::from_secs(20), async || {
            let found = self.world.ask(&list).await.map_err(|error| error.to_string())?.len();
            if found >= events { Ok(()) } else { Err(format!("{found} receipts")) }
        })
        .await
    }

    /// Waits until both feeds of Teams have brought prepared messages.
    pub(crate) async fn told_twice(&self, messages: impl IntoIterator<Item = &String>) -> Result<()> {
        for message in messages {
            self.told(message, 2).await?;
        }
        Ok(())
    }

    /// A message of a person at Slack.
    pub(crate) async fn post_at_slack(&self, pair: &Pair, thread: Option<&str>) -> Result<String> {
        self.world.ana(&pair.slack).post("prepared", thread).await
    }

    /// A message of a person at Teams.
    pub(crate) fn post_at_teams(&self, pair: &Pair, thread: Option<&str>) -> String {
        let draft = dragoman_sim::teams::Draft::html("<p>prepared</p>");
        let posted = match thread {
            Some(root) => self.world.teams.reply(seed::DANA, &pair.teams, root, draft),
            None => self.world.teams.post(seed::DANA, &pair.teams, draft),
        };
        posted.expect("Dana may write there")
    }

    /// Lets the service forget to tell of what `act` does in a conversation.
    pub(crate) fn silently<T>(&self, pair: &Pair, act: impl FnOnce() -> T) -> T {
        let teams = &self.world.teams;
        for subscription in teams.subscriptions() {
            if subscription["resource"].as_str().is_some_and(|resource| resource.contains(&pair.teams)) {
                teams.lose_subscription(subscription["id"].as_str().unwrap_or_default());
            }
        }
        teams.set_bot_endpoint(seed::APP, None);
        let done = act();
        teams.set_bot_endpoint(seed::APP, Some(&self.hook("teams", "messages")));
        done
    }

    /// How things are before a file is sent.
    pub(crate) async fn before(&self, from: From, pair: &Pair) -> Result<Before> {
        let shown = self.shown(from, pair);
        Ok(Before {
            from,
            pair: pair.clone(),
            shown,
            position: self.position(from),
            refused: self.refused(from).await?,
        })
    }

    /// Waits for the end of what was sent, and tells it; `answer` is how the gateway answered.
    pub(crate) async fn outcome(&mut self, before: Before, answer: &str) -> Result<String> {
        let Before { from, pair, shown: before, position, refused } = before;
        let pair = &pair;
        let mut line = answer.to_owned();
        self.world.settled(Duration::from_secs(30)).await?;
        let dropped = self.refused(from).await?;
        for (code, count) in &dropped {
            // Counters begin anew with the process.
            let count = count.saturating_sub(refused.get(code).copied().unwrap_or(0));
            if count > 0 {
                write!(line, "; left out {code}{}", times(count))?;
            }
        }
        let mut legs: BTreeMap<String, u64> = BTreeMap::new();
        for receipt in self.receipts().await? {
            if receipt.from.as_deref().is_some_and(|id| id != pair.source(from)) {
                continue;
            }
            // Whether a reaction waits long enough for its message, or is looked for once that is there, is a matter of
            // time.
            if receipt.kind == "reaction" && receipt.code.as_deref() == Some("DRG-UNMAPPED") {
                continue;
            }
            let mut text = format!("{} {}", receipt.kind, receipt.outcome);
            for code in receipt.code.iter().chain(&receipt.notes) {
                write!(text, " {code}")?;
            }
            *legs.entry(text).or_default() += 1;
        }
        for (leg, count) in legs {
            write!(line, "; {leg}{}", times(count))?;
        }
        for (operation, count) in self.operations(from, pair, position) {
            write!(line, "; {operation}{}", times(count))?;
        }
        let after = self.shown(from, pair);
        let changed: Vec<&str> = after
            .iter()
            .filter(|(id, text)| before.get(*id) != Some(text))
            .map(|(_, text)| text.as_str())
            .collect();
        if !changed.is_empty() {
            let text = changed.join("\n");
            show(&line, &text);
            write!(line, "; shows {}", digest(text.as_bytes()))?;
        }
        Ok(line)
    }

    /// Receipts that are new since they were asked for last, oldest first.
    async fn receipts(&mut self) -> Result<Vec<api::DeliveryInfo>> {
        let list = api::DeliveryList { org: None, message: None, limit: 500 };
        let mut found = self.world.ask(&list).await?;
        found.retain(|receipt| self.seen.insert(receipt.leg.clone()));
        found.reverse();
        Ok(found)
    }

    /// What was not accepted of a platform so far, by code.
    async fn refused(&self, from: From) -> Result<BTreeMap<String, u64>> {
        let platform = from.word();
        let text = self.world.http.text(&format!("{}/metrics", self.world.binary.ops_url())).await?;
        let mut found = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("dragoman_hook_codes_total{")) {
            if !line.contains(&format!("platform=\"{platform}\"")) {
                continue;
            }
            let code = line.split("code=\"").nth(1).and_then(|rest| rest.split('"').next());
            let count = line.rsplit(' ').next().context("a metric without a figure")?;
            found.insert(code.unwrap_or_default().to_owned(), count.parse()?);
        }
        Ok(found)
    }

    fn position(&self, from: From) -> u64 {
        match from {
            From::Slack => self.world.teams.log().position(),
            _ => self.world.slack.log().position(),
        }
    }

    /// Writes at the target, by name.
    fn operations(&self, from: From, pair: &Pair, position: u64) -> BTreeMap<String, u64> {
        let (entries, target) = match from {
            From::Slack => (self.world.teams.log().since(position), &pair.teams),
            _ => (self.world.slack.log().since(position), &pair.slack),
        };
        let mut found = BTreeMap::new();
        for entry in entries {
            if entry.conversation.as_deref() == Some(target)
                && let Some(name) = write_name(&entry)
            {
                *found.entry(name).or_default() += 1;
            }
        }
        found
    }

    /// What the target shows, by message.
    fn shown(&self, from: From, pair: &Pair) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if from == From::Slack {
            let messages = self.world.teams.messages(&pair.teams).into_iter();
            return messages.map(|it| (text(&it["id"]), self.plain(&teams_text(&it)))).collect();
        }
        let messages = self.world.slack.messages(&pair.slack).into_iter();
        messages.map(|it| (text(&it["ts"]), self.plain(&slack_text(&it)))).collect()
    }

    /// Without what differs from run to run: addresses, ids and times.
    fn plain(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let (slack, teams, own) =
            (self.world.slack.base_url(), self.world.teams.base_url(), self.world.binary.url());
        for (base, name) in [(slack, "SLACK"), (teams, "TEAMS"), (own.as_str(), "GATEWAY")] {
            text = text.replace(base, name);
        }
        for front in &self.world.fronts {
            text = text.replace(front.base(), front.platform());
        }
        without_numbers(&text)
    }
}

fn teams_text(message: &Value) -> String {
    let gone = if message["deletedDateTime"].is_null() { "" } else { "deleted " };
    let cards: Vec<&Value> =
        message["attachments"].as_array().into_iter().flatten().map(|it| &it["content"]).collect();
    format!("{gone}{} {} {cards:?}", message["subject"], message["body"]["content"])
}

fn slack_text(message: &Value) -> String {
    let mut blocks = message["blocks"].clone();
    for block in blocks.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        block.remove("block_id");
    }
    format!("{} {} {blocks}", message["username"], message["text"])
}

/// Ids and times are the only long numbers.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        out.push_str(if digits.len() >= 10 { "#" } else { &digits });
        digits.clear();
        out.push(character);
    }
    out
}

/// The name of a call that changes something, without ids.
fn write_name(entry: &LogEntry) -> Option<String> {
    if entry.kind != LogKind::Call {
        return None;
    }
    let name = match entry.method.split_once(' ') {
        None => {
            let writes =
                ["chat.post", "chat.update", "chat.delete", "reactions.add", "reactions.remove", "files."];
            writes.iter().any(|begin| entry.method.starts_with(begin)).then(|| entry.method.clone())?
        }
        Some(("GET", _)) => return None,
        Some((method, path)) => {
            let is_name =
                |segment: &&str| segment.len() > 1 && segment.chars().all(|it| it.is_ascii_alphabetic());
            let named: Vec<&str> = path.split('/').filter(is_name).collect();
            format!("{method} {}", named.join("/"))
        }
    };
    let failed =
        if (200..300).contains(&entry.status) { String::new() } else { format!(" {}", entry.status) };
    Some(name + &failed)
}

/// With `DRAGOMAN_SHOW` a person can read what the digests stand for.
#[expect(clippy::print_stdout, reason = "asked for by a person who reads the results")]
fn show(line: &str, text: &str) {
    if std::env::var_os("DRAGOMAN_SHOW").is_some() {
        println!("---- {line}\n{text}");
    }
}

fn times(count: u64) -> String {
    if count > 1 { format!(" ×{count}") } else { String::new() }
}
