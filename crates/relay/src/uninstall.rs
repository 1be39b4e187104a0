//! An app was removed from a workspace whose platform wants everything that was kept to be deleted, and that to be
//! reported. What is owed stands in the installation's row until the report was taken.

use std::sync::Arc;

use dragoman_model::{ConversationId, InstallationId, codes};
use dragoman_platform::Failure;
use dragoman_seal::FieldRef;
use dragoman_store::{BridgeState, ConversationRow, InstallationRow, Mutation};

use crate::core::Relay;
use crate::directory::Place;
use crate::error::RelayError;

/// The fact with what the connector needs for its report.
const RECEIPT: &str = "uninstalled-receipt";
/// The fact with the time of the next attempt, milliseconds since 1970.
const DUE: &str = "uninstalled-due-ms";
/// The fact with the number of failed attempts.
const FAILED: &str = "uninstalled-failed";
/// The first and the longest pause between two reports, in milliseconds.
const FIRST_MS: i64 = 10_000;
const LONGEST_MS: i64 = 60 * 60 * 1000;

impl Relay {
    /// Pauses what goes through an installation, deletes what was kept for it and reports that.
    pub(crate) async fn uninstall(&self, place: &Arc<Place>, receipt: &str) -> Result<(), RelayError> {
        let id = place.session.installation.id.clone();
        let owe = |row: &mut InstallationRow| {
            row.facts = [(RECEIPT.to_owned(), receipt.to_owned()), (DUE.to_owned(), "0".to_owned())].into();
            row.scopes.clear();
            row.name.clear();
            row.trouble = Some(codes::SIGN_IN.as_str().to_owned());
        };
        // First of all durable, so that whatever happens next is finished some time.
        self.change_installation(&id, owe).await?;
        self.audit(place, "installation.uninstalled", id.as_str()).await?;
        self.pause_bridges_of(&id).await?;
        self.forget_installation(&id).await?;
        self.reload().await?;
        self.report_uninstalled(&id).await
    }

    /// Finishes what is owed and due.
    pub(crate) async fn finish_uninstalling(&self) -> Result<(), RelayError> {
        let now_ms = self.now_ms();
        for row in self.store().installations().await? {
            if row.facts.contains_key(RECEIPT) && number(&row, DUE) <= now_ms {
                self.report_uninstalled(&row.id).await?;
            }
        }
        Ok(())
    }

    async fn pause_bridges_of(&self, id: &InstallationId) -> Result<(), RelayError> {
        let directory = self.directory();
        let here = |member: &ConversationId| {
            directory.spot(member).is_some_and(|spot| spot.place.session.installation.id == *id)
        };
        for bridge in self.store().bridges().await? {
            if bridge.state == BridgeState::Active && bridge.members.iter().any(here) {
                let pause = Mutation::SetBridge {
                    bridge: bridge.id,
                    state: BridgeState::Paused,
                    since_ms: Some(self.now_ms()),
                };
                self.store().commit(pause).await?;
            }
        }
        Ok(())
    }

    async fn forget_installation(&self, id: &InstallationId) -> Result<(), RelayError> {
        self.store().commit(Mutation::Forget(id.clone())).await?;
        for row in self.store().conversations().await?.into_iter().filter(|row| row.installation == *id) {
            let field = FieldRef { org: &row.org, purpose: "conversation-name", row: row.id.as_str() };
            let sealed_name = self.vault().seal_text(&field, "").await?;
            let facts = std::collections::BTreeMap::new();
            self.store()
                .commit(Mutation::PutConversation(ConversationRow { sealed_name, facts, ..row }))
                .await?;
        }
        Ok(())
    }

    async fn report_uninstalled(&self, id: &InstallationId) -> Result<(), RelayError> {
        let directory = self.directory();
        let Some(place) = directory.place(id) else { return Ok(()) };
        let Some(row) = self.store().installation(id).await? else { return Ok(()) };
        let Some(receipt) = row.facts.get(RECEIPT).cloned() else { return Ok(()) };
        // Once more: what was under way may have left a trace since.
        self.forget_installation(id).await?;
        let reported = place.connector.uninstalled(&place.session.app, &receipt).await;
        let now_ms = self.now_ms();
        let settle = |row: &mut InstallationRow| {
            if row.facts.get(RECEIPT) == Some(&receipt) {
                note(row, &reported, now_ms);
            }
        };
        if !self.change_installation(id, settle).await? {
            return Ok(());
        }
        if reported.is_ok() {
            self.audit(place, "installation.erasure-reported", id.as_str()).await?;
        }
        self.reload().await
    }
}

/// Notes in an installation's row that the report was taken, or when it is due again.
fn note(row: &mut InstallationRow, reported: &Result<(), Failure>, now_ms: i64) {
    let id = &row.id;
    match reported {
        Ok(()) => {
            tracing::info!(installation = %id, "everything kept for an installation was deleted, and that reported");
            for fact in [RECEIPT, DUE, FAILED] {
                row.facts.remove(fact);
            }
        }
        Err(failure) => {
            let failed = number(row, FAILED).saturating_add(1);
            tracing::warn!(installation = %id, code = %failure.code(), failed, "that everything kept for an installation was deleted could not be reported, and will be again: {failure}");
            let due_ms = now_ms.saturating_add(pause_ms(failed, failure));
            row.facts.insert(FAILED.to_owned(), failed.to_string());
            row.facts.insert(DUE.to_owned(), due_ms.to_string());
        }
    }
}

fn number(row: &InstallationRow, fact: &str) -> i64 {
    row.facts.get(fact).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn pause_ms(failed: i64, failure: &Failure) -> i64 {
    let doubled = FIRST_MS.saturating_mul(1 << (failed - 1).clamp(0, 16)).min(LONGEST_MS);
    match failure {
        Failure::Retry { after_ms: Some(asked), .. } => {
            doubled.max(i64::try_from(*asked).unwrap_or(LONGEST_MS))
        }
        _ => doubled,
    }
}
