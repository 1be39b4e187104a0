//! Files that a bot gives people in their own chats with it: it offers one by a card, the person accepts or declines,
//! the bot writes it into the person's drive and shows it (Send and receive files using a bot).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use serde_json::{Value, json};

use super::activity::{base, deliver_and};
use super::control;
use super::drive::{Maker, applications, bad_name};
use super::handle::{TeamsSim, number};
use super::model::Refusal;
use super::sim::{Core, Inner};

/// The card that offers a file: `{"contentType", "name", "content": {"description", "sizeInBytes", "acceptContext",
/// "declineContext"}}`.
const CONSENT: &str = "application/vnd.microsoft.teams.card.file.consent";
/// The card that shows a file which was accepted: `{"contentType", "contentUrl", "name", "content": {"uniqueId",
/// "fileType"}}`.
pub(super) const INFO: &str = "application/vnd.microsoft.teams.card.file.info";

/// What somebody said to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The bot is being told.
    Asked,
    Accepted,
    Declined,
}

impl Answer {
    /// As the page calls it.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        }
    }
}

/// The cards that are answered, by the id of their attachment: a card that a bot puts in the place of another is new.
pub(super) type Answers = BTreeMap<String, Answer>;

/// What is wrong with the file cards of an activity, if anything is.
pub(super) fn check(
    core: &Core,
    inner: &Inner,
    app: &str,
    conversation: &str,
    activity: &Value,
) -> Result<(), String> {
    let attachments = activity["attachments"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(card) = attachments.iter().find(|a| a["contentType"] == CONSENT || a["contentType"] == INFO)
    else {
        return Ok(());
    };
    // The activity that answers names a message, so that one cannot hold two.
    if attachments.len() > 1 {
        return Err("A file card is the only attachment of its activity.".into());
    }
    let chat = core.tenant.conversations.get(conversation).filter(|c| c.bot.as_deref() == Some(app));
    let Some(reader) = chat.and_then(|c| c.members.first()) else {
        return Err("Bots send files in personal chats only.".into());
    };
    let bot = core.tenant.apps.get(app).and_then(|a| a.seed.bot.as_ref());
    if !bot.is_some_and(|bot| bot.supports_files) {
        return Err("The app's manifest does not set supportsFiles.".into());
    }
    if card["contentType"] == CONSENT {
        offer(card)
    } else {
        if card["name"].as_str().is_none_or(str::is_empty) {
            return Err("A file info card needs the file's name.".into());
        }
        let (address, id) = (card["contentUrl"].as_str(), card["content"]["uniqueId"].as_str());
        let path = address.and_then(|address| address.strip_prefix(&inner.site(core)));
        let item = path.and_then(|path| core.drives.by_path(path));
        let given =
            item.filter(|it| it.consented && it.owner() == Some(reader) && it.by.app.as_deref() == Some(app));
        if given.is_some_and(|it| id.is_some_and(|id| id.eq_ignore_ascii_case(&it.guid))) {
            Ok(())
        } else {
            Err("contentUrl and uniqueId name no file that was uploaded with consent.".into())
        }
    }
}

/// What is wrong with an offer.
fn offer(card: &Value) -> Result<(), String> {
    let content = &card["content"];
    // What SharePoint would refuse later is refused at once.
    if card["name"].as_str().is_none_or(bad_name) {
        return Err("A file consent card needs the name of a file.".into());
    }
    if content["sizeInBytes"].as_u64().is_none_or(|size| size == 0) {
        return Err("A file consent card needs sizeInBytes, a positive integer.".into());
    }
    for key in ["acceptContext", "declineContext"] {
        if !content.get(key).is_some_and(|context| context.is_object() || context.is_null()) {
            return Err(format!("A file consent card needs {key}, an object or null."));
        }
    }
    Ok(())
}

impl TeamsSim {
    /// A person accepts the file that a bot offers in their own chat with it: the bot is told where to put it. Until it
    /// answered the card counts as answered; if it refuses or keeps silent, the card can be pressed again.
    ///
    /// # Errors
    /// When the chat is not the person's, the message offers no file, or the card is answered.
    pub fn accept_file(&self, person: &str, conversation: &str, message: &str) -> Result<(), Refusal> {
        self.answer_file(person, conversation, message, Answer::Accepted)
    }

    /// A person declines the file that a bot offers in their own chat with it; the rest is as with accepting.
    ///
    /// # Errors
    /// When the chat is not the person's, the message offers no file, or the card is answered.
    pub fn decline_file(&self, person: &str, conversation: &str, message: &str) -> Result<(), Refusal> {
        self.answer_file(person, conversation, message, Answer::Declined)
    }

    fn answer_file(
        &self,
        person: &str,
        conversation: &str,
        message: &str,
        answer: Answer,
    ) -> Result<(), Refusal> {
        let (inner, number) = (&self.inner, number(message)?);
        let (app, card, session, activity) = {
            let mut core = inner.core();
            let (app, card) = offered(&core, person, conversation, number)?;
            let id = card["id"].as_str().unwrap_or_default().to_owned();
            if core.answers.contains_key(&id) {
                return Err(Refusal::Answered);
            }
            let (value, session) =
                said(&mut core, inner, (person, &app), &card, answer).ok_or(Refusal::NoOffer)?;
            let (service_url, guid) = (inner.service_url(&core), core.tenant.guid());
            let c = core.tenant.conversations.get(conversation).ok_or(Refusal::NoConversation)?;
            let mut a = base(&core.tenant, &service_url, &app, c, person, inner.now());
            a["type"] = json!("invoke");
            a["id"] = json!(format!("f:{guid}"));
            a["name"] = json!("fileConsent/invoke");
            a["replyToId"] = json!(message);
            a["value"] = value;
            a["channelData"]["source"] = json!({"name": "message"});
            core.answers.insert(id.clone(), Answer::Asked);
            (app, id, session, a)
        };
        let pressed = Pressed {
            inner: Arc::downgrade(inner),
            card,
            session,
            place: (conversation.to_owned(), number),
            answer,
            taken: AtomicBool::new(false),
        };
        pressed.announce();
        deliver_and(inner, &app, &activity, Some(conversation), Arc::new(move || pressed.taken()));
        Ok(())
    }
}

/// The bot and its card in a message of a person's own chat with it.
fn offered(core: &Core, person: &str, conversation: &str, message: u64) -> Result<(String, Value), Refusal> {
    let c = core.tenant.conversations.get(conversation).ok_or(Refusal::NoConversation)?;
    if !core.tenant.sees(person, c) {
        return Err(Refusal::NotMember);
    }
    let m = c.messages.get(&message).ok_or(Refusal::NoMessage)?;
    if m.deleted.is_some() {
        return Err(Refusal::Deleted);
    }
    let card = m.draft.attachments.iter().find(|a| a["contentType"] == CONSENT);
    c.bot.clone().zip(card.cloned()).ok_or(Refusal::NoOffer)
}

/// The `value` of the activity, and the upload session that is opened for who accepts.
fn said(
    core: &mut Core,
    inner: &Inner,
    (person, app): (&str, &str),
    card: &Value,
    answer: Answer,
) -> Option<(Value, Option<String>)> {
    let content: Value = serde_json::from_str(card["content"].as_str()?).ok()?;
    if answer != Answer::Accepted {
        let context = &content["declineContext"];
        return Some((json!({"type": "fileUpload", "action": "decline", "context": context}), None));
    }
    let (name, size) = (card["name"].as_str()?, content["sizeInBytes"].as_u64()?);
    let by = Maker { person: Some(person.to_owned()), app: Some(app.to_owned()) };
    let promise = core.drives.promise(&applications(person), name, by, size, inner.now())?;
    let site = inner.site(core);
    let kind = promise.name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let value = json!({
        "type": "fileUpload", "action": "accept", "context": content["acceptContext"],
        "uploadInfo": {
            "contentUrl": format!("{site}{}", promise.path), "name": promise.name,
            "uploadUrl": format!("{site}/_api/upload/{}", promise.key),
            "uniqueId": promise.guid, "fileType": kind,
        },
    });
    Some((value, Some(promise.key)))
}

/// A button that was pressed: what it says holds once the bot took it, and nothing was said if it never does.
struct Pressed {
    inner: Weak<Inner>,
    card: String,
    /// Where the file goes, for who accepts.
    session: Option<String>,
    place: (String, u64),
    answer: Answer,
    taken: AtomicBool,
}

impl Pressed {
    fn taken(&self) {
        self.taken.store(true, Ordering::SeqCst);
        if let Some(inner) = self.inner.upgrade() {
            inner.core().answers.insert(self.card.clone(), self.answer);
        }
        self.announce();
    }

    /// Tells open pages.
    fn announce(&self) {
        let Some(inner) = self.inner.upgrade() else { return };
        let (conversation, message) = &self.place;
        let message = control::message(&inner.core(), conversation, *message);
        inner.changes.announce(json!({"type": "touched", "conversation": conversation, "message": message}));
    }
}

impl Drop for Pressed {
    fn drop(&mut self) {
        if self.taken.load(Ordering::SeqCst) {
            return;
        }
        if let Some(inner) = self.inner.upgrade() {
            let mut core = inner.core();
            core.answers.remove(&self.card);
            // The bot may have heard of the session all the same.
            if let Some(session) = &self.session {
                core.drives.let_go(session);
            }
        }
        self.announce();
    }
}
