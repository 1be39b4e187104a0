//! What a bot's message activity becomes in the conversation.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::consent::INFO;
use super::html::{activity_text, escape, from_markdown, from_plain, from_xml, paragraph};
use super::model::{Author, Draft, State};
use super::wire::from;

/// The outcome of reading an activity.
pub(super) enum Sent {
    /// One draft, or two when text and card came together.
    Drafts(Vec<Draft>),
    /// Over the size limit.
    TooBig,
    /// Wrong; what is wrong.
    Bad(String),
}

/// The size that counts: UTF-16 of the activity, inline images left out.
fn size(body: &Value) -> usize {
    fn strip(v: &Value) -> Value {
        match v {
            Value::String(s) if s.starts_with("data:image/") => json!("data:"),
            Value::Array(a) => a.iter().map(strip).collect(),
            Value::Object(o) => Value::Object(o.iter().map(|(k, v)| (k.clone(), strip(v))).collect()),
            other => other.clone(),
        }
    }
    strip(body).to_string().encode_utf16().count() * 2
}

/// Reads a message activity.
pub(super) fn read(state: &mut State, app: &str, conversation: &str, body: &Value, limit: usize) -> Sent {
    if size(body) > limit {
        return Sent::TooBig;
    }
    let text = body["text"].as_str().unwrap_or("");
    let attachments = body["attachments"].as_array().cloned().unwrap_or_default();
    if text.is_empty() && attachments.is_empty() {
        return Sent::Bad("The activity has neither text nor attachments.".into());
    }
    let mut textual =
        Draft { html: true, summary: body["summary"].as_str().map(str::to_owned), ..Draft::default() };
    textual.content = match body["textFormat"].as_str().unwrap_or("markdown").to_ascii_lowercase().as_str() {
        "plain" => from_plain(text),
        "xml" => from_xml(text),
        _ => from_markdown(text),
    };
    if !text.is_empty() {
        textual.content = paragraph(&textual.content);
    }
    mentions(state, app, body, text, &mut textual);
    quotes(state, conversation, body, &mut textual);
    if let Err(e) = attribution(state, app, body, &mut textual) {
        return Sent::Bad(e);
    }
    let mut cards = Draft { html: true, summary: textual.summary.clone(), ..Draft::default() };
    cards.on_behalf_of.clone_from(&textual.on_behalf_of);
    for a in &attachments {
        let kind = a["contentType"].as_str().unwrap_or("");
        if kind.starts_with("image/") {
            let url = a["contentUrl"].as_str().unwrap_or("");
            let url = escape(url).replace('"', "&quot;");
            let _ = write!(textual.content, "<p><img src=\"{url}\"></p>");
        } else if kind.starts_with("application/vnd.microsoft.card.")
            || kind.starts_with("application/vnd.microsoft.teams.")
        {
            // A file that lies in the reader's drive is named as people name theirs.
            let file = (kind == INFO).then(|| a["content"]["uniqueId"].as_str()).flatten();
            let id = file.map_or_else(|| hex::encode(state.random::<16>()), str::to_lowercase);
            let _ = write!(cards.content, "<attachment id=\"{id}\"></attachment>");
            cards.attachments.push(json!({
                "id": id, "contentType": kind, "contentUrl": file.and(a["contentUrl"].as_str()),
                "content": a["content"].to_string(),
                "name": a["name"], "thumbnailUrl": null, "teamsAppId": null,
            }));
        } else {
            return Sent::Bad(format!("Unknown attachment type '{kind}'."));
        }
    }
    let mut out = Vec::new();
    if !textual.content.is_empty() {
        out.push(textual);
    }
    if !cards.attachments.is_empty() {
        out.push(cards);
    }
    Sent::Drafts(out)
}

/// Turns `<at>Name</at>` into mentions where an entity holds exactly that text; the rest loses its tags.
fn mentions(state: &State, app: &str, body: &Value, text: &str, draft: &mut Draft) {
    let entities = body["entities"].as_array().cloned().unwrap_or_default();
    for e in entities.iter().filter(|e| e["type"] == "mention") {
        let (Some(marker), Some(id)) = (e["text"].as_str(), e["mentioned"]["id"].as_str()) else { continue };
        let Some(name) = marker.strip_prefix("<at>").and_then(|m| m.strip_suffix("</at>")) else { continue };
        let stored = format!("<at>{}</at>", escape(&super::html::unescape(name)));
        if !text.contains(marker) || !draft.content.contains(&stored) {
            continue;
        }
        let Some(person) = state.person_of(app, id) else { continue };
        let n = draft.mentions.len();
        let tag = format!("<at id=\"{n}\">{}</at>", escape(&super::html::unescape(name)));
        draft.content = draft.content.replacen(&stored, &tag, 1);
        draft.mentions.push(json!({
            "id": n,
            "mentionText": super::html::unescape(name),
            "mentioned": {
                "application": null, "device": null, "conversation": null, "tag": null,
                "user": {
                    "@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": person.id,
                    "displayName": person.name, "userIdentityType": "aadUser",
                    "tenantId": state.config.tenant.id,
                },
            },
        }));
    }
    while let Some(start) = draft.content.find("<at>") {
        let Some(end) = draft.content[start..].find("</at>") else { break };
        let name = draft.content[start + 4..start + end].to_owned();
        draft.content.replace_range(start..start + end + 5, &name);
    }
}

/// A quoted reply: the service fills in sender and preview.
fn quotes(state: &State, conversation: &str, body: &Value, draft: &mut Draft) {
    let entities = body["entities"].as_array().cloned().unwrap_or_default();
    for e in entities.iter().filter(|e| e["type"] == "quotedReply") {
        let Some(id) = e["quotedReply"]["messageId"].as_str() else { continue };
        let tag = format!("<quoted messageId=\"{id}\"></quoted>");
        if let Some(reference) = reference(state, conversation, id) {
            draft.content = draft.content.replace(&tag, &format!("<attachment id=\"{id}\"></attachment>"));
            draft.attachments.push(reference);
        }
    }
}

/// The attachment that stands for a quoted message.
pub(super) fn reference(state: &State, conversation: &str, id: &str) -> Option<Value> {
    let c = state.conversations.get(conversation)?;
    let m = c.messages.get(&id.parse().ok()?)?;
    let preview: String =
        if m.draft.html { activity_text(&m.draft.content) } else { m.draft.content.clone() }
            .chars()
            .take(200)
            .collect();
    let content = json!({
        "messageId": id,
        "messagePreview": preview.replace("<at>", "").replace("</at>", ""),
        "messageSender": from(state, m.from.as_ref()),
    });
    Some(json!({
        "id": id, "contentType": "messageReference", "contentUrl": null, "content": content.to_string(),
        "name": null, "thumbnailUrl": null, "teamsAppId": null,
    }))
}

fn attribution(state: &State, app: &str, body: &Value, draft: &mut Draft) -> Result<(), String> {
    let Some(on_behalf) = body["channelData"]["onBehalfOf"].as_array().and_then(|a| a.first()) else {
        return Ok(());
    };
    if on_behalf["itemid"] != 0 || on_behalf["mentionType"] != "person" {
        return Err("onBehalfOf needs itemid 0 and mentionType person.".into());
    }
    let person = on_behalf["mri"].as_str().and_then(|m| state.person_of(app, m));
    let Some(person) = person else { return Err("onBehalfOf needs the MRI of a user.".into()) };
    let author = from(state, Some(&Author::User(person.id.clone())));
    draft.on_behalf_of = Some(author);
    Ok(())
}
