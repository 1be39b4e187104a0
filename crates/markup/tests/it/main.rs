//! The markup crate from outside.

mod roundtrip;
