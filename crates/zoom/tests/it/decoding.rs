//! From sealed payloads to canonical events.

use bytes::Bytes;
use dragoman_model::{
    Block, Control, Emoji, Event, Happening, Inline, Mention, Message, NoticeKind, Version, codes,
};
use dragoman_platform::{Connector as _, Failure};
use dragoman_seal::Content;
use serde_json::{Value, json};

use crate::fake::{FakeZoom, Reply, error};
use crate::support::{ACCOUNT, BRIDGE, CHANNEL, NOW_MS, by, connector, event, id, message, offline, session};

async fn opened(body: Bytes) -> Event {
    let opened = offline().open(&session(), "events", &Content::copied_from(&body)).await;
    opened.unwrap_or_else(|failure| panic!("not opened: {failure}"))
}

async fn posted(object: &Value) -> Message {
    match opened(event("team_chat.channel_message_posted", NOW_MS, object)).await.happening {
        Happening::Posted(message) => *message,
        _ => panic!("not posted"),
    }
}

fn text(text: &str) -> Inline {
    Inline::Text(text.to_owned())
}

#[tokio::test]
async fn a_message_with_everything() {
    let mut object = message(2, "@Bo Probe, see the plan");
    object["rich_text"] = json!([
        { "start_position": 11, "end_position": 13, "format_type": "Bold" },
        { "start_position": 19, "end_position": 22, "format_type": "AddLink", "format_attr": "https://plan.example/" },
        { "start_position": 0, "end_position": 3, "format_type": "FontSize", "format_attr": "l" },
    ]);
    object["at_items"] = json!([{
        "at_contact": "bo@town.example", "at_contact_user_id": "Bo-User-Id", "at_contact_member_id": "Bo-Member-Id",
        "at_type": 1, "start_position": 0, "end_position": 8,
    }]);
    object["files"] = json!([
        { "file_id": "F1", "file_name": "plan.pdf", "file_size": 12, "OS_file_type": "PDF", "file_message_type": "file" },
        { "file_name": "no id" },
    ]);
    object["reply_main_message_id"] = json!(format!("{{{}}}", id(1).to_lowercase()));
    let message = posted(&object).await;
    let mention = Mention::Person { id: "Bo-User-Id".into(), name: "Bo Probe".to_owned() };
    let expected = vec![Block::Paragraph(vec![
        Inline::Mention(mention),
        text(", "),
        Inline::Strong(vec![text("see")]),
        text(" the "),
        Inline::Link { url: "https://plan.example/".to_owned(), text: vec![text("plan")] },
    ])];
    assert_eq!(message.body.blocks, expected);
    assert_eq!(message.id, id(2).into());
    assert_eq!(message.thread_root, Some(id(1).into()));
    assert_eq!(message.author.user, Some("Ana-User-Id".into()));
    assert_eq!((message.sent_at_ms, message.version), (NOW_MS + 2, Some(Version(0))));
    assert!(!message.origin.ours);
    let files: Vec<_> =
        message.files.iter().map(|file| (file.id.as_str(), file.name.as_str(), file.size)).collect();
    assert_eq!(files, [("F1", "plan.pdf", Some(12))]);
}

/// The published examples count the end of a range in two ways.
#[tokio::test]
async fn both_readings_of_a_range_give_the_same_text() {
    for end in [8, 9] {
        let mut object = message(2, "@Bo Probe hello");
        object["at_items"] = json!([{
            "at_contact_user_id": "Bo-User-Id", "at_type": 1, "start_position": 0, "end_position": end,
        }]);
        object["rich_text"] = json!([
            { "start_position": 10, "end_position": end + 6, "format_type": "Italic", "format_attr": "" },
        ]);
        let body = posted(&object).await.body;
        let mention = Mention::Person { id: "Bo-User-Id".into(), name: "Bo Probe".to_owned() };
        let expected = vec![Block::Paragraph(vec![
            Inline::Mention(mention),
            text(" "),
            Inline::Emphasis(vec![text("hello")]),
        ])];
        assert_eq!(body.blocks, expected, "end {end}");
    }
}

#[tokio::test]
async fn everybody_is_mentioned_by_type_and_not_by_name() {
    let mut object = message(2, "@all stand up, @all");
    object["at_items"] = json!([{ "at_contact": "", "at_type": 2, "start_position": 0, "end_position": 3 }]);
    let body = posted(&object).await.body;
    let expected = vec![Block::Paragraph(vec![Inline::Mention(Mention::Everyone), text(" stand up, @all")])];
    assert_eq!(body.blocks, expected);
}

