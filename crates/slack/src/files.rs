//! Files: bytes out of a message, and bytes into a conversation.
//!
//! Source: Slack's "Working with files", `files.info`, `files.getUploadURLExternal`,
//! `files.completeUploadExternal`, `files.delete`.

use std::time::Duration;

use dragoman_model::operation::Candidate;
use dragoman_model::{
    FileRef, Operation, Outcome, Post, RemoteConversation, RemoteMessage, Spokesman, Version, codes,
};
use dragoman_platform::http::{HttpError, HttpRequest, HttpStreamed, Upload, retry_after_ms};
use dragoman_platform::{Failure, FileBytes, Session, Share, TokenSlot};
use futures_util::StreamExt as _;
use futures_util::stream;
use http::{Method, StatusCode};
use url::Url;

use crate::api::{Arguments, CallError};
use crate::catchup;
use crate::client::Client;
use crate::encode::{self, Face};
use crate::errors::{self, Act, Class};
use crate::operate::{may_customise, slot};
use crate::tokens;
use crate::uploads::Sent;
use crate::wire::answers::{Form, Nothing, OneFile, Reserved};
use crate::wire::message as wire;

/// "The largest file is 1 GB"; workspaces can allow less.
const LARGEST: u64 = 1 << 30;
/// How long a fresh file may answer with a page instead of its bytes, in milliseconds.
const FRESH_MS: i64 = 120_000;
/// When to ask again for such a file, in milliseconds.
const PAGE_WAIT_MS: u64 = 5_000;
/// When to look for a shared file's message, in milliseconds after the look before; sharing is asynchronous.
const LOOKS_MS: [u64; 8] = [150, 350, 500, 1_000, 2_000, 3_000, 4_000, 4_000];
/// How long an upload may need to appear before it counts as lost, in milliseconds.
const LATE_MS: i64 = 60_000;
/// When to look again for an upload that may still appear, in milliseconds.
const LATE_WAIT_MS: u64 = 5_000;
/// The largest answer to an upload, in bytes.
const ANSWER_CAP: usize = 64 * 1024;
/// Redirects that a download may take.
const HOPS: u8 = 3;

/// What can be done with a file, from what `files.info` says.
#[derive(Clone, PartialEq, Eq)]
enum Access {
    /// Its bytes are at this address.
    At(String),
    /// Not, and why.
    Refused(dragoman_model::Code),
}

/// Opens a file for reading.
pub(crate) async fn download(
    client: &Client,
    session: &Session,
    file: &FileRef,
) -> Result<FileBytes, Failure> {
    // Asked each time: addresses change, stubs of shared channels have none, and what was deleted says so here.
    let known = match info(client, session, &file.id).await {
        Ok(known) => known,
        Err(error) if is_gone(error.word()) => return Err(Failure::Refused(codes::FILE_GONE)),
        // A file of somebody else's organisation, or one that the app lost sight of: its own matter.
        Err(error) if errors::class(error.word()) == Class::Scope => {
            return Err(Failure::Refused(codes::SCOPE));
        }
        Err(error) => return Err(error.failure()),
    };
    let address = match access(&known) {
        Access::At(address) => address,
        Access::Refused(code) => return Err(Failure::Refused(code)),
    };
    let url = Url::parse(&address).map_err(|_| Failure::Malformed(codes::MALFORMED))?;
    let set = tokens::current(client, session, &TokenSlot::App).await.map_err(CallError::failure)?;
    let hosts = client.file_hosts();
    let request =
        HttpRequest::new(Method::GET, url).bearer(set.access.expose()).only(hosts).following(HOPS, hosts);
    let answer = client.http.transfer(request, None).await.map_err(HttpError::into_failure)?;
    let now_ms = client.clock.now_ms();
    let status = answer.status;
    if !status.is_success() {
        let after_ms = retry_after_ms(&answer.headers, now_ms);
        return Err(refused_download(status, after_ms));
    }
    let fresh = known.created.is_some_and(|seconds| now_ms - seconds.saturating_mul(1_000) < FRESH_MS);
    content(answer, &known, fresh).await
}

