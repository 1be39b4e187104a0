//! CPU time of a process, and on which CPUs its threads run.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// CPU time of every thread of a process, in nanoseconds.
pub(crate) struct Usage(BTreeMap<i32, u64>);

impl Usage {
    /// Reads it, as the scheduler counted it.
    pub(crate) fn read(process: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for thread in threads_of(process)? {
            let path = format!("/proc/{process}/task/{thread}/schedstat");
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(path) else { continue };
            let spent = text.split(' ').next().and_then(|number| number.parse().ok());
            threads.insert(thread, spent.context("this kernel does not count the CPU time of threads")?);
        }
        Ok(Self(threads))
    }

    /// Microseconds since an earlier reading. Threads that ended in between were idle ones.
    #[expect(clippy::cast_precision_loss, reason = "hours of nanoseconds fit")]
    pub(crate) fn us_since(&self, earlier: &Self) -> f64 {
        let spent = |(thread, now): (&i32, &u64)| now.saturating_sub(*earlier.0.get(thread).unwrap_or(&0));
        self.0.iter().map(spent).sum::<u64>() as f64 / 1e3
    }
}

/// Two CPUs that measurements can be spread over.
pub(crate) struct Cpus {
    all: CpuSet,
    pair: Option<(usize, usize)>,
}

impl Cpus {
    /// Those that this process may use.
    pub(crate) fn find() -> Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu));
        let pair = usable.next().zip(usable.next());
        Ok(Self { all, pair })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.all.count()
    }

    /// Puts a process on the first CPU. Without a second one everything stays where it is.
    pub(crate) fn to_first(&self, process: u32) -> Result<()> {
        self.pair.map_or(Ok(()), |(first, _)| bind(process, &only(first)))
    }

    /// Puts a process on the second CPU.
    pub(crate) fn to_second(&self, process: u32) -> Result<()> {
        self.pair.map_or(Ok(()), |(_, second)| bind(process, &only(second)))
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}

fn bind(process: u32, set: &CpuSet) -> Result<()> {
    for thread in threads_of(process)? {
        // A thread may end meanwhile.
        let _ = sched_setaffinity(Pid::from_raw(thread), set);
    }
    Ok(())
}

fn threads_of(process: u32) -> Result<Vec<i32>> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).context("a measured process has ended")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.collect())
}
