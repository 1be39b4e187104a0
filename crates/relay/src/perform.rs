//! Doing at the target what was planned, and judging what came of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dragoman_model::{Code, Operation, Outcome, RemoteMessage, codes};
use dragoman_platform::Failure;
use dragoman_store::Mutation;

use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;
use crate::freight::{Carried, Unread, judge_unread, reason};
use crate::leg::{Doubt, Leg};
use crate::pending::Spoken;
use crate::plan::{Step, first_part};
use crate::retry::Verdict;
use crate::settle::{Ending, Shown};
use crate::turn::Turn;
use crate::unknown::Lost;
use crate::voice::speaker;

impl Relay {
    /// Performs steps in order; each of several is recorded as soon as it is done.
    pub(crate) async fn do_steps(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        source: &Spot,
        target: &Spot,
        steps: Vec<Step>,
        mut ending: Ending,
    ) -> Result<Turn, RelayError> {
        let several = steps.len() > 1;
        let as_person = steps.iter().any(|step| speaker(&step.operation).is_some());
        // Until what is said is in the map, or known not to have been said.
        let spoken = Spoken { seq: leg.place.1, in_doubt: leg.doubt() != Doubt::None };
        let _speaking = as_person.then(|| self.0.pending.speak(&target.id, spoken));
        for step in steps {
            let now_ms = self.now_ms();
            let installation = &target.place.session.installation.id;
            if let Err(until_ms) = self.with_breaker(installation, |breaker| breaker.admit(now_ms)) {
                return Ok(Turn::Hold(until_ms));
            }
            let several = several || step.freight.is_some();
            let message = ending.shown.as_ref().map(|shown| shown.original.message.clone());
            let outcome = match self.perform(leg, (source, message.as_ref()), target, &step).await? {
                Carried::Answered(outcome) => outcome,
                Carried::Unread(failure, took_ms) => {
                    return self.unread(leg, fence, source, &step, (failure, took_ms), ending).await;
                }
                Carried::Stopped => return Ok(Turn::Hold(self.now_ms())),
            };
            match outcome {
                Outcome::Done(done) => {
                    self.0.parts.faults.hit("settle.before");
                    if let Some(shown) = &mut ending.shown
                        && let Some(copy) = shown.record(&step, &done, &target.id)
                    {
                        // In memory before it is durable: a store that fails must not make it go out again.
                        leg.add_part(copy.clone());
                        if several {
                            let (leg, lane) = (leg.id.clone(), leg.lane.clone());
                            self.store().commit(Mutation::Progress { leg, lane, fence, copy }).await?;
                        }
                    }
                    if let Operation::Delete { message, .. } = &step.operation {
                        ending.removed.push((target.id.clone(), message.clone()));
                    }
                }
                Outcome::MessageGone(code) => match &step.operation {
                    Operation::Delete { message, .. } => {
                        ending.removed.push((target.id.clone(), message.clone()));
                    }
                    // Somebody removed the copy at the target. It stays in the map, so that later events do not
                    // bring it back.
                    Operation::Edit { .. } => {
                        ending.code.get_or_insert(code);
                    }
                    // Nor is a correction posted where nobody sees what it corrects.
                    Operation::Post(_) if step.part >= first_part(1) => {
                        ending.code.get_or_insert(code);
                    }
                    // Once: what is planned anew may go into the same thread, as a correction's file does.
                    Operation::Post(post)
                        if post.thread_root.is_some() && !leg.rootless.swap(true, Ordering::Relaxed) =>
                    {
                        return Ok(Turn::Later(self.now_ms(), code));
                    }
                    Operation::Post(_) if step.freight.is_some() => {
                        return Ok(self.bar(leg, &step, reason(code, codes::FILE_REFUSED)));
                    }
                    _ => return self.judge(leg, fence, &Outcome::Refused(code), ending).await,
                },
                Outcome::Refused(codes::NOT_EDITABLE) if matches!(step.operation, Operation::Edit { .. }) => {
                    leg.uneditable.store(true, Ordering::Relaxed);
                    return Ok(Turn::Later(self.now_ms(), codes::NOT_EDITABLE));
                }
                outcome if self.lost_voice(leg, (source, target), &step.operation, &outcome).await? => {
                    if leg.voiceless.swap(true, Ordering::Relaxed) {
                        // Planned anew it was the same: a part of it stands in that name alone.
                        let refused = Outcome::Refused(codes::OWN_TOKEN);
                        return self.judge(leg, fence, &refused, ending).await;
                    }
                    return Ok(Turn::Later(self.now_ms(), codes::OWN_TOKEN));
                }
                Outcome::Gone(code) | Outcome::Refused(code)
                    if matches!(step.operation, Operation::Post(_)) && speaker(&step.operation).is_some() =>
                {
                    // The app may say what its author may not.
                    if !leg.voiceless.swap(true, Ordering::Relaxed) {
                        return Ok(Turn::Later(self.now_ms(), code));
                    }
                    // Planned anew it was the same: other parts of it stand in that name.
                    if step.freight.is_some() {
                        return Ok(self.bar(leg, &step, reason(code, codes::FILE_REFUSED)));
                    }
                    return self.judge(leg, fence, &Outcome::Refused(code), ending).await;
                }
                Outcome::Refused(code) if step.freight.is_some() => {
                    return Ok(self.bar(leg, &step, reason(code, codes::FILE_REFUSED)));
                }
                outcome => return self.judge_at(&target.place, leg, fence, &outcome, ending).await,
            }
        }
        if target.place.trouble.is_some() && !as_person {
            self.set_trouble(&target.place, None).await?;
        }
        self.end(leg, fence, ending).await
    }

