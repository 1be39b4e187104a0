//! Carrying one file from its source to a target, as a stream.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dragoman_model::{Code, FileRef, Outcome, Post, RemoteMessage, codes};
use dragoman_platform::{Chunks, Failure, FileBytes, Share};
use dragoman_seal::{SpoolReader, SpoolWriter};
use futures_util::{StreamExt as _, stream};

use crate::core::Relay;
use crate::directory::Spot;
use crate::files::{Bounds, shown_name};
use crate::leg::Leg;

/// Attempts at reading one file after which the rest of the message does not wait for it any longer.
const ATTEMPTS: u32 = 10;
/// How long a file that is on its way holds up the end of the process, in milliseconds.
const GRACE_MS: u64 = 5_000;
/// The most that is spooled where nothing else bounds a file.
const SPOOL_BYTES: u64 = 2 << 30;

/// What became of a file.
pub(crate) enum Carried {
    /// The target's answer.
    Answered(Outcome),
    /// It could not be read; nothing was posted.
    Unread(Failure),
    /// The process ends; whether it was posted is not known.
    Stopped,
}

/// What to do about a file that could not be read.
pub(crate) enum Unread {
    /// Try again.
    Again(Failure),
    /// It stays where it is, and a line says so.
    Bar(Code),
}

impl Relay {
    /// Posts a file. In memory are no more than a few chunks of it.
    pub(crate) async fn carry(
        &self,
        leg: &Leg,
        source: &Spot,
        message: &RemoteMessage,
        target: &Spot,
        post: &Post,
        file: &FileRef,
    ) -> Carried {
        let directory = self.directory();
        let policy = directory.policy(&source.org);
        let bounds = Bounds::of(&target.capabilities, &post.spokesman, &policy.files);
        let place = &source.place;
        let download = place.connector.download(&place.session, &source.conversation, message, file);
        let bytes = match download.await {
            Ok(bytes) => bytes,
            Err(failure) => return Carried::Unread(failure),
        };
        // What is known only now: the source may have said nothing, or something else.
        let bytes_type = bytes.media_type.clone();
        let media_type = file.media_type.clone().or_else(|| bytes_type.clone());
        if let Some(code) = bounds.objection(&file.name, media_type.as_deref(), bytes.size) {
            return Carried::Unread(Failure::Refused(code));
        }
        let failed = Arc::new(Mutex::new(None));
        let mut bytes = watched(bytes, bounds.max_bytes, &failed);
        if bytes.size.is_none() && target.capabilities.file_needs_length {
            bytes = match self.spooled(bytes).await {
                Ok(bytes) => bytes,
                Err(failure) => return Carried::Unread(failure),
            };
        }
        let name = shown_name(&file.name, bytes_type.as_deref().or(media_type.as_deref()));
        let share = Share { post: post.clone(), name, media_type };
        let place = &target.place;
        let sharing = place.connector.share(&place.session, &target.conversation, &share, bytes);
        let ending = async {
            self.0.parts.stop.cancelled().await;
            tokio::time::sleep(Duration::from_millis(GRACE_MS)).await;
        };
        let outcome = tokio::select! {
            outcome = sharing => outcome,
            () = ending => return Carried::Stopped,
        };
        self.0.parts.faults.hit("send.unanswered");
        let unread = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(failure), false) = (unread, matches!(outcome, Outcome::Done(_))) {
            return Carried::Unread(failure);
        }
        self.note_answer(leg, target, &outcome);
        Carried::Answered(outcome)
    }

    /// Writes a file of unknown length to the sealed spool, to know it.
    async fn spooled(&self, bytes: FileBytes) -> Result<FileBytes, Failure> {
        let Some(spool) = self.0.parts.spool.clone() else {
            return Err(Failure::Refused(codes::FILE_REFUSED));
        };
        let FileBytes { media_type, mut chunks, .. } = bytes;
        let mut writer = blocking(move || spool.create()).await?;
        while let Some(chunk) = chunks.next().await.transpose()? {
            writer = blocking(move || {
                let mut writer: SpoolWriter = writer;
                writer.write(&chunk)?;
                Ok(writer)
            })
            .await?;
            if writer.size() > SPOOL_BYTES {
                return Err(Failure::Refused(codes::FILE_TOO_LARGE));
            }
        }
        let reader = blocking(move || writer.finish()).await?;
        Ok(FileBytes { size: Some(reader.size()), media_type, chunks: unspooled(reader) })
    }
}

/// What to do about a failure to read a file, the attempts so far counted.
pub(crate) fn judge_unread(failure: Failure, attempts: u32) -> Unread {
    match failure {
        Failure::Retry { .. } | Failure::SignIn(_) if attempts < ATTEMPTS => Unread::Again(failure),
        other => Unread::Bar(reason(other.code(), codes::FILE_GONE)),
    }
}

/// The code that a line gives: the one that a refusal came with where it is about files, else the usual one.
pub(crate) fn reason(code: Code, usual: Code) -> Code {
    match code {
        codes::FILE_TOO_LARGE
        | codes::FILE_FORBIDDEN
        | codes::FILE_GONE
        | codes::FILE_EMPTY
        | codes::FILE_REFUSED => code,
        _ => usual,
    }
}

/// The same file, cut off where it is larger than it may be; remembers why it could not be read.
fn watched(bytes: FileBytes, max_bytes: Option<u64>, failed: &Arc<Mutex<Option<Failure>>>) -> FileBytes {
    let failed = Arc::clone(failed);
    let mut left = max_bytes.unwrap_or(u64::MAX);
    let chunks = bytes.chunks.map(move |chunk| {
        let chunk = chunk.and_then(|chunk| {
            let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            left = left.checked_sub(count).ok_or(Failure::Refused(codes::FILE_TOO_LARGE))?;
            Ok(chunk)
        });
        if let Err(failure) = &chunk {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
        }
        chunk
    });
    FileBytes { chunks: Box::pin(chunks), ..bytes }
}

fn unspooled(reader: SpoolReader) -> Chunks {
    Box::pin(stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        let read = blocking(move || {
            let chunk = reader.read()?.map(|chunk| Bytes::copy_from_slice(&chunk));
            Ok((chunk, reader))
        });
        match read.await {
            Ok((chunk, reader)) => Some((Ok(chunk?), Some(reader))),
            Err(failure) => Some((Err(failure), None)),
        }
    }))
}

/// Does something with the spool where blocking harms nobody.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(act).await;
    done.ok().and_then(Result::ok).ok_or(Failure::Retry { after_ms: None, code: codes::DISK })
}
