//! Tokens that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dragoman_model::{Operation, Outcome, codes};
use dragoman_platform::{Connector as _, TokenSet, TokenSlot};
use dragoman_seal::Token;
use serde_json::json;

use crate::fake::{Call, FakeZoom, Reply, error};
use crate::support::{Keeper, NOW_MS, connector, conversation, id, post, session_with};

const MINUTE_MS: i64 = 60_000;

fn rotating(ends_in_ms: i64) -> Arc<Keeper> {
    let set = TokenSet {
        access: Token::new("old".to_owned()),
        refresh: Some(Token::new("refresh-1".to_owned())),
        expires_at_ms: Some(NOW_MS + ends_in_ms),
    };
    Keeper::with(TokenSlot::App, set)
}

/// Zoom: a refresh token works once, old tokens may have ended.
async fn zoom(old_ended: bool) -> FakeZoom {
    let used = AtomicU32::new(0);
    FakeZoom::start(move |call: &Call| match call.what.as_str() {
        "POST /oauth/token" => {
            let form = call.form();
            if form["refresh_token"] != "refresh-1" || used.fetch_add(1, Ordering::SeqCst) > 0 {
                return Reply(400, "", json!({ "error": "invalid_grant" }).to_string());
            }
            assert_eq!(form["grant_type"], "refresh_token");
            Reply::from(json!({ "access_token": "new", "refresh_token": "refresh-2", "expires_in": 3_599 }))
        }
        _ if old_ended && call.token() == "old" => error(401, 124, "Access token is expired."),
        _ => Reply(201, "", json!({ "id": id(1) }).to_string()),
    })
    .await
}

async fn send(zoom: &FakeZoom, keeper: &Arc<Keeper>) -> Outcome {
    let operation = Operation::Post(post("hello"));
    connector(&zoom.url()).perform(&session_with(keeper.clone()), &conversation(), &operation).await
}

#[tokio::test]
async fn a_token_is_refreshed_ahead_and_stored_first() {
    let ahead = zoom(false).await;
    let keeper = rotating(4 * MINUTE_MS);
    assert!(matches!(send(&ahead, &keeper).await, Outcome::Done(_)));
    let tokens: Vec<String> = ahead.calls().iter().map(|call| call.token().to_owned()).collect();
    assert_eq!(tokens[1..], ["new"]);
    assert_eq!(*keeper.puts.lock().unwrap(), 1);
    assert!(matches!(send(&ahead, &keeper).await, Outcome::Done(_)));
    assert_eq!(ahead.calls().len(), 1, "no second refresh");
    assert!(matches!(send(&ahead, &rotating(30 * MINUTE_MS)).await, Outcome::Done(_)));
    assert_eq!(ahead.call().token(), "old", "one with time left is left alone");
}

#[tokio::test]
async fn an_ended_token_is_refreshed_and_the_call_repeated_once() {
    let ended = zoom(true).await;
    assert!(matches!(send(&ended, &rotating(30 * MINUTE_MS)).await, Outcome::Done(_)));
    assert_eq!(ended.calls().len(), 3);
    let never = FakeZoom::start(|call| match call.what.as_str() {
        "POST /oauth/token" => Reply::from(json!({ "access_token": "new", "refresh_token": "r" })),
        _ => error(401, 124, "Invalid access token."),
    })
    .await;
    assert_eq!(send(&never, &rotating(30 * MINUTE_MS)).await, Outcome::SignIn(codes::SIGN_IN));
    assert_eq!(never.calls().len(), 3, "once, not for ever");
}

#[tokio::test]
async fn calls_at_the_same_time_refresh_once() {
    let zoom = zoom(true).await;
    let keeper = rotating(MINUTE_MS);
    let outcomes =
        tokio::join!(send(&zoom, &keeper), send(&zoom, &keeper), send(&zoom, &keeper), send(&zoom, &keeper));
    for outcome in [outcomes.0, outcomes.1, outcomes.2, outcomes.3] {
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    assert_eq!(*keeper.puts.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_failed_refresh_is_no_unknown_send() {
    let down = FakeZoom::start(|call| match call.what.as_str() {
        "POST /oauth/token" => Reply(503, "", "<html>".to_owned()),
        _ => Reply(201, "", json!({ "id": id(1) }).to_string()),
    })
    .await;
    // Ahead of its end the old token still works.
    assert!(matches!(send(&down, &rotating(MINUTE_MS)).await, Outcome::Done(_)));
    // After it nothing was sent: the post may be repeated.
    assert!(matches!(send(&down, &rotating(-1)).await, Outcome::Retry { .. }));
    let revoked = FakeZoom::start(|_| Reply(400, "", json!({ "error": "invalid_grant" }).to_string())).await;
    assert_eq!(send(&revoked, &rotating(-1)).await, Outcome::SignIn(codes::SIGN_IN));
}
