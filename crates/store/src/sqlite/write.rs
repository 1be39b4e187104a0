//! Mutations of events on their way and of the message map that are done in the tables, inside a transaction.

use dragoman_model::{
    BridgeId, ConversationId, EventId, EventKind, InstallationId, LegId, OrgId, RemoteMessage, SlotId,
};
use rusqlite::{Connection, params};

use super::conn::{Result, all, exists, first, returning, run};
use super::{row, write_setup};
use crate::api::{Appended, AppendedLeg, Mutation, Reply, Settled};
use crate::error::StoreError;
use crate::merge;
use crate::queries as q;
use crate::reactions::{ReactionKey, ReactionRow, Standing};
use crate::rows::{
    ClaimedLane, CopyRow, DeadLetterRow, EventRow, LaneId, Lease, NewLeg, OriginalRow, Receipt, Settlement,
};

/// Does one mutation. Where it fails, the caller takes back what it wrote.
pub(super) fn apply(conn: &Connection, mutation: &Mutation) -> Result<Reply> {
    match mutation {
        Mutation::Settle(settlement) => settle(conn, settlement).map(Reply::Settled),
        Mutation::Progress { leg, lane, fence, copy } => progress(conn, leg, lane, *fence, copy),
        Mutation::React { leg, lane, fence, of, rows, gone, kept_until_ms } => {
            react(conn, (leg, lane, *fence), of, rows, gone, *kept_until_ms)
        }
        Mutation::Defer { leg, lane, fence, attempts, not_before_ms, code } => {
            owned_leg(conn, leg, lane, *fence)?;
            run(conn, &q::DEFER_LEG, params![leg.as_str(), attempts, not_before_ms, code])?;
            Ok(Reply::Done)
        }
        Mutation::ClaimLanes { lease, lanes, limit } => claim(conn, lease, lanes, *limit).map(Reply::Claimed),
        Mutation::ReleaseLanes { owner, lanes } => {
            for lane in lanes {
                run(conn, &q::RELEASE_LANE, params![lane.to_text(), owner])?;
            }
            Ok(Reply::Done)
        }
        Mutation::Shred { received_before_ms, limit } => {
            let found = all(conn, &q::SHREDDABLE, params![received_before_ms, limit], |r| {
                Ok((row::id::<EventId>(r, 0)?, row::slot(r, 1)?))
            })?;
            for (event, _) in &found {
                run(conn, &q::SHRED, [event.as_str()])?;
            }
            Ok(Reply::Shredded(found))
        }
        Mutation::Expire { now_ms, receipts_before_ms, limit } => {
            run(conn, &q::EXPIRE_DELIVERIES, params![now_ms, limit])?;
            run(conn, &q::EXPIRE_TOMBSTONES, params![now_ms, limit])?;
            run(conn, &q::EXPIRE_RECEIPTS, params![receipts_before_ms, limit])?;
            run(conn, &q::EXPIRE_REACTIONS, params![now_ms, limit])?;
            Ok(Reply::Done)
        }
        Mutation::Replay { dead_letter, event, leg, now_ms } => {
            replay(conn, dead_letter, event, leg, *now_ms)
        }
        Mutation::DropDeadLetter(id) => match run(conn, &q::DROP_DEAD_LETTER, [id.as_str()])? {
            0 => Err(StoreError::missing("dead_letter", id).into()),
            _ => Ok(Reply::Done),
        },
        setup => write_setup::apply(conn, setup),
    }
}

fn add_event(conn: &Connection, event: &EventRow, record: Option<&[u8]>, slot: Option<SlotId>) -> Result<()> {
    if exists(conn, &q::EVENT_EXISTS, [event.id.as_str()])? {
        return Err(StoreError::exists("event", &event.id).into());
    }
    insert_event(conn, event, record, slot)
}

