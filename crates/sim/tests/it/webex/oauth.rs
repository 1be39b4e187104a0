use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dragoman_sim::webex::{SeedIntegration, WebexDoubts, WebexSimConfig};
use http::Method;
use serde_json::{Value, json};

use super::bench::{BOT_TOKEN, Bench, GITA, REFRESH, SERVICE, TOKEN, config, encode, parts, person};

const BACK: &str = "https://bridge.example/oauth/webex";
const SECRET: &str = "webex-client-secret-for-simulation";

fn registered() -> WebexSimConfig {
    let mut config = WebexSimConfig { auto_approve: true, ..WebexSimConfig::default() };
    config.integrations[0].redirect_uris = vec![BACK.to_owned()];
    config
}

fn client() -> String {
    SeedIntegration::default().client_id
}

/// Where the authorise page leads.
async fn authorise(bench: &Bench, fields: &[(&str, &str)]) -> Result<Vec<(String, String)>, u16> {
    let answer = bench.send(Method::GET, &format!("/v1/authorize?{}", encode(fields)), &[], b"").await;
    if answer.status != 302 {
        return Err(answer.status.as_u16());
    }
    let url = url::Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    assert!(url.as_str().starts_with(BACK));
    Ok(url.query_pairs().into_owned().collect())
}

fn value<'v>(pairs: &'v [(String, String)], name: &str) -> Option<&'v str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

async fn code(bench: &Bench, more: &[(&str, &str)]) -> String {
    let id = client();
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", id.as_str()),
        ("redirect_uri", BACK),
        ("scope", "spark:people_read spark:messages_read"),
        ("state", "s t&te"),
    ];
    fields.extend_from_slice(more);
    let pairs = authorise(bench, &fields).await.unwrap();
    assert_eq!(value(&pairs, "state"), Some("s t&te"));
    value(&pairs, "code").unwrap().to_owned()
}

async fn exchange(bench: &Bench, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let id = client();
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("client_secret", SECRET),
        ("code", code),
        ("redirect_uri", BACK),
    ];
    for (key, value) in more {
        fields.retain(|(known, _)| known != key);
        fields.push((key, value));
    }
    bench.form("/v1/access_token", &fields).await
}

