//! Finds the operation that a Graph path means.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::super::http::{Req, Res, segments};
use super::super::ids::iso;
use super::super::model::Place;
use super::super::sim::Inner;
use super::call::{Call, Error, bad, body, error};
use super::messages::{self, Done};
use super::{directory, files, onedrive, subscribe};

const BATCH_MAX: usize = 20;

/// Answers a request to Graph.
pub(in super::super) async fn handle(inner: &Arc<Inner>, req: Req) -> Res {
    let client_id = req.header("client-request-id").unwrap_or("").to_owned();
    let request_id = inner.core().tenant.guid();
    let shown = if client_id.is_empty() { request_id.clone() } else { client_id };
    let res = match dispatch(inner, &req).await {
        Ok(res) => res,
        Err(e) => body(&e, &request_id, &shown, iso(req.now).trim_end_matches('Z')),
    };
    res.with("request-id", request_id).with("client-request-id", shown).with(
        "x-ms-ags-diagnostic",
        "{\"ServerInfo\":{\"DataCenter\":\"Simulated\",\"Slice\":\"E\",\"Ring\":\"1\"}}",
    )
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Res, Error>> + Send + 'a>>;

/// Boxed, because a batch holds requests of its own.
fn dispatch<'a>(inner: &'a Arc<Inner>, req: &'a Req) -> Answer<'a> {
    Box::pin(async move {
        let first = req.segments.first().map(|s| s.to_ascii_lowercase());
        let from = usize::from(matches!(first.as_deref(), Some("v1.0" | "beta")));
        let mut s: Vec<String> = req.segments[from..].to_vec();
        if s.first().is_some_and(|x| x.eq_ignore_ascii_case("me")) {
            let mut core = inner.core();
            let call = Call::open(&mut core, req)?;
            let me = call
                .user()
                .ok_or_else(|| bad("/me request is only valid with delegated authentication flow."))?;
            s.splice(0..1, ["users".to_owned(), me.to_owned()]);
        }
        let low: Vec<String> = s.iter().map(|x| x.to_ascii_lowercase()).collect();
        let low: Vec<&str> = low.iter().map(String::as_str).collect();
        let m = &req.method;
        match low.as_slice() {
            ["$batch"] if m == Method::POST => return batch(inner, req).await,
            ["subscriptions"] if m == Method::POST => return subscribe::create(inner, req).await,
            ["subscriptions", _] if m == Method::PATCH => return subscribe::renew(inner, req, &s[1]).await,
            _ => {}
        }
        let done = {
            let mut core = inner.core();
            let mut call = Call::open(&mut core, req)?;
            operation(&mut call, &s, &low)?
        };
        inner.publish(&done.1);
        Ok(done.0)
    })
}

fn operation(call: &mut Call<'_>, s: &[String], low: &[&str]) -> Result<Done, Error> {
    let get = call.req.method == Method::GET;
    let post = call.req.method == Method::POST;
    let delete = call.req.method == Method::DELETE;
    Ok(match low {
        ["teams", _, "channels", _, "messages", ..] => {
            let c = call.conversation(&s[3], Some(&s[1]))?;
            return messages::handle(call, &c, &s[5..], &low[5..]);
        }
        ["chats", _, "messages", ..] => {
            let c = call.conversation(&s[1], None)?;
            return messages::handle(call, &c, &s[3..], &low[3..]);
        }
        ["users", _, "chats", _, "messages", ..] => {
            same_person(call, &s[1])?;
            let c = call.conversation(&s[3], None)?;
            return messages::handle(call, &c, &s[5..], &low[5..]);
        }
        ["subscriptions"] if get => subscribe::list(call)?.into(),
        ["subscriptions", _] if get => subscribe::get(call, &s[1])?.into(),
        ["subscriptions", _] if delete => subscribe::delete(call, &s[1])?.into(),
        ["subscriptions", _, "reauthorize"] if post => subscribe::reauthorize(call, &s[1])?.into(),
        ["teams"] if get => directory::teams(call)?.into(),
        ["teams", _] if get => directory::team(call, &s[1])?.into(),
        ["teams", _, "channels" | "allchannels"] if get => directory::channels(call, &s[1])?.into(),
        ["teams", _, "primarychannel"] if get => directory::channel(call, &s[1], None)?.into(),
        ["teams", _, "channels", "getallmessages"] if get => messages::all_of_team(call, &s[1])?,
        ["teams", _, "channels", _] if get => directory::channel(call, &s[1], Some(&s[3]))?.into(),
        ["teams", _, "members"] if get => directory::team_members(call, &s[1])?.into(),
        ["teams", _, "permissiongrants"] if get => {
            directory::grants(call, &Place::Team(s[1].clone()))?.into()
        }
        ["teams", _, "channels", _, "members" | "allmembers"] if get => {
            directory::channel_members(call, &s[1], &s[3])?.into()
        }
        ["teams", _, "channels", _, "filesfolder"] if get => files::files_folder(call, &s[1], &s[3])?.into(),
        ["chats"] if get => directory::chats(call, None)?.into(),
        ["chats"] if post => directory::create_chat(call)?.into(),
        ["chats", _] if get => directory::chat(call, &s[1])?.into(),
        ["chats", _] if call.req.method == Method::PATCH => directory::rename_chat(call, &s[1])?.into(),
        ["chats", _, "markchatreadforuser" | "markchatunreadforuser"] if post => {
            directory::mark_read(call, &s[1])?.into()
        }
        ["chats", _, "members"] if get => directory::chat_members(call, &s[1])?.into(),
        ["chats", _, "permissiongrants"] if get => {
            directory::grants(call, &Place::Chat(s[1].clone()))?.into()
        }
        ["users"] if get => directory::users(call)?.into(),
        ["users", _] if get => directory::user(call, &s[1])?.into(),
        ["users", _, "photo"] if get => directory::photo(call, &s[1], None, false)?.into(),
        ["users", _, "photo", "$value"] if get => directory::photo(call, &s[1], None, true)?.into(),
        ["users", _, "photos", _] if get => directory::photo(call, &s[1], Some(low[3]), false)?.into(),
        ["users", _, "photos", _, "$value"] if get => {
            directory::photo(call, &s[1], Some(low[3]), true)?.into()
        }
        ["users", _, "joinedteams"] if get => directory::joined_teams(call, &s[1])?.into(),
        ["users", _, "chats"] if get => {
            same_person(call, &s[1])?;
            directory::chats(call, Some(&s[1]))?.into()
        }
        ["users", _, "chats", "getallmessages"] if get => messages::all_of_person(call, &s[1])?,
        ["users", _, "chats", _] if get => directory::chat(call, &s[3])?.into(),
        ["users", _, "chats", _, "members"] if get => directory::chat_members(call, &s[3])?.into(),
        ["users", _, "drive"] if get => onedrive::drive(call, &s[1])?.into(),
        ["users", _, "drive", "root:", _] if get => onedrive::folder(call, &s[1], &s[4])?.into(),
        ["users", _, "drive", "root", "children"] if post => onedrive::make(call, &s[1])?.into(),
        ["drives", _, "items", _, "invite"] if post => onedrive::invite(call, &s[1], &s[3])?.into(),
        ["drives", _, "items", _, _, "content"] if call.req.method == Method::PUT => {
            files::put(call, &s[1], &s[3], &s[4])?.into()
        }
        ["drives", _, "items", _, _, "createuploadsession"] if post => {
            files::session(call, &s[1], &s[3], &s[4])?.into()
        }
        ["drives", _, "items", _] if get => files::item(call, &s[1], &s[3], false)?.into(),
        ["drives", _, "items", _] if delete => files::delete(call, &s[1], &s[3])?.into(),
        ["drives", _, "items", _, "content"] if get => files::item(call, &s[1], &s[3], true)?.into(),
        ["shares", _, "driveitem"] if get => files::shared(call, &s[1], false)?.into(),
        ["shares", _, "driveitem", "content"] if get => files::shared(call, &s[1], true)?.into(),
        ["communications", "getpresencesbyuserid"] if post => directory::presences(call)?.into(),
        _ => {
            let name = s.last().map_or("", String::as_str);
            return Err(bad(format!("Resource not found for the segment '{name}'.")));
        }
    })
}

fn same_person(call: &Call<'_>, id: &str) -> Result<(), Error> {
    match call.user() {
        Some(oid) if oid != id => Err(error(403, "Forbidden", "The chats of another user cannot be read.")),
        _ => Ok(()),
    }
}

/// `POST /$batch`: up to 20 requests, each with its own permissions and limits.
async fn batch(inner: &Arc<Inner>, outer: &Req) -> Result<Res, Error> {
    let document = outer.json().ok_or_else(|| bad("Unable to read JSON request payload."))?;
    let requests = document["requests"].as_array().cloned().unwrap_or_default();
    if requests.is_empty() || requests.len() > BATCH_MAX {
        return Err(bad("A batch holds 1 to 20 requests."));
    }
    let mut responses = Vec::new();
    for r in &requests {
        let id = r["id"].clone();
        let res = match part(outer, r) {
            Some(req) => handle(inner, req).await,
            None => {
                Res::json(400, &json!({"error": {"code": "BadRequest", "message": "Malformed request."}}))
            }
        };
        let headers: serde_json::Map<String, Value> =
            res.headers.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
        responses.push(json!({
            "id": id, "status": res.status, "headers": headers,
            "body": serde_json::from_slice::<Value>(&res.body).ok(),
        }));
    }
    Ok(Res::json(200, &json!({"responses": responses})))
}

fn part(outer: &Req, r: &Value) -> Option<Req> {
    let url = r["url"].as_str()?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let version = outer.segments.first().cloned().unwrap_or_else(|| "v1.0".into());
    let path = format!("/{version}/{}", path.trim_start_matches('/'));
    let mut headers = HeaderMap::new();
    if let Some(a) = outer.headers.get("authorization") {
        headers.insert("authorization", a.clone());
    }
    for (k, v) in r["headers"].as_object().into_iter().flatten() {
        if let (Ok(k), Some(Ok(v))) =
            (HeaderName::try_from(k.to_ascii_lowercase()), v.as_str().map(HeaderValue::from_str))
        {
            headers.insert(k, v);
        }
    }
    let body = if r["body"].is_null() { Bytes::new() } else { Bytes::from(r["body"].to_string()) };
    Some(Req {
        method: Method::from_bytes(r["method"].as_str()?.to_ascii_uppercase().as_bytes()).ok()?,
        host: outer.host.clone(),
        origin: outer.origin.clone(),
        segments: segments(&path),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        raw_query: query.to_owned(),
        path,
        headers,
        body,
        now: outer.now,
    })
}
