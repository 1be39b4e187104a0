//! Somebody with an account on every platform who granted a token of her own on each: what she writes on one stands on
//! the others in her own name, and so do her reactions. Judged through the platforms' public APIs.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use dragoman_model::{Clock, Feature, Level};
use futures_util::future::join_all;

use super::sides::{Seen, Side};
use super::story::{Member, Step, contains_word, elapsed};

/// A step waits so long for what it expects, in milliseconds.
const PATIENCE_MS: u64 = 15_000;
/// The same for an edit of which the source tells nobody.
const UNANNOUNCED_MS: u64 = 25_000;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(60);

/// Her at one platform.
pub(crate) struct Account {
    pub(crate) member: Member,
    /// Her account, as messages and reactions show it there.
    pub(crate) id: String,
}

/// Plays all ordered pairs.
pub(crate) async fn tell(
    accounts: &[Account],
    clock: &dyn Clock,
    told: &(dyn Fn(String) + Sync),
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (at, from) in accounts.iter().enumerate() {
        let to: Vec<&Account> =
            accounts.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, it)| it).collect();
        let scene = Scene { from, to, clock, mark: format!("own{at}x") };
        told(format!("{} writes in her own name from {}", from.side().person(), from.side().platform()));
        steps.extend(scene.play(Feature::OwnToken, "in the author's own name").await);
        // Nothing of a reaction there reaches an app.
        if from.side().platform() != "webex" {
            steps.extend(scene.play(Feature::ReactionOwn, "a reaction in the person's own name").await);
        }
    }
    steps
}

impl Account {
    fn side(&self) -> &dyn Side {
        &*self.member.side
    }

    /// Whether a message is hers.
    fn wrote(&self, seen: &Seen) -> bool {
        let raw = &seen.raw;
        let (author, named) = match self.side().platform() {
            "slack" => (&raw["user"], !raw["username"].is_null()),
            "teams" => (&raw["from"]["user"]["id"], false),
            "webex" => (&raw["personId"], false),
            _ => (&raw["send_member_id"], false),
        };
        *author == self.id.as_str() && !named
    }

    /// Whether a message shows a reaction of hers; where none can be set, that is for the note to tell.
    fn reacted(&self, seen: &Seen) -> bool {
        let listed = seen.raw["reactions"].as_array().cloned().unwrap_or_default();
        listed.iter().any(|reaction| reaction.to_string().contains(&format!("\"{}\"", self.id)))
    }
}

struct Scene<'a> {
    from: &'a Account,
    to: Vec<&'a Account>,
    clock: &'a dyn Clock,
    mark: String,
}

