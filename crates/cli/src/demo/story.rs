//! `demo --story`: every row of the script for every ordered pair, judged through the target's public API.

use std::time::Duration;

use anyhow::{Result, bail};
use dragoman_model::{Clock, Feature, Level};
use serde::Serialize;

use super::script::{Act, Row, SCRIPT};
use super::sides::{Seen, Side};

/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 10_000;
/// Between two looks at the target.
const LOOK: Duration = Duration::from_millis(25);

/// One ordered pair of bridged conversations.
pub(crate) struct Pair<'a> {
    pub(crate) from: &'a dyn Side,
    pub(crate) to: &'a dyn Side,
    /// How well each feature arrives at the target, from the connector's own data.
    pub(crate) level: &'a dyn Fn(Feature) -> Level,
}

/// What the story printed of one step.
#[derive(Serialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) feature: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) ok: bool,
    pub(crate) ms: u64,
    pub(crate) detail: String,
}

/// Tells the whole story; `told` is given every step as it ends.
pub(crate) async fn tell(pairs: &[Pair<'_>], clock: &dyn Clock, told: &mut dyn FnMut(&Step)) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        for (number, row) in SCRIPT.iter().enumerate() {
            let markup = match pair.from.platform() {
                "slack" => row.slack,
                _ => row.teams,
            };
            let Some(markup) = markup else { continue };
            let mark = format!("mark{index}x{number}");
            let started_ms = clock.monotonic_ms();
            let result = play(pair, row, markup, &mark, clock).await;
            let level = (pair.level)(row.feature).as_str();
            let (ok, ms, detail) = match result {
                Ok(ms) => (true, ms, level.to_owned()),
                Err(error) => (false, elapsed(clock, started_ms), format!("{level}: {error:#}")),
            };
            let step = Step {
                name: row.name.to_owned(),
                feature: row.feature.as_str().to_owned(),
                from: pair.from.platform().to_owned(),
                to: pair.to.platform().to_owned(),
                ok,
                ms,
                detail,
            };
            told(&step);
            steps.push(step);
        }
    }
    steps
}

/// Plays a step; milliseconds from the source's answer until the target shows it.
async fn play(pair: &Pair<'_>, row: &Row, markup: &str, mark: &str, clock: &dyn Clock) -> Result<u64> {
    let text = markup.replace("{}", mark);
    let check = match pair.to.platform() {
        "slack" => row.on_slack,
        _ => row.on_teams,
    };
    let carried = (pair.level)(row.feature) > Level::Dropped;
    let arrived = |seen: &Seen| !carried || check(seen);
    match row.act {
        Act::Post => {
            pair.from.post(&text, None).await?;
            let (ms, seen) = wait_for(pair, mark, clock, arrived).await?;
            if row.feature == Feature::AuthorName {
                names_the_author(pair, &seen)?;
            }
            Ok(ms)
        }
        Act::Reply | Act::Broadcast => {
            let root_mark = format!("{mark}root");
            let root = pair.from.post(&plain(pair.from, &root_mark), None).await?;
            let (_, root_there) = wait_for(pair, &root_mark, clock, |_| true).await?;
            if row.act == Act::Broadcast {
                pair.from.broadcast(&text, &root).await?;
            } else {
                pair.from.post(&text, Some(&root)).await?;
            }
            let in_thread =
                |seen: &Seen| arrived(seen) && seen.thread_root.as_deref() == Some(root_there.id.as_str());
            Ok(wait_for(pair, &format!("{mark}~"), clock, in_thread).await?.0)
        }
        Act::Edit => {
            let id = pair.from.post(&plain(pair.from, mark), None).await?;
            let (_, before) = wait_for(pair, mark, clock, |_| true).await?;
            pair.from.edit(&id, None, &text).await?;
            let edited = |seen: &Seen| arrived(seen) && seen.id == before.id;
            Ok(wait_for(pair, mark, clock, edited).await?.0)
        }
        Act::Delete => {
            let id = pair.from.post(&text, None).await?;
            wait_for(pair, mark, clock, |_| true).await?;
            pair.from.delete(&id, None).await?;
            wait_until_gone(pair, mark, clock).await
        }
    }
}

