//! The methods of the Web API.

mod apps;
mod chat;
mod conversations;
mod files;
mod oauth;
mod people;
mod table;
mod tools;

pub use apps::{app_call, uninstall_place};
pub use oauth::{client_call, grant_tokens};
pub use table::spec;
pub(super) use tools::members;
