//! Crates that must not come in, and licences that may.

use std::path::Path;

use anyhow::bail;

use super::metadata::{Graph, Package};
use super::spdx;

/// Crates that must not be in the graph, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("ring", "aws-lc-rs is the one cryptographic library"),
    ("openssl", "aws-lc-rs is the one cryptographic library"),
    ("openssl-sys", "aws-lc-rs is the one cryptographic library"),
    ("native-tls", "rustls is the one TLS library"),
    ("rsa", "known to leak keys by timing; aws-lc-rs has RSA"),
    ("reqwest", "crates/platform has the one HTTP client, with its guards"),
];

/// Licences that any crate may have.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that may have one more licence, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] =
    &[("webdriver", "MPL-2.0", "tests only, unchanged: what a browser's driver speaks")];

pub(super) fn run(root: &Path) -> anyhow::Result<()> {
    let graph = Graph::read(root)?;
    let foreign = graph.foreign();
    let faults: Vec<String> = foreign.iter().filter_map(|package| fault(&graph, package)).collect();
    for fault in &faults {
        println!("{fault}");
    }
    let shipped = graph.shipped_in("dragoman-cli").len();
    println!("{} crates in all, {shipped} of them in the binary for some system", foreign.len());
    if !faults.is_empty() {
        bail!("{} crates that may not be used", faults.len());
    }
    Ok(())
}

fn fault(graph: &Graph, package: &Package) -> Option<String> {
    let Package { id, name, version, .. } = package;
    if let Some((_, reason)) = BANNED.iter().find(|(banned, _)| banned == name) {
        return Some(format!("{name} {version} is banned: {reason} (comes by {})", graph.chain(id)));
    }
    let Some(license) = &package.license else {
        return Some(format!("{name} {version} names no licence (comes by {})", graph.chain(id)));
    };
    let excepted =
        |licence: &str| EXCEPTIONS.iter().any(|(crate_, also, _)| crate_ == name && *also == licence);
    if spdx::holds(license, |licence| ALLOWED.contains(&licence) || excepted(licence)) {
        return None;
    }
    Some(format!("{name} {version} has the licence {license}, not allowed (comes by {})", graph.chain(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, license: &str, expected: &str) {
        let text = serde_json::json!({
            "packages": [
                {"id": "a", "name": "ours", "version": "0.1.0", "license": "MIT", "source": null},
                {"id": "b", "name": "middle", "version": "1.0.0", "license": "MIT", "source": "registry"},
                {"id": "d", "name": "openssl", "version": "1.0.0", "license": null, "source": "registry"},
                {"id": "c", "name": name, "version": "2.0.0", "license": license, "source": "registry"},
            ],
            "workspace_members": ["a"],
            "resolve": {"nodes": [
                {"id": "a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}]},
                {"id": "b", "deps": [{"pkg": "c", "dep_kinds": [{"kind": "build"}]}]},
                {"id": "c", "deps": [{"pkg": "d", "dep_kinds": [{"kind": null}]}]},
                {"id": "d", "deps": []},
            ]},
        });
        let tree = format!("ours v0.1.0 (/ours)\nmiddle v1.0.0\n{name} v2.0.0 (proc-macro)\n");
        let graph = Graph::parse(&text.to_string(), &tree).unwrap();
        let faults: Vec<_> = graph.foreign().iter().filter_map(|package| fault(&graph, package)).collect();
        assert_eq!(faults.join("\n"), expected);
        assert_eq!(graph.shipped_in("ours").len(), 1, "build dependencies are not shipped");
    }

    /// The `openssl` of every graph here is listed by cargo and switched on by nothing.
    #[test]
    fn allowed_licences_pass() {
        check("fine", "MIT OR Apache-2.0", "");
        check("fine", "(MIT OR GPL-3.0-only) AND Unicode-3.0", "");
    }

    #[test]
    fn other_licences_are_told_with_their_way_in() {
        let expected =
            "viral 2.0.0 has the licence GPL-3.0-only, not allowed (comes by ours > middle > viral)";
        check("viral", "GPL-3.0-only", expected);
    }

    #[test]
    fn banned_crates_are_told_with_their_way_in() {
        let expected = "ring 2.0.0 is banned: aws-lc-rs is the one cryptographic library \
                        (comes by ours > middle > ring)";
        check("ring", "MIT", expected);
    }
}
