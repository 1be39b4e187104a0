//! Direct conversations in the story: everybody asks everybody on the other platforms, who accepts; both write, one
//! edits, deletes and ends it. Judged in their own chats with the app, through the platforms' public APIs.

use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use dragoman_model::{Clock, Feature};
use futures_util::future::join_all;

use super::sides::Seen;
use super::story::{Member, Step, contains_word, elapsed};

/// A step waits so long for what it expects, in milliseconds.
pub(super) const PATIENCE_MS: u64 = 15_000;
/// The same for an edit of which the source tells nobody.
const UNANNOUNCED_MS: u64 = 25_000;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(40);

/// Somebody in their own chat with the app.
pub(crate) struct Chat {
    pub(crate) member: Member,
    pub(crate) email: &'static str,
}

/// Who asks whom at the same time: nobody is in two conversations at once.
const ROUNDS: [[(usize, usize); 2]; 6] = [
    [(0, 1), (2, 3)],
    [(0, 2), (1, 3)],
    [(0, 3), (1, 2)],
    [(1, 0), (3, 2)],
    [(2, 0), (3, 1)],
    [(3, 0), (2, 1)],
];

/// Plays all ordered pairs of four people.
pub(crate) async fn tell(chats: &[Chat; 4], clock: &dyn Clock, told: &(dyn Fn(String) + Sync)) -> Vec<Step> {
    let mut steps = Vec::new();
    for (round, pairs) in ROUNDS.iter().enumerate() {
        let plays = pairs.iter().map(|(from, to)| async move {
            let (from, to) = (&chats[*from], &chats[*to]);
            told(format!("{} writes to {}", from.member.side.person(), to.member.side.person()));
            let scene =
                Scene { from, to, clock, mark: format!("direct{round}{}", from.member.side.platform()) };
            let started_ms = clock.monotonic_ms();
            let (message, file) = match scene.play().await {
                Ok((message_ms, file_ms)) => (Ok(message_ms), Ok(file_ms)),
                Err(error) => (Err(anyhow!("{error:#}")), Err(error)),
            };
            let ms = elapsed(clock, started_ms);
            [
                step(("a direct conversation", Feature::DirectMessage), (from, to), message, ms),
                step(("a file in a direct conversation", Feature::File), (from, to), file, ms),
            ]
        });
        steps.extend(join_all(plays).await.into_iter().flatten());
    }
    told("four people write together".to_owned());
    steps.extend(together(chats, clock).await);
    steps
}

/// A step as it went: after how many milliseconds it was seen, or why not, after so many.
pub(super) fn step(
    (name, feature): (&str, Feature),
    (from, to): (&Chat, &Chat),
    seen: Result<u64>,
    failed_ms: u64,
) -> Step {
    let level = to.member.capabilities.level(feature).as_str();
    let (ok, ms, detail) = match seen {
        Ok(ms) => (true, ms, level.to_owned()),
        Err(error) => (false, failed_ms, format!("{level}: {error:#}")),
    };
    Step {
        bridge: "direct".to_owned(),
        name: name.to_owned(),
        feature: feature.as_str().to_owned(),
        from: from.member.side.platform().to_owned(),
        to: to.member.side.platform().to_owned(),
        ok,
        ms,
        detail,
    }
}

/// All four in one conversation: everybody says something, and all others see it.
async fn together(chats: &[Chat; 4], clock: &dyn Clock) -> Vec<Step> {
    let pairs =
        || (0..chats.len()).flat_map(|from| (0..4).filter(move |to| *to != from).map(move |to| (from, to)));
    let gathered = gather(chats, clock).await;
    let name = "a conversation of several";
    if let Err(error) = gathered {
        let failed = |(from, to): (usize, usize)| {
            step(
                (name, Feature::DirectMessage),
                (&chats[from], &chats[to]),
                Err(anyhow::anyhow!("it did not begin: {error:#}")),
                0,
            )
        };
        return pairs().map(failed).collect();
    }
    let mut steps = Vec::new();
    for from in chats {
        let mark = format!("togetherfrom{}", from.member.side.platform());
        let started_ms = clock.monotonic_ms();
        let said = from.says(&mark).await;
        let others = chats.iter().filter(|to| to.email != from.email);
        let seen = others.map(|to| {
            let (said, mark) = (&said, &mark);
            async move {
                let scene = Scene { from, to, clock, mark: String::new() };
                let seen = async {
                    said.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                    named(&scene.sees(to, mark, PATIENCE_MS).await?, from)?;
                    Ok(elapsed(clock, started_ms))
                };
                step((name, Feature::DirectMessage), (from, to), seen.await, elapsed(clock, started_ms))
            }
        });
        steps.extend(join_all(seen).await);
    }
    for chat in chats {
        // What is left open shows in the steps of others.
        let _ = chat.says("dm close").await;
    }
    steps
}

/// The first asks the others, who say yes one after the other.
async fn gather(chats: &[Chat; 4], clock: &dyn Clock) -> Result<()> {
    let [first, others @ ..] = chats;
    let scene = Scene { from: first, to: first, clock, mark: String::new() };
    let (began, mark) = ("You are writing with", "togetherhello");
    let addresses: Vec<&str> = others.iter().map(|chat| chat.email).collect();
    first.says(&format!("dm {} {mark}", addresses.join(" "))).await?;
    for chat in others {
        let asked = scene.sees(chat, mark, PATIENCE_MS).await?;
        ensure!(asked.markup.contains("together with"), "nobody says who else is asked: {}", asked.markup);
    }
    for chat in others {
        let before = scene.count(chat, began).await?;
        chat.says("accept").await?;
        scene.until(chat, began, before + 1).await?;
    }
    Ok(())
}

