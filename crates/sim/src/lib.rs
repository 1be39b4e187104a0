//! Simulators of the platforms: servers that check, limit, redeliver, echo and refuse as the platforms do.
//!
//! Start with [`core::World`], then start a platform on it, for example `slack::SlackSim::start`.

pub mod core;
pub mod slack;
pub mod teams;
pub mod webex;
pub mod zoom;
