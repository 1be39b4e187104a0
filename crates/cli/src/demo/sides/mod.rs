//! People at the simulators. The judge of the story never asks the gateway.

mod side;
mod slack;
mod teams;
mod webex;
mod zoom;

pub(crate) use side::{Seen, Side};
pub(crate) use slack::SlackSide;
pub(crate) use teams::TeamsSide;
pub(crate) use webex::WebexSide;
pub(crate) use zoom::ZoomSide;
