//! App registrations.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_model::AppId;
use dragoman_platform::{Connector, Field};
use dragoman_seal::FieldRef;
use dragoman_store::{AppRow, Mutation};

use super::api::{
    AppAdd, AppInfo, AppList, AppPackage, AppSet, FieldInfo, FileInfo, PackageInfo, PlatformInfo,
    PlatformList, SecretText,
};
use super::desk::Desk;
use super::problem::Problem;
use super::route::Act;
use super::scopes::{package, told};

#[async_trait]
impl Act for PlatformList {
    async fn act(self, desk: &Desk) -> Result<Vec<PlatformInfo>, Problem> {
        let connectors = desk.relay.connectors().iter();
        Ok(connectors
            .map(|(platform, connector)| PlatformInfo {
                platform: (*platform).to_owned(),
                display_name: connector.display_name().to_owned(),
                fields: connector.registration().iter().map(field).collect(),
                features: connector.features().iter().map(|feature| (*feature).to_owned()).collect(),
            })
            .collect())
    }
}

#[async_trait]
impl Act for AppAdd {
    async fn act(self, desk: &Desk) -> Result<AppInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let org = desk.org(self.org.as_deref())?;
        let connector = desk.connector(&self.platform)?;
        known(&**connector, &self.features)?;
        let now_ms = desk.now_ms();
        let mut row = AppRow {
            id: AppId::fresh(now_ms, &**desk.relay.random()),
            org,
            platform: self.platform,
            facts: BTreeMap::new(),
            sealed_secrets: BTreeMap::new(),
            features: self.features,
            created_ms: now_ms,
        };
        let mut values: BTreeMap<String, SecretText> =
            connector.generated().into_iter().map(|(key, value)| (key, SecretText(value))).collect();
        values.extend(self.values);
        set(desk, connector.registration(), &mut row, values).await?;
        keep(desk, row, "app.add").await
    }
}

#[async_trait]
impl Act for AppSet {
    async fn act(self, desk: &Desk) -> Result<AppInfo, Problem> {
        let _acting = desk.acting.lock().await;
        let app = desk.app(&self.app)?;
        let connector = desk.connector(app.platform.0)?;
        let row = desk.relay.store().app(&app.id).await?;
        let mut row = row.ok_or_else(|| Problem::no_such("app", &self.app, "dragoman app list"))?;
        set(desk, connector.registration(), &mut row, self.values).await?;
        if let Some(features) = self.features {
            known(&**connector, &features)?;
            row.features = features;
        }
        keep(desk, row, "app.set").await
    }
}

#[async_trait]
impl Act for AppList {
    async fn act(self, desk: &Desk) -> Result<Vec<AppInfo>, Problem> {
        let rows = desk.relay.store().apps().await?;
        Ok(rows.into_iter().map(|row| view(desk, row)).collect())
    }
}

#[async_trait]
impl Act for AppPackage {
    async fn act(self, desk: &Desk) -> Result<PackageInfo, Problem> {
        let app = desk.app(&self.app)?;
        let connector = desk.connector(app.platform.0)?;
        let package = package(&**connector, &app, self.name, &desk.public_url);
        let file = |file: dragoman_platform::PackageFile| FileInfo {
            name: file.name,
            base64: STANDARD.encode(file.bytes),
        };
        Ok(PackageInfo {
            files: package.files.into_iter().map(file).collect(),
            steps: package.steps,
            scopes: package.scopes.into_iter().map(told).collect(),
        })
    }
}

/// Refuses a feature that the platform does not have: it would ask for nothing and switch nothing on.
fn known(connector: &dyn Connector, features: &BTreeSet<String>) -> Result<(), Problem> {
    let names = connector.features();
    let Some(odd) = features.iter().find(|feature| !names.contains(&feature.as_str())) else { return Ok(()) };
    let what = format!("an app on {} has no feature '{odd}'", connector.platform());
    Err(Problem::wrong(what, format!("its features are: {}", names.join(", "))))
}

/// Sets facts, and secrets sealed; an empty text removes one.
async fn set(
    desk: &Desk,
    fields: &[Field],
    row: &mut AppRow,
    values: BTreeMap<String, SecretText>,
) -> Result<(), Problem> {
    for (key, value) in values {
        let Some(field) = fields.iter().find(|field| field.key == key) else {
            let known: Vec<&str> = fields.iter().map(|field| field.key).collect();
            let what = format!("an app on {} has no field '{key}'", row.platform);
            return Err(Problem::wrong(what, format!("its fields are: {}", known.join(", "))));
        };
        let text = value.0.trim();
        match (text.is_empty(), field.secret) {
            (true, _) => {
                row.facts.remove(&key);
                row.sealed_secrets.remove(&key);
            }
            (false, false) => {
                row.facts.insert(key, text.to_owned());
            }
            (false, true) => {
                let place = format!("{}/{key}", row.id);
                let field = FieldRef { org: &row.org, purpose: "app-secret", row: &place };
                let sealed = desk.relay.vault().seal_text(&field, text).await?;
                row.sealed_secrets.insert(key, sealed);
            }
        }
    }
    Ok(())
}

async fn keep(desk: &Desk, row: AppRow, act: &str) -> Result<AppInfo, Problem> {
    desk.relay.store().commit(Mutation::PutApp(row.clone())).await?;
    desk.audit(Some(&row.org), act, row.id.to_string()).await?;
    desk.relay.reload().await?;
    Ok(view(desk, row))
}

/// Fields without which the app does not work and that are not there.
pub(super) fn missing(desk: &Desk, row: &AppRow) -> Vec<String> {
    let fields: &[Field] =
        desk.relay.connectors().get(row.platform.as_str()).map_or(&[], |it| it.registration());
    let there =
        |field: &Field| row.facts.contains_key(field.key) || row.sealed_secrets.contains_key(field.key);
    let needed = |field: &Field| {
        let with = |(key, word): (&str, &str)| row.facts.get(key).is_some_and(|value| value == word);
        field.required || field.required_with.is_some_and(with)
    };
    let missing = fields.iter().filter(|field| needed(field) && !there(field));
    missing.map(|field| field.key.to_owned()).collect()
}

fn view(desk: &Desk, row: AppRow) -> AppInfo {
    AppInfo {
        missing: missing(desk, &row),
        id: row.id.to_string(),
        org: row.org.to_string(),
        hooks_url: format!("{}/hooks/{}/{}", desk.public_url, row.platform, row.id),
        redirect_url: desk.installs.redirect_uri(&row.platform),
        platform: row.platform,
        secrets: row.sealed_secrets.into_keys().collect::<BTreeSet<_>>(),
        facts: row.facts,
        features: row.features,
    }
}

fn field(field: &Field) -> FieldInfo {
    FieldInfo {
        key: field.key.to_owned(),
        help: field.help.to_owned(),
        secret: field.secret,
        required: field.required,
    }
}
