use http::Method;
use serde_json::{Value, json};

use super::bench::{Bench, GENERAL, GITA, HENRIK, TOKEN, id, person, room};

async fn read(bench: &Bench, path: &str) -> Value {
    let answer = bench.send(Method::GET, path, &[], b"").await;
    assert_eq!(answer.status, 200, "{path}");
    serde_json::from_slice(&answer.body).unwrap()
}

async fn act(bench: &Bench, body: Value) -> (u16, Value) {
    let headers = [("content-type", "application/json")];
    let answer = bench.send(Method::POST, "/_sim/webex/act", &headers, body.to_string().as_bytes()).await;
    super::bench::parts(&answer)
}

#[tokio::test]
async fn the_page_and_its_parts_are_served() {
    let bench = Bench::new().await;
    for (path, kind) in [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")] {
        let answer = bench.send(Method::GET, path, &[], b"").await;
        assert_eq!(answer.status, 200);
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with(kind));
    }
    let page = bench.send(Method::GET, "/", &[], b"").await;
    let page = String::from_utf8(page.body.to_vec()).unwrap();
    let mut script = String::new();
    for path in ["/_sim/chat.js", "/page.js"] {
        script.push_str(&String::from_utf8_lossy(&bench.send(Method::GET, path, &[], b"").await.body));
    }
    for hook in [
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
    ] {
        assert!(page.contains(&format!("\"{hook}\"")) || script.contains(&format!("\"{hook}\"")), "{hook}");
    }
    bench.done().await;
}

#[tokio::test]
async fn people_act_on_the_page_through_the_same_state() {
    let bench = Bench::new().await;
    let (gita, general) = (person(GITA), room(GENERAL));
    let state = read(&bench, &format!("/_sim/webex/state?user={gita}")).await;
    assert_eq!((state["org"].as_str(), &state["me"]), (Some("Larkfield Labs"), &json!(gita)));
    assert_eq!(state["rooms"].as_array().unwrap().len(), 2);
    let post = json!({"action": "post", "user": gita, "room": general, "text": "from the **page**"});
    let posted = act(&bench, post).await.1["result"].as_str().unwrap().to_owned();
    let reply = json!({"action": "post", "user": gita, "room": general, "text": "below", "parent": posted});
    assert_eq!(act(&bench, reply).await.0, 200);
    let edit = json!({"action": "edit", "user": gita, "message": posted, "text": "changed"});
    assert_eq!(act(&bench, edit).await.0, 200);
    let theirs = json!({"action": "edit", "user": person(HENRIK), "message": posted, "text": "no"});
    assert_eq!(act(&bench, theirs).await.0, 409);
    let react = json!({"action": "react", "user": person(HENRIK), "message": posted, "name": "heart"});
    assert_eq!(act(&bench, react).await.0, 200);
    let list = read(&bench, &format!("/_sim/webex/messages?room={general}")).await;
    assert_eq!(list["messages"][0]["text"], "changed");
    assert_eq!(list["messages"][0]["reactions"]["heart"], json!([person(HENRIK)]));
    assert_eq!(list["messages"][1]["parentId"], posted.as_str());
    let delete = json!({"action": "delete", "user": gita, "message": posted});
    assert_eq!(act(&bench, delete).await.0, 200);
    assert_eq!(bench.get(TOKEN, &format!("/messages/{posted}")).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn files_go_up_and_down_and_the_integration_is_named() {
    let bench = Bench::new().await;
    let (gita, general) = (person(GITA), room(GENERAL));
    let path = format!("/_sim/webex/upload?user={gita}&room={general}&name=note.txt&text=see");
    let up = bench.send(Method::POST, &path, &[], b"contents").await;
    let posted = super::bench::parts(&up).1["result"].as_str().unwrap().to_owned();
    let file = bench.send(Method::GET, &format!("/_sim/webex/file/{posted}/0"), &[], b"").await;
    assert_eq!(&file.body[..], b"contents");
    let by_app = bench.says(GENERAL, json!({"text": "x"})).await;
    let list = read(&bench, &format!("/_sim/webex/messages?room={general}")).await;
    let shown = list["messages"].as_array().unwrap().iter().find(|one| one["id"] == id(&by_app)).unwrap();
    assert_eq!(shown["via"], "Dragoman");
    let made = act(&bench, json!({"action": "create", "user": gita, "title": "Made here"})).await.1;
    let made = made["result"].as_str().unwrap().to_owned();
    let add = json!({"action": "add", "user": gita, "room": made, "person": person(HENRIK)});
    assert_eq!(act(&bench, add).await.0, 200);
    let rename = json!({"action": "rename", "user": gita, "room": made, "title": "Renamed"});
    assert_eq!(act(&bench, rename).await.0, 200);
    assert_eq!(bench.sim.room_id("Renamed"), Some(made.clone()));
    let remove = json!({"action": "remove", "user": gita, "room": made, "person": person(HENRIK)});
    assert_eq!(act(&bench, remove).await.0, 200);
    let direct = act(&bench, json!({"action": "direct", "user": gita, "other": person(HENRIK)})).await;
    assert_eq!(direct.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn changes_are_announced() {
    let bench = Bench::new().await;
    let mut changes = bench.sim.changes().subscribe();
    bench.says(GENERAL, json!({"text": "live"})).await;
    let change = tokio::time::timeout(super::bench::PATIENCE, changes.recv()).await.unwrap().unwrap();
    assert_eq!(change, json!({"type": "change", "channel": room(GENERAL)}));
    bench.done().await;
}
