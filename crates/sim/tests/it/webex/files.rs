use std::time::Duration;

use dragoman_sim::webex::{Post, Scan, WebexTiming};
use http::Method;
use serde_json::{Value, json};

use super::bench::{Bench, GENERAL, GITA, TOKEN, config, id, parts, person, personal, room};

async fn upload(bench: &Bench, name: &str, extra: &str) -> (u16, Value) {
    let general = room(GENERAL);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"roomId\"\r\n\r\n{general}\r\n--b\r\nContent-Disposition: form-data; \
         name=\"markdown\"\r\n\r\n**Ana:** the plan\r\n--b\r\nContent-Disposition: form-data; name=\"files\"; \
         filename=\"{name}\"\r\nContent-Type: application/pdf\r\n\r\n%PDF the plan\r\n{extra}--b--\r\n"
    );
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    parts(&bench.send(Method::POST, "/v1/messages", &headers, body.as_bytes()).await)
}

#[tokio::test]
async fn a_file_comes_in_by_multipart_and_goes_out_with_its_name() {
    let bench = Bench::new().await;
    bench.hook(TOKEN, json!({"resource": "messages", "event": "created", "filter": "hasFiles=true"})).await;
    let (status, posted) = upload(&bench, "plan.pdf", "").await;
    assert_eq!(status, 200, "{posted}");
    let urls = posted["files"].as_array().unwrap();
    assert_eq!(urls.len(), 1);
    let url = urls[0].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/v1/contents/", bench.sim.base_url())));
    assert_eq!(bench.app.event("messages.created").await.json["data"]["files"], posted["files"]);
    let head = bench.call(TOKEN, Method::HEAD, url, &Value::Null).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.headers["content-disposition"], "attachment; filename=\"plan.pdf\"");
    assert_eq!(head.headers["content-type"], "application/pdf");
    assert_eq!(head.headers["content-length"], "13");
    let got = bench.call(TOKEN, Method::GET, url, &Value::Null).await;
    assert_eq!(&got.body[..], b"%PDF the plan");
    assert_eq!(bench.sim.file_bytes(id(&posted)), [b"%PDF the plan".to_vec()]);
    assert_eq!(bench.send(Method::GET, url, &[], b"").await.status, 401);
    let (status, _) = bench
        .put(TOKEN, &format!("/messages/{}", id(&posted)), json!({"roomId": room(GENERAL), "text": "x"}))
        .await;
    assert_eq!(status, 400, "messages with files cannot be edited");
    assert_eq!(bench.delete(TOKEN, &format!("/messages/{}", id(&posted))).await.0, 204);
    assert_eq!(bench.call(TOKEN, Method::GET, url, &Value::Null).await.status, 404);
    bench.done().await;
}

#[tokio::test]
async fn large_files_pass_through_without_being_held() {
    let bench = Bench::new().await;
    let large: Vec<u8> = (0..6 * 1024 * 1024_u32).map(|at| at.to_le_bytes()[at as usize % 3]).collect();
    let general = room(GENERAL);
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"roomId\"\r\n\r\n{general}\r\n--b\r\nContent-Disposition: \
         form-data; name=\"files\"; filename=\"large; %22one%22.bin\"\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(&large);
    body.extend_from_slice(b"\r\n--b--\r\n");
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    let (status, posted) = parts(&bench.send(Method::POST, "/v1/messages", &headers, &body).await);
    assert_eq!(status, 200, "{posted}");
    let got = bench.call(TOKEN, Method::GET, posted["files"][0].as_str().unwrap(), &Value::Null).await;
    assert_eq!(got.headers["content-length"], large.len().to_string());
    assert!(got.body[..] == large[..]);
    let named = bench.sim.files(id(&posted)).remove(0);
    assert_eq!((named.0.as_str(), named.1.len()), ("large; \"one\".bin", large.len()));
    bench.done().await;
}

#[tokio::test]
async fn names_beyond_ascii_are_told_twice() {
    let bench = Bench::new().await;
    let posted = upload(&bench, "Übersicht.pdf", "").await.1;
    let head = bench.call(TOKEN, Method::HEAD, posted["files"][0].as_str().unwrap(), &Value::Null).await;
    let told = head.headers["content-disposition"].to_str().unwrap();
    assert!(told.contains("filename*=UTF-8''%C3%9Cbersicht%2Epdf"), "{told}");
    bench.done().await;
}

