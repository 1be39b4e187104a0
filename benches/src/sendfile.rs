//! SENDFILE, the floor of file throughput: nginx that sends a file to somebody who reads it, or a plain copy where
//! nginx is not installed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::clock;

/// How much is read or copied at once.
const PIECE: usize = 256 << 10;
const NAME: &str = "file.bin";

/// A server of one file; ends with this value.
pub(crate) struct Sendfile {
    address: SocketAddr,
    /// Its name, for the report.
    pub(crate) name: &'static str,
    child: Option<Child>,
    size: u64,
}

impl Sendfile {
    /// Starts it with a file of `size` bytes in `folder`.
    pub(crate) async fn start(folder: &Path, size: u64) -> Result<Self> {
        let path = folder.join(NAME);
        let mut file = File::create(&path)?;
        let piece = vec![b'x'; PIECE];
        let mut left = size;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            file.write_all(&piece[..count])?;
            left -= count as u64;
        }
        let mut floor = match nginx(folder, size) {
            Ok(floor) => floor,
            Err(_) => copy(&path, size)?,
        };
        for _ in 0..200 {
            if TcpStream::connect(floor.address).is_ok() {
                return Ok(floor);
            }
            if let Some(status) = floor.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                bail!("{} ended at its start: {status}", floor.name);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("{} does not listen", floor.name)
    }

    /// Its process, where it has one of its own.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Reads the file once; how long that took, in seconds.
    pub(crate) fn read(&self) -> Result<f64> {
        let mut stream = TcpStream::connect(self.address)?;
        let began = clock::now();
        stream
            .write_all(format!("GET /{NAME} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut buffer = vec![0; PIECE];
        let mut bytes = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                count => bytes += count as u64,
            }
        }
        ensure!(bytes > self.size, "{} sent {bytes} bytes only", self.name);
        Ok(clock::us_since(began) / 1e6)
    }
}

impl Drop for Sendfile {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn nginx(folder: &Path, size: u64) -> Result<Sendfile> {
    let address = SocketAddr::from(([127, 0, 0, 1], e2e::free_port()?));
    let shown = folder.display();
    let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {shown}/{kind};"))
        .collect();
    let config = format!(
        "daemon off; master_process off; worker_processes 1; error_log stderr crit; pid {shown}/sendfile.pid;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; {}\n\
         server {{ listen {address}; root {shown}; }} }}\n",
        temporary.join(" ")
    );
    let path = folder.join("sendfile.conf");
    std::fs::write(&path, config)?;
    let child = Command::new("nginx")
        .args(["-p".as_ref(), folder.as_os_str(), "-c".as_ref(), path.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Sendfile { address, name: "nginx with sendfile", child: Some(child), size })
}

/// A thread that copies the file into every connection.
fn copy(path: &Path, size: u64) -> Result<Sendfile> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let path = path.to_owned();
    std::thread::Builder::new().name("copy".to_owned()).spawn(move || {
        for stream in listener.incoming() {
            // How a connection ends is its client's affair.
            let _ = stream.map_err(anyhow::Error::from).and_then(|stream| send(stream, &path));
        }
    })?;
    Ok(Sendfile { address, name: "a plain copy", child: None, size })
}

fn send(mut stream: TcpStream, path: &Path) -> Result<()> {
    let mut buffer = vec![0; PIECE];
    let asked = stream.read(&mut buffer)?;
    ensure!(asked > 0, "nobody asked");
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let mut file = File::open(path).context("the file is gone")?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}
