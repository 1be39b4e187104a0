//! SENDFILE, the floor of file throughput: nginx that sends a file to somebody who reads it, or a plain copy where
//! nginx is not installed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::clock;
use crate::nginx::{self, Process};

/// How much is read or copied at once.
const PIECE: usize = 256 << 10;
const NAME: &str = "file.bin";

/// A server of one file; ends with this value.
pub(crate) struct Sendfile {
    address: SocketAddr,
    /// Its name, for the report.
    pub(crate) name: &'static str,
    process: Option<Process>,
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
        let mut floor = match sending(folder, size) {
            Ok(floor) => floor,
            Err(_) => copy(&path, size)?,
        };
        nginx::listening(floor.name, floor.address, floor.process.as_mut()).await?;
        Ok(floor)
    }

    /// Its process, where it has one of its own.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
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

fn sending(folder: &Path, size: u64) -> Result<Sendfile> {
    let address = SocketAddr::from(([127, 0, 0, 1], e2e::free_port()?));
    let http = format!(
        "sendfile on; tcp_nopush on;\n\
         server {{ listen {address}; root {}; }}",
        folder.display()
    );
    let process = nginx::start(folder, "sendfile", 64, &http)?;
    Ok(Sendfile { address, name: "nginx with sendfile", process: Some(process), size })
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
    Ok(Sendfile { address, name: "a plain copy", process: None, size })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_whole_file_comes() {
        let folder = tempfile::tempdir().unwrap();
        let floor = Sendfile::start(folder.path(), 3 * PIECE as u64 + 1).await.unwrap();
        assert!(floor.read().unwrap() > 0.0);
        assert!(Sendfile { size: u64::MAX, ..copy(&folder.path().join(NAME), 0).unwrap() }.read().is_err());
    }
}
