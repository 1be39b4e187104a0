//! An HTTP proxy that knows the way to simulators only: `CONNECT` to a name of its table leads to the simulator
//! that plays it, everything else is refused. So a client with fixed hosts can be pointed here, and whatever it
//! calls by mistake does not leave the machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::net::BoxIo;
use super::world::{Tasks, World};

/// The longest request head, in bytes.
const HEAD_CAP: usize = 16 * 1024;

/// Host names with the simulators that play them. `*.name` stands for every name below `name`.
#[derive(Debug, Clone, Default)]
pub struct HostTable(Vec<(String, SocketAddr)>);

impl HostTable {
    /// Adds names that lead to an address.
    pub fn add<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, address: SocketAddr) {
        self.0.extend(names.into_iter().map(|name| (name.to_ascii_lowercase(), address)));
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Where a name leads: one that is there itself goes before a pattern.
    pub fn find(&self, host: &str) -> Option<SocketAddr> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let below = |pattern: &str| {
            pattern.strip_prefix('*').is_some_and(|end| host.len() > end.len() && host.ends_with(end))
        };
        let exact = self.0.iter().find(|(name, _)| *name == host);
        exact.or_else(|| self.0.iter().find(|(name, _)| below(name))).map(|(_, address)| *address)
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
}

impl Proxy {
    /// Listens and serves until `tasks` is shut down.
    ///
    /// # Errors
    /// When the address is not a loopback one or is taken.
    pub async fn start(
        world: &Arc<World>,
        tasks: &Tasks,
        listen: SocketAddr,
        hosts: HostTable,
    ) -> anyhow::Result<Self> {
        let mut listener =
            world.net.listen(listen).await.with_context(|| format!("the proxy cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let (world, hosts, connections) = (Arc::clone(world), Arc::new(hosts), tasks.clone());
        tasks.spawn(async move {
            loop {
                let Ok((stream, _peer)) = listener.accept().await else {
                    // Out of descriptors, most likely: others must close first.
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                };
                let (world, hosts) = (Arc::clone(&world), Arc::clone(&hosts));
                connections.spawn(async move {
                    if let Err(error) = serve(stream, &world, &hosts).await {
                        tracing::debug!(%error, "a connection to the proxy ended early");
                    }
                });
            }
        });
        Ok(Self { address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `HTTPS_PROXY` takes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(mut client: BoxIo, world: &World, hosts: &HostTable) -> std::io::Result<()> {
    let Some((head, rest)) = read_head(&mut client).await? else { return Ok(()) };
    let target = match target(&head) {
        Ok(target) => target,
        Err(refusal) => return answer(&mut client, refusal).await,
    };
    let known = hosts.find(&target.0).map(|address| (address.ip().to_string(), address.port()));
    let Some((host, port)) = known.or_else(|| is_here(&target.0).then_some(target)) else {
        return answer(&mut client, "403 Forbidden").await;
    };
    let Ok(mut simulator) = world.net.connect(&host, port).await else {
        return answer(&mut client, "502 Bad Gateway").await;
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    simulator.write_all(&rest).await?;
    tokio::io::copy_bidirectional(&mut client, &mut simulator).await?;
    Ok(())
}

/// The head of the request, and what the client sent after it without waiting. `None`: it went away.
async fn read_head(client: &mut BoxIo) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&read).into_owned(), rest)));
        }
        if read.len() > HEAD_CAP || client.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
}

/// Host and port that are asked for, or the status of the refusal.
fn target(head: &str) -> Result<(String, u16), &'static str> {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, authority) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !method.eq_ignore_ascii_case("CONNECT") {
        // Real services are reached with https only.
        return Err("405 Method Not Allowed");
    }
    let (host, port) = authority.rsplit_once(':').ok_or("400 Bad Request")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port.parse().map_err(|_| "400 Bad Request")?;
    if host.is_empty() { Err("400 Bad Request") } else { Ok((host.to_owned(), port)) }
}

/// Whether a host is this machine, whose servers may be reached as they are.
fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

async fn answer(client: &mut BoxIo, status: &str) -> std::io::Result<()> {
    let text = "This proxy leads to simulators only, by CONNECT to the names that they play.\n";
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_where_the_table_says() {
        let (one, two) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2)));
        let mut table = HostTable::default();
        table.add(["chat.example", "*.chat.example"], one);
        table.add(["files.chat.example"], two);
        for (host, wanted) in [
            ("chat.example", Some(one)),
            ("CHAT.example.", Some(one)),
            ("a.b.chat.example", Some(one)),
            ("files.chat.example", Some(two)),
            ("notchat.example", None),
            (".chat.example", None),
            ("example", None),
            ("", None),
        ] {
            assert_eq!(table.find(host), wanted, "{host}");
        }
    }

    #[test]
    fn only_connect_with_host_and_port_is_understood() {
        assert_eq!(target("CONNECT chat.example:443 HTTP/1.1\r\n\r\n"), Ok(("chat.example".to_owned(), 443)));
        assert_eq!(target("connect [::1]:8443 HTTP/1.1\r\n"), Ok(("::1".to_owned(), 8443)));
        for wrong in
            ["CONNECT chat.example HTTP/1.1", "CONNECT :443 HTTP/1.1", "CONNECT a:99999 HTTP/1.1", "CONNECT"]
        {
            assert_eq!(target(wrong), Err("400 Bad Request"), "{wrong}");
        }
        assert_eq!(target("GET http://chat.example/ HTTP/1.1"), Err("405 Method Not Allowed"));
        assert!(is_here("localhost") && is_here("127.0.0.9") && is_here("::1"));
        assert!(!is_here("chat.example") && !is_here("10.0.0.1"));
    }
}
