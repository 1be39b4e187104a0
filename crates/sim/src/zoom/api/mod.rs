//! The calls below `/v2`, by subject, and the table that finds them.

mod bot;
mod channels;
mod extras;
mod files;
mod market;
mod messages;
mod people;
mod sending;
mod table;

pub use sending::post_from;
pub use table::{Label, Need, Operation, operation};
