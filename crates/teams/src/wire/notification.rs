//! Change notifications of Graph ("Set up notifications for changes in resource data").

use serde::Deserialize;
use serde_json::value::RawValue;

use super::nullable;

/// A batch. Its items are kept as they came, so that each can be sealed on its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Batch<'a> {
    #[serde(borrow)]
    pub(crate) value: Vec<&'a RawValue>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) validation_tokens: Vec<String>,
}

/// A notification about a message, or about a subscription.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Notification {
    #[serde(deserialize_with = "nullable")]
    pub(crate) subscription_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) change_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) client_state: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tenant_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) resource: String,
    #[serde(alias = "EncryptedContent")]
    pub(crate) encrypted_content: Option<Encrypted>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) lifecycle_event: String,
}

/// An encrypted message.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Encrypted {
    #[serde(deserialize_with = "nullable")]
    pub(crate) data: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) data_signature: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) data_key: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) encryption_certificate_id: String,
}