#[tokio::test]
async fn ours_are_known_by_id_and_by_address() {
    let bridge = ("bridge@town.example", BRIDGE, "Bridge-Member-Id");
    let nameless = ("Bridge@Town.example", "", "Bridge-Member-Id");
    for who in [bridge, nameless] {
        let event = opened(by("team_chat.channel_message_posted", NOW_MS, who, &message(1, "x"))).await;
        let Happening::Posted(message) = event.happening else { panic!("not posted") };
        assert!(message.origin.ours);
    }
    let reaction = json!({ "msg_id": id(1), "channel_id": CHANNEL, "emoji": "U+1F44D" });
    let own = opened(by("team_chat.channel_reaction_added", NOW_MS, bridge, &reaction)).await;
    assert!(matches!(own.happening, Happening::Ignored(codes::ECHO)));
}

#[tokio::test]
async fn strangers_are_known_by_their_member_id() {
    let who = ("", "", "Stranger-Member-Id-that-is-quite-a-bit-longer");
    let event = opened(by("team_chat.channel_message_posted", NOW_MS, who, &message(1, "hi"))).await;
    let Happening::Posted(message) = event.happening else { panic!("not posted") };
    assert_eq!(message.author.user, Some(who.2.into()));
}

#[tokio::test]
async fn edits_grow_and_deletions_and_reactions_are_read() {
    let change = async |at_ms| {
        let event = opened(event("team_chat.channel_message_updated", at_ms, &message(1, "new"))).await;
        let Happening::Changed { after, before: None } = event.happening else { panic!("not changed") };
        after.version.unwrap()
    };
    let (first, second) = (change(NOW_MS).await, change(NOW_MS + 1).await);
    assert!(Version(0) < first && first < second);

    let mut gone = message(2, "");
    gone["reply_main_message_id"] = json!(id(1));
    let gone = opened(event("team_chat.channel_message_deleted", NOW_MS, &gone)).await;
    assert_eq!(gone.conversation, Some(CHANNEL.into()));
    let Happening::Deleted { message, thread_root } = gone.happening else { panic!("not deleted") };
    assert_eq!((message, thread_root), (id(2).into(), Some(id(1).into())));

    for (emoji, expected) in [
        ("U+1f44c", Emoji::Unicode("\u{1f44c}".to_owned())),
        ("U+1F44DU+1F3FD", Emoji::Unicode("\u{1f44d}\u{1f3fd}".to_owned())),
        ("party", Emoji::Custom { name: "party".to_owned(), url: None }),
    ] {
        let object = json!({
            "msg_id": id(1), "contact_id": "Bo-User-Id", "emoji": emoji, "emoji_time": 1, "timestamp": 1,
        });
        let event = opened(event("team_chat.dm_reaction_removed", NOW_MS, &object)).await;
        let Happening::ReactionRemoved { message, by, emoji } = event.happening else {
            panic!("no reaction")
        };
        assert_eq!((message, by), (id(1).into(), "Ana-User-Id".into()));
        assert!(emoji == expected);
    }
}

#[tokio::test]
async fn the_life_of_a_channel() {
    let channel =
        |members: Value| json!({ "id": CHANNEL, "name": "New name", "type": 1, "members": members });
    let bridge = ("bridge@town.example", BRIDGE, "");
    let control = async |name: &str, body: Bytes| match opened(body).await.happening {
        Happening::Control(control) => format!("{control:?}"),
        Happening::Notice(notice) => {
            format!("{:?} {:?}", notice.kind, notice.people.first().map(ToString::to_string))
        }
        Happening::Ignored(code) => code.to_string(),
        _ => panic!("{name}"),
    };
    let ours = channel(json!([{ "id": "x" }, { "id": BRIDGE }]));
    let others = channel(json!([{ "id": "Bo-User-Id", "display_name": "Bo" }]));
    let said = async |name: &'static str, object: &Value| control(name, event(name, NOW_MS, object)).await;
    assert!(said("chat_channel.member_invited", &ours).await.starts_with("Admitted"));
    assert!(said("chat_channel.member_removed", &ours).await.starts_with("Expelled"));
    assert_eq!(said("chat_channel.member_invited", &others).await, "Joined Some(\"Bo-User-Id\")");
    assert_eq!(said("chat_channel.member_removed", &others).await, "Left Some(\"Bo-User-Id\")");
    assert_eq!(said("chat_channel.member_joined", &others).await, "Joined Some(\"Ana-User-Id\")");
    assert!(said("chat_channel.deleted", &others).await.starts_with("Expelled"));
    assert!(said("team_chat.channel_unarchived", &others).await.starts_with("Admitted"));
    assert!(said("team_chat.channel_archived", &others).await.starts_with("Archived"));
    let left = by("chat_channel.member_left", NOW_MS, bridge, &others);
    assert!(control("left", left).await.starts_with("Expelled"));
    let Happening::Notice(renamed) = opened(event("chat_channel.updated", NOW_MS, &others)).await.happening
    else {
        panic!("no notice")
    };
    assert_eq!((renamed.kind, renamed.text.as_deref()), (NoticeKind::Renamed, Some("New name")));
}

