//! A thread that does blocking work in batches: whatever gathers while one batch runs is the next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

/// Requests in one batch at most, so that one transaction stays short.
const MOST: usize = 512;

/// What a batching thread does.
pub trait Worker<Req, Rep>: Send {
    /// Answers every request of a batch, in order.
    fn batch(&mut self, requests: Vec<Req>) -> Vec<Rep>;

    /// Requests of a higher rank make a batch of their own once the others that gathered are answered.
    fn rank(&self, _request: &Req) -> u8 {
        0
    }

    /// The batch is answered; what nobody waits for can be done. `resting`: for a second none came that was not handled
    /// where it was made, or none will come any more.
    fn tidy(&mut self, _resting: bool) {}
}

impl<Req, Rep, F: FnMut(Vec<Req>) -> Vec<Rep> + Send> Worker<Req, Rep> for F {
    fn batch(&mut self, requests: Vec<Req>) -> Vec<Rep> {
        self(requests)
    }
}

/// How long no request has to come before a worker may tidy up.
const REST: Duration = Duration::from_secs(1);

/// How long no request has to come before one may be handled where it is made: while requests follow each other
/// faster than this, gathering them is worth more than a thread's waking up.
const LULL: Duration = Duration::from_millis(2);

type Boxed<Req, Rep> = Box<dyn Worker<Req, Rep>>;

/// Runs a handler of batches on a thread of its own, or in simulations on the caller's.
///
/// There is no linger: a request that comes alone is handled alone, at once. Dropping it waits until what was
/// accepted is done.
pub struct Batcher<Req, Rep>(Mode<Req, Rep>);

enum Mode<Req, Rep> {
    Thread {
        shared: Arc<Shared<Req, Rep>>,
        sender: Option<mpsc::Sender<Job<Req, Rep>>>,
        thread: Option<JoinHandle<()>>,
    },
    Inline(Mutex<Boxed<Req, Rep>>),
}

/// `None`: look whether there is something to tidy up.
type Job<Req, Rep> = Option<(Req, oneshot::Sender<Rep>)>;

/// What the thread and the callers have in common.
struct Shared<Req, Rep> {
    worker: Mutex<Boxed<Req, Rep>>,
    /// Requests handed over and not taken up yet: nobody may overtake them.
    queued: AtomicUsize,
    quiet: AtomicU8,
    /// Which requests are short enough to be handled where they are made.
    short: fn(&Req) -> bool,
}

/// Values of [`Shared::quiet`]: requests follow each other; none came for [`LULL`]; none for [`REST`], and the thread
/// waits without end.
const BUSY: u8 = 0;
const LULLED: u8 = 1;
const RESTING: u8 = 2;

/// The batching thread has ended; nothing is known of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the worker thread has ended")]
pub struct Ended;

impl<Req: Send + 'static, Rep: Send + 'static> Batcher<Req, Rep> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn(name: &str, worker: impl Worker<Req, Rep> + 'static) -> std::io::Result<Self> {
        Self::spawn_near(name, worker, |_| false)
    }

    /// As [`Batcher::spawn`], but a short request that comes after a lull is handled on the caller's thread, which
    /// saves it two wake-ups. The caller's thread waits for the disk meanwhile, so short is what syncs once.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn_near(
        name: &str,
        worker: impl Worker<Req, Rep> + 'static,
        short: fn(&Req) -> bool,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Job<Req, Rep>>();
        let worker: Mutex<Boxed<Req, Rep>> = Mutex::new(Box::new(worker));
        let (queued, quiet) = (AtomicUsize::new(0), AtomicU8::new(RESTING));
        let shared = Arc::new(Shared { worker, queued, quiet, short });
        let held = Arc::clone(&shared);
        let thread = Builder::new().name(name.to_owned()).spawn(move || held.run(&receiver))?;
        Ok(Self(Mode::Thread { shared, sender: Some(sender), thread: Some(thread) }))
    }

    /// Handles every request at once on the thread that makes it, one by one.
    pub fn inline(worker: impl Worker<Req, Rep> + 'static) -> Self {
        Self(Mode::Inline(Mutex::new(Box::new(worker))))
    }

    /// Hands a request over and waits for its answer. A caller that stops waiting takes nothing back.
    ///
    /// # Errors
    /// [`Ended`] after a panic of the handler.
    pub async fn call(&self, request: Req) -> Result<Rep, Ended> {
        self.begin(request).answer().await
    }

    /// Hands a request over. Its answer can be waited for later.
    pub fn begin(&self, request: Req) -> Begun<Rep> {
        match &self.0 {
            Mode::Thread { shared, sender, .. } => {
                let Some(sender) = sender else { return Begun::done(Err(Ended)) };
                let request = match shared.near(request) {
                    Near::Done(reply, quiet) => {
                        if quiet == RESTING {
                            // Nobody else wakes the thread up to tidy after this.
                            let _ = sender.send(None);
                        }
                        return Begun::done(reply);
                    }
                    Near::Not(request) => request,
                };
                let (reply, answer) = oneshot::channel();
                shared.queued.fetch_add(1, Ordering::SeqCst);
                // Where the thread has ended, the answer's other end goes with the request.
                let _ = sender.send(Some((request, reply)));
                Begun(State::Coming(answer))
            }
            Mode::Inline(worker) => {
                let mut worker = worker.lock().unwrap_or_else(PoisonError::into_inner);
                Begun::done(worker.batch(vec![request]).pop().ok_or(Ended))
            }
        }
    }
}