/// The bytes, unless Slack answered with its sign-in page: so it does for those without access, and for everybody
/// while it still works on the file.
async fn content(answer: HttpStreamed, known: &wire::File, fresh: bool) -> Result<FileBytes, Failure> {
    let file = answer.into_file();
    // A stream that ended is not asked again.
    let mut chunks = file.chunks.fuse();
    let first = chunks.next().await.transpose()?;
    let begin = first.as_deref().unwrap_or_default();
    if is_page(file.media_type.as_deref(), begin, file.size, known) {
        return Err(if fresh {
            Failure::Retry { after_ms: Some(PAGE_WAIT_MS), code: codes::TARGET_FAILED }
        } else {
            Failure::Refused(codes::SCOPE)
        });
    }
    let chunks = stream::iter(first.map(Ok)).chain(chunks);
    // What clips claim to be is not always what they are: the host that has the bytes knows better.
    let stated = file.media_type.filter(|kind| !kind.starts_with("application/octet-stream"));
    let claimed = known.mimetype.clone().filter(|kind| !kind.is_empty());
    Ok(FileBytes {
        size: file.size.or_else(|| known.size.filter(|size| *size > 0)),
        media_type: stated.or(claimed),
        chunks: Box::pin(chunks),
    })
}

/// Whether an answer is a page about the file rather than the file.
fn is_page(media_type: Option<&str>, begin: &[u8], size: Option<u64>, known: &wire::File) -> bool {
    let typed = media_type.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"));
    let trimmed = begin.trim_ascii_start();
    let head = &trimmed[..trimmed.len().min(14)];
    let looks =
        head.eq_ignore_ascii_case(b"<!DOCTYPE html") || head.to_ascii_lowercase().starts_with(b"<html");
    // Somebody's own page has the size that Slack told.
    let theirs = size.is_some() && size == known.size;
    (typed || looks) && !theirs
}

fn refused_download(status: StatusCode, after_ms: Option<u64>) -> Failure {
    match status.as_u16() {
        404 | 410 => Failure::Refused(codes::FILE_GONE),
        401 | 403 => Failure::Refused(codes::SCOPE),
        429 => Failure::Retry { after_ms, code: codes::RATE_LIMITED },
        500.. => Failure::Retry { after_ms, code: codes::TARGET_FAILED },
        _ => Failure::Refused(codes::REFUSED),
    }
}

/// Whether the bytes of a file can be had, and where.
fn access(file: &wire::File) -> Access {
    let mode = file.mode.as_deref().unwrap_or_default();
    match (mode, file.access.as_deref().unwrap_or_default()) {
        ("tombstone", _) | (_, "file_deleted" | "file_not_found") => {
            return Access::Refused(codes::FILE_GONE);
        }
        (_, "access_denied") => return Access::Refused(codes::SCOPE),
        // Elsewhere, and not Slack's to give: no token goes there.
        ("external", _) => return Access::Refused(codes::NOT_CARRIED),
        // Documents that exist in Slack only, and what a free plan hides.
        ("post" | "space" | "quip" | "canvas" | "list" | "hidden_by_limit", _) => {
            return Access::Refused(codes::NOT_CARRIED);
        }
        _ if file.is_external == Some(true) => return Access::Refused(codes::NOT_CARRIED),
        _ => {}
    }
    let filled = |url: &Option<String>| url.clone().filter(|url| !url.is_empty());
    match filled(&file.url_private_download).or_else(|| filled(&file.url_private)) {
        Some(url) => Access::At(url),
        None => Access::Refused(codes::NOT_CARRIED),
    }
}

async fn info(client: &Client, session: &Session, id: &str) -> Result<wire::File, CallError> {
    let form = Form::from([("file", id.to_owned())]);
    let answer: OneFile = client.read(session, "files.info", form).await?;
    Ok(answer.file)
}

fn is_gone(word: &str) -> bool {
    matches!(word, "file_deleted" | "file_not_found" | "file_is_deleted")
}

