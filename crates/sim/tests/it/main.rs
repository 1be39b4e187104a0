//! Tests of the simulators over their public interfaces.

mod slack;
mod teams;
