//! Helpers for tests: time, randomness, disks that crash, recorded payloads.

pub mod clock;
pub mod disk;
pub mod payloads;
pub mod random;
pub mod snapshot;
pub mod wait;

pub use clock::ManualClock;
pub use disk::{DiskFault, SimDisk};
pub use payloads::payloads;
pub use random::SeededRandom;
pub use snapshot::digest;
pub use wait::wait_until;