/// Inserts an event that is not there.
pub(super) fn insert_event(
    conn: &Connection,
    event: &EventRow,
    record: Option<&[u8]>,
    slot: Option<SlotId>,
) -> Result<()> {
    run(
        conn,
        &q::ADD_EVENT,
        params![
            event.id.as_str(),
            event.org.as_str(),
            event.installation.as_str(),
            event.bridge.as_ref().map(BridgeId::as_str),
            event.conversation.as_ref().map(ConversationId::as_str),
            event.message.as_ref().map(RemoteMessage::as_str),
            event.thread_root.as_ref().map(RemoteMessage::as_str),
            event.kind,
            event.feed,
            event.at_ms,
            event.received_ms,
            record,
            slot.map(|slot| slot.0.cast_signed()),
        ],
    )?;
    Ok(())
}

fn add_leg(conn: &Connection, event: &EventId, leg: &NewLeg) -> Result<AppendedLeg> {
    if exists(conn, &q::LEG_EXISTS, [leg.id.as_str()])? {
        return Err(StoreError::exists("leg", &leg.id).into());
    }
    let lane = leg.lane.to_text();
    run(conn, &q::DEEPEN_LANE, [&lane])?;
    let seq = returning(conn, &q::TAKE_SEQ, [], |r| Ok(r.get::<_, i64>(0)?))?;
    let seq = seq.ok_or_else(|| StoreError::missing("journal", "1"))?;
    run(conn, &q::ADD_LEG, params![seq, leg.id.as_str(), lane, leg.order, event.as_str(), "[]"])?;
    Ok(AppendedLeg { seq, fence: None })
}

struct LegState {
    lane: String,
    fence: i64,
    event: EventId,
    org: OrgId,
    slot: Option<SlotId>,
}

fn settle(conn: &Connection, settlement: &Settlement) -> Result<Settled> {
    let leg = first(conn, &q::LEG_STATE, [settlement.leg.as_str()], |r| {
        Ok(LegState {
            lane: r.get(0)?,
            fence: r.get(1)?,
            event: row::id(r, 2)?,
            org: row::id(r, 3)?,
            slot: r.get::<_, Option<i64>>(4)?.map(|slot| SlotId(slot.cast_unsigned())),
        })
    })?;
    let Some(leg) = leg else {
        return Ok(Settled { erase: None, already: true });
    };
    let lane = settlement.lane.to_text();
    if leg.lane != lane || leg.fence != settlement.fence {
        return Err(StoreError::Fenced { lane }.into());
    }
    map(conn, settlement, &leg.org)?;
    if let Some(row) = &settlement.tombstone {
        conversation_of(conn, &row.conversation, &leg.org)?;
        let (conversation, message) = (row.conversation.as_str(), row.message.as_str());
        let times = (row.died_ms, row.revived_ms, row.until_ms);
        run(conn, &q::PUT_TOMBSTONE, params![conversation, message, times.0, times.1, times.2])?;
    }
    if settlement.receipt.org != leg.org {
        return Err(StoreError::missing("org", &settlement.receipt.org).into());
    }
    add_receipt(conn, &settlement.receipt)?;
    if let Some(dead) = &settlement.dead_letter {
        if dead.org != leg.org || dead.event.org != leg.org {
            return Err(StoreError::missing("org", &dead.org).into());
        }
        installation_of(conn, &dead.event.installation, &leg.org)?;
        match &dead.lane {
            LaneId::Conversation(id) => conversation_of(conn, id, &leg.org)?,
            LaneId::Control(id) => installation_of(conn, id, &leg.org)?,
        }
        add_dead_letter(conn, dead)?;
    }
    run(conn, &q::DROP_LEG, [settlement.leg.as_str()])?;
    run(conn, &q::DRAIN_LANE, [&lane])?;
    let mut erase = None;
    if !exists(conn, &q::EVENT_LEG, [leg.event.as_str()])? {
        run(conn, &q::DROP_EVENT, [leg.event.as_str()])?;
        erase = leg.slot;
    }
    Ok(Settled { erase, already: false })
}

