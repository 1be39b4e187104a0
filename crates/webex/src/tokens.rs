//! Tokens and their refresh. One refresh of an account runs at a time, and the new pair is durable before it is
//! used. Whether an older token lives on after a refresh is not documented; both are fine.

use std::sync::Arc;

use dragoman_model::codes;
use dragoman_platform::{Failure, Session, TokenError, TokenSet, TokenSlot};

use crate::client::Client;
use crate::errors::{Trouble, token_failure};
use crate::wire::answers::OAuth;

/// An eighth of the fourteen days that an access token lives, in milliseconds: refreshed at seven eighths.
const AHEAD_MS: i64 = 42 * 3_600_000;

/// The token to call with, refreshed ahead of its end.
pub(crate) async fn current(
    client: &Client,
    session: &Session,
    slot: &TokenSlot,
) -> Result<Arc<TokenSet>, Trouble> {
    let set = read(session, slot).await?;
    let now_ms = client.clock.now_ms();
    let Some(end_ms) = set.expires_at_ms.filter(|_| set.refresh.is_some()) else { return Ok(set) };
    // Where tokens live shorter than usual, what was learnt at the last refresh counts.
    let life_ms = client.memory.token_life_ms(&session.installation.id, slot);
    let ahead_ms = life_ms.map_or(AHEAD_MS, |life_ms| (life_ms / 8).min(AHEAD_MS));
    if now_ms < end_ms - ahead_ms {
        return Ok(set);
    }
    match refreshed(client, session, slot, &set).await {
        Ok(fresh) => Ok(fresh),
        // What is refreshed ahead can wait for a better moment.
        Err(Trouble::Token(Failure::Retry { .. } | Failure::Malformed(_))) if end_ms > now_ms => Ok(set),
        Err(trouble) => Err(trouble),
    }
}

/// Exchanges a token, unless somebody else did so since it was read.
pub(crate) async fn refreshed(
    client: &Client,
    session: &Session,
    slot: &TokenSlot,
    seen: &TokenSet,
) -> Result<Arc<TokenSet>, Trouble> {
    let _only_one = session.tokens.lock(slot).await;
    let set = read(session, slot).await?;
    if !set.access.matches(seen.access.expose().as_bytes()) {
        return Ok(set);
    }
    let signed_out = |code| Trouble::Token(Failure::SignIn(code));
    let refresh = set.refresh.as_ref().ok_or_else(|| signed_out(codes::SIGN_IN))?;
    let secret = session.app.secret("client_secret").ok_or_else(|| signed_out(codes::CONFIG))?;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", session.app.fact("client_id")),
        ("client_secret", secret.expose()),
        ("refresh_token", refresh.expose()),
    ];
    // Whatever became of the refresh, the call it was for was not made.
    let answer = client.tokens(&form).await.map_err(|trouble| {
        Trouble::Token(match trouble {
            Trouble::Refused(refusal) => token_failure(&refusal),
            other => other.failure(),
        })
    })?;
    let life_ms = life_ms(&answer);
    let malformed = || Trouble::Token(Failure::Malformed(codes::MALFORMED));
    let mut fresh = set_of(answer, client.clock.now_ms()).ok_or_else(malformed)?;
    // Whatever comes back is kept, the same or new; where nothing comes, the old one goes on.
    fresh.refresh = fresh.refresh.or_else(|| Some(refresh.duplicate()));
    session.tokens.put(slot, fresh).await.map_err(lost)?;
    if let Some(life_ms) = life_ms {
        client.memory.learn_token_life(&session.installation.id, slot, life_ms);
    }
    read(session, slot).await
}

fn life_ms(answer: &OAuth) -> Option<i64> {
    answer.expires_in.map(|seconds| seconds.saturating_mul(1_000))
}

/// The token set in an answer of the token endpoint.
pub(crate) fn set_of(answer: OAuth, now_ms: i64) -> Option<TokenSet> {
    let life_ms = life_ms(&answer);
    Some(TokenSet {
        access: answer.access_token?,
        refresh: answer.refresh_token,
        expires_at_ms: life_ms.map(|life_ms| now_ms.saturating_add(life_ms)),
    })
}

async fn read(session: &Session, slot: &TokenSlot) -> Result<Arc<TokenSet>, Trouble> {
    let found = session.tokens.get(slot).await.map_err(lost)?;
    found.ok_or(Trouble::Token(Failure::SignIn(codes::SIGN_IN)))
}

fn lost(TokenError(code): TokenError) -> Trouble {
    Trouble::Token(Failure::Retry { after_ms: None, code })
}
