//! The capability floor is data, and something holds the connectors to it.

use super::tree::{Finding, Tree};

const FLOOR: &str = "crates/model/src/floor.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    if !tree.has(FLOOR) {
        return vec![Finding::new(FLOOR, 0, "missing: the lowest level that each feature may have")];
    }
    let used = tree.rust().any(|(path, text)| !path.starts_with("crates/model/src/") && uses_floor(text));
    if used {
        return Vec::new();
    }
    vec![Finding::new(FLOOR, 0, "no test outside crates/model/src compares capabilities with it")]
}

fn uses_floor(text: &str) -> bool {
    ["floor::", "floor(", "FLOOR"].iter().any(|word| text.contains(word))
        && text.contains(concat!("dragoman", "_model"))
}
