//! Mutations of what operators set up, inside a transaction.

use std::collections::BTreeSet;

use dragoman_model::{BridgeId, ConversationId, EventId, InstallationId, OrgId, PersonId};
use rusqlite::{Connection, params};

use super::conn::{Result, all, exists, first, run};
use super::row;
use super::write::{conversation_of, installation_of};
use crate::api::{Mutation, Reply};
use crate::error::StoreError;
use crate::merge;
use crate::queries::{self as q, Query};
use crate::rows::{
    AccountRow, AppRow, AuditRow, BridgeRow, BridgeState, ConversationRow, InstallationRow, OrgRow, TokenRow,
};

pub(super) fn apply(conn: &Connection, mutation: &Mutation) -> Result<Reply> {
    match mutation {
        Mutation::PutOrg(row) => put_org(conn, row)?,
        Mutation::PutApp(row) => put_app(conn, row)?,
        Mutation::PutInstallation(row) => put_installation(conn, row)?,
        Mutation::PutToken(row) => put_token(conn, row)?,
        Mutation::DropTokens { installation, slot } => drop_tokens(conn, installation, slot.as_deref())?,
        Mutation::PutConversation(row) => put_conversation(conn, row)?,
        Mutation::SeenUntil { conversation, seen_until_ms } => {
            let set = params![conversation.as_str(), seen_until_ms];
            if run(conn, &q::SEEN_UNTIL, set)? == 0 {
                return Err(StoreError::missing("conversation", conversation).into());
            }
        }
        Mutation::AddBridge(row) => add_bridge(conn, row)?,
        Mutation::SetBridge { bridge, state, since_ms } => set_bridge(conn, bridge, *state, *since_ms)?,
        Mutation::SetNotices { bridge, notices } => {
            let row = BridgeRow { notices: *notices, ..bridge_row(conn, bridge)? };
            put_bridge(conn, &row)?;
        }
        Mutation::Backfilled { bridge, conversation } => {
            let mut row = bridge_row(conn, bridge)?;
            row.past.backfill_due.remove(conversation);
            put_bridge(conn, &row)?;
        }
        Mutation::SetMembers { bridge, members, since_ms, backfill_ms, joined_by } => {
            let mut row = bridge_row(conn, bridge)?;
            put_members(conn, bridge, &row.org, row.state, members)?;
            merge::bridge_members(&mut row, members, *since_ms, backfill_ms, joined_by.as_ref());
            put_bridge(conn, &row)?;
        }
        Mutation::Amend { conversation, amendment } => {
            let found = first(conn, &q::CONVERSATION, [conversation.as_str()], row::conversation)?;
            let mut found = found.ok_or_else(|| StoreError::missing("conversation", conversation))?;
            merge::amend(&mut found, amendment);
            put_conversation(conn, &found)?;
        }
        Mutation::EndTalk { bridge, by, at_ms } => {
            let mut row = bridge_row(conn, bridge)?;
            merge::bridge_over(&mut row, by.as_ref(), *at_ms);
            put_bridge(conn, &row)?;
            run(conn, &q::SET_LIVE, params![bridge.as_str(), false])?;
        }
        Mutation::PutAccount(row) => put_account(conn, row)?,
        Mutation::DropAccount { installation, user } => {
            let key = (installation.as_str(), user.as_str());
            run(conn, &q::DROP_ACCOUNT, [key.0, key.1])?;
            run(conn, &q::BLANK_ACCOUNT, params![key.0, key.1, [0_u8; 0]])?;
        }
        Mutation::UnlinkAccount { installation, user } => {
            run(conn, &q::UNLINK_ACCOUNT, [installation.as_str(), user.as_str()])?;
        }
        Mutation::Audit(row) => add_audit(conn, row)?,
        Mutation::Forget(installation) => {
            for query in &q::FORGET {
                run(conn, query, [installation.as_str()])?;
            }
        }
        Mutation::DropOrg(org) => return drop_org(conn, org),
        // The others are events on their way, which the caller takes itself.
        _ => debug_assert!(false, "a mutation that nobody does"),
    }
    Ok(Reply::Done)
}

fn org_exists(conn: &Connection, org: &OrgId) -> Result<()> {
    if exists(conn, &q::ORG_EXISTS, [org.as_str()])? {
        return Ok(());
    }
    Err(StoreError::missing("org", org).into())
}

