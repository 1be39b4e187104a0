//! An outage in the story: the gateway ends, everybody goes on writing, editing and deleting, and another gateway starts
//! on what the first one kept. Nothing may arrive in between, and all of it afterwards, once.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use dragoman_model::{Clock, Feature};
use futures_util::future::join_all;

use super::sides::Seen;
use super::story::{Member, Step, contains_word, elapsed};

/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 20_000;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(60);

/// What people had written before, by author.
pub(crate) struct Before(Vec<Written>);

struct Written {
    /// Ids at the source of what is edited and of what is deleted.
    edited: String,
    deleted: String,
    /// The copies of the first, by member.
    copies: Vec<String>,
}

fn mark(member: usize, word: &str) -> String {
    format!("outage{member}{word}")
}

fn words(member: &Member, text: &str) -> String {
    if member.side.platform() == "teams" { format!("<p>{text}</p>") } else { text.to_owned() }
}

/// Everybody writes what will be edited and deleted, and everybody else has it.
pub(crate) async fn before(members: &[Member], clock: &dyn Clock) -> Result<Before> {
    let mut written = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let post = async |word| {
            let text = words(member, &format!("before the outage {}", mark(at, word)));
            member.side.post(&text, None).await
        };
        written.push(Written {
            edited: post("edited").await?,
            deleted: post("deleted").await?,
            copies: Vec::new(),
        });
    }
    for (at, written) in written.iter_mut().enumerate() {
        for (other, to) in members.iter().enumerate() {
            let copy = sees(to, &mark(at, "edited"), clock, |_| true).await?;
            if other != at {
                sees(to, &mark(at, "deleted"), clock, |_| true).await?;
            }
            written.copies.push(copy.id);
        }
    }
    Ok(Before(written))
}

/// Everybody edits, deletes and writes; nothing of it goes anywhere now.
pub(crate) async fn meanwhile(members: &[Member], before: &Before) -> Result<()> {
    for (at, (member, written)) in members.iter().zip(&before.0).enumerate() {
        let side = &member.side;
        side.edit(&written.edited, None, &words(member, &format!("now at ten {}", mark(at, "edited"))))
            .await?;
        side.delete(&written.deleted, None).await?;
        side.post(&words(member, &format!("is anybody there {}", mark(at, "new"))), None).await?;
    }
    for (at, member) in members.iter().enumerate() {
        let shown = member.side.read().await?;
        let shows = |by: usize, word: &str, text: &str| {
            shown
                .iter()
                .any(|seen| contains_word(&seen.markup, &mark(by, word)) && seen.markup.contains(text))
        };
        for by in (0..members.len()).filter(|by| *by != at) {
            let relayed =
                shows(by, "new", "") || shows(by, "edited", "now at ten") || !shows(by, "deleted", "");
            ensure!(!relayed, "something reached {} although no gateway runs", member.side.platform());
        }
    }
    Ok(())
}

/// All ordered pairs: what was done meanwhile is there, counted from the moment at which the gateway was started.
pub(crate) async fn after(
    members: &[Member],
    before: &Before,
    bridge: &str,
    clock: &dyn Clock,
    started_ms: i64,
) -> Vec<Step> {
    let pairs = (0..members.len()).flat_map(|from| (0..members.len()).map(move |to| (from, to)));
    let steps = pairs.filter(|(from, to)| from != to).map(|(at, other)| async move {
        let (from, to) = (&members[at], &members[other]);
        let copy = &before.0[at].copies[other];
        let step = |name: &str, feature: Feature, seen: Result<u64>| {
            let level = to.capabilities.level(feature).as_str();
            let (ok, ms, detail) = match seen {
                Ok(ms) => (true, ms, level.to_owned()),
                Err(error) => (false, elapsed(clock, started_ms), format!("{level}: {error:#}")),
            };
            Step {
                bridge: bridge.to_owned(),
                name: name.to_owned(),
                feature: feature.as_str().to_owned(),
                from: from.side.platform().to_owned(),
                to: to.side.platform().to_owned(),
                ok,
                ms,
                detail,
            }
        };
        let [new, edited, deleted] = ["new", "edited", "deleted"].map(|word| mark(at, word));
        let (new, edited, gone) = tokio::join!(
            arrives(from, to, &new, clock, started_ms),
            is_edited(to, &edited, copy, clock, started_ms),
            is_gone(to, &deleted, clock, started_ms)
        );
        [
            step("what was written during an outage", Feature::Text, new),
            step("what was edited during an outage", Feature::Edit, edited),
            step("what was deleted during an outage", Feature::Deletion, gone),
        ]
    });
    join_all(steps).await.into_iter().flatten().collect()
}

async fn arrives(from: &Member, to: &Member, mark: &str, clock: &dyn Clock, started_ms: i64) -> Result<u64> {
    let copy = sees(to, mark, clock, |_| true).await?;
    let person = from.side.person();
    let first = person.split(' ').next().unwrap_or(person);
    let named = copy.author.contains(first) || copy.markup.contains(first);
    ensure!(named, "the copy does not name its author: {}", copy.markup);
    Ok(elapsed(clock, started_ms))
}

async fn is_edited(to: &Member, mark: &str, copy: &str, clock: &dyn Clock, started_ms: i64) -> Result<u64> {
    let seen = sees(to, mark, clock, |seen| seen.markup.contains("now at ten")).await?;
    ensure!(seen.id == copy, "the edit made another message");
    Ok(elapsed(clock, started_ms))
}

async fn is_gone(to: &Member, mark: &str, clock: &dyn Clock, started_ms: i64) -> Result<u64> {
    let since_ms = clock.monotonic_ms();
    while to.side.read().await?.iter().any(|seen| contains_word(&seen.markup, mark)) {
        if elapsed(clock, since_ms) > PATIENCE_MS {
            bail!("the copy is still there");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(elapsed(clock, started_ms))
}

/// Waits until one message, and only one, has the mark and is right.
async fn sees(to: &Member, mark: &str, clock: &dyn Clock, right: impl Fn(&Seen) -> bool) -> Result<Seen> {
    let since_ms = clock.monotonic_ms();
    loop {
        let mut found = to.side.read().await?;
        found.retain(|seen| contains_word(&seen.markup, mark));
        ensure!(found.len() < 2, "it arrived {} times", found.len());
        if let Some(seen) = found.pop_if(|seen| right(seen)) {
            return Ok(seen);
        }
        if elapsed(clock, since_ms) > PATIENCE_MS {
            bail!("it did not arrive");
        }
        tokio::time::sleep(LOOK).await;
    }
}
