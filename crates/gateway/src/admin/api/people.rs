//! People: linked accounts, and their own tokens.

use serde::{Deserialize, Serialize};

/// Lists people with their linked accounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PersonList {}

/// Says that accounts belong to one human.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonLink {
    /// `PLATFORM:ID`, `INSTALLATION:ID` or, with an e-mail address instead of the id, whoever has it there.
    pub accounts: Vec<String>,
}

/// Takes an account from its person, with its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonUnlink {
    /// As for [`PersonLink`].
    pub account: String,
}

/// Starts the granting of a person's own token. Answered like the start of an installation, and waited for like one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonToken {
    /// Id, or one of the person's accounts.
    pub person: String,
    /// Id, workspace or platform, where that names one.
    pub installation: String,
}

/// Forgets a person's own token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonRevoke {
    /// Id, or one of the person's accounts.
    pub person: String,
    /// Id, workspace or platform, where that names one.
    pub installation: String,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonInfo {
    /// Ours.
    pub id: String,
    /// Whose.
    pub org: String,
    /// Their accounts.
    pub accounts: Vec<AccountInfo>,
}

/// A linked account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// Where.
    pub installation: String,
    /// On which platform.
    pub platform: String,
    /// The workspace's name.
    pub workspace: String,
    /// The platform's id of the account.
    pub user: String,
    /// The name shown there, where it is known.
    pub name: String,
    /// Whether the person granted a token that works: their copies stand in their own name there.
    pub own_token: bool,
}
