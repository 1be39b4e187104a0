//! The server: takes requests apart, finds who answers, runs them under the fault orders, and publishes changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::State as AxumState;
use axum::response::{IntoResponse, Response};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::config::TeamsSimConfig;
use super::consent::Answers;
use super::drive::Drives;
use super::entra::Entra;
use super::http::{Req, Res, segments};
use super::keys::KeySet;
use super::limits::Windows;
use super::model::{Change, ChangeKind, State};
use super::notify::Outbox;
use super::subscriptions::Subscription;
use super::{activity, connector, control, graph, login, notify, site};
use crate::core::control::{ControlContext, router as control_router};
use crate::core::fault::{CallInfo, FaultShape, guard};
use crate::core::world::lock;
use crate::core::{CallLog, Changes, ConnControl, Delivery, FaultBook, HttpClient, Tasks, World};

/// The platform's name in the log and in fault orders.
pub(super) const PLATFORM: &str = "teams";

/// Deliberate mistakes of the tokens and notifications that the simulator sends, for judging validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Twist {
    /// No `Authorization` header on a bot activity.
    BotWithoutToken,
    /// The `serviceurl` claim names another address than the activity.
    BotWrongServiceUrl,
    /// The token is meant for another app.
    BotWrongAudience,
    /// The token comes from another issuer.
    BotWrongIssuer,
    /// The token names a key that is not published.
    BotUnknownKey,
    /// The token expired ten minutes ago.
    BotExpired,
    /// The token is signed with the login service's key.
    BotForeignKey,
    /// The signature over encrypted content does not fit.
    NotificationTampered,
    /// `clientState` is not the subscriber's.
    NotificationWrongState,
    /// The validation token is meant for another app.
    NotificationWrongAudience,
    /// The validation token comes from another tenant.
    NotificationWrongIssuer,
    /// The validation token was issued to another publisher than change tracking.
    NotificationWrongPublisher,
    /// The validation token expired.
    NotificationExpiredToken,
    /// `validationTokens` is missing.
    NotificationWithoutToken,
}

/// Everything that changes.
pub(super) struct Core {
    pub tenant: State,
    pub entra: Entra,
    pub login: KeySet,
    pub bot_keys: KeySet,
    pub subscriptions: BTreeMap<String, Subscription>,
    pub windows: Windows,
    pub outbox: Outbox,
    pub drives: Drives,
    /// What people said to the files that bots offer them.
    pub answers: Answers,
    pub twists: BTreeMap<Twist, u32>,
}

impl Core {
    /// Whether a deliberate mistake is due now.
    pub(super) fn twisted(&mut self, twist: Twist) -> bool {
        let Some(left) = self.twists.get_mut(&twist).filter(|n| **n > 0) else { return false };
        *left -= 1;
        true
    }
}

/// The simulator.
pub(super) struct Inner {
    pub world: Arc<World>,
    pub tasks: Tasks,
    pub log: CallLog,
    pub faults: FaultBook,
    pub changes: Changes,
    pub client: HttpClient,
    /// Notifications and activities travel apart, so that disorder in one does not touch the other.
    pub delivery: Delivery,
    pub bot_delivery: Delivery,
    pub base: OnceLock<String>,
    tls: bool,
    core: Mutex<Core>,
}

impl Inner {
    pub(super) fn new(world: &Arc<World>, config: TeamsSimConfig) -> anyhow::Result<Self> {
        let tasks = world.tasks.child();
        let log = CallLog::new(world);
        let faults = FaultBook::default();
        let client = HttpClient::new(world, &tasks, config.trusted_ca.as_deref())?;
        let engine = || {
            let stagger = std::time::Duration::from_millis(50);
            Delivery::new(client.clone(), faults.clone(), log.clone(), tasks.clone(), stagger)
        };
        let (delivery, bot_delivery) = (engine(), engine());
        let now = u64::try_from(world.clock.millis()).unwrap_or(0);
        let tls = config.tls.is_some();
        let core = Core {
            tenant: State::new(config, world.number(), now),
            entra: Entra::default(),
            login: KeySet::new(None)?,
            bot_keys: KeySet::new(Some(vec!["msteams".into(), "webchat".into(), "directline".into()]))?,
            subscriptions: BTreeMap::new(),
            windows: Windows::default(),
            outbox: Outbox::default(),
            drives: Drives::default(),
            answers: Answers::default(),
            twists: BTreeMap::new(),
        };
        Ok(Self {
            world: Arc::clone(world),
            tasks,
            log,
            faults,
            changes: Changes::default(),
            client,
            delivery,
            bot_delivery,
            base: OnceLock::new(),
            tls,
            core: Mutex::new(core),
        })
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.world.clock.millis()).unwrap_or(0)
    }

    /// Scheme and authority under which the simulator is reached on this machine.
    pub(super) fn base(&self) -> &str {
        self.base.get().map_or("", String::as_str)
    }

    /// `serviceUrl` of activities.
    pub(super) fn service_url(&self, core: &Core) -> String {
        let config = &core.tenant.config;
        let host = config.service_host.as_deref().unwrap_or(self.base());
        format!("{host}/{}/{}/", config.region, config.tenant.id)
    }

    /// Scheme and host of the tenant's sites in addresses that no caller asked for.
    pub(super) fn site(&self, core: &Core) -> String {
        core.tenant.config.site_host.clone().unwrap_or_else(|| self.base().to_owned())
    }

    /// Graph's origin in links that no caller asked for (notifications).
    pub(super) fn graph_origin(&self, core: &Core) -> String {
        match core.tenant.config.service_host {
            Some(_) => "https://graph.microsoft.com".into(),
            None => self.base().to_owned(),
        }
    }

    /// The routes.
    pub(super) fn router(self: &Arc<Self>) -> Router {
        let context = ControlContext {
            world: Arc::clone(&self.world),
            tasks: self.tasks.clone(),
            log: self.log.clone(),
            faults: self.faults.clone(),
            changes: self.changes.clone(),
        };
        Router::new().fallback(serve).with_state(Arc::clone(self)).merge(control_router(context))
    }

    /// Tells everybody who has to know about a change: pages, subscribers, bots.
    pub(super) fn publish(self: &Arc<Self>, changes: &[Change]) {
        for change in changes {
            let announced = announcement(&self.core(), change);
            self.changes.announce(announced);
            notify::on_change(self, change);
            activity::on_change(self, change);
        }
    }
}

