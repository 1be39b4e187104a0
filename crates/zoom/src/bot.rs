//! The app's chatbot: it answers, as itself, what was given to it ("Send Chatbot messages").
//!
//! It answers in the chat that a person has with it, also what was given in a channel. There the answer could be shown to
//! its author alone (`visible_to_user`), but whether that takes a user id or a JID is left open (its description says the
//! one, its example is the other), and a wrong one might show to everybody with whom somebody writes.

use dragoman_model::{Document, Inline, Outcome, codes};
use dragoman_platform::Session;
use http::Method;
use serde_json::{Value, json};

use crate::api::{Call, CallError};
use crate::client::Client;
use crate::errors::Act;
use crate::tokens;
use crate::wire::answers::BotSent;

/// The longest text of a block, in bytes.
const MOST_TEXT: usize = 4_000;
/// Where a command is answered.
#[derive(PartialEq, Eq, Debug)]
struct Place<'a> {
    /// The bot.
    robot: &'a str,
    /// Who asked.
    user: &'a str,
}

/// Where what a person gave to the bot is answered, in words of ours. `None`: the event does not tell.
pub(crate) fn answer_at(payload: &Value) -> Option<String> {
    // They come back in words that are separated by spaces.
    let jid = |key: &str| {
        let jid = payload.get(key).and_then(Value::as_str).map(str::trim)?;
        (jid.contains('@') && !jid.contains(char::is_whitespace)).then_some(jid)
    };
    Some(format!("{} {}", jid("robotJid")?, jid("userJid")?))
}

fn place(answer_at: &str) -> Option<Place<'_>> {
    let mut words = answer_at.split(' ');
    Some(Place { robot: words.next()?, user: words.next()? })
}

/// Says it as the bot. Refused where the bot cannot, or because it is too long.
pub(crate) async fn answer(client: &Client, session: &Session, answer_at: &str, words: &Document) -> Outcome {
    let text = plain(words);
    let Some(place) = place(answer_at).filter(|_| text.len() <= MOST_TEXT) else {
        return Outcome::Refused(codes::REFUSED);
    };
    if text.is_empty() {
        return Outcome::Refused(codes::EMPTY);
    }
    let token = match tokens::own(client, &session.app).await {
        Ok(token) => token,
        Err(failure) => return failure.into_outcome(),
    };
    let body = said(&place, session.installation.workspace.as_str(), &text);
    let call = Call::with(Method::POST, "im/chat/messages".to_owned(), body);
    match client.bearer(&call, &token).await {
        Ok(response) => {
            let sent = serde_json::from_slice::<BotSent>(response.body.expose()).ok();
            if let Some(id) = sent.and_then(|sent| sent.message_id).filter(|id| !id.is_empty()) {
                let id = client.memory.id(&id);
                client.memory.said(&id);
            }
            Outcome::done()
        }
        Err(CallError::Garbled) => Outcome::Unknown(codes::NO_ANSWER),
        Err(error) => error.outcome(Act::Post),
    }
}

/// The words without markup: what people are called is nothing but text, and no sign that is documented would keep it so.
/// Addresses stand behind their words, and what is to be typed is between signs that show where it ends.
fn plain(words: &Document) -> String {
    let shown = words.clone().map_inlines(&mut |inline| match inline {
        Inline::Link { url, mut text } if !text.is_empty() => {
            text.push(Inline::Text(format!(": {url}")));
            Inline::Link { url, text }
        }
        Inline::Code(text) => Inline::Text(format!("`{text}`")),
        other => other,
    });
    dragoman_markup::plain(&shown)
}

fn said(place: &Place<'_>, account: &str, text: &str) -> Value {
    json!({
        "robot_jid": place.robot,
        "to_jid": place.user,
        "user_jid": place.user,
        "account_id": account,
        "is_markdown_support": false,
        "content": { "body": [{ "type": "message", "text": text }] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROBOT: &str = "v1lantern@xmpp.zoom.example";
    const IMANI: &str = "imani@xmpp.zoom.example";
    const LAUNCH: &str = "launch@conference.xmpp.zoom.example";

    #[test]
    fn a_command_is_answered_to_its_author_alone_wherever_it_was_given() {
        for to in [LAUNCH, ROBOT] {
            let at =
                answer_at(&json!({ "robotJid": ROBOT, "userJid": IMANI, "toJid": to })).unwrap_or_default();
            let at = place(&at);
            assert_eq!(at, Some(Place { robot: ROBOT, user: IMANI }));
            let body = at.map(|place| said(&place, "A1", "*hello*")).unwrap_or_default();
            assert_eq!((&body["to_jid"], &body["user_jid"]), (&json!(IMANI), &json!(IMANI)));
            assert_eq!((&body["account_id"], &body["is_markdown_support"]), (&json!("A1"), &json!(false)));
            assert_eq!(body["content"]["body"][0]["text"], "*hello*");
        }
    }

    #[test]
    fn addresses_and_what_is_to_be_typed_are_not_lost() {
        let text = |text: &str| Inline::Text(text.to_owned());
        let url = "https://gateway.example/link/1".to_owned();
        let line = vec![
            Inline::Link { url: url.clone(), text: vec![text("Open this link")] },
            text(" or type "),
            Inline::Code("connect".to_owned()),
            text(", "),
            Inline::Link { url: url.clone(), text: Vec::new() },
        ];
        let words = Document { blocks: vec![dragoman_model::Block::Paragraph(line)] };
        assert_eq!(plain(&words), format!("Open this link: {url} or type `connect`, {url}"));
    }

    #[test]
    fn what_names_nobody_is_answered_in_the_chat() {
        for broken in [
            json!({}),
            json!({ "robotJid": ROBOT, "toJid": LAUNCH }),
            json!({ "robotJid": ROBOT, "userJid": "", "toJid": LAUNCH }),
            json!({ "robotJid": 7, "userJid": IMANI }),
            json!({ "robotJid": "v1 x@y", "userJid": IMANI, "toJid": LAUNCH }),
        ] {
            assert_eq!(answer_at(&broken), None, "{broken}");
        }
        assert!(place("").is_none() && place("a").is_none());
    }
}
