//! A send whose outcome nobody knows: wait for its echo, look for it, and send again only when it is provably
//! absent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dragoman_model::operation::Candidate;
use dragoman_model::{Code, Document, Done, Marker, Operation, Outcome, Post, ShownAuthor, Spokesman, codes};
use dragoman_platform::{ConversationKind, Failure};

use crate::core::Relay;
use crate::directory::Spot;
use crate::error::RelayError;
use crate::files::{FILES_AT, is_alike, is_file};
use crate::leg::{Doubt, Leg};
use crate::notes::is_note;
use crate::pending::Expected;
use crate::plan::{self, Step};
use crate::settle::Ending;
use crate::turn::Turn;

/// How much earlier than our clock the target's may stamp a message, in milliseconds.
pub(crate) const SKEW_MS: i64 = 120_000;
/// The same for a note: it may say word for word what another one said a while ago, and is better said twice than taken for
/// that one.
const NOTE_SKEW_MS: i64 = 3_000;

/// What a look at a target brought.
enum Sight {
    /// No copy.
    Absent,
    /// This one.
    Copy(Candidate),
    /// It lets nothing be looked for.
    Blind,
    /// It cannot be told now.
    Failed(Failure),
}

/// A post whose outcome nobody knows.
#[derive(Clone, Copy)]
pub(crate) struct Lost<'a> {
    /// What was posted.
    pub(crate) post: &'a Post,
    /// The name of the file that was posted with it.
    pub(crate) file: Option<&'a str>,
}

