//! The chat page and its endpoints.

use http::Method;
use serde_json::{Value, json};

use super::bench::{ANA, BEN, Bench, GENERAL, PATIENCE};

async fn act(bench: &Bench, body: Value) -> Value {
    let headers = [("content-type", "application/json")];
    let answer = bench.send(Method::POST, "/_sim/slack/act", &headers, body.to_string().as_bytes()).await;
    serde_json::from_slice(&answer.body).unwrap()
}

async fn read(bench: &Bench, path: &str) -> Value {
    serde_json::from_slice(&bench.send(Method::GET, path, &[], b"").await.body).unwrap()
}

#[tokio::test]
async fn the_page_brings_everything_itself_and_has_its_hooks() {
    let bench = Bench::new().await;
    let mut all = String::new();
    for path in ["/", "/page.css", "/page.js", "/richtext.js", "/_sim/chat.css", "/_sim/chat.js"] {
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
    bench.done().await;
}

#[tokio::test]
async fn actions_of_the_page_are_those_of_people() {
    let bench = Bench::new().await;
    let posted =
        act(&bench, json!({"action": "post", "user": ANA, "channel": GENERAL, "text": "*hi* all"})).await;
    let ts = posted["result"].as_str().unwrap().to_owned();
    let event = bench.app.event(|event| event["ts"] == ts.as_str()).await;
    assert_eq!(event["blocks"][0]["elements"][0]["elements"][0]["style"]["bold"], true);
    let edited = json!({"action": "edit", "user": ANA, "channel": GENERAL, "ts": ts, "text": "hello all"});
    assert_eq!(act(&bench, edited).await["ok"], true);
    let foreign = json!({"action": "edit", "user": BEN, "channel": GENERAL, "ts": ts, "text": "mine now"});
    assert_eq!(act(&bench, foreign).await["error"], "cant_update_message");
    let reply = json!({"action": "post", "user": BEN, "channel": GENERAL, "text": "yes", "thread_ts": ts});
    assert_eq!(act(&bench, reply).await["ok"], true);
    act(&bench, json!({"action": "react", "user": BEN, "channel": GENERAL, "ts": ts, "name": "+1"})).await;
    let list = read(&bench, &format!("/_sim/slack/messages?channel={GENERAL}")).await;
    assert_eq!(list["messages"][0]["text"], "hello all");
    assert_eq!(
        (&list["messages"][0]["reply_count"], &list["messages"][0]["reactions"][0]["count"]),
        (&json!(1), &json!(1))
    );
    let opened = act(&bench, json!({"action": "direct", "members": [ANA, BEN]})).await;
    let state = read(&bench, &format!("/_sim/slack/state?user={ANA}")).await;
    assert_eq!((&state["workspace"], &state["me"]), (&json!("Harbor Works"), &json!(ANA)));
    let direct =
        state["channels"].as_array().unwrap().iter().find(|room| room["id"] == opened["result"]).unwrap();
    assert_eq!((&direct["kind"], &direct["name"]), (&json!("im"), &json!("Ben Okafor")));
    let path = format!("/_sim/slack/upload?user={ANA}&channel={GENERAL}&name=a.txt&text=see");
    bench.send(Method::POST, &path, &[], b"bytes").await;
    let event = bench.app.event(|event| event["subtype"] == "file_share").await;
    let id = event["files"][0]["id"].as_str().unwrap();
    assert_eq!(
        &bench.send(Method::GET, &format!("/_sim/slack/file/{id}"), &[], b"").await.body[..],
        b"bytes"
    );
    bench.done().await;
}

#[tokio::test]
async fn the_page_sends_several_files_with_one_message() {
    let bench = Bench::new().await;
    let form = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a %22b%22.txt\"\r\n\r\none\r\n\
        --x\r\nContent-Disposition: form-data; name=\"pasted\"; filename=\"image.png\"\r\nContent-Type: image/png\r\n\r\n\
        two\r\n--x--\r\n";
    let path = format!("/_sim/slack/upload?user={ANA}&channel={GENERAL}&text=both");
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let answer = bench.send(Method::POST, &path, &headers, form.as_bytes()).await;
    assert_eq!(answer.status, 200);
    let event = bench.app.event(|event| event["subtype"] == "file_share").await;
    assert_eq!(event["text"], "both");
    let names: Vec<&str> =
        event["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a \"b\".txt", "image.png"]);
    let empty = bench.send(Method::POST, &path, &headers, b"--x--\r\n").await;
    assert_eq!(empty.status, 400);
    bench.done().await;
}

#[tokio::test]
async fn open_pages_hear_of_changes() {
    let bench = Bench::new().await;
    let mut changes = bench.sim.changes().subscribe();
    bench.post(GENERAL, "from the app").await;
    let change = tokio::time::timeout(PATIENCE, changes.recv()).await.unwrap().unwrap();
    assert_eq!(change, json!({"type": "change", "channel": GENERAL}));
    bench.done().await;
}
