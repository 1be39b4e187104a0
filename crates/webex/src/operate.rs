//! Doing one operation at Webex, once.

use dragoman_markup::degrade;
use dragoman_model::{
    Operation, Outcome, PersonId, Post, RemoteConversation, RemoteMessage, RemoteUser, Spokesman, Version,
    codes,
};
use dragoman_platform::{Failure, Session, TokenSlot};
use http::Method;
use serde_json::Value;
use url::Url;

use crate::client::{Call, Client, understood};
use crate::echo::Flight;
use crate::errors::{Doing, Trouble};
use crate::wire::answers as wire;
use crate::{encode, ids};

/// Does it.
pub(crate) async fn perform(client: &Client, session: &Session, operation: &Operation) -> Outcome {
    match operation {
        Operation::Post(post) => self::post(client, session, post).await,
        Operation::Edit { message, post } => edit(client, session, message, post).await,
        Operation::Delete { conversation, message, spokesman, .. } => {
            let url = message_url(client, conversation.as_str(), message.as_str());
            let call = Call::new(Method::DELETE, url);
            match client.call(session, &slot(spokesman), &call).await {
                Ok(_) => Outcome::done(),
                Err(trouble) => trouble.outcome(Doing::Delete, is_alone(spokesman)),
            }
        }
        // There is no public API for reactions.
        Operation::React { .. } | Operation::Unreact { .. } => Outcome::Refused(codes::NOT_CARRIED),
    }
}

/// What became of a post, and what it made.
pub(crate) type Sent = (Outcome, Option<RemoteMessage>);

async fn post(client: &Client, session: &Session, post: &Post) -> Outcome {
    let said = || encode::squeezed(&degrade::webex(post.body.clone()));
    as_speaker(client, session, post, said, send(client, session, post)).await
}

/// Posts; while it is under way in a person's name, what that person says waits to be told from it.
pub(crate) async fn as_speaker(
    client: &Client,
    session: &Session,
    post: &Post,
    said: impl Fn() -> String + Send,
    send: impl Future<Output = Sent> + Send,
) -> Outcome {
    let Spokesman::Person(person) = &post.spokesman else { return send.await.0 };
    let user = match account(client, session, person).await {
        Ok(user) => user,
        Err(failure) => return failure.into_outcome(),
    };
    let flight: Flight<'_> = client.echoes.fly(&ids::room(post.conversation.as_str()), &user);
    let (outcome, made) = send.await;
    match (&outcome, made) {
        (_, Some(made)) => flight.made(&made),
        (Outcome::Unknown(_), None) => flight.lost(&said()),
        _ => {}
    }
    outcome
}

/// Posts to a person, which makes the direct space where there is none; the space.
pub(crate) async fn post_to_person(
    client: &Client,
    session: &Session,
    user: &RemoteUser,
    post: &Post,
) -> Result<RemoteConversation, Failure> {
    let body = encode::post_to_person(user.as_str(), &encode::text(post));
    let made = match posted(client, session, post, body).await {
        Ok(made) => made,
        // Nobody there, or an organisation that lets nobody in.
        Err(trouble) if matches!(trouble.status(), Some(400 | 403 | 404)) => {
            return Err(Failure::Refused(codes::REFUSED));
        }
        Err(trouble) => return Err(trouble.failure()),
    };
    let room = made.room_id.filter(|id| !id.is_empty()).ok_or(Failure::Malformed(codes::MALFORMED))?;
    Ok(ids::room(&room))
}

/// Posts, and where the root of the thread is refused, once more into the thread that the root itself is in.
async fn send(client: &Client, session: &Session, post: &Post) -> Sent {
    let text = encode::text(post);
    let room = post.conversation.as_str();
    let root = root(client, post);
    let doing = Doing::Post { reply: root.is_some() };
    let mut answer = posted(client, session, post, encode::post(post, &text, root.as_deref())).await;
    let refused = matches!(answer.as_ref().err().and_then(Trouble::status), Some(400 | 404));
    if let (Some(root), true) = (&root, refused)
        && let Some(upper) = root_of(client, session, post, root).await
    {
        answer = posted(client, session, post, encode::post(post, &text, Some(&upper))).await;
    }
    sent(room, answer, doing, is_alone(&post.spokesman))
}

