//! Every behaviour that the simulators promise names a test that exists.

use std::collections::BTreeSet;

use super::tree::{Finding, Tree};

const LIST: &str = "crates/sim/CHECKLIST.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(list) = tree.text(LIST) else {
        return vec![Finding::new(
            LIST,
            0,
            "missing: one line per behaviour, each with the name of its test",
        )];
    };
    let sources = tree.rust().filter(|(path, _)| path.starts_with("crates/sim/"));
    let tests: BTreeSet<&str> = sources.flat_map(|(_, text)| test_names(text)).collect();
    let mut findings = Vec::new();
    let mut lines = 0;
    for (index, line) in list.lines().enumerate().filter(|(_, line)| line.starts_with("- ")) {
        lines += 1;
        let named: Vec<_> = ticked(line).into_iter().filter(|word| is_test_name(word)).collect();
        match named.last() {
            None => {
                findings.push(Finding::new(LIST, index + 1, "the line ends without the name of its test"));
            }
            Some(last) => {
                let name = last.rsplit("::").next().unwrap_or(last);
                if !tests.contains(name) {
                    findings.push(Finding::new(LIST, index + 1, format!("crates/sim has no test `{name}`")));
                }
            }
        }
    }
    if lines == 0 {
        findings.push(Finding::new(LIST, 0, "no line begins with `- `"));
    }
    findings
}

fn ticked(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

fn is_test_name(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':')
}

/// Names of functions under an attribute such as `#[test]` or `#[tokio::test(…)]`.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if marked && line.contains("fn ") {
            let name = line.split("fn ").nth(1).and_then(|rest| rest.split(['(', '<']).next());
            names.extend(name);
            marked = false;
        }
    }
    names
}
