//! Webex: REST API, OAuth, webhooks and a small chat page.
//!
//! A request below `/v1/` goes through [`dispatch`] to a function under `api`, which works on [`state`] through a
//! [`desk`]; the events that follow are matched with [`hooks`] and sent by [`engine`].

pub mod api;
pub mod authorize;
pub mod body;
pub mod config;
pub mod desk;
pub mod dispatch;
pub mod engine;
pub mod error;
pub mod hooks;
pub mod ids;
pub mod limits;
pub mod markdown;
pub mod page;
pub mod people;
pub mod seed;
pub mod sim;
pub mod state;
mod steer;
pub mod views;

pub use config::{
    BRIDGE_SCOPES, EditNotice, NewSignature, SeedBot, SeedGrant, SeedIntegration, SeedOrg, SeedPerson,
    SeedRoom, USER_SCOPES, WebexDoubts, WebexLimits, WebexSimConfig, WebexTiming,
};
pub use error::ApiError;
pub use people::Post;
pub use sim::WebexSim;
pub use state::Scan;
