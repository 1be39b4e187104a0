//! SYNC, the floor of durability: an append and the overwriting of a slot, each synced, at the same time.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context as _, Result};

use crate::clock;

/// Bytes appended: a sealed event.
const RECORD: usize = 2048;
/// Bytes of a slot.
const SLOT: usize = 64;
/// Slots of the file.
const SLOTS: u64 = 1024;

/// The two files, the second with a thread of its own.
pub(crate) struct Sync {
    log: File,
    ask: Sender<u64>,
    done: Receiver<std::io::Result<()>>,
    turn: u64,
}

impl Sync {
    /// Makes the files in a folder, which should be on the device that the gateway writes to.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let log = File::create(folder.join("floor.log"))?;
        let slots = File::create(folder.join("floor.slots"))?;
        for slot in 0..SLOTS {
            slots.write_all_at(&[1; SLOT], slot * SLOT as u64)?;
        }
        slots.sync_all()?;
        let (ask, asked) = channel();
        let (answer, done) = channel();
        std::thread::Builder::new().name("floor-slots".to_owned()).spawn(move || {
            while let Ok(turn) = asked.recv() {
                let at = turn % SLOTS * SLOT as u64;
                let written = slots.write_all_at(&[7; SLOT], at).and_then(|()| slots.sync_data());
                if answer.send(written).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { log, ask, done, turn: 0 })
    }

    /// Does both; how long it took, in microseconds.
    pub(crate) fn probe(&mut self) -> Result<f64> {
        let start = clock::now();
        self.turn += 1;
        self.ask.send(self.turn).context("the thread of the slot file has ended")?;
        self.log.write_all(&[7; RECORD])?;
        self.log.sync_data()?;
        self.done.recv().context("the thread of the slot file has ended")??;
        Ok(clock::us_since(start))
    }
}
