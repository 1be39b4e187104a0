//! Registration, manifest, consent, exchange.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_platform::{App, Connector as _, Facts, Grant, InstallError, PackageRequest};
use dragoman_seal::Token;
use dragoman_testkit::payloads;
use serde_json::{Value, json};
use url::Url;

use crate::fake::{FakeSlack, Reply, error};
use crate::support::{NOW_MS, app, connector, installation, offline};

fn grant(query: &[(&str, &str)]) -> Grant {
    Grant {
        query: query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        redirect_uri: "https://gateway.example/oauth/slack".to_owned(),
        code_verifier: "verifier".to_owned(),
    }
}

fn with_pkce() -> App {
    let mut app = app();
    app.facts.insert("pkce".to_owned(), "true".to_owned());
    app
}

fn request(features: &[&str], transport: &str) -> PackageRequest {
    PackageRequest {
        name: "Dragoman at Example, a name that is far too long".to_owned(),
        public_url: "https://gateway.example".to_owned(),
        app: "app-1".to_owned(),
        facts: Facts::from([("transport".to_owned(), transport.to_owned())]),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
    }
}

#[tokio::test]
async fn an_installation_is_exchanged_and_examined() {
    let slack = FakeSlack::start(|call| match call.method.as_str() {
        "oauth.v2.access" => Reply::from(json!({
            "ok": true, "access_token": "xoxe.xoxb-1", "refresh_token": "xoxe-1", "expires_in": 43_200,
            "token_type": "bot", "scope": "chat:write,channels:history", "bot_user_id": "UBOT", "app_id": "ANEW",
            "team": { "id": "TNEW", "name": "Example" }, "enterprise": null, "is_enterprise_install": false,
            "authed_user": { "id": "UANA" },
        })),
        "auth.test" => Reply::from(json!({
            "ok": true, "url": "https://example.slack.com/", "team_id": "TNEW", "user_id": "UBOT", "bot_id": "BNEW",
        })),
        _ => error("unknown_method"),
    })
    .await;
    let query = [("code", "c-1"), ("state", "s")];
    let installed = connector(&slack.url()).install(&with_pkce(), &grant(&query)).await.unwrap();
    assert_eq!((installed.workspace.as_str(), installed.name.as_str()), ("TNEW", "Example"));
    let fact = |key: &str| installed.facts.get(key).map(String::as_str);
    assert_eq!(fact("team_id"), Some("TNEW"));
    assert_eq!(fact("bot_user_id"), Some("UBOT"));
    assert_eq!(fact("bot_id"), Some("BNEW"));
    assert_eq!(fact("app_id"), Some("ANEW"));
    assert_eq!(fact("url"), Some("https://example.slack.com/"));
    assert_eq!(installed.scopes, BTreeSet::from(["chat:write".to_owned(), "channels:history".to_owned()]));
    let tokens = installed.tokens.unwrap();
    assert!(tokens.access.matches(b"xoxe.xoxb-1") && tokens.refresh.unwrap().matches(b"xoxe-1"));
    assert_eq!(tokens.expires_at_ms, Some(NOW_MS + 43_200_000));
    let calls = slack.calls();
    assert_eq!(
        calls[0].form(),
        BTreeMap::from(
            [
                ("code", "c-1"),
                ("redirect_uri", "https://gateway.example/oauth/slack"),
                ("code_verifier", "verifier")
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
        )
    );
    assert_eq!(calls[0].headers["authorization"], "Basic MTExLjIyMjpjbGllbnQtc2VjcmV0");
    assert_eq!(calls[1].token(), "xoxe.xoxb-1");
}

#[tokio::test]
async fn a_whole_organisation_is_stored_under_its_id() {
    let slack = FakeSlack::start(|call| match call.method.as_str() {
        "oauth.v2.access" => Reply::from(json!({
            "ok": true, "access_token": "xoxb-1", "team": null, "enterprise": { "id": "EORG", "name": "Org" },
            "is_enterprise_install": true, "bot_user_id": "WBOT",
        })),
        _ => Reply::from(json!({ "ok": true, "user_id": "WBOT", "bot_id": "BNEW", "enterprise_id": "EORG" })),
    })
    .await;
    let installed = connector(&slack.url()).install(&app(), &grant(&[("code", "c-1")])).await.unwrap();
    assert_eq!(installed.workspace.as_str(), "EORG");
    assert_eq!(installed.facts.get("enterprise_id").map(String::as_str), Some("EORG"));
    assert!(!installed.facts.contains_key("team_id"));
}

#[tokio::test]
async fn a_token_that_exists_is_taken_over() {
    let slack = FakeSlack::start(|call| match (call.method.as_str(), call.token()) {
        ("auth.test", "xoxb-good") => Reply::from(json!({
            "ok": true, "url": "https://example.slack.com/", "team": "Example", "team_id": "TNEW",
            "user_id": "UBOT", "bot_id": "BNEW", "app_id": "ANEW", "enterprise_id": "EORG",
        })),
        _ => error("invalid_auth"),
    })
    .await;
    let connector = connector(&slack.url());
    let adopt = async |token: &str| connector.adopt(&app(), Token::new(token.to_owned())).await;
    let installed = adopt("xoxb-good").await.unwrap();
    assert_eq!((installed.workspace.as_str(), installed.name.as_str()), ("TNEW", "Example"));
    assert_eq!(installed.facts["bot_id"], "BNEW");
    assert_eq!(installed.facts["app_id"], "ANEW");
    assert_eq!(installed.scopes, BTreeSet::from(["chat:write".to_owned(), "users:read".to_owned()]));
    let tokens = installed.tokens.unwrap();
    assert!(
        tokens.access.matches(b"xoxb-good") && tokens.refresh.is_none() && tokens.expires_at_ms.is_none()
    );
    assert_eq!(slack.calls().len(), 1);

    assert_eq!(adopt("xoxb-bad").await.err(), Some(InstallError::Rejected("invalid_auth".to_owned())));
    let wrong = adopt("xoxp-hidden").await.err().unwrap();
    assert!(!wrong.to_string().contains("hidden"));
    assert_eq!(slack.calls().len(), 1, "a token of another kind is not sent anywhere");
}

#[tokio::test]
async fn failures_name_what_to_check() {
    let install = async |slack: &FakeSlack, query: &[(&str, &str)]| {
        connector(&slack.url()).install(&app(), &grant(query)).await.err().unwrap()
    };
    let strict = FakeSlack::start(|_| error("bad_redirect_uri")).await;
    assert_eq!(install(&strict, &[("error", "access_denied")]).await, InstallError::Denied);
    assert!(matches!(install(&strict, &[]).await, InstallError::Rejected(_)));
    assert!(strict.calls().is_empty());
    let rejected = install(&strict, &[("code", "secret-code")]).await;
    assert_eq!(rejected, InstallError::Rejected("bad_redirect_uri".to_owned()));
    assert!(!rejected.to_string().contains("secret-code"));
    let down = FakeSlack::start(|_| Reply(502, None, "<html>".to_owned())).await;
    assert!(matches!(install(&down, &[("code", "c")]).await, InstallError::Unreachable(_)));
}

#[test]
fn the_consent_page_is_asked_for_the_scopes_of_the_manifest() {
    let connector = offline();
    let query = |app: &App| -> BTreeMap<String, String> {
        let back = "https://gateway.example/oauth/slack";
        let url = connector.authorize_url(app, back, "state-1", "challenge-1");
        Url::parse(&url).unwrap().query_pairs().into_owned().collect()
    };
    assert!(!query(&app()).contains_key("code_challenge"), "apps without PKCE refuse it");
    let query = query(&with_pkce());
    assert_eq!(query["client_id"], "111.222");
    assert_eq!(query["state"], "state-1");
    assert_eq!(query["redirect_uri"], "https://gateway.example/oauth/slack");
    assert_eq!(
        (query["code_challenge"].as_str(), query["code_challenge_method"].as_str()),
        ("challenge-1", "S256")
    );
    let package = connector.package(&request(&[], "http"));
    let names: Vec<&str> = package.scopes.iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(query["scope"], names.join(","));
}

fn manifest(features: &[&str], transport: &str) -> Value {
    let package = offline().package(&request(features, transport));
    assert!(package.scopes.iter().all(|scope| !scope.reason.is_empty() && !scope.feature.is_empty()));
    assert!(package.steps.len() >= 5);
    serde_json::from_slice(&package.files[0].bytes).unwrap()
}

#[test]
fn the_manifest_asks_for_what_is_switched_on() {
    let small = manifest(&["messages"], "http");
    let scopes = small["oauth_config"]["scopes"]["bot"].to_string();
    for absent in ["im:", "groups:", "reactions:", "files:", "email"] {
        assert!(!scopes.contains(absent), "{scopes}");
    }
    assert!(scopes.contains("chat:write.customize"));
    let subscriptions = &small["settings"]["event_subscriptions"];
    assert_eq!(subscriptions["request_url"], "https://gateway.example/hooks/slack/app-1/events");
    assert_eq!(small["settings"]["socket_mode_enabled"], false);

    let socket = manifest(&["messages", "direct-messages", "email"], "socket");
    assert!(socket["settings"]["event_subscriptions"].get("request_url").is_none());
    assert_eq!(socket["settings"]["socket_mode_enabled"], true);
    let scopes = socket["oauth_config"]["scopes"]["bot"].to_string();
    assert!(scopes.contains("im:history") && scopes.contains("users:read.email"));
}

/// Slack publishes which scope an event needs; each event of the manifest has one of its scopes there.
#[test]
fn every_event_has_its_scope() {
    let Some(folder) = payloads() else { return };
    let all = ["messages", "private-channels", "reactions", "files", "email", "direct-messages"];
    let manifest = manifest(&all, "http");
    let granted: BTreeSet<&str> = manifest["oauth_config"]["scopes"]["bot"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let events = manifest["settings"]["event_subscriptions"]["bot_events"].as_array().unwrap();
    let names: BTreeSet<&str> = events.iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len(), events.len(), "an event twice");
    for name in names {
        // Slack sends these, and documents no scope for them.
        if name.ends_with("archive") {
            continue;
        }
        let file = folder.join(format!("slack/specs/events/{name}.json"));
        let spec: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let needed: Vec<&str> = match &spec["scopes"] {
            Value::Array(scopes) => scopes.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        assert!(
            needed.is_empty() || needed.iter().any(|scope| granted.contains(scope)),
            "{name}: {needed:?}"
        );
    }
}

/// Slack publishes the form of manifests; keys that it does not know are refused there.
#[test]
fn the_manifest_has_only_keys_that_slack_knows() {
    let Some(folder) = payloads() else { return };
    let file = folder.join("slack/specs/app_manifest.schema.2.0.0.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let all = ["messages", "private-channels", "reactions", "files", "email", "direct-messages"];
    for transport in ["http", "socket"] {
        known(&schema, &schema, &manifest(&all, transport), "manifest");
    }
}

fn known(schema: &Value, part: &Value, value: &Value, path: &str) {
    let part = match part.get("$ref").and_then(Value::as_str) {
        Some(name) => schema.pointer(name.trim_start_matches('#')).unwrap(),
        None => part,
    };
    if let (Some(object), Some(keys)) = (value.as_object(), part.get("properties").and_then(Value::as_object))
    {
        for (key, value) in object {
            let part = keys.get(key).unwrap_or_else(|| panic!("{path}.{key} is not known"));
            known(schema, part, value, &format!("{path}.{key}"));
        }
    }
    if let (Some(text), Some(most)) = (value.as_str(), part.get("maxLength").and_then(Value::as_u64)) {
        assert!(text.chars().count() as u64 <= most, "{path} is longer than {most}");
    }
}

#[test]
fn registration_fields_are_what_the_connector_reads() {
    let fields = offline().registration();
    let secrets: Vec<&str> = fields.iter().filter(|field| field.secret).map(|field| field.key).collect();
    assert_eq!(secrets, ["client_secret", "signing_secret", "app_token"]);
    assert!(fields.iter().all(|field| !field.help.is_empty()));
}

#[tokio::test]
async fn a_person_grants_a_token_of_their_own() {
    let back = "https://gateway.example/oauth/slack";
    let url =
        Url::parse(&offline().authorize_person_url(&app(), back, "state-1", "challenge-1").unwrap()).unwrap();
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["user_scope"], "chat:write,reactions:write,files:write");
    let mut lean = app();
    lean.features = ["messages".to_owned()].into();
    let url = offline().authorize_person_url(&lean, back, "state-1", "challenge-1").unwrap();
    assert!(url.contains("user_scope=chat%3Awrite&"), "{url}");
    assert!(!query.contains_key("scope"), "nothing more for the app");

    let mut here = installation();
    here.workspace = "TNEW".into();
    let granted = async |team: &'static str, scope: &'static str| {
        let slack = FakeSlack::start(move |_| {
            Reply::from(json!({
                "ok": true, "app_id": "ANEW", "team": { "id": team, "name": "Example" }, "enterprise": null,
                "is_enterprise_install": false,
                "authed_user": {
                    "id": "UANA", "scope": scope, "access_token": "xoxe.xoxp-1", "refresh_token": "xoxe-1",
                    "expires_in": 43_200, "token_type": "user",
                },
            }))
        })
        .await;
        connector(&slack.url()).grant_person(&app(), &here, &grant(&[("code", "c-1")])).await
    };
    let person = granted("TNEW", "identify,chat:write").await.ok().unwrap();
    assert_eq!(person.user.as_str(), "UANA");
    assert!(
        person.tokens.access.matches(b"xoxe.xoxp-1") && person.tokens.refresh.unwrap().matches(b"xoxe-1")
    );
    assert_eq!(person.tokens.expires_at_ms, Some(NOW_MS + 43_200_000));
    assert!(matches!(granted("TELSE", "chat:write").await.err(), Some(InstallError::Rejected(_))));
    assert!(matches!(granted("TNEW", "identify").await.err(), Some(InstallError::Rejected(_))));
}
