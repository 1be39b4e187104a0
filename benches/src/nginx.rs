//! Floors that are processes of their own: nginx, where it is installed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail};

/// A process; ends with this value.
pub(crate) struct Process(Child);

impl Process {
    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts nginx with what `http` says and for so many connections. What it reads and writes is in `folder`, under this
/// name.
pub(crate) fn start(folder: &Path, name: &str, connections: u32, http: &str) -> Result<Process> {
    let shown = folder.display();
    let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {shown}/{kind};"))
        .collect();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; error_log stderr crit; pid {shown}/{name}.pid;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{ access_log off; {}\n{http} }}\n",
        temporary.join(" ")
    );
    let path = folder.join(format!("{name}.conf"));
    std::fs::write(&path, config)?;
    let child = Command::new("nginx")
        .args(["-p".as_ref(), folder.as_os_str(), "-c".as_ref(), path.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child.into())
}

/// Waits until a floor of this name takes connections; `process`: what it is, where that is a process of its own.
pub(crate) async fn listening(
    name: &str,
    address: SocketAddr,
    mut process: Option<&mut Process>,
) -> Result<()> {
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        if let Some(Process(child)) = &mut process
            && let Some(status) = child.try_wait()?
        {
            bail!("{name} ended at its start: {status}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("{name} does not listen")
}
