//! `demo --story`: every row of the script for every ordered pair, judged through the target's public API.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use dragoman_model::{Capabilities, Clock, Level};
use futures_util::future::join_all;
use serde::Serialize;

use super::row::{Act, Row};
use super::script::SCRIPT;
use super::sides::{Seen, Side};

/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 10_000;
/// The same for an edit of which the source tells nobody.
const UNANNOUNCED_MS: u64 = 20_000;
/// Between two looks at the target.
const LOOK: Duration = Duration::from_millis(40);

/// A member of a bridge.
pub(crate) struct Member {
    pub(crate) side: Box<dyn Side>,
    /// What arrives there, and what is known of it as a source, from the connector's own data.
    pub(crate) capabilities: Capabilities,
}

/// A bridge that the story plays on.
pub(crate) struct Stage {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    pub(crate) members: Vec<Member>,
    /// How many of the members act; the others only read.
    pub(crate) actors: usize,
    /// Tells only the rows for a bridge of many members.
    pub(crate) short: bool,
}

/// What the story printed of one step.
#[derive(Serialize)]
pub(crate) struct Step {
    pub(crate) bridge: String,
    pub(crate) name: String,
    pub(crate) feature: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) ok: bool,
    pub(crate) ms: u64,
    pub(crate) detail: String,
}

/// Tells the whole story, all bridges at the same time; `told` is given what is played next.
pub(crate) async fn tell(stages: &[Stage], clock: &dyn Clock, told: &(dyn Fn(String) + Sync)) -> Vec<Step> {
    let plays = stages.iter().enumerate().map(|(number, stage)| on_stage(number, stage, clock, told));
    join_all(plays).await.into_iter().flatten().collect()
}

async fn on_stage(
    number: usize,
    stage: &Stage,
    clock: &dyn Clock,
    told: &(dyn Fn(String) + Sync),
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (actor, from) in stage.members.iter().take(stage.actors).enumerate() {
        for (line, row) in SCRIPT.iter().enumerate() {
            let Some(words) = row.words.on(from.side.platform()) else { continue };
            if stage.short && !row.short {
                continue;
            }
            told(format!("{}: {} writes {}", stage.name, from.side.person(), row.name));
            let targets: Vec<&Member> =
                stage.members.iter().enumerate().filter(|(at, _)| *at != actor).map(|(_, it)| it).collect();
            let scene = Scene { from, targets, row, clock, mark: format!("mark{number}a{actor}x{line}") };
            let started_ms = clock.monotonic_ms();
            let results = scene.play(words).await;
            for (to, result) in scene.targets.iter().zip(results) {
                let level = to.capabilities.level(row.feature).as_str();
                let (ok, ms, detail) = match result {
                    Ok(ms) => (true, ms, level.to_owned()),
                    Err(error) => (false, elapsed(clock, started_ms), format!("{level}: {error:#}")),
                };
                steps.push(Step {
                    bridge: stage.name.to_owned(),
                    name: row.name.to_owned(),
                    feature: row.feature.as_str().to_owned(),
                    from: from.side.platform().to_owned(),
                    to: to.side.platform().to_owned(),
                    ok,
                    ms,
                    detail,
                });
            }
        }
    }
    steps
}

/// One row, written at one member and read at the others.
struct Scene<'a> {
    from: &'a Member,
    targets: Vec<&'a Member>,
    row: &'a Row,
    clock: &'a dyn Clock,
    mark: String,
}

