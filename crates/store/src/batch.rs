//! A thread that does blocking work in batches: whatever gathers while one batch runs is the next.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

/// Requests in one batch at most, so that one transaction stays short.
const MOST: usize = 512;

type Handler<Req, Rep> = Box<dyn FnMut(Vec<Req>) -> Vec<Rep> + Send>;

/// Runs a handler of batches on a thread of its own, or in simulations on the caller's.
///
/// There is no linger: a request that comes alone is handled alone, at once. Dropping it waits until what was
/// accepted is done.
pub struct Batcher<Req, Rep>(Mode<Req, Rep>);

enum Mode<Req, Rep> {
    Thread { sender: Option<mpsc::Sender<Job<Req, Rep>>>, thread: Option<JoinHandle<()>> },
    Inline(Mutex<Handler<Req, Rep>>),
}

type Job<Req, Rep> = (Req, oneshot::Sender<Rep>);

/// The batching thread has ended; nothing is known of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the worker thread has ended")]
pub struct Ended;

impl<Req: Send + 'static, Rep: Send + 'static> Batcher<Req, Rep> {
    /// Starts the thread. The handler answers every request of a batch, in order.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn spawn(
        name: &str,
        mut handler: impl FnMut(Vec<Req>) -> Vec<Rep> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Job<Req, Rep>>();
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(first) = receiver.recv() {
                let rest = std::iter::from_fn(|| receiver.try_recv().ok()).take(MOST - 1);
                let (requests, replies): (Vec<_>, Vec<_>) = std::iter::once(first).chain(rest).unzip();
                answer(&mut handler, requests, replies);
            }
        })?;
        Ok(Self(Mode::Thread { sender: Some(sender), thread: Some(thread) }))
    }

    /// Handles every request at once on the thread that makes it, one by one.
    pub fn inline(handler: impl FnMut(Vec<Req>) -> Vec<Rep> + Send + 'static) -> Self {
        Self(Mode::Inline(Mutex::new(Box::new(handler))))
    }

    /// Hands a request over and waits for its answer. A caller that stops waiting takes nothing back.
    ///
    /// # Errors
    /// [`Ended`] after a panic of the handler.
    pub async fn call(&self, request: Req) -> Result<Rep, Ended> {
        match &self.0 {
            Mode::Thread { sender, .. } => {
                let (reply, answer) = oneshot::channel();
                sender.as_ref().ok_or(Ended)?.send((request, reply)).map_err(|_| Ended)?;
                answer.await.map_err(|_| Ended)
            }
            Mode::Inline(handler) => {
                let mut handler = handler.lock().unwrap_or_else(PoisonError::into_inner);
                handler(vec![request]).pop().ok_or(Ended)
            }
        }
    }
}

fn answer<Req, Rep>(
    handler: &mut impl FnMut(Vec<Req>) -> Vec<Rep>,
    requests: Vec<Req>,
    replies: Vec<oneshot::Sender<Rep>>,
) {
    let asked = requests.len();
    let answers = handler(requests);
    debug_assert_eq!(answers.len(), asked, "one answer per request");
    for (reply, answer) in replies.into_iter().zip(answers) {
        // Whoever asked may have stopped waiting.
        let _ = reply.send(answer);
    }
}

impl<Req, Rep> Drop for Batcher<Req, Rep> {
    fn drop(&mut self) {
        if let Mode::Thread { sender, thread } = &mut self.0 {
            drop(sender.take());
            if let Some(thread) = thread.take() {
                // A panic of the handler was reported to everybody who waited.
                let _ = thread.join();
            }
        }
    }
}
