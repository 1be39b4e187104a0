//! A folder with a configuration, commands on it, and a gateway that serves it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Http, eventually};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_dragoman");

/// A deployment.
pub(crate) struct Rig {
    folder: TempDir,
    pub(crate) door: u16,
    pub(crate) ops: u16,
}

impl Rig {
    /// `dragoman init`, then free ports and whatever else the test wants in the file.
    pub(crate) fn new(more: &str) -> Self {
        Self::with_data(more, None)
    }

    /// The same with the data in a folder that is there already.
    pub(crate) fn with_data(more: &str, data: Option<&Path>) -> Self {
        let folder = TempDir::with_prefix("dragoman-cli-").expect("a folder");
        let rig = Self { folder, door: free_port(), ops: free_port() };
        let data = data.map_or_else(|| rig.path("data"), Path::to_owned);
        let url = format!("http://127.0.0.1:{}", rig.door);
        let init = rig.command(&[
            "init",
            "--data-folder",
            &data.display().to_string(),
            "--key-folder",
            &rig.path("keys").display().to_string(),
            "--key-file",
            &rig.path("root.key").display().to_string(),
            "--public-url",
            &url,
        ]);
        assert!(init.status.success(), "{}", text(&init.stderr));
        let mut config = rig.config();
        config["listen"]["address"] = format!("127.0.0.1:{}", rig.door).into();
        config["ops"]["address"] = format!("127.0.0.1:{}", rig.ops).into();
        config["outbound"]["allow_private"] = true.into();
        let more: toml::Table = more.parse().expect("TOML");
        for (section, keys) in more {
            match keys {
                toml::Value::Table(keys) => {
                    for (key, value) in keys {
                        config[&section].as_table_mut().expect("a section").insert(key, value);
                    }
                }
                value => {
                    config.insert(section, value);
                }
            }
        }
        rig.set_config(&config);
        rig
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.path("dragoman.toml")
    }

    pub(crate) fn config(&self) -> toml::Table {
        fs::read_to_string(self.config_path()).expect("a file").parse().expect("TOML")
    }

    pub(crate) fn set_config(&self, config: &toml::Table) {
        fs::write(self.config_path(), config.to_string()).expect("a file");
    }

    /// A command of the binary on this configuration; nobody is there to answer questions.
    pub(crate) fn prepare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("--config").arg(self.config_path()).args(arguments);
        command.env_remove("RUST_LOG").env_remove("DRAGOMAN_PASSPHRASE").stdin(Stdio::null());
        command
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        self.prepare(arguments).output().expect("the binary runs")
    }

    /// Standard output and standard error of a command that succeeds.
    pub(crate) fn ok(&self, arguments: &[&str]) -> (String, String) {
        let output = self.command(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    }

    /// The document of a command with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let (stdout, _) = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}"))
    }

    /// What a command that fails says.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// Starts the gateway and waits until it takes events.
    pub(crate) async fn serve(&self) -> Served {
        let mut served = Served::spawn(self.prepare(&["serve"]), self.path("log"));
        let ready = format!("http://127.0.0.1:{}/readyz", self.ops);
        let http = Http::new();
        eventually("the gateway takes events", async || {
            assert!(served.ended().is_none(), "it ended: {}", served.log());
            http.get(&ready).await.filter(|(status, _)| status.is_success())
        })
        .await;
        served
    }
}

/// A child process with its log; killed when dropped.
pub(crate) struct Served {
    child: Child,
    log: PathBuf,
}

impl Served {
    pub(crate) fn spawn(mut command: Command, log: PathBuf) -> Self {
        let file = File::options().create(true).append(true).open(&log).expect("a file");
        command.stdout(file.try_clone().expect("a file")).stderr(file);
        Self { child: command.spawn().expect("the binary runs"), log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal and waits for the end.
    pub(crate) async fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        signal_to(&self.child, signal);
        let status = eventually("the process ends", async || self.ended()).await;
        (status, self.log())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn signal_to(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the process is ours");
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads from a pipe until the text holds a line that begins like this.
pub(crate) fn line_of(pipe: &mut impl std::io::Read, beginning: &str) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        assert_eq!(pipe.read(&mut byte).expect("a pipe"), 1, "it ended before a line with {beginning}");
        if byte[0] != b'\n' {
            line.push(byte[0]);
            continue;
        }
        let found = text(&line);
        if found.trim_start().starts_with(beginning) {
            return found.trim().to_owned();
        }
        line.clear();
    }
}

/// Reads what is left in a pipe.
pub(crate) fn rest_of(pipe: &mut impl std::io::Read) -> String {
    let mut rest = Vec::new();
    pipe.by_ref().read_to_end(&mut rest).expect("a pipe");
    text(&rest)
}

/// A port that nobody has, outside the range that the system gives away by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 300).unwrap_or(0) * 60;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 1_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
