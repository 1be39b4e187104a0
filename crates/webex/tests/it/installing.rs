//! Registration, OAuth, bots, spaces and people.

use dragoman_model::codes;
use dragoman_platform::{
    Connector as _, ConversationKind, Failure, Grant, InstallError, PackageRequest, TokenSlot,
};
use dragoman_seal::Token;
use serde_json::json;
use url::Url;

use crate::fake::{FakeWebex, Reply};
use crate::support::{
    CLUSTER, Keeper, NOW_MS, ORG, app, connector, conversation, id, installation, offline, org, person,
    plain, room, session, session_with, uuid,
};

const SCOPES: &str = "spark:kms spark:messages_read spark:messages_write spark:people_read spark:rooms_read spark:memberships_read";

fn grant(query: &[(&str, &str)]) -> Grant {
    Grant {
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        redirect_uri: "https://gateway.example/oauth/webex".to_owned(),
        code_verifier: "verifier".to_owned(),
    }
}

#[test]
fn the_consent_page_is_asked_with_spaces_as_webex_reads_them() {
    let link =
        offline().authorize_url(&app(), "https://gateway.example/oauth/webex", "state/+1", "challenge");
    assert!(link.contains("scope=spark%3Amessages%5Fread%20spark%3A"), "{link}");
    assert!(!link.contains('+'), "{link}");
    let asked: Vec<(String, String)> = Url::parse(&link).unwrap().query_pairs().into_owned().collect();
    let value =
        |key: &str| asked.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!((value("response_type"), value("client_id"), value("state")), ("code", "C1", "state/+1"));
    assert_eq!(value("redirect_uri"), "https://gateway.example/oauth/webex");
    assert_eq!((value("code_challenge"), value("code_challenge_method")), ("challenge", "S256"));
    let mut scopes: Vec<&str> = value("scope").split(' ').collect();
    let mut expected: Vec<&str> = SCOPES.split(' ').collect();
    scopes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(scopes, expected);
}

#[tokio::test]
async fn a_code_becomes_an_installation_of_the_organisation() {
    let webex = FakeWebex::start(|call| match call.line.as_str() {
        "POST access_token" => Reply::from(json!({
            "access_token": "a", "expires_in": 1_209_599, "refresh_token": "r", "refresh_token_expires_in": 7_775_999,
            "token_type": "Bearer", "scope": SCOPES,
        })),
        _ => Reply::from(json!({
            "id": person(0), "emails": ["gateway@harbour.example"], "displayName": "Gateway", "orgId": org(),
            "type": "person",
        })),
    })
    .await;
    let installed = connector(&webex.url()).install(&app(), &grant(&[("code", "c"), ("state", "s")])).await;
    let installed = installed.unwrap_or_else(|error| panic!("{error}"));
    let calls = webex.calls();
    let form = calls[0].form();
    for (key, value) in [
        ("grant_type", "authorization_code"),
        ("client_id", "C1"),
        ("client_secret", "client-secret"),
        ("code", "c"),
        ("redirect_uri", "https://gateway.example/oauth/webex"),
        ("code_verifier", "verifier"),
    ] {
        assert_eq!(form[key], value);
    }
    assert_eq!((calls[1].line.as_str(), calls[1].token()), ("GET people/me", "a"));
    assert_eq!((installed.workspace.as_str(), installed.name.as_str()), (ORG, "harbour.example"));
    assert_eq!(installed.facts["person_id"], person(0));
    assert_eq!(installed.scopes.len(), 6);
    let tokens = installed.tokens.unwrap();
    assert_eq!(tokens.expires_at_ms, Some(NOW_MS + 1_209_599_000));
    assert!(tokens.refresh.unwrap().matches(b"r"));
}

#[tokio::test]
async fn what_goes_wrong_with_consent_is_told() {
    let install = async |query: &[(&str, &str)], status: u16| {
        let webex = FakeWebex::start(move |_| Reply::refused(status, "Client Id is invalid")).await;
        connector(&webex.url()).install(&app(), &grant(query)).await.err().unwrap()
    };
    assert_eq!(install(&[("error", "access_denied")], 400).await, InstallError::Denied);
    assert!(
        matches!(install(&[("error", "invalid_scope")], 400).await, InstallError::Rejected(why) if why.contains("scopes"))
    );
    assert!(matches!(install(&[], 400).await, InstallError::Rejected(_)));
    assert!(matches!(install(&[("code", "c")], 400).await, InstallError::Rejected(_)));
    assert_eq!(install(&[("code", "c")], 503).await, InstallError::Unreachable(codes::TARGET_FAILED));
    assert_eq!(install(&[("code", "c")], 429).await, InstallError::Unreachable(codes::RATE_LIMITED));
}

