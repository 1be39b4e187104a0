//! Tokens: code exchange, refresh, the device grant, and what a person granted.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State as Extract};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::super::authorize::parse_scopes;
use super::super::config::SeedIntegration;
use super::super::desk::Desk;
use super::super::dispatch::{ApiResult, Caller, JSON, Reply, SHAPE};
use super::super::engine::{Engine, PLATFORM};
use super::super::error::{ApiError, forbidden, refuse};
use super::super::ids;
use super::super::state::{Device, Refresh, Token, expand, millis};
use crate::core::fault::guard;
use crate::core::{CallInfo, ConnControl};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Seconds in which a device has to be approved, and between two polls.
const DEVICE_LIFE: i64 = 300;
const DEVICE_INTERVAL: i64 = 2;

type Form = BTreeMap<String, String>;

/// A refusal in which text and details differ.
struct Refusal {
    status: u16,
    details: String,
}

fn no(details: &str) -> Refusal {
    Refusal { status: 400, details: details.to_owned() }
}

/// Routes: `/v1/access_token`, `/v1/device/authorize`, `/v1/device/token`.
pub fn router() -> Router<Arc<Engine>> {
    Router::new()
        .route("/v1/access_token", post(call))
        .route("/v1/device/authorize", post(call))
        .route("/v1/device/token", post(call))
}

async fn call(
    Extract(engine): Extract<Arc<Engine>>,
    OriginalUri(uri): OriginalUri,
    connection: Option<axum::Extension<ConnControl>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let method = format!("POST {}", path.strip_prefix("/v1").unwrap_or(&path));
    let info = CallInfo { platform: PLATFORM, method, path: path.clone(), conversation: None };
    let connection = connection.map(|axum::Extension(connection)| connection);
    let inner = Arc::clone(&engine);
    let effect = async move { respond(&inner, &path, &headers, &body) };
    guard(&engine.faults, &engine.log, SHAPE, connection.as_ref(), info, effect).await
}

fn respond(engine: &Arc<Engine>, path: &str, headers: &HeaderMap, body: &Bytes) -> Response {
    let tracking = engine.tracking("ROUTER_");
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut answer = if kind.starts_with("application/x-www-form-urlencoded") {
        let form = with_basic(headers, form_urlencoded::parse(body).into_owned().collect());
        let outcome = engine.operate(|desk| match path {
            "/v1/device/authorize" => device(desk, &form),
            "/v1/device/token" => poll(desk, &form),
            _ => token(desk, &form),
        });
        match outcome {
            Ok(value) => ([(header::CONTENT_TYPE, JSON)], value.to_string()).into_response(),
            Err(refusal) => {
                let body = json!({
                    "message": "The request could not be understood by the server due to malformed syntax.",
                    "errors": [{"description": refusal.details}], "trackingId": tracking,
                });
                let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
                (status, [(header::CONTENT_TYPE, JSON)], body.to_string()).into_response()
            }
        }
    } else {
        let kind = kind.split(';').next().unwrap_or_default();
        refuse(415, &format!("Content type '{kind}' not supported")).response(&tracking)
    };
    if let Ok(value) = HeaderValue::from_str(&tracking) {
        answer.headers_mut().insert(HeaderName::from_static("trackingid"), value);
    }
    answer
}

/// Client id and secret may come as HTTP Basic.
fn with_basic(headers: &HeaderMap, mut form: Form) -> Form {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((id, secret)) = basic.as_deref().and_then(|text| text.split_once(':')) {
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        form.entry("client_id".to_owned()).or_insert_with(|| decoded(id));
        form.entry("client_secret".to_owned()).or_insert_with(|| decoded(secret));
    }
    form
}

fn field<'f>(form: &'f Form, name: &str) -> &'f str {
    form.get(name).map_or("", String::as_str)
}