/// A row never moves to another organisation.
fn stays_in(conn: &Connection, query: &Query, table: &'static str, id: &str, org: &OrgId) -> Result<()> {
    let of = first(conn, query, [id], |r| Ok(r.get::<_, String>(0)?))?;
    if of.is_none_or(|of| of == org.as_str()) {
        return Ok(());
    }
    Err(StoreError::exists(table, id).into())
}

/// The unique key belongs to nobody, or to this row.
fn free_for(
    conn: &Connection,
    query: &Query,
    key: impl rusqlite::Params,
    table: &'static str,
    (id, name): (&str, &str),
) -> Result<()> {
    let holder = first(conn, query, key, |r| Ok(r.get::<_, String>(0)?))?;
    if holder.is_none_or(|holder| holder == id) {
        return Ok(());
    }
    Err(StoreError::exists(table, name).into())
}

fn put_org(conn: &Connection, org: &OrgRow) -> Result<()> {
    free_for(conn, &q::ORG_NAMED, [&org.name], "org", (org.id.as_str(), &org.name))?;
    let (keys, policy) = (row::to_json(&org.wrapped_keys), row::to_json(&org.policy));
    run(conn, &q::PUT_ORG, params![org.id.as_str(), org.name, keys, policy, org.created_ms])?;
    Ok(())
}

fn put_app(conn: &Connection, app: &AppRow) -> Result<()> {
    org_exists(conn, &app.org)?;
    stays_in(conn, &q::APP_ORG, "app", app.id.as_str(), &app.org)?;
    run(
        conn,
        &q::PUT_APP,
        params![
            app.id.as_str(),
            app.org.as_str(),
            app.platform,
            row::to_json(&app.facts),
            row::to_json(&app.sealed_secrets),
            row::to_json(&app.features),
            app.created_ms,
        ],
    )?;
    Ok(())
}

fn put_installation(conn: &Connection, new: &InstallationRow) -> Result<()> {
    org_exists(conn, &new.org)?;
    let of = first(conn, &q::APP_ORG, [new.app.as_str()], |r| Ok(r.get::<_, String>(0)?))?;
    if of.as_deref() != Some(new.org.as_str()) {
        return Err(StoreError::missing("app", &new.app).into());
    }
    stays_in(conn, &q::INSTALLATION_ORG, "installation", new.id.as_str(), &new.org)?;
    let names = (new.id.as_str(), new.workspace.as_str());
    free_for(conn, &q::INSTALLATION_IN, [new.app.as_str(), new.workspace.as_str()], "installation", names)?;
    run(
        conn,
        &q::PUT_INSTALLATION,
        params![
            new.id.as_str(),
            new.org.as_str(),
            new.app.as_str(),
            new.workspace.as_str(),
            new.name,
            row::to_json(&new.facts),
            row::to_json(&new.scopes),
            new.trouble,
            new.created_ms,
        ],
    )?;
    Ok(())
}

fn put_token(conn: &Connection, token: &TokenRow) -> Result<()> {
    if !exists(conn, &q::INSTALLATION_ORG, [token.installation.as_str()])? {
        return Err(StoreError::missing("installation", &token.installation).into());
    }
    run(
        conn,
        &q::PUT_TOKEN,
        params![
            token.installation.as_str(),
            token.slot,
            token.sealed_access,
            token.sealed_refresh,
            token.expires_at_ms
        ],
    )?;
    Ok(())
}

fn drop_tokens(conn: &Connection, installation: &InstallationId, slot: Option<&str>) -> Result<()> {
    match slot {
        Some(slot) => run(conn, &q::DROP_TOKEN, [installation.as_str(), slot])?,
        None => run(conn, &q::DROP_TOKENS, [installation.as_str()])?,
    };
    Ok(())
}

fn put_conversation(conn: &Connection, new: &ConversationRow) -> Result<()> {
    installation_of(conn, &new.installation, &new.org)?;
    stays_in(conn, &q::CONVERSATION_ORG, "conversation", new.id.as_str(), &new.org)?;
    free_for(
        conn,
        &q::CONVERSATION_IN,
        [new.installation.as_str(), new.remote.as_str()],
        "conversation",
        (new.id.as_str(), new.remote.as_str()),
    )?;
    run(
        conn,
        &q::PUT_CONVERSATION,
        params![
            new.id.as_str(),
            new.org.as_str(),
            new.installation.as_str(),
            new.remote.as_str(),
            new.kind,
            new.sealed_name,
            new.external,
            row::to_json(&new.facts),
            new.watch_id,
            new.watch_renew_ms,
            new.watch_expires_ms,
            new.seen_until_ms,
        ],
    )?;
    Ok(())
}