impl Lost<'_> {
    /// Whether something that was found could be it.
    fn may_be(&self, found: &Candidate) -> bool {
        match (self.file, &found.file) {
            (Some(name), Some(found)) => is_alike(found, name),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Relay {
    /// Decides after a lost answer.
    pub(crate) async fn unknown(
        &self,
        leg: &Leg,
        target: &Spot,
        lost: Lost<'_>,
        mut expected: Expected<'_>,
        code: Code,
    ) -> Result<Outcome, RelayError> {
        let wait = Duration::from_millis(self.timing().echo_wait_ms);
        if let Ok(Some((message, version))) = tokio::time::timeout(wait, expected.wait()).await {
            return Ok(Outcome::made(message, version));
        }
        match self.look(leg, target, lost, Doubt::Grave).await? {
            Some(found) => Ok(found),
            // Provably absent: the ladder sends it again.
            None => Ok(Outcome::retry(code)),
        }
    }

    /// Looks for the copy that an earlier attempt may have made, and brings it to what the post says. `None`: there is
    /// none.
    pub(crate) async fn look(
        &self,
        leg: &Leg,
        target: &Spot,
        lost: Lost<'_>,
        doubt: Doubt,
    ) -> Result<Option<Outcome>, RelayError> {
        // A store that cannot be read now answers nothing, so the doubt stays.
        let sight = self
            .sight(leg, target, lost.post, doubt, &|found| lost.may_be(found))
            .await
            .inspect_err(|_| {
                leg.set_doubt(doubt);
            })?;
        let outcome = match sight {
            Sight::Absent => None,
            Sight::Blind => {
                leg.set_doubt(Doubt::None);
                return Ok(self.by_policy(leg, target, doubt));
            }
            // A file is what it was, and no text makes it another.
            Sight::Copy(found) if found.same || lost.file.is_some() => Some(Outcome::Done(Done {
                message: Some(found.message),
                version: found.version,
                beside: found.beside,
            })),
            Sight::Copy(found) => self.convert(leg, target, lost.post, found).await,
            Sight::Failed(failure) => Some(failure.into_outcome()),
        };
        // Where nothing can be said now the lane waits, and the doubt stays.
        let known = matches!(outcome, None | Some(Outcome::Done(_)));
        leg.set_doubt(if known { Doubt::None } else { doubt });
        Ok(outcome)
    }

    /// Ends a leg whose message is gone from its source: what may have gone out of it is removed.
    pub(crate) async fn take_back(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        source: &Spot,
        target: &Spot,
        ending: Ending,
    ) -> Result<Turn, RelayError> {
        let parts = leg.parts();
        let mut steps = plan::deletions(&target.conversation.remote, &parts);
        if leg.doubt() != Doubt::None {
            let row = &leg.event.row;
            let root = row.thread_root.as_ref().filter(|root| row.message.as_ref() != Some(root));
            // What went out last is a text or a file, whichever comes after what is known.
            let after = |files: bool| {
                let known = parts.iter().filter(|copy| is_file(copy.part) == files);
                known.map(|copy| copy.part + 1).max().unwrap_or(if files { FILES_AT } else { 0 })
            };
            let mut lost = Post {
                conversation: target.conversation.remote.clone(),
                thread_root: self.thread_of(leg, root, source, target).await?,
                broadcast: false,
                author: ShownAuthor { name: String::new(), via: String::new(), avatar_url: None },
                spokesman: Spokesman::App,
                body: Document::default(),
                marker: Marker::new(""),
            };
            for files in [false, true] {
                let next = after(files);
                lost.marker = self.vault().marker(&source.org, leg.id.as_str(), next).await?;
                match self
                    .sight(leg, target, &lost, leg.doubt(), &|found| found.file.is_some() == files)
                    .await?
                {
                    Sight::Copy(found) => {
                        let operation = Operation::Delete {
                            conversation: lost.conversation.clone(),
                            message: found.message,
                            thread_root: lost.thread_root.clone(),
                            spokesman: lost.spokesman.clone(),
                        };
                        steps.push(Step { beside: found.beside, ..Step::new(operation, next) });
                        break;
                    }
                    Sight::Absent | Sight::Blind => {}
                    Sight::Failed(failure) => {
                        let outcome = failure.into_outcome();
                        return self.judge_at(&target.place, leg, fence, &outcome, ending).await;
                    }
                }
            }
        }
        self.do_steps(leg, fence, source, target, steps, ending).await
    }

    /// Whether an attempt left a copy. In a lane one message at a time is under way, so what the app posted and nobody
    /// knows of is the one that is looked for, or one whose own leg will miss it.
    async fn sight(
        &self,
        leg: &Leg,
        target: &Spot,
        post: &Post,
        doubt: Doubt,
        may_be: &(dyn Fn(&Candidate) -> bool + Sync),
    ) -> Result<Sight, RelayError> {
        if !target.capabilities.read_back {
            return Ok(Sight::Blind);
        }
        let place = &target.place;
        let note = is_note(&leg.event.row);
        let skew_ms = if note { NOTE_SKEW_MS } else { SKEW_MS };
        let since_ms = leg.event.row.received_ms.min(self.now_ms()) - skew_ms;
        let parts = leg.parts();
        // What a process sent that ended may still be under way, as what was sent and not answered may be.
        for again in [doubt == Doubt::Grave, false] {
            let found = match place.connector.find(&place.session, &target.conversation, post, since_ms).await
            {
                Ok(found) => found,
                Err(Failure::Refused(_) | Failure::Malformed(_)) => return Ok(Sight::Blind),
                Err(failure) => return Ok(Sight::Failed(failure)),
            };
            let mut other = None;
            for candidate in found {
                if !may_be(&candidate)
                    || note && candidate.at_ms < since_ms
                    || parts.iter().any(|copy| copy.message == candidate.message)
                    || self.with_lanes(|lanes| lanes.whole_of(&leg.lane, &candidate.message)).is_some()
                    || self.store().original_of_copy(&target.id, &candidate.message).await?.is_some()
                {
                    continue;
                }
                if candidate.same {
                    return Ok(Sight::Copy(candidate));
                }
                // In the app's chat with one person it says other things in other people's names, too.
                if target.conversation.kind != ConversationKind::Direct {
                    other = Some(candidate);
                }
            }
            if let Some(other) = other {
                return Ok(Sight::Copy(other));
            }
            if !again {
                break;
            }
            self.pause_between_looks().await?;
        }
        Ok(Sight::Absent)
    }

    /// How long what the process before this one sent may still take effect, in milliseconds; not more than 0: it did.
    pub(crate) fn crash_patience_left_ms(&self) -> i64 {
        self.timing().crash_patience_ms - self.since_start_ms()
    }

    /// Milliseconds since this process began.
    pub(crate) fn since_start_ms(&self) -> i64 {
        self.0.parts.clock.monotonic_ms() - self.0.started_ms
    }

    /// Waits before the second look: what was sent by a process that ended may take effect as late as what this one
    /// sends.
    pub(crate) async fn pause_between_looks(&self) -> Result<(), RelayError> {
        let left_ms = u64::try_from(self.crash_patience_left_ms()).unwrap_or(0);
        let pause = Duration::from_millis(self.timing().look_pause_ms.max(left_ms));
        match tokio::time::timeout(pause, self.0.parts.stop.cancelled()).await {
            Ok(()) => Err(RelayError::Stopping),
            Err(_) => Ok(()),
        }
    }

    /// Makes what was found say what the post says; where it cannot be edited, it goes. `None`: it is gone.
    async fn convert(&self, leg: &Leg, target: &Spot, post: &Post, found: Candidate) -> Option<Outcome> {
        let edit = Operation::Edit { message: found.message.clone(), post: post.clone() };
        let outcome = match self.call(leg, target, &edit).await {
            Outcome::Done(done) => Outcome::made(found.message, done.version.or(found.version)),
            Outcome::Refused(_) => {
                let delete = Operation::Delete {
                    conversation: post.conversation.clone(),
                    message: found.message,
                    thread_root: post.thread_root.clone(),
                    spokesman: post.spokesman.clone(),
                };
                match self.call(leg, target, &delete).await {
                    Outcome::Done(_) => return None,
                    outcome => outcome,
                }
            }
            outcome => outcome,
        };
        match outcome {
            Outcome::MessageGone(_) => None,
            Outcome::Unknown(code) => Some(Outcome::retry(code)),
            outcome => Some(outcome),
        }
    }

    /// Where nothing can be looked for, the organisation decided beforehand.
    pub(crate) fn by_policy(&self, leg: &Leg, target: &Spot, doubt: Doubt) -> Option<Outcome> {
        if doubt != Doubt::Grave {
            return None;
        }
        if self.directory().policy(&target.org).prefer_duplicate {
            tracing::warn!(leg = %leg.id, code = %codes::MAYBE_TWICE, "a send of unknown outcome is repeated");
            leg.repeated.store(true, Ordering::Relaxed);
            None
        } else {
            tracing::warn!(leg = %leg.id, code = %codes::MAYBE_LOST, "a send of unknown outcome is not repeated");
            Some(Outcome::Refused(codes::MAYBE_LOST))
        }
    }
}