impl Scene<'_> {
    async fn play(&self, feature: Feature, name: &str) -> Vec<Step> {
        let started_ms = self.clock.monotonic_ms();
        let results = match feature {
            Feature::OwnToken => self.speak().await,
            _ => self.react().await,
        };
        let step = |(to, result): (&&Account, Result<u64>)| {
            let level = match feature {
                Feature::ReactionOwn => to.member.capabilities.own_level(feature).as_str(),
                _ => to.member.capabilities.level(feature).as_str(),
            };
            let (ok, ms, detail) = match result {
                Ok(ms) => (true, ms, level.to_owned()),
                Err(error) => (false, elapsed(self.clock, started_ms), format!("{level}: {error:#}")),
            };
            Step {
                bridge: "four platforms".to_owned(),
                name: name.to_owned(),
                feature: feature.as_str().to_owned(),
                from: self.from.side().platform().to_owned(),
                to: to.side().platform().to_owned(),
                ok,
                ms,
                detail,
            }
        };
        self.to.iter().zip(results).map(step).collect()
    }

    /// She posts, edits and deletes: every copy is hers all the time.
    async fn speak(&self) -> Vec<Result<u64>> {
        let (first, second) = (format!("{}a", self.mark), format!("{}b", self.mark));
        let from = self.from.side();
        let id = match from.post(&self.words(&first), None).await {
            Ok(id) => id,
            Err(error) => return self.all_failed(&error),
        };
        let copies = self.everywhere(|to| self.hers(to, &first, PATIENCE_MS)).await;
        if let Err(error) = from.edit(&id, None, &self.words(&second)).await {
            return self.all_failed(&error);
        }
        let told = self.from.member.capabilities.unannounced_edits_ms.is_none();
        let patience_ms = if told { PATIENCE_MS } else { UNANNOUNCED_MS };
        let edited = self.everywhere(|to| self.hers(to, &second, patience_ms)).await;
        if let Err(error) = from.delete(&id, None).await {
            return self.all_failed(&error);
        }
        let gone = self.everywhere(|to| self.gone(to, &second)).await;
        let whole = copies.into_iter().zip(edited).zip(gone).map(|((copy, edited), gone)| {
            let ((ms, copy), (_, edited)) = (copy?, edited?);
            gone?;
            ensure!(copy == edited, "the edit made another message");
            Ok(ms)
        });
        whole.collect()
    }

    /// She reacts to what she wrote, and takes it back.
    async fn react(&self) -> Vec<Result<u64>> {
        let mark = format!("{}c", self.mark);
        let from = self.from.side();
        let id = match from.post(&self.words(&mark), None).await {
            Ok(id) => id,
            Err(error) => return self.all_failed(&error),
        };
        let copies = self.everywhere(|to| self.hers(to, &mark, PATIENCE_MS)).await;
        if let Err(error) = from.react(&id, true).await {
            return self.all_failed(&error);
        }
        let set = self.everywhere(|to| self.shows(to, &mark, true)).await;
        if let Err(error) = from.react(&id, false).await {
            return self.all_failed(&error);
        }
        let gone = self.everywhere(|to| self.shows(to, &mark, false)).await;
        let whole = copies.into_iter().zip(set).zip(gone).map(|((copy, set), gone)| {
            copy?;
            let ms = set?;
            gone?;
            Ok(ms)
        });
        whole.collect()
    }

    fn all_failed(&self, error: &anyhow::Error) -> Vec<Result<u64>> {
        let text = format!("{error:#}");
        self.to.iter().map(|_| Err(anyhow::anyhow!("at the source: {text}"))).collect()
    }

    async fn everywhere<'s, T, F>(&'s self, look: impl Fn(&'s Account) -> F) -> Vec<Result<T>>
    where
        F: Future<Output = Result<T>>,
    {
        join_all(self.to.iter().map(|to| look(to))).await
    }

    /// Waits for the one message with the mark, which has to be hers and need not say so; when, and its id.
    async fn hers(&self, to: &Account, mark: &str, patience_ms: u64) -> Result<(u64, String)> {
        let started_ms = self.clock.monotonic_ms();
        loop {
            let mut found = to.side().read().await?;
            found.retain(|seen| contains_word(&seen.markup, mark));
            ensure!(found.len() < 2, "it arrived {} times", found.len());
            if let Some(seen) = found.pop() {
                ensure!(to.wrote(&seen), "it is not hers: {}", seen.raw);
                ensure!(!seen.markup.contains("Chloe"), "it says who it is: {}", seen.markup);
                return Ok((elapsed(self.clock, started_ms), seen.id));
            }
            if elapsed(self.clock, started_ms) > patience_ms {
                bail!("it did not arrive");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn gone(&self, to: &Account, mark: &str) -> Result<()> {
        let started_ms = self.clock.monotonic_ms();
        while to.side().read().await?.iter().any(|seen| contains_word(&seen.markup, mark)) {
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!("the copy is still there");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until her reaction is set, or gone. Where nobody can set one, a note in the thread names her instead, and
    /// nowhere else.
    async fn shows(&self, to: &Account, mark: &str, set: bool) -> Result<u64> {
        let native = to.member.capabilities.own_level(Feature::ReactionOwn) >= Level::Native;
        let started_ms = self.clock.monotonic_ms();
        loop {
            let all = to.side().read().await?;
            if let Some(copy) = all.iter().find(|seen| contains_word(&seen.markup, mark)) {
                let thread =
                    || all.iter().filter(|seen| seen.thread_root.as_deref() == Some(copy.id.as_str()));
                let noted = thread().any(|note| note.markup.contains("Chloe"));
                ensure!(!(native && noted), "a note tells what her own reaction shows");
                let shown = if native { to.reacted(copy) } else { noted };
                if shown == set {
                    return Ok(elapsed(self.clock, started_ms));
                }
            }
            if elapsed(self.clock, started_ms) > PATIENCE_MS {
                bail!(if set { "her reaction is not there" } else { "her reaction is still there" });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn words(&self, mark: &str) -> String {
        let text = format!("mind the tide {mark}");
        if self.from.side().platform() == "teams" { format!("<p>{text}</p>") } else { text }
    }
}
