//! The chat page and its endpoints.

use http::Method;
use serde_json::{Value, json};

use super::bench::*;

async fn act(bench: &Bench, body: Value) -> Value {
    let headers = [("content-type", "application/json")];
    let answer = bench.send(Method::POST, "/_sim/zoom/act", &headers, body.to_string().as_bytes()).await;
    serde_json::from_slice(&answer.body).unwrap()
}

async fn read(bench: &Bench, path: &str) -> Value {
    serde_json::from_slice(&bench.send(Method::GET, path, &[], b"").await.body).unwrap()
}

#[tokio::test]
async fn the_page_brings_everything_itself_and_has_its_hooks() {
    let bench = Bench::new().await;
    let mut all = String::new();
    for path in ["/", "/page.css", "/page.js", "/draw.js", "/_sim/chat.css", "/_sim/chat.js"] {
        let answer = bench.send(Method::GET, path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.headers.get("x-frame-options").is_none(), "it can be embedded");
        all.push_str(&String::from_utf8_lossy(&answer.body));
    }
    let hooks = [
        "channel",
        "message",
        "message-text",
        "author",
        "composer",
        "send",
        "edit",
        "delete",
        "reply",
        "thread",
        "thread-composer",
        "thread-send",
    ];
    for hook in hooks {
        assert!(all.contains(&format!("\"{hook}\"")), "no data-test={hook}");
    }
    let outside = all.replace("http://www.w3.org/2000/svg", "");
    assert!(
        !outside.contains("http://") && !outside.contains("https://"),
        "nothing is fetched from elsewhere"
    );
    let avatar = bench.send(Method::GET, &format!("/avatars/{THEO}.svg"), &[], b"").await;
    assert!(String::from_utf8_lossy(&avatar.body).contains("TL"));
    bench.done().await;
}

#[tokio::test]
async fn actions_of_the_page_are_those_of_people() {
    let bench = Bench::with(config().with_outsider()).await;
    let text = "**hi** @Imani Okoye";
    let posted = act(&bench, json!({"action": "post", "user": THEO, "room": GENERAL, "text": text})).await;
    let id = posted["result"].as_str().unwrap().to_owned();
    let event = bench.app.event("team_chat.channel_message_posted").await;
    assert_eq!(event["payload"]["object"]["message_id"], id);
    assert_eq!(event["payload"]["object"]["rich_text"][0]["format_type"], "Bold");
    let change = json!({"action": "edit", "user": THEO, "room": GENERAL, "id": id, "text": "_hi_"});
    assert_eq!(act(&bench, change).await["ok"], true);
    let react = json!({"action": "react", "user": IMANI, "room": GENERAL, "id": id, "emoji": "👍"});
    assert_eq!(act(&bench, react).await["ok"], true);
    let reply = json!({"action": "post", "user": RUI, "room": GENERAL, "text": "yes", "root": id});
    assert_eq!(act(&bench, reply).await["ok"], true);
    let shown = read(&bench, &format!("/_sim/zoom/messages?room={GENERAL}&user={THEO}")).await;
    let first = &shown["messages"][0];
    assert_eq!((&first["edited"], &first["ranges"][0]["kind"]), (&json!(true), &json!("Italic")));
    assert_eq!(first["emoji"][0], json!({"emoji": "👍", "users": [IMANI]}));
    assert_eq!(shown["messages"][1]["root"], id);
    let foreign = json!({"action": "delete", "user": RUI, "room": GENERAL, "id": id});
    assert_eq!(act(&bench, foreign).await["code"], 200);
    let gone = json!({"action": "delete", "user": THEO, "room": GENERAL, "id": id});
    assert_eq!(act(&bench, gone).await["ok"], true);
    let state = read(&bench, &format!("/_sim/zoom/state?user={THEO}")).await;
    assert_eq!(state["company"], "Kestrel Outfitters");
    let desk = state["rooms"].as_array().unwrap().iter().find(|room| room["id"] == SHARED).unwrap();
    assert_eq!(desk["foreign"], true);
    let command = json!({"action": "post", "user": THEO, "room": GENERAL, "text": "/dragoman help"});
    assert_eq!(act(&bench, command).await["ok"], true);
    assert_eq!(bench.app.event("bot_notification").await["payload"]["cmd"], "help");
    bench.done().await;
}

#[tokio::test]
async fn files_can_be_dropped_into_the_page() {
    let bench = Bench::new().await;
    let path = format!("/_sim/zoom/upload?user={THEO}&room={GENERAL}&name=a.png&text=look");
    let answer = bench.send(Method::POST, &path, &[], b"picture").await;
    assert_eq!(answer.status, 200);
    let event = bench.app.event("team_chat.channel_message_posted").await;
    let file = event["payload"]["object"]["files"][0]["file_id"].as_str().unwrap().to_owned();
    let got = bench.send(Method::GET, &format!("/_sim/zoom/file/{file}"), &[], b"").await;
    assert_eq!(
        (&got.body[..], got.headers["content-type"].to_str().unwrap()),
        (&b"picture"[..], "image/png")
    );
    bench.done().await;
}

#[tokio::test]
async fn changes_reach_open_pages() {
    let bench = Bench::new().await;
    let mut changes = bench.sim.changes().subscribe();
    bench.sim.post(THEO, GENERAL, "hello").unwrap();
    let change = tokio::time::timeout(PATIENCE, changes.recv()).await.unwrap().unwrap();
    assert_eq!(change, json!({"type": "change", "room": GENERAL}));
    bench.done().await;
}
