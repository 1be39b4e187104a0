//! The encryption of rich change notifications, and the certificate that it is made for. Pure.
//!
//! Source: "Set up change notifications that include resource data: decrypting resource data".

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dragoman_seal::{Content, Token};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::wire::notification::Encrypted;

/// Longest certificate lifetime that is made, in days.
const LIFETIME_DAYS: i64 = 3650;

/// Why an item cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unreadable {
    /// Our own key is missing or broken.
    Key,
    /// The item is not what the platform sends.
    Malformed,
    /// The key of the item does not open, or its signature does not fit.
    Forged,
}

/// An item whose key was opened and whose signature fits.
pub(crate) struct Authentic {
    key: Vec<u8>,
    data: Vec<u8>,
}

impl Drop for Authentic {
    fn drop(&mut self) {
        // The allocator overwrites what it frees; this holds in tests too.
        self.key.fill(0);
    }
}

/// Opens the item's key and checks its signature.
pub(crate) fn authenticate(item: &Encrypted, private_key: &Token) -> Result<Authentic, Unreadable> {
    let der =
        PrivatePkcs8KeyDer::from_pem_slice(private_key.expose().as_bytes()).map_err(|_| Unreadable::Key)?;
    let rsa = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| Unreadable::Key)?;
    let rsa = OaepPrivateDecryptingKey::new(rsa).map_err(|_| Unreadable::Key)?;
    let wrapped = decode(&item.data_key)?;
    let data = decode(&item.data)?;
    let signature = decode(&item.data_signature)?;
    let mut room = vec![0; rsa.min_output_size()];
    let key =
        rsa.decrypt(&OAEP_SHA1_MGF1SHA1, &wrapped, &mut room, None).map_err(|_| Unreadable::Forged)?.to_vec();
    room.fill(0);
    let authentic = Authentic { key, data };
    if authentic.key.len() != 32 {
        return Err(Unreadable::Forged);
    }
    let mac = hmac::Key::new(hmac::HMAC_SHA256, &authentic.key);
    hmac::verify(&mac, &authentic.data, &signature).map_err(|_| Unreadable::Forged)?;
    Ok(authentic)
}

impl Authentic {
    /// Decrypts.
    pub(crate) fn open(mut self) -> Result<Content, Unreadable> {
        let iv: [u8; 16] = self.key[..16].try_into().map_err(|_| Unreadable::Malformed)?;
        let cipher = UnboundCipherKey::new(&AES_256, &self.key)
            .and_then(PaddedBlockDecryptingKey::cbc_pkcs7)
            .map_err(|_| Unreadable::Malformed)?;
        let mut data = std::mem::take(&mut self.data);
        let length = cipher
            .decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(iv)))
            .map_err(|_| Unreadable::Malformed)?
            .len();
        data.truncate(length);
        Ok(Content::new(data))
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Unreadable> {
    if text.is_empty() {
        return Err(Unreadable::Malformed);
    }
    BASE64_STANDARD.decode(text).map_err(|_| Unreadable::Malformed)
}

/// A certificate for encrypted notifications.
pub(crate) struct Made {
    /// Its name, from its own digest.
    pub(crate) id: String,
    /// The public part.
    pub(crate) certificate_pem: String,
    /// The private key.
    pub(crate) key_pem: Token,
}

/// Makes a self-signed certificate with a fresh RSA key of 2048 bits; Graph checks no issuer.
pub(crate) fn make_certificate(now_ms: i64) -> Result<Made, rcgen::Error> {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Dragoman change notifications");
    let (from, until) = (day(now_ms, -1), day(now_ms, LIFETIME_DAYS));
    params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let certificate = params.self_signed(&key)?;
    let id = hex::encode(&digest::digest(&digest::SHA256, certificate.der()).as_ref()[..16]);
    Ok(Made { id, certificate_pem: certificate.pem(), key_pem: Token::new(key.serialize_pem()) })
}

fn day(now_ms: i64, days: i64) -> (i32, u8, u8) {
    let time = jiff::Timestamp::from_millisecond(now_ms + days * 86_400_000)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(jiff::tz::TimeZone::UTC);
    (i32::from(time.year()), time.month().unsigned_abs(), time.day().unsigned_abs())
}

/// The certificate as Graph wants it: base64 of DER.
pub(crate) fn certificate_for_graph(pem: &str) -> Option<String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok().map(|der| BASE64_STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_certificate_opens_what_is_encrypted_for_it() {
        use aws_lc_rs::cipher::{EncryptionContext, PaddedBlockEncryptingKey};
        use aws_lc_rs::encoding::AsDer as _;
        use aws_lc_rs::rsa::OaepPublicEncryptingKey;

        let made = make_certificate(1_767_470_596_307).unwrap();
        assert!(certificate_for_graph(&made.certificate_pem).is_some());
        let der = PrivatePkcs8KeyDer::from_pem_slice(made.key_pem.expose().as_bytes()).unwrap();
        let private = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let public = OaepPublicEncryptingKey::new(private.public_key()).unwrap();
        let _ = private.public_key().as_der();
        let key = [7_u8; 32];
        let mut wrapped = vec![0; public.ciphertext_size()];
        let wrapped = public.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None).unwrap();
        let mut data = b"{\"id\":\"1\"}".to_vec();
        let cipher =
            PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &key).unwrap()).unwrap();
        let iv: [u8; 16] = key[..16].try_into().unwrap();
        cipher.less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from(iv))).unwrap();
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &data);
        let mut item = Encrypted {
            data: BASE64_STANDARD.encode(&data),
            data_signature: BASE64_STANDARD.encode(signature),
            data_key: BASE64_STANDARD.encode(wrapped),
            encryption_certificate_id: made.id.clone(),
        };
        let plain = authenticate(&item, &made.key_pem).unwrap().open().unwrap();
        assert_eq!(plain.expose(), b"{\"id\":\"1\"}");

        data[0] ^= 1;
        item.data = BASE64_STANDARD.encode(&data);
        assert!(authenticate(&item, &made.key_pem).is_err_and(|it| it == Unreadable::Forged));
        item.data_signature.clear();
        assert!(authenticate(&item, &made.key_pem).is_err_and(|it| it == Unreadable::Malformed));
        let other = make_certificate(0).unwrap();
        assert!(authenticate(&item, &other.key_pem).is_err());
    }

    /// The published vector: every step agrees with Microsoft's.
    #[test]
    fn the_published_vector_opens() {
        let Some(folder) = dragoman_testkit::payloads() else { return };
        let path = folder.join("teams/crypto/encrypted-notification-vector.json");
        let vector: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let item: Encrypted = serde_json::from_value(vector["encryptedContent"].clone()).unwrap();
        let key = Token::new(vector["privateKeyPkcs8Pem"].as_str().unwrap().to_owned());
        let authentic = authenticate(&item, &key).unwrap_or_else(|why| panic!("{why:?}"));
        let expected = &vector["expected"];
        assert_eq!(BASE64_STANDARD.encode(&authentic.key), expected["symmetricKeyBase64"].as_str().unwrap());
        let plain = authentic.open().unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!(plain.expose(), expected["plaintextUtf8"].as_str().unwrap().as_bytes());
    }
}
