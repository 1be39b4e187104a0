//! Channels, members, people, pins, bookmarks.

use http::Method;
use serde_json::{Value, json};

use super::bench::*;

#[tokio::test]
async fn channels_are_listed_and_looked_up() {
    let bench = Bench::new().await;
    let list = bench.get(&format!("/chat/users/{IMANI}/channels?page_size=2")).await;
    assert_eq!((list["channels"].as_array().unwrap().len(), &list["total_records"]), (2, &json!(3)));
    let token = list["next_page_token"].as_str().unwrap();
    let rest = bench.get(&format!("/chat/users/{IMANI}/channels?page_size=2&next_page_token={token}")).await;
    assert_eq!((rest["channels"].as_array().unwrap().len(), &rest["next_page_token"]), (1, &json!("")));
    let wrong = bench.call(Method::GET, "/chat/channels?page_size=2&next_page_token=x", Value::Null).await;
    assert_eq!(code(&wrong), (400, 300));
    let one = bench.get(&format!("/chat/channels/{GENERAL}")).await;
    assert_eq!((&one["name"], &one["type"]), (&json!("General"), &json!(3)));
    assert_eq!(one["jid"], format!("{GENERAL}@conference.xmpp.zoom.us"));
    assert_eq!(one["channel_settings"]["posting_permissions"], 1);
    assert_eq!(bench.get("/chat/channels").await["channels"].as_array().unwrap().len(), 3);
    let hidden = format!("/chat/users/{RUI}/channels/{BACKROOM}");
    assert_eq!(code(&bench.call(Method::GET, &hidden, Value::Null).await), (404, 4_130));
    bench.done().await;
}

#[tokio::test]
async fn channels_are_made_renamed_and_deleted_with_events() {
    let bench = Bench::new().await;
    let path = format!("/chat/users/{THEO}/channels");
    let body = json!({"name": "Spring", "type": 1, "members": [{"email": "imani.okoye@kestrel-outfitters.example"}]});
    let (status, made) = bench.call(Method::POST, &path, body.clone()).await;
    assert_eq!(status, 201);
    let id = made["id"].as_str().unwrap().to_owned();
    let created = bench.app.event("chat_channel.created").await;
    let object = &created["payload"]["object"];
    assert_eq!((&object["id"], object["members"].as_array().unwrap().len()), (&json!(id), 2));
    assert_eq!(object["members"][0]["display_name"], "Theo Lindqvist", "one of the few names in events");
    assert_eq!(bench.call(Method::POST, &path, body).await.1["message"], "The channel name already exists.");
    let long = json!({"name": "x".repeat(257), "type": 1});
    assert_eq!(code(&bench.call(Method::POST, &path, long).await), (400, 300));
    let channel = format!("{path}/{id}");
    assert_eq!(bench.call(Method::PATCH, &channel, json!({"name": "Summer"})).await.0, 204);
    assert_eq!(bench.app.event("chat_channel.updated").await["payload"]["object"]["name"], "Summer");
    let other = format!("/chat/users/{IMANI}/channels/{id}");
    assert_eq!(code(&bench.call(Method::PATCH, &other, json!({"name": "Mine"})).await), (403, 200));
    assert_eq!(code(&bench.call(Method::DELETE, &other, Value::Null).await), (400, 200));
    assert_eq!(bench.call(Method::DELETE, &channel, Value::Null).await.0, 204);
    bench.app.event("chat_channel.deleted").await;
    bench.done().await;
    let mut config = config();
    config.doubts.created_lacks_id = true;
    let bench = Bench::with(config).await;
    bench.sim.create_channel(THEO, "New", false).unwrap();
    assert!(bench.app.event("chat_channel.created").await["payload"]["object"].get("id").is_none());
    bench.done().await;
}

#[tokio::test]
async fn members_come_and_go_with_events() {
    let bench = Bench::new().await;
    let path = format!("/chat/users/{THEO}/channels/{BACKROOM}/members");
    let body = json!({"members": [{"email": "rui.carvalho@kestrel-outfitters.example"}]});
    let (status, added) = bench.call(Method::POST, &path, body.clone()).await;
    assert_eq!((status, &added["ids"]), (201, &json!(RUI)));
    let invited = bench.app.event("chat_channel.member_invited").await;
    assert_eq!(invited["payload"]["object"]["members"][0]["display_name"], "Rui Carvalho");
    assert_eq!(bench.call(Method::POST, &path, body).await.1["ids"], "", "already there");
    let six = json!({"members": vec![json!({"email": "x@y.example"}); 6]});
    assert_eq!(code(&bench.call(Method::POST, &path, six).await), (400, 300));
    let own = format!("/chat/users/{IMANI}/channels/{BACKROOM}/members");
    let bridge = json!({"members": [{"email": "dragoman.bridge@kestrel-outfitters.example"}]});
    assert_eq!(code(&bench.call(Method::POST, &own, bridge).await), (400, 200), "not hers to open");
    let members = bench.get(&path).await;
    let roles: Vec<&str> =
        members["members"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["owner", "member", "member"]);
    assert_eq!(bench.call(Method::DELETE, &format!("{path}/{RUI}"), Value::Null).await.0, 204);
    bench.app.event("chat_channel.member_removed").await;
    assert_eq!(code(&bench.call(Method::DELETE, &format!("{path}/{RUI}"), Value::Null).await), (400, 5_301));
    bench.sim.leave(IMANI, GENERAL, None).unwrap();
    bench.app.event("chat_channel.member_left").await;
    bench.sim.join(IMANI, GENERAL, None).unwrap();
    bench.app.event("chat_channel.member_joined").await;
    bench.sim.join(RUI, BACKROOM, None).unwrap_err();
    bench.done().await;
}

