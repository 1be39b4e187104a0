//! Files: three steps out, links in.

use dragoman_sim::slack::people::Post;
use http::Method;
use serde_json::{Value, json};

use super::bench::{ANA, BOT, Bench, GENERAL, PATIENCE, config, error};

async fn reserve(bench: &Bench, name: &str, length: usize) -> (String, String) {
    let length = length.to_string();
    let answer =
        bench.form(BOT, "files.getUploadURLExternal", &[("filename", name), ("length", &length)]).await;
    (answer["upload_url"].as_str().unwrap().to_owned(), answer["file_id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_upload_takes_three_steps_and_shares_later() {
    let bench = Bench::new().await;
    let (url, id) = reserve(&bench, "plan.txt", 4).await;
    // As one SDK labels it: the body is the file all the same.
    let raw = [("content-type", "application/x-www-form-urlencoded")];
    let answer = bench.send(Method::POST, &url, &raw, b"a=1&").await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"OK - 4"[..]));
    let body =
        json!({"files": [{"id": id, "title": "The plan"}], "channel_id": GENERAL, "initial_comment": "look"});
    let answer = bench.json(BOT, "files.completeUploadExternal", body.clone()).await;
    let file = &answer["files"][0];
    assert_eq!((&file["shares"], &file["mimetype"], &file["channels"]), (&json!({}), &json!(""), &json!([])));
    assert!(answer.get("ts").is_none());
    let event = bench.app.event(|event| event["subtype"] == "file_share").await;
    assert_eq!((&event["files"][0]["id"], &event["text"]), (&json!(id), &json!("look")));
    assert_eq!(event["files"][0]["mimetype"], "text/plain");
    let info = bench.get(BOT, "files.info", &[("file", &id)]).await;
    assert_eq!(info["file"]["shares"]["public"][GENERAL][0]["ts"], event["ts"]);
    assert_eq!(error(&bench.json(BOT, "files.completeUploadExternal", body).await), "file_not_found");
    assert_eq!(bench.sim.file_bytes(&id).unwrap(), b"a=1&");
    bench.done().await;
}

#[tokio::test]
async fn multipart_uploads_and_several_files_make_one_message() {
    let bench = Bench::new().await;
    let (first_url, first) = reserve(&bench, "a.png", 3).await;
    let (second_url, second) = reserve(&bench, "b.png", 3).await;
    let multipart =
        [("content-type", "multipart/form-data; boundary=q"), ("authorization", "Bearer xoxb-test")];
    let body = b"--q\r\nContent-Disposition: form-data; name=\"body\"; filename=\"Untitled\"\r\n\r\nabc\r\n--q--\r\n";
    assert_eq!(&bench.send(Method::POST, &first_url, &multipart, body).await.body[..], b"OK - 3");
    assert_eq!(bench.send(Method::POST, &second_url, &[], b"toolong").await.status, 400);
    assert_eq!(bench.send(Method::POST, &second_url, &[], b"def").await.status, 200);
    // A form with JSON text, as another SDK sends it.
    let files = json!([{"id": first}, {"id": second}]).to_string();
    bench.form(BOT, "files.completeUploadExternal", &[("files", &files), ("channels", GENERAL)]).await;
    let event = bench.app.event(|event| event["subtype"] == "file_share").await;
    assert_eq!(event["files"].as_array().unwrap().len(), 2);
    assert_eq!((&event["text"], &event["upload"]), (&json!(""), &json!(true)));
    bench.done().await;
}

#[tokio::test]
async fn an_upload_needs_bytes_and_membership() {
    let bench = Bench::new().await;
    let (_, id) = reserve(&bench, "a.txt", 3).await;
    let complete = async |channel: &str, id: &str| {
        let body = json!({"files": [{"id": id}], "channel_id": channel});
        bench.json(BOT, "files.completeUploadExternal", body).await
    };
    assert_eq!(error(&complete(GENERAL, &id).await), "file_upload_not_complete");
    assert_eq!(error(&complete(GENERAL, "F0").await), "file_not_found");
    let (url, id) = reserve(&bench, "b.txt", 1).await;
    bench.send(Method::POST, &url, &[], b"x").await;
    let other = bench.sim.create_channel(ANA, "away", false).unwrap();
    assert_eq!(error(&complete(&other, &id).await), "not_in_channel");
    let zero = [("filename", "z"), ("length", "0")];
    assert_eq!(error(&bench.form(BOT, "files.getUploadURLExternal", &zero).await), "invalid_arguments");
    bench.done().await;
}

