//! Reading the file, with errors that name the key and the cure.

use std::path::{Path, PathBuf};

use super::schema::Config;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error(
        "the configuration {path} cannot be read ({cause}); `dragoman init` makes one, `--config` names another"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It is not TOML, or a value has the wrong form.
    #[error("{path}: {key}: {cause}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The key, or the place.
        key: String,
        /// What is wrong.
        cause: String,
    },
    /// Keys that nobody knows.
    #[error("{path}: there is no key {key}{}; `dragoman config example` shows all", suggestion.as_ref().map(|near| format!(", did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The nearest one that exists.
        suggestion: Option<String>,
    },
}

/// Reads a file.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    parse(&text, path)
}

/// Reads a text; `path` is named in errors.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let wrong = |key: String, cause: String| ConfigError::Wrong { path: path.to_owned(), key, cause };
    let document =
        toml::Deserializer::parse(text).map_err(|error| wrong("syntax".to_owned(), error.to_string()))?;
    let mut unknown = Vec::new();
    let mut note = |key: serde_ignored::Path<'_>| unknown.push(key.to_string());
    let document = serde_ignored::Deserializer::new(document, &mut note);
    let config: Config = serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().to_string();
        wrong(key, error.into_inner().message().to_owned())
    })?;
    if let Some(key) = unknown.into_iter().next() {
        let suggestion = nearest(&key);
        return Err(ConfigError::Unknown { path: path.to_owned(), key, suggestion });
    }
    check(&config).map_err(|(key, cause)| wrong(key.to_owned(), cause.to_owned()))?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), (&'static str, &'static str)> {
    let public = url::Url::parse(&config.public_url)
        .map_err(|_| ("public_url", "must be a URL such as https://chat.example.com"))?;
    let local = public.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127."));
    if public.scheme() != "https" && !local {
        return Err(("public_url", "platforms deliver to https only"));
    }
    if config.public_url.ends_with('/') {
        return Err(("public_url", "must not end with a slash"));
    }
    if config.listen.certificate.is_some() != config.listen.private_key.is_some() {
        return Err(("listen.certificate", "certificate and private_key belong together"));
    }
    if !(1..=15).contains(&config.relay.rest_minutes) {
        return Err(("relay.rest_minutes", "must be 1 to 15"));
    }
    if !(1..=60).contains(&config.keys.epoch_minutes) {
        return Err(("keys.epoch_minutes", "must be 1 to 60"));
    }
    Ok(())
}

fn nearest(key: &str) -> Option<String> {
    let all = toml::Value::try_from(Config::default()).ok()?;
    let mut keys = Vec::new();
    collect(&all, "", &mut keys);
    keys.into_iter()
        .map(|known| (strsim::jaro_winkler(&known, key), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn collect(value: &toml::Value, prefix: &str, keys: &mut Vec<String>) {
    let toml::Value::Table(table) = value else { return };
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        collect(value, &key, keys);
        keys.push(key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::EXAMPLE;
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        parse(text, Path::new("dragoman.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_says_what_the_defaults_are() {
        let example = read(EXAMPLE).expect("the example is valid");
        let example = toml::Value::try_from(example).expect("a config is TOML");
        let defaults = toml::Value::try_from(Config::default()).expect("a config is TOML");
        assert_eq!(example, defaults);
    }

    #[test]
    fn the_example_names_every_key() {
        let mut keys = Vec::new();
        collect(&toml::Value::try_from(Config::default()).expect("a config is TOML"), "", &mut keys);
        for key in keys {
            let name = key.rsplit('.').next().unwrap_or(&key);
            assert!(EXAMPLE.contains(name), "{key} is not in the example");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let error = read("[listen]\nadress = \"127.0.0.1:1\"\n").err().unwrap_or_default();
        assert!(error.contains("listen.adress") && error.contains("did you mean listen.address?"), "{error}");
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        let error = read("[relay]\npatience_ms = \"soon\"\n").err().unwrap_or_default();
        assert!(error.contains("relay.patience_ms"), "{error}");
        let error = read("public_url = \"http://chat.example.com\"").err().unwrap_or_default();
        assert!(error.contains("public_url") && error.contains("https"), "{error}");
    }
}
