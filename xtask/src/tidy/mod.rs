//! `cargo xtask tidy`: the rules of this repository that no compiler knows.

mod checklist;
mod codes;
mod config_keys;
mod connectors;
mod dependencies;
mod files;
mod floor;
mod layers;
mod links;
mod masks;
mod places;
mod readmes;
mod run;
mod shape;
mod tree;

#[cfg(test)]
mod tests;

pub(crate) use run::{Args, run};
