//! Microsoft Graph: teams, channels, chats, messages, people, subscriptions.

mod call;
mod directory;
mod draft;
mod files;
mod list;
mod messages;
mod onedrive;
mod route;
mod subscribe;

pub(super) use call::{broken, throttled};
pub(super) use route::handle;