    /// Does a step. `source` is where the original is, and which message it is there.
    async fn perform(
        &self,
        leg: &Leg,
        (source, message): (&Spot, Option<&RemoteMessage>),
        target: &Spot,
        step: &Step,
    ) -> Result<Carried, RelayError> {
        if let (Operation::Delete { spokesman, .. }, Some(beside)) = (&step.operation, &step.beside) {
            let place = &target.place;
            let discard =
                place.connector.discard(&place.session, &target.conversation, spokesman, beside).await;
            match discard {
                Outcome::Unknown(code) => return Ok(Carried::Answered(Outcome::retry(code))),
                again @ (Outcome::Retry { .. } | Outcome::SignIn(_)) => {
                    self.note_answer(leg, target, &again);
                    return Ok(Carried::Answered(again));
                }
                // What may not be deleted stays; the message goes all the same.
                Outcome::Refused(code) | Outcome::Gone(code) => {
                    tracing::warn!(leg = %leg.id, %code, "what lies beside a deleted copy stays there");
                }
                Outcome::Done(_) | Outcome::MessageGone(_) => {}
            }
        }
        let Operation::Post(post) = &step.operation else {
            return Ok(Carried::Answered(match self.call(leg, target, &step.operation).await {
                // Doing these twice does no harm.
                Outcome::Unknown(code) => Outcome::retry(code),
                outcome => outcome,
            }));
        };
        let lost = Lost { post, file: step.freight.as_ref().map(|file| file.name.as_str()) };
        // While it is looked for, others may not take it for known.
        let doubt = leg.doubt();
        let worth = doubt == Doubt::Grave || doubt == Doubt::Slight && target.capabilities.read_back;
        if worth && let Some(found) = self.look(leg, target, lost, doubt).await? {
            return Ok(Carried::Answered(found));
        }
        leg.set_doubt(Doubt::None);
        self.0.parts.faults.hit("send.before");
        let expected = self.0.pending.expect(post.marker.clone());
        let carried = match (&step.freight, message) {
            (Some(file), Some(message)) => {
                self.carry(leg, source, message, target, post, (file, step.destination.as_ref())).await
            }
            _ => Carried::Answered(self.call(leg, target, &step.operation).await),
        };
        let carried = match carried {
            Carried::Answered(Outcome::Unknown(code)) => {
                Carried::Answered(self.unknown(leg, target, lost, expected, code).await?)
            }
            carried => carried,
        };
        if worth && !matches!(carried, Carried::Answered(Outcome::Done(_))) {
            // What may have gone out is perhaps this part in another's name, or the line that stood for it: each is
            // looked for when it is due.
            leg.set_doubt(doubt.max(leg.doubt()));
        }
        Ok(carried)
    }

