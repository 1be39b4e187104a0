//! Files. They are read by a signed address that the API gives for them, and sent in two steps: uploaded to the file
//! host ("Upload a chat file"), then named in a message, which is the only way that takes a text with them. The file
//! host sends uploads on to another of Zoom's hosts; a file on its way cannot be begun anew there, so that the way is
//! asked for before.

use dragoman_model::{FileRef, Outcome, RemoteMessage, Spokesman, codes};
use dragoman_platform::http::{HttpError, Multipart};
use dragoman_platform::{Conversation, Failure, FileBytes, Session, Share};
use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::api::{Call, CallError, segment};
use crate::capabilities::{MOST_FILE_BYTES, TEXT};
use crate::client::Client;
use crate::encode;
use crate::errors::{Act, Class};
use crate::operate::Speaker;
use crate::wire::answers::{Sent, StoredFile};
use crate::wire::message::Message;

/// Hosts that an upload is sent on to, one after another, before it is given up.
const HOPS: usize = 3;

/// Opens a file for reading.
pub(crate) async fn download(
    client: &Client,
    session: &Session,
    file: &FileRef,
) -> Result<FileBytes, Failure> {
    let call = Call::get(format!("chat/files/{}", segment(&file.id)));
    let found: StoredFile = client.read(session, &call).await.map_err(unread)?;
    let url = found.download_url.as_deref().and_then(|url| Url::parse(url).ok());
    let url = url.ok_or(Failure::Refused(codes::FILE_GONE))?;
    let mut bytes = client.file(session, url).await.map_err(unread)?.into_file();
    bytes.size = bytes.size.or(found.length);
    Ok(bytes)
}

/// Why a file cannot be read. What the account does not let the app do with files stops no message.
fn unread(error: CallError) -> Failure {
    match error.class() {
        Some(Class::Refused | Class::Message) => Failure::Refused(codes::FILE_GONE),
        Some(Class::Scope | Class::Expired | Class::NotOurs) => Failure::Refused(codes::SCOPE),
        _ => error.failure(),
    }
}

/// Uploads a file and posts it, with the text beside it.
pub(crate) async fn share(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    share: &Share,
    bytes: FileBytes,
) -> Outcome {
    if bytes.size.is_some_and(|size| size > MOST_FILE_BYTES) {
        return Outcome::Refused(codes::FILE_TOO_LARGE);
    }
    if encode::target(conversation).1.is_empty() {
        return Outcome::Refused(codes::CONFIG);
    }
    // Before the channel closes itself for minutes.
    let account = &session.installation.workspace;
    if let Err(wait_ms) = client.budget.take(account, &conversation.remote, client.clock.monotonic_ms()) {
        return Outcome::retry_after(wait_ms, codes::RATE_LIMITED);
    }
    let speaker = Speaker::of(&share.post.spokesman);
    let id = match upload(client, session, &speaker, share, bytes).await {
        Ok(id) => id,
        Err(outcome) => return outcome,
    };
    let outcome = send(client, session, conversation, &speaker, share, &id).await;
    if !matches!(outcome, Outcome::Done(_) | Outcome::Unknown(_)) {
        // No message shows it.
        forget(client, session, &speaker, &[id]).await;
    }
    outcome
}

/// Brings the bytes to Zoom, where nobody sees them yet: what goes wrong here can be done again.
async fn upload(
    client: &Client,
    session: &Session,
    speaker: &Speaker,
    share: &Share,
    bytes: FileBytes,
) -> Result<String, Outcome> {
    let name = if share.name.trim().is_empty() { "file" } else { &share.name };
    let path = format!("{}?postToPersonalChat=false", speaker.path(session, "files"));
    let form = Multipart::new(client.random.as_ref()).file("file", name, share.media_type.as_deref(), bytes);
    let form = form.map_err(HttpError::into_repeatable_outcome)?;
    let mut url = client.settings.files_base.join(&path).map_err(|_| Outcome::Refused(codes::CONFIG))?;
    let installation = &session.installation.id;
    if let Some(known) = client.memory.way(installation, &url, client.clock.monotonic_ms()) {
        url = known;
    } else {
        let first = url.clone();
        for _ in 0..HOPS {
            match client.way(session, &speaker.slot, &url).await.map_err(unsent)? {
                Some(next) => url = next,
                None => break,
            }
        }
        client.memory.learn_way(installation, &first, &url, client.clock.monotonic_ms());
    }
    let answer = client.upload(session, &speaker.slot, url, form).await.map_err(unsent)?;
    let sent: Option<Sent> = serde_json::from_slice(answer.body.expose()).ok();
    sent.and_then(|sent| sent.id).filter(|id| !id.is_empty()).ok_or(Outcome::retry(codes::NO_ANSWER))
}

