//! Doing things: as the bot through the Bot Connector, as a person through Graph.

use std::collections::BTreeMap;

use dragoman_markup::emoji::to_teams_reaction;
use dragoman_markup::teams::{MentionKind, RenderedMention};
use dragoman_model::codes::NOT_CARRIED;
use dragoman_model::{Emoji, Operation, Outcome, Post, RemoteMessage, Spokesman, Version};
use dragoman_platform::http::HttpResponse;
use dragoman_platform::{Conversation, Session};
use http::Method;
use serde_json::json;

use crate::client::{Call, Voice};
use crate::connector::TeamsConnector;
use crate::encode;
use crate::errors::{Doing, Trouble};
use crate::ids::{in_thread, is_channel, message_ms, segment};
use crate::wire::connector::ResourceAnswer;

impl TeamsConnector {
    pub(crate) async fn perform_operation(
        &self,
        session: &Session,
        conversation: &Conversation,
        operation: &Operation,
    ) -> Outcome {
        match spokesman(operation) {
            Spokesman::App => self.as_bot(session, conversation, operation).await,
            Spokesman::Person(person) => {
                let voice = Voice::Person(person.clone());
                self.as_person(session, conversation, operation, &voice).await
            }
        }
    }

    async fn as_bot(&self, session: &Session, conversation: &Conversation, operation: &Operation) -> Outcome {
        let remote = operation.conversation().as_str();
        let place = self.place(session, remote, Some(&conversation.facts));
        let url = self.service_url(&place);
        let at = |root: Option<&RemoteMessage>| {
            let thread = in_thread(remote, root.map(RemoteMessage::as_str));
            format!("v3/conversations/{}/activities", segment(&thread))
        };
        let one = |root: Option<&RemoteMessage>, message: &RemoteMessage| {
            format!("{}/{}", at(root), segment(message.as_str()))
        };
        let (doing, method, path, body) = match operation {
            Operation::Post(post) => {
                let body = self.activity(session, conversation, post).await;
                (Doing::Post, Method::POST, at(post.thread_root.as_ref()), Some(body))
            }
            Operation::Edit { message, post } => {
                let body = self.activity(session, conversation, post).await;
                (Doing::Edit, Method::PUT, one(post.thread_root.as_ref(), message), Some(body))
            }
            Operation::Delete { message, thread_root, .. } => {
                (Doing::Delete, Method::DELETE, one(thread_root.as_ref(), message), None)
            }
            Operation::React { message, thread_root, emoji, .. }
            | Operation::Unreact { message, thread_root, emoji, .. } => {
                let Some(kind) = reaction(emoji) else { return Outcome::Refused(NOT_CARRIED) };
                let path = format!("{}/reactions/{}", one(thread_root.as_ref(), message), segment(&kind));
                let add = matches!(operation, Operation::React { .. });
                let (doing, method) =
                    if add { (Doing::React, Method::PUT) } else { (Doing::Delete, Method::DELETE) };
                (doing, method, path, None)
            }
        };
        let answer = self.client.bot(&session.app, &url, method, &path, body).await;
        finish(answer, doing)
    }

    /// A post as an activity, with the accounts of everybody it mentions.
    async fn activity(&self, session: &Session, conversation: &Conversation, post: &Post) -> Vec<u8> {
        let text = encode::text(post);
        let remote = post.conversation.as_str();
        let app_id = session.app.fact("app_id");
        let mut accounts = BTreeMap::new();
        for mention in people(&text.mentions) {
            let known = match self.memory.account(app_id, &mention.id) {
                Some(account) => Some(account),
                None => self
                    .member(session, remote, Some(&conversation.facts), &mention.id)
                    .await
                    .ok()
                    .map(|it| it.id),
            };
            // Where the roster does not tell, the directory's id goes out; at worst nobody is notified.
            if let Some(account) = known.filter(|account| !account.is_empty()) {
                accounts.insert(mention.id.clone(), account);
            }
        }
        encode::activity(&text, &accounts)
    }

