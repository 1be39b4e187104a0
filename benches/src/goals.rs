//! What is promised, and how a measurement is judged.

use serde::Serialize;

use crate::stats::{median, quantile};

/// A promise: the smaller the value, the better, or the larger.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// Its name in the papers and in reports.
    pub(crate) id: &'static str,
    /// What is divided by what.
    pub(crate) what: &'static str,
    /// What has to hold.
    pub(crate) gate: f64,
    /// What is aimed at.
    pub(crate) target: f64,
    /// What the floor prototype did.
    pub(crate) moonshot: f64,
    /// Whether the larger value is the better one.
    pub(crate) more: bool,
}

/// A durable acknowledgement.
pub(crate) const ACK: Goal = Goal {
    id: "P1",
    what: "durable acknowledgement, unloaded, p50 / (SYNC p50 + RTT p50)",
    gate: 1.5,
    target: 1.2,
    moonshot: 1.05,
    more: false,
};
/// What the gateway adds to a message's way.
pub(crate) const ADDED: Goal = Goal {
    id: "P4",
    what: "from the event to the first byte at the target, minus SYNC, p50, in RTT p50",
    gate: 30.0,
    target: 12.0,
    moonshot: 6.0,
    more: false,
};
/// What a relayed message costs.
pub(crate) const CPU: Goal = Goal {
    id: "P6",
    what: "CPU time of a relayed message / CPU time of a proxied request",
    gate: 10.0,
    target: 6.0,
    moonshot: 3.5,
    more: false,
};
/// How fast a file passes.
pub(crate) const FILE: Goal = Goal {
    id: "P13",
    what: "throughput of a relayed file, streamed / SENDFILE",
    gate: 0.15,
    target: 0.35,
    moonshot: 0.6,
    more: true,
};

/// All of them, in the order of the report.
#[cfg_attr(not(test), expect(dead_code, reason = "the document is held against it"))]
pub(crate) const ALL: [Goal; 4] = [ACK, ADDED, CPU, FILE];

/// A measured goal.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    /// The goal.
    pub(crate) id: &'static str,
    /// What is divided by what.
    pub(crate) what: &'static str,
    /// The median of the blocks' ratios.
    pub(crate) value: f64,
    /// Their quartiles.
    pub(crate) quartiles: [f64; 2],
    /// What has to hold.
    pub(crate) gate: f64,
    /// What is aimed at.
    pub(crate) target: f64,
    /// What the floor prototype did.
    pub(crate) moonshot: f64,
    /// Whether the gate holds.
    pub(crate) gate_met: bool,
}

impl Goal {
    /// Whether a value keeps the promise.
    fn met(self, value: f64) -> bool {
        if self.more { value >= self.gate } else { value <= self.gate }
    }

    /// Judges the ratios of all blocks.
    pub(crate) fn judge(self, ratios: &[f64]) -> Judged {
        let value = round(median(ratios));
        Judged {
            id: self.id,
            what: self.what,
            value,
            quartiles: [round(quantile(ratios, 0.25)), round(quantile(ratios, 0.75))],
            gate: self.gate,
            target: self.target,
            moonshot: self.moonshot,
            gate_met: !ratios.is_empty() && self.met(value),
        }
    }
}

/// Two digits behind the point: more would be noise.
pub(crate) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::{ACK, ALL, FILE};

    const PAPER: &str = include_str!("../../docs/PERFORMANCE.md");

    #[test]
    fn the_median_is_held_against_the_gate() {
        assert!(ACK.judge(&[1.4, 9.0, 1.5]).gate_met);
        assert!(!ACK.judge(&[1.51, 1.6, 1.0]).gate_met);
        assert!(!ACK.judge(&[]).gate_met);
        assert!(FILE.judge(&[0.2, 0.15, 0.1]).gate_met && !FILE.judge(&[0.2, 0.14, 0.1]).gate_met);
    }

    #[test]
    fn the_document_tells_of_every_goal_and_of_no_other() {
        let rows: Vec<Vec<&str>> = PAPER
            .lines()
            .filter(|line| line.starts_with("| P"))
            .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        let ids: Vec<&str> = rows.iter().map(|row| row[0]).collect();
        assert_eq!(ids, ALL.map(|goal| goal.id));
        for (row, goal) in rows.iter().zip(ALL) {
            assert_eq!(row[3..6], [goal.gate, goal.target, goal.moonshot].map(|bound| bound.to_string()));
            let measured: f64 = row[2].parse().unwrap();
            assert_eq!(row[6], if goal.met(measured) { "yes" } else { "no" }, "whether {} is met", goal.id);
        }
    }
}
