//! Events as the core sees them.

use dragoman_model::{AuthorKind, Block, Emoji, Event, Happening, Inline, Mention, Message, codes};
use dragoman_platform::{Connector as _, Failure};
use dragoman_seal::Content;
use serde_json::{Value, json};

use crate::fake::{FakeSlack, Reply, error};
use crate::support::{connector, event, offline, session};

async fn open(inner: Value) -> Event {
    try_open(inner).await.unwrap_or_else(|failure| panic!("{failure}"))
}

async fn try_open(inner: Value) -> Result<Event, Failure> {
    let payload = Content::copied_from(&event("Ev1", &inner));
    offline().open(&session(), "events", &payload).await
}

async fn posted(inner: Value) -> Message {
    match open(inner).await.happening {
        Happening::Posted(message) => *message,
        _ => panic!("no posted message"),
    }
}

fn said(text: &str) -> Value {
    json!({
        "type": "message", "channel": "CROOM", "user": "UANA", "client_msg_id": "c-1",
        "text": text, "ts": "1760000000.000100", "event_ts": "1760000000.000100",
    })
}

fn with(mut value: Value, fields: &Value) -> Value {
    for (key, field) in fields.as_object().unwrap() {
        value[key] = field.clone();
    }
    value
}

fn text(message: &Message) -> String {
    let mut all = String::new();
    message.body.visit_inlines(&mut |inline| match inline {
        Inline::Text(text) | Inline::Code(text) => all.push_str(text),
        Inline::Break => all.push('\n'),
        _ => {}
    });
    all
}

#[tokio::test]
async fn a_message_with_everything() {
    let message = posted(with(
        said("hello &lt;you&gt; <@UBO>"),
        &json!({
            "thread_ts": "1759999999.000100", "subtype": "thread_broadcast",
            "edited": { "user": "UANA", "ts": "1760000005.000000" },
            "files": [
                { "id": "F1", "name": "plan.pdf", "mimetype": "application/pdf", "size": 12,
                  "permalink": "https://town.slack.com/files/1" },
                { "id": "F2", "mode": "tombstone" },
                { "id": "F3", "name": null, "title": "untitled", "size": 0 },
                { "id": "F4", "mode": "file_access", "file_access": "check_file_info", "user": "" },
            ],
        }),
    ))
    .await;
    assert_eq!(message.id.as_str(), "1760000000.000100");
    assert_eq!(message.thread_root.as_ref().unwrap().as_str(), "1759999999.000100");
    assert!(message.broadcast);
    assert_eq!(message.sent_at_ms, 1_760_000_000_000);
    assert_eq!(message.version.unwrap().0, 1_760_000_005_000_000);
    assert_eq!(text(&message).trim_end(), "hello <you>");
    let mut mentioned = Vec::new();
    message.body.visit_inlines(&mut |inline| {
        if let Inline::Mention(Mention::Person { id, .. }) = inline {
            mentioned.push(id.as_str().to_owned());
        }
    });
    assert_eq!(mentioned, ["UBO"]);
    let files: Vec<_> =
        message.files.iter().map(|file| (file.id.as_str(), file.name.as_str(), file.size)).collect();
    assert_eq!(files, [("F1", "plan.pdf", Some(12)), ("F3", "untitled", None), ("F4", "F4", None)]);
    assert!(message.author.kind == AuthorKind::Person && !message.origin.ours);
}

#[tokio::test]
async fn our_own_messages_are_known_by_any_of_their_ids() {
    for fields in [
        json!({ "app_id": "AOWN", "bot_id": "BOTHER" }),
        json!({ "bot_id": "BOWN" }),
        json!({ "user": "UBOT" }),
        json!({ "bot_profile": { "app_id": "AOWN" } }),
    ] {
        assert!(posted(with(said("a"), &fields)).await.origin.ours, "{fields}");
    }
    assert!(!posted(with(said("a"), &json!({ "app_id": "AOTHER" }))).await.origin.ours);
    let marked = json!({ "metadata": { "event_type": "dragoman_copy", "event_payload": { "k": "m-1" } } });
    assert_eq!(posted(with(said("a"), &marked)).await.origin.marker.unwrap().as_str(), "m-1");
    let foreign = json!({ "metadata": { "event_type": "other", "event_payload": { "k": "m-1" } } });
    assert!(posted(with(said("a"), &foreign)).await.origin.marker.is_none());
}

#[tokio::test]
async fn bots_carry_their_own_name() {
    let mut message = said("built");
    message.as_object_mut().unwrap().remove("user");
    let fields = json!({
        "subtype": "bot_message", "bot_id": "BCI", "username": "builder",
        "icons": { "image_48": "https://icons.example/48.png" },
    });
    let message = posted(with(message, &fields)).await;
    assert!(message.author.kind == AuthorKind::Bot);
    assert_eq!(message.author.name.as_deref(), Some("builder"));
    assert_eq!(message.author.avatar_url.as_deref(), Some("https://icons.example/48.png"));
    assert_eq!(message.author.user.unwrap().as_str(), "BCI");
}