    async fn as_person(
        &self,
        session: &Session,
        conversation: &Conversation,
        operation: &Operation,
        voice: &Voice,
    ) -> Outcome {
        let remote = operation.conversation().as_str();
        let base = match self.path_of(session, conversation).await {
            Ok(base) => base,
            Err(failure) => return failure.into_outcome(),
        };
        let channel = is_channel(remote);
        let one = |root: Option<&RemoteMessage>, message: &RemoteMessage| match root.filter(|_| channel) {
            Some(root) => {
                format!("{base}/messages/{}/replies/{}", segment(root.as_str()), segment(message.as_str()))
            }
            None => format!("{base}/messages/{}", segment(message.as_str())),
        };
        let body = |post: &Post| {
            let app_id = session.app.fact("app_id");
            let text = encode::text(post);
            let objects = people(&text.mentions)
                .filter_map(|mention| Some((mention.id.clone(), self.memory.object(app_id, &mention.id)?)))
                .collect();
            encode::chat_message(&text, remote, &objects)
        };
        let (doing, method, path, body) = match operation {
            Operation::Post(post) => {
                let path = match post.thread_root.as_ref().filter(|_| channel) {
                    Some(root) => format!("{base}/messages/{}/replies", segment(root.as_str())),
                    None => format!("{base}/messages"),
                };
                (Doing::Post, Method::POST, path, Some(body(post)))
            }
            Operation::Edit { message, post } => {
                (Doing::Edit, Method::PATCH, one(post.thread_root.as_ref(), message), Some(body(post)))
            }
            Operation::Delete { message, thread_root, .. } => {
                let path = format!("{}/softDelete", one(thread_root.as_ref(), message));
                (Doing::Delete, Method::POST, path, None)
            }
            Operation::React { message, thread_root, emoji, .. }
            | Operation::Unreact { message, thread_root, emoji, .. } => {
                let Emoji::Unicode(characters) = emoji else { return Outcome::Refused(NOT_CARRIED) };
                let add = matches!(operation, Operation::React { .. });
                let verb = if add { "setReaction" } else { "unsetReaction" };
                let path = format!("{}/{verb}", one(thread_root.as_ref(), message));
                let doing = if add { Doing::React } else { Doing::Delete };
                (
                    doing,
                    Method::POST,
                    path,
                    Some(json!({ "reactionType": characters }).to_string().into_bytes()),
                )
            }
        };
        let mut call = Call::new(method, self.client.graph_url(&path));
        if let Some(body) = body {
            call = call.json(body);
        }
        finish(self.client.graph(session, voice, &call).await, doing)
    }
}

fn spokesman(operation: &Operation) -> &Spokesman {
    match operation {
        Operation::Post(post) | Operation::Edit { post, .. } => &post.spokesman,
        Operation::Delete { spokesman, .. }
        | Operation::React { spokesman, .. }
        | Operation::Unreact { spokesman, .. } => spokesman,
    }
}

fn people(mentions: &[RenderedMention]) -> impl Iterator<Item = &RenderedMention> {
    mentions.iter().filter(|mention| mention.kind == MentionKind::Person)
}

/// The reaction type of the Bot Framework.
fn reaction(emoji: &Emoji) -> Option<String> {
    match emoji {
        Emoji::Unicode(characters) => to_teams_reaction(characters),
        Emoji::Custom { .. } => None,
    }
}

/// What an answer says about what was done.
pub(crate) fn finish(answer: Result<HttpResponse, Trouble>, doing: Doing) -> Outcome {
    let response = match answer {
        Ok(response) => response,
        Err(trouble) => return trouble.outcome(doing),
    };
    if doing != Doing::Post {
        return Outcome::done();
    }
    let made: ResourceAnswer = serde_json::from_slice(response.body.expose()).unwrap_or_default();
    if made.id.is_empty() {
        // It is there, but nobody said where: it has to be looked for.
        return Trouble::Garbled.outcome(doing);
    }
    let version = message_ms(&made.id).map(Version);
    Outcome::made(RemoteMessage::from(made.id), version)
}