fn client<'c>(desk: &Desk<'c>, form: &Form, with_secret: bool) -> Result<&'c SeedIntegration, Refusal> {
    let id = field(form, "client_id");
    let known = desk.config.integrations.iter().find(|integration| integration.client_id == id);
    let known = known.ok_or_else(|| no("Client Id is invalid"))?;
    if with_secret && known.client_secret != field(form, "client_secret") {
        return Err(Refusal { status: 401, details: "Client Secret is invalid".to_owned() });
    }
    Ok(known)
}

fn token(desk: &mut Desk<'_>, form: &Form) -> Result<Value, Refusal> {
    let client = client(desk, form, true)?.client_id.clone();
    match field(form, "grant_type") {
        "authorization_code" => {
            let code = desk
                .state
                .codes
                .remove(field(form, "code"))
                .filter(|code| code.expires > desk.now && code.client == client)
                .ok_or_else(|| no("The authorization code is invalid or expired"))?;
            if code.redirect_uri != field(form, "redirect_uri") {
                return Err(no("The redirect_uri does not match"));
            }
            if let Some((challenge, digested)) = &code.challenge {
                let verifier = field(form, "code_verifier");
                let made = if *digested {
                    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
                } else {
                    verifier.to_owned()
                };
                if !(43..=128).contains(&verifier.len()) || made != *challenge {
                    return Err(no("The code_verifier is invalid"));
                }
            }
            let refresh = refresh_text(desk, &code.person);
            let life = millis(desk.config.timing.refresh_life);
            let known = Refresh {
                person: code.person,
                client,
                scopes: code.scopes,
                expires: desk.now + life,
                created: desk.now,
                revoked: false,
            };
            desk.state.refreshes.insert(refresh.clone(), known);
            grant(desk, &refresh)
        }
        "refresh_token" => refresh(desk, form, &client),
        _ => Err(no("The grant_type is not supported")),
    }
}

fn refresh(desk: &mut Desk<'_>, form: &Form, client: &str) -> Result<Value, Refusal> {
    let mut text = field(form, "refresh_token").to_owned();
    let now = desk.now;
    let known = desk
        .state
        .refreshes
        .get(&text)
        .filter(|known| known.client == client && !known.revoked && known.expires > now)
        .filter(|known| desk.state.people.get(&known.person).is_some_and(|person| person.active))
        .cloned()
        .ok_or_else(|| no("The refresh token is invalid, expired or revoked"))?;
    if desk.config.doubts.refresh_ends_access {
        let of_grant = |token: &&mut Token| token.person == known.person && token.client == client;
        for token in desk.state.tokens.values_mut().filter(of_grant) {
            token.revoked = true;
        }
    }
    let life = millis(desk.config.timing.refresh_life);
    if desk.config.doubts.refresh_rotates {
        desk.state.refreshes.shift_remove(&text);
        text = refresh_text(desk, &known.person);
    }
    // Its use renews it.
    desk.state.refreshes.insert(text.clone(), Refresh { expires: now + life, ..known });
    grant(desk, &text)
}

fn refresh_text(desk: &Desk<'_>, person: &str) -> String {
    let org = desk.state.people.get(person).map(|person| person.org.clone()).unwrap_or_default();
    desk.token_text(&org)
}

fn grant(desk: &mut Desk<'_>, refresh: &str) -> Result<Value, Refusal> {
    let known = desk.state.refreshes.get(refresh).cloned().ok_or_else(|| no("The grant is gone"))?;
    let access = refresh_text(desk, &known.person);
    let (access_life, refresh_life) = (desk.config.timing.access_life, known.expires - desk.now);
    let token = Token::new(
        &access,
        &known.person,
        &known.client,
        expand(known.scopes.iter().cloned()),
        Some(desk.now + millis(access_life)),
    );
    desk.state.tokens.insert(access.clone(), token);
    let scopes: Vec<&str> = known.scopes.iter().map(String::as_str).collect();
    Ok(json!({
        "access_token": access, "expires_in": access_life.as_secs().saturating_sub(1), "refresh_token": refresh,
        "refresh_token_expires_in": (refresh_life / 1_000 - 1).max(0), "token_type": "Bearer",
        "scope": scopes.join(" "),
    }))
}