/// The root of a post's thread, as far as it is known.
pub(crate) fn root(client: &Client, post: &Post) -> Option<String> {
    let root = post.thread_root.as_ref()?;
    let root = ids::public_message(post.conversation.as_str(), root.as_str());
    Some(client.memory.root(&root).unwrap_or(root))
}

/// What the answer to a post means.
pub(crate) fn sent(room: &str, answer: Result<wire::Message, Trouble>, doing: Doing, alone: bool) -> Sent {
    let made = answer.and_then(|made| made.id.clone().map(|id| (id, made)).ok_or(Trouble::Garbled));
    match made {
        Ok((id, made)) => {
            let id = ids::message(room, &id);
            (Outcome::made(id.clone(), Some(ids::version(made.updated.as_deref()))), Some(id))
        }
        Err(trouble) => (trouble.outcome(doing, alone), None),
    }
}

async fn posted(
    client: &Client,
    session: &Session,
    post: &Post,
    body: Value,
) -> Result<wire::Message, Trouble> {
    let call = Call::new(Method::POST, client.url(&["messages"], &[])).json(body);
    understood(&client.call(session, &slot(&post.spokesman), &call).await?)
}

/// The root of the thread that a message is a reply in. It is remembered.
pub(crate) async fn root_of(
    client: &Client,
    session: &Session,
    post: &Post,
    message: &str,
) -> Option<String> {
    let call = Call::get(message_url(client, post.conversation.as_str(), message));
    let found = client.call(session, &slot(&post.spokesman), &call).await.ok()?;
    let found: wire::Message = understood(&found).ok()?;
    let root = found.parent_id.filter(|root| !root.is_empty() && !ids::same(root, message))?;
    client.memory.learn_root(message, &root);
    Some(root)
}

async fn edit(client: &Client, session: &Session, message: &RemoteMessage, post: &Post) -> Outcome {
    let body = encode::edit(post, &encode::text(post));
    let url = message_url(client, post.conversation.as_str(), message.as_str());
    let call = Call::new(Method::PUT, url).json(body);
    match client.call(session, &slot(&post.spokesman), &call).await {
        Ok(response) => {
            let now: Option<wire::Message> = understood(&response).ok();
            let version: Option<Version> =
                now.and_then(|now| now.updated).map(|updated| ids::version(Some(&updated)));
            Outcome::made(message.clone(), version)
        }
        Err(trouble) => trouble.outcome(Doing::Edit, is_alone(&post.spokesman)),
    }
}

/// The account of a person, asked with their own token the first time.
pub(crate) async fn account(
    client: &Client,
    session: &Session,
    person: &PersonId,
) -> Result<RemoteUser, Failure> {
    if let Some(user) = client.echoes.account(person) {
        return Ok(user);
    }
    let call = Call::get(client.url(&["people", "me"], &[]));
    let slot = TokenSlot::Person(person.clone());
    let response = client.call(session, &slot, &call).await.map_err(Trouble::failure)?;
    let me: wire::Person = understood(&response).map_err(Trouble::failure)?;
    let user = ids::person(&me.id);
    client.echoes.learn_account(person, &user);
    Ok(user)
}

/// The address of a message.
pub(crate) fn message_url(client: &Client, room: &str, message: &str) -> Url {
    client.url(&["messages", &ids::public_message(room, message)], &[])
}

/// Whose token a call is made with.
pub(crate) fn slot(spokesman: &Spokesman) -> TokenSlot {
    match spokesman {
        Spokesman::App => TokenSlot::App,
        Spokesman::Person(person) => TokenSlot::Person(person.clone()),
    }
}

/// Rate limits are per token: a person's own is not the installation's.
pub(crate) fn is_alone(spokesman: &Spokesman) -> bool {
    matches!(spokesman, Spokesman::Person(_))
}