/// Posts one file: reserves, uploads, completes, and waits for its message.
pub(crate) async fn share(client: &Client, session: &Session, share: &Share, bytes: FileBytes) -> Outcome {
    let size = match admitted(bytes.size) {
        Ok(size) => size,
        Err(code) => return Outcome::Refused(code),
    };
    let slot = slot(&share.post.spokesman);
    let name = file_name(&share.name);
    let form = Form::from([("filename", name.clone()), ("length", size.to_string())]);
    let reserved: Result<Reserved, CallError> =
        client.call(session, &slot, "files.getUploadURLExternal", &Arguments::Form(form)).await;
    let reserved = match reserved {
        Ok(reserved) => reserved,
        Err(error) => return error.outcome(Act::Upload),
    };
    client.uploads.register(&reserved.file_id);
    if let Some(outcome) = send(client, &reserved, bytes).await {
        return outcome;
    }
    client.uploads.sent(&share.post.marker, &reserved.file_id, client.clock.monotonic_ms());
    let outcome = match complete(client, session, &slot, share, &reserved.file_id, &name).await {
        Ok(()) => None,
        Err(error) => Some(error.outcome(Act::Share)),
    };
    match outcome {
        // Completed, or nobody knows: its message tells.
        None | Some(Outcome::Unknown(_)) => {
            appeared(client, session, &share.post.conversation, &reserved.file_id).await
        }
        Some(refused) => {
            client.uploads.settled(&reserved.file_id);
            // It lies there for nobody to see: not ours to leave behind.
            remove(client, session, &slot, &reserved.file_id).await;
            refused
        }
    }
}

/// The size, where Slack may take it. It has to be known beforehand.
fn admitted(size: Option<u64>) -> Result<u64, dragoman_model::Code> {
    match size {
        // Whoever has them has to count them first.
        None => Err(codes::BAD_REQUEST),
        Some(0) => Err(codes::FILE_EMPTY),
        Some(size) if size > LARGEST => Err(codes::FILE_TOO_LARGE),
        Some(size) => Ok(size),
    }
}

/// A name that Slack takes: without control characters, and not empty.
fn file_name(name: &str) -> String {
    let clean: String = name.chars().filter(|sign| !sign.is_control()).collect();
    if clean.trim().is_empty() { "file".to_owned() } else { clean }
}

/// The bytes, without a token. `Some`: they were not taken; nothing can be seen of them yet.
async fn send(client: &Client, reserved: &Reserved, bytes: FileBytes) -> Option<Outcome> {
    let Ok(url) = Url::parse(reserved.upload_url.expose()) else {
        return Some(Outcome::retry(codes::NO_ANSWER));
    };
    let request = HttpRequest::new(Method::POST, url).only(client.file_hosts());
    let answer = match client.http.transfer(request, Some(Upload::raw(bytes))).await {
        Ok(answer) => answer,
        Err(error) => return Some(error.into_repeatable_outcome()),
    };
    let after_ms = retry_after_ms(&answer.headers, client.clock.now_ms());
    let retry = |code| Outcome::Retry { after_ms, code, whole_installation: false };
    let status = answer.status;
    // The connection is free again only after the answer was read.
    drop(answer.read(ANSWER_CAP).await);
    match status.as_u16() {
        200..300 => None,
        429 => Some(retry(codes::RATE_LIMITED)),
        413 => Some(Outcome::Refused(codes::FILE_TOO_LARGE)),
        // "Not 200: start over."
        _ => Some(retry(codes::TARGET_FAILED)),
    }
}

/// The last step: with blocks, and the author's name and picture where they may be given; simpler where Slack takes
/// less. A refusal means that nothing was done.
async fn complete(
    client: &Client,
    session: &Session,
    slot: &TokenSlot,
    share: &Share,
    file: &str,
    name: &str,
) -> Result<(), CallError> {
    let first = encode::face(&share.post, may_customise(session));
    // Reference of August 2026; earlier guides know no name and picture here.
    let faces = if first == Face::Customised { vec![first, Face::NameLine] } else { vec![first] };
    let attempts: Vec<(Face, bool)> = faces.iter().flat_map(|face| [(*face, false), (*face, true)]).collect();
    let mut last = None;
    for (face, plain) in attempts {
        let refused = last.as_ref().map(CallError::word);
        let again = match refused.map(errors::class) {
            None => true,
            Some(Class::Blocks) => plain,
            Some(Class::Ours) => face != first && !plain,
            Some(_) => false,
        };
        if !again {
            continue;
        }
        let arguments = Arguments::Json(encode::shared(share, face, file, name, plain));
        let done: Result<Nothing, CallError> =
            client.call(session, slot, "files.completeUploadExternal", &arguments).await;
        match done {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(()), Err)
}

/// Waits until a file is in its conversation.
async fn appeared(
    client: &Client,
    session: &Session,
    conversation: &RemoteConversation,
    file: &str,
) -> Outcome {
    for wait_ms in LOOKS_MS {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        match info(client, session, file).await {
            Ok(known) => {
                if let Some(ts) = shared_at(&known, conversation) {
                    client.uploads.settled(file);
                    return Outcome::made(RemoteMessage::from(ts), None);
                }
            }
            Err(CallError::Slack { error, retry_after_ms }) if errors::class(&error) == Class::Wait => {
                let wait_ms = retry_after_ms.unwrap_or(PAGE_WAIT_MS).min(PAGE_WAIT_MS);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            // A person's file is not ours to see before it is shared.
            Err(_) => {}
        }
    }
    Outcome::Unknown(codes::NO_ANSWER)
}

/// The `ts` of the message that brought a file into a conversation.
fn shared_at<'a>(file: &'a wire::File, conversation: &RemoteConversation) -> Option<&'a str> {
    let shares = file.shares.as_ref()?;
    [&shares.public, &shares.private]
        .into_iter()
        .filter_map(|shares| shares.get(conversation.as_str()))
        .flatten()
        .filter_map(|share| share.ts.as_deref())
        .min()
}

