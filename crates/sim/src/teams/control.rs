//! The chat page and the control actions under `/_sim/`.

use std::sync::Arc;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::Method;
use serde_json::{Value, json};

use super::drive::media_type;
use super::handle::TeamsSim;
use super::html::{escape, paragraph, sanitise};
use super::http::{Req, Res};
use super::ids;
use super::model::{Author, Conversation, Draft, Message, Place, Refusal};
use super::sim::{Core, Inner};
use crate::core::page::{Sent, avatar_svg, sent};

/// A message as the page shows it.
pub(super) fn message(core: &Core, conversation: &str, id: u64) -> Value {
    let c = core.tenant.conversations.get(conversation);
    c.and_then(|c| Some(shown(core, c, c.messages.get(&id)?))).unwrap_or_default()
}

fn shown(core: &Core, c: &Conversation, m: &Message) -> Value {
    let state = &core.tenant;
    let html = match (&m.deleted, &m.event, m.draft.html) {
        (Some(_), _, _) => String::new(),
        (_, Some(event), _) => {
            let kind = event["@odata.type"].as_str().unwrap_or("").trim_start_matches("#microsoft.graph.");
            escape(kind.trim_end_matches("EventMessageDetail"))
        }
        (_, _, true) => {
            m.draft.content.replace("../hostedContents/", &format!("/_sim/hosted/{}/{}/", c.id, m.id))
        }
        (_, _, false) => escape(&m.draft.content).replace('\n', "<br>"),
    };
    let mut reactions: Vec<(String, Vec<String>)> = Vec::new();
    for r in &m.reactions {
        let who = r.by.id().to_owned();
        match reactions.iter_mut().find(|(k, _)| *k == r.kind) {
            Some((_, people)) => people.push(who),
            None => reactions.push((r.kind.clone(), vec![who])),
        }
    }
    let attachments: Vec<Value> = m
        .draft
        .attachments
        .iter()
        .map(|a| {
            let content = a["content"].as_str().and_then(|c| serde_json::from_str::<Value>(c).ok());
            let url = a["contentUrl"].as_str().and_then(|url| url::Url::parse(url).ok());
            let size = url.and_then(|url| Some(core.drives.by_path(url.path())?.blob.size()));
            let answer = a["id"].as_str().and_then(|id| core.answers.get(id)).map(|answer| answer.shown());
            json!({"id": a["id"], "type": a["contentType"], "name": a["name"], "url": a["contentUrl"],
                "size": size, "content": content, "answer": answer})
        })
        .collect();
    json!({
        "id": m.id.to_string(),
        "conversation": c.id,
        "root": m.root.map(|r| r.to_string()),
        "at": m.id,
        "edited": m.edited.is_some(),
        "deleted": m.deleted.is_some(),
        "system": m.event.is_some(),
        "author": m.from.as_ref().map(|f| json!({
            "id": f.id(), "name": state.name(f), "bot": matches!(f, Author::App(_)),
        })),
        "subject": m.draft.subject,
        "importance": m.draft.importance,
        "html": html,
        "attachments": attachments,
        "reactions": reactions.iter().map(|(kind, people)| json!({"kind": kind, "by": people})).collect::<Vec<_>>(),
    })
}

fn state(core: &Core, me: &str) -> Value {
    let s = &core.tenant;
    let teams: Vec<Value> = s
        .teams
        .values()
        .filter(|t| t.members.iter().any(|m| m == me))
        .map(|t| {
            let channels: Vec<Value> = t
                .channels
                .iter()
                .filter_map(|c| s.conversations.get(c))
                .filter(|c| !c.removed && s.sees(me, c))
                .map(|c| json!({"id": c.id, "name": c.name, "membership": c.membership}))
                .collect();
            json!({"id": t.id, "name": t.name, "channels": channels})
        })
        .collect();
    let chats: Vec<Value> = s
        .conversations
        .values()
        .filter(|c| !c.is_channel() && c.members.iter().any(|m| m == me))
        .map(|c| {
            let others = c.members.iter().filter(|m| *m != me).map(|m| s.name(&Author::User(m.clone())));
            let bot = c.bot.iter().map(|b| s.name(&Author::App(b.clone())));
            let name = c.name.clone().unwrap_or_else(|| others.chain(bot).collect::<Vec<_>>().join(", "));
            let other = c.members.iter().find(|m| *m != me).filter(|_| c.kind == "oneOnOne");
            json!({"id": c.id, "name": name, "kind": c.kind, "bot": c.bot, "other": other})
        })
        .collect();
    let people: Vec<Value> =
        s.people.values().map(|p| json!({"id": p.id, "name": p.name, "guest": p.guest})).collect();
    let apps: Vec<Value> = s.apps.values().map(|a| json!({"id": a.seed.id, "name": a.seed.name})).collect();
    json!({"tenant": s.config.tenant.name, "me": me, "people": people, "apps": apps, "teams": teams, "chats": chats})
}

