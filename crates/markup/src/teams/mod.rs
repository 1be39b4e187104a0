//! Microsoft Teams: the HTML of Graph's `chatMessage` and of bot activities.

mod canonical;
mod input;
mod leaves;
mod mentions;
mod parse;
mod render;
mod sink;
mod size;
mod tree;

pub use input::{MentionKind, TeamsAttachment, TeamsInput, TeamsMention};
pub use parse::{InlineImage, images, parse, parse_plain};
pub use render::{Flavour, RenderedMention, TeamsText, render};
pub use size::at_most;

pub(crate) use canonical::teams_runs;
pub(crate) use mentions::Roster;
pub(crate) use parse::tokenize;
pub(crate) use sink::{Reader, attribute};
