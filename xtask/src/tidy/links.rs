//! Links between documents lead somewhere.

use super::tree::{Finding, Tree, is_extension};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| is_extension(path, "md")) {
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            if fenced {
                continue;
            }
            for target in targets(line).filter(|target| !is_foreign(target)) {
                if let Some(message) = fault(tree, path, target) {
                    findings.push(Finding::new(path, index + 1, message));
                }
            }
        }
    }
    findings
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

fn is_foreign(target: &str) -> bool {
    ["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

fn fault(tree: &Tree, from: &str, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { Some(from.to_owned()) } else { resolve(from, file) };
    let Some(path) = path else { return Some(format!("the link {target} leads out of the repository")) };
    if !tree.has(&path) && !tree.has_folder(&path) {
        return Some(format!("the link {target} leads nowhere"));
    }
    let headings = tree.text(&path).filter(|_| is_extension(&path, "md"));
    match (anchor, headings) {
        (Some(anchor), Some(text)) if !slugs(text).iter().any(|slug| slug == anchor) => {
            Some(format!("{path} has no heading #{anchor}"))
        }
        _ => None,
    }
}

/// The path that `target` means in a document at `from`; `None` above the workspace.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Anchors of the headings, as GitHub makes them.
fn slugs(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
}

fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}
