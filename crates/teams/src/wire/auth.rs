//! Tokens and keys of Entra and the Bot Framework.

use dragoman_seal::Token;
use serde::Deserialize;

/// Answer of a token endpoint.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    pub(crate) access_token: Token,
    #[serde(default)]
    pub(crate) refresh_token: Option<Token>,
    #[serde(default)]
    pub(crate) expires_in: i64,
    #[serde(default)]
    pub(crate) scope: Option<String>,
}

/// Refusal of a token endpoint. The description may hold ids of the tenant: it is never logged.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct TokenRefusal {
    pub(crate) error: String,
    pub(crate) error_codes: Vec<u32>,
}

/// OpenID metadata, as far as it is needed.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) jwks_uri: String,
}

/// A set of signing keys.
#[derive(Deserialize)]
pub(crate) struct KeySet {
    #[serde(default)]
    pub(crate) keys: Vec<SigningKey>,
}

/// A signing key. The Bot Framework adds the channels that it may sign for.
#[derive(Deserialize, Clone)]
pub(crate) struct SigningKey {
    #[serde(default)]
    pub(crate) kty: String,
    #[serde(default)]
    pub(crate) kid: String,
    #[serde(default)]
    pub(crate) n: String,
    #[serde(default)]
    pub(crate) e: String,
    #[serde(default)]
    pub(crate) endorsements: Vec<String>,
}

/// Claims of both kinds of token that are checked.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: Audience,
    pub(crate) exp: Option<f64>,
    pub(crate) nbf: Option<f64>,
    /// Lower case in live tokens.
    pub(crate) serviceurl: Option<String>,
    /// As the reference writes it.
    #[serde(rename = "serviceUrl")]
    pub(crate) service_url: Option<String>,
    pub(crate) appid: Option<String>,
    pub(crate) azp: Option<String>,
    pub(crate) tid: Option<String>,
}

/// One audience or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Audience {
    /// Whether it is exactly one of these.
    pub(crate) fn is(&self, wanted: &[String]) -> bool {
        match self {
            Self::One(one) => wanted.iter().any(|w| w.eq_ignore_ascii_case(one)),
            // A token for several audiences at once is nothing that these issuers make.
            Self::Many(many) => {
                many.len() == 1 && many.iter().all(|one| wanted.iter().any(|w| w.eq_ignore_ascii_case(one)))
            }
        }
    }
}
