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
        handler: impl FnMut(Vec<Req>) -> Vec<Rep> + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::spawn_with_chores(name, |_| false, handler)
    }

    /// As [`Batcher::spawn`], with requests that are chores: nobody's answer waits for them, so that they make a batch
    /// of their own once the others that gathered are answered.
    ///
    /// # Errors
    /// As [`Batcher::spawn`].
    pub fn spawn_with_chores(
        name: &str,
        chore: impl Fn(&Req) -> bool + Send + 'static,
        mut handler: impl FnMut(Vec<Req>) -> Vec<Rep> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Job<Req, Rep>>();
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(first) = receiver.recv() {
                let rest = std::iter::from_fn(|| receiver.try_recv().ok()).take(MOST - 1);
                let (chores, others): (Vec<_>, Vec<_>) =
                    std::iter::once(first).chain(rest).partition(|(request, _)| chore(request));
                answer(&mut handler, others);
                answer(&mut handler, chores);
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

fn answer<Req, Rep>(handler: &mut impl FnMut(Vec<Req>) -> Vec<Rep>, jobs: Vec<Job<Req, Rep>>) {
    if jobs.is_empty() {
        return;
    }
    let (requests, replies): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    let answers = handler(requests);
    debug_assert_eq!(answers.len(), replies.len(), "one answer per request");
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use super::*;

    type Gated = (Arc<Batcher<&'static str, usize>>, mpsc::Receiver<Vec<&'static str>>, mpsc::Sender<()>);

    /// Answers with the size of the batch, once the test lets it.
    fn gated() -> Gated {
        let (seen, batches) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let handler = move |requests: Vec<&'static str>| {
            let size = requests.len();
            seen.send(requests).unwrap();
            gate.recv().unwrap();
            vec![size; size]
        };
        let batcher = Batcher::spawn_with_chores("test", |request| *request == "chore", handler).unwrap();
        (Arc::new(batcher), batches, open)
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
        assert_eq!(batches.try_iter().collect::<Vec<_>>(), [vec!["a", "b"], vec!["chore"]]);
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
        assert_eq!(batches.try_iter().collect::<Vec<_>>(), [vec!["kept"]]);
    }

    #[tokio::test]
    async fn a_panic_ends_it_and_everybody_is_told() {
        let batcher = Batcher::<u8, u8>::spawn("test", |_| panic!("on purpose")).unwrap();
        assert_eq!(batcher.call(1).await, Err(Ended));
        assert_eq!(batcher.call(2).await, Err(Ended));
    }

    #[tokio::test]
    async fn inline_answers_at_once() {
        let batcher = Batcher::inline(|requests: Vec<u8>| requests.into_iter().map(|n| n + 1).collect());
        assert_eq!(batcher.call(1).await, Ok(2));
    }
}