#[tokio::test]
async fn channels_are_archived_and_opened_again() {
    let bench = Bench::new().await;
    let order = |method: &str, id: &str| json!({"method": method, "channel_ids": [id]});
    let (status, done) = bench.call(Method::PATCH, "/chat/channels/events", order("archive", GENERAL)).await;
    assert_eq!((status, &done["failed_channels"]), (200, &json!([])));
    assert_eq!(bench.app.event("team_chat.channel_archived").await["payload"]["object"]["id"], GENERAL);
    let (_, failed) = bench.call(Method::PATCH, "/chat/channels/events", order("archive", "none")).await;
    assert_eq!(failed["failed_channels"][0]["error_code"], "4130");
    bench.call(Method::PATCH, "/chat/channels/events", order("unarchive", GENERAL)).await;
    bench.app.event("team_chat.channel_unarchived").await;
    bench.done().await;
}

#[tokio::test]
async fn channels_are_searched_for() {
    let mut config = config();
    config.apps[0].scopes.push("team_chat:write:search_channels:admin".to_owned());
    let bench = Bench::with(config).await;
    let search = |needle: Value| json!({"needle": needle, "haystack": "all"});
    let words = search(json!({"search_type": "by_channel_name", "keywords": ["gene"]}));
    let (_, found) = bench.call(Method::POST, "/chat/channels/search", words).await;
    assert_eq!(
        (&found["channels"][0]["id"], &found["channels"][0]["member_count"]),
        (&json!(GENERAL), &json!(4))
    );
    let exact = search(json!({"search_type": "by_channel_name_exact_match", "channel_name": "Launch"}));
    let (_, found) = bench.call(Method::POST, "/chat/channels/search", exact).await;
    assert_eq!(found["channels"].as_array().unwrap().len(), 1);
    bench.done().await;
}

#[tokio::test]
async fn people_are_looked_up() {
    let bench = Bench::with(config().with_outsider()).await;
    bench
        .sim
        .change_person(THEO, |person| person.picture = Some("https://pictures.example/theo.png".to_owned()))
        .unwrap();
    let theo = bench.get(&format!("/users/{THEO}")).await;
    assert_eq!((&theo["display_name"], &theo["account_id"]), (&json!("Theo Lindqvist"), &json!(KESTREL)));
    assert_eq!(theo["jid"], format!("{}@xmpp.zoom.us", THEO.to_lowercase()));
    assert_eq!(theo["pic_url"], "https://pictures.example/theo.png");
    let by_mail = bench.get("/users/imani.okoye@kestrel-outfitters.example").await;
    assert!(by_mail["id"] == IMANI && by_mail.get("pic_url").is_none());
    assert_eq!(code(&bench.call(Method::GET, &format!("/users/{SOLVEIG}"), Value::Null).await), (404, 1_001));
    assert_eq!(bench.get("/users").await["total_records"], 4);
    bench.done().await;
}

#[tokio::test]
async fn strangers_are_contacts_or_unknown() {
    let bench = Bench::with(config().with_outsider()).await;
    assert_eq!(bench.post(json!({"message": "hi", "to_contact": SOLVEIG})).await.0, 201);
    let from = format!("/chat/users/{RUI}/messages");
    let refused = bench.call(Method::POST, &from, json!({"message": "hi", "to_contact": SOLVEIG})).await;
    assert_eq!(code(&refused), (404, 1_001));
    bench.done().await;
}

#[tokio::test]
async fn messages_are_pinned_starred_and_bookmarked() {
    let mut config = config();
    let more = [
        "team_chat:update:pin_message:admin",
        "team_chat:read:list_pinned_messages:admin",
        "team_chat:update:bookmark:admin",
        "team_chat:read:list_bookmarks:admin",
        "team_chat:update:chat_control:admin",
    ];
    config.apps[0].scopes.extend(more.map(str::to_owned));
    config.apps[0].subscriptions[0].events.push("team_chat.channel_pin_added".to_owned());
    let bench = Bench::with(config).await;
    let id = bench.say("keep this").await;
    let order = |method: &str| json!({"method": method, "message_id": id, "channel_id": GENERAL});
    let pin =
        async |method: &str| bench.call(Method::PATCH, "/chat/channel/message/events", order(method)).await;
    assert_eq!(code(&pin("unpin").await), (400, 3_217));
    assert_eq!(pin("pin").await.0, 204);
    assert_eq!(code(&pin("pin").await), (400, 3_216));
    assert_eq!(
        bench.app.event("team_chat.channel_pin_added").await["payload"]["object"]["message"],
        "keep this"
    );
    assert_eq!(bench.get(&format!("/chat/channels/{GENERAL}/pinned")).await["messages"][0]["message_id"], id);
    assert_eq!(pin("unpin").await.0, 204);
    bench.sim.change_state(|state| state.accounts[KESTREL].cloud_storage = false);
    assert_eq!(pin("pin").await.0, 204);
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.channel_pin_added"), 1, "no such event without cloud storage");
    let path = format!("/chat/messages/bookmarks?message_id={id}");
    let mark = json!({"action": "add_bookmark", "to_channel": GENERAL});
    assert_eq!(bench.call(Method::PATCH, &path, mark).await.0, 204);
    assert_eq!(bench.get("/chat/messages/bookmarks").await["bookmarks"][0]["message"], "keep this");
    let star = json!({"method": "star", "params": {"target_id": GENERAL, "target_type": "channel"}});
    assert_eq!(bench.call(Method::PATCH, &format!("/chat/users/{THEO}/events"), star).await.0, 204);
    bench.done().await;
}
