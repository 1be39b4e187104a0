//! What people give to the app's bot, and its answers.

use dragoman_model::{Document, Happening, Outcome, codes};
use dragoman_platform::Connector as _;
use serde_json::{Value, json};

use crate::fake::{FakeZoom, Reply, error};
use crate::support::{ACCOUNT, CHANNEL, NOW_MS, connector, event, id, message, offline, session, signed};

const ROBOT: &str = "v1lantern@xmpp.zoom.us";
const ANA: &str = "ana-user-id@xmpp.zoom.us";

fn channel() -> String {
    format!("{CHANNEL}@conference.xmpp.zoom.us")
}

/// Where a command is to be answered that was given there.
async fn asked_in(to: &str) -> String {
    let body = json!({ "event": "bot_notification", "event_ts": NOW_MS, "payload": {
        "accountId": ACCOUNT, "cmd": "list", "robotJid": ROBOT, "timestamp": NOW_MS, "toJid": to,
        "userId": "Ana-User-Id", "userJid": ANA, "triggerId": "t1",
    } });
    let connector = offline();
    let delivery =
        connector.receive(&crate::support::app(), &signed(body.to_string(), NOW_MS)).await.unwrap();
    let item = &delivery.items[0];
    let event = connector.open(&session(), item.feed, &item.payload).await.unwrap();
    let Happening::Asked(asked) = event.happening else { panic!("something is asked for") };
    asked.answer_at.expect("the event tells where")
}

fn sent(number: u64) -> Value {
    json!({ "message_id": id(number), "robot_jid": ROBOT, "to_jid": ANA, "user_jid": ANA,
        "sent_time": "2026-01-02 03:55:18" })
}

/// A Zoom that knows the app, and answers the bot so.
async fn zoom(answer: impl Fn() -> Reply + Send + Sync + 'static) -> FakeZoom {
    FakeZoom::start(move |call| {
        if call.what == "POST /oauth/token" {
            assert_eq!(call.form()["grant_type"], "client_credentials");
            return json!({ "access_token": "bot-token", "token_type": "bearer", "expires_in": 3599 }).into();
        }
        answer()
    })
    .await
}

#[tokio::test]
async fn the_bot_answers_as_itself_in_the_chat_of_who_asked() {
    let words = Document::plain("*Ana* <https://x.example|x>: open").normalise();
    let zoom = zoom(|| Reply(201, "", sent(9).to_string())).await;
    for to in [channel(), ROBOT.to_owned()] {
        let at = asked_in(&to).await;
        assert_eq!(connector(&zoom.url()).answer(&session(), &at, &words).await, Outcome::done());
        let calls = zoom.calls();
        let [token, call] = &calls[..] else { panic!("a token, then the answer: {}", calls.len()) };
        assert!(token.headers["authorization"].starts_with("Basic "), "as the app itself");
        assert_eq!((call.what.as_str(), call.token()), ("POST /v2/im/chat/messages", "bot-token"));
        let expected = json!({
            "robot_jid": ROBOT, "to_jid": ANA, "user_jid": ANA, "account_id": ACCOUNT, "is_markdown_support": false,
            "content": { "body": [{ "type": "message", "text": "*Ana* <https://x.example|x>: open" }] },
        });
        assert_eq!(call.json(), expected);
    }
}

#[tokio::test]
async fn what_the_bot_cannot_say_is_said_in_the_chat_and_nothing_is_lost() {
    let words = Document::plain("hello").normalise();
    let at = asked_in(&channel()).await;
    // It may not write to them; it is no bot of this app; the token is no bot's; the event was about another one.
    for (status, code) in [(403, 7004), (403, 7003), (404, 7002), (401, 7010), (400, 7001), (404, 8001)] {
        let zoom = zoom(move || error(status, code, "no")).await;
        let outcome = connector(&zoom.url()).answer(&session(), &at, &words).await;
        assert!(
            !matches!(outcome, Outcome::Done(_) | Outcome::Retry { after_ms: Some(_), .. }),
            "{code}: {outcome:?}"
        );
    }
    let zoom =
        zoom(|| error(429, 429, "You have reached the maximum per-second rate limit for this API.")).await;
    let outcome = connector(&zoom.url()).answer(&session(), &at, &words).await;
    assert!(
        matches!(outcome, Outcome::Retry { after_ms: Some(_), code: codes::RATE_LIMITED, .. }),
        "{outcome:?}"
    );
    // Nothing is asked of Zoom where it is known beforehand.
    zoom.calls();
    let long = Document::plain(&"so ".repeat(2_000)).normalise();
    for (at, words) in [(at.as_str(), &long), (at.as_str(), &Document::default()), ("nowhere", &words)] {
        let outcome = connector(&zoom.url()).answer(&session(), at, words).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    }
    assert!(zoom.calls().is_empty());
}

#[tokio::test]
async fn what_the_bot_said_is_ours_wherever_it_shows() {
    let zoom = zoom(|| Reply(201, "", sent(9).to_string())).await;
    let connector = connector(&zoom.url());
    let at = asked_in(&channel()).await;
    connector.answer(&session(), &at, &Document::plain("hello").normalise()).await;
    for (number, ours) in [(9, true), (8, false)] {
        let body = event("team_chat.channel_message_posted", NOW_MS, &message(number, "hello"));
        let delivery = connector.receive(&crate::support::app(), &signed(body, NOW_MS)).await.unwrap();
        let item = &delivery.items[0];
        let event = connector.open(&session(), item.feed, &item.payload).await.unwrap();
        let Happening::Posted(message) = event.happening else { panic!("a message") };
        assert_eq!(message.origin.ours, ours, "{number}");
    }
}
