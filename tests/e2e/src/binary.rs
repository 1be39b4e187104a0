//! The real `dragoman serve` as a child process on a folder of its own.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use dragoman_gateway::admin::api::{InstallState, InstallWait, StatusGet};
use dragoman_gateway::admin::client::Client;
use dragoman_testkit::wait_until;
use tempfile::TempDir;

/// A gateway that can be killed and started again on the same folder and ports.
pub struct Binary {
    folder: TempDir,
    port: u16,
    ops_port: u16,
    child: Option<Child>,
    /// Lives so far.
    lives: u32,
}

impl Binary {
    /// Writes configuration and key file; nothing runs yet. `config` is merged over the usual tables.
    pub fn prepare(config: &toml::Table) -> Result<Self> {
        let folder = TempDir::with_prefix("dragoman-e2e-")?;
        let binary = Self { folder, port: free_port()?, ops_port: free_port()?, child: None, lives: 0 };
        let key_file = binary.path("root.key");
        let init = Command::new(executable()?)
            .args(["--config".as_ref(), binary.path("init.toml").as_os_str(), "init".as_ref()])
            .args(["--data-folder".as_ref(), binary.data_folder().as_os_str()])
            .args(["--key-folder".as_ref(), binary.key_folder().as_os_str()])
            .args(["--key-file".as_ref(), key_file.as_os_str()])
            .output()
            .context("dragoman init could not be run")?;
        ensure!(init.status.success(), "dragoman init: {}", String::from_utf8_lossy(&init.stderr));
        let mut table = toml::Table::new();
        table.insert("data_folder".to_owned(), shown(&binary.data_folder()));
        table.insert("key_folder".to_owned(), shown(&binary.key_folder()));
        table.insert("public_url".to_owned(), binary.url().into());
        let mut usual = toml::Table::new();
        for (section, key, value) in [
            ("listen", "address", toml::Value::from(format!("127.0.0.1:{}", binary.port))),
            ("ops", "address", format!("127.0.0.1:{}", binary.ops_port).into()),
            ("keys", "file", shown(&key_file)),
            ("outbound", "allow_private", true.into()),
        ] {
            let section = usual.entry(section).or_insert_with(|| toml::Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.insert(key.to_owned(), value);
            }
        }
        merge(&mut table, &usual);
        merge(&mut table, config);
        fs::write(binary.config_path(), table.to_string())?;
        Ok(binary)
    }

    /// Starts it; `fault` names a point at which it dies, as `point:n`. Returns when it answers.
    pub async fn start(&mut self, fault: Option<&str>) -> Result<()> {
        self.launch(fault)?;
        self.answering().await
    }

