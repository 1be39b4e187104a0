//! Files into a person's own chat with the bot: the bot asks with a card, and puts the file into the drive of whoever
//! accepts it. Source: "Send and receive files through a bot".

use dragoman_model::codes::{BAD_REQUEST, FILE_EMPTY, KIND, MALFORMED};
use dragoman_model::{Destination, Happening, Marker, Outcome, Post, RemoteMessage};
use dragoman_platform::{Conversation, FileBytes, Session, Share};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::connector::TeamsConnector;
use crate::errors::Trouble;
use crate::files::{ANSWER_CAP, file_name, upload_outcome};
use crate::wire::activity::Activity;
use crate::wire::message::ChatMessage;

/// A card that asks for a file to be taken.
const CARD: &str = "application/vnd.microsoft.teams.card.file.consent";
/// A card that shows a file that was taken.
const SHOWN: &str = "application/vnd.microsoft.teams.card.file.info";

/// Where a file goes that somebody accepted: `uploadInfo` of the answer. Who has the address can write there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadInfo {
    upload_url: String,
    content_url: String,
    name: String,
    unique_id: String,
    #[serde(default)]
    file_type: String,
}

/// Whether an activity is an answer to such a card.
pub(crate) fn is_answer(activity: &Activity) -> bool {
    activity.name == "fileConsent/invoke" && activity.conversation.conversation_type == "personal"
}

/// What the answer says.
pub(crate) fn answer(activity: &Activity) -> Happening {
    let (Some(value), Some(offer), true) = (&activity.value, &activity.reply_to_id, is_answer(activity))
    else {
        return Happening::Ignored(KIND);
    };
    let offer = RemoteMessage::from(offer.as_str());
    match value["action"].as_str() {
        Some("accept") if UploadInfo::deserialize(&value["uploadInfo"]).is_ok() => {
            Happening::FileAnswered { offer, destination: Some(Destination(value["uploadInfo"].to_string())) }
        }
        Some("accept") => Happening::Ignored(MALFORMED),
        Some("decline") => Happening::FileAnswered { offer, destination: None },
        _ => Happening::Ignored(KIND),
    }
}

/// What a message of ours with a card of a file is, to who looks for a post.
pub(crate) enum Card {
    /// It asks, for this post, or shows a file, which has this name.
    Of(String),
    /// It is another's.
    Another,
}

/// The card of a file that a message has. `None`: it has none.
pub(crate) fn card_of(message: &ChatMessage, marker: &Marker) -> Option<Card> {
    let named = |name: Option<String>| name.map_or(Card::Another, Card::Of);
    message.attachments.iter().find_map(|card| match card.content_type.as_str() {
        CARD => {
            let content = match &card.content {
                Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
                other => other.clone().unwrap_or_default(),
            };
            let ours = content["acceptContext"]["marker"] == marker.as_str();
            Some(named(card.name.clone().filter(|_| ours)))
        }
        SHOWN => Some(named(card.name.clone())),
        _ => None,
    })
}

/// The activity that asks. It can say no more than whose file it is.
fn card(post: &Post, name: &str, size: u64) -> Vec<u8> {
    let author = &post.author;
    let whose = match (author.name.as_str(), author.via.as_str()) {
        ("", _) => String::new(),
        (name, "") => name.to_owned(),
        (name, via) => format!("{name} ({via})"),
    };
    let context = json!({ "marker": post.marker.as_str() });
    let content = json!({
        "description": whose, "sizeInBytes": size, "acceptContext": context, "declineContext": context,
    });
    let attachment = json!({ "contentType": CARD, "name": file_name(name), "content": content });
    json!({ "type": "message", "attachments": [attachment] }).to_string().into_bytes()
}

/// The activity that shows what was taken.
fn shown(info: &UploadInfo) -> Vec<u8> {
    let content = json!({ "uniqueId": info.unique_id, "fileType": info.file_type });
    let attachment = json!({
        "contentType": SHOWN, "contentUrl": info.content_url, "name": info.name, "content": content,
    });
    json!({ "type": "message", "attachments": [attachment] }).to_string().into_bytes()
}

/// Whether whatever somebody granted is there no more.
fn is_over(trouble: &Trouble) -> bool {
    matches!(trouble.status(), Some(401 | 403 | 404 | 410))
}

impl TeamsConnector {
    /// Asks for a file to be taken; or puts it where somebody said, and asks again where that is over.
    pub(crate) async fn hand_over(
        &self,
        session: &Session,
        conversation: &Conversation,
        share: &Share,
        bytes: FileBytes,
    ) -> Outcome {
        let size = match bytes.size {
            Some(0) => return Outcome::Refused(FILE_EMPTY),
            Some(size) => size,
            None => return Outcome::Refused(BAD_REQUEST),
        };
        if let Some(destination) = &share.destination {
            let Ok(info) = serde_json::from_str::<UploadInfo>(&destination.0) else {
                return Outcome::Refused(BAD_REQUEST);
            };
            match self.put_there(&info, size, bytes).await {
                Ok(()) => {
                    return self.post_activity(session, conversation, &share.post, None, shown(&info)).await;
                }
                Err(trouble) if is_over(&trouble) => {}
                Err(trouble) => return upload_outcome(trouble),
            }
        }
        let body = card(&share.post, &share.name, size);
        self.post_activity(session, conversation, &share.post, None, body).await
    }

    /// Puts a file where somebody said, from where an earlier attempt ended.
    async fn put_there(&self, info: &UploadInfo, size: u64, bytes: FileBytes) -> Result<(), Trouble> {
        let url = Url::parse(&info.upload_url).map_err(|_| Trouble::Garbled)?;
        let begin = self.resumes_at(&url).await?;
        if begin >= size {
            return Err(Trouble::Garbled);
        }
        let answer = self.fill(&url, (begin, size), bytes.chunks).await?;
        // It is there, whatever else is said of it.
        drop(answer.read(ANSWER_CAP).await);
        Ok(())
    }
}
