//! Rows of tables to rows of the core.

use dragoman_model::{SlotId, Version};
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::conn::Result;
use crate::error::StoreError;
use crate::reactions::{ReactionKey, ReactionRow, Standing};
use crate::rows::{
    AccountRow, AppRow, AuditRow, BridgeRow, BridgeState, ConversationRow, CopyRow, DeadLetterRow, EventRow,
    InstallationRow, LaneId, LaneRow, LegRow, Notices, OrgRow, OriginalRow, Receipt, SealedPayload, TokenRow,
    TombstoneRow,
};

fn damaged(table: &'static str, row: &Row<'_>, key: usize, what: &'static str) -> StoreError {
    let key = match row.get_ref(key) {
        Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Ok(ValueRef::Integer(number)) => number.to_string(),
        _ => String::new(),
    };
    StoreError::Damaged { table, key, what }
}

/// An id.
pub(super) fn id<T: From<String>>(row: &Row<'_>, column: usize) -> Result<T> {
    Ok(row.get::<_, String>(column)?.into())
}

fn maybe_id<T: From<String>>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    Ok(row.get::<_, Option<String>>(column)?.map(Into::into))
}

/// A count or part number.
pub(super) fn count(row: &Row<'_>, column: usize) -> Result<u32> {
    Ok(u32::try_from(row.get::<_, i64>(column)?).unwrap_or(u32::MAX))
}

/// A figure.
pub(super) fn figure(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

/// A slot, whose number is kept bit by bit.
pub(super) fn slot(row: &Row<'_>, column: usize) -> Result<SlotId> {
    Ok(SlotId(row.get::<_, i64>(column)?.cast_unsigned()))
}

/// What [`json`] reads.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("maps with text keys and plain structs always serialise")
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize, table: &'static str, key: usize) -> Result<T> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).map_err(|_| damaged(table, row, key, "JSON of another shape"))?)
}

pub(super) fn org(row: &Row<'_>) -> Result<OrgRow> {
    Ok(OrgRow {
        id: id(row, 0)?,
        name: row.get(1)?,
        wrapped_keys: json(row, 2, "org", 0)?,
        policy: json(row, 3, "org", 0)?,
        created_ms: row.get(4)?,
    })
}

pub(super) fn app(row: &Row<'_>) -> Result<AppRow> {
    Ok(AppRow {
        id: id(row, 0)?,
        org: id(row, 1)?,
        platform: row.get(2)?,
        facts: json(row, 3, "app", 0)?,
        sealed_secrets: json(row, 4, "app", 0)?,
        features: json(row, 5, "app", 0)?,
        created_ms: row.get(6)?,
    })
}

pub(super) fn installation(row: &Row<'_>) -> Result<InstallationRow> {
    Ok(InstallationRow {
        id: id(row, 0)?,
        org: id(row, 1)?,
        app: id(row, 2)?,
        workspace: id(row, 3)?,
        name: row.get(4)?,
        facts: json(row, 5, "installation", 0)?,
        scopes: json(row, 6, "installation", 0)?,
        trouble: row.get(7)?,
        created_ms: row.get(8)?,
    })
}

pub(super) fn token(row: &Row<'_>) -> Result<TokenRow> {
    Ok(TokenRow {
        installation: id(row, 0)?,
        slot: row.get(1)?,
        sealed_access: row.get(2)?,
        sealed_refresh: row.get(3)?,
        expires_at_ms: row.get(4)?,
    })
}

pub(super) fn conversation(row: &Row<'_>) -> Result<ConversationRow> {
    Ok(ConversationRow {
        id: id(row, 0)?,
        org: id(row, 1)?,
        installation: id(row, 2)?,
        remote: id(row, 3)?,
        kind: row.get(4)?,
        sealed_name: row.get(5)?,
        external: row.get(6)?,
        facts: json(row, 7, "conversation", 0)?,
        watch_id: row.get(8)?,
        watch_renew_ms: row.get(9)?,
        watch_expires_ms: row.get(10)?,
        seen_until_ms: row.get(11)?,
    })
}

pub(super) fn notices(row: &Row<'_>, column: usize, key: usize) -> Result<Notices> {
    let word: String = row.get(column)?;
    Ok(Notices::parse(&word).ok_or_else(|| damaged("bridge", row, key, "unknown notices"))?)
}

pub(super) fn state(row: &Row<'_>, column: usize, key: usize) -> Result<BridgeState> {
    let word: String = row.get(column)?;
    Ok(BridgeState::parse(&word).ok_or_else(|| damaged("bridge", row, key, "an unknown state"))?)
}

pub(super) fn account(row: &Row<'_>) -> Result<AccountRow> {
    Ok(AccountRow {
        org: id(row, 0)?,
        installation: id(row, 1)?,
        user: id(row, 2)?,
        sealed_profile: row.get(3)?,
        email_digest: row.get(4)?,
        person: maybe_id(row, 5)?,
        refreshed_ms: row.get(6)?,
    })
}

pub(super) fn lane_id(row: &Row<'_>, column: usize, table: &'static str, key: usize) -> Result<LaneId> {
    let text: String = row.get(column)?;
    Ok(LaneId::parse(&text).ok_or_else(|| damaged(table, row, key, "an unknown kind of lane"))?)
}

