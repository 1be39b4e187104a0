//! The HTTP client that all connectors share: address guard, proxy, certificates, timeouts, caps.

pub mod address;
mod client;
mod connect;
mod dial;
mod error;
mod exchange;
mod retry_after;
mod settings;
mod tls;
mod transfer;

pub use client::HttpClient;
pub use dial::{Dialer, Reach, Stream, TcpDialer};
pub use error::{AddressBlocked, ConnectFault, HttpError, LostFault, SetupError};
pub use exchange::{Hosts, HttpRequest, HttpResponse};
pub use retry_after::retry_after_ms;
pub use settings::{HttpSettings, Proxy};
pub use transfer::{HttpStreamed, Multipart, Upload};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod transfer_tests;
