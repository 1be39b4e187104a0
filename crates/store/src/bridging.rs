//! What a bridge relays: to whom, and from when on.

use dragoman_model::ConversationId;

use crate::rows::{BridgeRow, BridgeState};

impl BridgeRow {
    /// When it ended, milliseconds since 1970, where that is known.
    pub fn ended_ms(&self) -> Option<i64> {
        self.past.earlier.map(|(_, until)| until).filter(|_| self.state == BridgeState::Ended)
    }

    /// Whether what was sent in one member at this time is still to be brought to another, although one of them left or
    /// the bridge ended: it was under way then. That holds where people asked for it; what an operator ends ends at once.
    pub fn is_under_way(&self, from: &ConversationId, to: &ConversationId, sent_ms: i64) -> bool {
        let was_there = |member| match self.past.left_ms.get(member) {
            Some(left_ms) => sent_ms < *left_ms,
            None => self.members.contains(member),
        };
        let over = self.state == BridgeState::Ended && self.ended_ms().is_none_or(|end_ms| end_ms <= sent_ms);
        self.talk.is_some() && !over && was_there(from) && was_there(to)
    }

    /// Whether something that was sent in a member at this time is relayed although it came to the bridge later.
    pub fn is_backfilled(&self, from: &ConversationId, sent_ms: i64) -> bool {
        sent_ms < self.came_ms(from) && self.past.backfill_ms.get(from).is_some_and(|since| *since <= sent_ms)
    }

    /// Since when a member is in it, milliseconds since 1970.
    fn came_ms(&self, member: &ConversationId) -> i64 {
        self.past.joined_ms.get(member).copied().unwrap_or(self.created_ms)
    }

    /// From when on messages of a member are of interest to it at all, milliseconds since 1970.
    pub fn begins_ms(&self, member: &ConversationId) -> i64 {
        self.past.backfill_ms.get(member).map_or(self.created_ms, |since| self.created_ms.min(*since))
    }

    /// Whether the bridge relays, or would have, what was sent in one member at this time to another one. What a member
    /// brings from before counts as said when it came: it is for those who were there then or came with it.
    pub fn relays(&self, from: &ConversationId, to: &ConversationId, sent_ms: i64) -> bool {
        let joined_ms = |member| self.past.joined_ms.get(member).copied().unwrap_or(i64::MIN);
        let before = self.is_backfilled(from, sent_ms);
        let said_ms = if before { self.came_ms(from) } else { sent_ms };
        let earlier = self.past.earlier.is_some_and(|(since, until)| since <= said_ms && said_ms < until);
        (before || earlier || self.since_ms <= said_ms) && joined_ms(from).max(joined_ms(to)) <= said_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{BridgePast, Notices};

    #[test]
    fn what_is_under_way_when_people_part_is_still_brought() {
        let (ana, bo, cy): (ConversationId, ConversationId, ConversationId) =
            ("ana".into(), "bo".into(), "cy".into());
        let mut row = BridgeRow {
            id: "b".into(),
            org: "o".into(),
            state: BridgeState::Ended,
            members: vec![ana.clone(), bo.clone()],
            created_ms: 10,
            since_ms: 10,
            past: BridgePast { earlier: Some((10, 50)), ..BridgePast::default() },
            notices: Notices::Off,
            talk: Some("pair".to_owned()),
        };
        row.past.left_ms.insert(ana.clone(), 40);
        assert!(row.is_under_way(&bo, &ana, 39) && row.is_under_way(&ana, &bo, 39));
        assert!(!row.is_under_way(&ana, &bo, 40), "what the one who went says then is for somebody else");
        assert!(!row.is_under_way(&bo, &ana, 40) && !row.is_under_way(&bo, &cy, 20));
        row.past.left_ms.clear();
        assert!(row.is_under_way(&bo, &ana, 49) && !row.is_under_way(&bo, &ana, 50), "an operator ended it");
        row.talk = None;
        assert!(!row.is_under_way(&bo, &ana, 20), "no people asked for that");
        // One of several left, the others go on.
        row.talk = Some("g".to_owned());
        row.state = BridgeState::Active;
        row.past.left_ms.insert(cy.clone(), 30);
        assert!(row.is_under_way(&bo, &cy, 29) && !row.is_under_way(&bo, &cy, 30));
        assert!(row.is_under_way(&bo, &ana, 90));
    }
}
