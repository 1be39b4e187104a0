//! Tests of the Webex simulator.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking, as tests do")]

mod api;
mod bench;
mod bots;
mod compliance;
mod events;
mod faults;
mod files;
mod messages;
mod oauth;
mod page;
mod people;
mod recordings;
mod rooms;
mod webhooks;
