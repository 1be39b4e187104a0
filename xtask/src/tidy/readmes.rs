//! Every package tells in a README what it is for.

use super::tree::{Finding, Tree};

/// Lines with text that the shortest useful README has.
const MIN_LINES: usize = 4;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in tree.packages() {
        let path = format!("{folder}/README.md");
        let lines = tree.text(&path).map(|text| text.lines().filter(|line| !line.trim().is_empty()).count());
        match lines {
            None => findings.push(Finding::new(
                &path,
                0,
                "missing: say what the package is for, what it knows nothing of, where to start reading",
            )),
            Some(lines) if lines < MIN_LINES => {
                findings.push(Finding::new(
                    &path,
                    0,
                    format!("{lines} lines say too little: at least {MIN_LINES}"),
                ));
            }
            Some(_) => {}
        }
    }
    findings
}
