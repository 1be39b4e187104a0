//! Microsoft Teams: Entra, Graph, Bot Connector, Bot Framework login, subscriptions.
//!
//! Start with [`TeamsSim::start`].

mod activity;
mod bot_message;
mod config;
mod connector;
mod consent;
mod control;
mod drive;
mod entra;
mod graph;
mod handle;
mod html;
mod http;
mod ids;
mod keys;
mod limits;
mod login;
mod message;
mod model;
mod notify;
mod rights;
pub mod seed;
mod share;
mod sim;
mod site;
mod subscriptions;
mod wire;

pub use config::{
    AppSeed, BotSeed, ChannelSeed, ChatSeed, DEFAULT_RSC, DEFAULT_SCOPES, PersonSeed, TeamSeed, TeamsDoubts,
    TeamsLimits, TeamsSimConfig, TeamsTiming, TenantSeed,
};
pub use handle::TeamsSim;
pub use message::{Author, Draft, Hosted};
pub use model::{Place, Refusal};
pub use notify::CHANGE_TRACKING;
pub use sim::Twist;
