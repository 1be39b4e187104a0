//! One file per noun; each asks a running gateway through its socket.

pub(crate) mod app;
pub(crate) mod bridge;
pub(crate) mod config;
pub(crate) mod deliveries;
pub(crate) mod dm;
pub(crate) mod doctor;
pub(crate) mod fidelity;
pub(crate) mod init;
pub(crate) mod install;
pub(crate) mod org;
pub(crate) mod person;
pub(crate) mod serve;
pub(crate) mod sim;

mod context;
mod fidelity_page;

pub(crate) use context::{Context, socket_path};