#[tokio::test]
async fn only_bots_are_adopted() {
    let adopt = async |kind: &'static str| {
        let webex = FakeWebex::start(move |_| {
            Reply::from(json!({
                "id": person(0), "emails": ["helper@webex.bot"], "displayName": "Helper", "orgId": org(), "type": kind,
            }))
        })
        .await;
        connector(&webex.url()).adopt(&app(), Token::new("bot-token".to_owned())).await
    };
    let installed = adopt("bot").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((installed.facts["account"].as_str(), installed.name.as_str()), ("bot", "Helper"));
    assert!(installed.scopes.is_empty() && installed.tokens.unwrap().refresh.is_none());
    assert!(matches!(adopt("person").await, Err(InstallError::Rejected(_))));
}

#[test]
fn packages_name_every_scope_with_its_reason() {
    let mut request = PackageRequest {
        name: "Bridge".to_owned(),
        public_url: "https://gateway.example".to_owned(),
        app: "app-1".to_owned(),
        facts: [].into(),
        features: [].into(),
    };
    let package = offline().package(&request);
    let text = String::from_utf8(package.files[0].bytes.clone()).unwrap();
    assert!(text.contains("https://gateway.example/oauth/webex"));
    assert!(package.scopes.iter().all(|scope| text.contains(&scope.name) && !scope.reason.is_empty()));
    request.facts.insert("account".to_owned(), "bot".to_owned());
    let package = offline().package(&request);
    assert!(package.scopes.is_empty() && package.files.is_empty());
    let generated = offline().generated();
    assert_eq!((generated["webhook_secret"].len(), generated["account"].as_str()), (64, "integration"));
    assert!(offline().covers("spark:all", "spark:rooms_read"));
    assert!(!offline().covers("spark:all", "spark-compliance:events_read"));
}

#[tokio::test]
async fn spaces_are_read_with_who_is_in_them() {
    let read = async |owner: String, member: String, email: &'static str| {
        let webex = FakeWebex::start(move |call| {
            if call.line == "GET memberships" {
                assert_eq!(call.query["roomId"], room());
                let own = json!({ "personEmail": "a@harbour.example", "personOrgId": org() });
                return Reply::from(json!({ "items": [own, { "personEmail": email, "personOrgId": member }] }));
            }
            Reply::from(json!({ "id": room(), "title": "Pier 7", "type": "group", "ownerId": owner, "isReadOnly": false }))
        })
        .await;
        connector(&webex.url()).conversation(&session(), &room().into()).await.unwrap()
    };
    let other = || id("us", "ORGANIZATION", &uuid(9, 9));
    let found = read(org(), org(), "b@harbour.example").await;
    assert_eq!(
        (found.name.as_str(), found.kind, found.external, found.joined),
        ("Pier 7", ConversationKind::Channel, false, true)
    );
    assert!(read(other(), org(), "b@harbour.example").await.external);
    assert!(read(org(), other(), "b@elsewhere.example").await.external);
    assert!(!read(org(), other(), "helper@webex.bot").await.external, "bots are of whoever made them");
    let gone = FakeWebex::start(|_| Reply::refused(404, "")).await;
    let failure = connector(&gone.url()).conversation(&session(), &room().into()).await.err();
    assert_eq!(failure, Some(Failure::Gone(codes::CONVERSATION_GONE)));
}

