//! Every key of the configuration file is documented where it is declared.

use super::tree::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let files = tree.rust().filter(|(path, _)| is_config(path));
    files.flat_map(|(path, text)| undocumented(path, text)).collect()
}

fn is_config(path: &str) -> bool {
    path.strip_prefix("crates/cli/src/config").is_some_and(|rest| rest.starts_with(['.', '/', '_']))
        && !path.ends_with("/tests.rs")
}

/// Fields, without a doc comment, of structs that are read from the file.
fn undocumented(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut derives, mut inside, mut documented) = (false, false, false);
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with("#[derive(") {
            derives = trimmed.contains("Deserialize");
        } else if trimmed.contains("struct ") && trimmed.ends_with('{') {
            inside = derives;
            (derives, documented) = (false, false);
        } else if line.starts_with('}') {
            inside = false;
        } else if inside && trimmed.starts_with("///") {
            documented = true;
        } else if inside
            && !trimmed.starts_with("#[")
            && !trimmed.starts_with("//")
            && let Some(name) = field(trimmed)
        {
            if !documented {
                let message = format!("the key `{name}` has no doc comment: what it is, unit, default");
                findings.push(Finding::new(path, index + 1, message));
            }
            documented = false;
        }
    }
    findings
}

fn field(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let (name, _) = line.split_once(": ")?;
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_').then_some(name)
}
