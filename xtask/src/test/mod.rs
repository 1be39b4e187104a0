//! `cargo xtask test`: everything that must hold before a change lands.

mod bans;
mod foreign;
mod install;
mod metadata;
mod spdx;
mod steps;

pub(crate) use steps::{Args, run};
