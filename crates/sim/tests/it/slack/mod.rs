//! Tests of the Slack simulator.

mod api;
mod bench;
mod chat;
mod deliveries;
mod events;
mod faults;
mod files;
mod oauth;
mod page;
mod rooms;
mod sockets;
