//! Decoding: activities, notifications, what Graph has to complete, people.

use dragoman_markup::plain;
use dragoman_model::codes::ECHO;
use dragoman_model::{AuthorKind, Control, Emoji, Event, Happening, Inline, Mention, NoticeKind, Version};
use dragoman_platform::{Connector as _, Failure};
use serde_json::{Value, json};

use crate::door::{batch, client_state, resource, rich, validation_claims};
use crate::fake::Reply;
use crate::support::{
    ANA, APP, CHAT, LOGIN_KEY, MESSAGE, ROOM, TEAM, TEAM_19, TENANT, World, activity, chat_message, html,
    posted,
};

#[tokio::test]
async fn the_rich_body_and_the_directory_ids_of_mentions_are_taken() {
    let world = World::start(|call| {
        call.path
            .ends_with("/members/29%3Abo")
            .then(|| json!({ "id": "29:bo", "aadObjectId": "oid-bo", "name": "Bo" }).into())
    })
    .await;
    let body = activity(
        &world,
        "message",
        &json!({
            "text": "<at>Bo</at> so <b>loud</b>",
            "attachments": html("<p><span itemtype=\"http://schema.skype.com/Mention\" itemscope itemid=\"0\">Bo</span>&nbsp;so <strong>loud</strong></p>"),
            "entities": [
                { "type": "clientInfo", "locale": "en-US" },
                { "type": "mention", "text": "<at>Bo</at>", "mentioned": { "id": "29:bo", "name": "Bo" } },
            ],
        }),
    );
    let message = posted(world.event(&body).await);
    assert_eq!(plain(&message.body), "@Bo so loud");
    let mut mentioned = Vec::new();
    message.body.visit_inlines(&mut |inline| {
        if let Inline::Mention(Mention::Person { id, .. }) = inline {
            mentioned.push(id.as_str().to_owned());
        }
    });
    assert_eq!(mentioned, ["oid-bo"]);
    assert_eq!(message.author.user.as_ref().unwrap().as_str(), ANA);
    assert_eq!(
        (message.author.kind, message.author.name.as_deref()),
        (AuthorKind::Person, Some("Ana Sample"))
    );
    assert_eq!((message.version, message.origin.ours), (Some(Version(1_768_039_199_000)), false));
    // Asked once, remembered then.
    world.fake.calls();
    world.event(&body).await;
    assert!(world.fake.calls().is_empty());
}

#[tokio::test]
async fn plain_text_is_not_markup_but_for_its_mentions() {
    let world = World::quiet().await;
    let body = activity(
        &world,
        "message",
        &json!({
            "text": "1 < 2 & <at>Room</at> <at>typed</at>",
            "entities": [{ "type": "mention", "text": "<at>Room</at>", "mentioned": { "id": ROOM, "name": "Room" } }],
        }),
    );
    let message = posted(world.event(&body).await);
    assert!(plain(&message.body).starts_with("1 < 2 & @"), "{}", plain(&message.body));
    let mut everyone = 0;
    message.body.visit_inlines(&mut |inline| everyone += usize::from(matches!(inline, Inline::Mention(_))));
    assert_eq!(everyone, 1, "what somebody typed mentions nobody");
}

#[tokio::test]
async fn a_message_with_files_is_completed_by_graph() {
    let world = World::start(|call| {
        let wanted = format!("/v1.0/teams/{TEAM}/channels/19%3Aroom%40thread.tacv2/messages/{MESSAGE}");
        (call.path == wanted).then(|| {
            let mut message = chat_message(MESSAGE, "<p>look</p><attachment id=\"f1\"></attachment>");
            message["attachments"] = json!([{ "id": "f1", "contentType": "reference", "name": "plan.pdf", "contentUrl": "https://files.example/plan.pdf" }]);
            message["subject"] = json!("Plans");
            message.into()
        })
    })
    .await;
    let body = activity(
        &world,
        "message",
        &json!({ "attachments": html("<p>look</p><attachment id=\"f1\"></attachment>") }),
    );
    let message = posted(world.event(&body).await);
    assert_eq!(plain(&message.body), "Plans\nlook");
    assert_eq!(
        (message.files[0].name.as_str(), message.files[0].permalink.as_deref()),
        ("plan.pdf", Some("https://files.example/plan.pdf"))
    );
}

