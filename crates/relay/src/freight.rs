//! Carrying one file from its source to a target, as a stream.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use dragoman_model::{Clock, Code, Destination, FileRef, Outcome, Post, RemoteMessage, codes};
use dragoman_platform::{Chunks, Failure, FileBytes, Share};
use dragoman_seal::{SpoolReader, SpoolWriter};
use dragoman_store::Faults;
use futures_util::{StreamExt as _, stream};

use crate::core::Relay;
use crate::directory::Spot;
use crate::files::{Bounds, shown_name};
use crate::kinds;
use crate::leg::Leg;

/// Attempts at reading files of one message after which the rest of it does not wait for them any longer: from then on
/// each of them has one.
const ATTEMPTS: u32 = 10;
/// How long they may take together, in milliseconds.
const STRAIN_MS: i64 = 15 * 60_000;
/// How long a file that is on its way holds up the end of the process, in milliseconds.
const GRACE_MS: u64 = 5_000;
/// How long any file may take, in milliseconds.
const START_MS: i64 = 60_000;
/// What a file has to make on the whole beyond that, in bytes a second, so that nobody holds a lane by trickling.
const PACE: u64 = 64 << 10;
/// How much is handed to the spool at once, in bytes.
const GATHER: usize = 256 << 10;

/// What became of a file.
pub(crate) enum Carried {
    /// The target's answer.
    Answered(Outcome),
    /// It could not be brought there; nothing was posted. With the milliseconds that the attempt took.
    Unread(Failure, i64),
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

/// What attempts at files cost a leg so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Strain {
    /// How many failed.
    pub(crate) attempts: u32,
    /// Milliseconds that these took.
    pub(crate) spent_ms: i64,
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
        file: (&FileRef, Option<&Destination>),
    ) -> Carried {
        let began_ms = self.0.parts.clock.monotonic_ms();
        let ending = async {
            self.0.parts.stop.cancelled().await;
            tokio::time::sleep(Duration::from_millis(GRACE_MS)).await;
        };
        let outcome = tokio::select! {
            outcome = self.bring(source, message, target, post, file) => outcome,
            () = ending => return Carried::Stopped,
        };
        match outcome {
            Ok(outcome) => {
                self.note_answer(leg, target, &outcome);
                Carried::Answered(outcome)
            }
            Err(failure) => Carried::Unread(failure, self.0.parts.clock.monotonic_ms() - began_ms),
        }
    }

    /// The target's answer, or why the file could not be brought there.
    async fn bring(
        &self,
        source: &Spot,
        message: &RemoteMessage,
        target: &Spot,
        post: &Post,
        (file, destination): (&FileRef, Option<&Destination>),
    ) -> Result<Outcome, Failure> {
        let directory = self.directory();
        let policy = directory.policy(&source.org);
        let bounds = Bounds::of(&target.capabilities, &post.spokesman, &policy.files);
        let place = &source.place;
        let bytes = place.connector.download(&place.session, &source.conversation, message, file).await?;
        // What is known only now: the source may have said nothing, or something else.
        let stated: Vec<String> =
            [&file.media_type, &bytes.media_type].into_iter().flatten().cloned().collect();
        let stated: Vec<&str> = stated.iter().map(String::as_str).collect();
        let failed = Arc::new(Mutex::new(None));
        let watch =
            |bytes| watched(bytes, bounds.max_bytes, (&self.0.parts.clock, &self.0.parts.faults), &failed);
        let (begin, mut bytes) = if policy.files.denied.is_empty() {
            (Bytes::new(), watch(bytes))
        } else {
            peeked(watch(bytes)).await?
        };
        let media_type = file.media_type.clone().or_else(|| bytes.media_type.clone());
        let name = shown_name(&file.name, bytes.media_type.as_deref().or(media_type.as_deref()));
        if let Some(code) = bounds.objection(&name, &stated, &begin, bytes.size) {
            return Err(Failure::Refused(code));
        }
        if bytes.size.is_none() && target.capabilities.file_needs_length {
            bytes = watch(self.spooled(bytes).await?);
        }
        let share = Share { post: post.clone(), name, media_type, destination: destination.cloned() };
        let place = &target.place;
        let outcome = place.connector.share(&place.session, &target.conversation, &share, bytes).await;
        self.0.parts.faults.hit("send.unanswered");
        match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) if !matches!(outcome, Outcome::Done(_)) => Err(failure),
            _ => Ok(outcome),
        }
    }

    /// Writes a file of unknown length to the sealed spool, to know it.
    async fn spooled(&self, bytes: FileBytes) -> Result<FileBytes, Failure> {
        let Some(spool) = self.0.parts.spool.clone() else {
            return Err(Failure::Refused(codes::FILE_REFUSED));
        };
        let cap = spool.cap();
        let FileBytes { media_type, mut chunks, .. } = bytes;
        let mut writer = blocking(move || spool.create()).await?;
        let mut ended = false;
        while !ended {
            let (mut gathered, mut count) = (Vec::new(), 0);
            while count < GATHER && !ended {
                match chunks.next().await.transpose()? {
                    Some(chunk) => {
                        count += chunk.len();
                        gathered.push(chunk);
                    }
                    None => ended = true,
                }
            }
            if writer.size().saturating_add(u64::try_from(count).unwrap_or(u64::MAX)) > cap {
                return Err(Failure::Refused(codes::FILE_TOO_LARGE));
            }
            writer = blocking(move || {
                let mut writer: SpoolWriter = writer;
                gathered.iter().try_for_each(|chunk| writer.write(chunk))?;
                Ok(writer)
            })
            .await?;
        }
        let reader = blocking(move || writer.finish()).await?;
        Ok(FileBytes { size: Some(reader.size()), media_type, chunks: unspooled(reader) })
    }
}

