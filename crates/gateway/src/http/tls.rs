//! TLS with the operator's own certificate, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::aws_lc_rs::digest::{SHA256, digest};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where certificate chain and key are, as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why TLS cannot be offered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(
        "{path} cannot be read ({cause}); check listen.certificate and listen.private_key, and who may read the files"
    )]
    File {
        /// Which.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// A file holds something else.
    #[error("{path} holds no usable PEM {what}; give {what} as PEM")]
    Content {
        /// Which.
        path: String,
        /// What should be in it.
        what: &'static str,
    },
    /// They do not belong together, or the key is of a kind that cannot be used.
    #[error(
        "certificate and key cannot be used together ({0}); give the key that belongs to the certificate"
    )]
    Pair(String),
}

/// TLS for a listener. Clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
    read: Arc<ArcSwap<Vec<u8>>>,
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Reads the files.
    pub async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let crypto = Arc::new(provider::default_provider());
        let (key, read) = load(&files, &crypto).await?;
        let current = Arc::new(Current(ArcSwap::from_pointee(key)));
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Pair(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { files, current, acceptor, read: Arc::new(ArcSwap::from_pointee(read)) })
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Looks at the files now; a pair that is half written is looked at again later. Whether it changed.
    pub async fn reload(&self) -> Result<bool, TlsError> {
        let (key, read) = load(&self.files, &provider::default_provider()).await?;
        if **self.read.load() == read {
            return Ok(false);
        }
        self.current.0.store(Arc::new(key));
        self.read.store(Arc::new(read));
        Ok(true)
    }

    /// Follows the files until cancelled.
    pub(super) async fn follow(self, stop: CancellationToken) {
        let mut told = false;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            match self.reload().await {
                Ok(changed) => {
                    told = false;
                    if changed {
                        tracing::info!("the certificate was read again");
                    }
                }
                Err(error) if !told => {
                    told = true;
                    tracing::warn!(%error, "the certificate changed but cannot be used; the old one stays");
                }
                Err(_) => {}
            }
        }
    }
}

/// The pair, and a digest of both files.
async fn load(files: &TlsFiles, crypto: &CryptoProvider) -> Result<(CertifiedKey, Vec<u8>), TlsError> {
    let chain_pem = file(&files.certificate).await?;
    let key_pem = zeroing(file(&files.key).await?);
    let content = |path: &Path, what| TlsError::Content { path: path.display().to_string(), what };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<_, _>>()
        .map_err(|_| content(&files.certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(content(&files.certificate, "certificate"));
    }
    let key =
        PrivateKeyDer::from_pem_slice(key_pem.expose()).map_err(|_| content(&files.key, "private key"))?;
    let mut read = digest(&SHA256, &chain_pem).as_ref().to_vec();
    read.extend_from_slice(digest(&SHA256, key_pem.expose()).as_ref());
    let pair =
        CertifiedKey::from_der(chain, key, crypto).map_err(|error| TlsError::Pair(error.to_string()))?;
    Ok((pair, read))
}

async fn file(path: &Path) -> Result<Vec<u8>, TlsError> {
    let fault =
        |cause: std::io::Error| TlsError::File { path: path.display().to_string(), cause: cause.to_string() };
    tokio::fs::read(path).await.map_err(fault)
}

fn zeroing(bytes: Vec<u8>) -> dragoman_seal::Content {
    dragoman_seal::Content::new(bytes)
}