#[tokio::test]
async fn who_writes_through_an_app_is_asked_for_once() {
    let slack = FakeSlack::start(|call| {
        let user = call.form().remove("user").unwrap_or_default();
        match user.as_str() {
            "UNOBODY" => error("user_not_found"),
            "USLOW" => Reply(429, Some("3"), String::new()),
            _ => Reply::from(json!({ "ok": true, "user": { "id": user, "is_bot": user == "UCI" } })),
        }
    })
    .await;
    let connector = connector(&slack.url());
    let kind = async |user: &str| {
        let mut inner = with(said("a"), &json!({ "bot_id": "BX", "app_id": "AX", "user": user }));
        inner.as_object_mut().unwrap().remove("client_msg_id");
        let payload = Content::copied_from(&event("Ev1", &inner));
        let event = connector.open(&session(), "events", &payload).await?;
        let Happening::Posted(message) = event.happening else { panic!("no posted message") };
        Ok::<_, Failure>(message.author.kind)
    };
    for (user, expected) in
        [("UANA", AuthorKind::Person), ("UCI", AuthorKind::Bot), ("UNOBODY", AuthorKind::Bot)]
    {
        assert_eq!(kind(user).await, Ok(expected), "{user}");
        assert_eq!(slack.calls().len(), 1);
        assert_eq!(kind(user).await, Ok(expected), "{user}");
        assert_eq!(slack.calls().len(), 0, "remembered");
    }
    assert_eq!(kind("USLOW").await, Err(Failure::Retry { after_ms: Some(3_000), code: codes::RATE_LIMITED }));
}

#[tokio::test]
async fn me_messages_are_italic_and_attachments_of_authors_are_kept() {
    let message = posted(with(said("waves"), &json!({ "subtype": "me_message" }))).await;
    assert!(
        matches!(&message.body.blocks[0], Block::Paragraph(text) if matches!(text[0], Inline::Emphasis(_)))
    );

    let attachments = json!({ "attachments": [
        { "text": "a report", "fallback": "x" },
        { "text": "preview of a link", "from_url": "https://example.com/" },
        { "text": "preview of an app", "is_app_unfurl": true, "app_unfurl_url": "https://example.com/" },
        { "text": "forwarded", "is_share": true, "is_msg_unfurl": true, "from_url": "https://town.slack.com/1" },
    ] });
    let shown = text(&posted(with(said("see"), &attachments)).await);
    assert!(shown.contains("see") && shown.contains("a report") && shown.contains("forwarded"), "{shown}");
    assert!(!shown.contains("preview"), "{shown}");
}

fn changed(before: Value, after: Value) -> Value {
    json!({
        "type": "message", "subtype": "message_changed", "hidden": true, "channel": "CROOM",
        "ts": "1760000010.000100", "event_ts": "1760000010.000100",
        "message": after, "previous_message": before,
    })
}

#[tokio::test]
async fn an_unfurl_changes_nothing_and_an_edit_does() {
    let unfurled =
        with(said("a"), &json!({ "attachments": [{ "text": "p", "from_url": "https://example.com/" }] }));
    let Happening::Changed { after, before } = open(changed(said("a"), unfurled)).await.happening else {
        panic!("no change")
    };
    assert!(before.unwrap().body == after.body);

    let edited = with(said("b"), &json!({ "edited": { "ts": "1760000009.000000" } }));
    let Happening::Changed { after, before } = open(changed(said("a"), edited)).await.happening else {
        panic!("no change")
    };
    assert!(before.unwrap().body != after.body);
    assert!(after.version.is_some());

    // Recorded edits exist whose new state lacks its own `ts`.
    let mut nameless = said("b");
    nameless.as_object_mut().unwrap().remove("ts");
    let Happening::Changed { after, .. } = open(changed(said("a"), nameless)).await.happening else {
        panic!("no change")
    };
    assert_eq!(after.id.as_str(), "1760000000.000100");
}

#[tokio::test]
async fn deletions_in_both_forms() {
    let tombstone =
        json!({ "subtype": "tombstone", "ts": "1760000000.000100", "user": "USLACKBOT", "hidden": true });
    let gone = open(changed(said("a"), tombstone)).await.happening;
    assert!(matches!(gone, Happening::Deleted { message, .. } if message.as_str() == "1760000000.000100"));

    let deleted = json!({
        "type": "message", "subtype": "message_deleted", "channel": "CROOM", "hidden": true,
        "deleted_ts": "1760000003.000100", "ts": "1760000010.000100",
        "previous_message": { "ts": "1760000003.000100", "thread_ts": "1760000000.000100" },
    });
    let Happening::Deleted { message, thread_root } = open(deleted).await.happening else {
        panic!("no deletion")
    };
    assert_eq!(message.as_str(), "1760000003.000100");
    assert_eq!(thread_root.unwrap().as_str(), "1760000000.000100");

    let bare = json!({
        "type": "message", "subtype": "message_deleted", "channel": "CROOM", "deleted_ts": "1760000003.000100",
    });
    assert!(matches!(open(bare).await.happening, Happening::Deleted { .. }));
}

