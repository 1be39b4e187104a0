//! History, single messages, own copies, people, conversations.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::{Spokesman, codes, operation::Candidate};
use dragoman_platform::{Connector as _, ConversationKind, Failure, HistoryQuery};
use serde_json::{Value, json};

use crate::fake::{Call, FakeSlack, Reply, error};
use crate::support::{connector, conversation, post, session};

const BASE_S: i64 = 1_760_000_000;

fn ts(number: i64) -> String {
    format!("{}.000100", BASE_S + number)
}

/// A conversation with messages every second and threads, listed as Slack lists.
#[derive(Clone, Default)]
struct Room {
    messages: BTreeMap<String, Value>,
    page: usize,
}

impl Room {
    fn say(&mut self, number: i64, thread: Option<i64>, extra: &Value) {
        let mut message =
            json!({ "type": "message", "user": "UANA", "text": format!("m{number}"), "ts": ts(number) });
        if let Some(root) = thread {
            message["thread_ts"] = json!(ts(root));
            let root = self.messages.get_mut(&ts(root)).expect("a root");
            root["thread_ts"] = root["ts"].clone();
            root["latest_reply"] = json!(ts(number));
        }
        for (key, value) in extra.as_object().unwrap() {
            message[key] = value.clone();
        }
        self.messages.insert(ts(number), message);
    }

    fn answer(&self, call: &Call) -> Reply {
        let form = call.form();
        let text = |key: &str| form.get(key).cloned().unwrap_or_default();
        let inside =
            |ts: &str| *ts >= *text("oldest") && (text("latest").is_empty() || *ts <= *text("latest"));
        let is_reply = |message: &Value| message.get("thread_ts").is_some_and(|root| *root != message["ts"]);
        let mut found: Vec<Value> = match call.method.as_str() {
            "conversations.history" => {
                self.messages.values().filter(|message| !is_reply(message)).cloned().rev().collect()
            }
            "conversations.replies" => {
                let asked = text("ts");
                let Some(message) = self.messages.get(&asked) else { return error("thread_not_found") };
                let root = message.get("thread_ts").unwrap_or(&message["ts"]).clone();
                self.messages
                    .values()
                    .filter(|message| message.get("thread_ts") == Some(&root))
                    .cloned()
                    .collect()
            }
            _ => return error("unknown_method"),
        };
        let root = found.first().filter(|_| call.method == "conversations.replies").cloned();
        found.retain(|message| inside(message["ts"].as_str().unwrap()));
        let from: usize = text("cursor").trim_end_matches('=').parse().unwrap_or(0);
        let limit = self.page.min(text("limit").parse().unwrap_or(100));
        let next = (from + limit < found.len()).then(|| format!("{}=", from + limit));
        let mut page: Vec<Value> = found.into_iter().skip(from).take(limit).collect();
        // Threads begin with their root on every page.
        page.splice(0..0, root);
        Reply::from(json!({
            "ok": true, "messages": page, "has_more": next.is_some(),
            "response_metadata": { "next_cursor": next.unwrap_or_default() },
        }))
    }
}

async fn serve(room: Room) -> FakeSlack {
    FakeSlack::start(move |call| room.answer(call)).await
}

