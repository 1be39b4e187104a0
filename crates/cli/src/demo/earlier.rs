//! What was written before conversations were linked, in the story: everybody writes, then the link is made, and all of
//! it is there with its time.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use dragoman_model::{Clock, Feature};
use futures_util::future::join_all;

use super::story::{Member, Step, contains_word, elapsed};

/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 20_000;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(60);
/// So many messages of each conversation are asked for.
pub(crate) const COUNT: u32 = 2;

fn mark(member: usize) -> String {
    format!("earlier{member}m")
}

/// Everybody writes; nobody is linked yet.
pub(crate) async fn write(members: &[Member]) -> Result<()> {
    for (at, member) in members.iter().enumerate() {
        let text = format!("as it was {}", mark(at));
        let teams = member.side.platform() == "teams";
        member.side.post(&if teams { format!("<p>{text}</p>") } else { text }, None).await?;
    }
    Ok(())
}

/// All ordered pairs of members of one bridge.
pub(crate) async fn tell(members: &[Member], bridge: &str, clock: &dyn Clock) -> Vec<Step> {
    let pairs = (0..members.len()).flat_map(|from| (0..members.len()).map(move |to| (from, to)));
    let steps = pairs.filter(|(from, to)| from != to).map(|(at, to)| async move {
        let (from, to) = (&members[at], &members[to]);
        let started_ms = clock.monotonic_ms();
        let level = to.capabilities.level(Feature::Text).as_str();
        let (ok, ms, detail) = match arrives(to, &mark(at), clock).await {
            Ok(ms) => (true, ms, level.to_owned()),
            Err(error) => (false, elapsed(clock, started_ms), format!("{level}: {error:#}")),
        };
        Step {
            bridge: bridge.to_owned(),
            name: "what was written before the link".to_owned(),
            feature: Feature::Text.as_str().to_owned(),
            from: from.side.platform().to_owned(),
            to: to.side.platform().to_owned(),
            ok,
            ms,
            detail,
        }
    });
    join_all(steps).await
}

async fn arrives(to: &Member, mark: &str, clock: &dyn Clock) -> Result<u64> {
    let started_ms = clock.monotonic_ms();
    loop {
        let mut found = to.side.read().await?;
        found.retain(|seen| contains_word(&seen.markup, mark));
        ensure!(found.len() < 2, "it arrived {} times", found.len());
        if let Some(seen) = found.pop() {
            let dated = seen.markup.contains(" UTC)") || seen.author.contains(" UTC)");
            ensure!(dated, "it does not say when it was written: {} {}", seen.author, seen.markup);
            return Ok(elapsed(clock, started_ms));
        }
        if elapsed(clock, started_ms) > PATIENCE_MS {
            bail!("it did not arrive");
        }
        tokio::time::sleep(LOOK).await;
    }
}
