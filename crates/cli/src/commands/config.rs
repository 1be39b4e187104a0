//! `config`

use std::path::Path;

use anyhow::Result;

use crate::args::ConfigCommand;
use crate::{config, print};

pub(crate) fn run(path: &Path, command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Example => print::line(config::EXAMPLE.trim_end()),
        ConfigCommand::Check => {
            config::load(path)?;
            print::line(&format!("{} is in order", path.display()));
        }
    }
    Ok(())
}