#[tokio::test]
async fn a_removed_app_brings_the_receipt_and_nothing_else() {
    let body = json!({
        "event": "app_deauthorized",
        "payload": {
            "account_id": ACCOUNT, "user_id": "u", "signature": "s", "client_id": "client-1",
            "deauthorization_time": "2025-10-09T08:53:20Z", "event_ts": "2025", "surprise": { "a": 1 },
        },
    });
    let event = opened(body.to_string().into()).await;
    assert_eq!(event.conversation, None);
    let Happening::Control(Control::Uninstalled { receipt }) = event.happening else {
        panic!("not uninstalled")
    };
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    let expected = json!({
        "account_id": ACCOUNT, "user_id": "u", "signature": "s", "client_id": "client-1",
        "deauthorization_time": "2025-10-09T08:53:20Z",
    });
    assert_eq!(receipt, expected);
}

/// Events of the old family have the bare text; the message itself has the rest.
#[tokio::test]
async fn events_of_the_old_family_are_completed() {
    let old = json!({
        "id": id(1), "type": "to_channel", "channel_id": CHANNEL, "timestamp": NOW_MS, "message": "plain",
        "parent_msg_id": id(1),
    });
    let open = async |zoom: &FakeZoom, name: &str| {
        let content = Content::copied_from(&event(name, NOW_MS, &old));
        connector(&zoom.url()).open(&session(), "events", &content).await
    };
    let zoom = FakeZoom::start(|call| match call.what.as_str() {
        what if what.contains("/messages/") => Reply::from(json!({
            "id": id(1), "message": "plain", "timestamp": NOW_MS, "sender": "ana@town.example",
            "rich_text": [{ "start_position": 0, "end_position": 4, "format_type": "Bold" }],
            "files": [{ "file_id": "F1", "file_name": "a.txt" }],
        })),
        _ => error(400, 200, "No permission."),
    })
    .await;
    let Ok(Event { happening: Happening::Posted(message), .. }) = open(&zoom, "chat_message.sent").await
    else {
        panic!("not posted")
    };
    assert_eq!(message.body.blocks, [Block::Paragraph(vec![Inline::Strong(vec![text("plain")])])]);
    assert_eq!((message.files.len(), message.thread_root.is_none()), (1, true));
    assert_eq!(message.author.user, Some("Ana-User-Id".into()));

    // Where the message cannot be had, there is the text; where Zoom is in trouble, it is tried again.
    let gone = FakeZoom::start(|_| error(400, 300, "The message does not exist.")).await;
    let Ok(Event { happening: Happening::Changed { after, .. }, .. }) =
        open(&gone, "chat_message.updated").await
    else {
        panic!("not changed")
    };
    assert_eq!(after.body.blocks, [Block::Paragraph(vec![text("plain")])]);
    assert_eq!(after.version, Some(Version(NOW_MS)));
    let down = FakeZoom::start(|_| Reply(503, "", String::new())).await;
    assert!(matches!(open(&down, "chat_message.sent").await, Err(Failure::Retry { .. })));
}

#[tokio::test]
async fn what_is_no_event_is_malformed() {
    for body in ["", "null", "[]", "{}", "{\"event\":\"team_chat.channel_message_posted\",\"payload\":[]}"] {
        let opened = offline().open(&session(), "events", &Content::copied_from(body.as_bytes())).await;
        match opened {
            Err(failure) => assert_eq!(failure, Failure::Malformed(codes::MALFORMED), "{body}"),
            Ok(event) => assert!(matches!(event.happening, Happening::Ignored(codes::KIND)), "{body}"),
        }
    }
}

#[tokio::test]
async fn whose_account_changed_is_read_again() {
    for name in ["user.updated", "user.activated", "user.deactivated", "user.deleted"] {
        let changed = json!({ "id": "Bo-User-Id", "first_name": "Bo" });
        let event = opened(event(name, NOW_MS, &changed)).await;
        assert_eq!(event.conversation, None, "{name}");
        let Happening::Control(Control::PersonChanged { user }) = event.happening else { panic!("{name}") };
        assert_eq!(user.as_str(), "Bo-User-Id");
    }
}
