//! Organisations, apps, installations.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::admin::Problem;

/// It was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// To how many things.
    pub count: u64,
}

/// A secret on its way to the gateway.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

/// Adds an organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrgAdd {
    /// Its name, unique.
    pub name: String,
}

/// Lists organisations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct OrgList {}

/// Sets a policy of an organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrgPolicy {
    /// Id or name; may be left out where there is one.
    pub org: Option<String>,
    /// The policy.
    pub policy: String,
    /// Its word.
    pub value: String,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    /// Ours.
    pub id: String,
    /// Its name.
    pub name: String,
    /// All policies with the words in force.
    pub policy: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// Lists the platforms that this gateway speaks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PlatformList {}

/// A platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformInfo {
    /// The word of commands.
    pub platform: String,
    /// Its name as people write it.
    pub display_name: String,
    /// What `app add` asks for.
    pub fields: Vec<FieldInfo>,
    /// Features that an app can be given.
    #[serde(default)]
    pub features: Vec<String>,
}

/// A fact or secret of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldInfo {
    /// Its name.
    pub key: String,
    /// What it is and where it is found.
    pub help: String,
    /// Whether it is a secret.
    pub secret: bool,
    /// Whether the app does not work without it.
    pub required: bool,
}

/// Adds an app. What is not known yet follows with [`AppSet`].
#[derive(Serialize, Deserialize)]
pub struct AppAdd {
    /// Id or name; may be left out where there is one.
    pub org: Option<String>,
    /// On which platform.
    pub platform: String,
    /// Facts and secrets by the names of the platform's fields.
    #[serde(default)]
    pub values: BTreeMap<String, SecretText>,
    /// Features to switch on.
    #[serde(default)]
    pub features: BTreeSet<String>,
}

/// Sets facts, secrets or features of an app.
#[derive(Serialize, Deserialize)]
pub struct AppSet {
    /// Id, or the platform where it has one app.
    pub app: String,
    /// Facts and secrets to set; an empty text removes one.
    #[serde(default)]
    pub values: BTreeMap<String, SecretText>,
    /// All features from now on.
    #[serde(default)]
    pub features: Option<BTreeSet<String>>,
}

/// Lists apps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AppList {}

/// An app registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// Ours.
    pub id: String,
    /// Whose.
    pub org: String,
    /// On which platform.
    pub platform: String,
    /// Public ids.
    pub facts: BTreeMap<String, String>,
    /// Names of the secrets that are there.
    pub secrets: BTreeSet<String>,
    /// Required fields that are not.
    pub missing: Vec<String>,
    /// Features switched on.
    pub features: BTreeSet<String>,
    /// Where the platform sends events.
    pub hooks_url: String,
    /// Where it sends browsers back to.
    pub redirect_url: String,
}

/// Makes the manifest or package of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppPackage {
    /// Id, or the platform where it has one app.
    pub app: String,
    /// The name that people see.
    pub name: String,
}

/// What to upload where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageInfo {
    /// Files: name, and bytes in base64.
    pub files: Vec<FileInfo>,
    /// What to do, step by step.
    pub steps: Vec<String>,
    /// Scopes.
    pub scopes: Vec<ScopeInfo>,
}

/// A file of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its name.
    pub name: String,
    /// Its bytes, base64.
    pub base64: String,
}

/// A scope with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeInfo {
    /// In the platform's words.
    pub name: String,
    /// The feature that needs it.
    pub feature: String,
    /// Why.
    pub reason: String,
}

/// Starts an installation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstallStart {
    /// Id, or the platform where it has one app.
    pub app: String,
}

/// Where to send an admin's browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallLink {
    /// The link.
    pub link: String,
    /// For [`InstallWait`].
    pub ticket: String,
    /// End of the link, milliseconds since 1970.
    pub expires_ms: i64,
}

/// Waits up to 20 seconds for an installation to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstallWait {
    /// Of [`InstallLink`].
    pub ticket: String,
}

/// How an installation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstallState {
    /// Nobody has come back yet; ask again.
    Waiting,
    /// Installed.
    Done(InstallInfo),
    /// It failed.
    Failed(Problem),
}

/// Takes over a token that an admin has already.
#[derive(Serialize, Deserialize)]
pub struct InstallToken {
    /// Id, or the platform where it has one app.
    pub app: String,
    /// The token.
    pub token: SecretText,
}

/// Lists installations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InstallList {}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallInfo {
    /// Ours.
    pub id: String,
    /// Whose.
    pub org: String,
    /// Of which app.
    pub app: String,
    /// On which platform.
    pub platform: String,
    /// The platform's id of the workspace, tenant or account.
    pub workspace: String,
    /// Its name.
    pub name: String,
    /// Granted scopes.
    pub scopes: BTreeSet<String>,
    /// Why it needs a person, if it does.
    pub trouble: Option<String>,
}

/// Compares what was granted with what the features that are switched on need.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ScopeList {}

/// The scopes of an installation against those that its app's features need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeReport {
    /// The installation.
    pub installation: String,
    /// On which platform.
    pub platform: String,
    /// The platform's name as people write it.
    pub display_name: String,
    /// The workspace's name.
    pub name: String,
    /// Whether the platform told what was granted; without that nothing can be missing or too much.
    pub told: bool,
    /// Needed, not granted.
    pub missing: Vec<ScopeInfo>,
    /// Granted, needed by nothing that is switched on.
    pub needless: Vec<String>,
}
