//! Objects of the REST API.

use dragoman_seal::Token;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::lenient::{lenient, list};

/// A list. Its next page is named by a header.
#[derive(Deserialize)]
#[serde(bound = "T: serde::de::DeserializeOwned")]
pub(crate) struct Items<T> {
    #[serde(default, deserialize_with = "list")]
    pub items: Vec<T>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub room_id: Option<String>,
    #[serde(default)]
    pub parent_id: Option<String>,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub markdown: Option<String>,
    #[serde(default)]
    pub html: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub files: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    pub attachments: Vec<Value>,
    #[serde(default)]
    pub person_id: Option<String>,
    #[serde(default)]
    pub person_email: Option<String>,
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default)]
    pub updated: Option<String>,
    /// Fields that could not be decrypted hold ciphertext and are named here.
    #[serde(default, deserialize_with = "lenient")]
    pub errors: Option<Map<String, Value>>,
}

impl Message {
    /// Whether what it says could not be decrypted.
    pub(crate) fn is_unreadable(&self) -> bool {
        let spoilt = |field: &str| self.errors.as_ref().is_some_and(|errors| errors.contains_key(field));
        ["text", "markdown", "html", "files", "attachments"].into_iter().any(spoilt)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Person {
    pub id: String,
    #[serde(default, deserialize_with = "list")]
    pub emails: Vec<String>,
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub avatar: Option<String>,
    #[serde(default)]
    pub org_id: Option<String>,
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub login_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Room {
    pub id: String,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub owner_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_public: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_read_only: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    pub errors: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Membership {
    #[serde(default)]
    pub person_email: Option<String>,
    #[serde(default)]
    pub person_org_id: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    pub id: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub target_url: String,
    #[serde(default)]
    pub resource: String,
    #[serde(default)]
    pub event: String,
    #[serde(default)]
    pub filter: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub secret: Option<String>,
}

/// An entry of the organisation's events; what people wrote in it is skipped over.
#[derive(Deserialize)]
pub(crate) struct ComplianceEvent {
    #[serde(default, deserialize_with = "lenient")]
    pub data: Option<ComplianceData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ComplianceData {
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub room_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct OAuth {
    #[serde(default)]
    pub access_token: Option<Token>,
    #[serde(default)]
    pub refresh_token: Option<Token>,
    #[serde(default, deserialize_with = "lenient")]
    pub expires_in: Option<i64>,
    #[serde(default)]
    pub scope: Option<String>,
}

/// The body of a refusal; any other body is read as one without words.
#[derive(Deserialize, Default)]
pub(crate) struct Refused {
    #[serde(default)]
    pub message: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub errors: Vec<Described>,
}

#[derive(Deserialize)]
pub(crate) struct Described {
    #[serde(default)]
    pub description: Option<String>,
}