/// Who asks whom.
pub(super) struct Scene<'a> {
    pub(super) from: &'a Chat,
    pub(super) to: &'a Chat,
    pub(super) clock: &'a dyn Clock,
    pub(super) mark: String,
}

impl Scene<'_> {
    /// The milliseconds that the first message took, and a file.
    async fn play(&self) -> Result<(u64, u64)> {
        let (from, to) = (self.from, self.to);
        let mark = |word: &str| format!("{}{word}", self.mark);
        let began = "You are writing with";
        let (open_from, open_to) = (self.count(from, began).await?, self.count(to, began).await?);
        from.says(&format!("dm {} hello {}", to.email, mark("hello"))).await?;
        let asked = self.sees(to, &mark("hello"), PATIENCE_MS).await?;
        ensure!(asked.markup.contains(first_name(from)), "nobody says who asks: {}", asked.markup);
        to.says("accept").await?;
        self.until(from, began, open_from + 1).await?;
        self.until(to, began, open_to + 1).await?;

        let message = from.says(&mark("one")).await?;
        let started_ms = self.clock.monotonic_ms();
        let copy = self.sees(to, &mark("one"), PATIENCE_MS).await?;
        let ms = elapsed(self.clock, started_ms);
        named(&copy, from)?;
        to.says(&mark("two")).await?;
        named(&self.sees(from, &mark("two"), PATIENCE_MS).await?, to)?;

        let file_ms = self.file(&mark("file")).await?;

        let edited = from.words(&mark("three"));
        from.member.side.edit(&message, None, &edited).await?;
        let told = from.member.capabilities.unannounced_edits_ms.is_none();
        let patience_ms = if told { PATIENCE_MS } else { UNANNOUNCED_MS };
        let now = self.sees(to, &mark("three"), patience_ms).await?;
        ensure!(now.id == copy.id, "the edit made another message");
        from.member.side.delete(&message, None).await?;
        self.until(to, &mark("three"), 0).await?;

        let over = "ended this conversation";
        let ended = self.count(to, over).await?;
        from.says("dm close").await?;
        self.until(to, over, ended + 1).await?;
        Ok((ms, file_ms))
    }

    /// A file goes over, once; whoever is asked first accepts. The milliseconds that it took.
    async fn file(&self, mark: &str) -> Result<u64> {
        let (name, bytes) = (format!("{mark}.txt"), mark.repeat(64).into_bytes());
        self.from.member.side.post_file(&name, &bytes).await?;
        let started_ms = self.clock.monotonic_ms();
        let side = &self.to.member.side;
        loop {
            side.accept_files().await?;
            let mut found = Vec::new();
            for seen in side.read().await? {
                found.extend(side.files(&seen).await?.into_iter().filter(|(known, _)| *known == name));
            }
            match found.as_slice() {
                [(_, there)] => {
                    ensure!(*there == bytes, "{name} arrived with other bytes");
                    return Ok(elapsed(self.clock, started_ms));
                }
                [] if elapsed(self.clock, started_ms) <= PATIENCE_MS => tokio::time::sleep(LOOK).await,
                [] => bail!("{name} did not arrive"),
                more => bail!("{name} arrived {} times", more.len()),
            }
        }
    }

    pub(super) async fn count(&self, chat: &Chat, words: &str) -> Result<usize> {
        let shown = chat.member.side.read().await?;
        Ok(shown.iter().filter(|seen| contains_word(&seen.markup, words)).count())
    }

    /// Waits until so many messages say this.
    pub(super) async fn until(&self, chat: &Chat, words: &str, count: usize) -> Result<()> {
        let started_ms = self.clock.monotonic_ms();
        loop {
            let now = self.count(chat, words).await?;
            if now == count {
                return Ok(());
            }
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!("{} messages to {} say '{words}', not {count}", now, first_name(chat));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until one message, and only one, says this.
    pub(super) async fn sees(&self, chat: &Chat, words: &str, patience_ms: u64) -> Result<Seen> {
        let started_ms = self.clock.monotonic_ms();
        loop {
            let mut shown = chat.member.side.read().await?;
            shown.retain(|seen| contains_word(&seen.markup, words));
            ensure!(shown.len() < 2, "'{words}' arrived {} times", shown.len());
            if let Some(seen) = shown.pop() {
                return Ok(seen);
            }
            if elapsed(self.clock, started_ms) > patience_ms {
                bail!("'{words}' did not arrive");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Chat {
    pub(super) async fn says(&self, text: &str) -> Result<String> {
        self.member.side.post(&self.words(text), None).await
    }

    fn words(&self, text: &str) -> String {
        if self.member.side.platform() == "teams" { format!("<p>{text}</p>") } else { text.to_owned() }
    }
}

pub(super) fn first_name(chat: &Chat) -> &str {
    let person = chat.member.side.person();
    person.split(' ').next().unwrap_or(person)
}

fn named(copy: &Seen, by: &Chat) -> Result<()> {
    let first = first_name(by);
    ensure!(
        copy.author.contains(first) || copy.markup.contains(first),
        "the copy does not name its author: {}",
        copy.markup
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_ordered_pair_is_played_once_and_nobody_twice_at_a_time() {
        let all: BTreeSet<(usize, usize)> = ROUNDS.iter().flatten().copied().collect();
        assert_eq!(all.len(), 12);
        for [(a, b), (c, d)] in ROUNDS {
            assert_eq!(BTreeSet::from([a, b, c, d]).len(), 4);
        }
    }
}
