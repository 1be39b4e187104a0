//! Tokens that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dragoman_model::{Operation, Outcome, codes};
use dragoman_platform::{Connector as _, TokenSet, TokenSlot};
use dragoman_seal::Token;
use dragoman_testkit::ManualClock;
use serde_json::json;

use crate::fake::{Call, FakeSlack, Reply, error};
use crate::support::{Keeper, NOW_MS, connector_with, conversation, post, session_with};

const HOUR_MS: i64 = 3_600_000;

fn rotating(ends_in_ms: i64) -> Arc<Keeper> {
    let set = TokenSet {
        access: Token::new("old".to_owned()),
        refresh: Some(Token::new("refresh-1".to_owned())),
        expires_at_ms: Some(NOW_MS + ends_in_ms),
    };
    Keeper::with(TokenSlot::App, set)
}

/// Slack with rotation: a refresh token works once, old tokens may have ended.
async fn slack(old_ended: bool) -> FakeSlack {
    let used = AtomicU32::new(0);
    FakeSlack::start(move |call: &Call| match call.method.as_str() {
        "oauth.v2.access" => {
            let form = call.form();
            if form["refresh_token"] != "refresh-1" || used.fetch_add(1, Ordering::SeqCst) > 0 {
                return error("invalid_refresh_token");
            }
            // Client id and secret as HTTP Basic.
            assert_eq!(call.headers["authorization"], "Basic MTExLjIyMjpjbGllbnQtc2VjcmV0");
            assert_eq!(form["grant_type"], "refresh_token");
            Reply::from(json!({
                "ok": true, "access_token": "new", "refresh_token": "refresh-2", "expires_in": 43_200,
                "token_type": "bot",
            }))
        }
        _ if old_ended && call.token() == "old" => error("token_expired"),
        _ => Reply::from(json!({ "ok": true, "ts": "1760000000.000100" })),
    })
    .await
}

async fn send(slack: &FakeSlack, keeper: &Arc<Keeper>) -> Outcome {
    let connector = connector_with(&slack.url(), Arc::new(ManualClock::new(NOW_MS)));
    let operation = Operation::Post(post("hello"));
    connector.perform(&session_with(keeper.clone()), &conversation(), &operation).await
}

#[tokio::test]
async fn a_token_is_refreshed_two_hours_ahead_and_stored_first() {
    let slack = slack(false).await;
    let keeper = rotating(HOUR_MS);
    assert!(matches!(send(&slack, &keeper).await, Outcome::Done(_)));
    let tokens: Vec<String> = slack.calls().iter().map(|call| call.token().to_owned()).collect();
    assert_eq!(tokens[1..], ["new"]);
    assert_eq!(*keeper.puts.lock().unwrap(), 1);
    assert!(matches!(send(&slack, &keeper).await, Outcome::Done(_)));
    assert_eq!(slack.calls().len(), 1, "no second refresh");
}

#[tokio::test]
async fn a_token_with_time_left_is_left_alone() {
    let slack = slack(false).await;
    assert!(matches!(send(&slack, &rotating(3 * HOUR_MS)).await, Outcome::Done(_)));
    assert_eq!(slack.call().token(), "old");
}

#[tokio::test]
async fn an_ended_token_is_refreshed_and_the_call_repeated_once() {
    let slack = slack(true).await;
    let keeper = rotating(3 * HOUR_MS);
    assert!(matches!(send(&slack, &keeper).await, Outcome::Done(_)));
    let methods: Vec<String> = slack.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["chat.postMessage", "oauth.v2.access", "chat.postMessage"]);

    let never = FakeSlack::start(|call| match call.method.as_str() {
        "oauth.v2.access" => Reply::from(json!({ "ok": true, "access_token": "new", "refresh_token": "r" })),
        _ => error("token_expired"),
    })
    .await;
    assert_eq!(send(&never, &rotating(3 * HOUR_MS)).await, Outcome::SignIn(codes::SIGN_IN));
    assert_eq!(never.calls().len(), 3, "once, not for ever");
}

#[tokio::test]
async fn calls_at_the_same_time_refresh_once() {
    let slack = slack(true).await;
    let keeper = rotating(HOUR_MS);
    let outcomes = tokio::join!(
        send(&slack, &keeper),
        send(&slack, &keeper),
        send(&slack, &keeper),
        send(&slack, &keeper)
    );
    for outcome in [outcomes.0, outcomes.1, outcomes.2, outcomes.3] {
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    assert_eq!(*keeper.puts.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_failed_refresh_is_no_unknown_send() {
    let down = FakeSlack::start(|call| match call.method.as_str() {
        "oauth.v2.access" => Reply(503, None, "<html>".to_owned()),
        _ => Reply::from(json!({ "ok": true, "ts": "1760000000.000100" })),
    })
    .await;
    // Ahead of its end the old token still works.
    assert!(matches!(send(&down, &rotating(HOUR_MS)).await, Outcome::Done(_)));
    // After it nothing was sent: the post may be repeated.
    assert!(matches!(send(&down, &rotating(-1)).await, Outcome::Retry { .. }));
    let revoked = FakeSlack::start(|_| error("invalid_refresh_token")).await;
    assert_eq!(send(&revoked, &rotating(-1)).await, Outcome::SignIn(codes::SIGN_IN));
}