#[tokio::test]
async fn spaces_are_listed_page_by_page() {
    let webex = FakeWebex::start(|call| {
        let one = |number: u64, title: &str| {
            json!({ "id": id(CLUSTER, "ROOM", &uuid(2, number)), "title": title, "type": "group" })
        };
        if call.query.contains_key("second") {
            let mut spoilt = one(4, "eyJh pier");
            spoilt["errors"] = json!({ "title": { "code": "kms_failure" } });
            return Reply::from(json!({ "items": [one(3, "The PIER"), spoilt] }));
        }
        assert_eq!(call.query["type"], "group");
        let next = format!("<http://{}/v1/rooms?second=1>; rel=\"next\"", call.headers["host"]);
        Reply::from(json!({ "items": [one(1, "pier"), one(2, "other")] })).with("Link", &next)
    })
    .await;
    let connector = connector(&webex.url());
    let first = connector.conversations(&session(), "#pier", None).await.unwrap();
    assert_eq!(first.items.len(), 1);
    let second = connector.conversations(&session(), "pier", first.next.as_deref()).await.unwrap();
    let names: Vec<&str> = second.items.iter().map(|found| found.name.as_str()).collect();
    assert_eq!((names, second.next.is_none()), (vec!["The PIER"], true));
}

#[tokio::test]
async fn people_are_looked_up() {
    let webex = FakeWebex::start(|call| {
        let ana = json!({
            "id": uuid(3, 1), "emails": ["ana@harbour.example"], "displayName": "Ana Sample", "nickName": "A",
            "avatar": "https://avatar.example/V1~1600", "orgId": org(), "type": "person",
        });
        match call.line.as_str() {
            "GET people" => {
                assert_eq!(call.query["email"], "Ana@harbour.example");
                Reply::from(json!({ "items": [ana] }))
            }
            line if line.ends_with(&person(1)) => Reply::from(ana),
            line if line.ends_with(&person(2)) => {
                Reply::from(json!({ "id": person(2), "emails": ["x@elsewhere.example"], "type": "person" }))
            }
            _ => Reply::refused(404, ""),
        }
    })
    .await;
    let (connector, session) =
        (connector(&webex.url()), session_with(Keeper::with(TokenSlot::App, plain("token-1"))));
    let space = conversation();
    let ana = connector.profile(&session, &space, &person(1).into()).await.unwrap().unwrap();
    assert_eq!((ana.name.as_str(), ana.external, ana.bot), ("Ana Sample", false, false));
    assert_eq!(ana.avatar_url.as_deref(), Some("https://avatar.example/V1~1600"));
    let found = connector.profile_by_email(&session, &space, "Ana@harbour.example").await.unwrap().unwrap();
    assert_eq!(
        (found.user.as_str(), found.email.as_deref()),
        (person(1).as_str(), Some("ana@harbour.example"))
    );
    let other = connector.profile(&session, &space, &person(2).into()).await.unwrap().unwrap();
    assert_eq!((other.name.as_str(), other.external), ("x", true));
    assert!(connector.profile(&session, &space, &person(3).into()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_person_grants_a_token_of_their_own() {
    let back = "https://gateway.example/oauth/webex";
    let url = offline().authorize_person_url(&app(), back, "state", "challenge").unwrap();
    assert!(url.contains("spark%3Amessages%5Fwrite") && !url.contains("rooms"), "{url}");
    let mut bot = app();
    bot.facts.insert("account".to_owned(), "bot".to_owned());
    assert_eq!(
        offline().authorize_person_url(&bot, back, "state", "challenge"),
        None,
        "a bot has no consent page"
    );

    let granted = async |who: u64, scope: &'static str| {
        let webex = FakeWebex::start(move |call| match call.line.as_str() {
            "POST access_token" => Reply::from(
                json!({ "access_token": "p", "expires_in": 60, "refresh_token": "q", "scope": scope }),
            ),
            _ => Reply::from(json!({ "id": person(who), "orgId": org(), "type": "person" })),
        })
        .await;
        let grant = grant(&[("code", "c"), ("state", "s")]);
        connector(&webex.url()).grant_person(&app(), &installation(), &grant).await
    };
    let own = "spark:messages_read spark:messages_write spark:people_read";
    let person_1 = granted(1, own).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(person_1.user.as_str(), person(1));
    assert!(person_1.tokens.access.matches(b"p") && person_1.tokens.refresh.unwrap().matches(b"q"));
    assert!(granted(1, "spark:all").await.is_ok(), "it bundles them");
    assert!(matches!(granted(1, "spark:people_read").await.err(), Some(InstallError::Rejected(_))));
    assert!(
        matches!(granted(0, own).await.err(), Some(InstallError::Rejected(_))),
        "the gateway's own account"
    );
}
