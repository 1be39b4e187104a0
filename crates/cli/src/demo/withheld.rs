//! What may not pass, in the story: a file of a kind that the organisation does not let through. Its name arrives, its
//! bytes do not, and who sent it is told: alone where the platform can, in the thread of the message elsewhere.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use dragoman_model::{Clock, Feature, codes};
use dragoman_sim::slack::SlackSim;
use futures_util::future::join_all;

use super::sides::Seen;
use super::story::{Member, Step, contains_word, elapsed, eventually};

/// The kind of file that the story's organisation does not let through.
pub(crate) const KIND: &str = "exe";
/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 10_000;
/// Why there is no more than a name.
const WHY: &str = "kept back by a rule";
/// What senders are told begins so.
const TOLD: &str = "A file of your message did not reach";

/// Everybody posts such a file. `slack` and `user`: whose client it is that shows on Slack what others do not see, and so
/// no list of messages.
pub(crate) async fn tell(
    members: &[Member],
    bridge: &str,
    clock: &dyn Clock,
    (slack, user, channel): (&SlackSim, &str, &str),
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (at, from) in members.iter().enumerate() {
        let name = format!("withheld{at}f.{KIND}");
        let others: Vec<&Member> =
            members.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, to)| to).collect();
        let started_ms = clock.monotonic_ms();
        let alone = (from.side.platform() == "slack").then_some(|| slack.whispers(user, channel));
        let mut seen = Vec::new();
        let told = match from.side.post_file(&name, b"MZ, and what else a program has").await {
            Ok(()) => {
                seen = join_all(others.iter().map(|to| its_name(to, &name, clock))).await;
                is_told(from, &name, clock, alone).await
            }
            Err(error) => {
                let text = format!("at the source: {error:#}");
                seen.extend(others.iter().map(|_| Err(anyhow!("{text}"))));
                Err(anyhow!("{text}"))
            }
        };
        let failed_ms = elapsed(clock, started_ms);
        // By now all of it was done.
        for (to, seen) in others.into_iter().zip(seen) {
            let seen = match seen {
                Ok(ms) => no_more(to, &name).await.map(|()| ms),
                failed @ Err(_) => failed,
            };
            steps.push(step(bridge, "a forbidden file: its name only", (from, to), seen, failed_ms));
        }
        let what = "a forbidden file: its sender is told";
        steps.push(step(bridge, what, (from, from), told, failed_ms));
    }
    steps
}

fn step(bridge: &str, name: &str, (from, to): (&Member, &Member), seen: Result<u64>, failed_ms: u64) -> Step {
    let (ok, ms, detail) = match seen {
        Ok(ms) => (true, ms, codes::FILE_FORBIDDEN.to_string()),
        Err(error) => (false, failed_ms, format!("{}: {error:#}", codes::FILE_FORBIDDEN)),
    };
    Step {
        bridge: bridge.to_owned(),
        name: name.to_owned(),
        feature: Feature::File.as_str().to_owned(),
        from: from.side.platform().to_owned(),
        to: to.side.platform().to_owned(),
        ok,
        ms,
        detail,
    }
}

/// Waits for a line with the file's name and why there is no more.
async fn its_name(to: &Member, name: &str, clock: &dyn Clock) -> Result<u64> {
    let started_ms = clock.monotonic_ms();
    let seen = eventually(clock, PATIENCE_MS, async || {
        let mut found = to.side.read().await?;
        found.retain(|seen| contains_word(&seen.markup, name));
        ensure!(found.len() < 2, "it arrived {} times", found.len());
        Ok(found.pop())
    });
    let seen = seen.await?.context("nothing says that there was a file")?;
    ensure!(seen.markup.contains(WHY), "nobody says why: {}", seen.markup);
    Ok(elapsed(clock, started_ms))
}

/// What may not pass is a failure where it does.
async fn no_more(to: &Member, name: &str) -> Result<()> {
    for seen in to.side.read().await? {
        let files = to.side.files(&seen).await?;
        ensure!(!files.iter().any(|(known, _)| known == name), "the file itself arrived");
    }
    Ok(())
}

/// Waits until the sender is told, once. `alone`: what is shown to them only, where the platform can do that; then
/// nobody else may see it.
async fn is_told(
    from: &Member,
    name: &str,
    clock: &dyn Clock,
    alone: Option<impl Fn() -> Vec<String>>,
) -> Result<u64> {
    let started_ms = clock.monotonic_ms();
    let told = eventually(clock, PATIENCE_MS, async || {
        let all = from.side.read().await?;
        let notes: Vec<&Seen> = all.iter().filter(|seen| seen.markup.contains(TOLD)).collect();
        let Some(alone) = &alone else { return in_its_thread(from, name, &all, &notes).await };
        ensure!(notes.is_empty(), "everybody sees it");
        let shown = alone().iter().filter(|text| text.contains(TOLD)).count();
        ensure!(shown < 2, "it was told {shown} times");
        Ok((shown == 1).then_some(()))
    });
    told.await?.context("the sender was not told")?;
    Ok(elapsed(clock, started_ms))
}

/// The note, where it is there; it stands in the thread of the message with the file.
async fn in_its_thread(from: &Member, name: &str, all: &[Seen], notes: &[&Seen]) -> Result<Option<()>> {
    let note = match notes {
        [] => return Ok(None),
        [note] => note,
        more => bail!("it was told {} times", more.len()),
    };
    let root = note.thread_root.as_deref().and_then(|id| all.iter().find(|it| it.id == id));
    let files = match root {
        Some(root) => from.side.files(root).await?,
        None => Vec::new(),
    };
    let about = files.iter().any(|(known, _)| known == name);
    ensure!(about, "it is not in the thread of the message: {}", note.markup);
    Ok(Some(()))
}
