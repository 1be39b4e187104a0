//! The words of Dragoman as types: ids, rich text, events, operations, capabilities, outcomes, codes, and the
//! seams for time, randomness and disks. Pure: nothing here does I/O, and nothing here knows how a platform
//! writes anything.

pub mod capability;
pub mod codes;
pub mod disk;
pub mod event;
pub mod floor;
pub mod ids;
pub mod operation;
pub mod outcome;
pub mod seams;
pub mod text;

pub use capability::{Capabilities, Feature, Level, TextLimit, TextUnit};
pub use codes::Code;
pub use event::{
    Asked, Author, AuthorKind, Control, Destination, Event, EventKind, FileRef, Happening, ListedReaction,
    Message, Notice, NoticeKind, Origin, ReactionChange,
};
pub use ids::{
    AppId, BridgeId, ConversationId, DeliveryKey, EventId, InstallationId, LegId, Marker, OrgId, PersonId,
    Platform, RemoteConversation, RemoteMessage, RemoteUser, RemoteWorkspace, SlotId, Version,
};
pub use operation::{Operation, Post, ShownAuthor, Spokesman};
pub use outcome::{Done, Outcome};
pub use seams::{Clock, Random};
pub use text::{Block, Document, Emoji, Inline, ListItem, Mention};