async fn listed(slack: &FakeSlack, mut query: HistoryQuery) -> Vec<Vec<String>> {
    let connector = connector(&slack.url());
    let mut pages = Vec::new();
    loop {
        let page =
            connector.history(&session(), &conversation(), &query).await.unwrap_or_else(|f| panic!("{f}"));
        pages.push(page.messages.iter().map(|message| message.id.as_str().to_owned()).collect());
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn history_is_complete_and_ascending_whatever_the_page_size() {
    let mut room = Room::default();
    for number in 0..60 {
        room.say(number, None, &json!({}));
    }
    room.say(61, Some(3), &json!({}));
    room.say(62, Some(40), &json!({ "subtype": "thread_broadcast" }));
    room.say(63, None, &json!({ "subtype": "channel_join" }));
    room.say(64, Some(3), &json!({}));
    for page in [1, 7, 15, 200] {
        let slack = serve(Room { page, ..room.clone() }).await;
        let query = HistoryQuery {
            since_ms: (BASE_S + 20) * 1_000,
            // An old root is asked for by name; another is gone by now.
            threads: BTreeSet::from([ts(3).into(), ts(999).into()]),
            cursor: None,
        };
        let pages = listed(&slack, query).await;
        assert!(pages.iter().all(|page| page.is_sorted()), "page size {page}");
        let all: Vec<String> = pages.concat();
        let expected: Vec<String> = (20..60).chain([61, 62, 64]).map(ts).collect();
        assert_eq!(all, expected, "page size {page}");
    }
}

#[tokio::test]
async fn many_threads_take_several_calls_and_each_stays_in_order() {
    let mut room = Room { page: 200, ..Room::default() };
    for number in 0..40 {
        room.say(number, None, &json!({}));
    }
    for number in 0..40 {
        room.say(100 + number, Some(number), &json!({}));
        room.say(200 + number, Some(number), &json!({}));
    }
    let slack = serve(room).await;
    let pages = listed(&slack, HistoryQuery { since_ms: BASE_S * 1_000, ..HistoryQuery::default() }).await;
    assert_eq!(pages.len(), 3, "fifteen threads each");
    let all = pages.concat();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 120);
    for number in 0..40 {
        let place = |wanted: i64| all.iter().position(|id| *id == ts(wanted)).unwrap();
        assert!(place(number) < place(100 + number) && place(100 + number) < place(200 + number));
    }
}

#[tokio::test]
async fn a_message_is_read_again_by_id_with_or_without_its_root() {
    let mut room = Room { page: 200, ..Room::default() };
    room.say(1, None, &json!({ "edited": { "ts": ts(5) } }));
    room.say(2, Some(1), &json!({}));
    room.say(3, None, &json!({ "subtype": "tombstone", "hidden": true }));
    let slack = serve(room).await;
    let connector = connector(&slack.url());
    let read = async |root: Option<i64>, number: i64| {
        let root = root.map(|root| ts(root).into());
        let found = connector.message(&session(), &conversation(), root.as_ref(), &ts(number).into()).await;
        found.unwrap_or_else(|failure| panic!("{failure}"))
    };
    assert!(read(None, 1).await.unwrap().version.is_some());
    for root in [None, Some(1)] {
        let reply = read(root, 2).await.unwrap();
        assert_eq!(reply.thread_root.unwrap().as_str(), ts(1));
    }
    assert!(read(None, 3).await.is_none(), "a tombstone is no message");
    assert!(read(None, 77).await.is_none());
    assert!(read(Some(77), 78).await.is_none());
}

#[tokio::test]
async fn copies_are_found_by_their_marker() {
    let marked = |marker: &str| json!({ "user": "UBOT", "app_id": "AOWN", "metadata": { "event_type": "dragoman_copy", "event_payload": { "k": marker } } });
    let mut room = Room { page: 2, ..Room::default() };
    room.say(0, None, &marked("marker-1"));
    room.say(10, None, &marked("marker-1"));
    room.say(11, None, &marked("marker-2"));
    for number in 12..20 {
        room.say(number, None, &json!({}));
    }
    room.say(20, None, &marked("marker-1"));
    let mut forged = marked("marker-1");
    forged["app_id"] = json!("AOTHER");
    forged["user"] = Value::Null;
    room.say(22, None, &forged);
    room.say(21, Some(11), &marked("marker-1"));
    let mut own = marked("marker-1");
    own["user"] = json!("UANA");
    room.say(23, None, &own);
    let slack = serve(room).await;
    let connector = connector(&slack.url());
    // The clocks may differ by two minutes; before that, nothing is looked at.
    let since_ms = (BASE_S + 125) * 1_000;
    let found = connector.find(&session(), &conversation(), &post("a"), since_ms).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|Candidate { message, .. }| message.as_str()).collect();
    assert_eq!(ids, [ts(10), ts(20)]);
    assert!(slack.calls().iter().all(|call| call.form()["include_all_metadata"] == "true"));

    // What stands in a person's own name only their token changes.
    let mut own = post("a");
    own.spokesman = Spokesman::Person("p-ana".into());
    let found = connector.find(&session(), &conversation(), &own, since_ms).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|Candidate { message, .. }| message.as_str()).collect();
    assert_eq!(ids, [ts(23)]);

    let mut reply = post("a");
    reply.thread_root = Some(ts(11).into());
    let found = connector.find(&session(), &conversation(), &reply, since_ms).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message.as_str(), ts(21));
}

#[tokio::test]
async fn people_and_bots() {
    let slack = FakeSlack::start(|call| {
        let form = call.form();
        match (call.method.as_str(), form.values().next().map(String::as_str)) {
            ("users.info", Some("UANA")) => Reply::from(json!({ "ok": true, "user": {
                "id": "UANA", "team_id": "TOWN", "name": "handle", "real_name": "Ana Sample",
                "profile": { "display_name": "", "real_name": "Ana Sample", "email": "ana@example.com",
                             "image_192": "https://pictures.example/192", "fields": [] },
            } })),
            ("users.info", Some("UEXT")) => Reply::from(json!({ "ok": true, "user": {
                "id": "UEXT", "team_id": "TELSE", "deleted": true, "profile": { "display_name": "Ext" },
            } })),
            ("users.lookupByEmail", Some("ana@example.com")) => Reply::from(
                json!({ "ok": true, "user": { "id": "UANA", "profile": { "display_name": "Ana" } } }),
            ),
            ("users.lookupByEmail", Some("off@example.com")) => error("missing_scope"),
            ("users.lookupByEmail", _) => error("users_not_found"),
            ("bots.info", Some("BCI")) => Reply::from(json!({ "ok": true, "bot": {
                "id": "BCI", "name": "builder", "icons": { "image_72": "https://icons.example/72" },
            } })),
            ("users.info", _) => error("user_not_found"),
            _ => error("internal_error"),
        }
    })
    .await;
    let connector = connector(&slack.url());
    let profile = async |id: &str| connector.profile(&session(), &conversation(), &id.into()).await;
    let ana = profile("UANA").await.unwrap().unwrap();
    assert_eq!((ana.name.as_str(), ana.email.as_deref()), ("Ana Sample", Some("ana@example.com")));
    assert_eq!(ana.avatar_url.as_deref(), Some("https://pictures.example/192"));
    assert!(!ana.external && !ana.bot && !ana.deleted);
    let outsider = profile("UEXT").await.unwrap().unwrap();
    assert!(outsider.external && outsider.deleted);
    assert!(profile("UNOBODY").await.unwrap().is_none());
    let bot = profile("BCI").await.unwrap().unwrap();
    assert!(bot.bot && bot.name == "builder");
    assert!(matches!(profile("BX").await, Err(Failure::Retry { .. })));

    let by_email =
        async |email| connector.profile_by_email(&session(), &conversation(), email).await.unwrap();
    assert_eq!(by_email("ana@example.com").await.unwrap().user.as_str(), "UANA");
    assert!(by_email("nobody@example.com").await.is_none());
    assert!(by_email("off@example.com").await.is_none());
}

