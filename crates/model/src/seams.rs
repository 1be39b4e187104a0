//! Time and randomness come in as arguments, so that the same code runs under a deterministic simulation.

/// Milliseconds since 1970, UTC.
pub trait Clock: Send + Sync {
    /// Now, in milliseconds since 1970, UTC. May jump; never used for order.
    fn now_ms(&self) -> i64;

    /// Milliseconds on a clock that never goes backwards, for leases and durations. Its zero means nothing.
    fn monotonic_ms(&self) -> i64;
}

/// A source of bytes nobody can guess; in simulations a seeded generator.
pub trait Random: Send + Sync {
    /// Fills the slice.
    fn fill(&self, bytes: &mut [u8]);

    /// A number below `bound`, for jitter. `bound` 0 gives 0.
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let mut bytes = [0_u8; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }
}
