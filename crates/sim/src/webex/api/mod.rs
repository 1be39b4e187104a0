//! The calls of the API. Each works on the state through a desk.

mod contents;
mod events;
mod memberships;
mod messages;
mod oauth;
mod people;
mod rooms;
mod route;
mod teams;
mod webhooks;

pub use messages::{Fetched, fetch_files};
pub use oauth::router as oauth_router;
pub use route::route;
use route::{person_of, room_of, sees_all};
