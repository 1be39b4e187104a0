//! Settings of the client.

use std::time::Duration;

use base64::Engine as _;
use url::Url;

use super::error::SetupError;

/// Settings of a client; connectors share one.
#[derive(Clone)]
pub struct HttpSettings {
    /// Name resolution, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// From the call to the last byte of the answer, unless the request says otherwise.
    pub total_timeout: Duration,
    /// The largest answer in bytes, unless the request says otherwise.
    pub body_cap: usize,
    /// The operator's proxy.
    pub proxy: Option<Proxy>,
    /// More certificate authorities, as PEM.
    pub extra_ca: Option<Vec<u8>>,
    /// Whether plain HTTP and private addresses are allowed: simulators on this machine, never production.
    pub allow_private: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(30),
            body_cap: 4 << 20,
            proxy: None,
            extra_ca: None,
            allow_private: false,
        }
    }
}

/// An HTTP proxy that is asked to `CONNECT`.
#[derive(Clone)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) authorization: Option<String>,
    pub(super) exceptions: Vec<String>,
}

impl Proxy {
    /// Reads `http://[user:password@]host:port`. `exceptions` are hosts that are reached directly: exact
    /// names, or `.example.com` for everything below.
    pub fn parse(url: &str, exceptions: Vec<String>) -> Result<Self, SetupError> {
        let url = Url::parse(url).map_err(|_| SetupError::Proxy)?;
        let host = url.host_str().ok_or(SetupError::Proxy)?.to_owned();
        if url.scheme() != "http" {
            return Err(SetupError::Proxy);
        }
        let decode = |part: &str| {
            percent_encoding::percent_decode_str(part)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| SetupError::Proxy)
        };
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let pair = format!("{}:{}", decode(user)?, decode(password.unwrap_or(""))?);
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
            }
        };
        let exceptions = exceptions.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(Self { host, port: url.port_or_known_default().unwrap_or(80), authorization, exceptions })
    }

    /// Whether this host is reached through the proxy.
    pub(super) fn serves(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        !self.exceptions.iter().any(|exception| {
            exception
                .strip_prefix('.')
                .map_or(host == *exception, |parent| host == parent || host.ends_with(exception.as_str()))
        })
    }
}
