//! Uploads, files in messages, downloads, custom emoji.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::bench::*;

const PNG: &[u8] = b"\x89PNG not really";

fn multipart(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, filename, content) in parts {
        let file = filename.map(|name| name.replace('"', "%22"));
        let file = file.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xx--\r\n");
    body
}

async fn upload_to(bench: &Bench, url: &str, body: &[u8]) -> (u16, Value, Option<String>) {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=xx")];
    let answer = bench.send(Method::POST, url, &headers, body).await;
    let to = answer.headers.get("location").map(|value| value.to_str().unwrap().to_owned());
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or_default(), to)
}

async fn upload(bench: &Bench, name: &str, content: &[u8]) -> String {
    let path = format!("/v2/chat/users/{BRIDGE}/files?postToPersonalChat=false");
    let (status, body, _) = upload_to(bench, &path, &multipart(&[("file", Some(name), content)])).await;
    assert_eq!(status, 201, "{body}");
    body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_file_host_redirects_uploads_to_another_host() {
    let bench = Bench::new().await;
    let url = format!("{}/v2/chat/users/{BRIDGE}/files?postToPersonalChat=false", bench.sim.files_url());
    let body = multipart(&[("file", Some("plan.txt"), b"the plan")]);
    let (status, _, to) = upload_to(&bench, &url, &body).await;
    assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
    let to = to.unwrap();
    assert!(to.starts_with(bench.sim.base_url()) && to.ends_with("postToPersonalChat=false"));
    let (status, sent, _) = upload_to(&bench, &to, &body).await;
    assert_eq!(status, 201);
    assert_eq!(bench.sim.file_bytes(sent["id"].as_str().unwrap()).unwrap(), b"the plan");
    bench.done().await;
    let mut config = config();
    config.doubts.upload_redirect = false;
    let bench = Bench::with(config).await;
    let url = format!("{}/v2/chat/users/{BRIDGE}/files?postToPersonalChat=false", bench.sim.files_url());
    assert_eq!(upload_to(&bench, &url, &body).await.0, 201);
    bench.done().await;
}

#[tokio::test]
async fn uploads_also_appear_in_ones_own_chat_unless_told_otherwise() {
    let bench = Bench::new().await;
    let path = format!("/v2/chat/users/{BRIDGE}/files");
    upload_to(&bench, &path, &multipart(&[("file", Some("a.txt"), b"a")])).await;
    let event = bench.app.event("team_chat.dm_message_posted").await;
    assert_eq!(event["payload"]["object"]["contact_id"], BRIDGE);
    upload(&bench, "b.txt", b"b").await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.dm_message_posted"), 1);
    bench.done().await;
}

#[tokio::test]
async fn files_are_sent_with_a_message_and_shown_in_events_and_answers() {
    let bench = Bench::new().await;
    let (one, two) = (upload(&bench, "a.PNG", PNG).await, upload(&bench, "b.txt", b"text").await);
    let body = json!({"message": "two files", "to_channel": GENERAL, "file_ids": [one, two]});
    let (_, sent) = bench.post(body).await;
    let event = bench.app.event("team_chat.channel_message_posted").await;
    let files = &event["payload"]["object"]["files"];
    assert_eq!((&files[0]["OS_file_type"], &files[0]["file_message_type"]), (&json!("PNG"), &json!("image")));
    assert_eq!((&files[1]["file_name"], &files[1]["file_size"]), (&json!("b.txt"), &json!(4)));
    assert!(files[0].get("download_url").is_none(), "events carry no address");
    let shared = bench.app.event("team_chat.file_shared").await;
    assert_eq!(shared["payload"]["object"]["type"], "to_channel");
    let message = bench.message(sent["id"].as_str().unwrap()).await.1;
    assert_eq!((&message["file_id"], &message["message_type"]), (&json!(one), &json!("file_and_text")));
    assert_eq!(message["files"].as_array().unwrap().len(), 2);
    let seven = vec![json!(one); 7];
    assert_eq!(
        code(&bench.post(json!({"message": "x", "to_channel": GENERAL, "file_ids": seven})).await),
        (400, 300)
    );
    let only = bench.post(json!({"message": "", "to_channel": LAUNCH, "file_ids": [two]})).await;
    assert_eq!(only.0, 201);
    let events = bench.app.events(2, "team_chat.channel_message_posted").await;
    let alone = events.iter().find(|event| event["payload"]["object"]["channel_id"] == LAUNCH).unwrap();
    assert!(alone["payload"]["object"].get("message").is_none());
    bench.done().await;
}

#[tokio::test]
async fn files_may_have_to_have_a_text_beside_them() {
    let mut config = config();
    config.doubts.files_need_text = true;
    let bench = Bench::with(config).await;
    let file = upload(&bench, "a.txt", b"a").await;
    let with = |text: &str| json!({"message": text, "to_channel": GENERAL, "file_ids": [file]});
    assert_eq!(code(&bench.post(with("")).await), (400, 300));
    assert_eq!(bench.post(with("a.txt")).await.0, 201);
    bench.done().await;
}

#[tokio::test]
async fn large_files_pass_through_without_being_held() {
    let bench = Bench::new().await;
    let large: Vec<u8> = (0..6 * 1024 * 1024_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
    let file = upload(&bench, "large; \"one\".bin", &large).await;
    let info = bench.get(&format!("/chat/files/{file}")).await;
    assert_eq!(info["file_name"], "large; \"one\".bin");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &large);
    assert_eq!((&info["length"], &info["digest"]), (&json!(large.len()), &json!(hex::encode(digest))));
    let got = bench.send(Method::GET, info["download_url"].as_str().unwrap(), &[], b"").await;
    assert!(got.body[..] == large[..]);
    bench.done().await;
}

#[tokio::test]
async fn a_message_without_files_cannot_be_given_any_later() {
    let bench = Bench::new().await;
    let file = upload(&bench, "a.txt", b"a").await;
    let plain = bench.say("plain").await;
    let change = |files: Value| json!({"message": "new", "to_channel": GENERAL, "file_ids": files});
    let path = |id: &str| format!("/chat/users/{BRIDGE}/messages/{id}");
    let refused = bench.call(Method::PUT, &path(&plain), change(json!([file]))).await;
    assert_eq!(code(&refused), (400, 300));
    assert!(refused.1["message"].as_str().unwrap().starts_with("A plain text message"));
    let (_, sent) = bench.post(json!({"message": "with", "to_channel": GENERAL, "file_ids": [file]})).await;
    let id = sent["id"].as_str().unwrap();
    assert_eq!(code(&bench.call(Method::PUT, &path(id), change(json!(["gone"]))).await), (400, 5_404));
    assert_eq!(bench.call(Method::PUT, &path(id), change(json!([]))).await.0, 204);
    assert!(bench.message(id).await.1.get("files").is_none(), "an empty list removes them");
    bench.done().await;
}

#[tokio::test]
async fn a_file_is_sent_in_one_step() {
    let bench = Bench::new().await;
    let root = bench.say("root").await;
    let path = format!("/v2/chat/users/{BRIDGE}/messages/files");
    let body = multipart(&[
        ("files", Some("a.txt"), b"a"),
        ("to_channel", None, GENERAL.as_bytes()),
        ("reply_main_message_id", None, root.as_bytes()),
    ]);
    let (status, sent, _) = upload_to(&bench, &path, &body).await;
    assert_eq!(status, 201);
    let message = bench.message(sent["id"].as_str().unwrap()).await.1;
    assert_eq!((&message["reply_main_message_id"], &message["message"]), (&json!(root), &json!("")));
    // A text where the file should be.
    let wrong = multipart(&[("files", None, b"a"), ("to_channel", None, GENERAL.as_bytes())]);
    assert_eq!(upload_to(&bench, &path, &wrong).await.0, 400);
    let large = vec![0_u8; 16 * 1024 * 1024 + 1];
    let picture = multipart(&[("files", Some("a.png"), &large), ("to_channel", None, GENERAL.as_bytes())]);
    let (status, refused, _) = upload_to(&bench, &path, &picture).await;
    assert_eq!((status, &refused["code"]), (400, &json!(300)));
    bench.done().await;
}

#[tokio::test]
async fn names_in_content_disposition_must_be_quoted() {
    let bench = Bench::new().await;
    let path = format!("/v2/chat/users/{BRIDGE}/files?postToPersonalChat=false");
    let body =
        b"--xx\r\nContent-Disposition: form-data; name=file; filename=\"a.txt\"\r\n\r\na\r\n--xx--\r\n";
    let (status, refused, _) = upload_to(&bench, &path, body).await;
    assert_eq!(
        (status, &refused["message"]),
        (400, &json!("Invalid 'Content-Disposition' in multipart form"))
    );
    bench.done().await;
}

#[tokio::test]
async fn downloads_need_the_signed_address() {
    let bench = Bench::new().await;
    let file = upload(&bench, "Plan é.txt", b"the plan").await;
    let info = bench.get(&format!("/chat/files/{file}")).await;
    assert_eq!((&info["OS_file_type"], &info["length"]), (&json!("txt"), &json!(8)));
    assert_eq!(info["digest"].as_str().unwrap().len(), 64);
    let url = info["download_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(bench.sim.files_url()));
    let got = bench.send(Method::GET, &url, &[], b"").await;
    assert_eq!(&got.body[..], b"the plan");
    let bent = url.replace("jwt=", "jwt=9");
    assert_eq!(bench.send(Method::GET, &bent, &[], b"").await.status, 403);
    bench.world.clock.advance(std::time::Duration::from_hours(25));
    assert_eq!(bench.send(Method::GET, &url, &[], b"").await.status, 403);
    bench.done().await;
    let mut config = config();
    config.doubts.download_needs_bearer = true;
    let bench = Bench::with(config).await;
    let file = upload(&bench, "a.txt", b"a").await;
    let url = bench.get(&format!("/chat/files/{file}")).await["download_url"].as_str().unwrap().to_owned();
    assert_eq!(bench.send(Method::GET, &url, &[], b"").await.status, 401);
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(bench.send(Method::GET, &url, &[("authorization", &bearer)], b"").await.status, 200);
    bench.done().await;
}

#[tokio::test]
async fn file_calls_have_their_own_refusals() {
    let bench = Bench::new().await;
    let file = upload(&bench, "a.txt", b"a").await;
    let path = format!("/chat/files/{file}");
    assert_eq!(code(&bench.call_as("", Method::GET, &path, Value::Null).await), (401, 300));
    assert_eq!(code(&bench.call_as("wrong", Method::GET, &path, Value::Null).await), (401, 100));
    assert_eq!(code(&bench.call(Method::GET, "/chat/files/none", Value::Null).await), (404, 404));
    bench.sim.delete_file(&file).unwrap();
    bench.app.event("team_chat.file_deleted").await;
    assert_eq!(code(&bench.call(Method::GET, &path, Value::Null).await), (404, 404));
    bench.world.clock.advance(std::time::Duration::from_hours(2));
    assert_eq!(code(&bench.call(Method::GET, &path, Value::Null).await), (401, 106));
    bench.done().await;
}

#[tokio::test]
async fn an_account_can_forbid_files() {
    let bench = Bench::new().await;
    bench.sim.change_state(|state| state.accounts[KESTREL].files_allowed = false);
    let path = format!("/v2/chat/users/{BRIDGE}/files");
    let (status, refused, _) = upload_to(&bench, &path, &multipart(&[("file", Some("a.txt"), b"a")])).await;
    assert_eq!((status, &refused["code"]), (400, &json!(5_403)));
    bench.done().await;
}

#[tokio::test]
async fn custom_emoji_are_added_and_removed() {
    let mut config = config();
    config.apps[0].scopes.extend(
        ["team_chat:write:custom_emoji:admin", "team_chat:delete:custom_emoji:admin"].map(str::to_owned),
    );
    config.apps[0].subscriptions[0]
        .events
        .extend(["team_chat.emoji_added".to_owned(), "team_chat.emoji_removed".to_owned()]);
    let bench = Bench::with(config).await;
    let add = async |name: &str, file: &str| {
        let body = multipart(&[("file", Some(file), PNG), ("name", None, name.as_bytes())]);
        upload_to(&bench, "/v2/chat/emoji/files", &body).await
    };
    let (status, made, _) = add("party_parrot", "p.png").await;
    assert_eq!(status, 201);
    assert_eq!(add("party_parrot", "p.png").await.0, 409);
    assert_eq!(add("no", "p.png").await.1["code"], 300);
    assert_eq!(add("a_song", "p.mp3").await.1["code"], 400);
    let path = format!("/chat/emoji/{}", made["file_id"].as_str().unwrap());
    assert_eq!(bench.call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(bench.app.event("team_chat.emoji_removed").await["payload"]["object"]["name"], "party_parrot");
    bench.done().await;
}
