use std::time::Duration;

use dragoman_sim::webex::{WebexDoubts, WebexLimits, WebexSimConfig, ids};
use http::Method;
use serde_json::{Value, json};

use super::bench::{
    BOT_TOKEN, Bench, CLUSTER, GENERAL, LAUNCH, REFRESH, TOKEN, config, id, message, next_link, parts,
    person, personal, room,
};

#[tokio::test]
async fn without_a_valid_token_everything_is_401() {
    let bench = Bench::new().await;
    let none = bench.send(Method::GET, "/v1/people/me", &[], b"").await;
    let (status, body) = parts(&none);
    assert_eq!(status, 401);
    let text = "The request requires a valid access token set in the Authorization request header.";
    assert_eq!(body["message"], text);
    assert_eq!(body["errors"], json!([{"description": text}]));
    assert!(body["trackingId"].as_str().unwrap().starts_with("ROUTER_"));
    assert_eq!(none.headers["trackingid"], body["trackingId"].as_str().unwrap());
    assert_eq!(bench.get("unknown", "/rooms").await.0, 401);
    bench.world.clock.advance(Duration::from_hours(14 * 24 + 1));
    assert_eq!(bench.get(TOKEN, "/rooms").await.0, 401);
    // Those of bots do not expire.
    assert_eq!(bench.get(BOT_TOKEN, "/rooms").await.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn every_answer_has_a_tracking_id_and_the_services_content_type() {
    let bench = Bench::new().await;
    let me = bench.call(TOKEN, Method::GET, "/people/me", &Value::Null).await;
    assert_eq!(me.headers["content-type"], "application/json;charset=UTF-8");
    assert!(me.headers.contains_key("trackingid"));
    let posted = bench.says(GENERAL, json!({"text": "gone soon"})).await;
    let gone = bench.call(TOKEN, Method::DELETE, &format!("/messages/{}", id(&posted)), &Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    assert!(gone.headers.contains_key("trackingid"));
    bench.done().await;
}

#[tokio::test]
async fn missing_scopes_and_unknown_calls_are_refused() {
    let mut config = config();
    config.integrations[0].granted[0].scopes = vec!["spark:rooms_read".to_owned()];
    let bench = Bench::with(config).await;
    assert_eq!(bench.get(TOKEN, "/rooms").await.0, 200);
    let (status, body) = bench.get(TOKEN, "/people/me").await;
    assert_eq!(status, 403);
    assert!(message(&body).contains("missing required scopes"), "{body}");
    assert_eq!(bench.post(TOKEN, "/messages", json!({"roomId": room(GENERAL), "text": "x"})).await.0, 403);
    assert_eq!(bench.post(TOKEN, "/rooms", json!({"title": "x"})).await.0, 403);
    let hook = json!({"name": "n", "targetUrl": bench.app_url, "resource": "messages", "event": "created"});
    assert_eq!(bench.post(TOKEN, "/webhooks", hook).await.0, 403);
    assert_eq!(bench.get(TOKEN, "/nonsense").await.0, 404);
    assert_eq!(bench.put(TOKEN, "/rooms", json!({})).await.0, 405);
    bench.done().await;
}

#[tokio::test]
async fn there_is_no_call_for_reactions() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "react to me"})).await;
    let path = format!("/messages/{}/reactions", id(&posted));
    assert_eq!(bench.post(TOKEN, &path, json!({"name": "heart"})).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn bodies_are_json_form_or_multipart_and_nothing_else() {
    let bench = Bench::new().await;
    let bearer = format!("Bearer {TOKEN}");
    let send = async |kind: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        parts(&bench.send(Method::POST, "/v1/messages", &headers, body.as_bytes()).await)
    };
    let general = room(GENERAL);
    let form = super::bench::encode(&[("roomId", &general), ("text", "by form")]);
    assert_eq!(send("application/x-www-form-urlencoded", &form).await.1["text"], "by form");
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"roomId\"\r\n\r\n{general}\r\n--b\r\nContent-Disposition: \
         form-data; name=\"markdown\"\r\n\r\n**by** multipart\r\n--b--\r\n"
    );
    let (status, posted) = send("multipart/form-data; boundary=b", &multipart).await;
    assert_eq!((status, posted["text"].as_str()), (200, Some("by multipart")));
    let (status, body) = send("application/xml", "<a/>").await;
    assert_eq!((status, message(&body)), (415, "Content type 'application/xml' not supported"));
    assert!(body["trackingId"].as_str().unwrap().starts_with("NA_"));
    assert_eq!(send("application/json", "{").await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn ids_name_the_region_and_the_wrong_one_is_404() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"text": "in Europe"})).await;
    let named = ids::read("MESSAGE", id(&posted)).unwrap();
    assert_eq!(named.cluster.as_deref(), Some(CLUSTER));
    for (kind, uuid, path) in [("MESSAGE", named.key.as_str(), "messages"), ("ROOM", GENERAL, "rooms")] {
        assert_eq!(bench.get(TOKEN, &format!("/{path}/{}", ids::public(CLUSTER, kind, uuid))).await.0, 200);
        assert_eq!(bench.get(TOKEN, &format!("/{path}/{}", ids::public("us", kind, uuid))).await.0, 404);
        assert_eq!(bench.get(TOKEN, &format!("/{path}/{uuid}")).await.0, 200, "a bare uuid will do");
    }
    // People are in `us`, wherever they are.
    assert_eq!(posted["personId"], person(super::bench::SERVICE));
    let wrong = ids::public(CLUSTER, "PEOPLE", super::bench::SERVICE);
    assert_eq!(bench.get(TOKEN, &format!("/people/{wrong}")).await.0, 404);
    let (status, body) = bench.get(TOKEN, "/messages/not-an-id").await;
    assert_eq!((status, message(&body)), (400, "Expect base64 ID or UUID."));
    bench.done().await;
}