    /// A file could not be read: it is tried again as long as that promises something, and not at the cost of what
    /// waits behind it.
    async fn unread(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        source: &Spot,
        step: &Step,
        (failure, took_ms): (Failure, i64),
        ending: Ending,
    ) -> Result<Turn, RelayError> {
        match judge_unread(failure, leg.count_unread(took_ms)) {
            Unread::Again(failure) => {
                self.judge_at(&source.place, leg, fence, &failure.into_outcome(), ending).await
            }
            Unread::Bar(code) => Ok(self.bar(leg, step, code)),
        }
    }

    /// A file will not pass: its part is planned anew as a line.
    fn bar(&self, leg: &Leg, step: &Step, code: Code) -> Turn {
        tracing::info!(leg = %leg.id, %code, "a file becomes a line");
        if let Some(key) = &step.file {
            leg.bar(key, code);
        }
        Turn::Later(self.now_ms(), code)
    }

    /// One call, with what the target's pace and the breaker learn from its outcome.
    pub(crate) async fn call(&self, leg: &Leg, target: &Spot, operation: &Operation) -> Outcome {
        let place = &target.place;
        let outcome = place.connector.perform(&place.session, &target.conversation, operation).await;
        self.0.parts.faults.hit("send.unanswered");
        self.note_answer(leg, target, &outcome);
        outcome
    }

    /// What the target's pace and the breaker learn from an outcome.
    pub(crate) fn note_answer(&self, leg: &Leg, target: &Spot, outcome: &Outcome) {
        let place = &target.place;
        let now_ms = self.now_ms();
        let interval_ms = self.interval(&leg.lane);
        self.with_breaker(&place.session.installation.id, |breaker| breaker.learn(outcome, now_ms));
        self.with_lanes(|lanes| {
            lanes.sent(&leg.lane, interval_ms, now_ms);
            if matches!(outcome, Outcome::Retry { code: codes::RATE_LIMITED, .. }) {
                lanes.complained(&leg.lane, interval_ms);
            }
        });
    }

    /// Judges an outcome that is not `Done`, of a call to this installation.
    pub(crate) async fn judge_at(
        &self,
        place: &Arc<Place>,
        leg: &Arc<Leg>,
        fence: i64,
        outcome: &Outcome,
        ending: Ending,
    ) -> Result<Turn, RelayError> {
        if let Outcome::SignIn(code) = outcome {
            self.set_trouble(place, Some(*code)).await?;
        }
        self.judge(leg, fence, outcome, ending).await
    }

    /// Judges an outcome that is not `Done`. What `ending` says was done is kept, whatever becomes of the rest.
    async fn judge(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        outcome: &Outcome,
        ending: Ending,
    ) -> Result<Turn, RelayError> {
        let ladder = &self.timing().ladder;
        let random = &*self.0.parts.random;
        match ladder.judge(outcome, leg.failed(), leg.event.row.received_ms, self.now_ms(), random) {
            Verdict::Again { at_ms, code } => Ok(Turn::Later(at_ms, code)),
            Verdict::Look(code) => Ok(Turn::Later(self.now_ms(), code)),
            Verdict::Dead(code) => {
                let shown = ending.shown.and_then(Shown::unfinished);
                let dead = Ending { shown, removed: ending.removed, fate: ending.fate, ..Ending::dead(code) };
                self.end(leg, fence, dead).await
            }
        }
    }

    pub(crate) async fn end(&self, leg: &Arc<Leg>, fence: i64, ending: Ending) -> Result<Turn, RelayError> {
        self.settle(leg, fence, ending).await?;
        Ok(Turn::Settled)
    }
}
