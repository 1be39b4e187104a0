//! How an app comes to a platform: the package an admin uploads, the scopes with their reasons, OAuth.

use std::collections::BTreeSet;

use dragoman_model::{Code, RemoteUser, RemoteWorkspace};

use crate::app::Facts;
use crate::session::TokenSet;

/// What is asked for when a manifest or package is generated.
pub struct PackageRequest {
    /// The name that people see.
    pub name: String,
    /// Where platforms reach the gateway, without a trailing slash.
    pub public_url: String,
    /// Our id of the app, part of its hook paths.
    pub app: String,
    /// Ids already known (for Teams the app id from Entra).
    pub facts: Facts,
    /// Names of the features that are switched on.
    pub features: BTreeSet<String>,
}

/// What an admin uploads or copies.
pub struct Package {
    /// Files to write.
    pub files: Vec<PackageFile>,
    /// What to do with them, step by step, in plain text.
    pub steps: Vec<String>,
    /// The scopes asked for.
    pub scopes: Vec<Scope>,
}

/// One file of a package.
pub struct PackageFile {
    /// File name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A scope or permission with its reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// In the platform's words.
    pub name: String,
    /// The feature that needs it.
    pub feature: &'static str,
    /// Why, in a sentence.
    pub reason: &'static str,
}

/// What a browser brought back from a platform's consent page.
pub struct Grant {
    /// The query of the callback, decoded.
    pub query: Vec<(String, String)>,
    /// The redirect URI that was sent with the request.
    pub redirect_uri: String,
    /// The PKCE verifier of this attempt.
    pub code_verifier: String,
}

/// A finished installation.
pub struct Installed {
    /// Where.
    pub workspace: RemoteWorkspace,
    /// The workspace's name, for operators.
    pub name: String,
    /// Ids to remember.
    pub facts: Facts,
    /// Granted scopes.
    pub scopes: BTreeSet<String>,
    /// The app's token, where this platform gives one at installation.
    pub tokens: Option<TokenSet>,
}

/// A token that a person granted.
pub struct Granted {
    /// Whose account it is.
    pub user: RemoteUser,
    /// The token.
    pub tokens: TokenSet,
}

/// Why an installation did not come about.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InstallError {
    /// The person or an admin said no.
    #[error(
        "the installation was refused on the platform's consent page; start again with `dragoman install start`"
    )]
    Denied,
    /// The platform rejects the code, secret or redirect URI.
    #[error(
        "the platform rejected the installation: {0}; check client id, client secret and redirect URL of the app"
    )]
    Rejected(String),
    /// Out of reach.
    #[error("the platform could not be reached ({0}); start again with `dragoman install start`")]
    Unreachable(Code),
}

/// A fact or secret of an app registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// The connector's name for it, also the option of `app add`.
    pub key: &'static str,
    /// What it is and where an admin finds it.
    pub help: &'static str,
    /// Whether it is a secret.
    pub secret: bool,
    /// Whether the app does not work without it.
    pub required: bool,
    /// Another field and the word in it with which the app does not work without this one.
    pub required_with: Option<(&'static str, &'static str)>,
}
