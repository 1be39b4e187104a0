//! Entra's endpoints (`login.microsoftonline.com`) and the Bot Framework's metadata (`login.botframework.com`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};

use super::entra::{self, Access, Audience, Code, Failure, Refresh, Who};
use super::html::escape;
use super::http::{Req, Res};
use super::ids::{encode, iso, token};
use super::keys::assertion_holds;
use super::rights::{ADMIN_SCOPES, MANAGED_SCOPES};
use super::sim::Core;

/// The query parameter by which the pages say what was chosen.
const CHOSEN: &str = "_sim_user";

/// Answers a request to the login host. `real` is true when the caller used the real host name.
pub(super) fn handle(core: &mut Core, req: &Req) -> Res {
    let low: Vec<String> = req.segments.iter().map(|s| s.to_ascii_lowercase()).collect();
    let low: Vec<&str> = low.iter().map(String::as_str).collect();
    let tenant = req.segments.first().cloned().unwrap_or_default();
    match low.as_slice() {
        ["common", "discovery", "instance"] => instance_discovery(req),
        [_, "oauth2", "v2.0", "authorize"] => authorize(core, req, &tenant),
        [_, "oauth2", "v2.0", "token"] if req.method == Method::POST => token_endpoint(core, req, &tenant),
        [_, "v2.0", "adminconsent"] | [_, "adminconsent"] => admin_consent(core, req, low.len() == 2),
        [_, "oauth2", "v2.0", "logout"] => Res::html(200, "<p>Signed out.</p>".into()),
        [_, "v2.0", ".well-known", "openid-configuration"] => metadata(core, req, &tenant, true),
        [_, ".well-known", "openid-configuration"] => metadata(core, req, &tenant, false),
        [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"] => Res::json(200, &core.login.jwks()),
        _ => Res::json(404, &json!({"error": "not_found"})),
    }
}

/// The Bot Framework's OpenID metadata and keys.
pub(super) fn bot_metadata(core: &Core, req: &Req) -> Res {
    if req.segments.last().is_some_and(|s| s.eq_ignore_ascii_case("keys")) {
        return Res::json(200, &core.bot_keys.jwks());
    }
    Res::json(
        200,
        &json!({
            "issuer": "https://api.botframework.com",
            "authorization_endpoint": "https://invalid.botframework.com",
            "jwks_uri": format!("{}/v1/.well-known/keys", req.origin),
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }),
    )
}

fn instance_discovery(req: &Req) -> Res {
    let host = req.header("host").unwrap_or("localhost");
    Res::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("{}/common/v2.0/.well-known/openid-configuration", req.origin),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": host, "preferred_cache": host, "aliases": [host, "login.microsoftonline.com"],
            }],
        }),
    )
}

/// Whether a path segment names this tenant: its id, its domain, or one of the shared names.
fn knows_tenant(core: &Core, tenant: &str) -> bool {
    let t = &core.tenant.config.tenant;
    tenant.eq_ignore_ascii_case(&t.id)
        || tenant.eq_ignore_ascii_case(&t.domain)
        || ["common", "organizations"].iter().any(|n| tenant.eq_ignore_ascii_case(n))
}

fn metadata(core: &Core, req: &Req, tenant: &str, v2: bool) -> Res {
    if !knows_tenant(core, tenant) && !tenant.eq_ignore_ascii_case("botframework.com") {
        return failure(entra::NO_TENANT, req, None);
    }
    let shared = tenant.eq_ignore_ascii_case("common") || tenant.eq_ignore_ascii_case("organizations");
    let id = if shared { "{tenantid}".to_owned() } else { core.tenant.config.tenant.id.clone() };
    let issuer = if v2 {
        format!("https://login.microsoftonline.com/{id}/v2.0")
    } else {
        format!("https://sts.windows.net/{id}/")
    };
    let (base, version) = (format!("{}/{tenant}", req.origin), if v2 { "v2.0/" } else { "" });
    Res::json(
        200,
        &json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
            "jwks_uri": format!("{base}/discovery/{version}keys"),
            "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }),
    )
}

