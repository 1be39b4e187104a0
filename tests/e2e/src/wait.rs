//! Waiting for something that has to be asked for.

use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};

/// Asks again and again until the answer is there. Where it does not come in time, the error says what was
/// missing and why it did not hold at last.
pub async fn eventually<T, F>(what: &str, within: Duration, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T, String>>,
{
    let mut last = String::new();
    let asking = async {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(why) => last = why,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if let Ok(answer) = tokio::time::timeout(within, asking).await {
        return Ok(answer);
    }
    bail!("{what}: not within {within:?}: {last}")
}
