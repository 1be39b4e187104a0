//! OAuth: the authorise page, codes, rotation, leaving.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dragoman_sim::slack::SlackSimConfig;
use http::Method;
use serde_json::Value;
use url::Url;

use super::bench::{ANA, APP, Bench, GENERAL, TEAM, encode, error};

const ID: &str = "1111111111.2222222222";
const CLIENT_SECRET: &str = "slack-client-secret-for-simulation";
const BACK: &str = "https://gateway.example/oauth/slack";

async fn fresh(change: impl FnOnce(&mut SlackSimConfig)) -> Bench {
    let mut config = SlackSimConfig { auto_approve: true, ..super::bench::config() };
    config.apps[0].installed.clear();
    config.apps[0].redirect_urls = vec!["https://gateway.example/oauth".to_owned()];
    change(&mut config);
    Bench::with(config).await
}

async fn authorise(bench: &Bench, fields: &[(&str, &str)]) -> Result<Url, String> {
    let mut all = vec![("client_id", ID), ("redirect_uri", BACK), ("state", "st4te")];
    all.retain(|(key, _)| !fields.iter().any(|(given, _)| given == key));
    all.extend_from_slice(fields);
    let path = format!("/oauth/v2/authorize?{}", encode(&all));
    let answer = bench.send(Method::GET, &path, &[], b"").await;
    match answer.headers.get("location") {
        Some(location) => Ok(Url::parse(location.to_str().unwrap()).unwrap()),
        None => Err(String::from_utf8_lossy(&answer.body).into_owned()),
    }
}

