//! A few connections that read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::conn::{Result, all};
use super::row;
use crate::queries as q;
use crate::rows::BridgeRow;

/// Connections; reads are short, so that waiting for one is too.
pub(super) struct Readers {
    connections: Vec<Mutex<Connection>>,
    next: AtomicUsize,
}

impl Readers {
    /// Takes at least one connection.
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self { connections: connections.into_iter().map(Mutex::new).collect(), next: AtomicUsize::new(0) }
    }

    /// One that is free, or the next in turn.
    pub(super) fn get(&self) -> MutexGuard<'_, Connection> {
        let free = self.connections.iter().find_map(|connection| connection.try_lock().ok());
        free.unwrap_or_else(|| {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
            self.connections[turn].lock().unwrap_or_else(PoisonError::into_inner)
        })
    }
}

/// Bridges with their members, as of one moment.
pub(super) fn bridges(conn: &Connection) -> Result<Vec<BridgeRow>> {
    let moment = conn.unchecked_transaction()?;
    let mut bridges = all(&moment, &q::BRIDGES, [], row::bridge)?;
    let mut members = all(&moment, &q::BRIDGE_MEMBERS, [], |r| Ok((r.get::<_, String>(0)?, row::id(r, 1)?)))?
        .into_iter()
        .peekable();
    // Both are ordered by bridge.
    for bridge in &mut bridges {
        while let Some((_, member)) = members.next_if(|(of, _)| of == bridge.id.as_str()) {
            bridge.members.push(member);
        }
    }
    Ok(bridges)
}