fn split(scope: &str) -> Vec<String> {
    scope
        .split_whitespace()
        .map(|s| s.rsplit_once(".com/").map_or(s, |(_, tail)| tail).trim_start_matches('/').to_owned())
        .collect()
}

fn find_person(core: &Core, hint: &str) -> Option<String> {
    let p = core.tenant.people.values();
    p.into_iter().find(|p| p.id == hint || p.upn.eq_ignore_ascii_case(hint)).map(|p| p.id.clone())
}

fn authorize(core: &mut Core, req: &Req, tenant: &str) -> Res {
    let form = if req.method == Method::POST { req.form() } else { vec![] };
    let q = |name: &str| {
        req.query(name)
            .or_else(|| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()))
            .unwrap_or("")
    };
    let app_id = q("client_id").to_owned();
    let redirect = q("redirect_uri").to_owned();
    let Some(app) = core.tenant.apps.get(&app_id).filter(|_| knows_tenant(core, tenant)) else {
        return sign_in_error("AADSTS700016", entra::NO_APP.text);
    };
    if redirect.is_empty()
        || !app.seed.redirect_uris.is_empty() && !app.seed.redirect_uris.contains(&redirect)
    {
        return sign_in_error(
            "AADSTS50011",
            "The redirect URI specified in the request does not match the redirect URIs configured for the application.",
        );
    }
    let app_name = app.seed.name.clone();
    let (state, mode) = (q("state").to_owned(), q("response_mode").to_owned());
    let answer = |pairs: &[(&str, &str)]| back(&redirect, &mode, &state, pairs);
    if !q("response_type").split(' ').any(|t| t == "code") {
        return answer(&[
            ("error", "unsupported_response_type"),
            ("error_description", "AADSTS700054: response_type is not supported."),
        ]);
    }
    let chosen =
        Some(q(CHOSEN)).filter(|c| !c.is_empty()).or(Some(q("login_hint")).filter(|h| !h.is_empty()));
    let person = match chosen {
        Some(hint) => find_person(core, hint),
        None if q("prompt") == "none" => None,
        None if core.tenant.config.auto_approve => core.tenant.people.keys().next().cloned(),
        None => return choose_person(core, req, &app_name),
    };
    let Some(oid) = person else {
        return answer(&[
            ("error", "login_required"),
            ("error_description", "AADSTS50058: A silent sign-in request was sent but no user is signed in."),
        ]);
    };
    if chosen.is_some() && !core.tenant.config.auto_approve && req.query(CHOSEN).is_none() {
        return choose_person(core, req, &app_name);
    }
    let scopes: BTreeSet<String> = split(q("scope")).into_iter().collect();
    if let Some(missing) = not_consentable(core, &app_id, &scopes) {
        let text = format!("AADSTS90094: Admin consent is required for the permission {missing}.");
        return answer(&[
            ("error", "access_denied"),
            ("error_subcode", "cancel"),
            ("error_description", &text),
        ]);
    }
    if let Some(app) = core.tenant.apps.get_mut(&app_id) {
        app.consents.entry(oid.clone()).or_default().extend(scopes.iter().cloned());
    }
    let challenge = Some(q("code_challenge")).filter(|c| !c.is_empty());
    let code = format!("0.{}", token(&core.tenant.random::<48>()));
    let entry = Code {
        app: app_id,
        oid,
        scopes,
        redirect_uri: redirect.clone(),
        challenge: challenge.map(|c| (c.to_owned(), q("code_challenge_method") == "S256")),
        nonce: Some(q("nonce").to_owned()).filter(|n| !n.is_empty()),
        expires: req.now + core.tenant.config.timing.code,
        used: false,
    };
    core.entra.codes.insert(code.clone(), entry);
    let session = core.tenant.guid();
    back(&redirect, &mode, &state, &[("code", &code), ("session_state", &session)])
}