#[tokio::test]
async fn pasted_pictures_are_those_of_graph_where_it_tells_and_else_those_of_the_bot() {
    let shown = format!("https://graph.microsoft.com/v1.0/x/messages/{MESSAGE}/hostedContents/h1/$value");
    let src = shown.clone();
    let world = World::start(move |call| {
        let wanted = format!("/v1.0/teams/{TEAM}/channels/19%3Aroom%40thread.tacv2/messages/{MESSAGE}");
        let content = format!("<p>look <img src=\"{src}\" alt=\"image\"></p>");
        (call.path == wanted).then(|| chat_message(MESSAGE, &content).into())
    })
    .await;
    let mut attachments = html("<p>look</p>");
    let address = "https://smba.trafficmanager.net/teams/v3/attachments/a1/views/original";
    let picture = json!({ "contentType": "image/*", "contentUrl": address });
    attachments.as_array_mut().unwrap().insert(0, picture);
    let body = activity(&world, "message", &json!({ "attachments": attachments }));
    let message = posted(world.event(&body).await);
    assert_eq!(message.files.iter().map(|file| &*file.id).collect::<Vec<_>>(), [shown]);

    let world = World::start(|call| call.path.starts_with("/v1.0/").then(|| Reply::error(403, "No"))).await;
    let body = activity(&world, "message", &json!({ "attachments": attachments }));
    let message = posted(world.event(&body).await);
    assert_eq!(message.files.iter().map(|file| &*file.id).collect::<Vec<_>>(), [address]);
}

#[tokio::test]
async fn addresses_that_authors_write_are_no_files() {
    let members = "https://smba.trafficmanager.net/teams/v3/conversations/x/members";
    let sent = format!("guid sent:{ANA}");
    let shown = ["guid", members, "a download:https://files.example/secret", sent.as_str()]
        .map(|id| json!({ "id": id, "contentType": "reference", "name": id, "contentUrl": members }));
    let picture = format!(
        "<p>look <img src=\"{members}?x=/hostedContents/a/$value\" alt=\"image\">\
         <img src=\"a download:https://files.example/secret/hostedContents/x/$value\"></p>"
    );
    let world = World::start(move |call| {
        let mut message = chat_message(MESSAGE, &picture);
        message["attachments"] = json!(shown);
        call.path.ends_with(&format!("/messages/{MESSAGE}")).then(|| message.into())
    })
    .await;
    let message =
        world.connector.message(&world.session(), &world.room(), None, &MESSAGE.into()).await.unwrap();
    let ids: Vec<String> = message.unwrap().files.into_iter().map(|file| file.id).collect();
    assert_eq!(ids, ["guid"]);
}

