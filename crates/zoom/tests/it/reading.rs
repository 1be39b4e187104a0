//! Reading messages, history, people and conversations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dragoman_model::{AuthorKind, Block, Inline, Version, codes};
use dragoman_platform::{Connector as _, ConversationKind, Failure, HistoryQuery};
use dragoman_testkit::ManualClock;
use serde_json::{Value, json};

use crate::fake::{Call, FakeZoom, Reply, error};
use crate::support::{
    ACCOUNT, BRIDGE, CHANNEL, NOW_MS, connector, connector_with, conversation, id, offline, post, session,
};

const DAY_MS: i64 = 86_400_000;

fn listed(number: u64, at_ms: i64, member: &str, text: &str) -> Value {
    json!({
        "id": id(number), "message": text, "sender": "", "sender_display_name": "Somebody",
        "send_member_id": member, "timestamp": at_ms, "status": "Normal",
    })
}

fn members() -> Reply {
    Reply::from(json!({
        "members": [
            { "id": BRIDGE, "member_id": "m-bridge", "email": "bridge@town.example", "name": "Bridge" },
            { "id": "Ana-User-Id", "member_id": "m-ana", "email": "ana@town.example", "name": "Ana Sample" },
            { "id": "", "member_id": "m-stranger", "email": "", "name": "Stran Ger", "is_external": true },
        ],
        "next_page_token": "",
    }))
}

fn is(call: &Call, end: &str) -> bool {
    call.what.ends_with(end)
}

/// Zoom lists newest first, in pages; the history is oldest first.
#[tokio::test]
async fn history_goes_from_old_to_new() {
    let zoom = FakeZoom::start(|call| {
        if is(call, "/members") {
            return members();
        }
        assert_eq!(call.query["to_channel"], CHANNEL);
        assert_eq!(call.query["include_deleted_and_edited_message"], "true");
        if call.query["from"] != "2025-10-07T08:53:20Z" {
            let mut edited = listed(4, NOW_MS - 60_000, "m-stranger", "edited");
            edited["status"] = json!("Edited");
            edited["reply_main_message_id"] = json!(id(2));
            let ours = listed(5, NOW_MS - 50_000, "m-bridge", "Bo (Slack): hi");
            return Reply::from(json!({ "messages": [ours, edited], "next_page_token": "" }));
        }
        match call.query.get("next_page_token").map(String::as_str) {
            None => Reply::from(json!({
                "messages": [
                    listed(3, NOW_MS - 2 * DAY_MS + 9_000, "m-ana", "third"),
                    { "id": id(9), "message": "", "timestamp": NOW_MS - 2 * DAY_MS + 8_500, "status": "Deleted" },
                    listed(2, NOW_MS - 2 * DAY_MS + 8_000, "m-ana", "second"),
                ],
                "next_page_token": "more",
            })),
            Some("more") => Reply::from(json!({
                "messages": [listed(1, NOW_MS - 2 * DAY_MS + 7_000, "m-ana", "first"), listed(8, 5, "m-ana", "older")],
            })),
            other => panic!("{other:?}"),
        }
    })
    .await;
    let connector = connector(&zoom.url());
    let mut query = HistoryQuery { since_ms: NOW_MS - 2 * DAY_MS, ..HistoryQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = connector.history(&session(), &conversation(), &query).await.ok().unwrap();
        seen.extend(page.messages);
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
        assert!(seen.len() < 50, "it ends");
    }
    // The last windows answer the same: they are filtered by time.
    let ids: Vec<String> = seen.iter().map(|message| message.id.to_string()).collect();
    assert_eq!(ids, [id(1), id(2), id(3), id(4), id(5)]);
    assert_eq!(seen[0].author.user, Some("Ana-User-Id".into()), "as events name her");
    assert_eq!(seen[0].version, Some(Version(0)));
    assert!(!seen[0].origin.ours && seen[4].origin.ours);
    assert_eq!(seen[3].author.user, Some("m-stranger".into()));
    assert_eq!(seen[3].thread_root, Some(id(2).into()));
    assert!(seen[3].version > Some(Version(0)), "edited, nobody knows when");
}

