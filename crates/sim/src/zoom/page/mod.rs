//! The chat page: a small client for the people of the simulated account, and the endpoints it uses.

mod endpoints;

pub use endpoints::router;
