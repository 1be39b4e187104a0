//! Sizes and contents of all files, whatever they are.

use super::tree::{Finding, Tree};

/// Bytes that a file may have.
const MAX_BYTES: u64 = 1 << 20;

/// Hosts of package registries and paths of somebody's own machine; split, so that this file passes.
const NEVER: &[(&str, &str)] = &[
    (concat!("static", ".crates", ".io"), "host of a package registry"),
    (concat!("index", ".crates", ".io"), "host of a package registry"),
    (concat!("registry.npm", "js.org"), "host of a package registry"),
    (concat!("registry.yarn", "pkg.com"), "host of a package registry"),
    (concat!("pypi", ".org"), "host of a package registry"),
    (concat!("python", "hosted.org"), "host of a package registry"),
    (concat!("deb", ".debian", ".org"), "host of a package registry"),
    (concat!("/ro", "ot/"), "path of one machine"),
    (concat!("/ho", "me/"), "path of one machine"),
    (concat!("/wo", "rk/main"), "path of one machine"),
    (concat!("/wo", "rk/shared"), "path of one machine"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, bytes) in tree.sizes().filter(|(_, bytes)| *bytes > MAX_BYTES) {
        findings.push(Finding::new(path, 0, format!("{bytes} bytes, at most {MAX_BYTES}")));
    }
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate() {
            for (word, what) in NEVER.iter().filter(|(word, _)| is_said(line, word)) {
                findings.push(Finding::new(path, index + 1, format!("`{word}`: {what}")));
            }
        }
    }
    findings
}

/// Whether a line has the word; a path of a machine begins where no other path goes on.
fn is_said(line: &str, word: &str) -> bool {
    let inside =
        |at: usize| word.starts_with('/') && line[..at].ends_with(|sign: char| sign.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| !inside(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_begins_with_its_stroke() {
        let root = concat!("/ro", "ot/");
        assert!(is_said(&format!("see {root}notes"), root) && is_said(&format!("file://{root}notes"), root));
        assert!(!is_said(&format!("me/drive{root}children"), root));
        assert!(is_said(concat!("https://pypi", ".org/simple"), concat!("pypi", ".org")));
    }
}
