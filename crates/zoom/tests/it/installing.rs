//! Registration, consent, packages.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::codes;
use dragoman_platform::{Connector as _, Facts, Grant, InstallError, PackageRequest};
use dragoman_seal::Token;
use serde_json::{Value, json};
use url::Url;

use crate::fake::{FakeZoom, Reply, error};
use crate::support::{ACCOUNT, app, connector, installation, offline};

fn grant(query: &[(&str, &str)]) -> Grant {
    Grant {
        query: query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        redirect_uri: "https://gateway.example/oauth/zoom/callback".to_owned(),
        code_verifier: "verifier".to_owned(),
    }
}

#[tokio::test]
async fn consent_brings_tokens_and_the_bridge_user() {
    let url = offline().authorize_url(
        &app(),
        "https://gateway.example/oauth/zoom/callback",
        "state-1",
        "challenge",
    );
    let url = Url::parse(&url).unwrap();
    assert!(url.path().ends_with("/oauth/authorize"), "{url}");
    let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((query["client_id"].as_str(), query["state"].as_str()), ("client-1", "state-1"));
    assert_eq!((query["response_type"].as_str(), query["code_challenge_method"].as_str()), ("code", "S256"));

    let zoom = FakeZoom::start(|call| match call.what.as_str() {
        "POST /oauth/token" => {
            let form = call.form();
            assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "code-1"));
            assert_eq!(form["code_verifier"], "verifier");
            assert_eq!(call.headers["authorization"], "Basic Y2xpZW50LTE6Y2xpZW50LXNlY3JldA==");
            Reply::from(json!({
                "access_token": "a", "refresh_token": "r", "token_type": "bearer", "expires_in": 3599,
                "scope": "team_chat:read:user_message:admin user:read:user:admin",
            }))
        }
        "GET /v2/users/bridge%40town%2Eexample" => {
            assert_eq!(call.token(), "a");
            Reply::from(json!({
                "id": "Bridge-User-Id", "email": "bridge@town.example", "account_id": ACCOUNT, "company": "Town",
            }))
        }
        other => panic!("{other}"),
    })
    .await;
    let installed = connector(&zoom.url()).install(&app(), &grant(&[("code", "code-1")])).await.ok().unwrap();
    assert_eq!((installed.workspace, installed.name.as_str()), (ACCOUNT.into(), "Town"));
    assert_eq!(installed.facts, installation().facts, "no address among them");
    assert_eq!(installed.scopes.len(), 2);
    let tokens = installed.tokens.unwrap();
    assert!(tokens.access.matches(b"a") && tokens.refresh.unwrap().matches(b"r"));
    assert!(tokens.expires_at_ms.is_some());
}

#[tokio::test]
async fn what_goes_wrong_with_consent_is_told() {
    let failed = async |zoom: &FakeZoom, query: &[(&str, &str)]| {
        connector(&zoom.url()).install(&app(), &grant(query)).await.err().unwrap()
    };
    let down = FakeZoom::start(|_| Reply(503, "", String::new())).await;
    assert_eq!(failed(&down, &[("error", "access_denied")]).await, InstallError::Denied);
    assert!(matches!(failed(&down, &[]).await, InstallError::Rejected(_)));
    assert_eq!(failed(&down, &[("code", "c")]).await, InstallError::Unreachable(codes::TARGET_FAILED));
    let refuses = FakeZoom::start(|_| {
        Reply(400, "", json!({ "reason": "Invalid Token!", "error": "invalid_grant" }).to_string())
    })
    .await;
    assert!(matches!(failed(&refuses, &[("code", "c")]).await, InstallError::Rejected(_)));
    let nobody = FakeZoom::start(|call| match call.what.as_str() {
        "POST /oauth/token" => Reply::from(json!({ "access_token": "a" })),
        _ => error(404, 1001, "User does not exist: x."),
    })
    .await;
    let InstallError::Rejected(why) = failed(&nobody, &[("code", "c")]).await else { panic!("not rejected") };
    assert!(why.contains("bridge_user"), "{why}");
}

fn package(features: &[&str], transport: &str) -> (Value, Vec<String>, String) {
    let package = offline().package(&PackageRequest {
        name: "Town bridge".to_owned(),
        public_url: "https://gateway.example".to_owned(),
        app: "app-1".to_owned(),
        facts: Facts::from([("transport".to_owned(), transport.to_owned())]),
        features: features.iter().map(|feature| (*feature).to_owned()).collect(),
    });
    let manifest = serde_json::from_slice(&package.files[0].bytes).unwrap();
    let scopes = package.scopes.iter().map(|scope| scope.name.clone()).collect();
    assert!(package.steps.len() > 5);
    (manifest, scopes, String::from_utf8(package.files[1].bytes.clone()).unwrap())
}

