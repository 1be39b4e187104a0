//! The gateway from outside: sockets, HTTP, the operators' socket, against a platform invented for these
//! tests and the model of the store.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod admin;
mod avatar;
mod direct;
mod door;
mod fake;
mod install;
mod limits;
mod ops;
mod people;
mod rig;
mod sockets;
mod tls;
