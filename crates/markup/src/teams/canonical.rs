//! The one form of runs that a body of Teams can hold. The parser ends with it and so does degrading.

use crate::runs::{CODE, Leaf, Run, canonical};

/// Runs without spaces at the ends of lines (Teams puts `&nbsp;` there), so that a line of spaces is an empty
/// line.
pub(crate) fn teams_runs(runs: Vec<Run>) -> Vec<Run> {
    let mut out: Vec<Run> = Vec::with_capacity(runs.len());
    for run in runs {
        if run.is_break() {
            trim_end(&mut out);
        }
        out.push(run);
    }
    trim_end(&mut out);
    canonical(out)
}

fn trim_end(runs: &mut Vec<Run>) {
    while let Some(Run { styles, leaf: Leaf::Text(text) }) = runs.last_mut()
        && *styles & CODE == 0
    {
        text.truncate(text.trim_end_matches(' ').len());
        if !text.is_empty() {
            break;
        }
        runs.pop();
    }
}