impl Scene<'_> {
    /// Per target the milliseconds from the source's answer until it shows what it must.
    async fn play(&self, words: &str) -> Vec<Result<u64>> {
        match self.act(words).await {
            Ok(results) => results,
            // The source itself failed: nothing can have arrived anywhere.
            Err(error) => {
                let text = format!("{error:#}");
                self.targets.iter().map(|_| Err(anyhow::anyhow!("at the source: {text}"))).collect()
            }
        }
    }

    async fn act(&self, words: &str) -> Result<Vec<Result<u64>>> {
        let (from, mark) = (&self.from.side, self.mark.as_str());
        let text = words.replace("{}", mark);
        match self.row.act {
            Act::Post => {
                from.post(&text, None).await?;
                Ok(self.everywhere(|to| self.posted(to)).await)
            }
            Act::Reply | Act::Broadcast => {
                let root_mark = format!("{mark}root");
                let root = from.post(&self.plain(&root_mark), None).await?;
                let roots = self.everywhere(|to| self.arrives(to, &root_mark, PATIENCE_MS, |_| true)).await;
                if self.row.act == Act::Broadcast {
                    from.broadcast(&text, &root).await?;
                } else {
                    from.post(&text, Some(&root)).await?;
                }
                Ok(self.after(roots, |to, root: Seen| self.replied(to, root)).await)
            }
            Act::Edit => {
                let id = from.post(&self.plain(mark), None).await?;
                let before = self.everywhere(|to| self.arrives(to, mark, PATIENCE_MS, |_| true)).await;
                from.edit(&id, None, &text).await?;
                Ok(self.after(before, |to, before: Seen| self.edited(to, before)).await)
            }
            Act::Card => {
                from.card(mark).await?;
                Ok(self.everywhere(|to| self.posted(to)).await)
            }
            Act::Quote => {
                let root_mark = format!("{mark}root");
                let root = from.post(&self.plain(&root_mark), None).await?;
                let roots = self.everywhere(|to| self.arrives(to, &root_mark, PATIENCE_MS, |_| true)).await;
                from.quote("low tide at noon", &root, &text).await?;
                Ok(self.after(roots, |to, root: Seen| self.linked(to, root)).await)
            }
            Act::Link => {
                let root_mark = format!("{mark}root");
                let root = from.post(&self.plain(&root_mark), None).await?;
                let roots = self.everywhere(|to| self.arrives(to, &root_mark, PATIENCE_MS, |_| true)).await;
                let link = from.link(&root).await?;
                let written = if from.platform() == "teams" { link.replace('&', "&amp;") } else { link };
                from.post(&text.replace("<link>", &written), None).await?;
                Ok(self.after(roots, |to, root: Seen| self.linked(to, root)).await)
            }
            Act::Change => {
                let known_by = from.change(mark).await?;
                let told = self.everywhere(|to| {
                    let right = |seen: &Seen| self.right(to, seen);
                    let known_by = &known_by;
                    async move { Ok(self.arrives(to, known_by, PATIENCE_MS, right).await?.0) }
                });
                Ok(told.await)
            }
            Act::React => {
                let id = from.post(&text, None).await?;
                let before = self.everywhere(|to| self.arrives(to, mark, PATIENCE_MS, |_| true)).await;
                from.react(&id, true).await?;
                let noted = self.after(before, |to, _| self.reacted(to)).await;
                from.react(&id, false).await?;
                let noted = noted.into_iter().map(|it| it.map(|ms| (ms, ()))).collect();
                Ok(self.after(noted, |to, ()| self.unreacted(to)).await)
            }
            Act::Delete => {
                let id = from.post(&text, None).await?;
                let before = self.everywhere(|to| self.arrives(to, mark, PATIENCE_MS, |_| true)).await;
                from.delete(&id, None).await?;
                Ok(self.after(before, |to, _| self.gone(to)).await)
            }
            Act::File => {
                let name = format!("{mark}.txt");
                from.post_file(&name, text.as_bytes()).await?;
                Ok(self.everywhere(|to| self.carried(to, &name, text.as_bytes())).await)
            }
        }
    }

    async fn everywhere<'s, T, F>(&'s self, look: impl Fn(&'s Member) -> F) -> Vec<Result<T>>
    where
        F: Future<Output = Result<T>>,
    {
        join_all(self.targets.iter().map(|to| look(to))).await
    }

    /// The second half of a step, where the first half went well.
    async fn after<'s, S, F>(
        &'s self,
        first: Vec<Result<(u64, S)>>,
        look: impl Fn(&'s Member, S) -> F,
    ) -> Vec<Result<u64>>
    where
        F: Future<Output = Result<u64>>,
    {
        let second = self.targets.iter().zip(first).map(|(to, first)| {
            let look = first.map(|(_, seen)| look(to, seen));
            async { look?.await }
        });
        join_all(second).await
    }

    /// Whether a target shows what it must; nothing is asked of what is not carried.
    fn right(&self, to: &Member, seen: &Seen) -> bool {
        to.capabilities.level(self.row.feature) <= Level::Dropped
            || self.row.shows.on(to.side.platform())(seen)
    }

    async fn posted(&self, to: &Member) -> Result<u64> {
        let (ms, seen) = self.arrives(to, &self.mark, PATIENCE_MS, |seen| self.right(to, seen)).await?;
        let person = self.from.side.person();
        let first = person.split(' ').next().unwrap_or(person);
        if !seen.author.contains(first) && !seen.markup.contains(first) {
            bail!("the copy does not name its author: {}", seen.markup);
        }
        Ok(ms)
    }

    /// Whether the copy links to the target's own copy of another message.
    async fn linked(&self, to: &Member, other: Seen) -> Result<u64> {
        let link = to.side.link(&other.id).await?;
        let right = |seen: &Seen| {
            let shown = format!("{}{}", seen.markup, seen.raw).replace("&amp;", "&");
            self.right(to, seen) && shown.contains(&link)
        };
        Ok(self.arrives(to, &self.mark, PATIENCE_MS, right).await?.0)
    }

    async fn replied(&self, to: &Member, root: Seen) -> Result<u64> {
        let right =
            |seen: &Seen| self.right(to, seen) && seen.thread_root.as_deref() == Some(root.id.as_str());
        Ok(self.arrives(to, &self.mark, PATIENCE_MS, right).await?.0)
    }

    async fn edited(&self, to: &Member, before: Seen) -> Result<u64> {
        let told = self.from.capabilities.unannounced_edits_ms.is_none();
        let patience_ms = if told { PATIENCE_MS } else { UNANNOUNCED_MS };
        let right = |seen: &Seen| self.right(to, seen) && seen.id == before.id;
        Ok(self.arrives(to, &self.mark, patience_ms, right).await?.0)
    }

    /// Whether the copy shows the reaction, as far as it is carried, and a note in its thread who made it.
    async fn reacted(&self, to: &Member) -> Result<u64> {
        let (ms, copy) = self.arrives(to, &self.mark, PATIENCE_MS, |seen| self.right(to, seen)).await?;
        let person = self.from.side.person();
        let first = person.split(' ').next().unwrap_or(person);
        let started_ms = self.clock.monotonic_ms();
        loop {
            let notes = self.notes(to, &copy.id).await?;
            match &notes[..] {
                [] => {}
                [note] if note.markup.contains(first) => {
                    return Ok(ms + elapsed(self.clock, started_ms));
                }
                [note] => bail!("the note does not say who it was: {}", note.markup),
                more => bail!("there are {} notes", more.len()),
            }
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!("no note says who it was");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether reaction and note are gone, and the copy is not.
    async fn unreacted(&self, to: &Member) -> Result<u64> {
        let bare = |seen: &Seen| {
            let list = seen.raw["reactions"].as_array();
            list.is_none_or(|all| all.iter().all(|one| one["count"] == 0 || one["total_count"] == 0))
        };
        let (ms, copy) = self.arrives(to, &self.mark, PATIENCE_MS, bare).await?;
        let started_ms = self.clock.monotonic_ms();
        while !self.notes(to, &copy.id).await?.is_empty() {
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!("the note is still there");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(ms + elapsed(self.clock, started_ms))
    }

    async fn notes(&self, to: &Member, root: &str) -> Result<Vec<Seen>> {
        let mut seen = to.side.read().await?;
        seen.retain(|seen| seen.thread_root.as_deref() == Some(root));
        Ok(seen)
    }

    /// Waits for a file with these bytes, or for a line with its name where files are not carried.
    async fn carried(&self, to: &Member, name: &str, bytes: &[u8]) -> Result<u64> {
        let started_ms = self.clock.monotonic_ms();
        let mut looked: BTreeSet<String> = BTreeSet::new();
        if to.capabilities.level(self.row.feature) < Level::Partial {
            return Ok(self.arrives(to, &self.mark, PATIENCE_MS, |_| true).await?.0);
        }
        loop {
            for seen in to.side.read().await? {
                if looked.contains(&seen.id) {
                    continue;
                }
                let files = to.side.files(&seen).await?;
                if let Some((_, found)) = files.iter().find(|(known, _)| known == name) {
                    let person = self.from.side.person();
                    let first = person.split(' ').next().unwrap_or(person);
                    if found != bytes {
                        bail!("the file arrived with other bytes");
                    }
                    if !seen.author.contains(first) && !seen.markup.contains(first) {
                        bail!("the file does not name its author: {}", seen.markup);
                    }
                    return Ok(elapsed(self.clock, started_ms));
                }
                looked.insert(seen.id);
            }
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!("the file did not arrive");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn gone(&self, to: &Member) -> Result<u64> {
        let started_ms = self.clock.monotonic_ms();
        loop {
            let seen = to.side.read().await?;
            if !seen.iter().any(|seen| contains_word(&seen.markup, &self.mark)) {
                return Ok(elapsed(self.clock, started_ms));
            }
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!("the copy is still there");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until one message, and only one, has the mark and is right.
    async fn arrives(
        &self,
        to: &Member,
        mark: &str,
        patience_ms: u64,
        right: impl Fn(&Seen) -> bool,
    ) -> Result<(u64, Seen)> {
        let started_ms = self.clock.monotonic_ms();
        loop {
            let mut found = to.side.read().await?;
            found.retain(|seen| contains_word(&seen.markup, mark));
            let copies: BTreeSet<&str> = found.iter().map(|seen| seen.id.as_str()).collect();
            if copies.len() > 1 {
                bail!("it arrived {} times", copies.len());
            }
            let arrived = found.first().map(|seen| seen.markup.clone());
            if let Some(seen) = found.into_iter().find(|seen| right(seen)) {
                return Ok((elapsed(self.clock, started_ms), seen));
            }
            if elapsed(self.clock, started_ms) > patience_ms {
                match arrived {
                    Some(markup) => bail!("it arrived, but not as it should: {markup}"),
                    None => bail!("it did not arrive"),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn plain(&self, mark: &str) -> String {
        if self.from.side.platform() == "teams" {
            format!("<p>first {mark}</p>")
        } else {
            format!("first {mark}")
        }
    }
}

/// Whether the mark stands there and is not the beginning of a longer one.
pub(crate) fn contains_word(text: &str, mark: &str) -> bool {
    text.match_indices(mark)
        .any(|(at, _)| !text[at + mark.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
}

/// Looks again and again until there is something, and gives up after so many milliseconds. A look that fails is the end.
pub(crate) async fn eventually<T>(
    clock: &dyn Clock,
    patience_ms: u64,
    look: impl AsyncFn() -> Result<Option<T>>,
) -> Result<Option<T>> {
    let started_ms = clock.monotonic_ms();
    loop {
        let seen = look().await?;
        if seen.is_some() || elapsed(clock, started_ms) > patience_ms {
            return Ok(seen);
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(crate) fn elapsed(clock: &dyn Clock, since_ms: i64) -> u64 {
    u64::try_from(clock.monotonic_ms() - since_ms).unwrap_or(0)
}

/// The table that people read.
pub(crate) fn table(steps: &[Step]) -> String {
    let mut lines = Vec::new();
    let mut shown: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for step in steps {
        let way = (step.bridge.as_str(), step.from.as_str(), step.to.as_str());
        if !shown.insert(way) {
            continue;
        }
        lines.push(format!("\n  {} → {}   ({})", step.from, step.to, step.bridge));
        let same = steps.iter().filter(|it| (it.bridge.as_str(), it.from.as_str(), it.to.as_str()) == way);
        for step in same {
            let sign = if step.ok { "✓" } else { "✗" };
            lines.push(format!("    {sign} {:<40} {:>6} ms   {}", step.name, step.ms, step.detail));
        }
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