/// A request that was handed over. Dropping it takes nothing back.
#[must_use]
pub struct Begun<Rep>(State<Rep>);

enum State<Rep> {
    Done(Result<Rep, Ended>),
    Coming(oneshot::Receiver<Rep>),
}

impl<Rep> Begun<Rep> {
    fn done(reply: Result<Rep, Ended>) -> Self {
        Self(State::Done(reply))
    }

    /// Waits for its answer.
    ///
    /// # Errors
    /// [`Ended`] after a panic of the handler.
    pub async fn answer(self) -> Result<Rep, Ended> {
        match self.0 {
            State::Done(reply) => reply,
            State::Coming(answer) => answer.await.map_err(|_| Ended),
        }
    }
}

/// What became of a request that was perhaps handled where it was made.
enum Near<Req, Rep> {
    /// It was, when it was that quiet.
    Done(Result<Rep, Ended>, u8),
    /// It was not.
    Not(Req),
}

impl<Req, Rep> Shared<Req, Rep> {
    /// Handles a short request after a lull.
    fn near(&self, request: Req) -> Near<Req, Rep> {
        if !(self.short)(&request) || self.queued.load(Ordering::SeqCst) > 0 {
            return Near::Not(request);
        }
        let quiet = self.quiet.swap(BUSY, Ordering::SeqCst);
        if quiet == BUSY {
            return Near::Not(request);
        }
        let Ok(mut worker) = self.worker.try_lock() else { return Near::Not(request) };
        // The thread may have gone to rest in between.
        let quiet = quiet.max(self.quiet.swap(BUSY, Ordering::SeqCst));
        // A panic leaves the lock poisoned, which ends the thread too.
        let handled = catch_unwind(AssertUnwindSafe(move || worker.batch(vec![request]).pop()));
        Near::Done(handled.ok().flatten().ok_or(Ended), quiet)
    }