/// What to do about a failure to read a file. `strain` counts it.
pub(crate) fn judge_unread(failure: Failure, strain: Strain) -> Unread {
    let bearable = strain.attempts < ATTEMPTS && strain.spent_ms < STRAIN_MS;
    match failure {
        Failure::Retry { .. } | Failure::SignIn(_) if bearable => Unread::Again(failure),
        // The spool's trouble is not the source's.
        other if other.code() == codes::DISK => Unread::Bar(codes::FILE_REFUSED),
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

/// A file on its way: cut off where it is larger than it may be or too slow on the whole.
struct Watched {
    chunks: Chunks,
    /// How many bytes it may still have.
    left: u64,
    clock: Arc<dyn Clock>,
    faults: Faults,
    /// When it was asked for first, milliseconds on the clock that never goes backwards.
    began_ms: Option<i64>,
    moved: u64,
    /// Milliseconds that its source was waited for.
    waited_ms: i64,
}

impl Watched {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let asked_ms = self.clock.monotonic_ms();
        let began_ms = *self.began_ms.get_or_insert(asked_ms);
        let due_ms = began_ms.saturating_add(allowed_ms(self.moved));
        let Some(wait_ms) = u64::try_from(due_ms - asked_ms).ok().filter(|wait_ms| *wait_ms > 0) else {
            return Err(self.too_slow(asked_ms - began_ms));
        };
        let next = tokio::time::timeout(Duration::from_millis(wait_ms), self.chunks.next()).await;
        let now_ms = self.clock.monotonic_ms();
        self.waited_ms += now_ms - asked_ms;
        let Ok(next) = next else { return Err(self.too_slow(now_ms - began_ms)) };
        let Some(chunk) = next.transpose()? else { return Ok(None) };
        let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(count).ok_or(Failure::Refused(codes::FILE_TOO_LARGE))?;
        self.moved = self.moved.saturating_add(count);
        self.faults.hit("file.moving");
        Ok(Some(chunk))
    }

    /// Whose fault it is tells who was waited for longer.
    fn too_slow(&self, took_ms: i64) -> Failure {
        let target = self.waited_ms < took_ms / 2;
        let code = if target { codes::FILE_REFUSED } else { codes::NO_ANSWER };
        Failure::Retry { after_ms: None, code }
    }
}

/// How many milliseconds so many bytes may take.
fn allowed_ms(bytes: u64) -> i64 {
    START_MS.saturating_add(i64::try_from(bytes.saturating_mul(1_000) / PACE).unwrap_or(i64::MAX))
}

/// The same file, watched; remembers why it could not be read.
fn watched(
    bytes: FileBytes,
    max_bytes: Option<u64>,
    (clock, faults): (&Arc<dyn Clock>, &Faults),
    failed: &Arc<Mutex<Option<Failure>>>,
) -> FileBytes {
    let failed = Arc::clone(failed);
    let watched = Watched {
        chunks: bytes.chunks,
        left: max_bytes.unwrap_or(u64::MAX),
        clock: Arc::clone(clock),
        faults: faults.clone(),
        began_ms: None,
        moved: 0,
        waited_ms: 0,
    };
    let chunks = stream::unfold(Some((watched, failed)), |state| async move {
        let (mut watched, failed) = state?;
        match watched.next().await {
            Ok(chunk) => Some((Ok(chunk?), Some((watched, failed)))),
            Err(failure) => {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
                Some((Err(failure), None))
            }
        }
    });
    FileBytes { chunks: Box::pin(chunks), ..bytes }
}

/// How a file begins, and the same file from its beginning.
async fn peeked(bytes: FileBytes) -> Result<(Bytes, FileBytes), Failure> {
    let mut chunks = bytes.chunks.fuse();
    let (mut read, mut begin) = (Vec::new(), Vec::with_capacity(kinds::BEGIN));
    while begin.len() < kinds::BEGIN
        && let Some(chunk) = chunks.next().await.transpose()?
    {
        let some = chunk.len().min(kinds::BEGIN - begin.len());
        begin.extend_from_slice(&chunk[..some]);
        read.push(Ok(chunk));
    }
    let chunks = Box::pin(stream::iter(read).chain(chunks));
    Ok((begin.into(), FileBytes { chunks, ..bytes }))
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
    let again = Failure::Retry { after_ms: None, code: codes::DISK };
    let Ok(done) = tokio::task::spawn_blocking(act).await else { return Err(again) };
    done.map_err(|error| {
        match error.kind() {
            // Other files will make room.
            ErrorKind::StorageFull => {
                tracing::info!(code = %codes::DISK, "a file waits for room in the spool");
            }
            kind => tracing::warn!(?kind, code = %codes::DISK, "the spool cannot be used; see to its disk"),
        }
        again
    })
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    struct PausedClock(Instant);

    impl Clock for PausedClock {
        fn now_ms(&self) -> i64 {
            self.monotonic_ms()
        }

        fn monotonic_ms(&self) -> i64 {
            i64::try_from(self.0.elapsed().as_millis()).unwrap()
        }
    }

    /// Reads a file of which so much comes every ten seconds, resting so long after each chunk; how long that took.
    async fn read(count: usize, kib: usize, rest_ms: u64) -> (Option<Failure>, Duration) {
        let clock: Arc<dyn Clock> = Arc::new(PausedClock(Instant::now()));
        let wait_ms = if rest_ms == 0 { 10_000 } else { 0 };
        let chunks = stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            Ok(Bytes::from(vec![0; kib << 10]))
        });
        let bytes = FileBytes { size: None, media_type: None, chunks: Box::pin(chunks) };
        let failed = Arc::default();
        let mut watched = watched(bytes, None, (&clock, &Faults::none()), &failed);
        let began = Instant::now();
        while let Some(chunk) = watched.chunks.next().await {
            if let Err(failure) = chunk {
                assert!(*failed.lock().unwrap() == Some(failure.clone()));
                return (Some(failure), began.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(rest_ms)).await;
        }
        (None, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_keeps_a_pace_on_the_whole() {
        let slow = |code| Some(Failure::Retry { after_ms: None, code });
        // A little over the pace, for ten minutes.
        assert_eq!(read(60, 650, 0).await.0, None);
        let (failure, took) = read(60, 320, 0).await;
        assert_eq!(failure, slow(codes::NO_ANSWER));
        assert!(took < Duration::from_mins(3), "{took:?}");
        // The same of one who takes it.
        let (failure, took) = read(60, 320, 10_000).await;
        assert_eq!(failure, slow(codes::FILE_REFUSED));
        assert!(took < Duration::from_mins(3), "{took:?}");
        // What comes to nothing at all has a minute.
        assert_eq!(read(60, 0, 0).await.1, Duration::from_mins(1));
    }

    #[test]
    fn attempts_and_time_of_a_leg_are_bounded() {
        let judge = |attempts, spent_ms| {
            let failure = Failure::Retry { after_ms: None, code: codes::UNREACHABLE };
            matches!(judge_unread(failure, Strain { attempts, spent_ms }), Unread::Again(_))
        };
        assert!(judge(1, 0) && judge(9, STRAIN_MS - 1));
        assert!(!judge(10, 0) && !judge(1, STRAIN_MS));
    }
}
