//! The figures, for people and for programs.

use serde::Serialize;

use crate::goals::{Judged, round};
use crate::stats::median;
use crate::{carrying, latency, relaying};

/// Everything that was found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The promises.
    pub(crate) goals: Vec<Judged>,
    /// What they are made of.
    pub(crate) figures: Figures,
    /// Where.
    pub(crate) machine: Machine,
}

/// Medians of the blocks. Absolute, and so of this machine only.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    rtt_us: f64,
    sync_us: f64,
    ack_us: f64,
    trip_us: f64,
    rested_ack_us: f64,
    rested_trip_us: f64,
    proxy_cpu_us: f64,
    proxy_utmost_cpu_us: f64,
    relay_cpu_us: f64,
    relays_per_second: f64,
    sendfile_gb_per_second: f64,
    file_gb_per_second: f64,
    file_memory_mib: f64,
}

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// CPUs that may be used.
    pub(crate) cpus: u32,
    /// What stood for PROXY.
    pub(crate) proxy: &'static str,
    /// What stood for SENDFILE.
    pub(crate) sendfile: &'static str,
}

impl Figures {
    /// Of all blocks.
    pub(crate) fn of(
        latency: &[latency::Block],
        relaying: &[relaying::Block],
        carrying: &[carrying::Block],
    ) -> Self {
        let slow = |figure: fn(&latency::Block) -> f64| of(latency, figure);
        let busy = |figure: fn(&relaying::Block) -> f64| of(relaying, figure);
        let large = |figure: fn(&carrying::Block) -> f64| of(carrying, figure);
        Self {
            rtt_us: slow(|block| block.rtt),
            sync_us: slow(|block| block.sync),
            ack_us: slow(|block| block.ack),
            trip_us: slow(|block| block.trip),
            rested_ack_us: slow(|block| block.rested_ack),
            rested_trip_us: slow(|block| block.rested_trip),
            proxy_cpu_us: busy(|block| block.proxy),
            proxy_utmost_cpu_us: busy(|block| block.utmost),
            relay_cpu_us: busy(|block| block.relay),
            relays_per_second: busy(|block| block.per_second),
            sendfile_gb_per_second: large(|block| block.floor),
            file_gb_per_second: large(|block| block.relayed),
            file_memory_mib: large(|block| block.grown),
        }
    }
}

fn of<T>(blocks: &[T], figure: fn(&T) -> f64) -> f64 {
    round(median(&blocks.iter().map(figure).collect::<Vec<_>>()))
}

impl Report {
    /// As text.
    pub(crate) fn text(&self) -> String {
        let figures = &self.figures;
        let mut lines = vec![format!(
            "RTT {:.1} us   SYNC {:.0} us   PROXY {:.1} us of CPU, {:.1} at its utmost ({}, {} CPUs)",
            figures.rtt_us,
            figures.sync_us,
            figures.proxy_cpu_us,
            figures.proxy_utmost_cpu_us,
            self.machine.proxy,
            self.machine.cpus
        )];
        lines.push(format!(
            "acknowledged after {:.0} us, at the target after {:.0} us; after a rest {:.0} and {:.0} us",
            figures.ack_us, figures.trip_us, figures.rested_ack_us, figures.rested_trip_us
        ));
        lines.push(format!(
            "{:.0} us of CPU a message, {:.0} messages a second",
            figures.relay_cpu_us, figures.relays_per_second
        ));
        lines.push(format!(
            "SENDFILE {:.2} GB/s ({}); a file passes at {:.2} GB/s, the gateway grows by {:.1} MiB",
            figures.sendfile_gb_per_second,
            self.machine.sendfile,
            figures.file_gb_per_second,
            figures.file_memory_mib
        ));
        lines.push(String::new());
        lines.push("goal   value  (quartiles)      gate  target  moonshot".to_owned());
        for goal in &self.goals {
            lines.push(format!(
                "{:<4} {:>7.2}  ({:.2} to {:.2})  {:>6} {:>6} {:>6}   {}  {}",
                goal.id,
                goal.value,
                goal.quartiles[0],
                goal.quartiles[1],
                goal.gate,
                goal.target,
                goal.moonshot,
                if goal.gate_met { "ok  " } else { "MISS" },
                goal.what
            ));
        }
        lines.join("\n")
    }
}

/// A line for who called.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// A line for who waits.
#[expect(clippy::print_stderr, reason = "a run takes minutes")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
