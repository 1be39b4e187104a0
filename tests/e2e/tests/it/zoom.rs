//! Slack and Zoom with the real gateway between them: what people say, change and take back on one side shows on the
//! other, over webhooks and over an event connection; and an app that is removed leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::{self, Ask};
use dragoman_sim::core::{FaultKind, FaultOrder, World as SimWorld};
use dragoman_sim::slack::{SeedApp as SlackApp, SlackSim};
use dragoman_sim::zoom::config::{BRIDGE, IMANI, KESTREL, LAUNCH, THEO};
use dragoman_sim::zoom::{
    BodyForm, CustomHeader, OLD_MESSAGE_EVENTS, SeedApp, SeedPerson, SeedSubscription, SignatureFault,
    SocketContent, Transport, ZoomSim, ZoomSimConfig,
};
use e2e::{Binary, Http, Options, eventually};
use http::Method;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(20);
const CHANNEL: &str = "C07LAUNCH";
/// Ben Okafor has an account on both platforms, under one address.
const BEN_AT_ZOOM: &str = "bEn0kafor00Kestrel005E";
const BEN_AT_SLACK: &str = "U07BENOKAFOR";

/// Everything that runs in a test.
struct Rig {
    slack: SlackSim,
    zoom: ZoomSim,
    binary: Binary,
    http: Http,
    sim: Arc<SimWorld>,
    zoom_hooks: String,
}

impl Rig {
    /// Both platforms, the gateway, and Slack's `launch` linked with Zoom's. `extra`: facts of the Zoom app.
    async fn start(extra: &[(&str, &str)], change: impl FnOnce(&mut ZoomSimConfig)) -> Result<Self> {
        let sim = SimWorld::real(1);
        let slack = SlackSim::start(&sim, Options::default().slack).await?;
        let mut config = ZoomSimConfig { auto_approve: true, ..ZoomSimConfig::default() };
        config.timing.retries = vec![Duration::from_millis(300); 20];
        let account = config.accounts.first_mut().context("the simulated Zoom has no account")?;
        account.people.push(SeedPerson {
            id: BEN_AT_ZOOM.to_owned(),
            member_id: "1vBenOkaforMemberIdThatIsLongerThanAnyUserIdEverIs".to_owned(),
            first_name: "Ben".to_owned(),
            last_name: "Okafor".to_owned(),
            email: "ben.okafor@harbor-works.example".to_owned(),
            ..SeedPerson::default()
        });
        for channel in &mut account.channels {
            channel.members.push(BEN_AT_ZOOM.to_owned());
        }
        change(&mut config);
        let zoom = ZoomSim::start(&sim, config).await?;
        let (slack_base, base) = (slack.base_url(), zoom.base_url());
        let (socket, files) = (base.replacen("http", "ws", 1), zoom.files_url().to_owned());
        let text = format!(
            "[slack]\napi_base = \"{slack_base}/api/\"\nauthorize_url = \"{slack_base}/oauth/v2/authorize\"\n\
             [zoom]\napi_base = \"{base}/v2/\"\noauth_base = \"{base}/oauth/\"\nws_url = \"{socket}/ws\"\n\
             compliance_url = \"{base}/oauth/data/compliance\"\nfiles_base = \"{files}/v2/\"\nsettle_ms = 100\n\
             [relay]\npace = false\nretry_base_ms = 50\npatience_ms = 1500\necho_wait_ms = 300\nlook_pause_ms = 300\ncrash_patience_ms = 1500\n\
             [log]\nlevel = \"info\"\n"
        );
        let mut binary = Binary::prepare(&text.parse()?)?;
        binary.start(None).await?;
        let mut rig = Self { slack, zoom, binary, http: Http::new()?, sim, zoom_hooks: String::new() };
        rig.set_up(extra).await?;
        Ok(rig)
    }

    async fn ask<A: Ask>(&self, request: &A) -> Result<A::Answer> {
        Ok(self.binary.client().ask(request).await?)
    }