/// The first scope that this tenant's policy keeps people from granting.
fn not_consentable(core: &Core, app: &str, scopes: &BTreeSet<String>) -> Option<String> {
    let granted = core.tenant.apps.get(app).map(|a| a.seed.admin_scopes.clone()).unwrap_or_default();
    let open = core.tenant.config.open_user_consent;
    let reserved = |s: &str| ADMIN_SCOPES.contains(&s) || !open && MANAGED_SCOPES.contains(&s);
    scopes.iter().find(|s| reserved(s) && !granted.contains(s)).cloned()
}

fn back(redirect: &str, mode: &str, state: &str, pairs: &[(&str, &str)]) -> Res {
    let mut all = pairs.to_vec();
    if !state.is_empty() {
        all.push(("state", state));
    }
    if mode == "form_post" {
        let fields = all.iter().fold(String::new(), |mut out, (k, v)| {
            let _ = write!(out, "<input type=\"hidden\" name=\"{k}\" value=\"{}\">", attribute(v));
            out
        });
        return Res::html(
            200,
            format!(
                "<html><body onload=\"document.forms[0].submit()\"><form method=\"post\" action=\"{}\">{fields}\
                 <noscript><button>Continue</button></noscript></form></body></html>",
                attribute(redirect)
            ),
        );
    }
    let query = all.iter().map(|(k, v)| format!("{k}={}", encode(v))).collect::<Vec<_>>().join("&");
    let mark = match (mode, redirect.contains('?')) {
        ("fragment", _) => '#',
        (_, true) => '&',
        (_, false) => '?',
    };
    Res::redirect(format!("{redirect}{mark}{query}"))
}

fn attribute(text: &str) -> String {
    escape(text).replace('"', "&quot;")
}

