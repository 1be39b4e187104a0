//! A file that its reader was offered, and what they answered: on some platforms an app puts a file where only its reader
//! sees it, and asks them first. Until then nothing of it is kept; its source is read once more.

use std::sync::Arc;

use dragoman_model::{Code, Destination, Document, FileRef, Happening, Message, Post, Spokesman, codes};
use dragoman_platform::Failure;
use dragoman_store::{CopyRow, OriginalRow};

use crate::core::Relay;
use crate::directory::Spot;
use crate::error::RelayError;
use crate::files::{Bounds, Cargo};
use crate::leg::Leg;
use crate::open::Opened;
use crate::plan::{Step, delete_step};
use crate::settle::{Ending, Shown};
use crate::turn::{Turn, nothing};

/// What a source has of a file that was offered.
enum Kept {
    /// Its message, and the file.
    File(Box<Message>, FileRef),
    /// Neither of them any more.
    Gone,
    /// It cannot be told now.
    Failed(Failure),
}

impl Relay {
    /// The turn of an answer to an offer: what offers the file makes room for the file.
    pub(crate) async fn offer_turn(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        target: &Spot,
    ) -> Result<Turn, RelayError> {
        if let Some(until_ms) = self.shut_until(target) {
            return Ok(Turn::Hold(until_ms));
        }
        let destination = match self.open(leg, &target.place, Some(target)).await? {
            Opened::Event(event) => match &event.happening {
                Happening::FileAnswered { destination: Some(destination), .. } => Some(destination.clone()),
                Happening::FileAnswered { destination: None, .. } => {
                    return self.end(leg, fence, Ending::delivered()).await;
                }
                _ => return self.end(leg, fence, Ending::dropped(codes::KIND)).await,
            },
            // It waited for too long, and what they granted is forgotten: they are asked once more.
            Opened::Nothing(codes::NOT_REREADABLE) => None,
            Opened::Nothing(code) => return self.end(leg, fence, nothing(leg, code)).await,
            Opened::Failed(failure) => {
                let outcome = failure.into_outcome();
                return self.judge_at(&target.place, leg, fence, &outcome, Ending::delivered()).await;
            }
        };
        let offered = match &leg.event.row.message {
            Some(offer) => self.store().original_of_copy(&target.id, offer).await?,
            None => None,
        };
        let Some((original, offer)) = offered else {
            // It was taken back, or has been answered.
            return self.end(leg, fence, Ending::dropped(codes::UNMAPPED)).await;
        };
        let Some(key) = offer.file.clone() else {
            return self.end(leg, fence, Ending::dropped(codes::UNMAPPED)).await;
        };
        let Some(source) = self.directory().spot(&original.conversation).cloned() else {
            return self.end(leg, fence, Ending::dropped(codes::UNBRIDGED)).await;
        };
        let (message, file) = match self.kept(&source, &original, &key).await? {
            Kept::File(message, file) => (message, file),
            // Its source tells of that, too: then the offer goes.
            Kept::Gone => return self.end(leg, fence, Ending::dropped(codes::FILE_GONE)).await,
            Kept::Failed(failure) => {
                let outcome = failure.into_outcome();
                return self.judge_at(&source.place, leg, fence, &outcome, Ending::delivered()).await;
            }
        };
        let steps = self.exchange(leg, (&source, target), &message, (file, key), &offer, destination).await?;
        let existing = self.store().copies((&original.conversation, &original.message), &target.id).await?;
        let first = existing.iter().min_by_key(|copy| copy.part);
        let shown = Shown {
            version: first.and_then(|copy| copy.version),
            fingerprint: first.and_then(|copy| copy.epoch.clone().zip(copy.fingerprint.clone())),
            original,
            copies: existing,
            made: leg.parts(),
        };
        let ending = Ending { shown: Some(shown), ..Ending::delivered() };
        self.do_steps(leg, fence, &source, target, steps, ending).await
    }

    /// What to do: the file comes, or a line that says why it does not, and the offer goes.
    async fn exchange(
        &self,
        leg: &Leg,
        (source, target): (&Spot, &Spot),
        message: &Message,
        (file, key): (FileRef, String),
        offer: &CopyRow,
        destination: Option<Destination>,
    ) -> Result<Vec<Step>, RelayError> {
        let policy = self.directory().policy(&source.org).files;
        let bounds = Bounds::of(&target.capabilities, &Spokesman::App, &policy);
        let objection = bounds.objection(&file.name, file.media_type.as_deref().as_slice(), &[], file.size);
        let reason: Option<Code> = leg.barred().get(&key).copied().or(objection);
        let part = offer.part;
        let remote = &target.conversation.remote;
        let mut steps = Vec::new();
        if !leg.parts().iter().any(|copy| copy.part == part) {
            let marker = self.vault().marker(&source.org, leg.id.as_str(), part).await?;
            let post = Post {
                conversation: remote.clone(),
                thread_root: offer.thread_root.clone(),
                broadcast: false,
                author: self.shown_author(source, target, message).await?,
                spokesman: Spokesman::App,
                body: Document::default(),
                marker: marker.clone(),
            };
            steps =
                Cargo::answered(file, key, part, reason).steps(&post, &Spokesman::App, &|_| marker.clone());
            for step in &mut steps {
                step.destination.clone_from(&destination);
            }
        }
        steps.push(delete_step(remote, offer));
        Ok(steps)
    }

    /// Reads the message of a file again.
    async fn kept(&self, source: &Spot, original: &OriginalRow, key: &str) -> Result<Kept, RelayError> {
        let place = &source.place;
        let root = original.thread_root.as_ref();
        let read =
            place.connector.message(&place.session, &source.conversation, root, &original.message).await;
        let message = match read {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Kept::Gone),
            Err(failure) => return Ok(Kept::Failed(failure)),
        };
        for file in &message.files {
            if self.vault().file_key(&source.org, &original.message, file.identity()).await? == key {
                let file = file.clone();
                return Ok(Kept::File(Box::new(message), file));
            }
        }
        Ok(Kept::Gone)
    }
}
