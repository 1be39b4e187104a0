//! The connector through its seam, against a Zoom of this process and against recorded payloads.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, like the tests")]

mod bot;
mod conformance;
mod decoding;
mod door;
mod fake;
mod files;
mod installing;
mod operating;
mod reading;
mod recorded;
mod rotation;
mod sockets;
mod support;