fn sign_in_error(code: &str, text: &str) -> Res {
    Res::html(400, page("Sign in", &format!("<p>{code}: {}</p>", escape(text))))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>body{{font:16px/1.5 \
         system-ui,sans-serif;background:#f3f2f7;color:#201f2b;display:grid;place-items:center;min-height:90vh}}\
         main{{background:#fff;border-radius:12px;padding:32px 40px;box-shadow:0 8px 30px #2a1f5a22;max-width:420px}}\
         a.choice{{display:block;padding:12px 16px;margin:8px 0;border:1px solid #d8d5e6;border-radius:8px;\
         color:inherit;text-decoration:none}}a.choice:hover{{border-color:#5b53c0;background:#f6f5ff}}small{{color:\
         #6b6880}}</style><main><h1>{title}</h1>{body}</main></html>"
    )
}

fn choose_person(core: &Core, req: &Req, app: &str) -> Res {
    let mut body = format!("<p>Continue to <b>{}</b> as</p>", escape(app));
    for p in core.tenant.people.values() {
        let _ = write!(
            body,
            "<a class=\"choice\" data-test=\"person\" href=\"?{}&amp;{CHOSEN}={}\">{}<br><small>{}</small></a>",
            attribute(&req.raw_query),
            p.id,
            escape(&p.name),
            escape(&p.upn)
        );
    }
    Res::html(200, page("Pick an account", &body))
}

fn admin_consent(core: &mut Core, req: &Req, old: bool) -> Res {
    let q = |name: &str| req.query(name).unwrap_or("").to_owned();
    let (app_id, redirect, state) = (q("client_id"), q("redirect_uri"), q("state"));
    let tenant = core.tenant.config.tenant.id.clone();
    let Some(app) = core.tenant.apps.get_mut(&app_id) else {
        return sign_in_error("AADSTS700016", entra::NO_APP.text);
    };
    if !core.tenant.config.auto_approve && req.query(CHOSEN).is_none() {
        let body = format!(
            "<p><b>{}</b> asks for permissions for the whole organisation.</p><a class=\"choice\" data-test=\"accept\" \
             href=\"?{q}&amp;{CHOSEN}=yes\">Accept</a><a class=\"choice\" href=\"?{q}&amp;{CHOSEN}=no\">Cancel</a>",
            escape(&app.seed.name),
            q = attribute(&req.raw_query)
        );
        return Res::html(200, page("Permissions requested", &body));
    }
    if req.query(CHOSEN) == Some("no") {
        let text = "AADSTS65004: User declined to consent to access the app.";
        return back(&redirect, "query", &state, &[("error", "access_denied"), ("error_description", text)]);
    }
    let scopes = split(&q("scope"));
    let wants_all = old || scopes.iter().any(|s| s == ".default" || s.ends_with("/.default"));
    let declared = core.tenant.declared_scopes.get(&app_id).cloned().unwrap_or_default();
    app.seed.admin_scopes.extend(if wants_all { declared } else { scopes });
    back(&redirect, "query", &state, &[("admin_consent", "True"), ("tenant", &tenant)])
}

fn token_endpoint(core: &mut Core, req: &Req, tenant: &str) -> Res {
    let mut form = req.form();
    basic(req, &mut form);
    let f = |name: &str| form.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v.as_str());
    let request_id =
        Some(f("client-request-id")).filter(|s| !s.is_empty()).or(req.header("client-request-id"));
    let outcome = grant(core, req, tenant, &f);
    match outcome {
        Ok(answer) => Res::json(200, &answer).with("cache-control", "no-store").with("pragma", "no-cache"),
        Err(e) => failure(e, req, request_id),
    }
}

/// Client credentials from a Basic header count like those of the form.
fn basic(req: &Req, form: &mut Vec<(String, String)>) {
    let pair = req
        .header("authorization")
        .and_then(|h| h.strip_prefix("Basic "))
        .and_then(|b| STANDARD.decode(b).ok())
        .and_then(|b| String::from_utf8(b).ok());
    if let Some((id, secret)) = pair.as_deref().and_then(|p| p.split_once(':')) {
        form.push(("client_id".into(), super::ids::decode(id)));
        form.push(("client_secret".into(), super::ids::decode(secret)));
    }
}

fn failure(e: Failure, req: &Req, request_id: Option<&str>) -> Res {
    let trace = super::ids::guid(first16(&super::ids::digest(&["trace", &req.now.to_string(), &req.path])));
    let correlation = request_id.map_or_else(|| trace.clone(), str::to_owned);
    let time = iso(req.now).replace('T', " ");
    Res::json(
        e.status,
        &json!({
            "error": e.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}", e.code, e.text
            ),
            "error_codes": [e.code],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", e.code),
        }),
    )
}

fn first16(bytes: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    for (o, b) in out.iter_mut().zip(bytes) {
        *o = *b;
    }
    out
}

fn grant<'a>(
    core: &mut Core,
    req: &Req,
    tenant: &str,
    f: &impl Fn(&str) -> &'a str,
) -> Result<Value, Failure> {
    if core.entra.down {
        return Err(entra::DOWN);
    }
    let app_id = f("client_id");
    let multi = tenant.eq_ignore_ascii_case("botframework.com");
    if !multi && !knows_tenant(core, tenant) {
        return Err(entra::NO_TENANT);
    }
    let app = core.tenant.apps.get(app_id).ok_or(entra::NO_APP)?;
    if multi && !app.seed.bot.as_ref().is_some_and(|b| b.multi_tenant) {
        return Err(entra::NO_APP);
    }
    // An app without credentials is a public client: its codes are guarded by PKCE alone.
    let public = app.seed.secrets.is_empty() && app.seed.certificates.is_empty();
    authenticate(core, req, f, public)?;
    match f("grant_type") {
        "client_credentials" => client_credentials(core, req, tenant, f),
        "authorization_code" => redeem(core, req, f),
        "refresh_token" => refresh(core, req, f),
        "" => Err(entra::BAD_REQUEST),
        _ => Err(entra::BAD_GRANT_TYPE),
    }
}

fn authenticate<'a>(
    core: &Core,
    req: &Req,
    f: &impl Fn(&str) -> &'a str,
    public: bool,
) -> Result<(), Failure> {
    let app = core.tenant.apps.get(f("client_id")).ok_or(entra::NO_APP)?;
    let (secret, assertion) = (f("client_secret"), f("client_assertion"));
    if !assertion.is_empty() {
        let kind = f("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let holds = kind && assertion_holds(assertion, &app.seed.id, &app.seed.certificates, req.now / 1_000);
        return if holds { Ok(()) } else { Err(entra::BAD_ASSERTION) };
    }
    if secret.is_empty() {
        return if public { Ok(()) } else { Err(entra::NO_SECRET) };
    }
    if app.seed.expired_secrets.iter().any(|s| s == secret) {
        return Err(entra::OLD_SECRET);
    }
    if app.seed.secrets.iter().any(|s| s == secret) { Ok(()) } else { Err(entra::BAD_SECRET) }
}

fn client_credentials<'a>(
    core: &mut Core,
    req: &Req,
    tenant: &str,
    f: &impl Fn(&str) -> &'a str,
) -> Result<Value, Failure> {
    if ["common", "organizations"].iter().any(|t| tenant.eq_ignore_ascii_case(t)) {
        return Err(entra::COMMON_TENANT);
    }
    let scope = f("scope");
    if !scope.ends_with("/.default") {
        return Err(entra::BAD_SCOPE);
    }
    let audience = if scope.contains("api.botframework.") { Audience::Bot } else { Audience::Graph };
    let access = core.issue(f("client_id"), Who::App, audience, BTreeSet::new(), req.now);
    let seconds = core.tenant.config.timing.access_token / 1_000;
    Ok(json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": access,
    }))
}

