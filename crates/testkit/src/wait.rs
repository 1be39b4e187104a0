//! Waiting for something to come true.

use std::time::Duration;

/// Polls the condition until it holds. Returns whether it did within the time, so that the test can say what
/// was missing: `assert!(wait_until(|| …, limit).await, "…")`.
pub async fn wait_until(mut condition: impl FnMut() -> bool, limit: Duration) -> bool {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(limit, poll).await.is_ok()
}