/// Answers the page and the actions.
pub(super) fn handle(inner: &Arc<Inner>, req: &Req) -> Res {
    let s: Vec<&str> = req.segments.iter().map(String::as_str).collect();
    if req.method == Method::GET {
        return read(inner, req, &s);
    }
    if req.segments == ["_sim", "upload"] {
        return uploaded(inner, req);
    }
    let Some(body) = req.json() else {
        return Res::json(400, &json!({"error": "The body is not JSON."}));
    };
    match act(inner, &s, &body) {
        Ok(v) => Res::json(200, &v),
        Err(e) => Res::json(409, &json!({"error": e.to_string()})),
    }
}

fn read(inner: &Arc<Inner>, req: &Req, s: &[&str]) -> Res {
    let core = inner.core();
    match s {
        [] => Res::bytes(200, "text/html; charset=utf-8", include_str!("page/index.html")),
        ["_sim", "page.css"] => Res::bytes(200, "text/css; charset=utf-8", include_str!("page/page.css")),
        ["_sim", "page.js"] => {
            Res::bytes(200, "text/javascript; charset=utf-8", include_str!("page/page.js"))
        }
        ["favicon.ico"] => Res::empty(204),
        ["_sim", "state"] => {
            let first = core.tenant.people.keys().next().cloned().unwrap_or_default();
            let me = req.query("as").filter(|p| core.tenant.people.contains_key(*p)).unwrap_or(&first);
            Res::json(200, &state(&core, me))
        }
        ["_sim", "messages"] => {
            let c = req.query("conversation").and_then(|c| core.tenant.conversations.get(c));
            let Some(c) = c else { return Res::json(404, &json!({"error": "No such conversation."})) };
            let all: Vec<Value> = c.messages.values().map(|m| shown(&core, c, m)).collect();
            Res::json(200, &json!({"messages": all}))
        }
        ["_sim", "avatar", id] => {
            let user = Author::User((*id).to_owned());
            let app = Author::App((*id).to_owned());
            let name = [user, app].iter().map(|a| core.tenant.name(a)).find(|n| !n.is_empty());
            Res::bytes(200, "image/svg+xml", avatar_svg(name.as_deref().unwrap_or(""), &colour_seed(id)))
                .with("cache-control", "max-age=3600")
        }
        ["_sim", "hosted", conversation, message, id, "$value"] => {
            let found = core
                .tenant
                .conversations
                .get(*conversation)
                .and_then(|c| c.messages.get(&message.parse().ok()?)?.draft.hosted.get(*id));
            match found {
                Some(h) => Res::bytes(200, &h.content_type, h.bytes.clone()),
                None => Res::empty(404),
            }
        }
        ["_sim", "file"] => {
            let path = req.query("address").and_then(|a| url::Url::parse(a).ok());
            let item = path.and_then(|url| core.drives.by_path(url.path()));
            match item {
                Some(item) => Res::bytes(200, media_type(&item.name), item.blob.to_vec()).with(
                    "content-disposition",
                    format!("attachment; filename*=UTF-8''{}", ids::encode(&item.name)),
                ),
                None => Res::empty(404),
            }
        }
        ["_sim", "subscriptions"] => {
            let all: Vec<Value> =
                core.subscriptions.values().map(super::subscriptions::Subscription::json).collect();
            Res::json(200, &json!({"subscriptions": all}))
        }
        _ => Res::json(404, &json!({"error": "Unknown control address."})),
    }
}

/// Spreads ids over the avatar's colours.
fn colour_seed(id: &str) -> String {
    char::from(b'a' + ids::digest(&["avatar", id])[0] % 26).to_string()
}

