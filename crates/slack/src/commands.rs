//! The slash command: from its signed form to an item, from the item to what was asked, and the answer to it.

use std::borrow::Cow;

use dragoman_model::{
    Asked, DeliveryKey, Document, Event, EventKind, Happening, Outcome, RemoteMessage, RemoteWorkspace, codes,
};
use dragoman_platform::http::HttpRequest;
use dragoman_platform::{Answer, Delivery, Failure, Item, Rejection};
use dragoman_seal::Content;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::client::Client;

/// The feed of commands, and the last part of their path.
pub(crate) const FEED: &str = "commands";

/// The longest answer that is tried: Slack takes it for half an hour, and at most five times.
const LONGEST_ADDRESS: usize = 2_000;

/// Reads the body of a command request, ids only. What is typed is answered at `response_url`, so that the acknowledgement
/// says nothing.
pub(crate) fn read(body: &[u8], now_ms: i64) -> Result<Delivery, Rejection> {
    let malformed = || Rejection::Malformed(codes::MALFORMED);
    let answer = Answer::status(StatusCode::OK);
    // Slack looks at the certificate from time to time.
    if field(body, "ssl_check").is_some_and(|check| check == "1") {
        return Ok(Delivery { items: Vec::new(), answer, dropped: Vec::new() });
    }
    let filled = |name| field(body, name).filter(|value| !value.is_empty());
    // As with events: an installation of a whole organisation has its id.
    let whole = filled("is_enterprise_install").is_some_and(|word| word == "true");
    let workspace = filled("enterprise_id").filter(|_| whole).or_else(|| filled("team_id"));
    let workspace = RemoteWorkspace::from(&*workspace.ok_or_else(malformed)?);
    let trigger = filled("trigger_id").ok_or_else(malformed)?;
    filled("user_id").ok_or_else(malformed)?;
    let item = Item {
        workspace,
        conversation: None,
        message: None,
        thread_root: None,
        kind: EventKind::Control,
        delivery_key: Some(DeliveryKey::from(format!("command/{trigger}"))),
        at_ms: now_ms,
        feed: FEED,
        payload: Content::copied_from(body),
    };
    Ok(Delivery { items: vec![item], answer, dropped: Vec::new() })
}

/// The same from a frame of Socket Mode, where the fields are those of an object.
pub(crate) fn read_frame(payload: &str, now_ms: i64) -> Result<Delivery, Rejection> {
    let malformed = |_| Rejection::Malformed(codes::MALFORMED);
    let fields: serde_json::Map<String, Value> = serde_json::from_str(payload).map_err(malformed)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        match value {
            Value::String(text) => form.append_pair(name, text),
            Value::Bool(set) => form.append_pair(name, if *set { "true" } else { "false" }),
            _ => &mut form,
        };
    }
    let body = Content::new(form.finish().into_bytes());
    read(body.expose(), now_ms)
}

/// What somebody asked for.
pub(crate) fn event(payload: &[u8]) -> Result<Event, Failure> {
    let filled = |name| field(payload, name).filter(|value| !value.is_empty());
    let malformed = || Failure::Malformed(codes::MALFORMED);
    let trigger = filled("trigger_id").ok_or_else(malformed)?;
    let user = filled("user_id").ok_or_else(malformed)?;
    let text = filled("text").unwrap_or_default();
    let answer_at = filled("response_url").filter(|address| address.len() <= LONGEST_ADDRESS);
    let asked = Asked {
        id: RemoteMessage::from(format!("command/{trigger}")),
        user: (&*user).into(),
        words: Document::plain(text.trim()).normalise(),
        answer_at: answer_at.map(Cow::into_owned),
    };
    Ok(Event { conversation: None, at_ms: 0, happening: Happening::Asked(Box::new(asked)) })
}

