//! The chat page and its actions.

use dragoman_sim::teams::Draft;
use dragoman_sim::teams::seed::{APP, DANA, EMRE, GENERAL, LAUNCH};
use serde_json::{Value, json};

use super::harness::{Rig, general};

#[tokio::test]
async fn the_page_has_its_hooks_and_needs_nobody_else() {
    let rig = Rig::new().await;
    let page = String::from_utf8(rig.get("/", "").await.bytes.to_vec()).unwrap();
    let (mut script, mut style) = (String::new(), String::new());
    for name in ["chat", "page"] {
        script.push_str(&String::from_utf8_lossy(&rig.get(&format!("/_sim/{name}.js"), "").await.bytes));
        style.push_str(&String::from_utf8_lossy(&rig.get(&format!("/_sim/{name}.css"), "").await.bytes));
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
        "attach",
        "file",
    ] {
        let quoted = format!("\"{hook}\"");
        assert!([&page, &script].iter().any(|text| text.contains(&quoted)), "{hook}");
    }
    for text in [&page, &script, &style] {
        assert!(!text.contains("https://") && !text.contains("@import"), "nothing comes from elsewhere");
    }
    let avatar = rig.get(&format!("/_sim/avatar/{DANA}"), "").await;
    assert_eq!(avatar.header("content-type"), "image/svg+xml");
    assert!(String::from_utf8_lossy(&avatar.bytes).contains("DL"));
    rig.stop().await;
}

#[tokio::test]
async fn actions_of_the_page_are_those_of_people() {
    let rig = Rig::new().await;
    let state = rig.get(&format!("/_sim/state?as={EMRE}"), "").await.json();
    assert_eq!(state["me"], EMRE);
    assert_eq!(
        state["teams"][0]["channels"][1],
        json!({"id": LAUNCH, "name": "launch", "membership": "standard"})
    );
    assert_eq!(state["chats"][0]["name"], "Lunch");
    let post = |action: &'static str, body: Value| {
        let rig = &rig;
        async move { rig.post(&format!("/_sim/{action}"), "", &body).await }
    };
    let sent =
        post("post", json!({"as": EMRE, "conversation": GENERAL, "text": "hi @Dana Lindqvist <3"})).await;
    let id = sent.json()["id"].as_str().unwrap().to_owned();
    let m = rig.get(&format!("{}/{id}", general()), &rig.app()).await.json();
    assert_eq!(m["body"]["content"], "<p>hi <at id=\"0\">Dana Lindqvist</at> &lt;3</p>");
    assert_eq!(m["mentions"][0]["mentioned"]["user"]["id"], DANA);
    rig.inbox.activities(1, "message").await;
    let on = json!({"as": EMRE, "conversation": GENERAL, "message": id});
    let mut edit = on.clone();
    edit["html"] = json!("<p>changed <b>much</b><script>x</script></p>");
    assert_eq!(post("edit", edit).await.status, 200);
    let mut foreign = on.clone();
    foreign["as"] = json!(DANA);
    assert_eq!(post("delete", foreign.clone()).await.status, 409);
    foreign["kind"] = json!("👍");
    assert_eq!(post("react", foreign).await.status, 200);
    let reply = json!({"as": DANA, "conversation": GENERAL, "root": id, "text": "re"});
    assert_eq!(post("post", reply).await.status, 200);
    let all = rig.get(&format!("/_sim/messages?conversation={GENERAL}"), "").await.json();
    let first = &all["messages"][0];
    assert_eq!(first["html"], "<p>changed <b>much</b></p>");
    assert_eq!(first["reactions"], json!([{"kind": "👍", "by": [DANA]}]));
    assert_eq!(first["author"]["name"], "Emre Kaya");
    assert_eq!(all["messages"][1]["root"], id);
    assert_eq!(post("delete", on.clone()).await.status, 200);
    assert_eq!(post("restore", on).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn people_open_chats_with_people_and_apps() {
    let rig = Rig::new().await;
    let open = |action: &'static str, body: Value| {
        let rig = &rig;
        async move { rig.post(&format!("/_sim/{action}"), "", &body).await }
    };
    let chat = open("direct", json!({"as": EMRE, "other": DANA})).await.json()["result"].clone();
    assert_eq!(open("direct", json!({"as": DANA, "other": EMRE})).await.json()["result"], chat);
    assert_eq!(open("direct", json!({"as": DANA, "other": DANA})).await.status, 409);
    let with_app = open("chat", json!({"as": EMRE, "app": APP})).await.json()["result"].clone();
    assert_eq!(with_app, rig.sim.personal_chat_in_graph(APP, EMRE));
    rig.inbox.activities(1, "installationUpdate").await;
    assert_eq!(open("chat", json!({"as": EMRE, "app": APP})).await.json()["result"], with_app);
    assert_eq!(open("chat", json!({"as": EMRE, "app": "nobody"})).await.status, 409);
    let state = rig.get(&format!("/_sim/state?as={EMRE}"), "").await.json();
    let listed = |id: &Value| state["chats"].as_array().unwrap().iter().find(|one| one["id"] == *id).cloned();
    assert_eq!(listed(&chat).unwrap()["other"], DANA);
    assert_eq!(listed(&with_app).unwrap()["bot"], APP);
    rig.stop().await;
}

#[tokio::test]
async fn tokens_and_installations_over_control() {
    let rig = Rig::new().await;
    let t =
        rig.post("/_sim/token", "", &json!({"as": DANA, "app": APP, "scopes": ["User.Read"]})).await.json();
    assert_eq!(rig.get("/v1.0/me", t["access_token"].as_str().unwrap()).await.json()["id"], DANA);
    let bot = rig.post("/_sim/token", "", &json!({"app": APP, "audience": "bot"})).await.json();
    let team =
        rig.get(&rig.connector(&format!("v3/teams/{GENERAL}")), bot["access_token"].as_str().unwrap()).await;
    assert_eq!(team.status, 200);
    let r = rig.post("/_sim/install", "", &json!({"as": DANA, "app": APP, "person": EMRE})).await.json();
    assert_eq!(r["done"], true);
    rig.inbox.activities(1, "installationUpdate").await;
    rig.sim.post(DANA, GENERAL, Draft::text("logged")).unwrap();
    let log = rig.get("/_sim/log?since=0", "").await.json();
    assert!(!log["entries"].as_array().unwrap().is_empty());
    rig.stop().await;
}
