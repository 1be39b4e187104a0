//! Running other programs, with their command printed first.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail};

/// A program about to be run in the workspace's folder.
#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    shown: String,
}

impl Run {
    /// Prepares `program`, to be run in `root`.
    pub(crate) fn new(root: &Path, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(&program);
        command.current_dir(root).stdin(Stdio::null());
        Self { command, shown: program.as_ref().to_string_lossy().into_owned() }
    }

    /// Prepares the cargo that runs this tool.
    pub(crate) fn cargo(root: &Path) -> Self {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut run = Self::new(root, program);
        run.shown = "cargo".into();
        run
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
            self.command.arg(arg);
        }
        self
    }

    /// Sets an environment variable, shown in front of the command.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{name}={} {}", value.as_ref().to_string_lossy(), self.shown);
        self.command.env(name, value);
        self
    }

    /// Runs with output passed through; an exit code other than 0 is an error.
    pub(crate) fn go(mut self) -> anyhow::Result<()> {
        println!("$ {}", self.shown);
        let status = self.command.status().with_context(|| format!("cannot start `{}`", self.shown))?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.shown);
        }
        Ok(())
    }

    /// Runs and returns what was printed; an exit code other than 0 is an error that carries both outputs.
    pub(crate) fn read(mut self) -> anyhow::Result<String> {
        let output = self.command.output().with_context(|| format!("cannot start `{}`", self.shown))?;
        if !output.status.success() {
            bail!(
                "`{}` ended with {}\n{}{}",
                self.shown,
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{}` printed bytes that are no text", self.shown))
    }
}

/// Whether `program` is found on the search path.
pub(crate) fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Calls `work` and tells how many seconds it took.
#[expect(clippy::disallowed_methods, reason = "a tool that reports how long its own steps took")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}