#[tokio::test]
async fn downloads_need_a_token_and_otherwise_answer_200_with_a_page() {
    let bench = Bench::new().await;
    let post = Post { text: "here", files: vec![("map.png", b"pngbytes")], ..Post::default() };
    bench.sim.post_with(ANA, GENERAL, &post).unwrap();
    let event = bench.app.event(|event| event["subtype"] == "file_share").await;
    let url = event["files"][0]["url_private_download"].as_str().unwrap();
    let good = bench.send(Method::GET, url, &[("authorization", "Bearer xoxb-test")], b"").await;
    assert_eq!(
        (&good.body[..], good.headers["content-type"].to_str().unwrap()),
        (&b"pngbytes"[..], "image/png")
    );
    let bad = bench.send(Method::GET, url, &[], b"").await;
    assert_eq!(bad.status, 200);
    assert!(bad.body.starts_with(b"<!DOCTYPE html"));
    bench.done().await;
}

#[tokio::test]
async fn a_download_too_early_is_a_page() {
    let mut config = config();
    config.timing.share_delay = std::time::Duration::from_mins(1);
    let bench = Bench::with(config).await;
    let (url, id) = reserve(&bench, "a.txt", 1).await;
    bench.send(Method::POST, &url, &[], b"x").await;
    let body = json!({"files": [{"id": id}], "channel_id": GENERAL});
    let answer = bench.json(BOT, "files.completeUploadExternal", body).await;
    let link = answer["files"][0]["url_private"].as_str().unwrap();
    let page = bench.send(Method::GET, link, &[("authorization", "Bearer xoxb-test")], b"").await;
    assert!(page.body.starts_with(b"<!DOCTYPE html"));
    bench.done().await;
}

#[tokio::test]
async fn one_upload_is_announced_by_several_events() {
    let mut config = config();
    config.apps[0].bot_events.extend(["file_created".to_owned(), "file_public".to_owned()]);
    let bench = Bench::with(config).await;
    let post = Post { files: vec![("a.txt", b"x")], ..Post::default() };
    bench.sim.post_with(ANA, GENERAL, &post).unwrap();
    for kind in ["file_shared", "file_created", "file_public"] {
        let event = bench.app.event(|event| event["type"] == kind).await;
        assert_eq!(event["file"], json!({"id": event["file_id"]}), "ids only");
    }
    bench.app.event(|event| event["subtype"] == "file_share").await;
    bench.done().await;
}

#[tokio::test]
async fn a_deleted_file_leaves_a_tombstone_in_its_message() {
    let bench = Bench::new().await;
    let post = Post { text: "see", files: vec![("a.txt", b"x")], ..Post::default() };
    bench.sim.post_with(ANA, GENERAL, &post).unwrap();
    let shared = bench.app.event(|event| event["subtype"] == "file_share").await;
    let id = shared["files"][0]["id"].as_str().unwrap().to_owned();
    bench.sim.delete_file(&id).unwrap();
    let event = bench.app.event(|event| event["type"] == "file_deleted").await;
    assert_eq!(event["file_id"], id.as_str());
    let changed = bench.app.event(|event| event["subtype"] == "message_changed").await;
    assert_eq!(changed["message"]["files"], json!([{"id": id, "mode": "tombstone"}]));
    assert!(changed["message"].get("edited").is_none());
    assert_eq!(error(&bench.get(BOT, "files.info", &[("file", &id)]).await), "file_deleted");
    bench.done().await;
}

