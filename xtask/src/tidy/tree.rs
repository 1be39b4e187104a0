//! The files that belong to the repository, in memory, so that rules are pure functions.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::masks;
use crate::process::Run;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path from the workspace's folder, with `/`.
    pub(crate) path: String,
    /// Line, counted from 1; 0 when the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(f, "{}: {}", self.path, self.message)
        } else {
            write!(f, "{}:{}: {}", self.path, self.line, self.message)
        }
    }
}

#[derive(Debug)]
struct File {
    bytes: u64,
    /// `None` when it is no text.
    text: Option<String>,
}

/// Every file that git tracks or would track.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads the work tree at `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let listed = Run::new(root, "git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .read()
            .context("tidy asks git which files belong to the repository")?;
        let mut tree = Self::default();
        for path in listed.split('\0').filter(|path| !path.is_empty()) {
            // Deleted in the work tree, still in git's index.
            let Ok(bytes) = fs::read(root.join(path)) else { continue };
            let file = File { bytes: bytes.len() as u64, text: String::from_utf8(bytes).ok() };
            tree.files.insert(path.to_owned(), file);
        }
        Ok(tree)
    }

    /// A tree of invented files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |text: &str| File { bytes: text.len() as u64, text: Some(text.to_owned()) };
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether some file lies in `folder`.
    pub(crate) fn has_folder(&self, folder: &str) -> bool {
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        folder.is_empty() || self.files.keys().any(|path| path.starts_with(&prefix))
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }

    /// Paths with their sizes in bytes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file.bytes))
    }

    /// Every text file.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.text.as_deref()?)))
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| is_extension(path, "rs"))
    }

    /// Rust files of the product, without tests: paths, and code without comments and without `mod tests { … }`.
    pub(crate) fn product_code(&self) -> impl Iterator<Item = (&str, String)> {
        self.rust()
            .filter(|(path, _)| !is_test_path(path))
            .map(|(path, text)| (path, masks::without_comments(masks::without_unit_tests(text))))
    }

    /// Folders that hold a package, from the workspace's folder.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &str> {
        self.files.keys().filter_map(|path| path.strip_suffix("/Cargo.toml"))
    }
}

/// Whether the file holds tests only.
pub(crate) fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/")
        || path.starts_with("crates/testkit/")
        || path.starts_with("benches/")
        || path.starts_with("fuzz/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("_tests.rs")
}

pub(crate) fn is_extension(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == wanted)
}