fn map(conn: &Connection, settlement: &Settlement, org: &OrgId) -> Result<()> {
    if let Some(original) = &settlement.original {
        conversation_of(conn, &original.conversation, org)?;
        put_original(conn, original)?;
    }
    let own = settlement.original.as_ref().map(|original| (&original.conversation, &original.message));
    let own = own.or(settlement.of.as_ref().map(|(conversation, message)| (conversation, message)));
    if let Some((conversation, _)) = own {
        conversation_of(conn, conversation, org)?;
    }
    for copy in &settlement.copies {
        conversation_of(conn, &copy.conversation, org)?;
        let Some(of) = own else {
            return Err(StoreError::missing("original", &copy.message).into());
        };
        if settlement.original.is_none() && !original_exists(conn, of)? {
            return Err(StoreError::missing("original", of.1).into());
        }
        put_copy(conn, of, copy)?;
    }
    if settlement.original_gone
        && let Some((conversation, message)) = own
    {
        run(conn, &q::ORIGINAL_GONE, [conversation.as_str(), message.as_str()])?;
    }
    for (conversation, message) in &settlement.removed_copies {
        conversation_of(conn, conversation, org)?;
        let of = returning(conn, &q::DROP_COPY, [conversation.as_str(), message.as_str()], |r| {
            Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))
        })?;
        if let Some((conversation, message)) = of {
            run(conn, &q::DROP_GONE, [conversation, message])?;
        }
    }
    if let Some((conversation, message)) = own.filter(|_| settlement.original_gone) {
        run(conn, &q::DROP_GONE, [conversation.as_str(), message.as_str()])?;
    }
    Ok(())
}

fn original_exists(conn: &Connection, of: (&ConversationId, &RemoteMessage)) -> Result<bool> {
    exists(conn, &q::ORIGINAL, [of.0.as_str(), of.1.as_str()])
}

pub(super) fn put_original(conn: &Connection, new: &OriginalRow) -> Result<()> {
    let key = [new.conversation.as_str(), new.message.as_str()];
    let row = match first(conn, &q::ORIGINAL, key, row::original)? {
        Some(old) => merge::original(old, new),
        None => new.clone(),
    };
    run(
        conn,
        &q::PUT_ORIGINAL,
        params![
            row.conversation.as_str(),
            row.message.as_str(),
            row.bridge.as_str(),
            row.thread_root.as_ref().map(RemoteMessage::as_str),
            row.sent_ms,
            row.active_ms,
            row.sent_ms.max(row.active_ms),
        ],
    )?;
    Ok(())
}

fn put_copy(conn: &Connection, of: (&ConversationId, &RemoteMessage), copy: &CopyRow) -> Result<()> {
    let key = [copy.conversation.as_str(), copy.message.as_str()];
    let owner = first(conn, &q::COPY_OWNER, key, |r| {
        Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, row::count(r, 2)?))
    })?;
    let wanted = (of.0.as_str(), of.1.as_str(), copy.part);
    if owner.is_some_and(|(conversation, message, part)| (&*conversation, &*message, part) != wanted) {
        return Err(StoreError::exists("copy", &copy.message).into());
    }
    put_own_copy(conn, of, copy)
}

/// Inserts or brings up to date a copy whose message is that of no other.
pub(super) fn put_own_copy(
    conn: &Connection,
    of: (&ConversationId, &RemoteMessage),
    copy: &CopyRow,
) -> Result<()> {
    let place = params![of.0.as_str(), of.1.as_str(), copy.conversation.as_str(), copy.part];
    let copy = match first(conn, &q::COPY, place, row::copy)? {
        Some(old) => merge::copy(old, copy),
        None => copy.clone(),
    };
    run(
        conn,
        &q::PUT_COPY,
        params![
            of.0.as_str(),
            of.1.as_str(),
            copy.conversation.as_str(),
            copy.part,
            copy.message.as_str(),
            copy.thread_root.as_ref().map(RemoteMessage::as_str),
            copy.spokesman,
            copy.edits,
            copy.version.map(|version| version.0),
            copy.fingerprint,
            copy.epoch,
            copy.file,
            copy.beside,
        ],
    )?;
    Ok(())
}

