//! The part of the message map that is in the journal and not yet in the tables, for readers.

use std::collections::HashMap;

use dragoman_model::{ConversationId, RemoteMessage};

use crate::merge;
use crate::rows::{CopyRow, OriginalRow, Settlement};

/// A message: where, and which.
type Key = (ConversationId, RemoteMessage);
type ByMessage<T> = HashMap<ConversationId, HashMap<RemoteMessage, T>>;

/// Rows in the order in which they came. A reader looks here before it reads the table: what moves there in between
/// is merged twice, which changes nothing.
#[derive(Default)]
pub(super) struct Overlay {
    originals: ByMessage<Vec<OriginalRow>>,
    /// By original.
    copies: ByMessage<Vec<CopyRow>>,
    /// The originals of copies.
    owners: ByMessage<Key>,
}

fn find<'a, T>(
    map: &'a ByMessage<T>,
    conversation: &ConversationId,
    message: &RemoteMessage,
) -> Option<&'a T> {
    map.get(conversation)?.get(message)
}

fn entry<'a, T: Default>(map: &'a mut ByMessage<T>, (conversation, message): &Key) -> &'a mut T {
    map.entry(conversation.clone()).or_default().entry(message.clone()).or_default()
}

impl Overlay {
    /// Takes over what a settlement inserts or brings up to date.
    pub(super) fn add(&mut self, settlement: &Settlement) {
        let Some(original) = &settlement.original else { return };
        let of = (original.conversation.clone(), original.message.clone());
        entry(&mut self.originals, &of).push(original.clone());
        for copy in &settlement.copies {
            let rows = entry(&mut self.copies, &of);
            let same_place =
                |row: &&CopyRow| (&row.conversation, row.part) == (&copy.conversation, copy.part);
            if let Some(before) = rows.iter().rfind(same_place)
                && before.message != copy.message
                && let Some(owners) = self.owners.get_mut(&before.conversation)
            {
                owners.remove(&before.message);
            }
            rows.push(copy.clone());
            let owners = self.owners.entry(copy.conversation.clone()).or_default();
            owners.insert(copy.message.clone(), of.clone());
        }
    }

    /// An original's rows.
    pub(super) fn originals(
        &self,
        conversation: &ConversationId,
        message: &RemoteMessage,
    ) -> Vec<OriginalRow> {
        find(&self.originals, conversation, message).cloned().unwrap_or_default()
    }

    /// Copies of an original in one conversation.
    pub(super) fn copies(
        &self,
        of: (&ConversationId, &RemoteMessage),
        conversation: &ConversationId,
    ) -> Vec<CopyRow> {
        let rows = find(&self.copies, of.0, of.1).map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter(|row| row.conversation == *conversation).cloned().collect()
    }

    /// The original of a copy.
    pub(super) fn owner(&self, conversation: &ConversationId, message: &RemoteMessage) -> Option<&Key> {
        find(&self.owners, conversation, message)
    }
}

/// An original as the table and then the overlay have it.
pub(super) fn original(table: Option<OriginalRow>, newer: &[OriginalRow]) -> Option<OriginalRow> {
    newer.iter().fold(table, |old, new| {
        Some(match old {
            Some(old) => merge::original(old, new),
            None => new.clone(),
        })
    })
}

/// Copies by part as the table and then the overlay have them.
pub(super) fn copies(mut table: Vec<CopyRow>, newer: Vec<CopyRow>) -> Vec<CopyRow> {
    for new in newer {
        match table.iter_mut().find(|row| row.part == new.part) {
            Some(old) => *old = merge::copy(old.clone(), &new),
            None => table.push(new),
        }
    }
    table.sort_by_key(|row| row.part);
    table
}