#[tokio::test]
async fn reactions_but_not_our_own() {
    let reaction = |user: &str, name: &str, kind: &str| {
        json!({
            "type": kind, "user": user, "reaction": name, "event_ts": "1760000001.000100",
            "item": { "type": "message", "channel": "CROOM", "ts": "1760000000.000100" },
        })
    };
    let event = open(reaction("UANA", "+1::skin-tone-4", "reaction_added")).await;
    assert_eq!(event.conversation.unwrap().as_str(), "CROOM");
    let Happening::ReactionAdded { message, by, emoji } = event.happening else { panic!("no reaction") };
    assert_eq!((message.as_str(), by.as_str()), ("1760000000.000100", "UANA"));
    assert!(emoji == Emoji::Unicode("\u{1f44d}\u{1f3fd}".to_owned()));
    let custom = open(reaction("UANA", "party-blob", "reaction_removed")).await.happening;
    assert!(
        matches!(custom, Happening::ReactionRemoved { emoji: Emoji::Custom { name, .. }, .. } if name == "party-blob")
    );
    let own = open(reaction("UBOT", "tada", "reaction_added")).await.happening;
    assert!(matches!(own, Happening::Ignored(code) if code == codes::ECHO));
}

#[tokio::test]
async fn what_happens_to_conversations_and_installations() {
    let debug = async |inner: Value| match open(inner).await.happening {
        Happening::Control(control) => format!("{control:?}"),
        Happening::Notice(notice) => format!("{:?} {:?}", notice.kind, notice.text),
        Happening::Ignored(code) => format!("{code}"),
        _ => "something else".to_owned(),
    };
    for (inner, expected) in [
        (json!({ "type": "member_joined_channel", "user": "UBOT", "channel": "CROOM" }), "Admitted"),
        (json!({ "type": "member_left_channel", "user": "UBOT", "channel": "CROOM" }), "Expelled"),
        (json!({ "type": "member_joined_channel", "user": "UANA", "channel": "CROOM" }), "Joined"),
        (json!({ "type": "group_left", "channel": "CROOM" }), "Expelled"),
        (json!({ "type": "channel_archive", "channel": "CROOM", "user": "UANA" }), "Archived"),
        (json!({ "type": "channel_unarchive", "channel": "CROOM", "user": "UANA" }), "Admitted"),
        (
            json!({ "type": "channel_rename", "channel": { "id": "CROOM", "name": "den" } }),
            "Renamed Some(\"den\")",
        ),
        (json!({ "type": "channel_id_changed", "old_channel_id": "GA", "new_channel_id": "CB" }), "Moved"),
        (json!({ "type": "channel_shared", "channel": "CROOM" }), "external: true"),
        (
            json!({ "type": "channel_unshared", "channel": "CROOM", "is_ext_shared": false }),
            "external: false",
        ),
        (
            json!({ "type": "user_change", "user": { "id": "UANA", "name": "ana" } }),
            "PersonChanged { user: RemoteUser(UANA)",
        ),
        (json!({ "type": "app_uninstalled" }), "SignedOut"),
        (json!({ "type": "tokens_revoked", "tokens": { "bot": ["UBOT"], "oauth": [] } }), "SignedOut"),
        (json!({ "type": "tokens_revoked", "tokens": { "oauth": ["UANA"] } }), "Several([PersonChanged"),
        (
            json!({ "type": "message", "subtype": "channel_topic", "channel": "CROOM", "topic": "tea", "text": "set" }),
            "Topic Some(\"tea\")",
        ),
        (json!({ "type": "message", "subtype": "huddle_thread", "channel": "CROOM", "ts": "1.0" }), "Call"),
        (json!({ "type": "unheard_of" }), codes::KIND.as_str()),
    ] {
        let found = debug(inner.clone()).await;
        assert!(found.contains(expected), "{inner}: {found}");
    }
}

#[tokio::test]
async fn payloads_that_make_no_sense_are_malformed_and_carry_no_content() {
    for payload in ["", "{", "null", "{\"type\":\"event_callback\"}", "{\"event\":{\"type\":\"message\"}}"] {
        let failed = offline().open(&session(), "events", &Content::copied_from(payload.as_bytes())).await;
        assert_eq!(failed.err(), Some(Failure::Malformed(codes::MALFORMED)), "{payload}");
    }
    let failed =
        try_open(json!({ "type": "message", "text": "secret words", "user": 7 })).await.err().unwrap();
    assert!(!format!("{failed:?} {failed}").contains("secret"));
}