#[tokio::test]
async fn foreign_files_have_to_be_looked_up() {
    let mut config = config().with_slack_connect();
    config.apps[0].installed[0].member_of.push("C07SHARED".to_owned());
    let bench = Bench::with(config).await;
    let post = Post { text: "order", files: vec![("order.pdf", b"pdf")], ..Post::default() };
    bench.sim.post_with("U08DARIOCONTI", "C07SHARED", &post).unwrap();
    let event: Value = bench.app.event(|event| event["subtype"] == "file_share").await;
    assert_eq!(
        (&event["files"][0]["file_access"], event["files"][0].get("name")),
        (&json!("check_file_info"), None)
    );
    let id = event["files"][0]["id"].as_str().unwrap();
    assert_eq!(bench.get(BOT, "files.info", &[("file", id)]).await["file"]["name"], "order.pdf");
    bench.done().await;
}

#[tokio::test]
async fn a_file_may_carry_another_name_or_not() {
    for allowed in [true, false] {
        let mut config = config();
        config.doubts.file_identity = allowed;
        let bench = Bench::with(config).await;
        let (url, id) = reserve(&bench, "a.txt", 1).await;
        bench.send(Method::POST, &url, &[], b"x").await;
        let body = json!({"files": [{"id": id}], "channel_id": GENERAL, "username": "Dana"});
        let answer = bench.json(BOT, "files.completeUploadExternal", body).await;
        if allowed {
            let event = bench.app.event(|event| event["subtype"] == "file_share").await;
            assert_eq!(event["username"], "Dana");
        } else {
            assert_eq!(error(&answer), "invalid_arguments");
        }
        bench.done().await;
    }
}

#[tokio::test]
async fn an_upload_can_fail_after_its_bytes_arrived() {
    use dragoman_sim::core::{FaultKind, FaultOrder};
    let bench = Bench::new().await;
    let (url, id) = reserve(&bench, "a.txt", 1).await;
    bench.sim.faults().add(FaultOrder::next(1, "POST /upload", FaultKind::ServerErrorAfter { status: 503 }));
    assert_eq!(bench.send(Method::POST, &url, &[], b"x").await.status, 503);
    assert_eq!(bench.sim.file_bytes(&id).unwrap(), b"x");
    bench.sim.log().wait_for(1, PATIENCE, |entry| entry.status == 503).await.unwrap();
    bench.done().await;
}

#[tokio::test]
async fn workspaces_can_keep_files_out() {
    let mut config = config();
    config.files.largest = 10;
    config.files.blocked.push("exe".to_owned());
    let bench = Bench::with(config.clone()).await;
    let ask = async |bench: &Bench, name: &str, length: &str| {
        let answer =
            bench.form(BOT, "files.getUploadURLExternal", &[("filename", name), ("length", length)]).await;
        answer["error"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(ask(&bench, "a.txt", "11").await, "file_upload_size_restricted");
    assert_eq!(ask(&bench, "a.EXE", "1").await, "file_type_not_allowed");
    assert_eq!(ask(&bench, "a.txt", "10").await, "");
    bench.done().await;
    config.files.uploads = false;
    let bench = Bench::with(config).await;
    assert_eq!(ask(&bench, "a.txt", "1").await, "file_uploads_disabled");
    bench.done().await;
}

#[tokio::test]
async fn large_files_pass_through_the_disk() {
    let bench = Bench::new().await;
    let bytes: Vec<u8> = (0..6_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let (url, id) = reserve(&bench, "big.bin", bytes.len()).await;
    let answer = bench.send(Method::POST, &url, &[], &bytes).await;
    assert_eq!(&answer.body[..], b"OK - 6000000");
    let body = json!({"files": [{"id": id}], "channel_id": GENERAL});
    bench.json(BOT, "files.completeUploadExternal", body).await;
    let event = bench.app.event(|event| event["subtype"] == "file_share").await;
    let link = event["files"][0]["url_private_download"].as_str().unwrap();
    let down = bench.send(Method::GET, link, &[("authorization", "Bearer xoxb-test")], b"").await;
    assert_eq!(down.headers["content-length"], "6000000");
    assert!(down.body[..] == bytes[..]);
    bench.done().await;
}
