//! Words that may stand in some places only.

use super::tree::{Finding, Tree, is_extension, is_test_path};
use super::{connectors, masks};

/// Parts of the product that treat all platforms alike.
const NEUTRAL: &[&str] = &["crates/store/", "crates/relay/", "crates/gateway/"];

/// Names beside those of the connectors.
const MORE_NAMES: &[&str] = &["microsoft", "entra"];

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
    let names: Vec<&str> = connectors::names(tree).into_iter().chain(MORE_NAMES.iter().copied()).collect();
    for (path, text) in tree.texts().filter(|(path, _)| is_neutral(path)) {
        // Literals and comments too: what a neutral crate says of one platform only, it should not know.
        if is_extension(path, "rs") && !is_test_path(path) {
            findings.extend(platforms(path, masks::without_unit_tests(text), &names));
        } else if ["sql", "html", "md", "toml", "css", "js"].iter().any(|kind| is_extension(path, kind)) {
            findings.extend(platforms(path, text, &names));
        }
    }
    findings
}

fn is_neutral(path: &str) -> bool {
    NEUTRAL.iter().any(|folder| path.starts_with(folder)) && !path.contains("/tests/")
}

fn platforms(path: &str, text: &str, names: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let lower = line.to_ascii_lowercase();
        for name in names.iter().filter(|name| has_part(line, &lower, name)) {
            let message =
                format!("store, relay and gateway name no platform, this says `{name}`: ask a capability");
            findings.push(Finding::new(path, index + 1, message));
        }
    }
    findings
}

/// Whether a line names it, as a word or as a part of an identifier: `fax_id`, `MyFax`, but not `faxes`.
fn has_part(line: &str, lower: &str, name: &str) -> bool {
    lower.match_indices(name).any(|(at, _)| {
        let (Some(before), Some(here)) = (line.get(..at), line.get(at..)) else { return false };
        let begins = before
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphabetic() || (c.is_lowercase() && here.starts_with(char::is_uppercase)));
        let ends = here[name.len()..].chars().next().is_none_or(|c| !c.is_lowercase());
        begins && ends
    })
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}
