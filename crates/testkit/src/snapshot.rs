//! What snapshots hold in place of content.

use aws_lc_rs::digest as sha;

/// The first 16 hexadecimal digits of the SHA-256 of the bytes.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(&sha::digest(&sha::SHA256, bytes).as_ref()[..8])
}
