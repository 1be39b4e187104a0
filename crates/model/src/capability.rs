//! What a conversation can carry, as data that is asked before acting, never learnt by failing.

use std::collections::BTreeMap;

/// How well a feature arrives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Not carried, and said so beforehand.
    Refused,
    /// Dropped, and the sender is told.
    Dropped,
    /// Carried as something simpler: a line, a link, a note.
    Fallback,
    /// Carried, with a difference.
    Partial,
    /// As the platform's own.
    Native,
}

impl Level {
    /// The word that tables show.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dropped => "dropped with notice",
            Self::Fallback => "fallback",
            Self::Partial => "partial",
            Self::Native => "native",
        }
    }
}

macro_rules! features {
    ($(#[doc = $doc:literal] $name:ident = $word:literal;)*) => {
        /// What can be carried from one platform to another.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Feature {
            $(#[doc = $doc] $name,)*
        }

        impl Feature {
            /// All of them, in the order of the tables.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name that tables and `--json` use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What it is, in a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => without_dot($doc),)* }
            }
        }
    };
}

/// A doc comment as a phrase.
fn without_dot(doc: &'static str) -> &'static str {
    doc.trim().trim_end_matches('.')
}

features! {
    /// Text, emphasis, links, quotes, lists.
    Text = "text";
    /// Inline code and code blocks.
    Code = "code";
    /// Headings.
    Headings = "headings";
    /// Tables.
    Tables = "tables";
    /// A reply in a thread.
    ThreadReply = "thread-reply";
    /// A reply that is also sent to the conversation.
    Broadcast = "broadcast";
    /// An edit.
    Edit = "edit";
    /// A deletion.
    Deletion = "deletion";
    /// A mention of a person known on both sides.
    MentionPerson = "mention-person";
    /// A mention of everyone, when the source made it and policy allows.
    MentionEveryone = "mention-everyone";
    /// A reaction with the person's own token.
    ReactionOwn = "reaction-own";
    /// A reaction through the app.
    ReactionApp = "reaction-app";
    /// A file or an image.
    File = "file";
    /// The author's name.
    AuthorName = "author-name";
    /// The author's picture.
    AuthorPicture = "author-picture";
    /// A copy that appears as its author.
    OwnToken = "own-token";
    /// A quote, a forward, a link to a message.
    Quote = "quote";
    /// Cards, app posts, polls, calls, clips.
    Card = "card";
    /// Direct and group messages between platforms.
    DirectMessage = "direct-message";
    /// Custom emoji and GIFs.
    CustomEmoji = "custom-emoji";
    /// Joins, leaves, renames, topics.
    Notice = "notice";
}

/// The unit in which a platform counts the length of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextUnit {
    /// Unicode scalar values.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
    /// Code units of UTF-16.
    Utf16,
}

impl TextUnit {
    /// The length of a text in this unit.
    pub fn measure(self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Bytes => text.len(),
            Self::Utf16 => text.encode_utf16().count(),
        }
    }
}

/// How long a message may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TextLimit {
    /// At most so many, after rendering and escaping.
    pub max: usize,
    /// Of these.
    pub unit: TextUnit,
}

/// What a conversation, seen through an installation with its scopes, can carry and answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The level of each feature when the conversation is the target. A missing one is [`Level::Refused`].
    pub levels: BTreeMap<Feature, Level>,
    /// Levels that are others for what stands in its author's own name; they count where [`Feature::OwnToken`] is
    /// native.
    pub own_levels: BTreeMap<Feature, Level>,
    /// The longest message.
    pub text: TextLimit,
    /// Whether a message can be read again by id.
    pub reread: bool,
    /// Whether the newest messages can be listed, so that a send of unknown outcome can be looked for.
    pub read_back: bool,
    /// Whether what happened since a cursor can be listed.
    pub history: bool,
    /// Neighbours that the platform may swap arrive within this many milliseconds.
    pub reorder_window_ms: u64,
    /// How often a message may be edited; `None` is as often as one likes.
    pub max_edits: Option<u32>,
    /// The platform does not tell of edits: for so many milliseconds after the last activity the newest messages are
    /// compared with the map instead. `None`: it tells.
    pub unannounced_edits_ms: Option<i64>,
    /// The largest file that can be posted, in bytes; `None` is any.
    pub max_file_bytes: Option<u64>,
    /// Whether a file's size has to be known before its first byte is sent.
    pub file_needs_length: bool,
    /// The pause between two sends into one conversation that keeps the platform content, in milliseconds.
    pub send_interval_ms: u64,
}

impl Capabilities {
    /// The level of a feature.
    pub fn level(&self, feature: Feature) -> Level {
        self.levels.get(&feature).copied().unwrap_or(Level::Refused)
    }

    /// The level of a feature for what stands in its author's own name.
    pub fn own_level(&self, feature: Feature) -> Level {
        let own = self.own_levels.get(&feature).filter(|_| self.level(Feature::OwnToken) == Level::Native);
        own.copied().unwrap_or_else(|| self.level(feature))
    }

    /// The level of a feature on the best rung that is offered here: a floor is what a person can have, by granting a
    /// token of their own where need be, and not what everybody has without.
    pub fn best_level(&self, feature: Feature) -> Level {
        self.level(feature).max(self.own_level(feature))
    }
}