pub(super) fn add_receipt(conn: &Connection, receipt: &Receipt) -> Result<()> {
    run(
        conn,
        &q::ADD_RECEIPT,
        params![
            receipt.org.as_str(),
            receipt.leg.as_str(),
            receipt.bridge.as_ref().map(BridgeId::as_str),
            receipt.kind,
            receipt.from.as_ref().map(ConversationId::as_str),
            receipt.message.as_ref().map(RemoteMessage::as_str),
            receipt.to.as_ref().map(ConversationId::as_str),
            receipt.outcome,
            receipt.code,
            row::to_json(&receipt.notes),
            receipt.received_ms,
            receipt.settled_ms,
            receipt.attempts,
        ],
    )?;
    Ok(())
}

fn add_dead_letter(conn: &Connection, dead: &DeadLetterRow) -> Result<()> {
    if exists(conn, &q::DEAD_LETTER, [dead.id.as_str()])? {
        return Err(StoreError::exists("dead_letter", &dead.id).into());
    }
    run(
        conn,
        &q::ADD_DEAD_LETTER,
        params![
            dead.id.as_str(),
            dead.org.as_str(),
            row::to_json(&dead.event),
            dead.lane.to_text(),
            dead.code,
            dead.attempts,
            dead.died_ms,
            dead.event.installation.as_str(),
        ],
    )?;
    Ok(())
}

fn owned_leg(conn: &Connection, leg: &LegId, lane: &LaneId, fence: i64) -> Result<()> {
    let lane = lane.to_text();
    let current = first(conn, &q::LANE_FENCE, [&lane], |r| Ok(r.get::<_, i64>(0)?))?;
    if current != Some(fence) {
        return Err(StoreError::Fenced { lane }.into());
    }
    match first(conn, &q::LEG_STATE, [leg.as_str()], |r| Ok(r.get::<_, String>(0)?))? {
        Some(of) if of == lane => Ok(()),
        Some(_) => Err(StoreError::Fenced { lane }.into()),
        None => Err(StoreError::missing("leg", leg).into()),
    }
}

fn progress(conn: &Connection, leg: &LegId, lane: &LaneId, fence: i64, copy: &CopyRow) -> Result<Reply> {
    owned_leg(conn, leg, lane, fence)?;
    let mut parts = first(conn, &q::LEG_PARTS, [leg.as_str()], row::parts)?.unwrap_or_default();
    merge::parts(&mut parts, copy.clone());
    run(conn, &q::SET_LEG_PARTS, params![leg.as_str(), row::to_json(&parts)])?;
    Ok(Reply::Done)
}

fn react(
    conn: &Connection,
    (leg, lane, fence): (&LegId, &LaneId, i64),
    of: &(ConversationId, RemoteMessage),
    rows: &[ReactionRow],
    gone: &[ReactionKey],
    kept_until_ms: i64,
) -> Result<Reply> {
    owned_leg(conn, leg, lane, fence)?;
    let event = first(conn, &q::LEG_STATE, [leg.as_str()], |r| {
        Ok((row::id::<EventId>(r, 2)?, row::id::<OrgId>(r, 3)?))
    })?;
    let Some((event, org)) = event else { return Err(StoreError::missing("leg", leg).into()) };
    conversation_of(conn, &of.0, &org)?;
    for row in rows {
        conversation_of(conn, &row.key.conversation, &org)?;
    }
    run(conn, &q::EVENT_IS_REACTION, [event.as_str(), EventKind::Reaction.as_str()])?;
    if !original_exists(conn, (&of.0, &of.1))? {
        return Ok(Reply::Done);
    }
    for row in rows {
        let key = &row.key;
        let place =
            params![of.0.as_str(), of.1.as_str(), key.conversation.as_str(), key.ours, key.who, key.emoji];
        let known = first(conn, &q::REACTION_AT, place, |r| Ok(r.get::<_, i64>(0)?))?;
        if !merge::reaction_holds(known, row) {
            continue;
        }
        run(
            conn,
            &q::PUT_REACTION,
            params![
                of.0.as_str(),
                of.1.as_str(),
                key.conversation.as_str(),
                key.ours,
                key.who,
                key.emoji,
                row.sealed_emoji,
                row.standing.as_str(),
                row.at_ms,
                row.until_ms,
            ],
        )?;
    }
    let unset = Standing::Unset.as_str();
    run(conn, &q::KEEP_REACTIONS, params![of.0.as_str(), of.1.as_str(), kept_until_ms, unset])?;
    for key in gone {
        let place =
            params![of.0.as_str(), of.1.as_str(), key.conversation.as_str(), key.ours, key.who, key.emoji];
        run(conn, &q::DROP_REACTION, place)?;
    }
    Ok(Reply::Done)
}