#[tokio::test]
async fn a_message_is_read_and_looked_for_twice() {
    let tries = Arc::new(AtomicU32::new(0));
    let counted = tries.clone();
    let zoom = FakeZoom::start(move |call| {
        if is(call, "/members") {
            return members();
        }
        // Both forms of the id, then the same again a moment later.
        if counted.fetch_add(1, Ordering::SeqCst) < 2 {
            return error(400, 300, "The message does not exist.");
        }
        Reply::from(listed(1, NOW_MS, "m-ana", "here"))
    })
    .await;
    let connector = connector(&zoom.url());
    let read = async |number| connector.message(&session(), &conversation(), None, &id(number).into()).await;
    let found = read(1).await.ok().unwrap().unwrap();
    assert_eq!(found.body.blocks, [Block::Paragraph(vec![Inline::Text("here".to_owned())])]);
    assert_eq!(tries.load(Ordering::SeqCst), 3);

    for answer in [
        error(400, 300, "The message does not exist."),
        Reply::from(json!({ "id": id(1), "status": "Deleted", "timestamp": 1 })),
    ] {
        let answer = Arc::new((answer.0, answer.2));
        let zoom = FakeZoom::start(move |_| Reply(answer.0, "", answer.1.clone())).await;
        let gone = crate::support::connector(&zoom.url());
        let gone = gone.message(&session(), &conversation(), None, &id(1).into()).await;
        assert!(matches!(gone, Ok(None)));
    }
    let closed = FakeZoom::start(|_| error(404, 4130, "Channel does not exist: x.")).await;
    let closed = crate::support::connector(&closed.url());
    let closed = closed.message(&session(), &conversation(), None, &id(1).into()).await;
    assert_eq!(
        closed.err(),
        Some(Failure::Gone(codes::CONVERSATION_GONE)),
        "not the same as a deleted message"
    );
}

#[tokio::test]
async fn our_copies_are_found_by_text_place_and_author() {
    let text = "Bo Probe (Slack): hello";
    let mut earlier = listed(6, NOW_MS - 6_000, "m-bridge", "Bo Probe (Slack): hell");
    earlier["rich_text"] =
        json!([{ "start_position": 0, "end_position": 16, "format_type": "Bold", "format_attr": "" }]);
    let zoom = FakeZoom::start(move |call| {
        if is(call, "/members") {
            return members();
        }
        let mut reply = listed(3, NOW_MS - 3_000, "m-bridge", text);
        reply["reply_main_message_id"] = json!(id(9));
        Reply::from(json!({ "messages": [
            listed(5, NOW_MS - 1_000, "m-bridge", text),
            listed(4, NOW_MS - 2_000, "m-ana", text),
            reply,
            listed(2, NOW_MS - 4_000, "m-bridge", text),
            listed(1, NOW_MS - 5_000, "m-bridge", "hello too"),
            earlier.clone(),
        ] }))
    })
    .await;
    let connector = connector(&zoom.url());
    let find = async |post: &dragoman_model::Post| {
        let found = connector.find(&session(), &conversation(), post, NOW_MS - 10_000).await.ok().unwrap();
        found.into_iter().map(|candidate| (candidate.message.to_string(), candidate.same)).collect::<Vec<_>>()
    };
    let (same, other) = (|number| (id(number), true), |number| (id(number), false));
    assert_eq!(find(&post("hello")).await, [other(6), same(2), same(5)], "oldest first");
    let reply = dragoman_model::Post { thread_root: Some(id(9).into()), ..post("hello") };
    assert_eq!(find(&reply).await, [same(3)]);
    assert_eq!(find(&post("other")).await, [other(6)], "what begins with an author's name");
    let own = dragoman_model::Post { spokesman: dragoman_model::Spokesman::Person("p".into()), ..post(text) };
    assert_eq!(find(&own).await, [same(4)], "in a person's own name");
}

#[tokio::test]
async fn people_have_names_strangers_too() {
    let zoom = FakeZoom::start(|call| {
        if is(call, "/members") {
            return members();
        }
        match call.what.as_str() {
            "GET /v2/users/Ana%2DUser%2DId" | "GET /v2/users/ana%40town%2Eexample" => Reply::from(json!({
                "id": "Ana-User-Id", "display_name": "Ana Sample", "email": "ana@town.example",
                "pic_url": "https://pictures.example/ana.png", "account_id": ACCOUNT, "status": "active",
            })),
            _ => error(404, 1001, "User does not exist: x."),
        }
    })
    .await;
    let connector = connector(&zoom.url());
    let look =
        async |user: &str| connector.profile(&session(), &conversation(), &user.into()).await.ok().unwrap();
    let ana = look("Ana-User-Id").await.unwrap();
    assert_eq!((ana.name.as_str(), ana.external), ("Ana Sample", false));
    assert_eq!(ana.avatar_url.as_deref(), Some("https://pictures.example/ana.png"));
    let by_member = look("m-ana").await.unwrap();
    assert_eq!((by_member.name.as_str(), by_member.user.as_str()), ("Ana Sample", "m-ana"));
    assert_eq!(by_member.email.as_deref(), Some("ana@town.example"));
    let stranger = look("m-stranger").await.unwrap();
    assert_eq!((stranger.name.as_str(), stranger.external, stranger.email), ("Stran Ger", true, None));
    assert!(look("nobody").await.is_none());
    let mail =
        async |mail: &str| connector.profile_by_email(&session(), &conversation(), mail).await.ok().unwrap();
    assert_eq!(mail("ana@town.example").await.unwrap().user, "Ana-User-Id".into());
    assert!(mail("zed@town.example").await.is_none());
}