fn query(url: &Url, key: &str) -> String {
    url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn token_call(bench: &Bench, fields: &[(&str, &str)], basic: bool) -> Value {
    let credentials = format!("Basic {}", STANDARD.encode(format!("{ID}:{CLIENT_SECRET}")));
    let mut all = fields.to_vec();
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    if basic {
        headers.push(("authorization", &credentials));
    } else {
        all.extend([("client_id", ID), ("client_secret", CLIENT_SECRET)]);
    }
    let answer = bench.send(Method::POST, "/api/oauth.v2.access", &headers, encode(&all).as_bytes()).await;
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_code_becomes_an_installation_once() {
    let bench = fresh(|_| {}).await;
    let url = authorise(&bench, &[("scope", "chat:write,channels:read"), ("user_scope", "chat:write")])
        .await
        .unwrap();
    assert_eq!((url.path(), query(&url, "state").as_str()), ("/oauth/slack", "st4te"));
    let code = query(&url, "code");
    let fields = [("code", code.as_str()), ("redirect_uri", BACK)];
    let wrong = token_call(&bench, &[("code", &code)], true).await;
    assert_eq!(error(&wrong), "bad_redirect_uri");
    let answer = token_call(&bench, &fields, true).await;
    assert_eq!((answer["token_type"].as_str(), answer["team"]["id"].as_str()), (Some("bot"), Some(TEAM)));
    assert_eq!(
        (&answer["enterprise"], &answer["is_enterprise_install"]),
        (&Value::Null, &Value::Bool(false))
    );
    assert_eq!(
        (answer["scope"].as_str(), answer["app_id"].as_str()),
        (Some("channels:read,chat:write"), Some(APP))
    );
    assert!(answer.get("bot_id").is_none() && answer.get("refresh_token").is_none());
    assert_eq!(answer["authed_user"]["id"], ANA);
    assert!(answer["authed_user"]["access_token"].as_str().unwrap().starts_with("xoxp-"));
    assert_eq!(error(&token_call(&bench, &fields, true).await), "invalid_code", "a code works once");
    let token = answer["access_token"].as_str().unwrap();
    let who = bench.form(token, "auth.test", &[]).await;
    assert_eq!((&who["user_id"], who["bot_id"].is_string()), (&answer["bot_user_id"], true));
    // Authorising again adds scopes and keeps the bot.
    let url = authorise(&bench, &[("scope", "reactions:read")]).await.unwrap();
    let again = token_call(&bench, &[("code", &query(&url, "code")), ("redirect_uri", BACK)], false).await;
    assert_eq!(again["scope"], "channels:read,chat:write,reactions:read");
    assert_eq!(again["bot_user_id"], answer["bot_user_id"]);
    assert_eq!(again["authed_user"].as_object().unwrap().len(), 1, "only the id without user scopes");
    bench.done().await;
}

#[tokio::test]
async fn the_authorise_page_checks_what_it_is_given() {
    let bench = fresh(|_| {}).await;
    let refused = async |fields: &[(&str, &str)]| authorise(&bench, fields).await.unwrap_err();
    assert!(refused(&[("client_id", "9.9"), ("scope", "x")]).await.contains("invalid_client_id"));
    assert!(refused(&[]).await.contains("no_scopes"));
    for uri in ["https://evil.example/", "http://gateway.example/oauth", "https://gateway.example/oauthx"] {
        assert!(
            refused(&[("scope", "x"), ("redirect_uri", uri)]).await.contains("bad_redirect_uri"),
            "{uri}"
        );
    }
    bench.done().await;
}

#[tokio::test]
async fn a_person_can_refuse_or_choose_on_the_page() {
    let bench = fresh(|config| config.auto_approve = false).await;
    let page = authorise(&bench, &[("scope", "chat:write")]).await.unwrap_err();
    assert!(page.contains("data-test=allow") && page.contains("Chloe Martin"));
    let base = [("client_id", ID), ("redirect_uri", BACK), ("scope", "chat:write"), ("state", "s")];
    let decide = async |more: &[(&str, &str)]| {
        let mut all = base.to_vec();
        all.extend_from_slice(more);
        let path = format!("/oauth/v2/authorize/decision?{}", encode(&all));
        let answer = bench.send(Method::GET, &path, &[], b"").await;
        Url::parse(answer.headers["location"].to_str().unwrap()).unwrap()
    };
    let refused = decide(&[("sim_allow", "0")]).await;
    assert_eq!(
        (query(&refused, "error").as_str(), query(&refused, "state").as_str()),
        ("access_denied", "s")
    );
    let allowed = decide(&[("sim_allow", "1"), ("sim_user", "U07CHLOEMARTIN")]).await;
    let fields = [("code", query(&allowed, "code")), ("redirect_uri", BACK.to_owned())];
    let answer =
        token_call(&bench, &fields.each_ref().map(|(key, value)| (*key, value.as_str())), true).await;
    assert_eq!(answer["authed_user"]["id"], "U07CHLOEMARTIN");
    bench.done().await;
}

#[tokio::test]
async fn codes_expire_and_credentials_are_checked() {
    let bench = fresh(|_| {}).await;
    let url = authorise(&bench, &[("scope", "chat:write")]).await.unwrap();
    let code = query(&url, "code");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = encode(&[("code", &code), ("client_id", ID), ("client_secret", "wrong")]);
    let answer = bench.send(Method::POST, "/api/oauth.v2.access", &headers, body.as_bytes()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("bad_client_secret"));
    let json = [("content-type", "application/json; charset=utf-8")];
    let body = format!(r#"{{"client_id":"{ID}","client_secret":"{CLIENT_SECRET}","code":"{code}"}}"#);
    let answer = bench.send(Method::POST, "/api/oauth.v2.access", &json, body.as_bytes()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("invalid_client_id"), "this method takes no JSON");
    let strange = token_call(&bench, &[("grant_type", "password")], true).await;
    assert_eq!(error(&strange), "invalid_grant_type");
    bench.world.clock.advance(Duration::from_secs(601));
    assert_eq!(
        error(&token_call(&bench, &[("code", &code), ("redirect_uri", BACK)], true).await),
        "invalid_code"
    );
    bench.done().await;
}

#[tokio::test]
async fn pkce_binds_the_code_to_its_verifier() {
    let bench = fresh(|_| {}).await;
    let verifier = "a-verifier-that-is-long-enough-for-anybody-0123456789";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(digest.as_ref());
    let fields =
        [("scope", "chat:write"), ("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let code = query(&authorise(&bench, &fields).await.unwrap(), "code");
    let with = |verifier: &'static str| {
        [("code", code.clone()), ("redirect_uri", BACK.to_owned()), ("code_verifier", verifier.to_owned())]
    };
    let wrong = with("wrong").each_ref().map(|(key, value)| (*key, value.clone()));
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(error(&token_call(&bench, &wrong, true).await), "invalid_code_verifier");
    let right = with(verifier);
    let right: Vec<(&str, &str)> = right.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(token_call(&bench, &right, true).await["ok"], true);
    bench.done().await;
    let bench = fresh(|config| config.apps[0].pkce = false).await;
    assert!(authorise(&bench, &fields).await.unwrap_err().contains("pkce_not_allowed"));
    bench.done().await;
}

#[tokio::test]
async fn rotating_tokens_expire_and_refresh_tokens_work_once() {
    let bench = fresh(|config| config.apps[0].token_rotation = true).await;
    let url = authorise(&bench, &[("scope", "chat:write"), ("user_scope", "chat:write")]).await.unwrap();
    let first = token_call(&bench, &[("code", &query(&url, "code")), ("redirect_uri", BACK)], true).await;
    assert_eq!(first["expires_in"], 43_200);
    let access = first["access_token"].as_str().unwrap();
    assert!(
        access.starts_with("xoxe.xoxb-1-") && first["refresh_token"].as_str().unwrap().starts_with("xoxe-1-")
    );
    let renew = async |refresh: &Value| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str().unwrap())];
        token_call(&bench, &fields, true).await
    };
    let second = renew(&first["refresh_token"]).await;
    assert_eq!((&second["token_type"], &second["bot_user_id"]), (&Value::from("bot"), &first["bot_user_id"]));
    assert_eq!(bench.form(access, "auth.test", &[]).await["ok"], true, "the old one lives until it expires");
    let third = renew(&second["refresh_token"]).await;
    assert_eq!(
        error(&bench.form(access, "auth.test", &[]).await),
        "account_inactive",
        "two live side by side, no more"
    );
    let user = renew(&first["authed_user"]["refresh_token"]).await;
    assert_eq!(user["token_type"], "user");
    assert!(user["access_token"].as_str().unwrap().starts_with("xoxe.xoxp-1-"));
    bench.world.clock.advance(Duration::from_secs(61));
    assert_eq!(error(&renew(&first["refresh_token"]).await), "invalid_refresh_token");
    bench.world.clock.advance(Duration::from_hours(12));
    let expired = third["access_token"].as_str().unwrap();
    assert_eq!(error(&bench.form(expired, "auth.test", &[]).await), "token_expired");
    assert_eq!(renew(&third["refresh_token"]).await["ok"], true);
    bench.done().await;
}

#[tokio::test]
async fn long_lived_tokens_are_exchanged_once() {
    let mut config = super::bench::config();
    config.apps[0].token_rotation = false;
    let bench = Bench::with(config).await;
    let exchange = async || {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let body =
            encode(&[("client_id", ID), ("client_secret", CLIENT_SECRET), ("token", super::bench::BOT)]);
        let answer = bench.send(Method::POST, "/api/oauth.v2.exchange", &headers, body.as_bytes()).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    assert_eq!(error(&exchange().await), "token_rotation_not_enabled");
    bench.sim.change_app(APP, |app| app.token_rotation = true);
    let pair = exchange().await;
    assert!(pair["refresh_token"].is_string());
    assert_eq!(bench.form(pair["access_token"].as_str().unwrap(), "auth.test", &[]).await["ok"], true);
    assert_eq!(error(&exchange().await), "token_already_exchanged");
    bench.done().await;
}

#[tokio::test]
async fn revoking_a_bot_token_ends_the_installation() {
    let bench = Bench::new().await;
    let token = super::bench::BOT;
    assert_eq!(bench.form(token, "auth.revoke", &[("test", "1")]).await["revoked"], false);
    assert_eq!(bench.form(token, "auth.revoke", &[]).await["revoked"], true);
    assert_eq!(error(&bench.form(token, "auth.test", &[]).await), "account_inactive");
    bench.app.wait(1, |request| request.event()["type"] == "app_uninstalled").await;
    assert!(bench.sim.bot(APP, TEAM).is_none());
    assert_eq!(bench.sim.members(GENERAL).len(), 3);
    bench.done().await;
}

#[tokio::test]
async fn uninstalling_needs_the_apps_credentials() {
    let bench = Bench::new().await;
    let uninstall = async |secret: &str| {
        bench.form(super::bench::BOT, "apps.uninstall", &[("client_id", ID), ("client_secret", secret)]).await
    };
    assert_eq!(error(&uninstall("wrong").await), "bad_client_secret");
    assert_eq!(uninstall(CLIENT_SECRET).await["ok"], true);
    assert!(bench.sim.bot(APP, TEAM).is_none());
    bench.done().await;
}

#[tokio::test]
async fn an_organisation_can_install_for_all_workspaces() {
    let mut config = super::bench::config().with_enterprise();
    config.apps[0].installed.clear();
    let bench = Bench::with(config).await;
    let fields = [
        ("client_id", ID),
        ("redirect_uri", BACK),
        ("scope", "chat:write"),
        ("sim_allow", "1"),
        ("sim_place", "E07HARBORGRP"),
    ];
    let path = format!("/oauth/v2/authorize/decision?{}", encode(&fields));
    let answer = bench.send(Method::GET, &path, &[], b"").await;
    let url = Url::parse(answer.headers["location"].to_str().unwrap()).unwrap();
    let answer = token_call(&bench, &[("code", &query(&url, "code")), ("redirect_uri", BACK)], true).await;
    assert_eq!((&answer["team"], &answer["is_enterprise_install"]), (&Value::Null, &Value::Bool(true)));
    assert_eq!(answer["enterprise"]["id"], "E07HARBORGRP");
    bench.done().await;
}