fn plain(side: &dyn Side, mark: &str) -> String {
    if side.platform() == "slack" { format!("first {mark}") } else { format!("<p>first {mark}</p>") }
}

async fn wait_for(
    pair: &Pair<'_>,
    mark: &str,
    clock: &dyn Clock,
    right: impl Fn(&Seen) -> bool,
) -> Result<(u64, Seen)> {
    let started_ms = clock.monotonic_ms();
    // `mark~` looks for a reply that carries the mark itself and not that of its root.
    let (mark, but_not) = match mark.strip_suffix('~') {
        Some(mark) => (mark, format!("{mark}root")),
        None => (mark, "\u{0}".to_owned()),
    };
    let mut arrived = None;
    loop {
        let seen = pair.to.read().await?;
        let mut found: Vec<Seen> = seen
            .into_iter()
            .filter(|seen| seen.markup.contains(mark) && !seen.markup.contains(&but_not))
            .collect();
        let exact = |seen: &Seen| contains_word(&seen.markup, mark);
        found.retain(exact);
        let copies: std::collections::BTreeSet<&str> = found.iter().map(|seen| seen.id.as_str()).collect();
        if copies.len() > 1 {
            bail!("it arrived {} times", copies.len());
        }
        if let Some(seen) = found.first() {
            arrived = Some(seen.markup.clone());
        }
        if let Some(seen) = found.into_iter().find(|seen| right(seen)) {
            return Ok((elapsed(clock, started_ms), seen));
        }
        if elapsed(clock, started_ms) > PATIENCE_MS {
            match arrived {
                Some(markup) => bail!("it arrived, but not as it should: {markup}"),
                None => bail!("it did not arrive"),
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn wait_until_gone(pair: &Pair<'_>, mark: &str, clock: &dyn Clock) -> Result<u64> {
    let started_ms = clock.monotonic_ms();
    loop {
        let seen = pair.to.read().await?;
        if !seen.iter().any(|seen| contains_word(&seen.markup, mark)) {
            return Ok(elapsed(clock, started_ms));
        }
        if elapsed(clock, started_ms) > PATIENCE_MS {
            bail!("the copy is still there");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the mark stands there and is not the beginning of a longer one.
fn contains_word(text: &str, mark: &str) -> bool {
    text.match_indices(mark)
        .any(|(at, _)| !text[at + mark.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
}

fn names_the_author(pair: &Pair<'_>, seen: &Seen) -> Result<()> {
    let person = pair.from.person();
    let first = person.split(' ').next().unwrap_or(person);
    if seen.author.contains(first) || seen.markup.contains(first) {
        return Ok(());
    }
    bail!("the copy does not name its author")
}

fn elapsed(clock: &dyn Clock, since_ms: i64) -> u64 {
    u64::try_from(clock.monotonic_ms() - since_ms).unwrap_or(0)
}

/// The table that people read.
pub(crate) fn table(steps: &[Step]) -> String {
    let mut lines = Vec::new();
    let mut pair = String::new();
    for step in steps {
        let this = format!("{} → {}", step.from, step.to);
        if this != pair {
            lines.push(format!("\n  {this}"));
            pair = this;
        }
        let sign = if step.ok { "✓" } else { "✗" };
        lines.push(format!("    {sign} {:<38} {:>6} ms   {}", step.name, step.ms, step.detail));
    }
    let failed = steps.iter().filter(|step| !step.ok).count();
    let verdict = if failed == 0 {
        "all of it arrived".to_owned()
    } else {
        format!("{failed} did not arrive as it should")
    };
    lines.push(format!("\n  {} steps, {verdict}\n", steps.len()));
    lines.join("\n")
}
