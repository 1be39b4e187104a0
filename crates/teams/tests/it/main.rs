//! The connector against a small Microsoft 365 of invented people, against recorded payloads, and against the
//! checks that every connector passes.

#![expect(clippy::unwrap_used, reason = "what fails in a test fails loudly")]

mod chat_files;
mod conformance;
mod consent;
mod door;
mod fake;
mod files;
mod history;
mod recorded;
mod setup;
mod source;
mod support;
mod target;
mod watch;
