//! Randomness that repeats.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use dragoman_model::Random;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A generator whose numbers follow from its seed.
pub struct SeededRandom(Mutex<ChaCha20Rng>);

impl SeededRandom {
    /// Equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl fmt::Debug for SeededRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededRandom")
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}
