//! `config`

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::args::ConfigCommand;
use crate::config::Config;
use crate::{config, print};

pub(crate) fn run(path: &Path, command: ConfigCommand, json: bool) -> Result<()> {
    match command {
        ConfigCommand::Example if json => print::json(&Config::default())?,
        ConfigCommand::Example => print::line(config::EXAMPLE.trim_end()),
        ConfigCommand::Check => {
            let config = config::load(path)?;
            if json {
                return print::json(&json!({ "path": path, "config": config }));
            }
            print::line(&format!("{} is in order", path.display()));
        }
    }
    Ok(())
}
