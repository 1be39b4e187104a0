//! The connector through its seam, against a Webex of this process and against recorded payloads.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, like the tests")]

mod conformance;
mod door;
mod fake;
mod files;
mod history;
mod installing;
mod operating;
mod recorded;
mod source;
mod support;
mod watch;
