//! Doing one operation at Zoom, once.

use dragoman_model::{Emoji, Operation, Outcome, Post, RemoteMessage, Spokesman, codes};
use dragoman_platform::{Conversation, Session, TokenSlot};
use http::Method;
use serde_json::{Value, json};

use crate::api::{Call, CallError, segment};
use crate::client::Client;
use crate::encode;
use crate::errors::{Act, Class};
use crate::files;
use crate::ids;
use crate::people::user_path;
use crate::wire::answers::{Emojis, Sent};

/// Does it.
pub(crate) async fn perform(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    operation: &Operation,
) -> Outcome {
    match operation {
        Operation::Post(post) => self::post(client, session, conversation, post).await,
        Operation::Edit { message, post } => {
            let text = encode::text(post);
            if text.message.is_empty() {
                return Outcome::Refused(codes::EMPTY);
            }
            let body = encode::update(&text, conversation);
            let call = |path| Call::with(Method::PUT, path, body.clone());
            let speaker = Speaker::of(&post.spokesman);
            match change(client, session, &speaker, message, "", call, Act::Edit).await {
                Outcome::Done(_) => Outcome::made(message.clone(), None),
                other => other,
            }
        }
        Operation::Delete { message, spokesman, .. } => {
            let (key, to) = encode::target(conversation);
            let call =
                |path| Call { method: Method::DELETE, path, query: vec![(key, to.clone())], body: None };
            let files = files::of_copy(client, session, conversation, message, spokesman).await;
            let speaker = Speaker::of(spokesman);
            let outcome = change(client, session, &speaker, message, "", call, Act::Delete).await;
            if matches!(outcome, Outcome::Done(_)) {
                files::forget(client, session, &speaker, &files).await;
            }
            outcome
        }
        Operation::React { message, emoji, spokesman, .. } => {
            react(client, session, conversation, message, emoji, spokesman, "add").await
        }
        Operation::Unreact { message, emoji, spokesman, .. } => {
            react(client, session, conversation, message, emoji, spokesman, "remove").await
        }
    }
}

/// As whom a call is made: the bridge user with the app's token, or a person with their own.
pub(crate) struct Speaker {
    /// The token.
    pub(crate) slot: TokenSlot,
}

impl Speaker {
    pub(crate) fn of(spokesman: &Spokesman) -> Self {
        let slot = match spokesman {
            Spokesman::App => TokenSlot::App,
            Spokesman::Person(person) => TokenSlot::Person(person.clone()),
        };
        Self { slot }
    }

    /// A path below the user that speaks.
    pub(crate) fn path(&self, session: &Session, rest: &str) -> String {
        match self.slot {
            TokenSlot::App => user_path(session, rest),
            TokenSlot::Person(_) => format!("chat/users/me/{rest}"),
        }
    }
}

async fn post(client: &Client, session: &Session, conversation: &Conversation, post: &Post) -> Outcome {
    let text = encode::text(post);
    if text.message.is_empty() {
        return Outcome::Refused(codes::EMPTY);
    }
    if encode::target(conversation).1.is_empty() {
        return Outcome::Refused(codes::CONFIG);
    }
    // Before the channel closes itself for minutes.
    let account = &session.installation.workspace;
    if client.settings.channel_budget
        && let Err(wait_ms) = client.budget.take(account, &conversation.remote, client.clock.monotonic_ms())
    {
        return Outcome::retry_after(wait_ms, codes::RATE_LIMITED);
    }
    let root = post.thread_root.as_ref();
    let forms = root.map(|root| client.memory.forms(root)).unwrap_or_default();
    let root = encode::root(&forms, root);
    let body = encode::post(&text, conversation, root.as_deref());
    let speaker = Speaker::of(&post.spokesman);
    let call = Call::with(Method::POST, speaker.path(session, "messages"), body);
    match client.call(session, &speaker.slot, &call).await {
        Ok(response) => match serde_json::from_slice::<Sent>(response.body.expose()) {
            Ok(Sent { id: Some(id) }) if !id.is_empty() => {
                let id = client.memory.id(&id);
                client.memory.sent(&id, client.clock.monotonic_ms());
                Outcome::made(id, None)
            }
            _ => Outcome::Unknown(codes::NO_ANSWER),
        },
        Err(error) => error.outcome(Act::Post),
    }
}

