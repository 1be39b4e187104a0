//! Conversations of which everything is written down, and the judge who compares all their members with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
use e2e::{Options, Seen, Side, SlackSide, World, ZoomSide, eventually};

use super::chat::{chat_of_ben, chat_of_imani, open};
use tokio::time::Instant;

/// One message, as its author knows it.
pub(super) struct Said {
    /// Which side it was said on.
    pub(super) side: usize,
    /// Its id there.
    pub(super) id: String,
    /// The message that it answers.
    pub(super) root: Option<usize>,
    pub(super) version: u32,
    pub(super) deleted: bool,
    /// A file that it brings.
    pub(super) file: Option<Vec<u8>>,
    /// It is nothing but the file.
    pub(super) wordless: bool,
    /// The sides whose people react to it.
    pub(super) reactions: BTreeSet<usize>,
}

/// What everybody reacts with.
const EMOJI: &str = "\u{1f389}";
/// The largest file, in bytes: more than a chunk, of streams and of the spool.
const LARGEST: u64 = 150_000;

/// Edits of one message; platforms take no more than ten.
const EDITS: u32 = 6;

/// A world with two bridges and people who may write to the app: one bridge with a member on each platform, and one of
/// two Slack channels.
pub(super) async fn world(seed: u64) -> Result<World> {
    let world = World::start(Options { seed, direct: true, ..Options::four() }).await?;
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
    pub(super) said: Vec<Said>,
    story: Rc<Story>,
    /// Nobody reacts any more.
    pub(super) quiet: bool,
    /// What stood there when the talk began, by side.
    before: BTreeSet<(usize, String)>,
    /// Files that were read, by side and message.
    opened: RefCell<BTreeMap<(usize, String), Files>>,
}

pub(super) type Files = Vec<(String, Vec<u8>)>;

/// A message as a side shows it.
pub(super) struct Read {
    pub(super) seen: Seen,
    pub(super) files: Files,
}

impl Read {
    /// Whether it is the file of a message, or one with it.
    pub(super) fn brings(&self, index: usize) -> bool {
        self.files.iter().any(|(name, _)| name.contains(&mark(index)))
    }

    /// Whether it says what a message says.
    pub(super) fn says(&self, index: usize) -> bool {
        self.seen.markup.contains(&state_mark(index))
    }
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
pub(super) fn mark(index: usize) -> String {
    format!("kx{index:04}q")
}

/// What every state of a text has, and no file's name.
fn state_mark(index: usize) -> String {
    format!("{} as of", mark(index))
}

fn text(index: usize, version: u32) -> String {
    format!("{} as of {}", mark(index), state(index, version))
}

pub(super) fn state(index: usize, version: u32) -> String {
    format!("{}v{version}w", mark(index))
}

impl Said {
    fn new(side: usize, id: String, root: Option<usize>) -> Self {
        Self {
            side,
            id,
            root,
            version: 1,
            deleted: false,
            file: None,
            wordless: false,
            reactions: BTreeSet::new(),
        }
    }
}

impl Talk {
    /// Everybody is there; Ben and Imani have opened a conversation of their own.
    pub(super) async fn begin(world: &World, seed: u64) -> Result<Self> {
        let (ben, imani) = (chat_of_ben(world)?, chat_of_imani(world)?);
        open(&ben, &imani).await?;
        let mut talk = Self::new(world, seed, ben, imani);
        for side in 0..talk.sides() {
            let seen = talk.side(side).read().await?;
            talk.before.extend(seen.into_iter().map(|seen| (side, seen.id)));
        }
        Ok(talk)
    }

    fn new(world: &World, seed: u64, ben: SlackSide, imani: ZoomSide) -> Self {
        let room = world.webex().room_id("Launch").unwrap_or_default();
        let sides: Vec<(usize, Box<dyn Side>)> = vec![
            (0, Box::new(world.ana("C07LAUNCH"))),
            (0, Box::new(world.dana(seed::LAUNCH))),
            (0, Box::new(world.webex_person(GITA, "Gita Rao", &room))),
            (0, Box::new(world.zoom_person(THEO, "Theo Lindqvist", LAUNCH))),
            (1, Box::new(world.ben("C07GENERAL"))),
            (1, Box::new(world.ana("C07BACKSTAGE"))),
            (2, Box::new(ben)),
            (2, Box::new(imani)),
        ];
        Self {
            sides,
            random: SeededRandom::new(seed),
            said: Vec::new(),
            story: Rc::new(Story { started: Instant::now(), text: RefCell::default() }),
            quiet: false,
            before: BTreeSet::new(),
            opened: RefCell::default(),
        }
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// How many there are.
    pub(super) fn sides(&self) -> usize {
        self.sides.len()
    }

    pub(super) fn side(&self, side: usize) -> &dyn Side {
        self.sides[side].1.as_ref()
    }

    /// Platform and bridge.
    pub(super) fn name(&self, side: usize) -> String {
        format!("{} in bridge {}", self.side(side).platform(), self.sides[side].0)
    }

    pub(super) fn platform(&self, side: usize) -> &'static str {
        self.side(side).platform()
    }

