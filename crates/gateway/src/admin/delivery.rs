//! Receipts, dead letters and the audit trail.

use async_trait::async_trait;
use dragoman_model::{EventId, LegId, RemoteMessage};
use dragoman_store::{DeadLetterRow, LaneId, Mutation, Receipt};

use super::api::{
    AuditInfo, AuditList, DeadLetterAct, DeadLetterInfo, DeadLetterList, DeliveryInfo, DeliveryList, Done,
    LetterAct,
};
use super::desk::Desk;
use super::problem::Problem;
use super::route::Act;

/// Dead letters that one act takes.
const MOST_LETTERS: u32 = 10_000;

#[async_trait]
impl Act for DeliveryList {
    async fn act(self, desk: &Desk) -> Result<Vec<DeliveryInfo>, Problem> {
        let org = self.org.as_deref().map(|org| desk.org(Some(org))).transpose()?;
        let message = self.message.as_deref().map(RemoteMessage::from);
        let receipts = desk.relay.store().receipts(org.as_ref(), message.as_ref(), limit(self.limit)).await?;
        Ok(receipts.into_iter().map(receipt).collect())
    }
}

#[async_trait]
impl Act for DeadLetterList {
    async fn act(self, desk: &Desk) -> Result<Vec<DeadLetterInfo>, Problem> {
        let org = self.org.as_deref().map(|org| desk.org(Some(org))).transpose()?;
        let letters = desk.relay.store().dead_letters(org.as_ref(), limit(self.limit)).await?;
        Ok(letters.into_iter().map(letter).collect())
    }
}

#[async_trait]
impl Act for DeadLetterAct {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        let _acting = desk.acting.lock().await;
        let org = match (&self.org, self.ids.is_empty()) {
            (Some(org), _) => Some(desk.org(Some(org))?),
            (None, true) => Some(desk.org(None)?),
            (None, false) => None,
        };
        let known = desk.relay.store().dead_letters(org.as_ref(), MOST_LETTERS).await?;
        for id in &self.ids {
            if !known.iter().any(|letter| letter.id.as_str() == id) {
                return Err(Problem::no_such("dead letter", id, "dragoman dead-letter list"));
            }
        }
        let mut count = 0;
        // The list is newest first; what died first is replayed first.
        for letter in known.into_iter().rev() {
            if self.ids.is_empty() || self.ids.iter().any(|id| id == letter.id.as_str()) {
                one(desk, letter, self.act).await?;
                count += 1;
            }
        }
        Ok(Done { count })
    }
}

async fn one(desk: &Desk, letter: DeadLetterRow, act: LetterAct) -> Result<(), Problem> {
    let relay = &desk.relay;
    let subject = letter.id.to_string();
    match act {
        LetterAct::Drop => {
            relay.store().commit(Mutation::DropDeadLetter(letter.id)).await?;
            desk.audit(Some(&letter.org), "dead-letter.drop", subject).await
        }
        LetterAct::Replay => {
            let now_ms = desk.now_ms();
            let random = &**relay.random();
            let replay = Mutation::Replay {
                dead_letter: letter.id,
                event: EventId::fresh(now_ms, random),
                leg: LegId::fresh(now_ms, random),
                now_ms,
            };
            relay.store().commit(replay).await?;
            desk.audit(Some(&letter.org), "dead-letter.replay", subject).await?;
            relay.wake(letter.lane);
            Ok(())
        }
    }
}

#[async_trait]
impl Act for AuditList {
    async fn act(self, desk: &Desk) -> Result<Vec<AuditInfo>, Problem> {
        let rows = desk.relay.store().audit(limit(self.limit)).await?;
        Ok(rows
            .into_iter()
            .map(|row| AuditInfo {
                org: row.org.map(|org| org.to_string()),
                at_ms: row.at_ms,
                actor: row.actor,
                act: row.act,
                subject: row.subject,
            })
            .collect())
    }
}

fn limit(asked: u32) -> u32 {
    if asked == 0 { 50 } else { asked.min(MOST_LETTERS) }
}

fn receipt(row: Receipt) -> DeliveryInfo {
    DeliveryInfo {
        leg: row.leg.to_string(),
        bridge: row.bridge.map(|id| id.to_string()),
        kind: row.kind,
        from: row.from.map(|id| id.to_string()),
        message: row.message.map(|id| id.to_string()),
        to: row.to.map(|id| id.to_string()),
        outcome: row.outcome,
        code: row.code,
        notes: row.notes,
        received_ms: row.received_ms,
        settled_ms: row.settled_ms,
        attempts: row.attempts,
    }
}

fn letter(row: DeadLetterRow) -> DeadLetterInfo {
    let to = match row.lane {
        LaneId::Conversation(id) => Some(id.to_string()),
        LaneId::Control(_) => None,
    };
    DeadLetterInfo {
        id: row.id.to_string(),
        org: row.org.to_string(),
        kind: row.event.kind,
        from: row.event.conversation.map(|id| id.to_string()),
        message: row.event.message.map(|id| id.to_string()),
        to,
        code: row.code,
        attempts: row.attempts,
        died_ms: row.died_ms,
    }
}
