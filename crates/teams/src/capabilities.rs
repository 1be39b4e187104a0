//! What a Teams conversation can carry: data, no code.

use std::collections::BTreeMap;

use dragoman_model::{Capabilities, Feature, Level, TextLimit, TextUnit};
use dragoman_platform::{Conversation, ConversationKind, Example, Installation};

use crate::files::FILES_FACT;
use crate::ids::{is_channel, is_chat, is_personal};

use Feature as F;
use Level::{Dropped, Fallback, Native, Partial};

/// Levels into a channel and into a chat.
const LEVELS: &[(Feature, Level, Level)] = &[
    (F::Text, Native, Native),
    (F::Code, Native, Native),
    (F::Headings, Native, Native),
    (F::Tables, Native, Native),
    (F::ThreadReply, Native, Fallback),
    (F::Broadcast, Fallback, Fallback),
    (F::Edit, Native, Native),
    (F::Deletion, Native, Native),
    (F::MentionPerson, Native, Native),
    // Bots cannot call a channel, a team or a chat; people with their own token can: see `OWN_LEVELS`.
    (F::MentionEveryone, Fallback, Fallback),
    (F::ReactionOwn, Native, Native),
    // "Bots can add and remove reactions": public preview; one identity, so one reaction per emoji.
    (F::ReactionApp, Partial, Partial),
    // Into channels where the app may put files, see below: of the bot a link to the file in the channel's folder. Into
    // chats only people can, with their own token and into their own drive: "bots: put a link or a card".
    (F::File, Fallback, Fallback),
    (F::AuthorName, Native, Native),
    (F::AuthorPicture, Dropped, Dropped),
    (F::OwnToken, Native, Native),
    (F::Quote, Partial, Partial),
    (F::Card, Fallback, Fallback),
    (F::DirectMessage, Partial, Partial),
    (F::CustomEmoji, Fallback, Fallback),
    (F::Notice, Partial, Partial),
];

/// Levels into a channel of what stands in its author's own name, where they are others.
const OWN_LEVELS: &[(Feature, Level)] = &[(F::MentionEveryone, Native)];

/// The limit of one text of the bot in UTF-16 units: "100 KB in UTF-16" for the whole message, less room for
/// JSON and mentions around the text.
pub(crate) const TEXT_LIMIT: usize = 40_000;

/// The limit of one text sent as a person in bytes of UTF-8: "approximately 28 KB per post", mentions included.
pub(crate) const PERSON_LIMIT: usize = 24_000;

/// A channel and a chat, as they are when the team is known.
pub(crate) fn examples() -> Vec<Example> {
    let mut channel = Example::new("channel", ConversationKind::Channel);
    channel.conversation.remote = "19:example@thread.tacv2".into();
    channel.conversation.facts.insert("team_guid".to_owned(), "example".to_owned());
    channel.conversation.facts.insert(FILES_FACT.to_owned(), "yes".to_owned());
    let mut chat = Example::new("chat", ConversationKind::Group);
    chat.conversation.remote = "19:example@thread.v2".into();
    chat.conversation.facts.insert(FILES_FACT.to_owned(), "yes".to_owned());
    vec![channel, chat]
}

/// The capabilities of a conversation.
pub(crate) fn capabilities(installation: &Installation, conversation: &Conversation) -> Capabilities {
    let id = conversation.remote.as_str();
    let channel = is_channel(id);
    let levels: BTreeMap<Feature, Level> =
        LEVELS.iter().map(|(feature, c, h)| (*feature, if channel { *c } else { *h })).collect();
    let mut levels = levels;
    let mut own_levels: BTreeMap<Feature, Level> = OWN_LEVELS.iter().filter(|_| channel).copied().collect();
    if channel && conversation.fact(FILES_FACT) == "yes" {
        levels.insert(F::File, Partial);
        own_levels.insert(F::File, Native);
    } else if is_chat(id) && conversation.fact(FILES_FACT) == "yes" {
        own_levels.insert(F::File, Native);
    } else if is_personal(id) && conversation.fact(FILES_FACT) == "yes" {
        // Whoever it is for is asked first: see `consent`.
        levels.insert(F::File, Partial);
    }
    let known_team = !conversation.fact("team_guid").is_empty()
        || !installation.fact(&format!("team:{}", conversation.fact("team_id"))).is_empty();
    let readable = conversation.fact("graph") != "no"
        && if channel { known_team } else { !is_personal(id) || !conversation.fact("user").is_empty() };
    Capabilities {
        levels,
        own_levels,
        text: TextLimit { max: TEXT_LIMIT, unit: TextUnit::Utf16 },
        reread: readable,
        read_back: readable,
        history: readable,
        // Notifications have no order; what the bot is sent has one.
        reorder_window_ms: 0,
        max_edits: None,
        unannounced_edits_ms: None,
        // Upload sessions take parts of a stated whole.
        max_file_bytes: None,
        file_needs_length: true,
        // "60 messages in 30 seconds per conversation"; the limit of an hour is met by the platform's refusals.
        send_interval_ms: 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_model::floor::{Target, floor};

    #[test]
    fn examples_are_of_both_kinds_and_readable() {
        let seen = examples().into_iter().map(|it| capabilities(&it.installation, &it.conversation));
        let levels: Vec<Level> =
            seen.map(|it| (it.reread && it.history).then(|| it.level(F::ThreadReply)).unwrap()).collect();
        assert_eq!(levels, [Native, Fallback]);
    }

    #[test]
    fn no_level_is_below_the_floor() {
        let [channel, chat] = examples().try_into().map_err(|_| "two").unwrap();
        let channel = capabilities(&channel.installation, &channel.conversation);
        let chat = capabilities(&chat.installation, &chat.conversation);
        for feature in Feature::ALL {
            let name = feature.as_str();
            assert!(channel.best_level(*feature) >= floor(*feature, Target::TeamsChannel), "channel: {name}");
            assert!(chat.best_level(*feature) >= floor(*feature, Target::TeamsChat), "chat: {name}");
        }
        let everyone = |it: &Capabilities| (it.level(F::MentionEveryone), it.own_level(F::MentionEveryone));
        assert_eq!((everyone(&channel), everyone(&chat)), ((Fallback, Native), (Fallback, Fallback)));
        assert_eq!(LEVELS.len(), Feature::ALL.len());
    }
}