#[tokio::test]
async fn a_code_becomes_a_grant_once() {
    let bench = Bench::with(registered()).await;
    let text = code(&bench, &[]).await;
    let (status, grant) = exchange(&bench, &text, &[]).await;
    assert_eq!(status, 200, "{grant}");
    assert_eq!(
        (&grant["expires_in"], &grant["refresh_token_expires_in"]),
        (&json!(1_209_599), &json!(7_775_999))
    );
    assert_eq!(
        (grant["token_type"].as_str(), grant["scope"].as_str()),
        (Some("Bearer"), Some("spark:messages_read spark:people_read"))
    );
    let access = grant["access_token"].as_str().unwrap();
    assert_eq!(access.split('_').count(), 3, "{access}");
    assert_eq!(bench.get(access, "/people/me").await.1["id"], person(SERVICE));
    assert_eq!(exchange(&bench, &text, &[]).await.0, 400, "a code works once");
    let late = code(&bench, &[]).await;
    bench.world.clock.advance(Duration::from_mins(3));
    assert_eq!(exchange(&bench, &late, &[]).await.0, 400);
    let other = code(&bench, &[]).await;
    assert_eq!(exchange(&bench, &other, &[("redirect_uri", "https://bridge.example/")]).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn client_credentials_are_checked_and_may_come_as_basic() {
    let bench = Bench::with(registered()).await;
    let (status, body) = exchange(&bench, "x", &[("client_id", "Cwrong")]).await;
    assert_eq!(status, 400);
    assert_eq!(body["message"], "The request could not be understood by the server due to malformed syntax.");
    assert_eq!(body["errors"][0]["description"], "Client Id is invalid");
    assert_eq!(exchange(&bench, "x", &[("client_secret", "wrong")]).await.0, 401);
    assert_eq!(exchange(&bench, "x", &[("grant_type", "password")]).await.0, 400);
    let text = code(&bench, &[]).await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{SECRET}", client())));
    let fields = [("grant_type", "authorization_code"), ("code", text.as_str()), ("redirect_uri", BACK)];
    let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = bench.send(Method::POST, "/v1/access_token", &headers, encode(&fields).as_bytes()).await;
    assert_eq!(answer.status, 200);
    let json =
        bench.send(Method::POST, "/v1/access_token", &[("content-type", "application/json")], b"{}").await;
    assert_eq!(json.status, 415);
    bench.done().await;
}

#[tokio::test]
async fn the_authorise_page_checks_what_it_is_given() {
    let bench = Bench::with(registered()).await;
    let id = client();
    let good = [
        ("response_type", "code"),
        ("client_id", id.as_str()),
        ("redirect_uri", BACK),
        ("scope", "spark:people_read"),
        ("state", "s"),
    ];
    let with = |name: &'static str, other: &'static str| {
        good.map(|(key, value)| (key, if key == name { other } else { value }))
    };
    assert_eq!(authorise(&bench, &with("client_id", "Cunknown")).await, Err(400));
    assert_eq!(
        authorise(&bench, &with("redirect_uri", "https://bridge.example/oauth/webex/")).await,
        Err(400)
    );
    let scope = authorise(&bench, &with("scope", "spark:people_read spark:rooms_write")).await.unwrap();
    assert_eq!((value(&scope, "error"), value(&scope, "state")), (Some("invalid_scope"), Some("s")));
    let kind = authorise(&bench, &with("response_type", "token")).await.unwrap();
    assert_eq!(value(&kind, "error"), Some("unsupported_response_type"));
    bench.done().await;
}

#[tokio::test]
async fn a_person_can_decline_or_another_one_accept() {
    let mut config = registered();
    config.auto_approve = false;
    let bench = Bench::with(config).await;
    let id = client();
    let ask = [
        ("response_type", "code"),
        ("client_id", id.as_str()),
        ("redirect_uri", BACK),
        ("scope", "spark:people_read"),
        ("state", "s"),
    ];
    let page = bench.send(Method::GET, &format!("/v1/authorize?{}", encode(&ask)), &[], b"").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("data-test=allow") && text.contains("spark:people_read"));
    let first = text.find("Dragoman Bridge").unwrap();
    assert!(first < text.find("Gita Rao").unwrap(), "the service account is offered first");
    let decide = async |allow: &str| {
        let mut fields = ask.to_vec();
        fields.extend([("sim_user", GITA), ("sim_allow", allow)]);
        let path = format!("/v1/authorize/decision?{}", encode(&fields));
        let answer = bench.send(Method::GET, &path, &[], b"").await;
        answer.headers["location"].to_str().unwrap().to_owned()
    };
    assert!(decide("0").await.contains("error=access_denied&state=s"));
    let back = url::Url::parse(&decide("1").await).unwrap();
    let text = back.query_pairs().find(|(key, _)| key == "code").unwrap().1.into_owned();
    let grant = exchange(&bench, &text, &[]).await.1;
    let me = bench.get(grant["access_token"].as_str().unwrap(), "/people/me").await.1;
    assert_eq!(me["id"], person(GITA));
    bench.done().await;
}

#[tokio::test]
async fn pkce_binds_the_code_to_its_verifier() {
    let bench = Bench::with(registered()).await;
    let verifier = "v".repeat(43);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(digest);
    let with = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let text = code(&bench, &with).await;
    assert_eq!(exchange(&bench, &text, &[]).await.0, 400);
    let text = code(&bench, &with).await;
    assert_eq!(exchange(&bench, &text, &[("code_verifier", verifier.as_str())]).await.0, 200);
    bench.done().await;
}

async fn refresh(bench: &Bench, token: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", &client()),
        ("client_secret", SECRET),
        ("refresh_token", token),
    ]
    .map(|(key, value): (&str, &str)| (key, value.to_owned()));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (*key, value.as_str())).collect();
    bench.form("/v1/access_token", &fields).await
}

