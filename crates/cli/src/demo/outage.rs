//! An outage in the story: the gateway ends, everybody goes on writing, editing and deleting, and another gateway starts
//! on what the first one kept. Nothing may arrive in between, and all of it afterwards, once; the latter is counted again when
//! the gateway has nothing left to do.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_model::{Clock, Feature};
use futures_util::future::{join_all, try_join_all};

use super::sides::Seen;
use super::story::{Member, Step, contains_word, elapsed, eventually};

/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 20_000;
/// Between two looks at where nothing may come.
const LOOK: Duration = Duration::from_millis(60);

/// What people had written before.
pub(crate) struct Before {
    /// By author.
    written: Vec<Written>,
    /// So many milliseconds a gateway that runs needed for all of it.
    needed_ms: u64,
}

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
    let started_ms = clock.monotonic_ms();
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
    Ok(Before { written, needed_ms: elapsed(clock, started_ms) })
}

/// Everybody edits, deletes and writes; nothing of it goes anywhere for as long as a gateway that runs would have needed.
pub(crate) async fn meanwhile(members: &[Member], before: &Before, clock: &dyn Clock) -> Result<()> {
    for (at, (member, written)) in members.iter().zip(&before.written).enumerate() {
        let side = &member.side;
        side.edit(&written.edited, None, &words(member, &format!("now at ten {}", mark(at, "edited"))))
            .await?;
        side.delete(&written.deleted, None).await?;
        side.post(&words(member, &format!("is anybody there {}", mark(at, "new"))), None).await?;
    }
    let done_ms = clock.monotonic_ms();
    loop {
        // Asked before the look, so that the last look is after all of that time.
        let over = elapsed(clock, done_ms) > before.needed_ms;
        for (at, member) in members.iter().enumerate() {
            nothing_came(member, at, members.len()).await?;
        }
        if over {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a member shows nothing of what the others did without a gateway.
async fn nothing_came(member: &Member, at: usize, members: usize) -> Result<()> {
    let shown = member.side.read().await?;
    let shows = |by: usize, word: &str, text: &str| {
        shown.iter().any(|seen| contains_word(&seen.markup, &mark(by, word)) && seen.markup.contains(text))
    };
    for by in (0..members).filter(|by| *by != at) {
        let relayed = shows(by, "new", "") || shows(by, "edited", "now at ten") || !shows(by, "deleted", "");
        ensure!(!relayed, "something reached {} although no gateway runs", member.side.platform());
    }
    Ok(())
}

/// All ordered pairs: what was done meanwhile is there, counted from the moment at which the gateway was started, and is
/// there once when `at_rest` says that nothing is under way any more.
pub(crate) async fn after(
    members: &[Member],
    before: &Before,
    bridge: &str,
    clock: &dyn Clock,
    started_ms: i64,
    at_rest: impl AsyncFn() -> Result<bool>,
) -> Vec<Step> {
    let pairs: Vec<(usize, usize)> = (0..members.len())
        .flat_map(|from| (0..members.len()).map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
        .collect();
    let looks = pairs.iter().map(|(at, other)| async move {
        let (from, to) = (&members[*at], &members[*other]);
        let copy = &before.written[*at].copies[*other];
        let [new, edited, deleted] = ["new", "edited", "deleted"].map(|word| mark(*at, word));
        let (new, edited, gone) = tokio::join!(
            arrives(from, to, &new, clock, started_ms),
            is_edited(to, &edited, copy, clock, started_ms),
            is_gone(to, &deleted, clock, started_ms)
        );
        [new, edited, gone]
    });
    let seen = join_all(looks).await;
    let finally = at_the_end(members, clock, at_rest).await;
    let failed_ms = elapsed(clock, started_ms);
    let mut steps = Vec::new();
    for ((at, other), seen) in pairs.into_iter().zip(seen) {
        for (told, seen) in TOLD.iter().zip(seen) {
            let seen = seen.and_then(|ms| {
                let finally = finally.as_ref().map_err(|error| anyhow!("{error:#}"))?;
                // At the author too, where a copy would be one that came back.
                for member in [other, at] {
                    counted(&finally[member], at, told).with_context(|| members[member].side.platform())?;
                }
                Ok(ms)
            });
            let (from, to) = (&members[at], &members[other]);
            let level = to.capabilities.level(told.feature).as_str();
            let (ok, ms, detail) = match seen {
                Ok(ms) => (true, ms, level.to_owned()),
                Err(error) => (false, failed_ms, format!("{level}: {error:#}")),
            };
            steps.push(Step {
                bridge: bridge.to_owned(),
                name: told.name.to_owned(),
                feature: told.feature.as_str().to_owned(),
                from: from.side.platform().to_owned(),
                to: to.side.platform().to_owned(),
                ok,
                ms,
                detail,
            });
        }
    }
    steps
}

/// What everybody did meanwhile.
struct Told {
    name: &'static str,
    feature: Feature,
    /// Of the mark.
    word: &'static str,
    /// So many messages have the mark in the end.
    count: usize,
}

const TOLD: [Told; 3] = [
    Told { name: "what was written during an outage", feature: Feature::Text, word: "new", count: 1 },
    Told { name: "what was edited during an outage", feature: Feature::Edit, word: "edited", count: 1 },
    Told { name: "what was deleted during an outage", feature: Feature::Deletion, word: "deleted", count: 0 },
];

/// What all members show when nothing is under way any more.
async fn at_the_end(
    members: &[Member],
    clock: &dyn Clock,
    at_rest: impl AsyncFn() -> Result<bool>,
) -> Result<Vec<Vec<Seen>>> {
    let rest = eventually(clock, PATIENCE_MS, async || Ok(at_rest().await?.then_some(()))).await?;
    rest.context("the gateway does not come to rest")?;
    try_join_all(members.iter().map(|member| member.side.read())).await
}

fn counted(shown: &[Seen], by: usize, told: &Told) -> Result<()> {
    let mark = mark(by, told.word);
    let count = shown.iter().filter(|seen| contains_word(&seen.markup, &mark)).count();
    ensure!(count == told.count, "in the end it is there {count} times, not {}", told.count);
    Ok(())
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
    let gone = eventually(clock, PATIENCE_MS, async || {
        let shown = to.side.read().await?;
        Ok((!shown.iter().any(|seen| contains_word(&seen.markup, mark))).then_some(()))
    });
    gone.await?.context("the copy is still there")?;
    Ok(elapsed(clock, started_ms))
}

/// Waits until one message, and only one, has the mark and is right.
async fn sees(to: &Member, mark: &str, clock: &dyn Clock, right: impl Fn(&Seen) -> bool) -> Result<Seen> {
    let seen = eventually(clock, PATIENCE_MS, async || {
        let mut found = to.side.read().await?;
        found.retain(|seen| contains_word(&seen.markup, mark));
        ensure!(found.len() < 2, "it arrived {} times", found.len());
        Ok(found.pop_if(|seen| right(seen)))
    });
    seen.await?.context("it did not arrive")
}
