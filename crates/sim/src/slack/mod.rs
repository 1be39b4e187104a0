//! Slack: Web API, OAuth, Events API, Socket Mode and a small chat page.
//!
//! A request to `/api/<method>` goes through [`dispatch`] to a function under `api`, which works on [`state`]
//! through a [`desk`]; the events that follow are put into envelopes by [`events`] and sent by [`engine`].

pub mod api;
pub mod args;
pub mod authorize;
pub mod commands;
pub mod config;
pub mod desk;
pub mod dispatch;
pub mod emoji;
pub mod engine;
pub mod error;
pub mod events;
pub mod limits;
pub mod marks;
pub mod page;
pub mod people;
pub mod rich;
pub mod rooms;
pub mod seed;
pub mod sim;
pub mod socket;
pub mod state;
mod steer;
pub mod transfer;
pub mod views;

pub use commands::Ephemeral;
pub use config::{
    BRIDGE_EVENTS, BRIDGE_SCOPES, ReplyNotice, SeedApp, SeedChannel, SeedInstall, SeedPerson, SeedWorkspace,
    SlackDoubts, SlackFileRules, SlackLimits, SlackSimConfig, SlackTiming, SocketGap,
};
pub use error::ApiError;
pub use sim::{BotIdentity, SlackSim};
