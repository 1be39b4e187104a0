//! The real binary between the simulated platforms, and people who talk through it.

mod binary;
mod front;
mod http;
mod options;
mod side;
mod wait;
mod world;

pub use binary::{Binary, executable, free_port};
pub use front::Front;
pub use http::Http;
pub use options::Options;
pub use side::{Seen, Side, SlackSide, TeamsChat, TeamsSide, WebexSide, ZoomSide};
pub use wait::eventually;
pub use world::{CHLOE_AT_TEAMS, World};
