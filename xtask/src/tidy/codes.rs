//! Every code that an operator can see has a page, every page a code.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::masks;
use super::tree::{Finding, Tree};

/// Where all codes are declared.
const TABLE: &str = "crates/model/src/codes.rs";
/// Folder of the pages.
const PAGES: &str = "docs/errors/";
/// List of all pages.
pub(super) const INDEX: &str = "docs/errors/README.md";
/// What every page has to answer.
const SECTION: &str = "**What to do.** ";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.text(TABLE) else {
        return vec![Finding::new(TABLE, 0, "missing: the table of all codes")];
    };
    let mut findings = Vec::new();
    let mut codes = BTreeMap::new();
    for (code, line) in quoted(masks::without_unit_tests(table)) {
        if codes.insert(code.clone(), line).is_some() {
            findings.push(Finding::new(TABLE, line, format!("{code} is declared twice")));
        }
    }
    for (code, line) in &codes {
        let path = format!("{PAGES}{code}.md");
        match tree.text(&path) {
            None => findings.push(Finding::new(TABLE, *line, format!("{code} has no page {path}"))),
            Some(page) => findings.extend(page_faults(&path, code, page)),
        }
    }
    for (path, code) in pages(tree) {
        if !codes.contains_key(code) {
            findings.push(Finding::new(path, 0, format!("{code} is not in {TABLE}")));
        }
    }
    for (path, code) in tree.product_code().filter(|(path, _)| *path != TABLE && !path.starts_with("xtask/"))
    {
        for (used, line) in quoted(&code) {
            if !codes.contains_key(&used) {
                findings.push(Finding::new(path, line, format!("{used} is not in {TABLE}")));
            }
        }
    }
    if !codes.is_empty() && tree.text(INDEX) != Some(index(tree).as_str()) {
        findings.push(Finding::new(INDEX, 0, "not up to date: run `cargo xtask tidy --write`"));
    }
    findings
}

/// The text of the list of all pages.
pub(super) fn index(tree: &Tree) -> String {
    let mut text = String::from(
        "# Codes\n\nWhat Dragoman did not relay as it was, or could not do, is reported with one of these codes.\n\n\
         | code | in short |\n| --- | --- |\n",
    );
    for (path, code) in pages(tree) {
        let heading = tree.text(path).and_then(|page| page.lines().next()).unwrap_or_default();
        let title = heading.trim_start_matches("# ").trim_start_matches(code);
        let title = title.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '`').trim();
        // Writing to a String can't fail.
        let _ = writeln!(text, "| [{code}]({code}.md) | {title} |");
    }
    text
}

fn pages(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.texts().filter_map(|(path, _)| {
        let code = path.strip_prefix(PAGES)?.strip_suffix(".md")?;
        (code != "README").then_some((path, code))
    })
}

fn page_faults(path: &str, code: &str, page: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let heading = page.lines().next().unwrap_or_default();
    let title = heading.strip_prefix("# ").and_then(|rest| rest.strip_prefix(code)).map(str::trim);
    if title.is_none_or(|title| title.len() < 4) {
        findings.push(Finding::new(
            path,
            1,
            format!("the first line must be `# {code}: what it is in short`"),
        ));
    }
    if !page.lines().any(|line| line.starts_with(SECTION)) {
        findings.push(Finding::new(path, 0, format!("no paragraph begins with `{SECTION}`")));
    }
    if page.lines().nth(2).is_none_or(|line| line.is_empty() || line.starts_with(SECTION)) {
        findings.push(Finding::new(path, 3, "the third line must say what it means and why it happens"));
    }
    findings
}

/// Codes in double quotes, with their lines.
fn quoted(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for part in line.split('"').skip(1).step_by(2) {
            let tail = part.strip_prefix("DRG-").unwrap_or_default();
            let valid = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
            if !tail.is_empty() && tail.chars().all(valid) {
                found.push((part.to_owned(), index + 1));
            }
        }
    }
    found
}