#[tokio::test]
async fn a_refresh_gives_a_new_access_token_and_renews_itself() {
    let bench = Bench::new().await;
    let (status, grant) = refresh(&bench, REFRESH).await;
    assert_eq!(status, 200);
    assert_eq!(grant["refresh_token"], REFRESH);
    assert_ne!(grant["access_token"], TOKEN);
    assert_eq!(bench.get(TOKEN, "/people/me").await.0, 200, "the old one lives on");
    for _ in 0..3 {
        bench.world.clock.advance(Duration::from_hours(80 * 24));
        assert_eq!(refresh(&bench, REFRESH).await.0, 200);
    }
    bench.world.clock.advance(Duration::from_hours(91 * 24));
    let (status, body) = refresh(&bench, REFRESH).await;
    assert_eq!(status, 400, "90 idle days end it: {body}");
    bench.done().await;
}

#[tokio::test]
async fn a_refresh_may_rotate_and_end_what_was_before() {
    let mut config = config();
    config.doubts =
        WebexDoubts { refresh_rotates: true, refresh_ends_access: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    let grant = refresh(&bench, REFRESH).await.1;
    assert_ne!(grant["refresh_token"], REFRESH);
    assert_eq!(bench.get(TOKEN, "/people/me").await.0, 401);
    assert_eq!(bench.get(grant["access_token"].as_str().unwrap(), "/people/me").await.0, 200);
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn revoking_ends_access_and_refresh() {
    let bench = Bench::new().await;
    let grants = bench.get(TOKEN, "/authorizations").await.1;
    assert_eq!(grants["items"][0]["clientId"], client());
    let expiry = bench.get(TOKEN, "/authorizations/tokenExpiry").await.1;
    assert!(expiry["exp"].as_i64().unwrap() > bench.world.clock.millis());
    assert_eq!(bench.delete(TOKEN, &format!("/authorizations?clientId={}", client())).await.0, 204);
    assert_eq!(bench.get(TOKEN, "/people/me").await.0, 401);
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    assert_eq!(bench.get(BOT_TOKEN, "/authorizations").await.0, 403);
    bench.done().await;
    let bench = Bench::new().await;
    bench.sim.revoke(&person(SERVICE), &client());
    assert_eq!(bench.get(TOKEN, "/people/me").await.0, 401);
    bench.done().await;
}

#[tokio::test]
async fn a_device_waits_for_somebody_to_approve() {
    let bench = Bench::new().await;
    let id = client();
    let ask = [("client_id", id.as_str()), ("scope", "spark:people_read")];
    let (status, device) = bench.form("/v1/device/authorize", &ask).await;
    assert_eq!((status, &device["interval"]), (200, &json!(2)), "{device}");
    let poll = async || {
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{SECRET}")));
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device["device_code"].as_str().unwrap()),
            ("client_id", id.as_str()),
        ];
        let headers =
            [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        parts(&bench.send(Method::POST, "/v1/device/token", &headers, encode(&fields).as_bytes()).await)
    };
    let (status, body) = poll().await;
    assert_eq!((status, body["errors"][0]["description"].as_str()), (428, Some("authorization_pending")));
    let page = device["verification_uri_complete"].as_str().unwrap();
    bench.send(Method::GET, &format!("{page}&sim_user={GITA}"), &[], b"").await;
    let (status, grant) = poll().await;
    assert_eq!(status, 200);
    let me = bench.get(grant["access_token"].as_str().unwrap(), "/people/me").await.1;
    assert_eq!(me["id"], person(GITA));
    assert_eq!(poll().await.0, 400);
    bench.done().await;
}
