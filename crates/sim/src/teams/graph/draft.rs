//! Reads the body of a sent or edited `chatMessage`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::html::{Token, attr, sanitise, tokens};
use super::super::ids::opaque;
use super::super::model::{Draft, Hosted, State};
use super::call::{Error, bad, error};

const HOSTED_MAX: usize = 4 * 1024 * 1024;

/// Applies the members of a request to a draft: those that are absent stay.
pub(super) fn apply(state: &State, body: &Value, limit: usize, draft: &mut Draft) -> Result<(), Error> {
    if let Some(i) = body["importance"].as_str() {
        if !["normal", "high", "urgent"].contains(&i) {
            return Err(bad(format!("Invalid importance '{i}'.")));
        }
        i.clone_into(&mut draft.importance);
    }
    if let Some(subject) = body.get("subject") {
        draft.subject = subject.as_str().map(str::to_owned);
    }
    if let Some(a) = body["attachments"].as_array() {
        draft.attachments = a.iter().map(attachment).collect();
    }
    if let Some(b) = body.get("body").filter(|b| !b.is_null()) {
        let content = b["content"].as_str().ok_or_else(|| bad("Missing body content."))?;
        if content.len() > limit {
            return Err(error(413, "RequestEntityTooLarge", "The message is too large."));
        }
        draft.html = match b["contentType"].as_str().unwrap_or("text").to_ascii_lowercase().as_str() {
            "text" => false,
            "html" => true,
            other => return Err(bad(format!("Invalid contentType '{other}'."))),
        };
        draft.mentions.clear();
        if draft.html {
            draft.content = sanitise(content, false);
        } else {
            content.clone_into(&mut draft.content);
        }
    }
    if let Some(h) = body["hostedContents"].as_array() {
        hosted(h, draft)?;
    }
    if let Some(m) = body["mentions"].as_array() {
        mentions(state, m, draft)?;
    }
    strip_unknown_mentions(draft);
    Ok(())
}

/// Reads a new message.
pub(super) fn new(state: &State, body: &Value, limit: usize) -> Result<Draft, Error> {
    if body["body"].is_null() {
        return Err(bad("Missing body content."));
    }
    if !body["from"].is_null() || !body["createdDateTime"].is_null() {
        return Err(bad("from and createdDateTime may be set in migration mode only."));
    }
    let mut draft = Draft::default();
    apply(state, body, limit, &mut draft)?;
    if draft.content.trim().is_empty() && draft.attachments.is_empty() {
        return Err(bad("Message body is empty."));
    }
    Ok(draft)
}

fn attachment(a: &Value) -> Value {
    let mut out = json!({
        "id": null, "contentType": null, "contentUrl": null, "content": null, "name": null, "thumbnailUrl": null,
        "teamsAppId": null,
    });
    for (k, v) in a.as_object().into_iter().flatten() {
        out[k] = v.clone();
    }
    out
}

fn hosted(list: &[Value], draft: &mut Draft) -> Result<(), Error> {
    let mut kept = BTreeMap::new();
    for h in list {
        let temporary = h["@microsoft.graph.temporaryId"].as_str().unwrap_or("");
        let bytes = h["contentBytes"].as_str().and_then(|b| STANDARD.decode(b).ok());
        let bytes = bytes.ok_or_else(|| bad("contentBytes of a hosted content is not base64."))?;
        if bytes.len() > HOSTED_MAX {
            return Err(error(413, "RequestEntityTooLarge", "A hosted content is larger than 4 MB."));
        }
        let from = format!("../hostedContents/{temporary}/$value");
        if !draft.content.contains(&from) {
            return Err(bad(format!("The body does not use the hosted content '{temporary}'.")));
        }
        let id = opaque(&["hosted", temporary, &bytes.len().to_string()]).replace(['+', '/', '='], "");
        draft.content = draft.content.replace(&from, &format!("../hostedContents/{id}/$value"));
        let content_type = h["contentType"].as_str().unwrap_or("image/png").to_owned();
        kept.insert(id, Hosted { content_type, bytes });
    }
    draft.hosted.extend(kept);
    Ok(())
}

fn markers(draft: &Draft) -> Vec<String> {
    if !draft.html {
        return vec![];
    }
    tokens(&draft.content)
        .into_iter()
        .filter_map(|t| match t {
            Token::Start { name, attrs, .. } if name == "at" => attr(&attrs, "id").map(str::to_owned),
            _ => None,
        })
        .collect()
}

fn mentions(state: &State, list: &[Value], draft: &mut Draft) -> Result<(), Error> {
    let markers = markers(draft);
    draft.mentions.clear();
    for m in list {
        let id = m["id"].as_i64().ok_or_else(|| bad("A mention has no id."))?;
        if !markers.contains(&id.to_string()) {
            return Err(bad(format!(
                "Neither Body nor adaptive card content contains marker for mention with Id '{id}'."
            )));
        }
        let asked = &m["mentioned"];
        let mut mentioned =
            json!({"application": null, "device": null, "conversation": null, "tag": null, "user": null});
        if let Some(oid) = asked["user"]["id"].as_str() {
            let person =
                state.people.get(oid).ok_or_else(|| bad(format!("Mentioned user '{oid}' is unknown.")))?;
            mentioned["user"] = json!({
                "@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": oid, "displayName": person.name,
                "userIdentityType": "aadUser", "tenantId": state.config.tenant.id,
            });
        } else if let Some(app) = asked["application"]["id"].as_str() {
            mentioned["application"] = json!({
                "@odata.type": "#microsoft.graph.teamworkApplicationIdentity", "id": app,
                "displayName": m["mentionText"], "applicationIdentityType": "bot",
            });
        } else if asked["conversation"]["id"].is_string() {
            mentioned["conversation"] = asked["conversation"].clone();
            mentioned["conversation"]["@odata.type"] = json!("#microsoft.graph.teamworkConversationIdentity");
        } else if asked["tag"]["id"].is_string() {
            mentioned["tag"] = asked["tag"].clone();
        } else {
            return Err(bad("A mention names nobody."));
        }
        draft.mentions.push(json!({"id": id, "mentionText": m["mentionText"], "mentioned": mentioned}));
    }
    Ok(())
}

/// Takes away `<at>` tags without a mention; their text stays.
fn strip_unknown_mentions(draft: &mut Draft) {
    let known: Vec<String> = draft.mentions.iter().map(|m| m["id"].to_string()).collect();
    for id in markers(draft).into_iter().filter(|m| !known.contains(m)) {
        let open = format!("<at id=\"{id}\">");
        while let Some(start) = draft.content.find(&open) {
            let Some(end) = draft.content[start..].find("</at>") else { break };
            let text = draft.content[start + open.len()..start + end].to_owned();
            draft.content.replace_range(start..start + end + 5, &text);
        }
    }
}