    /// The thread's life. A poisoned lock ends it.
    fn run(&self, receiver: &mpsc::Receiver<Job<Req, Rep>>) {
        let mut quiet = RESTING;
        loop {
            let first = match quiet {
                BUSY => receiver.recv_timeout(LULL),
                LULLED => receiver.recv_timeout(REST),
                _ => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let Ok(mut worker) = self.worker.lock() else { return };
            match first {
                Ok(Some(first)) => {
                    let rest = std::iter::from_fn(|| receiver.try_recv().ok()).flatten().take(MOST - 1);
                    let jobs: Vec<_> = std::iter::once(first).chain(rest).collect();
                    self.queued.fetch_sub(jobs.len(), Ordering::SeqCst);
                    answer_all(&mut **worker, jobs);
                    worker.tidy(false);
                    quiet = BUSY;
                }
                Ok(None) => quiet = BUSY,
                Err(RecvTimeoutError::Timeout) if quiet == BUSY => quiet = LULLED,
                Err(RecvTimeoutError::Timeout) => {
                    worker.tidy(true);
                    quiet = RESTING;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    worker.tidy(true);
                    return;
                }
            }
            self.quiet.store(quiet, Ordering::SeqCst);
        }
    }
}

/// Lower ranks first.
fn answer_all<Req, Rep>(worker: &mut dyn Worker<Req, Rep>, mut jobs: Vec<(Req, oneshot::Sender<Rep>)>) {
    jobs.sort_by_key(|(request, _)| worker.rank(request));
    while let Some((first, _)) = jobs.first() {
        let rank = worker.rank(first);
        let others = jobs.iter().position(|(request, _)| worker.rank(request) != rank).unwrap_or(jobs.len());
        let rest = jobs.split_off(others);
        answer(worker, std::mem::replace(&mut jobs, rest));
    }
}

fn answer<Req, Rep>(worker: &mut dyn Worker<Req, Rep>, jobs: Vec<(Req, oneshot::Sender<Rep>)>) {
    let (requests, replies): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    let answers = worker.batch(requests);
    debug_assert_eq!(answers.len(), replies.len(), "one answer per request");
    for (reply, answer) in replies.into_iter().zip(answers) {
        // Whoever asked may have stopped waiting.
        let _ = reply.send(answer);
    }
}

impl<Req, Rep> Drop for Batcher<Req, Rep> {
    fn drop(&mut self) {
        if let Mode::Thread { sender, thread, .. } = &mut self.0 {
            drop(sender.take());
            if let Some(thread) = thread.take() {
                // A panic of the handler was reported to everybody who waited.
                let _ = thread.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;

    type Gated = (Arc<Batcher<&'static str, usize>>, mpsc::Receiver<Vec<&'static str>>, mpsc::Sender<()>);

    /// Answers with the size of the batch, once the test lets it.
    struct Gate(mpsc::Sender<Vec<&'static str>>, mpsc::Receiver<()>);

    impl Worker<&'static str, usize> for Gate {
        fn batch(&mut self, requests: Vec<&'static str>) -> Vec<usize> {
            let size = requests.len();
            self.0.send(requests).unwrap();
            self.1.recv().unwrap();
            vec![size; size]
        }

        fn rank(&self, request: &&'static str) -> u8 {
            u8::from(*request == "chore")
        }

        fn tidy(&mut self, resting: bool) {
            if resting {
                self.0.send(Vec::new()).unwrap();
            }
        }
    }

    fn gated() -> Gated {
        let (seen, batches) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        (Arc::new(Batcher::spawn("test", Gate(seen, gate)).unwrap()), batches, open)
    }

    #[tokio::test]
    async fn what_gathers_is_one_batch_and_chores_come_last() {
        let (batcher, batches, open) = gated();
        let mut calls = tokio::task::JoinSet::new();
        let mut call = |request| {
            let batcher = Arc::clone(&batcher);
            calls.spawn(async move { batcher.call(request).await });
        };
        call("alone");
        tokio::task::yield_now().await;
        assert_eq!(batches.recv().unwrap(), ["alone"]);
        for request in ["a", "chore", "b"] {
            call(request);
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            open.send(()).unwrap();
        }
        assert_eq!(calls.join_all().await.len(), 4);
        assert_eq!([batches.recv().unwrap(), batches.recv().unwrap()], [vec!["a", "b"], vec!["chore"]]);
        assert!(batches.recv().unwrap().is_empty(), "after a while it tidies up");
    }

    #[tokio::test]
    async fn dropping_it_waits_for_what_was_accepted() {
        let (batcher, batches, open) = gated();
        let waiting = Arc::clone(&batcher);
        let mut calls = tokio::task::JoinSet::new();
        calls.spawn(async move {
            // A caller that goes away takes nothing back.
            let _ = tokio::time::timeout(Duration::ZERO, waiting.call("kept")).await;
        });
        calls.join_all().await;
        open.send(()).unwrap();
        drop(Arc::into_inner(batcher).unwrap());
        assert_eq!(batches.try_iter().collect::<Vec<_>>(), [vec!["kept"], vec![]]);
    }

    #[tokio::test]
    async fn a_panic_ends_it_and_everybody_is_told() {
        let batcher =
            Batcher::<u8, u8>::spawn("test", |_: Vec<u8>| -> Vec<u8> { panic!("on purpose") }).unwrap();
        assert_eq!(batcher.call(1).await, Err(Ended));
        assert_eq!(batcher.call(2).await, Err(Ended));
    }

    /// Answers whether it is run on the thread that asked.
    struct Where(std::thread::ThreadId, mpsc::Sender<()>);

    impl Worker<&'static str, bool> for Where {
        fn batch(&mut self, requests: Vec<&'static str>) -> Vec<bool> {
            let here = std::thread::current().id() == self.0;
            assert!(!requests.contains(&"bad"), "on purpose");
            vec![here; requests.len()]
        }

        fn tidy(&mut self, resting: bool) {
            if resting {
                let _ = self.1.send(());
            }
        }
    }

    fn near() -> (Batcher<&'static str, bool>, mpsc::Receiver<()>) {
        let (tidied, tidy) = mpsc::channel();
        let worker = Where(std::thread::current().id(), tidied);
        (Batcher::spawn_near("test", worker, |request| *request != "long").unwrap(), tidy)
    }

    #[tokio::test]
    async fn after_a_lull_a_short_request_is_handled_where_it_is_made() {
        let (batcher, tidy) = near();
        assert_eq!(batcher.call("short").await, Ok(true), "at first nothing came for long");
        tidy.recv().unwrap();
        assert_eq!(batcher.call("long").await, Ok(false));
        tidy.recv().unwrap();
        // While the thread still tidies up it is not quiet yet.
        while !batcher.call("short").await.unwrap() {
            tidy.recv().unwrap();
        }
    }

    #[tokio::test]
    async fn a_panic_near_the_caller_ends_it_too() {
        let (batcher, _tidy) = near();
        assert_eq!(batcher.call("bad").await, Err(Ended));
        assert_eq!(batcher.call("short").await, Err(Ended));
        assert_eq!(batcher.call("long").await, Err(Ended));
    }

    #[tokio::test]
    async fn inline_answers_at_once() {
        let batcher =
            Batcher::inline(|requests: Vec<u8>| -> Vec<u8> { requests.into_iter().map(|n| n + 1).collect() });
        assert_eq!(batcher.call(1).await, Ok(2));
    }
}
