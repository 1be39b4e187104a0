//! Files: what a target makes of one, whatever happens on the way, and what a source gives of one.

use bytes::Bytes;
use dragoman_model::{Outcome, codes};
use futures_util::{StreamExt as _, stream};

use super::Kit;
use crate::failure::Failure;
use crate::file::FileBytes;

/// What the files of these checks say.
pub const FILE_TEXT: &str = "what is in the file";

/// How a platform treats files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileManner {
    /// Takes what comes and gives [`FILE_TEXT`].
    Obliging,
    /// Says that it is too large.
    TooLarge,
    /// Says that its rules forbid it.
    Forbids,
    /// Makes the message, and its answer is lost.
    LosesAnswer,
    /// Has the file no more.
    Gone,
}

/// What became of a file that was shared.
pub struct Shared {
    /// The answer.
    pub outcome: Outcome,
    /// The requests that the platform read whole, headers included where they matter.
    pub requests: Vec<String>,
    /// How many of them made a message.
    pub messages: usize,
}

/// Names that people give to files, and some that nobody should.
const NAMES: [&str; 7] = [
    "plan.txt",
    "a \"plan\"; name=\"b\".txt",
    "Reports/../q?*:<3>.txt",
    "\u{fc}ber \u{1f44d} \u{65e5}\u{672c}.pdf",
    "\u{202e}fdp.exe",
    "two\r\nX-Smuggled: lines.txt",
    "no ending",
];

/// Sharing and reading files.
pub async fn files(kit: &dyn Kit) {
    for name in NAMES {
        let shared = kit.share(FileManner::Obliging, name, whole()).await;
        let made = matches!(&shared.outcome, Outcome::Done(done) if done.message.is_some());
        assert!(made, "{name:?}: {:?}", shared.outcome);
        assert_eq!(shared.messages, 1, "{name:?}");
        let sent = shared.requests.iter().filter(|request| request.contains(FILE_TEXT)).count();
        assert_eq!(sent, 1, "{name:?}: its bytes were sent {sent} times");
        let smuggled = shared.requests.iter().any(|request| request.contains("\nX-Smuggled"));
        assert!(!smuggled, "{name:?} made a line of its own");
    }
    lengths(kit).await;
    sources(kit).await;
    refusals(kit).await;
    downloads(kit).await;
}

fn whole() -> FileBytes {
    of(&[FILE_TEXT], u64::try_from(FILE_TEXT.len()).ok())
}

fn of(parts: &[&'static str], size: Option<u64>) -> FileBytes {
    let parts: Vec<Result<Bytes, Failure>> =
        parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
    FileBytes { size, media_type: Some("text/plain".to_owned()), chunks: stream::iter(parts).boxed() }
}

/// A length that is not known, or beyond what the target takes.
async fn lengths(kit: &dyn Kit) {
    let capabilities = kit.connector().capabilities(&kit.installation(), &kit.conversation());
    let unknown = kit.share(FileManner::Obliging, "plan.txt", of(&[FILE_TEXT], None)).await;
    if capabilities.file_needs_length {
        let refused = matches!(unknown.outcome, Outcome::Refused(_));
        assert!(refused && unknown.messages == 0, "no length: {:?}", unknown.outcome);
    } else {
        let made = matches!(unknown.outcome, Outcome::Done(_));
        assert!(made && unknown.messages == 1, "no length: {:?}", unknown.outcome);
    }
    if let Some(most) = capabilities.max_file_bytes {
        let large = kit.share(FileManner::Obliging, "plan.txt", of(&[FILE_TEXT], Some(most + 1))).await;
        assert_eq!(large.outcome, Outcome::Refused(codes::FILE_TOO_LARGE), "one byte too many");
        assert!(large.requests.is_empty(), "the target was asked all the same");
    }
}

/// A source that breaks off, or gives less than it promised.
async fn sources(kit: &dyn Kit) {
    for failure in
        [Failure::Refused(codes::FILE_GONE), Failure::Retry { after_ms: None, code: codes::TARGET_FAILED }]
    {
        let chunks = stream::iter([Ok(Bytes::from_static(b"what is")), Err(failure.clone())]).boxed();
        let file = FileBytes { size: Some(40), media_type: None, chunks };
        let shared = kit.share(FileManner::Obliging, "plan.txt", file).await;
        assert_eq!(shared.outcome, failure.into_outcome(), "the source broke off");
        assert_eq!(shared.messages, 0, "half a file was posted");
    }
    let short = kit.share(FileManner::Obliging, "plan.txt", of(&[FILE_TEXT], Some(40))).await;
    let wrong = matches!(short.outcome, Outcome::Done(_) | Outcome::Unknown(_));
    assert!(!wrong && short.messages == 0, "less than was promised: {:?}", short.outcome);
}

/// What the target says about a file, and an answer that does not come.
async fn refusals(kit: &dyn Kit) {
    let large = kit.share(FileManner::TooLarge, "plan.txt", whole()).await;
    assert_eq!(large.outcome, Outcome::Refused(codes::FILE_TOO_LARGE));
    assert_eq!(large.messages, 0);
    let forbidden = kit.share(FileManner::Forbids, "plan.txt", whole()).await;
    assert!(matches!(forbidden.outcome, Outcome::Refused(_)), "a rule: {:?}", forbidden.outcome);
    assert_eq!(forbidden.messages, 0);
    let lost = kit.share(FileManner::LosesAnswer, "plan.txt", whole()).await;
    // Where the file itself tells of its message, nothing is in doubt.
    let known = matches!(&lost.outcome, Outcome::Done(done) if done.message.is_some());
    assert!(known || matches!(lost.outcome, Outcome::Unknown(_)), "a lost answer: {:?}", lost.outcome);
    assert_eq!(lost.messages, 1, "posted again without looking");
}

async fn downloads(kit: &dyn Kit) {
    let file = kit.download(FileManner::Obliging).await;
    let file = file.unwrap_or_else(|failure| panic!("a file that is there: {failure:?}"));
    let size = file.size;
    let chunks: Vec<Result<Bytes, Failure>> = file.chunks.collect().await;
    let mut all = Vec::new();
    for chunk in chunks {
        all.extend_from_slice(&chunk.unwrap_or_else(|failure| panic!("a file that is there: {failure:?}")));
    }
    assert!(all == FILE_TEXT.as_bytes(), "other bytes than the file's");
    assert!(size.is_none_or(|size| size == FILE_TEXT.len() as u64), "{size:?} is not its length");
    match kit.download(FileManner::Gone).await {
        Ok(_) => panic!("a file that is gone was opened"),
        Err(failure) => assert_eq!(failure, Failure::Refused(codes::FILE_GONE)),
    }
}