    async fn register(
        &self,
        platform: &str,
        values: &[(&str, &str)],
        features: &[&str],
    ) -> Result<api::AppInfo> {
        let values: BTreeMap<String, api::SecretText> = values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), api::SecretText((*value).to_owned())))
            .collect();
        let features = features.iter().map(|feature| (*feature).to_owned()).collect();
        let add = api::AppAdd { org: None, platform: platform.to_owned(), values, features };
        let app = self.ask(&add).await?;
        ensure!(app.missing.is_empty(), "the {platform} app lacks {}", app.missing.join(", "));
        Ok(app)
    }

    async fn install(&self, platform: &str) -> Result<()> {
        let started = self.ask(&api::InstallStart { app: platform.to_owned() }).await?;
        self.http.browse(&started.link).await?;
        match self.binary.installed(&started.ticket).await? {
            api::InstallState::Failed(problem) => Err(problem.into()),
            _ => Ok(()),
        }
    }

    async fn set_up(&mut self, extra: &[(&str, &str)]) -> Result<()> {
        self.ask(&api::OrgAdd { name: "Test".to_owned() }).await?;
        let app = SlackApp::default();
        let values = [
            ("client_id", app.client_id.as_str()),
            ("client_secret", &app.client_secret),
            ("signing_secret", &app.signing_secret),
        ];
        let slack = self.register("slack", &values, &["messages", "reactions", "files", "email"]).await?;
        let events = format!("{}/events", slack.hooks_url.trim_end_matches("/events"));
        self.slack.save_events_url(&app.app_id, &events).await?;
        let app = SeedApp::default();
        let mut values = vec![
            ("client_id", app.client_id.as_str()),
            ("client_secret", &app.client_secret),
            ("secret_token", &app.secret_token),
            ("bridge_user", "dragoman.bridge@kestrel-outfitters.example"),
        ];
        values.extend(extra);
        let zoom = self.register("zoom", &values, &["messages", "reactions"]).await?;
        self.zoom_hooks = format!("{}/events", zoom.hooks_url.trim_end_matches("/events"));
        if !extra.iter().any(|(key, _)| *key == "transport") {
            self.zoom.save_events_url(&app.app_id, &self.zoom_hooks).await?;
        }
        let hooks = self.zoom_hooks.clone();
        self.zoom.change_app(&app.app_id, |app| app.deauthorization_url = Some(hooks));
        self.install("slack").await?;
        self.install("zoom").await?;
        let members = vec![format!("slack:{CHANNEL}"), format!("zoom:{LAUNCH}")];
        let add = api::BridgeAdd { members, allow_external: false, ..api::BridgeAdd::default() };
        eventually("the channels are linked", WITHIN, async || {
            self.ask(&add).await.map_err(|error| format!("{error:#}"))
        })
        .await?;
        Ok(())
    }

    async fn slack_call(&self, person: &str, method: &str, arguments: &[(&str, &str)]) -> Result<Value> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish();
        let url = format!("{}/api/{method}", self.slack.base_url());
        let form = "application/x-www-form-urlencoded";
        let token = format!("xoxp-client-{person}");
        let answer = self.http.call(Method::POST, &url, &token, form, body).await?;
        ensure!(answer["ok"] == true, "{method} answered {}", answer["error"]);
        Ok(answer)
    }

    async fn says_at_slack(&self, person: &str, text: &str, thread: Option<&str>) -> Result<String> {
        let mut arguments = vec![("channel", CHANNEL), ("text", text)];
        arguments.extend(thread.map(|thread| ("thread_ts", thread)));
        let answer = self.slack_call(person, "chat.postMessage", &arguments).await?;
        Ok(answer["ts"].as_str().context("no ts")?.to_owned())
    }

    async fn edits_at_slack(&self, person: &str, ts: &str, text: &str) -> Result<()> {
        let arguments = [("channel", CHANNEL), ("ts", ts), ("text", text)];
        self.slack_call(person, "chat.update", &arguments).await.map(drop)
    }

    async fn at_slack(&self, thread: Option<&str>) -> Result<Vec<Value>> {
        let mut arguments = vec![("channel", CHANNEL), ("limit", "200")];
        arguments.extend(thread.map(|thread| ("ts", thread)));
        let method = if thread.is_some() { "conversations.replies" } else { "conversations.history" };
        let answer = self.slack_call("ana.souza", method, &arguments).await?;
        Ok(answer["messages"].as_array().cloned().unwrap_or_default())
    }

    /// The one message at Slack whose text contains something.
    async fn shows_at_slack(&self, words: &str, thread: Option<&str>) -> Result<Value> {
        eventually(&format!("'{words}' at Slack"), WITHIN, async || {
            let all = self.at_slack(thread).await.map_err(|error| format!("{error:#}"))?;
            one(all, |message| &message["text"], words)
        })
        .await
    }

    /// The one message at Zoom whose text contains something.
    async fn shows_at_zoom(&self, words: &str) -> Result<Value> {
        eventually(&format!("'{words}' at Zoom"), WITHIN, async || {
            one(self.zoom.messages(LAUNCH, THEO), |message| &message["message"], words)
        })
        .await
    }

    async fn gone(&self, what: &str, words: &str, read: impl AsyncFn() -> Result<Vec<Value>>) -> Result<()> {
        eventually(&format!("'{words}' gone at {what}"), WITHIN, async || {
            let all = read().await.map_err(|error| format!("{error:#}"))?;
            if all.iter().any(|message| message.to_string().contains(words)) {
                return Err("it is still there".to_owned());
            }
            Ok(())
        })
        .await
    }

    async fn end(mut self) -> Result<()> {
        self.binary.kill()?;
        self.slack.shutdown().await;
        self.zoom.shutdown().await;
        self.sim.tasks.shutdown().await;
        Ok(())
    }
}