#[tokio::test]
async fn one_file_per_message_and_none_with_a_card() {
    let bench = Bench::new().await;
    let second = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"b.txt\"\r\n\r\nb\r\n";
    assert_eq!(upload(&bench, "a.txt", second).await.0, 400);
    let card = "--b\r\nContent-Disposition: form-data; name=\"attachments\"\r\n\r\n[{\"contentType\":\
                \"application/vnd.microsoft.card.adaptive\",\"content\":{\"type\":\"AdaptiveCard\",\"version\":\"1.3\"}}]\r\n";
    assert_eq!(upload(&bench, "a.txt", card).await.0, 400);
    let urls = json!({"roomId": room(GENERAL), "files": ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]});
    assert_eq!(bench.post(TOKEN, "/messages", urls).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn a_public_address_is_fetched_by_the_service() {
    let bench = Bench::new().await;
    let url = bench.app_url.replace("/webex/events", "/public/notes.txt");
    let posted = bench.says(GENERAL, json!({"files": [url]})).await;
    let got = bench.call(TOKEN, Method::GET, posted["files"][0].as_str().unwrap(), &Value::Null).await;
    assert_eq!(&got.body[..], b"a public file");
    assert_eq!(got.headers["content-disposition"], "attachment; filename=\"notes.txt\"");
    let body = json!({"roomId": room(GENERAL), "files": ["http://127.0.0.1:9/a"]});
    assert_eq!(bench.post(TOKEN, "/messages", body).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn files_are_scanned_first() {
    let mut config = config();
    config.timing = WebexTiming {
        scan: Duration::from_mins(10),
        scan_retry_after: Duration::from_secs(2),
        ..WebexTiming::default()
    };
    let bench = Bench::with(config).await;
    let posted = upload(&bench, "plan.pdf", "").await.1;
    let url = posted["files"][0].as_str().unwrap();
    let locked = bench.call(TOKEN, Method::GET, url, &Value::Null).await;
    assert_eq!(locked.status, 423);
    assert_eq!(locked.headers["retry-after"], "2");
    bench.world.clock.advance(Duration::from_mins(10));
    assert_eq!(bench.call(TOKEN, Method::GET, url, &Value::Null).await.status, 200);
    bench.sim.set_scan(id(&posted), Scan::Running).unwrap();
    assert_eq!(bench.call(TOKEN, Method::HEAD, url, &Value::Null).await.status, 423);
    bench.sim.set_scan(id(&posted), Scan::Infected).unwrap();
    assert_eq!(bench.call(TOKEN, Method::GET, url, &Value::Null).await.status, 410);
    bench.sim.set_scan(id(&posted), Scan::Unscannable).unwrap();
    assert_eq!(bench.call(TOKEN, Method::GET, url, &Value::Null).await.status, 428);
    let allowed = bench.call(TOKEN, Method::GET, &format!("{url}?allow=unscannable"), &Value::Null).await;
    assert_eq!(&allowed.body[..], b"%PDF the plan");
    bench.done().await;
}

#[tokio::test]
async fn a_client_can_send_several_files() {
    let bench = Bench::new().await;
    let post = Post { text: "two", files: vec![("a.txt", b"a"), ("b.png", b"b")], ..Post::default() };
    let posted = bench.sim.post_with(&person(GITA), &room(GENERAL), &post).unwrap();
    let shown = bench.get(TOKEN, &format!("/messages/{posted}")).await.1;
    assert_eq!(shown["files"].as_array().unwrap().len(), 2);
    assert_eq!(shown["isVoiceClip"], false);
    let second = bench.call(TOKEN, Method::GET, shown["files"][1].as_str().unwrap(), &Value::Null).await;
    assert_eq!(&second.body[..], b"b");
    assert_eq!(second.headers["content-type"], "image/png");
    // Who is not in the space gets nothing.
    let made = bench.sim.create_room(&person(GITA), "Closed").unwrap();
    let hidden = bench.sim.post_with(&person(GITA), &made, &post).unwrap();
    let shown = bench.get(&personal("gita.rao"), &format!("/messages/{hidden}")).await.1;
    let url = shown["files"][0].as_str().unwrap();
    assert_eq!(bench.call(TOKEN, Method::GET, url, &Value::Null).await.status, 404);
    bench.done().await;
}

#[tokio::test]
async fn contents_may_tell_no_length() {
    let mut config = config();
    config.doubts.contents_without_length = true;
    let bench = Bench::with(config).await;
    let posted = upload(&bench, "plan.pdf", "").await.1;
    let url = posted["files"][0].as_str().unwrap();
    for (method, body) in [(Method::HEAD, &b""[..]), (Method::GET, b"%PDF the plan")] {
        let answer = bench.call(TOKEN, method, url, &Value::Null).await;
        assert!(!answer.headers.contains_key("content-length"), "{:?}", answer.headers);
        assert_eq!(&answer.body[..], body);
    }
    bench.done().await;
}

#[tokio::test]
async fn files_have_a_largest_size() {
    let mut config = config();
    config.limits.file_bytes = 12;
    let bench = Bench::with(config).await;
    assert_eq!(upload(&bench, "plan.pdf", "").await.0, 400);
    bench.done().await;
}
