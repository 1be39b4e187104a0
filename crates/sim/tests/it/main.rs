//! Tests of the simulators over their public interfaces.

mod proxy;
mod slack;
mod teams;
mod webex;
mod zoom;
