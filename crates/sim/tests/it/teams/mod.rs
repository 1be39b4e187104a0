//! The Teams simulator over its public interfaces.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod bot;
mod bot_tokens;
mod catch_up;
mod connector;
mod consent;
mod directory;
mod faults;
mod files;
mod harness;
mod limits;
mod login;
mod messages;
mod notifications;
mod page;
mod permissions;
mod real_names;
mod recordings;
mod subscriptions;
