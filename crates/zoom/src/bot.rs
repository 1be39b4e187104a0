//! The app's chatbot: it answers, as itself, what was given to it where it was given ("Send Chatbot messages").

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
/// What the JID of a channel ends with, whatever the host.
const CHANNEL: &str = "@conference.";

/// Where a command is answered.
#[derive(PartialEq, Eq, Debug)]
struct Place<'a> {
    /// The bot.
    robot: &'a str,
    /// On whose behalf.
    user: &'a str,
    /// The channel, where it was given in one.
    channel: Option<&'a str>,
}

/// Where what a person gave to the bot is answered, in words of ours. `None`: the event does not tell.
pub(crate) fn answer_at(payload: &Value) -> Option<String> {
    // They come back in words that are separated by spaces.
    let jid = |key: &str| {
        let jid = payload.get(key).and_then(Value::as_str).map(str::trim)?;
        (jid.contains('@') && !jid.contains(char::is_whitespace)).then_some(jid)
    };
    let (robot, user) = (jid("robotJid")?, jid("userJid")?);
    let channel = jid("toJid").filter(|to| to.contains(CHANNEL));
    let words = [Some(robot), Some(user), channel];
    Some(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn place(answer_at: &str) -> Option<Place<'_>> {
    let words: Vec<&str> = answer_at.split(' ').collect();
    match words[..] {
        [robot, user] => Some(Place { robot, user, channel: None }),
        [robot, user, channel] => Some(Place { robot, user, channel: Some(channel) }),
        _ => None,
    }
}

/// Says it as the bot: in a channel to the one who asked alone, or else in their chat with the bot. Refused where the bot
/// cannot, because nobody added it to the channel, or because it is too long.
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
    let mut body = json!({
        "robot_jid": place.robot,
        "to_jid": place.channel.unwrap_or(place.user),
        "user_jid": place.user,
        "account_id": account,
        "is_markdown_support": false,
        "content": { "body": [{ "type": "message", "text": text }] },
    });
    if place.channel.is_some() {
        body["visible_to_user"] = json!(place.user);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROBOT: &str = "v1lantern@xmpp.zoom.example";
    const IMANI: &str = "imani@xmpp.zoom.example";
    const LAUNCH: &str = "launch@conference.xmpp.zoom.example";

    #[test]
    fn a_command_is_answered_where_it_was_given_to_its_author_alone() {
        let told = |to: &str| json!({ "robotJid": ROBOT, "userJid": IMANI, "toJid": to });
        let at = answer_at(&told(LAUNCH)).unwrap_or_default();
        let in_channel = place(&at);
        assert_eq!(in_channel, Some(Place { robot: ROBOT, user: IMANI, channel: Some(LAUNCH) }));
        let body = in_channel.map(|place| said(&place, "A1", "*hello*")).unwrap_or_default();
        assert_eq!((&body["to_jid"], &body["visible_to_user"]), (&json!(LAUNCH), &json!(IMANI)));
        assert_eq!((&body["account_id"], &body["user_jid"]), (&json!("A1"), &json!(IMANI)));
        assert_eq!(
            (&body["is_markdown_support"], &body["content"]["body"][0]["text"]),
            (&json!(false), &json!("*hello*"))
        );

        // What is written to the bot itself names the bot.
        let at = answer_at(&told(ROBOT)).unwrap_or_default();
        let body = place(&at).map(|place| said(&place, "A1", "hello")).unwrap_or_default();
        assert_eq!((&body["to_jid"], body.get("visible_to_user")), (&json!(IMANI), None));
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
        assert!(place("").is_none() && place("a b c d").is_none());
    }
}
