//! Tests of the Slack simulator.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking, as tests do")]

mod api;
mod bench;
mod chat;
mod commands;
mod deliveries;
mod events;
mod faults;
mod files;
mod gotchas;
mod oauth;
mod page;
mod recordings;
mod rooms;
mod sockets;