#[tokio::test]
async fn channels_are_read_with_who_is_in_them() {
    let zoom = FakeZoom::start(|call| {
        if is(call, "/members") {
            return members();
        }
        if is(call, "/channels/elsewhere") && call.what.contains("/users/") {
            return error(404, 4130, "Channel does not exist: elsewhere.");
        }
        match call.what.as_str() {
            "GET /v2/chat/users/Bridge%2DUser%2DId/channels" => Reply::from(json!({
                "channels": [
                    { "id": "c1", "name": "Launch crew", "type": 3 }, { "id": "c2", "name": "Cooking", "type": 1 },
                ],
                "next_page_token": "t",
            })),
            "GET /v2/users/ana%40town%2Eexample" => {
                Reply::from(json!({ "id": "Ana-User-Id", "account_id": ACCOUNT }))
            }
            what if what.contains("/channels/") => {
                Reply::from(json!({ "id": what.rsplit('/').next(), "name": "room", "type": 4 }))
            }
            _ => error(404, 1001, "User does not exist: x."),
        }
    })
    .await;
    let connector = connector(&zoom.url());
    let read = async |remote: &str| connector.conversation(&session(), &remote.into()).await.ok().unwrap();
    let found = read("c1").await;
    assert_eq!((found.kind, found.external, found.joined), (ConversationKind::Group, true, true));
    assert_eq!(found.fact("bridge_member"), "m-bridge");
    assert!(!read("elsewhere").await.joined);
    let direct = read("dm:ana@town.example").await;
    assert_eq!((direct.kind, direct.fact("contact")), (ConversationKind::Direct, "Ana-User-Id"));
    assert_eq!(direct.remote, "ana-user-id:bridge-user-id".into(), "as events name it");

    let listed = connector.conversations(&session(), "launch", None).await.ok().unwrap();
    let names: Vec<&str> = listed.items.iter().map(|found| found.name.as_str()).collect();
    assert_eq!((names, listed.next.as_deref()), (vec!["Launch crew"], Some("t")));

    // Strangers are in the channel: only where somebody allowed them.
    let mut here = conversation();
    let watch = connector.watch(&session(), &here, None).await;
    assert_eq!(watch.err(), Some(Failure::Refused(codes::EXTERNAL)));
    here.external = true;
    let watch = connector.watch(&session(), &here, None).await.unwrap();
    assert_eq!((watch.renew_at_ms, watch.facts["bridge_member"].as_str()), (None, "m-bridge"));
    here.remote = "elsewhere".into();
    let watch = connector.watch(&session(), &here, None).await;
    assert_eq!(watch.err(), Some(Failure::Refused(codes::NOT_JOINED)));
}

/// What was edited is newer than any edit whose event came before the list was read, on Zoom's clock.
#[tokio::test]
async fn the_version_of_an_edited_message_is_zooms_time() {
    let zoom = FakeZoom::start(|call| {
        if is(call, "/members") {
            return members();
        }
        let mut edited = listed(1, 5, "m-ana", "x");
        edited["status"] = json!("Edited");
        Reply(200, "Date: Thu, 09 Oct 2025 08:53:25 GMT\r\n", edited.to_string())
    })
    .await;
    // Our clock is an hour behind.
    let connector = connector_with(&zoom.url(), Arc::new(ManualClock::new(NOW_MS - 3_600_000)));
    let found =
        connector.message(&session(), &conversation(), None, &id(1).into()).await.ok().unwrap().unwrap();
    assert_eq!(found.version, Some(Version(NOW_MS + 5_000)));
    assert_eq!(found.author.kind, AuthorKind::Person);
    assert!(offline().capabilities(&session().installation, &conversation()).history);
}
