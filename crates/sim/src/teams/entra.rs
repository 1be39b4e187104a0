//! The state of the login service: tokens, codes, refresh tokens, and what they stand for.

use std::collections::{BTreeMap, BTreeSet};

/// Whom a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The app itself.
    App,
    /// A person, by object id, through the app.
    User(String),
}

/// For what a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Microsoft Graph.
    Graph,
    /// The Bot Connector.
    Bot,
}

/// What an access token stands for.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub app: String,
    pub who: Who,
    pub audience: Audience,
    /// Delegated scopes; the roles of app tokens are read from the app each time.
    pub scopes: BTreeSet<String>,
    /// End of life, ms.
    pub expires: u64,
}

/// An authorization code that waits to be redeemed.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub app: String,
    pub oid: String,
    pub scopes: BTreeSet<String>,
    pub redirect_uri: String,
    pub challenge: Option<(String, bool)>,
    pub nonce: Option<String>,
    pub expires: u64,
    pub used: bool,
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    pub app: String,
    pub oid: String,
    pub scopes: BTreeSet<String>,
    pub expires: u64,
}

/// Everything issued.
#[derive(Default)]
pub(super) struct Entra {
    pub access: BTreeMap<String, Access>,
    pub codes: BTreeMap<String, Code>,
    pub refresh: BTreeMap<String, Refresh>,
    /// People whose password changed: every older refresh token answers AADSTS50173.
    pub password_changed: BTreeSet<String>,
    /// People who must pass multi-factor authentication: AADSTS50076.
    pub second_factor: BTreeSet<String>,
    /// The token endpoint answers 503 `temporarily_unavailable`.
    pub down: bool,
}

/// A failure of the token endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub status: u16,
    pub error: &'static str,
    pub code: u32,
    pub text: &'static str,
}

macro_rules! failures {
    ($($name:ident: $status:literal $error:literal $code:literal $text:literal;)*) => {
        $(pub(super) const $name: Failure =
            Failure { status: $status, error: $error, code: $code, text: $text };)*
    };
}

failures! {
    BAD_REQUEST: 400 "invalid_request" 900_144 "The request body must contain the required parameters.";
    BAD_GRANT_TYPE: 400 "unsupported_grant_type" 70_003 "The app requested an unsupported grant type.";
    NO_TENANT: 400 "invalid_request" 90_002 "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.";
    COMMON_TENANT: 400 "invalid_request" 53_003 "Client credentials need a concrete tenant.";
    NO_APP: 400 "unauthorized_client" 700_016 "Application was not found in the directory. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.";
    BAD_SECRET: 401 "invalid_client" 7_000_215 "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.";
    NO_SECRET: 401 "invalid_client" 7_000_218 "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    OLD_SECRET: 401 "invalid_client" 7_000_222 "The provided client secret keys for app are expired.";
    BAD_ASSERTION: 401 "invalid_client" 700_027 "Client assertion failed signature validation.";
    BAD_SCOPE: 400 "invalid_scope" 1_002_012 "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.";
    BAD_CODE: 400 "invalid_grant" 9_002_313 "Invalid request. Request is malformed or invalid.";
    OLD_CODE: 400 "invalid_grant" 70_008 "The provided authorization code or refresh token has expired due to inactivity.";
    USED_CODE: 400 "invalid_grant" 54_005 "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.";
    BAD_VERIFIER: 400 "invalid_grant" 501_481 "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
    BAD_REDIRECT: 400 "invalid_grant" 500_112 "The reply address does not match the reply address specified when requesting the authorization code.";
    OLD_REFRESH: 400 "invalid_grant" 700_082 "The refresh token has expired due to inactivity.";
    BAD_REFRESH: 400 "invalid_grant" 9_002_313 "Invalid request. Request is malformed or invalid.";
    NEW_PASSWORD: 400 "invalid_grant" 50_173 "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.";
    SECOND_FACTOR: 400 "invalid_grant" 50_076 "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.";
    NO_CONSENT: 400 "invalid_grant" 65_001 "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.";
    DOWN: 503 "temporarily_unavailable" 90_033 "A transient error has occurred. Please try again.";
}
