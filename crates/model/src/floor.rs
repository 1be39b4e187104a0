//! The floor: the lowest level that a release may have, into each kind of target, on the best rung of the identity
//! ladder that is offered there. A test of every connector
//! holds its capability data against this table.

use crate::capability::{Feature, Level};

/// A kind of target conversation in the floor table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A Slack conversation.
    Slack,
    /// A channel in Microsoft Teams.
    TeamsChannel,
    /// A chat in Microsoft Teams.
    TeamsChat,
    /// A Webex space.
    Webex,
    /// A Zoom Team Chat channel.
    Zoom,
}

use Feature as F;
use Level::{Fallback, Native, Partial};

/// One row: a feature and its floor into Slack, Teams channel, Teams chat, Webex, Zoom.
pub const FLOOR: &[(Feature, [Level; 5])] = &[
    (F::Text, [Native, Native, Native, Native, Partial]),
    (F::Code, [Native, Native, Native, Native, Fallback]),
    (F::Headings, [Partial, Native, Native, Partial, Partial]),
    (F::Tables, [Partial, Native, Native, Partial, Fallback]),
    (F::ThreadReply, [Native, Native, Fallback, Native, Native]),
    (F::Broadcast, [Native, Fallback, Fallback, Fallback, Fallback]),
    (F::Edit, [Native, Native, Native, Fallback, Partial]),
    (F::Deletion, [Native, Native, Native, Native, Native]),
    (F::MentionPerson, [Native, Native, Native, Native, Partial]),
    (F::MentionEveryone, [Native, Native, Fallback, Native, Native]),
    (F::ReactionOwn, [Native, Native, Native, Fallback, Native]),
    (F::ReactionApp, [Partial, Fallback, Fallback, Fallback, Partial]),
    (F::File, [Native, Fallback, Fallback, Native, Native]),
    (F::AuthorName, [Native, Native, Native, Native, Native]),
    (F::AuthorPicture, [Native, Level::Dropped, Level::Dropped, Level::Dropped, Level::Dropped]),
    (F::OwnToken, [Native, Native, Native, Native, Native]),
    (F::Quote, [Partial, Partial, Partial, Partial, Partial]),
    (F::Card, [Fallback, Fallback, Fallback, Fallback, Fallback]),
    (F::DirectMessage, [Partial, Partial, Partial, Partial, Partial]),
    (F::CustomEmoji, [Fallback, Fallback, Fallback, Fallback, Fallback]),
    (F::Notice, [Partial, Partial, Partial, Partial, Partial]),
];

/// The floor of a feature into a target.
pub fn floor(feature: Feature, target: Target) -> Level {
    FLOOR
        .iter()
        .find(|(row, _)| *row == feature)
        .map_or(Level::Refused, |(_, levels)| levels[target as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_feature_once() {
        let rows: Vec<Feature> = FLOOR.iter().map(|(feature, _)| *feature).collect();
        assert_eq!(rows, Feature::ALL);
    }
}