/// Answers where it was typed; only its author sees it. The address is Slack's and needs no token.
pub(crate) async fn answer(client: &Client, address: &str, words: &Document) -> Outcome {
    let Ok(url) = Url::parse(address) else { return Outcome::Refused(codes::REFUSED) };
    let body = said(words).to_string();
    let request = HttpRequest::new(Method::POST, url)
        .only(client.file_hosts())
        .body("application/json; charset=utf-8", body);
    match client.http.send(request).await {
        Ok(response) if response.status.is_success() => Outcome::done(),
        Ok(response) if response.status == StatusCode::TOO_MANY_REQUESTS => {
            let now_ms = client.clock.now_ms();
            let after_ms = dragoman_platform::http::retry_after_ms(&response.headers, now_ms);
            Outcome::Retry {
                after_ms: after_ms.or(Some(1_000)),
                code: codes::RATE_LIMITED,
                whole_installation: false,
            }
        }
        // Used up, too late, or another answer than Slack's.
        Ok(_) => Outcome::Refused(codes::REFUSED),
        Err(error) => error.into_send_outcome(),
    }
}

fn said(words: &Document) -> Value {
    let rendered = dragoman_markup::slack::render(words);
    json!({
        "response_type": "ephemeral",
        "replace_original": false,
        "text": rendered.text,
        "blocks": rendered.blocks,
    })
}

/// A field of a form.
fn field<'a>(body: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(body).find(|(known, _)| known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        form.finish().into_bytes()
    }

    const USUAL: [(&str, &str); 6] = [
        ("team_id", "T1"),
        ("enterprise_id", "E1"),
        ("user_id", "U1"),
        ("trigger_id", "13.7.x"),
        ("text", " bo@harbor.example hi & bye "),
        ("response_url", "https://hooks.slack.example/commands/1"),
    ];

    #[test]
    fn a_command_is_read_without_its_text_and_then_with_it() {
        let delivery = read(&form(&USUAL), 5).unwrap_or_else(|_| panic!("it is a command"));
        let [item] = &delivery.items[..] else { panic!("one item") };
        assert_eq!((item.workspace.as_str(), item.at_ms, item.feed), ("T1", 5, FEED));
        assert_eq!(item.delivery_key.as_ref().map(DeliveryKey::as_str), Some("command/13.7.x"));
        assert!(delivery.answer.body.is_empty() && delivery.answer.status == StatusCode::OK);
        let Ok(Event { happening: Happening::Asked(asked), .. }) = event(item.payload.expose()) else {
            panic!("something is asked for")
        };
        assert_eq!(dragoman_markup::plain(&asked.words), "bo@harbor.example hi & bye");
        assert_eq!((asked.user.as_str(), asked.id.as_str()), ("U1", "command/13.7.x"));
        assert_eq!(asked.answer_at.as_deref(), Some("https://hooks.slack.example/commands/1"));

        let frame = json!({ "team_id": "T1", "enterprise_id": null, "user_id": "U1", "trigger_id": "13.7.x",
            "is_enterprise_install": false, "text": "list", "response_url": "https://hooks.slack.example/c" });
        let framed = read_frame(&frame.to_string(), 5).unwrap_or_else(|_| panic!("it is a command"));
        assert_eq!(framed.items[0].delivery_key, item.delivery_key);
        assert!(event(framed.items[0].payload.expose()).is_ok());
    }

    #[test]
    fn whole_organisations_are_named_by_their_own_id_and_checks_are_acknowledged() {
        let whole = [&USUAL[..], &[("is_enterprise_install", "true")]].concat();
        let delivery = read(&form(&whole), 0).unwrap_or_else(|_| panic!("it is a command"));
        assert_eq!(delivery.items[0].workspace.as_str(), "E1");
        let check = read(&form(&[("ssl_check", "1"), ("token", "x")]), 0);
        assert!(check.is_ok_and(|check| check.items.is_empty()));
        for missing in ["team_id", "user_id", "trigger_id"] {
            let rest: Vec<_> = USUAL.into_iter().filter(|(name, _)| *name != missing).collect();
            assert!(matches!(read(&form(&rest), 0), Err(Rejection::Malformed(_))), "{missing}");
        }
        assert!(read(b"\xff%%&&==", 0).is_err() && read_frame("[]", 0).is_err());
        assert!(event(b"").is_err());
    }
}