    pub(super) fn bridge(&self, side: usize) -> usize {
        self.sides[side].0
    }

    /// The sides of a bridge.
    pub(super) fn members(&self, bridge: usize) -> impl Iterator<Item = usize> {
        (0..self.sides()).filter(move |side| self.bridge(*side) == bridge)
    }

    /// What everybody calls who writes on a side.
    pub(super) fn first_name(&self, side: usize) -> &str {
        self.side(side).person().split(' ').next().unwrap_or_default()
    }

    /// What nobody of the talk said: it stood there before, or the platform or the app says it to everybody.
    pub(super) fn is_notice(&self, side: usize, seen: &Seen) -> bool {
        self.before.contains(&(side, seen.id.clone()))
            || seen.raw["subtype"] == "channel_join"
            || seen.markup.contains("has joined the channel")
            || seen.markup.contains("These conversations are linked")
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
        self.said.push(Said::new(side, id, root));
        self.note(if root.is_some() { "reply" } else { "post" }, index);
        Ok(index)
    }

    /// A file, often with a text beside it.
    pub(super) async fn send_file(&mut self, side: usize) -> Result<usize> {
        let index = self.said.len();
        let size = usize::try_from(1 + self.below(LARGEST))?;
        let bytes: Vec<u8> = mark(index).into_bytes().into_iter().cycle().take(size).collect();
        let wordless = self.below(3) == 0;
        let words = if wordless { String::new() } else { text(index, 1) };
        let name = format!("{}.txt", mark(index));
        let id = self.side(side).post_file(&name, &bytes, &words, None).await?;
        self.said.push(Said { file: Some(bytes), wordless, ..Said::new(side, id, None) });
        self.note(&format!("file of {size} bytes{}", if wordless { " alone" } else { "" }), index);
        Ok(index)
    }

    /// Somebody reacts to a message that they see, or takes that back.
    pub(super) async fn react(&mut self) -> Result<()> {
        let side = usize::try_from(self.below(self.sides.len() as u64))?;
        let bridge = self.sides[side].0;
        let sides: Vec<bool> = self.sides.iter().map(|(other, _)| *other == bridge).collect();
        let Some(index) = self.pick(|said| !said.deleted && sides[said.side]) else { return Ok(()) };
        // No API of Webex has reactions.
        if self.side(side).platform() == "webex" {
            return Ok(());
        }
        let Some(seen) = self.shown(side, index).await? else { return Ok(()) };
        let add = self.said[index].reactions.insert(side);
        if !add {
            self.said[index].reactions.remove(&side);
        }
        self.side(side).react(&seen.id, seen.thread_root.as_deref(), EMOJI, add).await?;
        self.story.remark(&format!(
            "{} {} at {}",
            if add { "reaction to" } else { "no more reaction to" },
            mark(index),
            self.name(side)
        ));
        Ok(())
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

    /// Deletes a message, unless the dice had it deleted before.
    pub(super) async fn delete(&mut self, index: usize) -> Result<()> {
        if self.said[index].deleted {
            return Ok(());
        }
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
        match self.below(13) {
            0 | 1 => {
                let editable = |said: &Said| !said.deleted && said.version <= EDITS && said.file.is_none();
                if let Some(index) = self.pick(editable) {
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
            6 | 7 if !self.quiet => return self.react().await,
            8 => return self.send_file(side).await.map(drop),
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
        let copy = self.shown(side, index).await?;
        Ok(copy.with_context(|| format!("{} has no copy to answer", mark(index)))?.id)
    }

    /// What a side shows as a message: its text, or its file where it has none.
    async fn shown(&self, side: usize, index: usize) -> Result<Option<Seen>> {
        let said = &self.said[index];
        for seen in self.side(side).read().await? {
            let here = if said.side == side {
                seen.id == said.id
            } else if said.wordless {
                self.opened(side, seen.clone()).await?.brings(index)
            } else {
                seen.markup.contains(&state_mark(index))
            };
            if here {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// A message with its files, which nobody can change.
    pub(super) async fn opened(&self, side: usize, seen: Seen) -> Result<Read> {
        let listed = ["files", "attachments"]
            .iter()
            .any(|key| seen.raw[key].as_array().is_some_and(|it| !it.is_empty()));
        if !listed && !seen.markup.contains('\u{1f4ce}') {
            return Ok(Read { seen, files: Vec::new() });
        }
        let key = (side, seen.id.clone());
        let known = self.opened.borrow().get(&key).cloned();
        let files = match known {
            Some(files) => files,
            None => self.side(side).files(&seen).await?,
        };
        self.opened.borrow_mut().insert(key, files.clone());
        Ok(Read { seen, files })
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
}
