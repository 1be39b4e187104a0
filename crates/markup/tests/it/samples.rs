//! Recorded payloads, which stand beside the repository and never in it.

use std::path::{Path, PathBuf};

/// The folder of payloads, or `None` where there is none; on CI there has to be one.
pub(crate) fn payloads() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder =
        std::env::var_os("DRAGOMAN_PAYLOADS").map_or_else(|| root.join("../shared/platforms"), PathBuf::from);
    let folder = if folder.is_relative() { root.join(folder) } else { folder };
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "set DRAGOMAN_PAYLOADS to the folder of recorded payloads");
    println!("SKIPPED: no recorded payloads; set DRAGOMAN_PAYLOADS");
    None
}

/// The JSON files of a folder, by name.
pub(crate) fn json_files(folder: &Path) -> Vec<(String, serde_json::Value)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
        .into_iter()
        .filter_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            serde_json::from_str(&text).ok().map(|value| (name, value))
        })
        .collect()
}
