//! Every dependency is declared once, in the workspace, with a line on what it is for.

use super::tree::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(text) = tree.text("Cargo.toml") {
        findings.extend(uncommented(text));
        findings.extend(unused(tree, text));
    }
    for folder in tree.packages().filter(|folder| *folder != "fuzz") {
        let path = format!("{folder}/Cargo.toml");
        findings.extend(tree.text(&path).into_iter().flat_map(|text| local(&path, text)));
    }
    findings
}

fn uncommented(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut before = "";
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
        }
        let declares = inside && line.contains('=') && line.starts_with(|c: char| c.is_ascii_alphanumeric());
        if declares && !line.starts_with("dragoman-") && !before.starts_with('#') {
            let name = line.split('=').next().unwrap_or(line).trim();
            let message = format!("no comment above {name} says what it is for");
            findings.push(Finding::new("Cargo.toml", index + 1, message));
        }
        before = line;
    }
    findings
}

/// Declared dependencies that no package asks for.
fn unused(tree: &Tree, text: &str) -> Vec<Finding> {
    let Ok(manifest) = text.parse::<toml::Table>() else {
        return vec![Finding::new("Cargo.toml", 0, "no valid manifest")];
    };
    let declared = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let declared = declared.and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    let manifests: Vec<&str> =
        tree.packages().filter_map(|folder| tree.text(&format!("{folder}/Cargo.toml"))).collect();
    let asks = |text: &&str, name: &str| {
        let follows = |rest: &str| rest.starts_with(['.', ' ', '=']);
        text.lines().any(|line| line.strip_prefix(name).is_some_and(follows))
    };
    let is_used = |name: &&String| manifests.iter().any(|text| asks(text, name));
    let message = |name: &String| format!("{name} is declared and no package asks for it: take it out");
    declared.filter(|name| !is_used(name)).map(|name| Finding::new("Cargo.toml", 0, message(name))).collect()
}

fn local(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut lints = false;
    let mut section = "";
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim();
            inside = section.ends_with("dependencies]");
        }
        lints |= section == "[lints]" && line.replace(' ', "") == "workspace=true";
        let declares = inside && line.contains('=') && line.starts_with(|c: char| c.is_ascii_alphanumeric());
        // A package switches its own features on for its tests by naming itself.
        let squeezed = line.replace(' ', "");
        let inherits = squeezed.contains("workspace=true") || squeezed.contains("path=\".\"");
        if declares && !inherits {
            let message =
                "declare the version in the workspace's Cargo.toml and write `workspace = true` here";
            findings.push(Finding::new(path, index + 1, message));
        }
    }
    if !lints {
        findings.push(Finding::new(path, 0, "add `[lints]` with `workspace = true`"));
    }
    findings
}