fn redeem<'a>(core: &mut Core, req: &Req, f: &impl Fn(&str) -> &'a str) -> Result<Value, Failure> {
    let code =
        core.entra.codes.get_mut(f("code")).filter(|c| c.app == f("client_id")).ok_or(entra::BAD_CODE)?;
    if code.used {
        return Err(entra::USED_CODE);
    }
    if code.expires < req.now {
        return Err(entra::OLD_CODE);
    }
    if code.redirect_uri != f("redirect_uri") {
        return Err(entra::BAD_REDIRECT);
    }
    if let Some((challenge, s256)) = &code.challenge {
        let verifier = f("code_verifier");
        let derived = if *s256 {
            URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
        } else {
            verifier.to_owned()
        };
        if verifier.is_empty() || derived != *challenge {
            return Err(entra::BAD_VERIFIER);
        }
    } else if !f("code_verifier").is_empty() {
        return Err(entra::BAD_VERIFIER);
    }
    code.used = true;
    let code = code.clone();
    Ok(user_tokens(core, req, f, &code.app, &code.oid, &code.scopes, code.nonce.as_deref()))
}

fn refresh<'a>(core: &mut Core, req: &Req, f: &impl Fn(&str) -> &'a str) -> Result<Value, Failure> {
    let old = core
        .entra
        .refresh
        .get(f("refresh_token"))
        .filter(|r| r.app == f("client_id"))
        .cloned()
        .ok_or(entra::BAD_REFRESH)?;
    if old.expires < req.now {
        return Err(entra::OLD_REFRESH);
    }
    if core.entra.password_changed.contains(&old.oid) {
        return Err(entra::NEW_PASSWORD);
    }
    if core.entra.second_factor.contains(&old.oid) {
        return Err(entra::SECOND_FACTOR);
    }
    let consents = core.tenant.apps.get(&old.app).and_then(|a| a.consents.get(&old.oid)).cloned();
    let consents = consents.ok_or(entra::NO_CONSENT)?;
    let asked: BTreeSet<String> = split(f("scope")).into_iter().collect();
    let wanted =
        if asked.is_empty() || asked.iter().any(|s| s == ".default") { old.scopes.clone() } else { asked };
    if let Some(_missing) = wanted.iter().find(|s| !is_identity(s) && !consents.contains(*s)) {
        return Err(entra::NO_CONSENT);
    }
    Ok(user_tokens(core, req, f, &old.app, &old.oid, &wanted, None))
}

