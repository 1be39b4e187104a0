//! Zoom Team Chat: OAuth, the user API, the chatbot API, webhooks, WebSocket events and a small chat page.
//!
//! A request below `/v2` goes through [`dispatch`] to a function under `api`, which works on [`state`] through a
//! [`desk`]; the events that follow are written by [`events`] for each account and sent by [`engine`].

pub mod api;
pub mod authorize;
pub mod call;
pub mod config;
pub mod desk;
pub mod dispatch;
pub mod doubts;
pub mod engine;
pub mod error;
pub mod events;
pub mod files;
pub mod grants;
pub mod limits;
pub mod messages;
pub mod oauth;
pub mod outward;
pub mod page;
pub mod people;
pub mod rooms;
pub mod seed;
pub mod sim;
pub mod socket;
pub mod state;
mod steer;
pub mod subscriptions;
pub mod text;
pub mod views;

pub use config::{
    AppKind, BRIDGE_EVENTS, BRIDGE_SCOPES, CustomHeader, OLD_MESSAGE_EVENTS, Plan, SeedAccount, SeedApp,
    SeedChannel, SeedInstall, SeedPerson, SeedSubscription, Transport, ZoomLimits, ZoomSimConfig, ZoomTiming,
};
pub use doubts::{BlockedSend, BodyForm, SignatureFault, SocketContent, ZoomDoubts};
pub use error::ApiError;
pub use people::Post;
pub use sim::ZoomSim;