/// What became of uploads that were under way for a post: messages where they appeared. An upload that may still
/// appear asks for patience; one that did not in time is taken back, so that it never will.
pub(crate) async fn under_way(
    client: &Client,
    session: &Session,
    post: &Post,
) -> Result<Vec<Candidate>, Failure> {
    let mut found = Vec::new();
    for Sent { file, at_ms, .. } in client.uploads.pending(&post.marker) {
        match info(client, session, &file).await {
            Ok(known) => match shared_at(&known, &post.conversation) {
                Some(ts) => found.push(Candidate {
                    at_ms: crate::ids::millis(ts),
                    version: Some(Version(0)),
                    same: true,
                    file: known.name.clone(),
                    beside: None,
                    message: RemoteMessage::from(ts),
                }),
                None if client.clock.monotonic_ms() - at_ms < LATE_MS => {
                    return Err(Failure::Retry { after_ms: Some(LATE_WAIT_MS), code: codes::NO_ANSWER });
                }
                None => {
                    remove(client, session, &slot(&post.spokesman), &file).await;
                    client.uploads.settled(&file);
                }
            },
            Err(error) if is_gone(error.word()) && client.clock.monotonic_ms() - at_ms >= LATE_MS => {
                // A person's file that nobody shared is not ours to see, and all the same theirs to take back.
                if post.spokesman != Spokesman::App {
                    remove(client, session, &slot(&post.spokesman), &file).await;
                }
                client.uploads.settled(&file);
            }
            Err(error) if is_gone(error.word()) => {
                return Err(Failure::Retry { after_ms: Some(LATE_WAIT_MS), code: codes::NO_ANSWER });
            }
            Err(error) => return Err(error.failure()),
        }
    }
    Ok(found)
}

/// Deletes the files of a message of ours, before the message goes: a deleted message leaves its files where they are.
/// `Some`: it has to be tried again.
pub(crate) async fn withdraw(client: &Client, session: &Session, operation: &Operation) -> Option<Outcome> {
    let Operation::Delete { conversation, message, thread_root, spokesman } = operation else { return None };
    let thread = thread_root.as_ref();
    let found = match catchup::raw(client, session, conversation.as_str(), thread, message).await {
        Ok(found) => found?,
        // What may not be read again cannot be looked into; the message goes all the same.
        Err(error) => match error.outcome(Act::Delete) {
            again @ Outcome::Retry { .. } => return Some(again),
            _ => return None,
        },
    };
    let slot = slot(spokesman);
    for file in found.files.iter().filter(|file| file.mode.as_deref() != Some("tombstone")) {
        let Some(id) = file.id.as_deref() else { continue };
        let form = Form::from([("file", id.to_owned())]);
        let done: Result<Nothing, CallError> =
            client.call(session, &slot, "files.delete", &Arguments::Form(form)).await;
        if let Err(error) = done
            && let outcome @ Outcome::Retry { .. } = error.outcome(Act::Delete)
        {
            return Some(outcome);
        }
    }
    None
}

/// Deletes an upload, as far as that goes: nobody waits for it.
async fn remove(client: &Client, session: &Session, slot: &TokenSlot, file: &str) {
    let form = Form::from([("file", file.to_owned())]);
    let done: Result<Nothing, CallError> =
        client.call(session, slot, "files.delete", &Arguments::Form(form)).await;
    if let Err(error) = done
        && !is_gone(error.word())
    {
        tracing::debug!("an upload that nobody sees could not be deleted");
    }
}