fn is_identity(scope: &str) -> bool {
    ["openid", "profile", "email", "offline_access"].contains(&scope)
}

fn user_tokens<'a>(
    core: &mut Core,
    req: &Req,
    f: &impl Fn(&str) -> &'a str,
    app: &str,
    oid: &str,
    scopes: &BTreeSet<String>,
    nonce: Option<&str>,
) -> Value {
    let resource: BTreeSet<String> = scopes.iter().filter(|s| *s != "offline_access").cloned().collect();
    let access = core.issue(app, Who::User(oid.to_owned()), Audience::Graph, resource.clone(), req.now);
    let seconds = core.tenant.config.timing.access_token / 1_000;
    let shown: Vec<String> = resource
        .iter()
        .map(|s| if is_identity(s) { s.clone() } else { format!("https://graph.microsoft.com/{s}") })
        .collect();
    let mut out = json!({
        "token_type": "Bearer", "scope": shown.join(" "), "expires_in": seconds, "ext_expires_in": seconds,
        "access_token": access,
    });
    if scopes.contains("offline_access") || f("grant_type") == "refresh_token" {
        let value = format!("1.{}", token(&core.tenant.random::<64>()));
        let entry = Refresh {
            app: app.to_owned(),
            oid: oid.to_owned(),
            scopes: scopes.clone(),
            expires: req.now + core.tenant.config.timing.refresh_token,
        };
        core.entra.refresh.insert(value.clone(), entry);
        out["refresh_token"] = json!(value);
    }
    let tenant = core.tenant.config.tenant.id.clone();
    if scopes.contains("openid") {
        let person = core.tenant.people.get(oid);
        let mut claims = json!({
            "aud": app, "iss": format!("https://login.microsoftonline.com/{tenant}/v2.0"), "iat": req.now / 1_000,
            "nbf": req.now / 1_000, "exp": req.now / 1_000 + seconds, "oid": oid, "tid": tenant, "ver": "2.0",
            "sub": token(&super::ids::digest(&["sub", app, oid])),
            "name": person.map(|p| p.name.clone()), "preferred_username": person.map(|p| p.upn.clone()),
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        out["id_token"] = json!(core.login.sign(&claims, None));
    }
    if f("client_info") == "1" {
        let info = json!({"uid": oid, "utid": tenant}).to_string();
        out["client_info"] = json!(URL_SAFE_NO_PAD.encode(info));
    }
    out
}

impl Core {
    /// Issues an access token: a signed token whose content only the simulator itself relies on.
    pub(super) fn issue(
        &mut self,
        app: &str,
        who: Who,
        audience: Audience,
        scopes: BTreeSet<String>,
        now: u64,
    ) -> String {
        let tenant = &self.tenant.config.tenant.id;
        let life = self.tenant.config.timing.access_token;
        let mut claims = json!({
            "aud": match audience {
                Audience::Graph => "https://graph.microsoft.com",
                Audience::Bot => "https://api.botframework.com",
            },
            "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now / 1_000, "nbf": now / 1_000,
            "exp": (now + life) / 1_000, "appid": app, "tid": tenant, "ver": "1.0",
            "uti": token(&super::ids::digest(&["uti", app, &now.to_string()])[..16]),
        });
        match &who {
            Who::App => {
                claims["idtyp"] = json!("app");
                claims["roles"] = json!(self.tenant.apps.get(app).map(|a| a.seed.roles.clone()));
            }
            Who::User(oid) => {
                claims["oid"] = json!(oid);
                claims["scp"] = json!(scopes.iter().cloned().collect::<Vec<_>>().join(" "));
            }
        }
        claims["jti"] = json!(token(&self.tenant.random::<16>()));
        let text = self.login.sign(&claims, None);
        let access = Access { app: app.to_owned(), who, audience, scopes, expires: now + life };
        self.entra.access.insert(text.clone(), access);
        text
    }
}