pub(super) fn lane(row: &Row<'_>) -> Result<LaneRow> {
    Ok(LaneRow {
        id: lane_id(row, 0, "lane", 0)?,
        depth: figure(row, 1)?,
        not_before_ms: row.get::<_, Option<i64>>(2)?.unwrap_or(0),
    })
}

pub(super) fn leg(row: &Row<'_>) -> Result<LegRow> {
    Ok(LegRow {
        id: id(row, 0)?,
        lane: lane_id(row, 1, "leg", 0)?,
        order: row.get(2)?,
        seq: row.get(3)?,
        attempts: count(row, 4)?,
        not_before_ms: row.get(5)?,
        code: row.get(6)?,
        parts: json(row, 7, "leg", 0)?,
        has_payload: row.get(8)?,
        event: EventRow {
            id: id(row, 9)?,
            org: id(row, 10)?,
            installation: id(row, 11)?,
            bridge: maybe_id(row, 12)?,
            conversation: maybe_id(row, 13)?,
            message: maybe_id(row, 14)?,
            thread_root: maybe_id(row, 15)?,
            kind: row.get(16)?,
            feed: row.get(17)?,
            at_ms: row.get(18)?,
            received_ms: row.get(19)?,
        },
    })
}

pub(super) fn parts(row: &Row<'_>) -> Result<Vec<CopyRow>> {
    json(row, 0, "leg", 0)
}

pub(super) fn payload(row: &Row<'_>) -> Result<SealedPayload> {
    Ok(SealedPayload { record: row.get(0)?, slot: slot(row, 1)? })
}

/// An original whose columns begin at `at`.
pub(super) fn original_at(row: &Row<'_>, at: usize) -> Result<OriginalRow> {
    Ok(OriginalRow {
        bridge: id(row, at)?,
        conversation: id(row, at + 1)?,
        message: id(row, at + 2)?,
        thread_root: maybe_id(row, at + 3)?,
        sent_ms: row.get(at + 4)?,
        active_ms: row.get(at + 5)?,
    })
}

pub(super) fn original(row: &Row<'_>) -> Result<OriginalRow> {
    original_at(row, 0)
}

pub(super) fn copy(row: &Row<'_>) -> Result<CopyRow> {
    Ok(CopyRow {
        conversation: id(row, 0)?,
        part: count(row, 1)?,
        message: id(row, 2)?,
        thread_root: maybe_id(row, 3)?,
        spokesman: row.get(4)?,
        edits: count(row, 5)?,
        version: row.get::<_, Option<i64>>(6)?.map(Version),
        fingerprint: row.get(7)?,
        epoch: row.get(8)?,
        file: row.get(9)?,
        beside: row.get(10)?,
    })
}

pub(super) fn reaction(row: &Row<'_>) -> Result<ReactionRow> {
    let standing = Standing::parse(&row.get::<_, String>(5)?);
    Ok(ReactionRow {
        key: ReactionKey {
            conversation: id(row, 0)?,
            ours: row.get(1)?,
            who: row.get(2)?,
            emoji: row.get(3)?,
        },
        sealed_emoji: row.get(4)?,
        standing: standing.ok_or_else(|| damaged("reaction", row, 0, "an unknown standing"))?,
        at_ms: row.get(6)?,
        until_ms: row.get(7)?,
    })
}

/// Without its members.
pub(super) fn bridge(row: &Row<'_>) -> Result<BridgeRow> {
    Ok(BridgeRow {
        id: id(row, 0)?,
        org: id(row, 1)?,
        state: state(row, 2, 0)?,
        members: Vec::new(),
        created_ms: row.get(3)?,
        since_ms: row.get(4)?,
        past: json(row, 5, "bridge", 0)?,
        notices: notices(row, 6, 0)?,
        talk: row.get(7)?,
    })
}

pub(super) fn tombstone(row: &Row<'_>) -> Result<TombstoneRow> {
    Ok(TombstoneRow {
        conversation: id(row, 0)?,
        message: id(row, 1)?,
        died_ms: row.get(2)?,
        revived_ms: row.get(3)?,
        until_ms: row.get(4)?,
    })
}

pub(super) fn receipt(row: &Row<'_>) -> Result<Receipt> {
    Ok(Receipt {
        org: id(row, 0)?,
        leg: id(row, 1)?,
        bridge: maybe_id(row, 2)?,
        kind: row.get(3)?,
        from: maybe_id(row, 4)?,
        message: maybe_id(row, 5)?,
        to: maybe_id(row, 6)?,
        outcome: row.get(7)?,
        code: row.get(8)?,
        notes: json(row, 9, "receipt", 1)?,
        received_ms: row.get(10)?,
        settled_ms: row.get(11)?,
        attempts: count(row, 12)?,
    })
}

pub(super) fn dead_letter(row: &Row<'_>) -> Result<DeadLetterRow> {
    Ok(DeadLetterRow {
        id: id(row, 0)?,
        org: id(row, 1)?,
        event: json(row, 2, "dead_letter", 0)?,
        lane: lane_id(row, 3, "dead_letter", 0)?,
        code: row.get(4)?,
        attempts: count(row, 5)?,
        died_ms: row.get(6)?,
    })
}

pub(super) fn audit(row: &Row<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        org: maybe_id(row, 0)?,
        at_ms: row.get(1)?,
        actor: row.get(2)?,
        act: row.get(3)?,
        subject: row.get(4)?,
    })
}