fn claim(conn: &Connection, lease: &Lease, wanted: &[LaneId], limit: u32) -> Result<Vec<ClaimedLane>> {
    let Lease { owner, now_ms, until_ms } = lease;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut lanes: Vec<String> = Vec::new();
    if wanted.is_empty() {
        lanes = all(conn, &q::FREE_LANES, params![now_ms, limit], |r| Ok(r.get(0)?))?;
        let rest = limit.saturating_sub(u32::try_from(lanes.len()).unwrap_or(u32::MAX));
        lanes.extend(all(conn, &q::OWN_LANES, params![owner, now_ms, rest], |r| Ok(r.get::<_, String>(0)?))?);
    } else {
        for lane in wanted {
            let lane = lane.to_text();
            let state = first(conn, &q::LANE_STATE, [&lane], |r| {
                Ok((r.get::<_, Option<String>>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?))
            })?;
            let claimable = state.is_some_and(|(holder, until, depth)| {
                holder.as_ref() == Some(owner) || (until <= *now_ms && depth > 0)
            });
            if claimable && !lanes.contains(&lane) && lanes.len() < most {
                lanes.push(lane);
            }
        }
    }
    let claims = lanes.iter().map(|lane| {
        returning(conn, &q::CLAIM_LANE, params![lane, owner, until_ms], |r| {
            let id = LaneId::parse(lane).ok_or(StoreError::Damaged {
                table: "lane",
                key: lane.clone(),
                what: "an unknown kind of lane",
            })?;
            Ok(ClaimedLane { id, fence: r.get(0)? })
        })
    });
    Ok(claims.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn replay(conn: &Connection, dead: &LegId, event: &EventId, leg: &LegId, now_ms: i64) -> Result<Reply> {
    let Some(dead) = first(conn, &q::DEAD_LETTER, [dead.as_str()], row::dead_letter)? else {
        return Err(StoreError::missing("dead_letter", dead).into());
    };
    let renewed = EventRow { id: event.clone(), received_ms: now_ms, ..dead.event };
    add_event(conn, &renewed, None, None)?;
    let order = now_ms.saturating_mul(1_000);
    let again = NewLeg { id: leg.clone(), lane: dead.lane, order };
    let leg = add_leg(conn, event, &again)?;
    run(conn, &q::DROP_DEAD_LETTER, [dead.id.as_str()])?;
    Ok(Reply::Appended(vec![Appended::Fresh(vec![leg])]))
}

/// Refuses an installation that is not there or of another organisation.
pub(super) fn installation_of(conn: &Connection, id: &InstallationId, org: &OrgId) -> Result<()> {
    let of = first(conn, &q::INSTALLATION_ORG, [id.as_str()], |r| Ok(r.get::<_, String>(0)?))?;
    if of.as_deref() == Some(org.as_str()) {
        return Ok(());
    }
    Err(StoreError::missing("installation", id).into())
}

/// Refuses a conversation that is not there or of another organisation.
pub(super) fn conversation_of(conn: &Connection, id: &ConversationId, org: &OrgId) -> Result<()> {
    let of = first(conn, &q::CONVERSATION_ORG, [id.as_str()], |r| Ok(r.get::<_, String>(0)?))?;
    if of.as_deref() == Some(org.as_str()) {
        return Ok(());
    }
    Err(StoreError::missing("conversation", id).into())
}