#[tokio::test]
async fn lists_go_on_by_the_next_link_alone() {
    let bench = Bench::new().await;
    let all = bench.get(TOKEN, &format!("/memberships?roomId={}", room(GENERAL))).await.1;
    let mut url = format!("/memberships?roomId={}&max=3", room(GENERAL));
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let answer = bench.call(TOKEN, Method::GET, &url, &Value::Null).await;
        let body = parts(&answer).1;
        seen.extend(body["items"].as_array().unwrap().iter().map(|one| id(one).to_owned()));
        pages += 1;
        match next_link(&answer) {
            Some(next) => url = next,
            None => break,
        }
    }
    assert_eq!(pages, 2);
    let whole: Vec<String> = all["items"].as_array().unwrap().iter().map(|one| id(one).to_owned()).collect();
    assert_eq!(seen, whole);
    bench.done().await;
}

#[tokio::test]
async fn an_empty_page_can_have_a_next_one() {
    let mut config = config();
    config.doubts = WebexDoubts { empty_first_page: true, ..WebexDoubts::default() };
    config.link_base = Some("https://api.alias.example".to_owned());
    let bench = Bench::with(config).await;
    bench.says(GENERAL, json!({"text": "on the second page"})).await;
    for path in [format!("/messages?roomId={}", room(GENERAL)), "/rooms".to_owned()] {
        let first = bench.call(TOKEN, Method::GET, &path, &Value::Null).await;
        assert_eq!(parts(&first).1["items"], json!([]));
        let next = next_link(&first).unwrap();
        let next = next.strip_prefix("https://api.alias.example/v1").unwrap();
        let second = parts(&bench.call(TOKEN, Method::GET, next, &Value::Null).await).1;
        assert!(!second["items"].as_array().unwrap().is_empty(), "{second}");
    }
    bench.done().await;
}

