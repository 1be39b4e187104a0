//! Doing one operation at Slack, once.

use dragoman_model::{
    Document, Emoji, Operation, Outcome, Post, RemoteConversation, RemoteMessage, RemoteUser, Spokesman,
    codes,
};
use dragoman_platform::{Failure, Session, TokenSlot};
use serde_json::{Value, json};

use crate::api::{Arguments, CallError};
use crate::client::Client;
use crate::encode;
use crate::errors::{self, Act, Class};
use crate::files;
use crate::ids;
use crate::wire::answers::{Nothing, Posted};

/// Does it.
pub(crate) async fn perform(client: &Client, session: &Session, operation: &Operation) -> Outcome {
    match operation {
        Operation::Post(post) => self::post(client, session, post).await,
        Operation::Edit { message, post } => edit(client, session, message, post).await,
        Operation::Delete { conversation, message, spokesman, .. } => {
            if let Some(outcome) = files::withdraw(client, session, operation).await {
                return outcome;
            }
            let arguments = json!({ "channel": conversation.as_str(), "ts": message.as_str() });
            let done: Result<Nothing, CallError> =
                client.call(session, &slot(spokesman), "chat.delete", &Arguments::Json(arguments)).await;
            done.map_or_else(|error| error.outcome(Act::Delete), |_| Outcome::done())
        }
        Operation::React { conversation, message, emoji, spokesman, .. } => {
            react(client, session, "reactions.add", conversation, message, emoji, spokesman).await
        }
        Operation::Unreact { conversation, message, emoji, spokesman, .. } => {
            react(client, session, "reactions.remove", conversation, message, emoji, spokesman).await
        }
    }
}

async fn post(client: &Client, session: &Session, post: &Post) -> Outcome {
    let face = encode::face(post, may_customise(session));
    let arguments = |plain| encode::post(post, face, plain);
    match write(client, session, &post.spokesman, "chat.postMessage", arguments).await {
        Ok(Posted { ts: Some(ts), message }) => {
            let edited = message.and_then(|message| message.edited).and_then(|edited| edited.ts);
            Outcome::made(RemoteMessage::from(ts), edited.as_deref().and_then(ids::version))
        }
        Ok(Posted { ts: None, .. }) => Outcome::Unknown(codes::NO_ANSWER),
        Err(error) => error.outcome(Act::Post),
    }
}

/// Shows a line to one person of a conversation. Slack keeps nothing of it and tells nobody.
pub(crate) async fn whisper(client: &Client, session: &Session, user: &RemoteUser, post: &Post) -> Outcome {
    let arguments = Arguments::Json(encode::whisper(user, post));
    let done: Result<Nothing, CallError> =
        client.call(session, &TokenSlot::App, "chat.postEphemeral", &arguments).await;
    done.map_or_else(|error| error.outcome(Act::Post), |_| Outcome::done())
}

/// Shows somebody the app's page in their sidebar.
pub(crate) async fn show_home(
    client: &Client,
    session: &Session,
    user: &RemoteUser,
    page: &Document,
) -> Result<(), Failure> {
    let arguments = Arguments::Json(encode::home(user, page));
    let shown: Result<Nothing, CallError> =
        client.call(session, &TokenSlot::App, "views.publish", &arguments).await;
    shown.map(drop).map_err(CallError::failure)
}

async fn edit(client: &Client, session: &Session, message: &RemoteMessage, post: &Post) -> Outcome {
    let face = encode::face(post, may_customise(session));
    let arguments = |plain| encode::update(message, post, face, plain);
    match write(client, session, &post.spokesman, "chat.update", arguments).await {
        Ok(Posted { message: state, .. }) => {
            let edited = state.and_then(|state| state.edited).and_then(|edited| edited.ts);
            Outcome::made(message.clone(), edited.as_deref().and_then(ids::version))
        }
        Err(error) => error.outcome(Act::Edit),
    }
}

/// Calls with blocks, and without them where Slack refuses these: then it has done nothing yet.
async fn write(
    client: &Client,
    session: &Session,
    spokesman: &Spokesman,
    method: &str,
    arguments: impl Fn(bool) -> Value,
) -> Result<Posted, CallError> {
    let slot = slot(spokesman);
    match client.call(session, &slot, method, &Arguments::Json(arguments(false))).await {
        Err(error) if errors::class(error.word()) == Class::Blocks => {
            client.call(session, &slot, method, &Arguments::Json(arguments(true))).await
        }
        other => other,
    }
}

async fn react(
    client: &Client,
    session: &Session,
    method: &str,
    conversation: &RemoteConversation,
    message: &RemoteMessage,
    emoji: &Emoji,
    spokesman: &Spokesman,
) -> Outcome {
    let Some(name) = encode::reaction_name(emoji) else { return Outcome::Refused(codes::REFUSED) };
    let arguments = json!({ "channel": conversation.as_str(), "timestamp": message.as_str(), "name": name });
    let done: Result<Nothing, CallError> =
        client.call(session, &slot(spokesman), method, &Arguments::Json(arguments)).await;
    done.map_or_else(|error| error.outcome(Act::React), |_| Outcome::done())
}

/// Whose token a call takes.
pub(crate) fn slot(spokesman: &Spokesman) -> TokenSlot {
    match spokesman {
        Spokesman::App => TokenSlot::App,
        Spokesman::Person(person) => TokenSlot::Person(person.clone()),
    }
}

/// Whether a copy may show its author's name and picture.
pub(crate) fn may_customise(session: &Session) -> bool {
    crate::capabilities::granted(&session.installation, "chat:write.customize")
}
