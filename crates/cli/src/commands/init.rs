//! `init`: the configuration and the key file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use dragoman_seal::{LocalKeys, StdDisk, SystemRandom};

use crate::args::Init;
use crate::config::{self, EXAMPLE};
use crate::{print, runtime};

pub(crate) fn run(path: &Path, init: Init) -> Result<()> {
    ensure!(
        !path.exists(),
        "{} is there already; `dragoman config check` reads it, another file can be named with --config",
        path.display()
    );
    let text = with_choices(init);
    let config = config::parse(&text, path)?;
    if config.keys.credential.is_none() {
        let passphrase = runtime::passphrase(&config)?;
        LocalKeys::create(&config.keys.file, passphrase.as_ref(), Arc::new(SystemRandom))?;
        print::line(&format!(
            "made the key file {}: back it up apart from the data",
            config.keys.file.display()
        ));
    }
    for folder in [&config.data_folder, &config.key_folder] {
        StdDisk::open(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    print::line(&format!("wrote {}", path.display()));
    if same_device(&config.data_folder, &config.key_folder) {
        print::hint(
            "! data_folder and key_folder share a device: a copy of that device holds both; put key_folder on another one",
        );
    }
    print::hint("next: dragoman serve, then dragoman org add NAME");
    Ok(())
}

/// The example with what was chosen on the command line.
fn with_choices(init: Init) -> String {
    let show = |path: std::path::PathBuf| path.display().to_string();
    let choices = [
        ("data_folder", init.data_folder.map(show)),
        ("key_folder", init.key_folder.map(show)),
        ("public_url", init.public_url),
        ("file", init.key_file.map(show)),
    ];
    let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
    for (key, value) in choices {
        let Some(value) = value else { continue };
        let start = format!("{key} = ");
        if let Some(line) = lines.iter_mut().find(|line| line.starts_with(&start)) {
            *line = format!("{start}{}", toml::Value::String(value));
        }
    }
    lines.join("\n") + "\n"
}

/// Whether two folders are on one device.
pub(crate) fn same_device(a: &Path, b: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(a).is_some() && device(a) == device(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_land_in_the_file_quoted() {
        let init = Init {
            data_folder: Some("/srv/a \"b\"".into()),
            key_folder: None,
            key_file: Some("/keys/root.key".into()),
            public_url: Some("https://chat.harbor.example".to_owned()),
        };
        let config = config::parse(&with_choices(init), Path::new("x.toml")).expect("valid");
        assert_eq!(config.data_folder, Path::new("/srv/a \"b\""));
        assert_eq!(config.keys.file, Path::new("/keys/root.key"));
        assert_eq!(config.public_url, "https://chat.harbor.example");
    }
}
