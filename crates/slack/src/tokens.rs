//! Tokens and their rotation. A refresh token works once, so one refresh runs at a time, and the new pair is
//! durable before it is used.

use std::sync::Arc;

use dragoman_model::codes;
use dragoman_platform::{Failure, Session, TokenError, TokenSet, TokenSlot};

use crate::api::{Arguments, CallError};
use crate::client::{Client, Proof};
use crate::wire::answers::{Form, OAuth};

/// Tokens that end within two hours are exchanged, as Slack's own SDKs do.
const AHEAD_MS: i64 = 2 * 3_600_000;

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
    let Some(refresh) = &set.refresh else {
        return Err(CallError::Token(Failure::SignIn(codes::SIGN_IN)));
    };
    let Some(secret) = session.app.secret("client_secret") else {
        return Err(CallError::Token(Failure::SignIn(codes::CONFIG)));
    };
    let form = Form::from([
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", refresh.expose().to_owned()),
    ]);
    let proof = Proof::Client { id: session.app.fact("client_id"), secret };
    // Whatever became of the refresh, the call it was for was not made.
    let answer: OAuth = client
        .ask("oauth.v2.access", &Arguments::Form(form), &proof)
        .await
        .map_err(|error| CallError::Token(error.failure()))?;
    let now_ms = client.clock.now_ms();
    let malformed = || CallError::Token(Failure::Malformed(codes::MALFORMED));
    let fresh = set_of(answer, now_ms).ok_or_else(malformed)?;
    session.tokens.put(slot, fresh).await.map_err(lost)?;
    read(session, slot).await
}

/// The token set in an answer of `oauth.v2.access`.
pub(crate) fn set_of(answer: OAuth, now_ms: i64) -> Option<TokenSet> {
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
