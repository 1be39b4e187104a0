//! One suite over every implementation of the store.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod conformance;
mod crashes;
mod format;
mod random;
mod rows;