    /// Starts it without waiting.
    pub fn launch(&mut self, fault: Option<&str>) -> Result<()> {
        ensure!(self.child.is_none(), "the gateway runs already");
        let stderr = OpenOptions::new().create(true).append(true).open(self.stderr_path())?;
        let stdout = OpenOptions::new().create(true).append(true).open(self.path("stdout"))?;
        let mut command = Command::new(executable()?);
        command.arg("--config").arg(self.config_path()).arg("serve");
        command.env_remove("RUST_LOG").env_remove("DRAGOMAN_FAULT");
        if let Some(fault) = fault {
            command.env("DRAGOMAN_FAULT", fault);
        }
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        self.child = Some(command.spawn().context("dragoman serve could not be started")?);
        self.lives += 1;
        Ok(())
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Waits until somebody has come back from the page of an installation or of a person's consent, and tells how that
    /// went.
    pub async fn installed(&self, ticket: &str) -> Result<InstallState> {
        let client = self.client();
        for _ in 0..5 {
            let state = client.ask(&InstallWait { ticket: ticket.to_owned() }).await?;
            if state != InstallState::Waiting {
                return Ok(state);
            }
        }
        bail!("nobody came back")
    }

    /// Waits until the admin socket answers.
    pub async fn answering(&mut self) -> Result<()> {
        let client = self.client();
        for _ in 0..1_500 {
            if client.ask(&StatusGet {}).await.is_ok_and(|status| status.ready) {
                return Ok(());
            }
            if let Some(status) = self.exited()? {
                bail!("dragoman serve ended at its start ({status}):\n{}", self.tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("dragoman serve does not answer:\n{}", self.tail())
    }

    /// Whether the process has ended by itself, and how.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits until the process died of its fault point; false when it still lives.
    pub async fn died(&mut self, within: Duration) -> Result<bool> {
        let mut status = None;
        let ended = wait_until(
            || {
                status = self.exited().ok().flatten();
                status.is_some()
            },
            within,
        )
        .await;
        if let Some(status) = status {
            ensure!(status.signal().is_some(), "the gateway ended with {status}:\n{}", self.tail());
        }
        Ok(ended)
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Whether a process runs.
    pub fn runs(&mut self) -> Result<bool> {
        self.exited()?;
        Ok(self.child.is_some())
    }

    /// The admin socket's other end.
    pub fn client(&self) -> Client {
        Client::new(self.data_folder().join("admin.sock"))
    }

    /// Where platforms reach it, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where operators reach health and metrics.
    pub fn ops_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ops_port)
    }

    /// Database, slot file, socket.
    pub fn data_folder(&self) -> PathBuf {
        self.path("data")
    }

    /// Epoch keys.
    pub fn key_folder(&self) -> PathBuf {
        self.path("keys")
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.path("dragoman.toml")
    }

    /// Standard error of all lives.
    pub fn stderr_path(&self) -> PathBuf {
        self.path("stderr")
    }

    /// Everything that belongs to this gateway.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Lives so far.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    /// Runs a command of the binary against this gateway: status, standard output, standard error.
    pub fn command(&self, arguments: &[&str]) -> Result<(ExitStatus, String, String)> {
        let output = Command::new(executable()?)
            .arg("--config")
            .arg(self.config_path())
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status, text(&output.stdout), text(&output.stderr)))
    }

    /// The end of standard error, for failures.
    pub fn tail(&self) -> String {
        let text = fs::read(self.stderr_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // A failed test leaves no process behind.
        let _ = self.kill();
        if std::thread::panicking() || std::env::var_os("DRAGOMAN_KEEP").is_some() {
            // What it said is worth more than a tidy disk.
            self.folder.disable_cleanup(true);
            say(&format!("the gateway's folder is kept: {}", self.folder.path().display()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "what a failed test leaves behind is said where its failure is read")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// A port of this machine that nobody listens on, outside the range that the system gives away by itself: there it
/// might be somebody else's before it is used.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 300)? * 60;
    for _ in 0..1_000 {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 1_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("a thousand ports from {first} on are taken")
}

fn shown(path: &Path) -> toml::Value {
    path.display().to_string().into()
}

fn merge(into: &mut toml::Table, from: &toml::Table) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(more)) => merge(known, more),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The binary of this target directory, built where it is missing or `DRAGOMAN_BUILD` is set. `DRAGOMAN_BIN`
/// names another.
pub fn executable() -> Result<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow::anyhow!("{error}"))
}

fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("DRAGOMAN_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let folder = test.parent().context("the test lies in no target directory")?;
    // A test lies in `deps` below the folder of binaries, the benches lie among them.
    let folder = folder.parent().filter(|_| folder.ends_with("deps")).unwrap_or(folder);
    let path = folder.join("dragoman");
    if path.is_file() && std::env::var_os("DRAGOMAN_BUILD").is_none() {
        return Ok(path);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "-p", "dragoman-cli", "--bin", "dragoman"]);
    if folder.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    build.current_dir(env!("CARGO_MANIFEST_DIR"));
    ensure!(build.status()?.success(), "cargo build -p dragoman-cli failed");
    ensure!(path.is_file(), "{} was not built", path.display());
    File::open(&path)?;
    Ok(path)
}