fn device(desk: &mut Desk<'_>, form: &Form) -> Result<Value, Refusal> {
    let known = client(desk, form, false)?;
    let scopes = parse_scopes(field(form, "scope"));
    if !scopes.iter().all(|scope| known.scopes.contains(scope)) {
        return Err(no("invalid_scope"));
    }
    let (code, user_code) = (desk.world.uuid(), desk.world.text(6, b"0123456789"));
    let device = Device {
        client: known.client_id.clone(),
        scopes,
        user_code: user_code.clone(),
        expires: desk.now + DEVICE_LIFE * 1_000,
        person: None,
    };
    desk.state.devices.insert(code.clone(), device);
    let page = format!("{}/v1/device", desk.base);
    Ok(json!({
        "device_code": code, "user_code": user_code, "verification_uri": page,
        "verification_uri_complete": format!("{page}?userCode={user_code}"), "expires_in": DEVICE_LIFE,
        "interval": DEVICE_INTERVAL,
    }))
}

fn poll(desk: &mut Desk<'_>, form: &Form) -> Result<Value, Refusal> {
    let client = client(desk, form, true)?.client_id.clone();
    if field(form, "grant_type") != DEVICE_GRANT {
        return Err(no("The grant_type is not supported"));
    }
    let code = field(form, "device_code");
    let device = desk
        .state
        .devices
        .get(code)
        .filter(|device| device.client == client && device.expires > desk.now)
        .cloned()
        .ok_or_else(|| no("expired_token"))?;
    let Some(person) = device.person else {
        return Err(Refusal { status: 428, details: "authorization_pending".to_owned() });
    };
    desk.state.devices.remove(code);
    let refresh = refresh_text(desk, &person);
    let life = millis(desk.config.timing.refresh_life);
    let known = Refresh {
        person,
        client,
        scopes: device.scopes,
        expires: desk.now + life,
        created: desk.now,
        revoked: false,
    };
    desk.state.refreshes.insert(refresh.clone(), known);
    grant(desk, &refresh)
}

/// `GET /authorizations`: what the caller granted, or the organisation's people for administrators.
pub(super) fn grants(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    if caller.is_bot() {
        return Err(forbidden());
    }
    let mut items: BTreeMap<&str, Value> = BTreeMap::new();
    for known in desk.state.refreshes.values() {
        if known.person != caller.person.uuid || known.revoked {
            continue;
        }
        let name = desk
            .config
            .integrations
            .iter()
            .find(|integration| integration.client_id == known.client)
            .map_or("", |integration| integration.name.as_str());
        let id = ids::public(ids::US, "AUTHORIZATION", &format!("{}:{}", known.person, known.client));
        items.insert(
            &known.client,
            json!({
                "id": id, "applicationId": ids::application(&known.client), "applicationName": name,
                "personId": ids::person(&known.person), "clientId": known.client,
                "created": ids::iso(known.created), "type": "refresh",
            }),
        );
    }
    Ok(Reply::Page(items.into_values().collect(), None))
}

/// `GET /authorizations/tokenExpiry`: milliseconds since 1970.
pub(super) fn expiry(_desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    let exp = caller.token.expires.ok_or_else(|| refuse(400, "The token does not expire."))?;
    Ok(Reply::Ok(json!({ "exp": exp })))
}

/// `DELETE /authorizations?clientId=`.
pub(super) fn withdraw(desk: &mut Desk<'_>, caller: &Caller) -> ApiResult {
    let client = caller.query("clientId").ok_or_else(missing_client)?;
    desk.state.revoke(&caller.person.uuid, client);
    Ok(Reply::Empty)
}

fn missing_client() -> ApiError {
    refuse(400, "Required String parameter 'clientId' is not present")
}