/// Does something to a message. Where Zoom does not know its id in one form, the other is tried: then nothing was
/// done. What was just sent is asked for again, since Zoom may deny it for about a second.
async fn change(
    client: &Client,
    session: &Session,
    speaker: &Speaker,
    message: &RemoteMessage,
    rest: &str,
    call: impl Fn(String) -> Call,
    act: Act,
) -> Outcome {
    let mut last = Outcome::MessageGone(codes::MESSAGE_GONE);
    for form in client.memory.forms(message) {
        let path = speaker.path(session, &format!("messages/{}{rest}", segment(&form)));
        match client.call(session, &speaker.slot, &call(path)).await {
            Ok(_) => return Outcome::done(),
            Err(error) if error.class() == Some(Class::Message) => last = error.outcome(act),
            Err(error) => return error.outcome(act),
        }
    }
    let settle_ms = client.settings.settle_ms;
    if client.memory.is_fresh(message, client.clock.monotonic_ms(), settle_ms.saturating_mul(3)) {
        return Outcome::retry_after(settle_ms, codes::MESSAGE_GONE);
    }
    last
}

async fn react(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    message: &RemoteMessage,
    emoji: &Emoji,
    spokesman: &Spokesman,
    action: &str,
) -> Outcome {
    let (key, to) = encode::target(conversation);
    let mut body = json!({ "action": action, key: to });
    match emoji {
        Emoji::Unicode(characters) => body["emoji"] = json!(ids::written_emoji(characters)),
        Emoji::Custom { name, .. } => match custom(client, session, name).await {
            Ok(Some(id)) => {
                body["custom_emoji"] = json!(true);
                body["custom_emoji_id"] = json!(id);
            }
            Ok(None) => return Outcome::Refused(codes::REFUSED),
            Err(error) => return error.outcome(Act::React),
        },
    }
    let call = |path| Call::with(Method::PATCH, path, body.clone());
    change(client, session, &Speaker::of(spokesman), message, "/emoji_reactions", call, Act::React).await
}

/// The file of a custom emoji. Zoom searches for three letters and more.
async fn custom(client: &Client, session: &Session, name: &str) -> Result<Option<String>, CallError> {
    if name.chars().count() < 3 {
        return Ok(None);
    }
    let call = Call::get("chat/emoji".to_owned()).and("search_key", name);
    let found: Emojis = client.read(session, &call).await?;
    let same = |emoji: &&crate::wire::answers::CustomEmoji| emoji.name.as_deref() == Some(name);
    Ok(found.emojis.iter().find(same).and_then(|emoji| emoji.file_id.clone()))
}

/// Reports that an installation's data was deleted, as Zoom's data compliance asks: the event with its signature
/// goes back.
pub(crate) async fn uninstalled(
    client: &Client,
    app: &dragoman_platform::App,
    receipt: &str,
) -> Result<(), dragoman_platform::Failure> {
    use dragoman_platform::Failure;
    let event: Value = serde_json::from_str(receipt).map_err(|_| Failure::Malformed(codes::MALFORMED))?;
    let secret = app.secret("client_secret").ok_or(Failure::SignIn(codes::CONFIG))?;
    let id = app.fact("client_id");
    let body = json!({
        "client_id": id,
        "user_id": event["user_id"],
        "account_id": event["account_id"],
        "deauthorization_event_received": event,
        "compliance_completed": true,
    });
    let url = client.settings.compliance_url.clone();
    match client.report(url, id, secret, body.to_string()).await {
        Ok(_) => Ok(()),
        // Zoom has retired the call; where it does not answer to it any more, there is nobody to tell.
        Err(error) if error.class() == Some(Class::Refused) => Ok(()),
        Err(error) => Err(error.failure()),
    }
}
