//! Zoom: what its documentation and the people who ran against it say, one test for each statement.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail by panicking, as tests do")]

mod bench;
mod bot;
mod chat;
mod deliveries;
mod events;
mod faults;
mod files;
mod limits;
mod oauth;
mod page;
mod recordings;
mod rooms;
mod sockets;
mod subscriptions;