#[test]
fn a_package_asks_for_no_more_than_its_features_need() {
    let (manifest, usual, listed) = package(&[], "http");
    let oauth = &manifest["manifest"]["oauth_information"];
    assert_eq!(oauth["usage"], "ADMIN_MANAGEMENT");
    assert_eq!(oauth["oauth_allow_list"][0], "https://gateway.example/oauth/zoom/callback");
    let granted = oauth["scopes"].as_array().unwrap();
    assert_eq!(granted.len(), usual.len());
    for scope in &usual {
        assert!(scope.ends_with(":admin"), "admin-managed apps have no others: {scope}");
        assert!(
            listed.contains(scope.as_str()) && granted.iter().any(|entry| entry["scope"] == scope.as_str())
        );
    }
    assert!(listed.contains("chat_message:write:admin"), "the classic names too");
    let subscription = &manifest["manifest"]["features"]["event_subscription"]["events"][0];
    assert_eq!(subscription["production_webhook_url"], "https://gateway.example/hooks/zoom/app-1/events");
    let events = subscription["event_types"].as_array().unwrap();
    assert!(events.contains(&json!("team_chat.channel_message_posted")));
    assert!(!events.contains(&json!("team_chat.dm_message_posted")), "nobody asked for it");

    let (_, least, _) = package(&["messages"], "http");
    assert!(least.len() < usual.len() && least.iter().all(|scope| !scope.contains("emoji")));
    let (manifest, with_bot, _) = package(&["bot", "direct-messages"], "socket");
    assert!(with_bot.contains(&"imchat:bot".to_owned()));
    let features = &manifest["manifest"]["features"];
    assert_eq!(features["team_chat_subscription"]["enable"], true);
    assert_eq!(features["event_subscription"], Value::Null, "a socket has no address of ours");
    let distinct: BTreeSet<&String> = usual.iter().collect();
    assert_eq!(distinct.len(), usual.len());
}

fn with_people() -> dragoman_platform::App {
    let mut app = app();
    app.facts.insert("person_client_id".to_owned(), "client-2".to_owned());
    app.secrets.insert("person_client_secret".to_owned(), Token::new("people-secret".to_owned()));
    app
}

#[tokio::test]
async fn people_grant_their_tokens_to_an_app_of_their_own() {
    let back = "https://gateway.example/oauth/zoom/callback";
    assert_eq!(offline().authorize_person_url(&app(), back, "state-1", "challenge"), None);
    let url = offline().authorize_person_url(&with_people(), back, "state-1", "challenge").unwrap();
    assert!(url.contains("client_id=client-2") && url.contains("code_challenge=challenge"), "{url}");

    let granted = async |scope: &'static str, id: &'static str, account: &'static str| {
        let zoom = FakeZoom::start(move |call| match call.what.as_str() {
            "POST /oauth/token" => {
                assert_eq!(call.headers["authorization"], "Basic Y2xpZW50LTI6cGVvcGxlLXNlY3JldA==");
                assert_eq!(call.form()["code_verifier"], "verifier");
                Reply::from(json!({
                    "access_token": "p", "refresh_token": "q", "expires_in": 3599, "scope": scope,
                }))
            }
            "GET /v2/users/me" => {
                assert_eq!(call.token(), "p");
                Reply::from(json!({ "id": id, "account_id": account }))
            }
            other => panic!("{other}"),
        })
        .await;
        let grant = grant(&[("code", "code-1")]);
        connector(&zoom.url()).grant_person(&with_people(), &installation(), &grant).await
    };
    let all = "team_chat:write:user_message team_chat:update:user_message team_chat:delete:user_message user:read:user";
    let person = granted(all, "Ana-User-Id", ACCOUNT).await.ok().unwrap();
    assert_eq!(person.user.as_str(), "Ana-User-Id");
    assert!(person.tokens.access.matches(b"p") && person.tokens.refresh.unwrap().matches(b"q"));
    for (scope, id, account) in [
        ("team_chat:write:user_message user:read:user", "Ana-User-Id", ACCOUNT),
        (all, "Ana-User-Id", "elsewhere"),
        (all, "Bridge-User-Id", ACCOUNT),
    ] {
        let refused = granted(scope, id, account).await.err();
        assert!(matches!(refused, Some(InstallError::Rejected(_))), "{scope} {id} {account}: {refused:?}");
    }
}