fn add_bridge(conn: &Connection, bridge: &BridgeRow) -> Result<()> {
    org_exists(conn, &bridge.org)?;
    if exists(conn, &q::BRIDGE_STATE, [bridge.id.as_str()])? {
        return Err(StoreError::exists("bridge", &bridge.id).into());
    }
    let (id, org, state) = (bridge.id.as_str(), bridge.org.as_str(), bridge.state.as_str());
    let past = row::to_json(&bridge.past);
    let notices = bridge.notices.as_str();
    run(
        conn,
        &q::ADD_BRIDGE,
        params![id, org, state, bridge.created_ms, bridge.since_ms, past, notices, bridge.talk],
    )?;
    put_members(conn, &bridge.id, &bridge.org, bridge.state, &bridge.members)
}

fn bridge_row(conn: &Connection, bridge: &BridgeId) -> Result<BridgeRow> {
    let found = first(conn, &q::BRIDGE, [bridge.as_str()], row::bridge)?;
    let mut found = found.ok_or_else(|| StoreError::missing("bridge", bridge))?;
    found.members = all(conn, &q::MEMBERS_OF, [bridge.as_str()], |r| row::id(r, 0))?;
    Ok(found)
}

fn put_bridge(conn: &Connection, row: &BridgeRow) -> Result<()> {
    let past = row::to_json(&row.past);
    let (id, state, notices) = (row.id.as_str(), row.state.as_str(), row.notices.as_str());
    run(conn, &q::SET_BRIDGE, params![id, state, row.since_ms, past, notices])?;
    Ok(())
}

fn set_bridge(conn: &Connection, bridge: &BridgeId, state: BridgeState, since_ms: Option<i64>) -> Result<()> {
    let mut row = bridge_row(conn, bridge)?;
    if state != BridgeState::Ended {
        for member in &row.members {
            free_member(conn, bridge, member)?;
        }
    }
    merge::bridge_state(&mut row, state, since_ms);
    put_bridge(conn, &row)?;
    run(conn, &q::SET_LIVE, params![bridge.as_str(), state != BridgeState::Ended])?;
    Ok(())
}

fn put_members(
    conn: &Connection,
    bridge: &BridgeId,
    org: &OrgId,
    state: BridgeState,
    members: &[ConversationId],
) -> Result<()> {
    run(conn, &q::DROP_MEMBERS, [bridge.as_str()])?;
    let live = state != BridgeState::Ended;
    let mut seen = BTreeSet::new();
    for (position, member) in (0_i64..).zip(members) {
        conversation_of(conn, member, org)?;
        if !seen.insert(member) {
            return Err(StoreError::exists("bridge_member", member).into());
        }
        if live {
            free_member(conn, bridge, member)?;
        }
        run(conn, &q::ADD_MEMBER, params![bridge.as_str(), position, member.as_str(), live])?;
    }
    Ok(())
}

fn free_member(conn: &Connection, bridge: &BridgeId, member: &ConversationId) -> Result<()> {
    let holder = first(conn, &q::LIVE_BRIDGE_OF, [member.as_str()], |r| row::id::<BridgeId>(r, 0))?;
    if holder.is_none_or(|holder| holder == *bridge) {
        return Ok(());
    }
    Err(StoreError::exists("bridge_member", member).into())
}

fn put_account(conn: &Connection, account: &AccountRow) -> Result<()> {
    installation_of(conn, &account.installation, &account.org)?;
    run(
        conn,
        &q::PUT_ACCOUNT,
        params![
            account.org.as_str(),
            account.installation.as_str(),
            account.user.as_str(),
            account.sealed_profile,
            account.email_digest,
            account.person.as_ref().map(PersonId::as_str),
            account.refreshed_ms,
        ],
    )?;
    Ok(())
}

fn add_audit(conn: &Connection, audit: &AuditRow) -> Result<()> {
    if let Some(org) = &audit.org {
        org_exists(conn, org)?;
    }
    let org = audit.org.as_ref().map(OrgId::as_str);
    run(conn, &q::ADD_AUDIT, params![org, audit.at_ms, audit.actor, audit.act, audit.subject])?;
    Ok(())
}

fn drop_org(conn: &Connection, org: &OrgId) -> Result<Reply> {
    let slots =
        all(conn, &q::SLOTS_OF_ORG, [org.as_str()], |r| Ok((row::id::<EventId>(r, 0)?, row::slot(r, 1)?)))?;
    for query in &q::DROP_ORG {
        run(conn, query, [org.as_str()])?;
    }
    Ok(Reply::Shredded(slots))
}
