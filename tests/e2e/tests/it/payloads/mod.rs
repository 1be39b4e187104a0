//! Every recorded payload that a gateway can receive, signed or wrapped as its platform does and sent to a
//! running gateway. Each file has a bridge of its own, so that what one file does is nobody else's. Ids of apps,
//! workspaces, channels and people become those of the live bridge, and times become now; where a file changes
//! or answers a message, a person posts that message first. The outcome of each file is a line of a snapshot: no
//! word of the recordings is in it, only what became of them.
//!
//! What Webex and Zoom keep to themselves until they are asked (messages of which only an id was told, people) is
//! answered by a door before the simulator, as it was recorded. For these two, files that are left out are lines of
//! the snapshot too, with the reason.
//!
//! Left out of the others, because no gateway receives them: answers of APIs (`slack/api`, `slack/objects`, `slack/http`,
//! `teams/graph/chats`, `directory`, `errors`, `files`, `subscriptions`, `teams/bot/connector`, `teams/auth`),
//! shapes with blanked values, specifications, and the cryptographic vectors; the connectors' own tests read
//! those that they parse.

mod activities;
mod bench;
mod graph;
mod messages;
mod slack;
mod slack_ids;
mod sockets;
mod webex;
mod zoom;
mod zoom_sockets;
