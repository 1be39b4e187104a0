//! What is kept of an installation. Operators, platforms and the gateway itself change parts of it, one after the other,
//! so that nobody puts back what somebody else changed meanwhile.

use dragoman_model::InstallationId;
use dragoman_store::{InstallationRow, Mutation};

use crate::core::Relay;
use crate::direct::kept_out_in;
use crate::error::RelayError;

impl Relay {
    /// Changes an installation, if there is one. Whether that changed anything.
    pub(crate) async fn change_installation(
        &self,
        id: &InstallationId,
        change: impl FnOnce(&mut InstallationRow),
    ) -> Result<bool, RelayError> {
        let _changing = self.0.changing.lock().await;
        let Some(known) = self.store().installation(id).await? else { return Ok(false) };
        let mut row = known.clone();
        change(&mut row);
        let changed = row != known;
        if changed {
            self.store().commit(Mutation::PutInstallation(row)).await?;
        }
        Ok(changed)
    }

    /// Makes an installation known, or replaces all that is known of it but its age and whom operators keep out there:
    /// they do not come in with a new token.
    ///
    /// # Errors
    /// The store takes no writes, or has another installation of the app in this workspace.
    pub async fn install(&self, mut row: InstallationRow) -> Result<(), RelayError> {
        let changing = self.0.changing.lock().await;
        if let Some(known) = self.store().installation(&row.id).await? {
            row.facts.extend(kept_out_in(&known.facts));
            row.created_ms = known.created_ms;
        }
        self.store().commit(Mutation::PutInstallation(row)).await?;
        drop(changing);
        self.reload().await
    }
}
