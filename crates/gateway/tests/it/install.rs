//! Installations: links that work once, for fifteen minutes, for one app.

use dragoman_gateway::Progress;
use dragoman_gateway::admin::api::{InstallList, InstallStart, InstallState, InstallWait, OrgAdd};
use dragoman_platform::TokenSlot;
use url::Url;

use crate::fake::TOKEN;
use crate::rig::{Rig, problem};

async fn state_of(rig: &Rig, app: &str) -> (String, String) {
    let started = rig.admin.ask(&InstallStart { app: app.to_owned() }).await.unwrap();
    let link = Url::parse(&started.link).unwrap();
    let state = link.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    (state, started.ticket)
}

async fn org(rig: &Rig) {
    rig.admin.ask(&OrgAdd { name: "Acme".to_owned() }).await.unwrap();
}

#[tokio::test]
async fn the_callback_stores_the_token_sealed_and_tells_who_waits() {
    let rig = Rig::new().await;
    org(&rig).await;
    let app = rig.app("alpha", "a1").await;
    let (state, ticket) = state_of(&rig, "alpha").await;
    let wait = InstallWait { ticket };
    let (waited, got) = tokio::join!(rig.admin.ask(&wait), async {
        rig.get(rig.door(), &format!("/oauth/alpha/callback?code=abc&state={state}")).await
    });
    assert_eq!(got.status, 200);
    assert!(got.text().contains("The app is installed in Acme."), "{}", got.text());
    assert!(
        got.head.contains("cache-control: no-store") && got.head.contains("referrer-policy: no-referrer")
    );
    let InstallState::Done(info) = waited.unwrap() else { panic!("not done") };
    assert_eq!((info.app, info.name.as_str(), info.workspace.as_str()), (app.id, "Acme", "W1"));
    let directory = rig.relay.directory();
    let place = directory.place(&info.id.as_str().into()).unwrap();
    let token = place.session.tokens.get(&TokenSlot::App).await.unwrap().unwrap();
    assert!(token.access.matches(TOKEN.as_bytes()));
    // The verifier came along, and belongs to the challenge.
    let grants = rig.alpha.state().grants.clone();
    assert!(grants[0].0.len() >= 43 && grants[0].1.contains(&("code".to_owned(), "abc".to_owned())));
    let residue = rig.disk.residue();
    assert!(
        !residue.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()),
        "the token is stored in the clear"
    );
    rig.end().await;
}

#[tokio::test]
async fn a_state_works_once_and_for_fifteen_minutes() {
    let rig = Rig::new().await;
    org(&rig).await;
    rig.app("alpha", "a1").await;
    let (state, _) = state_of(&rig, "alpha").await;
    let path = format!("/oauth/alpha/callback?code=abc&state={state}");
    assert_eq!(rig.get(rig.door(), &path).await.status, 200);
    assert_eq!(rig.get(rig.door(), &path).await.status, 400);
    let (late, ticket) = state_of(&rig, "alpha").await;
    rig.clock.advance(15 * 60 * 1000);
    let got = rig.get(rig.door(), &format!("/oauth/alpha/callback?code=abc&state={late}")).await;
    assert_eq!(got.status, 400);
    assert!(got.text().contains("older than 15 minutes"));
    assert!(matches!(rig.admin.ask(&InstallWait { ticket }).await.unwrap(), InstallState::Failed(_)));
    for wrong in ["", "?state=", "?state=guessed", "?code=abc"] {
        assert_eq!(
            rig.get(rig.door(), &format!("/oauth/alpha/callback{wrong}")).await.status,
            400,
            "{wrong}"
        );
    }
    assert_eq!(rig.alpha.state().grants.len(), 1, "a code was exchanged for a wrong state");
    assert_eq!(rig.get(rig.door(), "/oauth/gamma/callback").await.status, 404);
    rig.end().await;
}

#[tokio::test]
async fn a_state_belongs_to_its_app() {
    let rig = Rig::new().await;
    org(&rig).await;
    rig.app("alpha", "a1").await;
    rig.app("beta", "b1").await;
    let (state, ticket) = state_of(&rig, "alpha").await;
    let got = rig.get(rig.door(), &format!("/oauth/beta/callback?code=abc&state={state}")).await;
    assert_eq!(got.status, 400);
    assert!(rig.alpha.state().grants.is_empty() && rig.beta.state().grants.is_empty());
    assert!(matches!(rig.admin.ask(&InstallWait { ticket }).await.unwrap(), InstallState::Failed(_)));
    rig.end().await;
}

#[tokio::test]
async fn a_refusal_is_shown_as_text_and_reported() {
    let rig = Rig::new().await;
    org(&rig).await;
    rig.app("alpha", "a1").await;
    rig.alpha.state().refuses = true;
    let (state, ticket) = state_of(&rig, "alpha").await;
    let got = rig.get(rig.door(), &format!("/oauth/alpha/callback?state={state}")).await;
    assert_eq!(got.status, 400);
    assert!(
        got.text().contains("&lt;b&gt;bad_code&lt;/b&gt;") && !got.text().contains("<b>"),
        "{}",
        got.text()
    );
    let InstallState::Failed(problem) = rig.admin.ask(&InstallWait { ticket }).await.unwrap() else {
        panic!()
    };
    assert!(problem.what.contains("bad_code"), "{problem:?}");
    assert!(rig.admin.ask(&InstallList {}).await.unwrap().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn installing_again_keeps_the_installation() {
    let rig = Rig::new().await;
    let (_, _) = rig.furnished().await;
    let before = rig.admin.ask(&InstallList {}).await.unwrap();
    let (state, _) = state_of(&rig, "alpha").await;
    assert_eq!(rig.get(rig.door(), &format!("/oauth/alpha/callback?state={state}")).await.status, 200);
    assert_eq!(rig.admin.ask(&InstallList {}).await.unwrap(), before);
    rig.end().await;
}

#[tokio::test]
async fn plain_http_behind_a_proxy_is_refused() {
    let rig = Rig::with(|settings| settings.trusted_proxies = vec!["127.0.0.1".to_owned()]).await;
    org(&rig).await;
    rig.app("alpha", "a1").await;
    let (state, _) = state_of(&rig, "alpha").await;
    let request = |proto: &str| {
        format!(
            "GET /oauth/alpha/callback?state={state} HTTP/1.1\r\nhost: x\r\nx-forwarded-proto: {proto}\r\nconnection: close\r\n\r\n"
        )
    };
    assert_eq!(crate::rig::raw(rig.door(), request("http").as_bytes()).await.status, 403);
    assert_eq!(crate::rig::raw(rig.door(), request("https").as_bytes()).await.status, 200);
    rig.end().await;
}

#[tokio::test]
async fn a_token_that_exists_is_taken_over_or_refused() {
    let rig = Rig::new().await;
    org(&rig).await;
    let app = rig.app("alpha", "a1").await;
    let info = rig.adopt(&app).await;
    assert_eq!(rig.admin.ask(&InstallList {}).await.unwrap(), vec![info]);
    let wrong = dragoman_gateway::admin::api::InstallToken {
        app: app.id.clone(),
        token: dragoman_gateway::admin::api::SecretText("other".to_owned()),
    };
    assert!(problem(rig.admin.ask(&wrong).await).what.contains("invalid_auth"));
    assert!(rig.gateway.installs().watch("none").is_none());
    let started = rig.gateway.installs().start(&app.id.as_str().into()).unwrap();
    let seen = rig.gateway.installs().watch(&started.ticket).unwrap();
    assert!(matches!(*seen.borrow(), Progress::Waiting));
    rig.end().await;
}
