//! From the journal to the tables, inside a transaction.

use rusqlite::{Connection, params};

use super::conn::{Result, first, run};
use super::hot::Hot;
use super::write;
use crate::queries as q;
use crate::rows::Settlement;

/// The last frame of the journal that the tables hold.
pub(super) fn applied(conn: &Connection) -> Result<u64> {
    let applied = first(conn, &q::APPLIED, [], |r| Ok(r.get::<_, i64>(0)?))?;
    Ok(applied.unwrap_or(0).unsigned_abs())
}

/// The number for the next leg.
pub(super) fn next_seq(conn: &Connection) -> Result<i64> {
    let next = first(conn, &q::APPLIED, [], |r| Ok(r.get::<_, i64>(1)?))?;
    Ok(next.unwrap_or(1))
}

/// Writes everything, and that the tables hold the journal up to a frame. With `sparing`, a settlement that breaks a rule of the tables is left out, so that it does not
/// hold up all the rest: what was answered never should, and if it does it would be refused for ever.
pub(super) fn write(conn: &Connection, hot: &Hot, upto: u64, sparing: bool) -> Result<()> {
    for ((installation, digest), until_ms) in &hot.deliveries {
        run(conn, &q::PUT_DELIVERY, params![installation.as_str(), digest, until_ms])?;
    }
    for leg in &hot.gone_legs {
        run(conn, &q::DROP_LEG, [leg.as_str()])?;
    }
    for event in &hot.gone_events {
        run(conn, &q::DROP_EVENT, [event.as_str()])?;
    }
    for event in hot.fresh() {
        let payload = event.new.payload.as_ref();
        let record = payload.map(|payload| payload.record.as_slice());
        write::insert_event(conn, &event.new.event, record, payload.map(|payload| payload.slot))?;
        for (leg, seq) in event.new.legs.iter().zip(&event.seqs) {
            let Some(seq) = seq else { continue };
            let (id, lane) = (event.new.event.id.as_str(), leg.lane.to_text());
            run(conn, &q::ADD_LEG, params![seq, leg.id.as_str(), lane, leg.order, id, "[]"])?;
        }
    }
    for (id, lane) in hot.lanes() {
        let row = params![id.to_text(), lane.deeper, lane.owner, lane.fence, lane.until_ms];
        run(conn, &q::PUT_LANE, row)?;
    }
    for settlement in &hot.settlements {
        if sparing {
            spare(conn, settlement)?;
        } else {
            settle(conn, settlement)?;
        }
    }
    run(conn, &q::PUT_APPLIED, [upto.cast_signed(), hot.next_seq])?;
    Ok(())
}

fn spare(conn: &Connection, settlement: &Settlement) -> Result<()> {
    conn.prepare_cached("SAVEPOINT settlement")?.execute([])?;
    if let Err(fail) = settle(conn, settlement) {
        let fail = fail.unless_of_the_disk()?;
        let error = fail.into_error("");
        tracing::error!(leg = %settlement.leg, %error, "a settlement breaks a rule of the tables and is left out");
        conn.prepare_cached("ROLLBACK TO settlement")?.execute([])?;
    }
    conn.prepare_cached("RELEASE settlement")?.execute([])?;
    Ok(())
}

fn settle(conn: &Connection, settlement: &Settlement) -> Result<()> {
    if let Some(original) = &settlement.original {
        write::put_original(conn, original)?;
        for copy in &settlement.copies {
            write::put_own_copy(conn, (&original.conversation, &original.message), copy)?;
        }
    }
    write::add_receipt(conn, &settlement.receipt)
}
