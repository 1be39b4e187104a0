//! The gateway from outside: sockets, HTTP, the operators' socket, against a platform invented for these
//! tests and the model of the store.

mod admin;
mod avatar;
mod door;
mod fake;
mod install;
mod limits;
mod ops;
mod rig;
mod sockets;
mod tls;
