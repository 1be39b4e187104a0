//! Words that may stand in some places only.

use super::masks;
use super::tree::{Finding, Tree, is_extension};

/// Parts of the product that treat all platforms alike.
const NEUTRAL: &[&str] = &["crates/store/", "crates/relay/", "crates/gateway/"];

const PLATFORMS: &[&str] = &["slack", "teams", "webex", "zoom"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let code = masks::code_only(text);
        for (index, line) in code.lines().enumerate() {
            if !path.starts_with("crates/seal/") && has_word(line, "unsafe") {
                findings.push(Finding::new(path, index + 1, "`unsafe` belongs in crates/seal only"));
            }
            let allows = line.contains("#[allow(")
                || line.contains("#![allow(")
                || (line.contains("cfg_attr") && line.contains("allow("));
            if allows {
                let message =
                    "write `#[expect(lint, reason = \"…\")]`, which tells when it is no longer needed";
                findings.push(Finding::new(path, index + 1, message));
            }
        }
    }
    for (path, code) in tree.product_code().filter(|(path, _)| is_neutral(path)) {
        findings.extend(platforms(path, &code));
    }
    let others = tree.texts().filter(|(path, _)| is_neutral(path));
    for (path, text) in others.filter(|(path, _)| is_extension(path, "sql") || is_extension(path, "html")) {
        findings.extend(platforms(path, text));
    }
    findings
}

fn is_neutral(path: &str) -> bool {
    NEUTRAL.iter().any(|folder| path.starts_with(folder)) && !path.contains("/tests/")
}

fn platforms(path: &str, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let lower = line.to_lowercase();
        for name in PLATFORMS.iter().filter(|name| lower.contains(**name)) {
            let message =
                format!("store, relay and gateway name no platform, this says `{name}`: ask a capability");
            findings.push(Finding::new(path, index + 1, message));
        }
    }
    findings
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}