#[tokio::test]
async fn items_that_cannot_be_decrypted_say_so() {
    let bench = Bench::new().await;
    let posted = bench.says(GENERAL, json!({"markdown": "**secret**"})).await;
    bench.sim.set_decryptable(id(&posted), false);
    let list = bench.get(TOKEN, &format!("/messages?roomId={}", room(GENERAL))).await;
    assert_eq!(list.0, 200);
    let item = &list.1["items"][0];
    for field in ["text", "html", "markdown"] {
        assert!(item[field].as_str().unwrap().starts_with("eyJ"), "{item}");
        assert_eq!(item["errors"][field]["code"], "kms_failure");
    }
    bench.sim.set_decryptable(id(&posted), true);
    let item = bench.get(TOKEN, &format!("/messages/{}", id(&posted))).await.1;
    assert_eq!((item["text"].as_str(), item.get("errors")), (Some("secret"), None));
    bench.sim.set_decryptable(&room(LAUNCH), false);
    let launch = bench.get(TOKEN, &format!("/rooms/{}", room(LAUNCH))).await.1;
    assert_eq!(launch["errors"]["title"]["reason"], "Key management server failed to respond appropriately.");
    bench.done().await;
}

#[tokio::test]
async fn too_many_calls_are_refused_with_whole_seconds_and_no_json() {
    let mut config = config();
    config.limits = WebexLimits { calls_per_minute: 3, ..WebexLimits::default() };
    let bench = Bench::with(config).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(bench.call(TOKEN, Method::GET, "/rooms", &Value::Null).await);
    }
    let last = answers.pop().unwrap();
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(last.status, 429);
    let wait: u64 = last.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert!(serde_json::from_slice::<Value>(&last.body).is_err());
    // Another resource, another token: not concerned.
    assert_eq!(bench.get(TOKEN, "/people/me").await.0, 200);
    assert_eq!(bench.get(&personal("gita.rao"), "/rooms").await.0, 200);
    bench.world.clock.advance(Duration::from_mins(1));
    assert_eq!(bench.get(TOKEN, "/rooms").await.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn a_pause_can_last_an_hour_and_counts_down() {
    let bench = Bench::new().await;
    bench.sim.limit(TOKEN, "messages", Duration::from_hours(1));
    let path = format!("/messages?roomId={}", room(GENERAL));
    let refused = bench.call(TOKEN, Method::GET, &path, &Value::Null).await;
    assert_eq!((refused.status.as_u16(), refused.headers["retry-after"].to_str().unwrap()), (429, "3600"));
    assert_eq!(bench.get(TOKEN, "/rooms").await.0, 200);
    bench.world.clock.advance(Duration::from_mins(50));
    let refused = bench.call(TOKEN, Method::GET, &path, &Value::Null).await;
    let left: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((590..=600).contains(&left));
    bench.world.clock.advance(Duration::from_mins(10));
    assert_eq!(bench.get(TOKEN, &path).await.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn posts_into_one_space_are_limited_for_all_tokens_together() {
    let mut config = config();
    config.limits = WebexLimits { post_burst: 2, posts_per_second: 0.5, ..WebexLimits::default() };
    let bench = Bench::with(config).await;
    let say = async |token: &str, to: &str| {
        bench.call(token, Method::POST, "/messages", &json!({"roomId": room(to), "text": "x"})).await
    };
    assert_eq!(say(TOKEN, GENERAL).await.status, 200);
    assert_eq!(say(&personal("gita.rao"), GENERAL).await.status, 200);
    let refused = say(&personal("henrik.dahl"), GENERAL).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(say(TOKEN, LAUNCH).await.status, 200);
    bench.world.clock.advance(Duration::from_secs(2));
    assert_eq!(say(TOKEN, GENERAL).await.status, 200);
    bench.done().await;
}

#[tokio::test]
async fn the_default_world_is_complete() {
    let bench = Bench::with(WebexSimConfig::installed(TOKEN, REFRESH)).await;
    let rooms = bench.get(TOKEN, "/rooms").await.1;
    let mut titles: Vec<&str> =
        rooms["items"].as_array().unwrap().iter().map(|room| room["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["General", "Launch"]);
    assert_eq!(bench.sim.room_id("General").unwrap(), room(GENERAL));
    assert_eq!(bench.sim.person_id("Gita Rao").unwrap(), person(super::bench::GITA));
    assert_eq!(bench.sim.members(&room(GENERAL)).len(), 4);
    bench.done().await;
}
