//! Acting on a running gateway: JSON over HTTP on a Unix socket that only its owner may use.

mod activity;
pub mod api;
mod app;
mod backfill;
mod bridge;
pub mod client;
mod conversation;
mod delivery;
mod desk;
mod direct;
pub mod fidelity;
mod install;
mod org;
mod person;
mod problem;
mod reference;
mod route;
mod scopes;
mod status;

pub use activity::activity_body;
pub use client::{ActivityReader, Client, ClientError};
pub use problem::Problem;

pub(crate) use desk::Desk;
pub(crate) use route::Admin;
pub(crate) use status::{busy_lanes, late_watches};
