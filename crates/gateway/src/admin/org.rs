//! Organisations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dragoman_model::{OrgId, codes};
use dragoman_relay::{POLICIES, Policy};
use dragoman_store::{Mutation, OrgRow};

use super::api::{Org, OrgAdd, OrgList, OrgPolicy};
use super::desk::Desk;
use super::problem::Problem;
use super::route::Act;

#[async_trait]
impl Act for OrgAdd {
    async fn act(self, desk: &Desk) -> Result<Org, Problem> {
        let _acting = desk.acting.lock().await;
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
            return Err(Problem::wrong(
                "an organisation has a name of 1 to 80 characters",
                "give another name",
            ));
        }
        if desk.relay.directory().orgs().any(|(_, known)| known == name) {
            let what = format!("there is an organisation '{name}' already");
            return Err(Problem::new(codes::CONFLICT, what, "give another name"));
        }
        let now_ms = desk.now_ms();
        let id = OrgId::fresh(now_ms, &**desk.relay.random());
        let (version, wrapped) =
            desk.relay.vault().keyring().create_org(&id).await.map_err(dragoman_relay::RelayError::from)?;
        let row = OrgRow {
            id: id.clone(),
            name: name.to_owned(),
            wrapped_keys: BTreeMap::from([(version, wrapped)]),
            policy: BTreeMap::new(),
            created_ms: now_ms,
        };
        desk.relay.store().commit(Mutation::PutOrg(row.clone())).await?;
        desk.audit(Some(&id), "org.add", id.to_string()).await?;
        desk.relay.reload().await?;
        Ok(view(row))
    }
}

#[async_trait]
impl Act for OrgList {
    async fn act(self, desk: &Desk) -> Result<Vec<Org>, Problem> {
        Ok(desk.relay.store().orgs().await?.into_iter().map(view).collect())
    }
}

#[async_trait]
impl Act for OrgPolicy {
    async fn act(self, desk: &Desk) -> Result<Org, Problem> {
        let _acting = desk.acting.lock().await;
        let org = desk.org(self.org.as_deref())?;
        let Some((_, words, _)) = POLICIES.iter().find(|(name, _, _)| *name == self.policy) else {
            let names: Vec<&str> = POLICIES.iter().map(|(name, _, _)| *name).collect();
            let what = format!("there is no policy '{}'", self.policy);
            return Err(Problem::wrong(what, format!("take one of: {}", names.join(", "))));
        };
        if !Policy::takes(&self.policy, &self.value) {
            let what = format!("'{}' is no word of policy {}", self.value, self.policy);
            return Err(Problem::wrong(what, format!("take one of: {}", words.join(", "))));
        }
        let rows = desk.relay.store().orgs().await?;
        let row = rows.into_iter().find(|row| row.id == org);
        let mut row =
            row.ok_or_else(|| Problem::no_such("organisation", org.as_str(), "dragoman org list"))?;
        let subject = format!("{org} {}={}", self.policy, self.value);
        row.policy.insert(self.policy, self.value);
        desk.relay.store().commit(Mutation::PutOrg(row.clone())).await?;
        desk.audit(Some(&org), "org.policy", subject).await?;
        desk.relay.reload().await?;
        Ok(view(row))
    }
}

fn view(row: OrgRow) -> Org {
    let in_force = |(name, words, _): &(&str, &[&str], &str)| {
        let word = row.policy.get(*name).cloned().or_else(|| words.first().map(|word| (*word).to_owned()));
        ((*name).to_owned(), word.unwrap_or_default())
    };
    let policy = POLICIES.iter().map(in_force).collect();
    Org { id: row.id.to_string(), name: row.name, policy, created_ms: row.created_ms }
}