/// What a failed upload means: nothing was posted.
fn unsent(error: CallError) -> Outcome {
    match error.class() {
        Some(Class::TooLong) => Outcome::Refused(codes::FILE_TOO_LARGE),
        Some(Class::Scope | Class::Expired) => Outcome::Refused(codes::SCOPE),
        _ => error.outcome(Act::Edit),
    }
}

async fn send(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    speaker: &Speaker,
    share: &Share,
    id: &str,
) -> Outcome {
    let post = &share.post;
    let text = encode::text(post);
    let root = post.thread_root.as_ref();
    let forms = root.map(|root| client.memory.forms(root)).unwrap_or_default();
    let root = encode::root(&forms, root);
    let mut body = encode::post(&text, conversation, root.as_deref());
    body["file_ids"] = json!([id]);
    let answer = said(client, session, speaker, &body).await;
    let wordless = matches!(
        &answer,
        Err(error) if text.message.is_empty() && matches!(error.class(), Some(Class::Ours | Class::Refused))
    );
    if !wordless {
        return outcome(client, answer);
    }
    // Whether a file may stand without a text is not documented.
    body["message"] = json!(label(&share.name));
    outcome(client, said(client, session, speaker, &body).await)
}

async fn said(
    client: &Client,
    session: &Session,
    speaker: &Speaker,
    body: &Value,
) -> Result<Option<String>, CallError> {
    let call = Call::with(Method::POST, speaker.path(session, "messages"), body.clone());
    let answer = client.call(session, &speaker.slot, &call).await?;
    Ok(serde_json::from_slice::<Sent>(answer.body.expose()).ok().and_then(|sent| sent.id))
}

fn outcome(client: &Client, answer: Result<Option<String>, CallError>) -> Outcome {
    match answer {
        Ok(Some(id)) if !id.is_empty() => {
            let id = client.memory.id(&id);
            client.memory.sent(&id, client.clock.monotonic_ms());
            Outcome::made(id, None)
        }
        Ok(_) => Outcome::Unknown(codes::NO_ANSWER),
        Err(error) => error.outcome(Act::Post),
    }
}

/// A file's name as a text that stands for none.
pub(crate) fn label(name: &str) -> String {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(TEXT.max / 4).collect();
    if clean.trim().is_empty() { "file".to_owned() } else { clean }
}

/// The files of a message of ours that is about to be deleted: Zoom keeps them when it goes. Empty where the app may
/// not delete files.
pub(crate) async fn of_copy(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    message: &RemoteMessage,
    spokesman: &Spokesman,
) -> Vec<String> {
    if !session.installation.scopes.iter().any(|scope| deletes(scope)) {
        return Vec::new();
    }
    let speaker = Speaker::of(spokesman);
    let (key, to) = encode::target(conversation);
    for form in client.memory.forms(message) {
        let call = Call::get(speaker.path(session, &format!("messages/{}", segment(&form))));
        let Ok(answer) = client.call(session, &speaker.slot, &call.and(key, to.clone())).await else {
            continue;
        };
        let found: Message = serde_json::from_slice(answer.body.expose()).unwrap_or_default();
        let first = found.file_id.into_iter();
        let mut ids: Vec<String> =
            found.files.into_iter().filter_map(|file| file.file_id).chain(first).collect();
        ids.retain(|id| !id.is_empty());
        ids.sort_unstable();
        ids.dedup();
        return ids;
    }
    Vec::new()
}

fn deletes(scope: &str) -> bool {
    matches!(scope.strip_suffix(":admin").unwrap_or(scope), "team_chat:delete:file" | "chat:write")
}

/// Deletes files that no message shows any more, where the app may.
pub(crate) async fn forget(client: &Client, session: &Session, speaker: &Speaker, files: &[String]) {
    if !session.installation.scopes.iter().any(|scope| deletes(scope)) {
        return;
    }
    for file in files {
        let path = format!("chat/files/{}", segment(file));
        let call = Call { method: Method::DELETE, path, query: Vec::new(), body: None };
        if let Err(error) = client.call(session, &speaker.slot, &call).await
            && error.class() != Some(Class::Refused)
        {
            tracing::warn!(code = %error.failure().code(), "a file of a deleted copy could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_a_missing_text() {
        assert_eq!(label("plan.pdf"), "plan.pdf");
        assert_eq!(label("a\nb\u{7}.txt"), "ab.txt");
        assert_eq!(label(" \r\n"), "file");
        assert!(label(&"\u{1f600}".repeat(5_000)).encode_utf16().count() <= TEXT.max);
    }

    #[test]
    fn only_a_scope_for_it_deletes_files() {
        for scope in
            ["team_chat:delete:file", "team_chat:delete:file:admin", "chat:write", "chat:write:admin"]
        {
            assert!(deletes(scope), "{scope}");
        }
        for scope in ["team_chat:read:file:admin", "chat_message:write", "chat:read"] {
            assert!(!deletes(scope), "{scope}");
        }
    }
}