fn act(inner: &Arc<Inner>, s: &[&str], body: &Value) -> Result<Value, Refusal> {
    let sim = TeamsSim { inner: Arc::clone(inner) };
    let t = |k: &str| body[k].as_str().unwrap_or("");
    let (me, conversation, id) = (t("as"), t("conversation"), t("message"));
    Ok(match s {
        ["_sim", "post"] => {
            let draft = composed(&sim, body);
            let sent = match body["root"].as_str() {
                Some(root) => sim.reply(me, conversation, root, draft)?,
                None => sim.post(me, conversation, draft)?,
            };
            json!({"id": sent})
        }
        ["_sim", "edit"] => {
            sim.edit(me, conversation, id, composed(&sim, body))?;
            json!({"id": id})
        }
        ["_sim", "delete"] => {
            sim.delete(me, conversation, id)?;
            json!({"id": id})
        }
        ["_sim", "restore"] => {
            sim.undo_delete(me, conversation, id)?;
            json!({"id": id})
        }
        ["_sim", "react"] => {
            sim.react(me, conversation, id, t("kind"), body["add"].as_bool().unwrap_or(true))?;
            json!({"id": id})
        }
        ["_sim", "accept"] => {
            sim.accept_file(me, conversation, id)?;
            json!({"id": id})
        }
        ["_sim", "decline"] => {
            sim.decline_file(me, conversation, id)?;
            json!({"id": id})
        }
        ["_sim", "install" | "uninstall"] => {
            let place = if body["team"].is_string() {
                Place::Team(t("team").into())
            } else if body["chat"].is_string() {
                Place::Chat(t("chat").into())
            } else {
                Place::Person(t("person").into())
            };
            let done = if s[1] == "install" {
                sim.install(t("app"), &place, me)
            } else {
                sim.uninstall(t("app"), &place, me)
            };
            json!({"done": done})
        }
        ["_sim", "direct"] => json!({"result": sim.open_direct(me, t("other"))?}),
        ["_sim", "chat"] => json!({"result": sim.open_app(me, t("app"))?}),
        ["_sim", "endpoint"] => {
            sim.set_bot_endpoint(t("app"), body["endpoint"].as_str());
            json!({"done": true})
        }
        ["_sim", "lifecycle"] => json!({"done": sim.lifecycle(t("subscription"), t("event"))}),
        ["_sim", "token"] => {
            let scopes: Vec<&str> =
                body["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let token = match (me, t("audience")) {
                ("", "bot") => sim.bot_token(t("app")),
                ("", _) => sim.app_token(t("app")),
                _ => sim.user_token(t("app"), me, &scopes),
            };
            json!({"access_token": token})
        }
        _ => return Err(Refusal::NoConversation),
    })
}

/// Files that a person sends; the rest is in the query. Pasted pictures stand in the text, as with `inline`.
fn uploaded(inner: &Arc<Inner>, req: &Req) -> Res {
    let q = |name: &str| req.query(name).unwrap_or_default();
    // The whole body is there, so that nothing has to be waited for.
    let files = sent(&req.headers, Body::from(req.body.clone()), q("name")).now_or_never();
    let Some(Ok(files)) = files else {
        return Res::json(400, &json!({"error": "The files did not arrive."}));
    };
    match posted(inner, req, &files) {
        Ok(v) => Res::json(200, &v),
        Err(e) => Res::json(409, &json!({"error": e.to_string()})),
    }
}

fn posted(inner: &Arc<Inner>, req: &Req, files: &[Sent]) -> Result<Value, Refusal> {
    let sim = TeamsSim { inner: Arc::clone(inner) };
    let q = |name: &str| req.query(name).unwrap_or_default();
    let html = req.query("html").filter(|html| !html.is_empty());
    let mut draft = composed(&sim, &json!({"text": q("text"), "html": html}));
    let inline = |file: &Sent| {
        (file.pasted || !q("inline").is_empty()) && media_type(&file.name).starts_with("image/")
    };
    for picture in files.iter().filter(|file| inline(file)) {
        draft = sim.pasting(draft, media_type(&picture.name), &picture.bytes);
    }
    let attached: Vec<(&str, &[u8])> =
        files.iter().filter(|file| !inline(file)).map(|file| (&*file.name, &*file.bytes)).collect();
    if !attached.is_empty() {
        draft = sim.attaching(q("as"), q("conversation"), draft, &attached)?;
    }
    let id = match req.query("root").filter(|root| !root.is_empty()) {
        Some(root) => sim.reply(q("as"), q("conversation"), root, draft)?,
        None => sim.post(q("as"), q("conversation"), draft)?,
    };
    Ok(json!({"id": id}))
}

/// What the page's composer holds: HTML, or text in which `@Full Name` mentions a person or a bot.
fn composed(sim: &TeamsSim, body: &Value) -> Draft {
    let html = body["html"].as_str().map_or_else(
        || format!("<p>{}</p>", escape(body["text"].as_str().unwrap_or("")).replace('\n', "<br>")),
        |h| paragraph(&sanitise(&h.replace("&nbsp;", " "), true)),
    );
    let mut draft = Draft::html(html);
    draft.subject = body["subject"].as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let names: Vec<(String, Author)> = {
        let core = sim.inner.core();
        let people = core.tenant.people.values().map(|p| (p.name.clone(), Author::User(p.id.clone())));
        let apps = core.tenant.apps.values().map(|a| (a.seed.name.clone(), Author::App(a.seed.id.clone())));
        people.chain(apps).collect()
    };
    for (name, who) in names {
        let marker = format!("@{}", escape(&name));
        if draft.content.contains(&marker) {
            let tag = format!("<at id=\"{}\">{}</at>", draft.mentions.len(), escape(&name));
            draft.content = draft.content.replace(&marker, &tag);
            draft = sim.mentioning(draft, &who);
        }
    }
    draft
}
