//! Imports go down only.

use super::tree::{Finding, Tree};

/// What each crate may import, in tests too.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("markup", &["model"]),
    ("seal", &["model"]),
    ("store", &["model", "seal"]),
    ("platform", &["model", "seal"]),
    ("slack", &["model", "markup", "seal", "platform"]),
    ("teams", &["model", "markup", "seal", "platform"]),
    ("webex", &["model", "markup", "seal", "platform"]),
    ("zoom", &["model", "markup", "seal", "platform"]),
    ("relay", &["model", "markup", "seal", "store", "platform"]),
    ("gateway", &["model", "markup", "seal", "store", "platform", "relay"]),
    ("sim", &[]),
    ("testkit", &["model", "markup", "seal", "store", "platform", "relay", "gateway", "sim"]),
    (
        "cli",
        &[
            "model", "markup", "seal", "store", "platform", "slack", "teams", "webex", "zoom", "relay",
            "gateway", "sim",
        ],
    ),
];

/// Crates that only tests may use.
const DEV_ONLY: &[&str] = &["testkit"];

/// What tests of a crate may use besides.
const DEV_ALSO: &[&str] = &["testkit"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in tree.packages() {
        let Some(name) = folder.strip_prefix("crates/") else { continue };
        let path = format!("{folder}/Cargo.toml");
        let Some(text) = tree.text(&path) else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(known, _)| *known == name) else {
            findings.push(Finding::new(
                &path,
                0,
                "this crate has no line in the table of xtask/src/tidy/layers.rs",
            ));
            continue;
        };
        let manifest: toml::Table = match text.parse() {
            Ok(manifest) => manifest,
            Err(error) => {
                findings.push(Finding::new(&path, 0, format!("no valid manifest: {error}")));
                continue;
            }
        };
        for (table, dev) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            for import in ours(&manifest, table) {
                let fine = (allowed.contains(&import) && (dev || !DEV_ONLY.contains(&import)))
                    || (dev && DEV_ALSO.contains(&import) && name != "sim")
                    || (dev && import == name);
                if !fine {
                    let message =
                        format!("{name} may not import {import} in [{table}]: imports go down only");
                    findings.push(Finding::new(&path, line_of(text, import), message));
                }
            }
        }
    }
    findings
}

fn ours<'a>(manifest: &'a toml::Table, table: &str) -> Vec<&'a str> {
    let names = manifest.get(table).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
    names.filter_map(|name| name.strip_prefix("dragoman-")).collect()
}

fn line_of(text: &str, import: &str) -> usize {
    let wanted = format!("dragoman-{import}");
    let found = text.lines().position(|line| {
        line.strip_prefix(&wanted)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-'))
    });
    found.map_or(0, |index| index + 1)
}
