//! The log: lines for people or JSON for programs, on standard error. Content never reaches it, at any level.

use std::io::IsTerminal as _;

use anyhow::{Context as _, Result, bail};
use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Starts the log as the configuration says; `RUST_LOG` wins.
pub(crate) fn start(log: &Log) -> Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) => filter,
        Err(_) => log.level.clone(),
    };
    let filter = EnvFilter::try_new(filter).context("log.level is no level and no filter")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    match log.format.as_str() {
        "text" => builder.init(),
        "json" => builder.json().init(),
        other => bail!("log.format is {other}; it must be text or json"),
    }
    Ok(())
}

/// In the demo only what goes wrong is shown, unless `RUST_LOG` asks for more.
pub(crate) fn start_for_demo() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}
