//! The seam to whatever holds the root key.

use async_trait::async_trait;
use dragoman_model::OrgId;

use crate::secret::Key32;

/// Holds the root key and wraps organisations' keys with it. The local key file is one; cloud services and
/// hardware are others. A wrapped key opens for the organisation it was wrapped for only.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// What it is, for the operator: `local key file`.
    fn name(&self) -> &'static str;

    /// Wraps an organisation's key under the newest root key.
    async fn wrap(&self, org: &OrgId, key: &Key32) -> Result<Vec<u8>, KeyServiceError>;

    /// Unwraps an organisation's key, under whichever root key it was wrapped with.
    async fn unwrap(&self, org: &OrgId, wrapped: &[u8]) -> Result<Key32, KeyServiceError>;

    /// Whether `wrapped` is under the newest root key. Others are to be wrapped again before the old root key
    /// goes.
    fn is_current(&self, wrapped: &[u8]) -> bool;
}

/// What a key service may answer instead of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyServiceError {
    /// It did not answer. Worth trying again.
    #[error("the key service ({service}) does not answer: {reason}")]
    Unavailable {
        /// Its name.
        service: &'static str,
        /// The cause, without secrets.
        reason: String,
    },
    /// It refused. Trying again changes nothing.
    #[error("the key service ({service}) refuses: {reason}")]
    Refused {
        /// Its name.
        service: &'static str,
        /// The cause, without secrets.
        reason: String,
    },
    /// The key was wrapped with a root key that is not there.
    #[error(
        "the key of organisation {org} was wrapped with root key {key_id}, which is not in the key file; \
         put back the key file that the organisation was made with"
    )]
    UnknownRootKey {
        /// Whose key it is.
        org: OrgId,
        /// The root key that is missing.
        key_id: String,
    },
    /// The wrapped key was altered or belongs to another organisation.
    #[error(
        "the wrapped key of organisation {org} does not open: it was altered or belongs to another organisation"
    )]
    Tampered {
        /// Whose key it should be.
        org: OrgId,
    },
}
