//! Who knows one connector knows all: each has the same inner files, its markup, its simulator and its tests.

use super::tree::{Finding, Tree};

/// Files that every connector has, from its folder.
const FILES: &[&str] = &[
    "src/capabilities.rs",
    "src/catchup.rs",
    "src/client.rs",
    "src/connector.rs",
    "src/decode.rs",
    "src/encode.rs",
    "src/envelope.rs",
    "src/errors.rs",
    "src/fuzzing.rs",
    "src/ids.rs",
    "src/install.rs",
    "src/package.rs",
    "src/settings.rs",
    "src/tokens.rs",
    "src/verify.rs",
    "src/wire/mod.rs",
    "tests/it/main.rs",
    "tests/it/conformance.rs",
    "tests/it/recorded.rs",
];

/// What belongs to a connector elsewhere; `{}` is its name.
const ELSEWHERE: &[&str] = &[
    "crates/markup/src/{}/mod.rs",
    "crates/sim/src/{}/mod.rs",
    "crates/sim/src/{}/page/mod.rs",
    "crates/sim/tests/it/{}/mod.rs",
    "crates/cli/src/commands/sim/{}.rs",
];

/// Simulators whose page is no module.
const PAGE_OF_ITS_OWN: &[&str] = &["teams"];

/// Where connectors are known by name, with what stands there.
const NAMED: &[(&str, &str)] = &[
    ("crates/cli/src/runtime.rs", "dragoman_{}::"),
    ("crates/cli/src/config/example.toml", "[{}]"),
    ("fuzz/targets/src/targets.rs", "(\"{}_"),
];

/// Names of the connectors: crates that decode and tell what they carry.
pub(super) fn names(tree: &Tree) -> Vec<&str> {
    let packages = tree.packages().filter_map(|folder| folder.strip_prefix("crates/"));
    packages.filter(|name| tree.has(&format!("crates/{name}/src/capabilities.rs"))).collect()
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in names(tree) {
        let own = FILES.iter().map(|file| format!("crates/{name}/{file}"));
        let pageless = PAGE_OF_ITS_OWN.contains(&name);
        let elsewhere = ELSEWHERE.iter().map(|path| path.replace("{}", name));
        let elsewhere = elsewhere.filter(|path| !(pageless && path.ends_with("page/mod.rs")));
        for path in own.chain(elsewhere).filter(|path| !tree.has(path)) {
            findings.push(Finding::new(&path, 0, format!("missing: every connector has it, {name} too")));
        }
        for (path, wanted) in NAMED {
            let wanted = wanted.replace("{}", name);
            if tree.text(path).is_some_and(|text| !text.contains(&wanted)) {
                findings.push(Finding::new(
                    path,
                    0,
                    format!("`{wanted}` is missing: every connector is here"),
                ));
            }
        }
    }
    findings
}
