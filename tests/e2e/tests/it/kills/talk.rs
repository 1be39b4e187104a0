//! Conversations of which everything is written down, and the judge who compares all their members with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dragoman_model::Random as _;
use dragoman_sim::teams::seed;
use dragoman_sim::webex::seed::GITA;
use dragoman_sim::zoom::config::{LAUNCH, THEO};
use dragoman_testkit::SeededRandom;
use e2e::{Options, Seen, Side, World, eventually};
use tokio::time::Instant;

/// One message, as its author knows it.
struct Said {
    /// Which side it was said on.
    side: usize,
    /// Its id there.
    id: String,
    /// The message that it answers.
    root: Option<usize>,
    version: u32,
    deleted: bool,
}

/// Edits of one message; platforms take no more than ten.
const EDITS: u32 = 6;

/// A world with two bridges: one with a member on each platform, and one of two Slack channels.
pub(super) async fn world(seed: u64) -> Result<World> {
    let world = World::start(Options { seed, ..Options::four() }).await?;
    let bot = world.slack.bot("A07DRAGOMAN", "T07HARBOR").context("the app has no bot at Slack")?;
    // Only where the app is in are there events.
    world.ana("C07GENERAL").invite(&bot.user_id).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    let teams = format!("teams:{}", seed::LAUNCH);
    world
        .link(&["slack:C07LAUNCH".to_owned(), teams, format!("webex:{room}"), format!("zoom:{LAUNCH}")])
        .await?;
    world.link(&["slack:C07GENERAL", "slack:C07BACKSTAGE"].map(str::to_owned)).await?;
    Ok(world)
}

/// People at all ends, acting by a seed.
pub(super) struct Talk {
    /// With the bridge that each is a member of.
    sides: Vec<(usize, Box<dyn Side>)>,
    random: SeededRandom,
    said: Vec<Said>,
    story: Rc<Story>,
}

/// What was done, for failures, with milliseconds since the start.
pub(super) struct Story {
    started: Instant,
    text: RefCell<String>,
}

impl Story {
    pub(super) fn remark(&self, what: &str) {
        let _ = writeln!(self.text.borrow_mut(), "{:6} {what}", self.started.elapsed().as_millis());
    }
}

/// No two texts are equal, and none contains another.
fn mark(index: usize) -> String {
    format!("kx{index:04}q")
}

fn text(index: usize, version: u32) -> String {
    format!("{} as of {}", mark(index), state(index, version))
}

fn state(index: usize, version: u32) -> String {
    format!("{}v{version}w", mark(index))
}

impl Talk {
    pub(super) fn new(world: &World, seed: u64) -> Self {
        let room = world.webex().room_id("Launch").unwrap_or_default();
        let sides: Vec<(usize, Box<dyn Side>)> = vec![
            (0, Box::new(world.ana("C07LAUNCH"))),
            (0, Box::new(world.dana(seed::LAUNCH))),
            (0, Box::new(world.webex_person(GITA, "Gita Rao", &room))),
            (0, Box::new(world.zoom_person(THEO, "Theo Lindqvist", LAUNCH))),
            (1, Box::new(world.ben("C07GENERAL"))),
            (1, Box::new(world.ana("C07BACKSTAGE"))),
        ];
        Self {
            sides,
            random: SeededRandom::new(seed),
            said: Vec::new(),
            story: Rc::new(Story { started: Instant::now(), text: RefCell::default() }),
        }
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// How many there are.
    pub(super) fn sides(&self) -> usize {
        self.sides.len()
    }

    fn side(&self, side: usize) -> &dyn Side {
        self.sides[side].1.as_ref()
    }

    /// Platform and bridge.
    fn name(&self, side: usize) -> String {
        format!("{} in bridge {}", self.side(side).platform(), self.sides[side].0)
    }

    pub(super) fn len(&self) -> usize {
        self.said.len()
    }

    fn note(&self, what: &str, index: usize) {
        let said = &self.said[index];
        let root = said.root.map(|root| format!(" under {}", mark(root))).unwrap_or_default();
        self.story.remark(&format!("{what} {}{root} at {} ({})", mark(index), self.name(said.side), said.id));
    }

    pub(super) fn story(&self) -> Rc<Story> {
        Rc::clone(&self.story)
    }

    pub(super) async fn post(&mut self, side: usize, root: Option<usize>) -> Result<usize> {
        let index = self.said.len();
        let thread = match root {
            Some(root) => Some(self.native(side, root).await?),
            None => None,
        };
        let id = self.side(side).post(&text(index, 1), thread.as_deref()).await?;
        self.said.push(Said { side, id, root, version: 1, deleted: false });
        self.note(if root.is_some() { "reply" } else { "post" }, index);
        Ok(index)
    }

    pub(super) async fn edit(&mut self, index: usize) -> Result<()> {
        let thread = self.thread_at_home(index).await?;
        let said = &mut self.said[index];
        said.version += 1;
        let text = text(index, said.version);
        let (side, id) = (said.side, said.id.clone());
        self.side(side).edit(&id, thread.as_deref(), &text).await?;
        self.note("edit", index);
        Ok(())
    }

    pub(super) async fn delete(&mut self, index: usize) -> Result<()> {
        let thread = self.thread_at_home(index).await?;
        let said = &mut self.said[index];
        said.deleted = true;
        let (side, id) = (said.side, said.id.clone());
        self.side(side).delete(&id, thread.as_deref()).await?;
        self.note("delete", index);
        Ok(())
    }

    /// One thing that somebody does, by the dice.
    pub(super) async fn act(&mut self) -> Result<()> {
        let side = usize::try_from(self.below(self.sides.len() as u64))?;
        match self.below(10) {
            0 | 1 => {
                if let Some(index) = self.pick(|said| !said.deleted && said.version <= EDITS) {
                    return self.edit(index).await;
                }
            }
            2 => {
                if let Some(index) = self.pick(|said| !said.deleted)
                    && !self.said.iter().any(|said| said.root == Some(index))
                {
                    return self.delete(index).await;
                }
            }
            3..=5 => {
                // Under one's own message, which may still be on its way to the other side.
                if let Some(root) =
                    self.pick(|said| said.side == side && !said.deleted && said.root.is_none())
                {
                    return self.post(side, Some(root)).await.map(drop);
                }
            }
            _ => {}
        }
        self.post(side, None).await.map(drop)
    }

    fn pick(&self, fits: impl Fn(&Said) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.said.len()).filter(|index| self.said.get(*index).is_some_and(&fits)).collect();
        let at = self.below(fitting.len().max(1) as u64);
        fitting.get(usize::try_from(at).ok()?).copied()
    }

