//! The configuration: one TOML file, every key documented where it is declared, unknown keys refused.

mod load;
mod schema;

pub(crate) use load::{load, parse};
pub(crate) use schema::{Config, EXAMPLE, Log};
