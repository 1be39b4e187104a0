//! Changes of a row that leave the rest of it.

use std::collections::BTreeMap;

use dragoman_model::RemoteConversation;
use serde::{Deserialize, Serialize};

/// What changes of a conversation; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// The platform's id.
    pub remote: Option<RemoteConversation>,
    /// Its kind.
    pub kind: Option<String>,
    /// Its name, sealed.
    pub sealed_name: Option<Vec<u8>>,
    /// Whether people of other organisations are in it.
    pub external: Option<bool>,
    /// Facts to set, or with `None` to forget.
    pub facts: BTreeMap<String, Option<String>>,
    /// The subscription.
    pub watch: Option<WatchColumns>,
}

/// What is known of a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchColumns {
    /// The platform's id.
    pub id: Option<String>,
    /// When to renew it, milliseconds since 1970.
    pub renew_ms: Option<i64>,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}
