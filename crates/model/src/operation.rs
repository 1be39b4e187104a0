//! What a connector is asked to do at a target.

use crate::ids::{Marker, PersonId, RemoteConversation, RemoteMessage, Version};
use crate::text::{Document, Emoji};

/// One thing to do at a target conversation. Ids are the target's.
#[derive(Clone)]
pub enum Operation {
    /// Post a message (one part of one).
    Post(Post),
    /// Replace the text of a message that we posted.
    Edit {
        /// Which message.
        message: RemoteMessage,
        /// Its new state; `thread_root`, `author` and `spokesman` as when it was posted.
        post: Post,
    },
    /// Delete a message that we posted.
    Delete {
        /// Where.
        conversation: RemoteConversation,
        /// Which.
        message: RemoteMessage,
        /// The root of its thread, where it is a reply.
        thread_root: Option<RemoteMessage>,
        /// As whom it was posted.
        spokesman: Spokesman,
    },
    /// Add a reaction.
    React {
        /// Where.
        conversation: RemoteConversation,
        /// To which message.
        message: RemoteMessage,
        /// The root of its thread, where it is a reply.
        thread_root: Option<RemoteMessage>,
        /// With what.
        emoji: Emoji,
        /// As whom.
        spokesman: Spokesman,
    },
    /// Take a reaction back.
    Unreact {
        /// Where.
        conversation: RemoteConversation,
        /// From which message.
        message: RemoteMessage,
        /// The root of its thread, where it is a reply.
        thread_root: Option<RemoteMessage>,
        /// Which.
        emoji: Emoji,
        /// As whom.
        spokesman: Spokesman,
    },
}

impl Operation {
    /// The word that metrics and log lines use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Post(_) => "post",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::React { .. } => "react",
            Self::Unreact { .. } => "unreact",
        }
    }

    /// Where it happens.
    pub fn conversation(&self) -> &RemoteConversation {
        match self {
            Self::Post(post) | Self::Edit { post, .. } => &post.conversation,
            Self::Delete { conversation, .. }
            | Self::React { conversation, .. }
            | Self::Unreact { conversation, .. } => conversation,
        }
    }
}

/// A message to post.
#[derive(Clone)]
pub struct Post {
    /// Where.
    pub conversation: RemoteConversation,
    /// The root of the thread to reply in.
    pub thread_root: Option<RemoteMessage>,
    /// Whether a reply also goes to the conversation.
    pub broadcast: bool,
    /// Whose words these are.
    pub author: ShownAuthor,
    /// As whom the call is made.
    pub spokesman: Spokesman,
    /// What it says; mentions carry the target's ids, and what the target cannot mention is text.
    pub body: Document,
    /// Recognises the copy afterwards, where the platform can carry it.
    pub marker: Marker,
}

/// How the author is shown.
#[derive(Clone)]
pub struct ShownAuthor {
    /// The name, neutralised (no control or look-alike trickery), not yet escaped for any markup.
    pub name: String,
    /// Where the author writes: `Slack`, `Teams`; shown beside the name. Empty for notices of our own.
    pub via: String,
    /// A public, signed, expiring link to the picture.
    pub avatar_url: Option<String>,
}

/// With whose token the call is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Spokesman {
    /// The app.
    App,
    /// A person who granted the gateway a token.
    Person(PersonId),
}

/// A message found at a target when the outcome of a send was unknown.
#[derive(Clone)]
pub struct Candidate {
    /// Its id.
    pub message: RemoteMessage,
    /// When it was posted, milliseconds since 1970, on the platform's clock.
    pub at_ms: i64,
    /// Its state.
    pub version: Option<Version>,
    /// Whether it says what the post says; otherwise it may be an earlier text of the same message, or another's copy.
    pub same: bool,
    /// The name of its first file, where it has one. Content.
    pub file: Option<String>,
    /// What lies beside it and is not deleted with it, as [`crate::Done::beside`] has it.
    pub beside: Option<String>,
}
