//! The HTTP server: listeners, TLS, limits, admission, shutdown. It knows nothing of what is served.

mod connection;
mod listener;
mod message;
mod peer;
mod server;
mod tls;

pub use listener::{Listener, Tcp, Unix};
pub use message::{Answer, Body, Handler, Request, body, respond, unavailable};
pub use peer::{Peer, ProxyError, TrustedProxies};
pub use server::{Limits, Meter, Server};
pub use tls::{Tls, TlsError, TlsFiles};
