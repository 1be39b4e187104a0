//! Graph's subscription resource type.

use serde::{Deserialize, Serialize};

use super::nullable;

/// What is asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewSubscription<'a> {
    pub(crate) change_type: &'static str,
    pub(crate) notification_url: &'a str,
    pub(crate) lifecycle_notification_url: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) expiration_date_time: &'a str,
    pub(crate) client_state: &'a str,
    pub(crate) latest_supported_tls_version: &'static str,
    pub(crate) include_resource_data: bool,
    pub(crate) encryption_certificate: &'a str,
    pub(crate) encryption_certificate_id: &'a str,
}

/// What is renewed; the certificate only where it is another than before.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Renewal<'a> {
    pub(crate) expiration_date_time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption_certificate: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption_certificate_id: Option<&'a String>,
}

/// A subscription.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Subscription {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) resource: String,
    pub(crate) expiration_date_time: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) notification_url: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) lifecycle_notification_url: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) include_resource_data: bool,
}