/// What reached the bot is read from Graph when it is edited, or after a loss: a file is the same one then.
#[tokio::test]
async fn a_file_sent_to_the_bot_is_the_same_in_graph() {
    const GUID: &str = "7d1f0c3a-2b5e-4c11-9f60-aa55bb66cc77";
    let world = World::start(|call| {
        let mut message = chat_message(MESSAGE, &format!("<attachment id=\"{GUID}\"></attachment>"));
        message["chatId"] = json!(CHAT);
        message["attachments"] = json!([{ "id": GUID, "contentType": "reference", "name": "plan.txt",
            "contentUrl": "https://t-my.sharepoint.com/personal/ana/plan.txt" }]);
        call.path.ends_with(&format!("/messages/{MESSAGE}")).then(|| message.into())
    })
    .await;
    let sent = json!([{ "contentType": "application/vnd.microsoft.teams.file.download.info", "name": "plan.txt",
        "contentUrl": "https://t-my.sharepoint.com/personal/ana/plan.txt",
        "content": { "downloadUrl": "https://files.example/secret", "uniqueId": GUID.to_uppercase(), "fileType": "txt" } },
        { "contentType": "text/html", "content": "<p></p>" }]);
    let told =
        posted(world.event(&activity(&world, "message", &json!({ "attachments": sent, "text": "" }))).await);
    let read = world
        .connector
        .message(&world.session(), &world.chat(), None, &MESSAGE.into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(told.files[0].identity(), GUID);
    assert_eq!(read.files[0].identity(), GUID);
    assert_ne!(told.files[0].id, read.files[0].id);
}

#[tokio::test]
async fn files_wait_for_graph_when_it_stumbles_and_go_without_when_it_refuses() {
    for (status, waits) in [(503, true), (429, true), (403, false)] {
        let world =
            World::start(move |call| call.path.starts_with("/v1.0/").then(|| Reply::error(status, "No")))
                .await;
        let body = activity(
            &world,
            "message",
            &json!({ "attachments": html("<p>look</p><attachment id=\"f1\"></attachment>") }),
        );
        let delivery = world.receive(&world.signed(&body)).await.unwrap();
        let item = &delivery.items[0];
        let event = world.connector.open(&world.session(), item.feed, &item.payload).await;
        match event {
            Ok(event) => {
                assert!(!waits, "{status}");
                assert_eq!(plain(&posted(event).body), "look");
            }
            Err(failure) => assert!(waits && matches!(failure, Failure::Retry { .. }), "{status}"),
        }
    }
}

#[tokio::test]
async fn an_edit_has_the_version_of_graph_or_else_of_its_activity() {
    let edited = |world: &World| {
        activity(
            world,
            "messageUpdate",
            &json!({
                "timestamp": "2026-01-10T09:59:59.9Z", "text": "new", "attachments": html("<p>new</p>"),
                "channelData": { "eventType": "editMessage", "team": { "id": TEAM_19 }, "channel": { "id": ROOM }, "tenant": { "id": TENANT } },
            }),
        )
    };
    let world = World::start(|call| {
        call.path.starts_with("/v1.0/teams").then(|| {
            let mut message = chat_message(MESSAGE, "<p>new</p>");
            message["lastEditedDateTime"] = json!("2026-01-10T09:59:59.85Z");
            message.into()
        })
    })
    .await;
    assert_eq!(posted(world.event(&edited(&world)).await).version, Some(Version(1_768_039_199_850)));
    let alone =
        World::start(|call| call.path.starts_with("/v1.0/").then(|| Reply::error(403, "Forbidden"))).await;
    let event = alone.event(&edited(&alone)).await;
    assert!(matches!(event.happening, Happening::Changed { .. }));
    let message = posted(event);
    assert_eq!((message.version, plain(&message.body).as_str()), (Some(Version(1_768_039_199_900)), "new"));
    // An edit that tells no text must not blank the copies.
    let empty = activity(&alone, "messageUpdate", &json!({}));
    assert!(matches!(alone.event(&empty).await.happening, Happening::Ignored(_)));
}

#[tokio::test]
async fn deletions_and_reactions_of_the_bot_feed() {
    let world = World::quiet().await;
    let event = world.event(&activity(&world, "messageDelete", &json!({}))).await;
    assert!(
        matches!(event.happening, Happening::Deleted { message, thread_root: None } if message.as_str() == MESSAGE)
    );
    let added = json!({ "replyToId": MESSAGE, "reactionsAdded": [{ "type": "like" }] });
    let event = world.event(&activity(&world, "messageReaction", &added)).await;
    let Happening::ReactionAdded { message, by, emoji: Emoji::Unicode(emoji) } = event.happening else {
        panic!()
    };
    assert_eq!((message.as_str(), by.as_str(), emoji.as_str()), (MESSAGE, ANA, "\u{1f44d}"));
    let removed = json!({ "replyToId": MESSAGE, "reactionsRemoved": [{ "type": "1f440_eyes" }] });
    let event = world.event(&activity(&world, "messageReaction", &removed)).await;
    assert!(
        matches!(event.happening, Happening::ReactionRemoved { emoji: Emoji::Unicode(e), .. } if e == "\u{1f440}")
    );
}

fn controls(event: Event) -> Vec<Control> {
    match event.happening {
        Happening::Control(Control::Several(controls)) => controls,
        Happening::Control(control) => vec![control],
        _ => panic!("no control"),
    }
}

#[tokio::test]
async fn coming_into_a_team_admits_its_channels_and_keeps_addresses() {
    let world = World::start(|call| {
        call.path
            .ends_with("/conversations")
            .then(|| json!({ "conversations": [{ "id": TEAM_19 }, { "id": ROOM, "name": "room" }] }).into())
    })
    .await;
    let data = json!({
        "eventType": "teamMemberAdded", "tenant": { "id": TENANT },
        "team": { "id": TEAM_19, "aadGroupId": TEAM, "name": "Team" },
        "settings": { "selectedChannel": { "id": TEAM_19 } },
    });
    let conversation = json!({ "id": TEAM_19, "conversationType": "channel", "tenantId": TENANT });
    let body = activity(
        &world,
        "conversationUpdate",
        &json!({
            "membersAdded": [{ "id": format!("28:{APP}") }], "channelData": data, "conversation": conversation,
        }),
    );
    let controls = controls(world.event(&body).await);
    let admitted: Vec<&str> = controls
        .iter()
        .filter_map(|control| match control {
            Control::Admitted { conversation } => Some(conversation.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(admitted, [TEAM_19, ROOM]);
    let fact = |about: Option<&str>, wanted: &str| {
        controls.iter().find_map(|control| match control {
            Control::Fact { conversation, key, value }
                if conversation.as_ref().map(dragoman_model::RemoteConversation::as_str) == about
                    && key == wanted =>
            {
                Some(value.clone())
            }
            _ => None,
        })
    };
    assert_eq!(fact(Some(ROOM), "team_guid").as_deref(), Some(TEAM));
    assert_eq!(fact(Some(ROOM), "service_url"), Some(world.service_url()));
    assert_eq!(fact(None, &format!("team:{TEAM_19}")).as_deref(), Some(TEAM));
}

#[tokio::test]
async fn conversation_updates_by_kind() {
    let world = World::quiet().await;
    let update = |more: Value, data: Value| {
        let mut all = json!({ "tenant": { "id": TENANT }, "team": { "id": TEAM_19 }, "channel": { "id": ROOM, "name": "New name" } });
        for (key, value) in data.as_object().unwrap() {
            all[key] = value.clone();
        }
        let mut body = activity(&world, "conversationUpdate", &more);
        body["channelData"] = all;
        body
    };
    let renamed = world.event(&update(json!({}), json!({ "eventType": "channelRenamed" }))).await;
    assert!(
        matches!(renamed.happening, Happening::Notice(notice) if notice.kind == NoticeKind::Renamed && notice.text.as_deref() == Some("New name"))
    );
    for (name, kind) in [("teamarchived", NoticeKind::Archived), ("teamUnarchived", NoticeKind::Unarchived)] {
        let event = world.event(&update(json!({}), json!({ "eventType": name }))).await;
        assert!(matches!(event.happening, Happening::Notice(notice) if notice.kind == kind), "{name}");
    }
    let joined = json!({ "membersAdded": [{ "id": "29:bo", "aadObjectId": "oid-bo" }] });
    let event = world.event(&update(joined, json!({ "eventType": "teamMemberAdded" }))).await;
    assert!(
        matches!(event.happening, Happening::Notice(notice) if notice.kind == NoticeKind::Joined && notice.people[0].as_str() == "oid-bo")
    );
    for (name, external) in [("channelShared", true), ("channelUnshared", false)] {
        let event = world.event(&update(json!({}), json!({ "eventType": name }))).await;
        assert!(
            matches!(&controls(event)[..], [Control::Shared { external: is, .. }] if *is == external),
            "{name}"
        );
    }
    let gone = world.event(&update(json!({}), json!({ "eventType": "channelDeleted" }))).await;
    assert!(
        matches!(&controls(gone)[..], [Control::Expelled { conversation }] if conversation.as_str() == ROOM)
    );
    let removed = json!({ "membersRemoved": [{ "id": format!("28:{APP}") }] });
    let expelled = controls(world.event(&update(removed, json!({ "eventType": "teamMemberRemoved" }))).await);
    assert!(expelled.iter().any(
        |control| matches!(control, Control::Expelled { conversation } if conversation.as_str() == ROOM)
    ));
}

async fn notified(world: &World, change: &str, message: &Value) -> Event {
    let item = rich(change, message).await;
    let delivery = world.receive(&batch(&[item], &[LOGIN_KEY.sign(&validation_claims())])).await.unwrap();
    let item = &delivery.items[0];
    world.connector.open(&world.session(), item.feed, &item.payload).await.unwrap()
}

#[tokio::test]
async fn both_feeds_count_a_new_message_alike() {
    let world = World::quiet().await;
    let by_graph = posted(notified(&world, "created", &chat_message(MESSAGE, "<p>hi</p>")).await);
    let by_bot = posted(
        world
            .event(&activity(&world, "message", &json!({ "text": "hi", "attachments": html("<p>hi</p>") })))
            .await,
    );
    assert_eq!((by_graph.version, by_graph.sent_at_ms), (by_bot.version, by_bot.sent_at_ms));
    assert!(by_graph.body == by_bot.body && by_graph.author.user == by_bot.author.user);
}

#[tokio::test]
async fn content_decides_what_a_notification_means() {
    let world = World::quiet().await;
    let with = |changes: Value| {
        let mut message = chat_message(MESSAGE, "<p>hi</p>");
        for (key, value) in changes.as_object().unwrap() {
            message[key] = value.clone();
        }
        message
    };
    for gone in [
        json!({ "deletedDateTime": "2026-01-10T10:00:00Z", "body": { "contentType": "html", "content": "" } }),
        json!({ "policyViolation": { "dlpAction": "NotifySender,BlockAccess" } }),
        json!({ "policyViolation": { "dlpAction": "blockAccessExternal" } }),
    ] {
        for change in ["created", "updated", "deleted"] {
            let event = notified(&world, change, &with(gone.clone())).await;
            assert!(matches!(event.happening, Happening::Deleted { .. }), "{change} {gone}");
        }
    }
    // Readers may still read it.
    let warned =
        notified(&world, "updated", &with(json!({ "policyViolation": { "dlpAction": "NoneNotifySender" } })))
            .await;
    assert!(matches!(warned.happening, Happening::Changed { .. }));
    // A reaction moves lastModifiedDateTime alone: the version stays.
    let touched = notified(
        &world,
        "updated",
        &with(json!({ "lastModifiedDateTime": "2026-01-10T10:00:00Z", "etag": "9" })),
    )
    .await;
    assert_eq!(posted(touched).version, Some(Version(1_768_039_199_000)));
    let edited =
        notified(&world, "updated", &with(json!({ "lastEditedDateTime": "2026-01-10T10:00:00Z" }))).await;
    assert_eq!(posted(edited).version, Some(Version(1_768_039_200_000)));
    // Where the history names the reaction, it is one.
    let reaction = with(json!({
        "lastModifiedDateTime": "2026-01-10T10:00:00.5Z",
        "messageHistory": [{
            "modifiedDateTime": "2026-01-10T10:00:00.5Z", "actions": "reactionAdded",
            "reaction": { "reactionType": "heart", "user": { "user": { "id": "oid-bo" } } },
        }],
    }));
    let event = notified(&world, "updated", &reaction).await;
    assert!(matches!(event.happening, Happening::ReactionAdded { by, .. } if by.as_str() == "oid-bo"));
    // Read late, the history names all of them; what was taken back since, and our own, are no more.
    let entry = |at: u32, actions: &str, kind: &str, user: Value| {
        json!({
            "modifiedDateTime": format!("2026-01-10T09:59:{at:02}Z"), "actions": actions,
            "reaction": { "reactionType": kind, "user": user },
        })
    };
    let person = |id: &str| json!({ "user": { "id": id } });
    let several = with(json!({
        "lastModifiedDateTime": "2026-01-10T09:59:59Z",
        "messageHistory": [
            entry(51, "reactionAdded", "heart", person("oid-bo")),
            entry(52, "reactionAdded", "like", person("oid-cy")),
            entry(53, "reactionRemoved", "heart", person("oid-bo")),
            entry(59, "reactionAdded", "like", json!({ "application": { "id": APP } })),
        ],
    }));
    let event = notified(&world, "updated", &several).await;
    let Happening::Reactions { changes, .. } = event.happening else { panic!("not all of them") };
    let told: Vec<(&str, bool)> = changes.iter().map(|it| (it.by.as_str(), it.set)).collect();
    assert_eq!(told, [("oid-cy", true), ("oid-bo", false)]);
    let mut own = reaction.clone();
    own["messageHistory"][0]["reaction"]["user"] = json!({ "application": { "id": APP } });
    assert!(matches!(notified(&world, "updated", &own).await.happening, Happening::Ignored(ECHO)));
    // Our own post comes back.
    let own = notified(
        &world,
        "created",
        &with(json!({ "from": { "user": null, "application": { "id": APP, "displayName": "Bridge" } } })),
    )
    .await;
    assert!(posted(own).origin.ours);
    let other = posted(
        notified(
            &world,
            "created",
            &with(json!({ "from": { "application": { "id": "x", "displayName": "Other" } } })),
        )
        .await,
    );
    assert_eq!((other.origin.ours, other.author.kind), (false, AuthorKind::Bot));
    // System events.
    for (kind, notice) in [
        ("callStarted", Some(NoticeKind::Call)),
        ("channelDescriptionUpdated", Some(NoticeKind::Topic)),
        ("membersAdded", None),
        ("invented", None),
    ] {
        let system = with(json!({
            "messageType": "systemEventMessage", "from": null, "body": { "contentType": "html", "content": "<systemEventMessage/>" },
            "eventDetail": { "@odata.type": format!("#microsoft.graph.{kind}EventMessageDetail"), "channelDescription": "About" },
        }));
        match notified(&world, "created", &system).await.happening {
            Happening::Notice(found) => assert_eq!(Some(found.kind), notice, "{kind}"),
            Happening::Ignored(_) => assert!(notice.is_none(), "{kind}"),
            _ => panic!("{kind}"),
        }
    }
}

#[tokio::test]
async fn basic_notifications_are_read_and_missing_messages_are_deletions() {
    for (status, deleted) in [(200, false), (404, true)] {
        let world = World::start(move |call| {
            call.path.contains("/replies/").then(|| match status {
                200 => chat_message(MESSAGE, "<p>read</p>").into(),
                _ => Reply::error(404, "NotFound"),
            })
        })
        .await;
        let item = json!({
            "subscriptionId": "sub-1", "changeType": "Created", "tenantId": TENANT, "clientState": client_state(ROOM).await,
            "resource": format!("{}/replies('{MESSAGE}')", resource("1768039000000")),
        });
        let delivery = world.receive(&batch(&[item], &[])).await.unwrap();
        let item = &delivery.items[0];
        assert_eq!(item.thread_root.as_ref().unwrap().as_str(), "1768039000000");
        let event = world.connector.open(&world.session(), item.feed, &item.payload).await.unwrap();
        assert_eq!(matches!(event.happening, Happening::Deleted { .. }), deleted);
        assert_eq!(
            world.fake.lines(),
            [format!(
                "GET /v1.0/teams/{TEAM}/channels/19%3Aroom%40thread.tacv2/messages/1768039000000/replies/{MESSAGE}"
            )]
        );
    }
}

#[tokio::test]
async fn a_message_is_read_again_unless_it_is_gone() {
    let world = World::start(|call| {
        if call.path.ends_with("/5") {
            Some(chat_message("5", "<p>now</p>").into())
        } else {
            call.path.ends_with("/6").then(|| {
                let mut gone = chat_message("6", "");
                gone["deletedDateTime"] = json!("2026-01-10T10:00:00Z");
                gone.into()
            })
        }
    })
    .await;
    let session = world.session();
    let read =
        async |id: &str| world.connector.message(&session, &world.room(), None, &id.into()).await.unwrap();
    assert_eq!(plain(&read("5").await.unwrap().body), "now");
    assert!(read("6").await.is_none() && read("7").await.is_none());
}

#[tokio::test]
async fn people_are_known_by_the_roster_then_by_the_directory() {
    let world = World::start(|call| {
        let path = call.path.as_str();
        if path.ends_with(&format!("/members/{ANA}")) {
            Some(json!({ "id": "29:ana", "aadObjectId": ANA, "givenName": "Ana", "surname": "Sample", "email": "ana@example.com", "tenantId": TENANT, "userRole": "user" }).into())
        } else if path.starts_with("/v1.0/users/gone") {
            Some(Reply::error(404, "Request_ResourceNotFound"))
        } else if path.starts_with("/v1.0/users/left") {
            Some(json!({ "id": "left", "displayName": "Cy Left", "mail": null, "userPrincipalName": "cy@example.com", "accountEnabled": false, "userType": "Guest" }).into())
        } else if path.contains("pagedMembers") && !path.contains("continuationToken") {
            Some(json!({ "members": [{ "id": "29:x", "aadObjectId": "x", "email": "x@example.com" }], "continuationToken": "a/b" }).into())
        } else if path.contains("continuationToken=a%2Fb") {
            Some(json!({ "members": [{ "id": "29:bo", "aadObjectId": "oid-bo", "name": "Bo", "email": "Bo@Example.com" }] }).into())
        } else {
            None
        }
    })
    .await;
    let (session, room) = (world.session(), world.room());
    let profile = async |id: &str| world.connector.profile(&session, &room, &id.into()).await.unwrap();
    let ana = profile(ANA).await.unwrap();
    assert_eq!(
        (ana.name.as_str(), ana.email.as_deref(), ana.external),
        ("Ana Sample", Some("ana@example.com"), false)
    );
    let left = profile("left").await.unwrap();
    assert_eq!(
        (left.name.as_str(), left.email.as_deref(), left.deleted, left.external),
        ("Cy Left", Some("cy@example.com"), true, true)
    );
    assert!(profile("gone").await.is_none() && profile("29:nobody").await.is_none());
    let bo = world.connector.profile_by_email(&session, &room, "bo@example.com").await.unwrap().unwrap();
    assert_eq!(bo.user.as_str(), "oid-bo");
    assert!(world.connector.profile_by_email(&session, &room, "nobody@example.com").await.unwrap().is_none());
    // Chats are spelled with their own id.
    let chat = world.chat();
    world.fake.calls();
    let _ = world.connector.profile(&session, &chat, &"29:x".into()).await;
    assert_eq!(
        world.fake.lines(),
        [format!(
            "GET /svc/v3/conversations/{}/members/29%3Ax",
            CHAT.replace(':', "%3A").replace('@', "%40")
        )]
    );
}

#[tokio::test]
async fn payloads_of_any_bytes_get_an_answer() {
    let world = World::start(|_| Some(Reply(200, None, "[{]".to_owned()))).await;
    let genuine = activity(
        &world,
        "message",
        &json!({ "text": "x", "attachments": html("<p>x</p><attachment id=\"1\">") }),
    )
    .to_string();
    let mut payloads: Vec<Vec<u8>> =
        (0..genuine.len()).map(|end| genuine.as_bytes()[..end].to_vec()).collect();
    payloads.extend(
        ["null", "[]", "{}", "7", "{\"type\":\"message\"}", "{\"resource\":\"chats('x')/messages('y')\"}"]
            .map(|it| it.as_bytes().to_vec()),
    );
    payloads.push(b"[".repeat(100_000));
    payloads.push(vec![0xff, 0xfe, 0]);
    let session = world.session();
    for feed in ["bot", "graph", "lifecycle", "other"] {
        for payload in &payloads {
            let payload = dragoman_seal::Content::copied_from(payload);
            // Whatever it says: it returns, and nothing panics.
            let opened = world.connector.open(&session, feed, &payload).await;
            assert!(feed != "other" || opened.is_err());
        }
    }
}
