//! The relay between rooms of an invented platform, on a simulated disk and a clock that jumps.

mod bench;
mod fake;
mod stories;
