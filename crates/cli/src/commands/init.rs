//! `init`: the configuration and the key file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use dragoman_seal::{KeyFileError, LocalKeys, StdDisk, SystemRandom};
use serde::Serialize;

use crate::args::{DEFAULT_CONFIG, Init};
use crate::config::{self, Config, EXAMPLE};
use crate::{print, runtime};

#[derive(Serialize)]
struct Made<'a> {
    config: &'a Path,
    data_folder: &'a Path,
    key_folder: &'a Path,
    key_file: Option<&'a Path>,
    warnings: Vec<&'static str>,
}

pub(crate) fn run(path: &Path, init: Init, json: bool) -> Result<()> {
    ensure!(
        !path.exists(),
        "{} is there already and was left as it is; `dragoman config check` reads it, --config names another",
        path.display()
    );
    let text = with_choices(init);
    let config = config::parse(&text, path)?;
    // What may fail for lack of rights comes first, so that a second attempt finds nothing half done.
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("{} cannot be made; run as a user who may", parent.display()))?;
    }
    for folder in [&config.data_folder, &config.key_folder] {
        StdDisk::open(folder).with_context(|| {
            format!("{} cannot be made; make it and give it to this user", folder.display())
        })?;
    }
    let key = key_file(&config)?;
    write_config(path, &text)?;
    let mut warnings = Vec::new();
    if same_device(&config.data_folder, &config.key_folder) {
        warnings.push(
            "data_folder and key_folder share a device: a copy of that device holds both; put key_folder on another one",
        );
    }
    if json {
        return print::json(&Made {
            config: path,
            data_folder: &config.data_folder,
            key_folder: &config.key_folder,
            key_file: key.is_some().then_some(config.keys.file.as_path()),
            warnings,
        });
    }
    if let Some(made) = key {
        print::line(&format!("{made} {}: back it up apart from the data", config.keys.file.display()));
    }
    print::line(&format!("wrote {}", path.display()));
    for warning in warnings {
        print::hint(&format!("! {warning}"));
    }
    let named = if path == Path::new(DEFAULT_CONFIG) {
        String::new()
    } else {
        format!(" --config {}", path.display())
    };
    print::hint(&format!("next: dragoman{named} serve, then dragoman{named} org add NAME"));
    Ok(())
}

/// Makes the key file, or sees that the one that is there opens. Says which.
fn key_file(config: &Config) -> Result<Option<&'static str>> {
    if config.keys.credential.is_some() {
        return Ok(None);
    }
    let passphrase = runtime::passphrase(config)?;
    match LocalKeys::create(&config.keys.file, passphrase.as_ref(), Arc::new(SystemRandom)) {
        Ok(_) => Ok(Some("made the key file")),
        Err(KeyFileError::Exists { .. }) => {
            LocalKeys::open(&config.keys.file, passphrase.as_ref(), Arc::new(SystemRandom))?;
            Ok(Some("will use the key file that is there,"))
        }
        Err(error) => Err(error.into()),
    }
}

fn write_config(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o640)
        .open(path)
        .with_context(|| format!("{} cannot be written; run as a user who may", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
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