#[tokio::test]
async fn conversations_are_listed_joined_and_refused() {
    let slack = FakeSlack::start(|call| {
        let channel = call.form().get("channel").cloned().unwrap_or_default();
        let describe = |extra: Value| {
            let mut object = json!({ "id": channel, "name": "room" });
            for (key, value) in extra.as_object().unwrap() {
                object[key] = value.clone();
            }
            Reply::from(json!({ "ok": true, "channel": object }))
        };
        match (call.method.as_str(), channel.as_str()) {
            ("conversations.info", "CIN") => describe(json!({ "is_member": true })),
            ("conversations.info", "COUT") => describe(json!({ "is_member": false })),
            ("conversations.info", "CEXT") => describe(json!({ "is_member": true, "is_ext_shared": true })),
            ("conversations.info", "COLD") => describe(json!({ "is_member": false, "is_archived": true })),
            ("conversations.info", "DANA") => describe(json!({ "is_im": true, "user": "UANA" })),
            ("conversations.info", "GMANY") => describe(json!({ "is_mpim": true, "is_private": true })),
            ("conversations.info", _) => error("channel_not_found"),
            ("conversations.join", "COUT") => describe(json!({})),
            ("conversations.join", _) => error("is_archived"),
            ("conversations.list", _) => Reply::from(json!({
                "ok": true, "channels": [{ "id": "C1", "name": "Tea-Room" }, { "id": "C2", "name": "hall" }],
                "response_metadata": { "next_cursor": "dGVhbTpD==" },
            })),
            _ => error("internal_error"),
        }
    })
    .await;
    let connector = connector(&slack.url());
    let of = |id: &str| {
        let mut conversation = conversation();
        conversation.remote = id.into();
        conversation
    };
    let watch = async |id: &str| connector.watch(&session(), &of(id), None).await;
    assert!(watch("CIN").await.is_ok());
    assert_eq!(slack.calls().len(), 1, "no need to join");
    let watched = watch("COUT").await.unwrap();
    assert!(watched.id.is_empty() && watched.renew_at_ms.is_none());
    let methods: Vec<String> = slack.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["conversations.info", "conversations.join"]);
    assert_eq!(watch("COLD").await.err(), Some(Failure::Gone(codes::CONVERSATION_GONE)));
    assert_eq!(watch("CNONE").await.err(), Some(Failure::Gone(codes::CONVERSATION_GONE)));
    assert_eq!(watch("CEXT").await.err(), Some(Failure::Refused(codes::EXTERNAL)));
    let mut allowed = of("CEXT");
    allowed.facts.insert(dragoman_platform::ALLOW_EXTERNAL.to_owned(), "yes".to_owned());
    assert!(connector.watch(&session(), &allowed, None).await.is_ok());

    let kind = async |id: &str| connector.conversation(&session(), &id.into()).await.unwrap().kind;
    assert!(kind("DANA").await == ConversationKind::Direct);
    assert!(kind("GMANY").await == ConversationKind::Group);
    slack.calls();
    let page = connector.conversations(&session(), "#tea", Some("a=")).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.next.as_deref(), Some("dGVhbTpD=="));
    let form = slack.call().form();
    assert_eq!((form["cursor"].as_str(), form["team_id"].as_str()), ("a=", "TOWN"));
    assert_eq!(form["types"], "public_channel,private_channel");
    let mut lean = session();
    let mut installation = (*lean.installation).clone();
    installation.scopes.insert("channels:read".to_owned());
    lean.installation = installation.into();
    assert!(connector.conversations(&lean, "", None).await.is_ok());
    assert_eq!(slack.call().form()["types"], "public_channel", "what may not be seen would refuse the list");
}