fn announcement(core: &Core, change: &Change) -> Value {
    let kind = match &change.kind {
        ChangeKind::Created => "created",
        ChangeKind::Edited => "edited",
        ChangeKind::ReactionAdded(_) | ChangeKind::ReactionRemoved(_) => "reacted",
        ChangeKind::Deleted => "deleted",
        ChangeKind::Restored => "restored",
        ChangeKind::Touched => "touched",
    };
    json!({
        "type": kind,
        "conversation": change.conversation,
        "message": control::message(core, &change.conversation, change.message),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Page,
    Graph,
    Login,
    BotLogin,
    Connector,
    Site,
}

/// Which service a request is for: by real host name, else by path.
fn area(req: &Req) -> Area {
    let first = req.segments.first().map_or("", String::as_str);
    if first == "_sim" || first == "favicon.ico" || req.segments.is_empty() {
        return Area::Page;
    }
    match req.host.as_str() {
        h if h.starts_with("login.microsoftonline.") => return Area::Login,
        "login.botframework.com" => return Area::BotLogin,
        h if h.starts_with("graph.microsoft.") => return Area::Graph,
        h if h.starts_with("smba.") => return Area::Connector,
        h if h.ends_with(".sharepoint.com") => return Area::Site,
        _ => {}
    }
    let well_known = req.segments.iter().any(|s| s == ".well-known");
    if ["_api", "sites", "personal"].contains(&first) {
        Area::Site
    } else if ["v1.0", "beta"].contains(&first) {
        Area::Graph
    } else if first == "v1" && well_known {
        Area::BotLogin
    } else if req.segments.iter().take(4).any(|s| s == "v3") {
        Area::Connector
    } else {
        Area::Login
    }
}

/// What fault orders and the log call a request: the decoded path from the version on.
fn call(req: &Req, area: Area) -> CallInfo {
    let from = match area {
        Area::Connector => req.segments.iter().position(|s| s == "v3").unwrap_or(0),
        _ => 0,
    };
    let path = format!("/{}", req.segments[from..].join("/"));
    let at = req
        .segments
        .windows(2)
        .find(|w| ["channels", "chats", "conversations"].contains(&w[0].to_ascii_lowercase().as_str()))
        .map(|w| w[1].split(';').next().unwrap_or("").to_owned());
    CallInfo {
        platform: PLATFORM,
        method: format!("{} {path}", req.method),
        path: req.path.clone(),
        conversation: at,
    }
}

async fn serve(AxumState(inner): AxumState<Arc<Inner>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Res::empty(400).into_response();
    };
    let authority = parts
        .uri
        .authority()
        .map(ToString::to_string)
        .or_else(|| parts.headers.get("host").and_then(|h| h.to_str().ok()).map(str::to_owned))
        .unwrap_or_default();
    let raw_query = parts.uri.query().unwrap_or("").to_owned();
    let req = Req {
        method: parts.method,
        host: authority.split(':').next().unwrap_or("").to_ascii_lowercase(),
        origin: format!("{}://{authority}", if inner.tls { "https" } else { "http" }),
        segments: segments(parts.uri.path()),
        path: parts.uri.path().to_owned(),
        query: form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
        raw_query,
        headers: parts.headers,
        body: body.to_bytes(),
        now: inner.now(),
    };
    let area = area(&req);
    if area == Area::Page {
        return control::handle(&inner, &req).into_response();
    }
    let connection = parts.extensions.get::<ConnControl>().cloned();
    let shape = match area {
        Area::Connector => FaultShape { rate_limited: connector::throttled, server_error: connector::broken },
        _ => FaultShape { rate_limited: graph::throttled, server_error: graph::broken },
    };
    let info = call(&req, area);
    let effect = {
        let inner = Arc::clone(&inner);
        async move {
            if area == Area::Site {
                return site::handle(&inner, &req);
            }
            match area {
                Area::Login => login::handle(&mut inner.core(), &req),
                Area::BotLogin => login::bot_metadata(&inner.core(), &req),
                Area::Graph => graph::handle(&inner, req).await,
                Area::Connector | Area::Page | Area::Site => connector::handle(&inner, &req),
            }
            .into_response()
        }
    };
    guard(&inner.faults, &inner.log, shape, connection.as_ref(), info, effect).await
}