fn one(all: Vec<Value>, text: impl Fn(&Value) -> &Value, words: &str) -> Result<Value, String> {
    let mut found: Vec<Value> = all
        .into_iter()
        .filter(|message| text(message).as_str().is_some_and(|text| text.contains(words)))
        .collect();
    match (found.pop(), found.len()) {
        (Some(message), 0) => Ok(message),
        (None, _) => Err("nothing".to_owned()),
        (Some(_), more) => Err(format!("{} of them", more + 1)),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_slack_to_zoom() -> Result<()> {
    let rig = Rig::start(&[], |_| {}).await?;
    let root = rig.says_at_slack("ana.souza", "we *depart* today", None).await?;
    let copy = rig.shows_at_zoom("depart").await?;
    assert_eq!(copy["message"], "Ana (Slack): we depart today");
    assert_eq!(copy["sender_display_name"], "Dragoman Bridge");
    let ranges: Vec<(u64, u64)> = copy["rich_text"]
        .as_array()
        .context("no ranges")?
        .iter()
        .filter(|range| range["format_type"] == "Bold")
        .filter_map(|range| Some((range["start_position"].as_u64()?, range["end_position"].as_u64()?)))
        .collect();
    assert_eq!(ranges, [(0, 11), (16, 21)], "the author and the word");

    // A reply goes under the copy of its root.
    rig.says_at_slack("ben.okafor", "I am ready", Some(&root)).await?;
    let reply = rig.shows_at_zoom("I am ready").await?;
    assert_eq!(text(&reply["reply_main_message_id"]).to_uppercase(), text(&copy["id"]).to_uppercase());

    // An edit loses its formats, and the receipt says so.
    rig.edits_at_slack("ana.souza", &root, "we *depart* tomorrow").await?;
    let edited = rig.shows_at_zoom("tomorrow").await?;
    assert_eq!((&edited["id"], &edited["message"]), (&copy["id"], &json!("Ana (Slack): we depart tomorrow")));
    let told = eventually("the receipt of the edit", WITHIN, async || {
        let list = api::DeliveryList { message: Some(root.clone()), ..api::DeliveryList::default() };
        let list = rig.ask(&list).await.map_err(|error| format!("{error:#}"))?;
        list.into_iter().find(|receipt| receipt.kind == "changed").ok_or_else(|| "none".to_owned())
    })
    .await?;
    assert!(told.notes.contains(&"DRG-SIMPLIFIED".to_owned()), "{:?}", told.notes);

    // Whoever has an account on both sides is mentioned, and nobody else by what is typed.
    rig.says_at_slack("ana.souza", "thank you @Ben Okafor and @all", None).await?;
    let thanks = rig.shows_at_zoom("thank you").await?;
    let items = thanks["at_items"].as_array().cloned().unwrap_or_default();
    assert_eq!(items.len(), 1, "{thanks}");
    assert_eq!(items[0]["at_contact"], BEN_AT_ZOOM);

    // What is longer than one message takes is several.
    let long = "a rather long sentence that fills a line. ".repeat(60);
    rig.says_at_slack("ana.souza", &long, None).await?;
    eventually("all parts", WITHIN, async || {
        let parts = rig.zoom.messages(LAUNCH, THEO);
        let parts = parts.iter().filter(|message| text(&message["message"]).contains("rather long"));
        let count: usize = parts.map(|part| text(&part["message"]).matches("rather long").count()).sum();
        if count == 60 { Ok(()) } else { Err(format!("{count} of 60")) }
    })
    .await?;

    rig.slack_call("ana.souza", "chat.delete", &[("channel", CHANNEL), ("ts", &root)]).await?;
    rig.gone("Zoom", "tomorrow", async || Ok(rig.zoom.messages(LAUNCH, THEO))).await?;
    rig.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_zoom_to_slack() -> Result<()> {
    let rig = Rig::start(&[], |_| {}).await?;
    let root = rig.zoom.post(THEO, LAUNCH, "the **crates** are packed \u{1f44d}")?;
    let copy = rig.shows_at_slack("crates", None).await?;
    assert_eq!(copy["username"], "Theo Lindqvist (Zoom)");
    assert!(copy["blocks"].to_string().contains("\"bold\":true"), "{}", copy["blocks"]);

    rig.zoom.reply(IMANI, LAUNCH, &root, "labelled as well")?;
    let ts = text(&copy["ts"]).to_owned();
    let reply = rig.shows_at_slack("labelled", Some(&ts)).await?;
    assert_eq!((text(&reply["thread_ts"]), text(&reply["username"])), (ts.as_str(), "Imani Okoye (Zoom)"));

    rig.zoom.edit(THEO, LAUNCH, &root, "the **crates** are on the ship")?;
    let edited = rig.shows_at_slack("on the ship", None).await?;
    assert_eq!(edited["ts"], copy["ts"]);
    rig.zoom.edit(THEO, LAUNCH, &root, "the crates are at sea")?;
    rig.shows_at_slack("at sea", None).await?;

    rig.zoom.post(THEO, LAUNCH, "@Ben Okafor please look")?;
    let mention = rig.shows_at_slack("please look", None).await?;
    assert!(mention["blocks"].to_string().contains(BEN_AT_SLACK), "{mention}");

    rig.zoom.delete(THEO, LAUNCH, &root)?;
    rig.gone("Slack", "at sea", async || rig.at_slack(None).await).await?;

    // Copies are not carried back.
    rig.says_at_slack("ana.souza", "only once", None).await?;
    rig.shows_at_zoom("only once").await?;
    rig.zoom.post(THEO, LAUNCH, "the end")?;
    rig.shows_at_slack("the end", None).await?;
    rig.shows_at_slack("only once", None).await?;
    assert!(rig.zoom.messages(LAUNCH, THEO).iter().all(|message| {
        message["sender_display_name"] == "Dragoman Bridge"
            || !text(&message["message"]).contains("only once")
    }));
    rig.end().await
}

/// Over a connection nothing is acknowledged and nothing comes again: what was said while there was none is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_missed_between_two_connections_is_read() -> Result<()> {
    let subscription = SeedSubscription::default().id;
    let facts = [("transport", "socket"), ("subscription_id", subscription.as_str())];
    let rig = Rig::start(&facts, |config| {
        for subscription in config.apps.iter_mut().flat_map(|app| &mut app.subscriptions) {
            subscription.transport = Transport::Socket;
        }
    })
    .await?;
    assert!(rig.zoom.socket_connected(&subscription, true, WITHIN).await, "no connection");
    let first = rig.zoom.post(THEO, LAUNCH, "through the wire")?;
    rig.shows_at_slack("through the wire", None).await?;

    rig.zoom.cut_socket(&subscription);
    let missed = rig.zoom.post(IMANI, LAUNCH, "into the void")?;
    rig.zoom.reply(THEO, LAUNCH, &missed, "an answer nobody heard")?;
    rig.zoom.edit(THEO, LAUNCH, &first, "changed in the dark")?;
    let copy = rig.shows_at_slack("into the void", None).await?;
    rig.shows_at_slack("nobody heard", Some(text(&copy["ts"]))).await?;
    rig.shows_at_slack("in the dark", None).await?;

    assert!(rig.zoom.socket_connected(&subscription, true, WITHIN).await, "no second connection");
    rig.zoom.delete(THEO, LAUNCH, &first)?;
    rig.gone("Slack", "in the dark", async || rig.at_slack(None).await).await?;
    rig.end().await
}

/// Everything that can be said, in both directions, right after one another.
async fn chat(rig: &Rig) -> Result<()> {
    let root = rig.zoom.post(THEO, LAUNCH, "caf\u{e9} at **noon** \u{1f44d}?")?;
    rig.zoom.edit(THEO, LAUNCH, &root, "caf\u{e9} at **one** \u{1f44d}?")?;
    let copy = rig.shows_at_slack("caf\u{e9}", None).await?;
    eventually("the edit at Slack", WITHIN, async || {
        let all = rig.at_slack(None).await.map_err(|error| format!("{error:#}"))?;
        let shown = all.iter().any(|message| text(&message["text"]).contains("one"));
        if shown { Ok(()) } else { Err("the first text".to_owned()) }
    })
    .await?;
    rig.zoom.reply(IMANI, LAUNCH, &root, "gladly, na\u{ef}vely")?;
    let ts = text(&copy["ts"]).to_owned();
    rig.shows_at_slack("gladly", Some(&ts)).await?;
    // From the other side into the same thread, and changed at once.
    let reply = rig.says_at_slack("ben.okafor", "me too", Some(&ts)).await?;
    rig.edits_at_slack("ben.okafor", &reply, "me neither").await?;
    let shown = rig.shows_at_zoom("me neither").await?;
    assert_eq!(text(&shown["reply_main_message_id"]).to_uppercase(), root.to_uppercase());
    let own = rig.says_at_slack("ana.souza", "see *you* there", None).await?;
    rig.edits_at_slack("ana.souza", &own, "see *you* elsewhere").await?;
    let shown = rig.shows_at_zoom("elsewhere").await?;
    rig.zoom.reply(THEO, LAUNCH, text(&shown["id"]), "where else")?;
    rig.shows_at_slack("where else", Some(&own)).await?;
    rig.slack_call("ben.okafor", "chat.delete", &[("channel", CHANNEL), ("ts", &reply)]).await?;
    rig.gone("Zoom", "me neither", async || Ok(rig.zoom.messages(LAUNCH, THEO))).await?;
    rig.zoom.delete(THEO, LAUNCH, &root)?;
    rig.gone("Slack", "caf\u{e9}", async || rig.at_slack(None).await).await?;
    // Each once, and nobody's copy as somebody's message.
    let there = rig.zoom.messages(LAUNCH, THEO);
    let copies = there.iter().filter(|message| text(&message["message"]).contains("elsewhere")).count();
    assert_eq!(copies, 1);
    let here = rig.at_slack(None).await?;
    assert_eq!(here.iter().filter(|message| text(&message["text"]).contains("elsewhere")).count(), 1);
    Ok(())
}

/// What Zoom's documentation leaves open, answered the other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_answer_to_everything_that_is_open() -> Result<()> {
    let rig = Rig::start(&[], |config| {
        config.timing.settle = Duration::from_millis(400);
        config.timing.post_answer_delay = Duration::from_millis(300);
        let doubts = &mut config.doubts;
        doubts.utf16_positions = false;
        doubts.read_ends_inclusive = false;
        doubts.ends_inclusive = false;
        doubts.me_in_admin_apps = false;
        doubts.scope_code = 104;
        doubts.newest_first = false;
        doubts.body_form = BodyForm::Pretty;
        doubts.signature_fault = SignatureFault::OverReserialised;
        doubts.fresh_retry_timestamp = false;
        doubts.signed_validation = false;
        doubts.once_per_person = true;
        doubts.spaced_contact_account = true;
        doubts.spaced_event_names = true;
        doubts.created_lacks_id = true;
        doubts.loose_examples = true;
        doubts.retry_after_per_second = true;
        doubts.lower_case_ids = true;
    })
    .await?;
    chat(&rig).await?;
    rig.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escaped_bodies_and_events_of_the_old_family_beside_the_new() -> Result<()> {
    let rig = Rig::start(&[], |config| {
        config.doubts.body_form = BodyForm::Escaped;
        for subscription in config.apps.iter_mut().flat_map(|app| &mut app.subscriptions) {
            subscription.events.extend(OLD_MESSAGE_EVENTS.map(str::to_owned));
        }
    })
    .await?;
    chat(&rig).await?;
    rig.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_the_old_family_alone() -> Result<()> {
    let rig = Rig::start(&[], |config| {
        for subscription in config.apps.iter_mut().flat_map(|app| &mut app.subscriptions) {
            subscription.events = OLD_MESSAGE_EVENTS.map(str::to_owned).to_vec();
        }
    })
    .await?;
    chat(&rig).await?;
    rig.end().await
}

/// Signatures that fit nothing, as have been seen: the header that only Zoom knows is the proof.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_of_its_own_where_signatures_are_wrong() -> Result<()> {
    const PROOF: (&str, &str) = ("x-bridge-proof", "0123456789abcdef0123456789abcdef");
    let facts = [("header_name", PROOF.0), ("header_value", PROOF.1)];
    let rig = Rig::start(&facts, |config| {
        config.doubts.signature_fault = SignatureFault::Wrong;
        for subscription in config.apps.iter_mut().flat_map(|app| &mut app.subscriptions) {
            subscription.header = CustomHeader::Own(PROOF.0.to_owned(), PROOF.1.to_owned());
        }
    })
    .await?;
    rig.zoom.post(THEO, LAUNCH, "na\u{ef}ve signatures")?;
    rig.shows_at_slack("signatures", None).await?;
    rig.end().await
}

/// Frames hold the event as an object, or are the event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_connections_with_other_frames() -> Result<()> {
    for content in [SocketContent::Object, SocketContent::Bare] {
        let subscription = SeedSubscription::default().id;
        let facts = [("transport", "socket"), ("subscription_id", subscription.as_str())];
        let rig = Rig::start(&facts, |config| {
            config.doubts.socket_content = content;
            config.doubts.socket_outlives_token = true;
            for subscription in config.apps.iter_mut().flat_map(|app| &mut app.subscriptions) {
                subscription.transport = Transport::Socket;
            }
        })
        .await?;
        assert!(rig.zoom.socket_connected(&subscription, true, WITHIN).await, "no connection");
        chat(&rig).await?;
        rig.end().await?;
    }
    Ok(())
}

/// Zoom closes a channel that has too much; nobody lets it come to that, and the order holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_stays_below_what_a_channel_takes() -> Result<()> {
    const MANY: usize = 34;
    let rig = Rig::start(&[], |_| {}).await?;
    for number in 0..MANY {
        rig.says_at_slack("ana.souza", &format!("burst {number:03}"), None).await?;
    }
    let numbers = || -> Vec<String> {
        let there = rig.zoom.messages(LAUNCH, THEO);
        let texts = there.iter().filter_map(|message| message["message"].as_str()?.split("burst ").nth(1));
        texts.map(str::to_owned).collect()
    };
    eventually("everything at Zoom", Duration::from_mins(1), async || {
        let there = numbers().len();
        if there == MANY { Ok(()) } else { Err(format!("{there} of {MANY}")) }
    })
    .await?;
    let expected: Vec<String> = (0..MANY).map(|number| format!("{number:03}")).collect();
    assert_eq!(numbers(), expected);
    assert_eq!(rig.zoom.log().count(|entry| entry.status == 429), 0);
    rig.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_a_doubled_event_and_an_outage_change_nothing() -> Result<()> {
    const SEND: &str = "POST /chat/users/*/messages";
    let rig = Rig::start(&[], |_| {}).await?;
    let faults = rig.zoom.faults();
    faults.add(FaultOrder::next(1, SEND, FaultKind::ServerErrorAfter { status: 500 }));
    rig.says_at_slack("ana.souza", "answer lost", None).await?;
    rig.shows_at_zoom("answer lost").await?;
    faults.add(FaultOrder::next(2, SEND, FaultKind::ServerErrorBefore { status: 503 }));
    rig.says_at_slack("ana.souza", "nothing done", None).await?;
    rig.says_at_slack("ana.souza", "behind it", None).await?;
    rig.shows_at_zoom("nothing done").await?;
    rig.shows_at_zoom("behind it").await?;
    rig.shows_at_zoom("answer lost").await?;
    assert_eq!(rig.zoom.log().count(|entry| entry.status >= 500), 3, "all of it happened");
    faults.add(FaultOrder::next(1, "team_chat.channel_message_posted", FaultKind::Duplicate));
    rig.zoom.post(THEO, LAUNCH, "sent twice")?;
    rig.shows_at_slack("sent twice", None).await?;
    rig.zoom.post(THEO, LAUNCH, "and on")?;
    rig.shows_at_slack("and on", None).await?;
    rig.shows_at_slack("sent twice", None).await?;
    rig.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_removed_leaves_nothing_behind() -> Result<()> {
    let rig = Rig::start(&[], |_| {}).await?;
    rig.zoom.post(THEO, LAUNCH, "before the end")?;
    rig.shows_at_slack("before the end", None).await?;
    ensure!(rig.ask(&api::StatusGet {}).await?.originals > 0, "nothing is mapped");

    // The first report fails: it is made again, a while later.
    let trouble = FaultKind::ServerErrorBefore { status: 503 };
    rig.zoom.faults().add(FaultOrder::next(1, "POST /oauth/data/compliance", trouble));
    rig.zoom.deauthorize(&SeedApp::default().app_id, THEO);
    let report = eventually("the report", Duration::from_secs(45), async || {
        rig.zoom.compliance_reports().pop().ok_or_else(|| "none".to_owned())
    })
    .await?;
    assert_eq!(report["account_id"], KESTREL);
    assert_eq!(report["compliance_completed"], true);
    assert_eq!(report["deauthorization_event_received"]["user_id"], THEO);
    assert!(report["deauthorization_event_received"]["signature"].is_string());

    eventually("nothing is mapped any more", WITHIN, async || {
        let status = rig.ask(&api::StatusGet {}).await.map_err(|error| format!("{error:#}"))?;
        if status.originals == 0 && status.legs == 0 {
            return Ok(());
        }
        Err(format!("{} originals, {} legs", status.originals, status.legs))
    })
    .await?;
    let installs = rig.ask(&api::InstallList {}).await?;
    let zoom = installs.iter().find(|install| install.platform == "zoom").context("no installation")?;
    assert_eq!((zoom.trouble.as_deref(), zoom.name.as_str()), (Some("DRG-SIGN-IN"), ""));
    assert!(zoom.scopes.is_empty());
    let bridges = rig.ask(&api::BridgeList { ended: false }).await?;
    assert!(bridges.iter().all(|bridge| bridge.state == api::State::Paused));
    assert_eq!(rig.zoom.compliance_reports().len(), 1, "told once");
    assert!(rig.zoom.members(LAUNCH).contains(&BRIDGE.to_owned()));
    rig.end().await
}
