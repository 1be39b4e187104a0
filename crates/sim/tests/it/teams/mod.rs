//! The Teams simulator over its public interfaces.

mod bot;
mod bot_tokens;
mod catch_up;
mod connector;
mod directory;
mod faults;
mod harness;
mod limits;
mod login;
mod messages;
mod notifications;
mod page;
mod permissions;
mod recordings;
mod subscriptions;
