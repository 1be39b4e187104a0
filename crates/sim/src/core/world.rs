//! The world a simulator lives in: one clock, one seeded generator, one network, one set of tasks.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::net::{Net, TokioNet};

/// Locks a mutex; a panic of another holder does not matter to a test double.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wall-clock time: a base plus the time the runtime has counted, so that a paused runtime pauses it too.
#[derive(Debug)]
pub struct SimClock {
    base_micros: i64,
    started: tokio::time::Instant,
    shift_micros: AtomicI64,
}

impl SimClock {
    /// A clock that shows `base_micros` (microseconds since 1970) now.
    pub fn starting_at(base_micros: i64) -> Self {
        Self { base_micros, started: tokio::time::Instant::now(), shift_micros: AtomicI64::new(0) }
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> i64 {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.base_micros.saturating_add(elapsed).saturating_add(self.shift_micros.load(Ordering::Relaxed))
    }

    /// Milliseconds since 1970.
    pub fn millis(&self) -> i64 {
        self.micros() / 1_000
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> i64 {
        self.micros() / 1_000_000
    }

    /// Moves the clock forward, for expiries that a test does not want to wait for. Timers do not move.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.shift_micros.fetch_add(by, Ordering::Relaxed);
    }
}

/// A group of tasks that end together.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Tasks {
    /// A group that ends with this one, but can also end before it.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { tracker: TaskTracker::new(), token: self.token.child_token() }
    }

    /// Runs a future until it ends or the group is shut down.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                // In a fixed order, so that equal runs are equal.
                biased;
                () = token.cancelled() => {}
                () = future => {}
            }
        });
    }

    /// Cancelled when the group is shut down.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Ends all tasks of the group and waits for them.
    pub async fn shutdown(&self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Everything a simulator takes from outside.
pub struct World {
    /// Time.
    pub clock: SimClock,
    /// Sockets.
    pub net: Arc<dyn Net>,
    /// The parent of every simulator's tasks.
    pub tasks: Tasks,
    rng: Mutex<ChaCha12Rng>,
}

impl World {
    /// The real machine's sockets (loopback only) and time, with seeded randomness.
    pub fn real(seed: u64) -> Arc<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the simulators read the machine's time"
        )]
        let now = std::time::SystemTime::now();
        let micros = now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros());
        Self::new(seed, i64::try_from(micros).unwrap_or(0), Arc::new(TokioNet::default()))
    }

    /// A world with a given network and start time (microseconds since 1970).
    pub fn new(seed: u64, base_micros: i64, net: Arc<dyn Net>) -> Arc<Self> {
        Arc::new(Self {
            clock: SimClock::starting_at(base_micros),
            net,
            tasks: Tasks::default(),
            rng: Mutex::new(ChaCha12Rng::seed_from_u64(seed)),
        })
    }

    /// Fills a buffer with seeded random bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        lock(&self.rng).fill_bytes(bytes);
    }

    /// A random number.
    pub fn number(&self) -> u64 {
        lock(&self.rng).next_u64()
    }

    /// Random text of `len` characters out of an ASCII alphabet.
    pub fn text(&self, len: usize, alphabet: &[u8]) -> String {
        let mut rng = lock(&self.rng);
        let size = u32::try_from(alphabet.len().max(1)).unwrap_or(u32::MAX);
        (0..len)
            .filter_map(|_| alphabet.get((rng.next_u32() % size) as usize).map(|byte| char::from(*byte)))
            .collect()
    }

    /// Lower-case hexadecimal text of `len` characters.
    pub fn hex(&self, len: usize) -> String {
        self.text(len, b"0123456789abcdef")
    }

    /// Upper-case letters and digits, as platform ids use them.
    pub fn upper(&self, len: usize) -> String {
        self.text(len, b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")
    }

    /// Letters and digits of both cases.
    pub fn alnum(&self, len: usize) -> String {
        self.text(len, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    }

    /// A random (version 4) UUID.
    pub fn uuid(&self) -> String {
        let mut bytes = [0_u8; 16];
        self.fill(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let text = hex::encode(bytes);
        format!("{}-{}-{}-{}-{}", &text[0..8], &text[8..12], &text[12..16], &text[16..20], &text[20..32])
    }
}
