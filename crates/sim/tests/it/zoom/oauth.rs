//! Consent, tokens, rotation, scopes, removal.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_sim::core::Answer;
use dragoman_sim::zoom::{AppKind, ZoomSimConfig};
use http::Method;
use serde_json::{Value, json};
use url::Url;

use super::bench::*;

const BACK: &str = "http://127.0.0.1:9/zoom/oauth/callback";

fn fresh() -> ZoomSimConfig {
    let mut config = config();
    config.apps[0].installed.clear();
    config.apps[0].redirect_urls = vec![BACK.to_owned()];
    config.auto_approve = true;
    config
}

async fn authorize(bench: &Bench, more: &[(&str, &str)]) -> Answer {
    let mut fields =
        vec![("response_type", "code"), ("client_id", CLIENT.0), ("redirect_uri", BACK), ("state", "s1")];
    for (key, value) in more {
        fields.retain(|(known, _)| known != key);
        fields.push((key, value));
    }
    bench.send(Method::GET, &format!("/oauth/authorize?{}", encode(&fields)), &[], b"").await
}

fn returned(answer: &Answer, key: &str) -> Option<String> {
    let target = Url::parse(answer.headers.get("location")?.to_str().ok()?).ok()?;
    target.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
}

async fn code_of(bench: &Bench, more: &[(&str, &str)]) -> String {
    returned(&authorize(bench, more).await, "code").expect("a code")
}

async fn redeem(bench: &Bench, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut fields = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)];
    fields.extend_from_slice(more);
    bench.form("/oauth/token", CLIENT, &fields).await
}

async fn refresh(bench: &Bench, token: &str) -> (u16, Value) {
    bench.form("/oauth/token", CLIENT, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

fn text(answer: &Value, key: &str) -> String {
    answer[key].as_str().unwrap_or_default().to_owned()
}

async fn works(bench: &Bench, token: &str) -> bool {
    bench.call_as(token, Method::GET, &format!("/users/{THEO}"), Value::Null).await.0 == 200
}

#[tokio::test]
async fn a_code_becomes_a_grant_once() {
    let bench = Bench::with(fresh()).await;
    let answer = authorize(&bench, &[]).await;
    assert_eq!(returned(&answer, "state").as_deref(), Some("s1"));
    let code = returned(&answer, "code").unwrap();
    let (status, token) = redeem(&bench, &code, &[]).await;
    assert_eq!(status, 200);
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("bearer"), &json!(3_599)));
    assert_eq!(token["api_url"], bench.sim.base_url());
    assert!(text(&token, "scope").split(' ').any(|scope| scope == "team_chat:write:user_message:admin"));
    assert!(works(&bench, &text(&token, "access_token")).await);
    assert!(bench.app.event("bot_installed").await["payload"]["robotJid"] == ROBOT);
    let (status, again) = redeem(&bench, &code, &[]).await;
    assert_eq!((status, &again["error"]), (400, &json!("invalid_grant")));
    bench.done().await;
}

#[tokio::test]
async fn codes_expire_and_belong_to_their_redirect_address() {
    let bench = Bench::with(fresh()).await;
    let code = code_of(&bench, &[]).await;
    bench.world.clock.advance(Duration::from_mins(5));
    assert_eq!(redeem(&bench, &code, &[]).await.1["error"], "invalid_grant");
    let code = code_of(&bench, &[]).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "http://127.0.0.1:9/"),
    ];
    assert_eq!(bench.form("/oauth/token", CLIENT, &fields).await.1["error"], "invalid_request");
    bench.done().await;
}

#[tokio::test]
async fn token_parameters_come_in_body_or_query_with_basic_credentials() {
    let bench = Bench::with(fresh()).await;
    let code = code_of(&bench, &[]).await;
    let query = encode(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK)]);
    assert_eq!(bench.form(&format!("/oauth/token?{query}"), CLIENT, &[]).await.0, 200);
    let wrong = bench.form("/oauth/token", (CLIENT.0, "no"), &[("grant_type", "refresh_token")]).await;
    assert_eq!((wrong.0, &wrong.1["error"]), (401, &json!("invalid_client")));
    let strange = bench.form("/oauth/token", CLIENT, &[("grant_type", "password")]).await;
    assert_eq!((strange.0, &strange.1["error"]), (400, &json!("unsupported_grant_type")));
    assert_eq!(bench.form("/oauth/token", CLIENT, &[]).await.1["error"], "invalid_request");
    bench.done().await;
}

