//! The relay between rooms of an invented platform, on a simulated disk and a clock that jumps.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod fake;
mod files;
mod notices;
mod reactions;
mod stories;
mod voices;
