//! Tokens and their rotation. A refresh token works once, so one refresh runs at a time, and the new pair is
//! durable before it is used.

use std::sync::Arc;

use dragoman_model::codes;
use dragoman_platform::{App, Failure, Session, TokenError, TokenSet, TokenSlot};
use dragoman_seal::Token;

use crate::api::CallError;
use crate::client::Client;
use crate::wire::answers::Tokens;

/// Tokens live an hour; those that end within five minutes are exchanged.
const AHEAD_MS: i64 = 5 * 60_000;

/// The field with the Client ID of the app that people grant their own tokens to.
pub(crate) const PERSON_CLIENT_ID: &str = "person_client_id";
/// The field with its secret.
pub(crate) const PERSON_CLIENT_SECRET: &str = "person_client_secret";

/// The token to call with, refreshed ahead of its end.
pub(crate) async fn current(
    client: &Client,
    session: &Session,
    slot: &TokenSlot,
) -> Result<Arc<TokenSet>, CallError> {
    let set = read(session, slot).await?;
    let now_ms = client.clock.now_ms();
    if !due(&set, now_ms) {
        return Ok(set);
    }
    match refreshed(client, session, slot, &set).await {
        Ok(fresh) => Ok(fresh),
        // What is refreshed ahead can wait for a better moment.
        Err(error) if !signed_out(&error) && set.expires_at_ms.is_none_or(|end| end > now_ms) => Ok(set),
        Err(error) => Err(error),
    }
}

/// Exchanges a token, unless somebody else did so since it was read.
pub(crate) async fn refreshed(
    client: &Client,
    session: &Session,
    slot: &TokenSlot,
    seen: &TokenSet,
) -> Result<Arc<TokenSet>, CallError> {
    let _only_one = session.tokens.lock(slot).await;
    let set = read(session, slot).await?;
    if !set.access.matches(seen.access.expose().as_bytes()) {
        return Ok(set);
    }
    let refresh = set.refresh.as_ref().ok_or(CallError::Token(Failure::SignIn(codes::SIGN_IN)))?;
    let app = &session.app;
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
    // Whatever became of the refresh, the call it was for was not made.
    let answer = grant(client, app, slot, &form).await.map_err(|error| CallError::Token(refused(error)))?;
    let malformed = || CallError::Token(Failure::Malformed(codes::MALFORMED));
    let fresh = set_of(answer, client.clock.now_ms()).ok_or_else(malformed)?;
    session.tokens.put(slot, fresh).await.map_err(lost)?;
    read(session, slot).await
}

/// The app's own token: for event connections. It has no refresh token and is not kept.
pub(crate) async fn own(client: &Client, app: &App) -> Result<Token, Failure> {
    let form = [("grant_type", "client_credentials")];
    let answer = grant(client, app, &TokenSlot::App, &form).await.map_err(refused)?;
    answer.access_token.ok_or(Failure::Malformed(codes::MALFORMED))
}

/// Asks for tokens. People grant theirs to an app of their own kind: "an app is either user-managed or admin-managed".
pub(crate) async fn grant(
    client: &Client,
    app: &App,
    slot: &TokenSlot,
    form: &[(&str, &str)],
) -> Result<Tokens, CallError> {
    let (id, secret) = match slot {
        TokenSlot::App => ("client_id", "client_secret"),
        TokenSlot::Person(_) => (PERSON_CLIENT_ID, PERSON_CLIENT_SECRET),
    };
    let secret = app.secret(secret).ok_or(CallError::Token(Failure::SignIn(codes::CONFIG)))?;
    client.grant(app.fact(id), secret, form).await
}

/// Ends what a person granted ("Revoke Access"); what has ended already is fine.
pub(crate) async fn revoke_person(client: &Client, app: &App, tokens: &TokenSet) -> Result<(), Failure> {
    let secret = app.secret(PERSON_CLIENT_SECRET).ok_or(Failure::SignIn(codes::CONFIG))?;
    let token = tokens.refresh.as_ref().unwrap_or(&tokens.access);
    match client.revoke(app.fact(PERSON_CLIENT_ID), secret, token).await.map_err(CallError::failure) {
        Ok(()) | Err(Failure::SignIn(_) | Failure::Refused(_) | Failure::Gone(_)) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// The token endpoint's refusals have no codes: what it refuses for good has to be granted anew.
fn refused(error: CallError) -> Failure {
    match error.failure() {
        Failure::Refused(_) | Failure::Gone(_) => Failure::SignIn(codes::SIGN_IN),
        other => other,
    }
}

/// The token set in an answer.
pub(crate) fn set_of(answer: Tokens, now_ms: i64) -> Option<TokenSet> {
    Some(TokenSet {
        access: answer.access_token?,
        refresh: answer.refresh_token,
        expires_at_ms: answer.expires_in.map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1_000))),
    })
}

fn due(set: &TokenSet, now_ms: i64) -> bool {
    set.refresh.is_some() && set.expires_at_ms.is_some_and(|end| end - AHEAD_MS <= now_ms)
}

fn signed_out(error: &CallError) -> bool {
    matches!(error.clone().failure(), Failure::SignIn(_))
}

async fn read(session: &Session, slot: &TokenSlot) -> Result<Arc<TokenSet>, CallError> {
    let found = session.tokens.get(slot).await.map_err(lost)?;
    found.ok_or(CallError::Token(Failure::SignIn(codes::SIGN_IN)))
}

fn lost(TokenError(code): TokenError) -> CallError {
    CallError::Token(Failure::Retry { after_ms: None, code })
}