#[tokio::test]
async fn the_consent_page_checks_what_it_is_given() {
    let bench = Bench::with(fresh()).await;
    for (change, code) in [
        (("client_id", "unknown"), "4702"),
        (("client_id", ""), "4706"),
        (("redirect_uri", "http://127.0.0.1:9/zoom/oauth/callback/"), "4709"),
        (("response_type", "token"), "4705"),
        (("code_challenge_method", "S512"), "4700"),
    ] {
        let more = [change, ("code_challenge", "x")];
        let page = authorize(&bench, &more).await;
        assert_eq!(page.status, 400);
        assert!(String::from_utf8_lossy(&page.body).contains(code), "{code}");
    }
    bench.done().await;
}

#[tokio::test]
async fn only_administrators_approve_an_admin_managed_app() {
    let mut config = fresh();
    config.auto_approve = false;
    let bench = Bench::with(config).await;
    let page = authorize(&bench, &[]).await;
    let html = String::from_utf8_lossy(&page.body).into_owned();
    assert!(html.contains("Theo Lindqvist") && !html.contains("Imani Okoye"));
    let decide = async |user: &str, allow: &str| {
        let fields = [
            ("response_type", "code"),
            ("client_id", CLIENT.0),
            ("redirect_uri", BACK),
            ("sim_user", user),
            ("sim_allow", allow),
        ];
        let path = format!("/oauth/authorize/decision?{}", encode(&fields));
        bench.send(Method::GET, &path, &[], b"").await
    };
    assert!(returned(&decide(THEO, "1").await, "code").is_some());
    assert_eq!(returned(&decide(THEO, "0").await, "error").as_deref(), Some("access_denied"));
    assert_eq!(decide(IMANI, "1").await.status, 400);
    bench.done().await;
}

#[tokio::test]
async fn pkce_binds_the_code_to_its_verifier() {
    let bench = Bench::with(fresh()).await;
    let verifier = "a-verifier-of-some-length-a-verifier-of-some-length";
    let hashed = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
    let asked = [("code_challenge", hashed.as_str()), ("code_challenge_method", "S256")];
    let code = code_of(&bench, &asked).await;
    assert_eq!(redeem(&bench, &code, &[("code_verifier", "wrong")]).await.0, 400);
    let code = code_of(&bench, &asked).await;
    assert_eq!(redeem(&bench, &code, &[("code_verifier", verifier)]).await.0, 200);
    let plain = [("code_challenge", verifier), ("code_challenge_method", "plain")];
    let code = code_of(&bench, &plain).await;
    assert_eq!(redeem(&bench, &code, &[("code_verifier", verifier)]).await.0, 200);
    bench.done().await;
}