    /// The id of a message on a side: its own, or that of its copy.
    async fn native(&self, side: usize, index: usize) -> Result<String> {
        let said = &self.said[index];
        if said.side == side {
            return Ok(said.id.clone());
        }
        let seen = self.side(side).read().await?;
        let copy = seen.into_iter().find(|seen| seen.markup.contains(&mark(index)));
        Ok(copy.with_context(|| format!("{} has no copy to answer", mark(index)))?.id)
    }

    async fn thread_at_home(&self, index: usize) -> Result<Option<String>> {
        let said = &self.said[index];
        match said.root {
            Some(root) => Ok(Some(self.native(said.side, root).await?)),
            None => Ok(None),
        }
    }

    /// Waits until all channels show exactly what was said, and the gateway has nothing left of it.
    pub(super) async fn holds(&self, world: &World, within: Duration) -> Result<()> {
        let held = async {
            world.settled(within).await?;
            eventually("all channels show what was said", within, async || self.compare().await).await?;
            world.settled(within).await?;
            eventually("every slot is overwritten", Duration::from_secs(10), async || {
                let slots = fs::read(world.binary.data_folder().join("secrets.slots"));
                let slots = slots.map_err(|error| error.to_string())?;
                let used = slots.chunks(64).filter(|slot| slot.iter().any(|byte| *byte != 0)).count();
                if used == 0 { Ok(()) } else { Err(format!("{used} slots hold something")) }
            })
            .await
        };
        held.await.map_err(|error: anyhow::Error| {
            let log = world.binary.tail();
            anyhow::anyhow!(
                "{error:#}\nwhat was done:\n{}\nlog of the gateway:\n{log}",
                self.story.text.borrow()
            )
        })
    }

    async fn compare(&self) -> Result<(), String> {
        let mut shown = Vec::new();
        for (_, side) in &self.sides {
            shown.push(side.read().await.map_err(|error| error.to_string())?);
        }
        let mut wrong = Vec::new();
        for (side, seen) in shown.iter().enumerate() {
            self.compare_side(side, &shown, seen, &mut wrong);
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    fn compare_side(&self, side: usize, shown: &[Vec<Seen>], seen: &[Seen], wrong: &mut Vec<String>) {
        let name = self.name(side);
        let bridge = self.sides[side].0;
        let find = |side: usize, index: usize| {
            shown[side].iter().filter(|seen| seen.markup.contains(&mark(index))).collect::<Vec<_>>()
        };
        // What stands in a thread has its order there: a reply may wait for its root beside what comes later. Between
        // conversations there is no order but that of their events.
        let mut last: BTreeMap<(usize, Option<usize>), (usize, usize)> = BTreeMap::new();
        for (index, said) in self.said.iter().enumerate() {
            if self.sides[said.side].0 != bridge {
                if !find(side, index).is_empty() {
                    wrong.push(format!("{} strayed to {name}", mark(index)));
                }
                continue;
            }
            let found = find(side, index);
            let expected = usize::from(!said.deleted);
            if found.len() != expected {
                wrong.push(format!("{} stands {} times at {name}, not {expected}", mark(index), found.len()));
                continue;
            }
            let Some(found) = found.first() else { continue };
            if !found.markup.contains(&state(index, said.version)) {
                wrong.push(format!("{} at {name} is not version {}", mark(index), said.version));
            }
            if said.side == side {
                continue;
            }
            let root = said.root.and_then(|root| {
                let said = &self.said[root];
                if said.side == side {
                    Some(said.id.clone())
                } else {
                    find(side, root).first().map(|it| it.id.clone())
                }
            });
            // Where a root is gone, so is what it would be compared with.
            let root_gone = said.root.is_some_and(|root| self.said[root].deleted);
            if found.thread_root != root && !root_gone {
                wrong.push(format!(
                    "{} at {name} stands in thread {:?}, not {root:?}",
                    mark(index),
                    found.thread_root
                ));
            }
            let place = seen.iter().position(|other| other.id == found.id).unwrap_or_default();
            if let Some((before, at)) = last.insert((said.side, said.root), (index, place))
                && at > place
            {
                wrong.push(format!("{} stands before {} at {name}", mark(index), mark(before)));
            }
        }
        let ours = |seen: &Seen| (0..self.said.len()).any(|index| seen.markup.contains(&mark(index)));
        let notice = |seen: &Seen| {
            seen.raw["subtype"] == "channel_join"
                || seen.markup.contains("has joined the channel")
                || seen.markup.contains("These conversations are linked")
        };
        for stray in seen.iter().filter(|seen| !ours(seen) && !notice(seen)) {
            wrong.push(format!("nobody said {} at {name}: {}", stray.id, stray.markup));
        }
    }
}
