//! PROXY, the floor of CPU time: nginx where it is installed, else a reverse proxy of a hundred lines.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::nginx::{self, Process};

/// A running proxy; ends with this value.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its name, for the report.
    pub(crate) name: &'static str,
    process: Process,
}

impl Proxy {
    /// Starts one in front of `upstream`. `folder` takes what nginx wants to write.
    pub(crate) async fn start(folder: &Path, upstream: SocketAddr) -> Result<Self> {
        let mut proxy = match passing(folder, upstream) {
            Ok(proxy) => proxy,
            Err(_) => ours(upstream)?,
        };
        nginx::listening(proxy.name, proxy.address, Some(&mut proxy.process)).await?;
        Ok(proxy)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

fn passing(folder: &Path, upstream: SocketAddr) -> Result<Proxy> {
    let address = SocketAddr::from(([127, 0, 0, 1], e2e::free_port()?));
    let http = format!(
        "keepalive_requests 100000000;\n\
         upstream target {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://target; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; }} }}"
    );
    let process = nginx::start(folder, "proxy", 1024, &http)?;
    Ok(Proxy { address, name: "nginx", process })
}

fn ours(upstream: SocketAddr) -> Result<Proxy> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--proxy", &upstream.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take();
    let process = Process::from(child);
    let mut line = String::new();
    if let Some(output) = output {
        BufReader::new(output).read_line(&mut line)?;
    }
    let address = line.trim().parse().context("the proxy did not say where it listens")?;
    Ok(Proxy { address, name: "a hyper reverse proxy", process })
}

/// Is the proxy, until killed. Says on standard output where it listens.
pub(crate) async fn serve(upstream: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    crate::report::line(&listener.local_addr()?.to_string());
    let client =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(128).build_http::<Full<Bytes>>();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let client = client.clone();
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let client = client.clone();
                async move {
                    let passed = async {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let mut asked = Request::new(Full::new(body));
                        *asked.method_mut() = head.method;
                        *asked.uri_mut() = format!("http://{upstream}{}", head.uri.path()).parse()?;
                        *asked.headers_mut() = head.headers;
                        let (head, body) = client.request(asked).await?.into_parts();
                        let body = body.collect().await?.to_bytes();
                        anyhow::Ok(Response::from_parts(head, Full::new(body)))
                    };
                    Ok::<_, Infallible>(passed.await.unwrap_or_else(|_| {
                        let mut answer = Response::new(Full::new(Bytes::new()));
                        *answer.status_mut() = StatusCode::BAD_GATEWAY;
                        answer
                    }))
                }
            });
            // How a connection ends is its client's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}