#[tokio::test]
async fn refresh_tokens_rotate_and_the_old_one_is_dead() {
    let bench = Bench::new().await;
    let (status, first) = refresh(&bench, REFRESH).await;
    assert_eq!(status, 200);
    let new = text(&first, "refresh_token");
    assert_ne!(new, REFRESH);
    let (status, dead) = refresh(&bench, REFRESH).await;
    assert_eq!((status, &dead["error"]), (400, &json!("invalid_grant")));
    assert_eq!(dead["reason"], "Invalid Token!");
    assert_eq!(refresh(&bench, &new).await.0, 200);
    // The access token from before goes on until it expires.
    assert!(works(&bench, TOKEN).await);
    bench.done().await;
    let mut config = config();
    config.doubts.refresh_grace = Duration::from_mins(1);
    let bench = Bench::with(config).await;
    assert_eq!(refresh(&bench, REFRESH).await.0, 200);
    assert_eq!(refresh(&bench, REFRESH).await.0, 200);
    bench.world.clock.advance(Duration::from_secs(61));
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn tokens_expire() {
    let bench = Bench::new().await;
    bench.world.clock.advance(Duration::from_hours(1));
    let answer = bench.call(Method::GET, &format!("/users/{THEO}"), Value::Null).await;
    assert_eq!(answer, (401, json!({"code": 124, "message": "Access token is expired."})));
    let answer = bench.call_as("no such token", Method::GET, "/users/x", Value::Null).await;
    assert_eq!(answer, (401, json!({"code": 124, "message": "Invalid access token."})));
    assert_eq!(refresh(&bench, REFRESH).await.0, 200);
    bench.world.clock.advance(Duration::from_hours(91 * 24));
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn a_new_authorisation_revokes_the_older_tokens() {
    let mut config = config();
    config.apps[0].redirect_urls = vec![BACK.to_owned()];
    config.auto_approve = true;
    let bench = Bench::with(config).await;
    let code = code_of(&bench, &[]).await;
    let (_, token) = redeem(&bench, &code, &[]).await;
    assert!(works(&bench, &text(&token, "access_token")).await);
    assert!(!works(&bench, TOKEN).await);
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn tokens_are_revoked() {
    let bench = Bench::new().await;
    let (status, answer) = bench.form("/oauth/revoke", CLIENT, &[("token", TOKEN)]).await;
    assert_eq!((status, answer), (200, json!({"status": "success"})));
    assert!(!works(&bench, TOKEN).await);
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    assert_eq!(bench.form("/oauth/revoke", CLIENT, &[("token", TOKEN)]).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn missing_scopes_are_named() {
    let mut config = config();
    config.apps[0].scopes.retain(|scope| !scope.contains("write:user_message"));
    let bench = Bench::with(config).await;
    let answer = bench.post(json!({"message": "x", "to_channel": GENERAL})).await;
    let words = "Invalid access token, does not contain scopes:[team_chat:write:user_message, team_chat:write:user_message:admin].";
    assert_eq!(answer, (400, json!({"code": 4_711, "message": words})));
    bench.done().await;
    for number in [4_700, 104] {
        let mut config = super::bench::config();
        config.apps[0].scopes.clear();
        config.doubts.scope_code = number;
        let bench = Bench::with(config).await;
        let answer = bench.post(json!({"message": "x", "to_channel": GENERAL})).await;
        assert_eq!(code(&answer), (400, u64::from(number)));
        bench.done().await;
    }
}

#[tokio::test]
async fn classic_scopes_do_as_well() {
    let mut config = config();
    config.apps[0].scopes = ["chat_message:write:admin", "chat_message:read:admin", "chat:read:admin"]
        .map(str::to_owned)
        .to_vec();
    let bench = Bench::with(config).await;
    let id = bench.say("classic").await;
    assert_eq!(bench.message(&id).await.0, 200);
    bench.app.event("team_chat.channel_message_posted").await;
    assert_eq!(bench.call(Method::GET, &format!("/users/{THEO}"), Value::Null).await.0, 400);
    bench.done().await;
}

#[tokio::test]
async fn an_admin_managed_app_acts_for_anybody_whose_account_it_is() {
    let bench = Bench::with(config().with_outsider()).await;
    for who in [IMANI, "imani.okoye@kestrel-outfitters.example"] {
        assert!(bench.get(&format!("/chat/users/{who}/channels")).await["channels"].is_array());
    }
    assert_eq!(
        code(&bench.call(Method::GET, &format!("/chat/users/{SOLVEIG}/channels"), Value::Null).await),
        (404, 1_001)
    );
    assert_eq!(bench.get("/chat/users/me/channels").await["channels"].as_array().unwrap().len(), 4);
    bench.sim.change_person(THEO, |person| person.admin = false).unwrap();
    let answer = bench.call(Method::GET, &format!("/chat/users/{IMANI}/channels"), Value::Null).await;
    assert_eq!(code(&answer), (403, 200), "the role of who authorised counts");
    bench.done().await;
    let mut config = config();
    config.doubts.me_in_admin_apps = false;
    let bench = Bench::with(config).await;
    assert_eq!(bench.call(Method::GET, "/chat/users/me/channels", Value::Null).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn a_user_managed_app_passes_me() {
    let mut config = config();
    config.apps[0].kind = AppKind::User;
    config.apps[0].scopes = [
        "team_chat:read:list_user_channels",
        "user:read:user",
        "team_chat:read:list_contacts",
        "team_chat:write:member",
        "team_chat:write:user_message",
        "team_chat:read:list_scheduled_messages",
        "team_chat:delete:scheduled_message",
    ]
    .map(str::to_owned)
    .to_vec();
    let bench = Bench::with(config).await;
    assert_eq!(bench.get("/users/me").await["id"], THEO);
    assert!(bench.get("/chat/users/me/channels").await["channels"].is_array());
    assert_eq!(
        code(&bench.call(Method::GET, &format!("/chat/users/{THEO}/channels"), Value::Null).await),
        (400, 200)
    );
    assert_eq!(bench.get("/chat/users/me/contacts").await["contacts"].as_array().unwrap().len(), 3);
    let time = dragoman_sim::zoom::desk::iso(bench.world.clock.millis() + 45 * 60_000);
    let later = json!({"message": "later", "to_channel": GENERAL, "scheduled_time": time});
    let (_, sent) = bench.call(Method::POST, "/chat/users/me/messages", later).await;
    let waiting = bench.get("/chat/messages/schedule").await;
    assert_eq!(waiting["messages"][0]["draft_id"], sent["id"]);
    let path = format!("/chat/messages/schedule/{}", sent["id"].as_str().unwrap());
    assert_eq!(bench.call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(code(&bench.call(Method::DELETE, &path, Value::Null).await), (400, 5_404));
    bench.done().await;
}

#[tokio::test]
async fn a_server_to_server_app_works_in_its_own_account_only() {
    let mut config = config();
    config.apps[0].kind = AppKind::ServerToServer;
    config.apps[0].account = Some(KESTREL.to_owned());
    config.apps[0].installed.clear();
    let bench = Bench::with(config).await;
    let ask = async |account: &str| {
        let fields = [("grant_type", "account_credentials"), ("account_id", account)];
        bench.form("/oauth/token", CLIENT, &fields).await
    };
    assert_eq!(ask(TUNDRA).await.0, 400);
    let (status, token) = ask(KESTREL).await;
    assert_eq!(status, 200);
    assert!(token.get("refresh_token").is_none());
    let token = text(&token, "access_token");
    let path = format!("/chat/users/{BRIDGE}/messages");
    let sent =
        bench.call_as(&token, Method::POST, &path, json!({"message": "x", "to_channel": GENERAL})).await;
    assert_eq!(sent.0, 201);
    bench.app.event("team_chat.channel_message_posted").await;
    assert_eq!(bench.call_as(&token, Method::GET, "/chat/users/me/channels", Value::Null).await.0, 404);
    let bot = bench.form("/oauth/token", CLIENT, &[("grant_type", "client_credentials")]).await;
    assert_eq!(bot.1["error"], "unsupported_grant_type", "it cannot have a bot");
    bench.done().await;
}

#[tokio::test]
async fn removing_the_app_tells_it_and_kills_its_tokens() {
    let bench = Bench::new().await;
    bench.sim.deauthorize(APP, THEO);
    let told = bench.app.wait(1, |request| request.json["event"] == "app_deauthorized").await;
    assert_eq!(told[0].path, "/zoom/deauthorized");
    assert!(told[0].is_signed());
    let payload = &told[0].json["payload"];
    assert_eq!((&payload["user_id"], &payload["account_id"]), (&json!(THEO), &json!(KESTREL)));
    assert!(payload["event_ts"].is_string() && told[0].json.get("event_ts").is_none());
    assert!(!works(&bench, TOKEN).await);
    assert_eq!(refresh(&bench, REFRESH).await.0, 400);
    bench.sim.post(THEO, GENERAL, "unheard").unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("team_chat.channel_message_posted"), 0);
    let report = json!({"client_id": CLIENT.0, "user_id": THEO, "account_id": KESTREL,
        "deauthorization_event_received": payload, "compliance_completed": true});
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1));
    let basic = format!("Basic {pair}");
    let headers = [("authorization", basic.as_str()), ("content-type", "application/json")];
    let body = report.to_string();
    let answer = bench.send(Method::POST, "/oauth/data/compliance", &headers, body.as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(bench.sim.compliance_reports(), [report]);
    bench.done().await;
}

#[tokio::test]
async fn an_unpublished_app_may_not_be_told_of_its_removal() {
    let mut config = config();
    config.doubts.deauthorization_sent = false;
    let bench = Bench::with(config).await;
    bench.sim.deauthorize(APP, THEO);
    tokio::time::sleep(QUIET).await;
    assert_eq!(bench.app.count("app_deauthorized"), 0);
    assert!(!works(&bench, TOKEN).await);
    bench.done().await;
}
