//! What a row of the story's script is: what a person does, and what must be seen of it.

use dragoman_model::Feature;

use super::sides::Seen;

/// What is done at the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// A message.
    Post,
    /// A reply in the thread of a message.
    Reply,
    /// A reply that is also sent to the conversation.
    Broadcast,
    /// A message, then an edit of it.
    Edit,
    /// A message, then its deletion.
    Delete,
    /// A card.
    Card,
    /// A message, then a quote of it.
    Quote,
    /// A message, then another with the link to it.
    Link,
    /// A new topic or name, or somebody who leaves.
    Change,
    /// A message, then a reaction to it, which is taken back at the end.
    React,
    /// A file without a text; the words are the file's.
    File,
}

/// What a person writes on each platform; `{}` is the step's mark. `None`: nobody can there.
pub(crate) struct Words {
    pub(crate) slack: Option<&'static str>,
    pub(crate) teams: Option<&'static str>,
    pub(crate) webex: Option<&'static str>,
    pub(crate) zoom: Option<&'static str>,
}

impl Words {
    /// On one platform.
    pub(crate) fn on(&self, platform: &str) -> Option<&'static str> {
        match platform {
            "slack" => self.slack,
            "teams" => self.teams,
            "webex" => self.webex,
            _ => self.zoom,
        }
    }
}

/// What each platform's API must show at the target.
pub(crate) struct Shows {
    pub(crate) slack: fn(&Seen) -> bool,
    pub(crate) teams: fn(&Seen) -> bool,
    pub(crate) webex: fn(&Seen) -> bool,
    pub(crate) zoom: fn(&Seen) -> bool,
}

impl Shows {
    /// On one platform.
    pub(crate) fn on(&self, platform: &str) -> fn(&Seen) -> bool {
        match platform {
            "slack" => self.slack,
            "teams" => self.teams,
            "webex" => self.webex,
            _ => self.zoom,
        }
    }
}

/// A row of the script.
pub(crate) struct Row {
    /// Which feature.
    pub(crate) feature: Feature,
    /// What is shown, for the table.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) act: Act,
    /// Whether a bridge of many members tells it too.
    pub(crate) short: bool,
    /// What is written.
    pub(crate) words: Words,
    /// What arrives.
    pub(crate) shows: Shows,
}
