//! Is a request authentic? Pure: keys and time come in as arguments.
//!
//! Sources: "Authenticate requests from the Bot Connector service to your bot" and "Set up change notifications
//! that include resource data: validate the authenticity of notifications".

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use dragoman_seal::Token;
use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::wire::auth::{Claims, KeySet, SigningKey};

/// Clocks of the services and ours may differ by this much, in seconds.
const SKEW: f64 = 300.0;
/// The application that sends change notifications.
const CHANGE_TRACKING: &str = "0bf30f3b-4a52-48df-9a82-234910c4a086";
/// The only channel that is served.
pub(crate) const CHANNEL: &str = "msteams";
/// Longer tokens are nothing that these issuers make.
const MAX_TOKEN: usize = 16 * 1024;

/// What is wrong with a token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// There is none, or it is no token.
    Malformed,
    /// It is signed by another algorithm than RS256.
    Algorithm,
    /// No published key has this id.
    UnknownKey,
    /// The signature does not fit.
    Signature,
    /// Another issuer.
    Issuer,
    /// For another app.
    Audience,
    /// Too early or too late.
    Time,
    /// It vouches for another service URL.
    ServiceUrl,
    /// Its key may not sign for this channel.
    Endorsement,
    /// Another application than change tracking holds it.
    Sender,
}

/// Published signing keys by id.
#[derive(Default)]
pub(crate) struct Keys(BTreeMap<String, SigningKey>);

impl Keys {
    /// Reads a key set. `None` where it is none.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let set: KeySet = serde_json::from_slice(bytes).ok()?;
        let keys: BTreeMap<_, _> = set
            .keys
            .into_iter()
            .filter(|key| key.kty == "RSA" && !key.kid.is_empty())
            .map(|key| (key.kid.clone(), key))
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key of this id.
    pub(crate) fn get(&self, kid: &str) -> Option<&SigningKey> {
        self.0.get(kid)
    }
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Fault> {
    let value = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(Fault::Malformed)?;
    let (scheme, token) = value.split_once(' ').ok_or(Fault::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(Fault::Malformed) }
}

/// The id of the key that signed a token. Nothing about the token is to be believed yet.
pub(crate) fn key_id(token: &str) -> Result<String, Fault> {
    if token.len() > MAX_TOKEN {
        return Err(Fault::Malformed);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Fault::Malformed)?;
    if header.alg != Algorithm::RS256 {
        return Err(Fault::Algorithm);
    }
    header.kid.filter(|kid| !kid.is_empty()).ok_or(Fault::Malformed)
}

/// Checks the signature and reads the claims.
pub(crate) fn claims(token: &str, key: &SigningKey) -> Result<Claims, Fault> {
    let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).map_err(|_| Fault::UnknownKey)?;
    let mut validation = Validation::new(Algorithm::RS256);
    // Time and names are checked below, by our clock and by rules that the crate has no words for.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Claims>(token, &decoding, &validation)
        .map(|data| data.claims)
        .map_err(|_| Fault::Signature)
}

/// Checks the claims of a token of the Bot Connector.
pub(crate) fn bot_claims(
    claims: &Claims,
    key: &SigningKey,
    now_ms: i64,
    issuer: &str,
    app_id: &str,
    service_url: &str,
) -> Result<(), Fault> {
    if claims.iss != issuer {
        return Err(Fault::Issuer);
    }
    audience(claims, app_id)?;
    time(claims, now_ms)?;
    let vouched = [&claims.serviceurl, &claims.service_url];
    // A token that carries both spellings has to mean the same by both.
    let said: Vec<&str> = vouched.into_iter().flatten().map(String::as_str).collect();
    if said.is_empty()
        || service_url.is_empty()
        || !said.iter().all(|said| crate::ids::same_service(said, service_url))
    {
        return Err(Fault::ServiceUrl);
    }
    if !key.endorsements.iter().any(|endorsed| endorsed == CHANNEL) {
        return Err(Fault::Endorsement);
    }
    Ok(())
}

/// Checks the claims of a validation token of change notifications; gives the tenant that it vouches for.
pub(crate) fn change_tracking_claims(
    claims: &Claims,
    now_ms: i64,
    app_id: &str,
    tenants: &BTreeSet<String>,
) -> Result<String, Fault> {
    audience(claims, app_id)?;
    time(claims, now_ms)?;
    // A token of version 1 names its holder in `appid`, of version 2 in `azp`.
    let holder = claims.appid.as_deref().or(claims.azp.as_deref());
    if holder != Some(CHANGE_TRACKING) {
        return Err(Fault::Sender);
    }
    let tenant = tenants
        .iter()
        .find(|tenant| {
            claims.iss == format!("https://sts.windows.net/{tenant}/")
                || claims.iss == format!("https://login.microsoftonline.com/{tenant}/v2.0")
        })
        .ok_or(Fault::Issuer)?;
    if claims.tid.as_ref().is_some_and(|tid| tid != tenant) {
        return Err(Fault::Issuer);
    }
    Ok(tenant.clone())
}

fn audience(claims: &Claims, app_id: &str) -> Result<(), Fault> {
    let accepted = [app_id.to_owned(), format!("api://{app_id}"), format!("api://botid-{app_id}")];
    if !app_id.is_empty() && claims.aud.is(&accepted) { Ok(()) } else { Err(Fault::Audience) }
}

fn time(claims: &Claims, now_ms: i64) -> Result<(), Fault> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double exactly")]
    let now = now_ms as f64 / 1000.0;
    let end = claims.exp.ok_or(Fault::Time)?;
    if now > end + SKEW || claims.nbf.is_some_and(|start| now < start - SKEW) {
        return Err(Fault::Time);
    }
    Ok(())
}

/// The `clientState` of a subscription: a digest that names its conversation, and a digest that vouches for
/// the first, so that lifecycle notifications, which name no conversation, can be checked as well.
pub(crate) fn client_state(secret: &Token, tenant: &str, conversation: &str) -> String {
    let name = keyed(secret, &["conversation", tenant, conversation]);
    let seal = keyed(secret, &["state", tenant, &name]);
    name + &seal
}

/// Whether this is the `clientState` that we gave for a conversation. Constant time.
pub(crate) fn client_state_fits(secret: &Token, tenant: &str, conversation: &str, given: &str) -> bool {
    dragoman_seal::equal(client_state(secret, tenant, conversation).as_bytes(), given.as_bytes())
}

/// Whether this is a `clientState` that we gave for any conversation of the tenant. Constant time.
pub(crate) fn client_state_is_ours(secret: &Token, tenant: &str, given: &str) -> bool {
    let Some((name, seal)) = given.split_at_checked(32) else { return false };
    dragoman_seal::equal(keyed(secret, &["state", tenant, name]).as_bytes(), seal.as_bytes())
}

/// 128 bits of a keyed digest over parts that cannot run into each other, in hexadecimal digits.
fn keyed(secret: &Token, parts: &[&str]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hex::encode(&context.sign().as_ref()[..16])
}
