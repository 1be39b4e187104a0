//! RSA keys and JSON web tokens of the two issuers: Entra (login) and the Bot Framework.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// One signing key.
pub(super) struct SigningKey {
    /// Key id in headers and key sets.
    pub kid: String,
    pair: KeyPair,
    n: String,
    e: String,
    endorsements: Option<Vec<String>>,
}

impl SigningKey {
    /// A fresh RSA-2048 key. `endorsements` are the channels that a Bot Framework key speaks for.
    pub(super) fn generate(endorsements: Option<Vec<String>>) -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let der = pair.public_key().as_ref().to_vec();
        let (n, e) = modulus_and_exponent(&der)
            .ok_or_else(|| anyhow::anyhow!("the public key is not an RSAPublicKey structure"))?;
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der));
        Ok(Self { kid, pair, n, e, endorsements })
    }

    /// A signed token. `kid` overrides the header's key id.
    pub(super) fn sign(&self, claims: &Value, kid: Option<&str>) -> String {
        let kid = kid.unwrap_or(&self.kid);
        let header = json!({"typ": "JWT", "alg": "RS256", "x5t": kid, "kid": kid});
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        // Signing fails only when the buffer has the wrong length.
        let _ = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature);
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn jwk(&self) -> Value {
        let mut jwk =
            json!({"kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid, "n": self.n, "e": self.e});
        if let Some(endorsements) = &self.endorsements {
            jwk["endorsements"] = json!(endorsements);
        }
        jwk
    }
}

/// The keys of one issuer.
pub(super) struct KeySet {
    endorsements: Option<Vec<String>>,
    published: Vec<SigningKey>,
}

impl KeySet {
    /// A set with one key.
    pub(super) fn new(endorsements: Option<Vec<String>>) -> anyhow::Result<Self> {
        let first = SigningKey::generate(endorsements.clone())?;
        Ok(Self { endorsements, published: vec![first] })
    }

    /// Signs with the newest key.
    pub(super) fn sign(&self, claims: &Value, kid: Option<&str>) -> String {
        self.published.last().map(|k| k.sign(claims, kid)).unwrap_or_default()
    }

    /// Adds a key that signs from now on; the older ones stay published when `keep` is true.
    pub(super) fn rotate(&mut self, keep: bool) -> anyhow::Result<()> {
        let key = SigningKey::generate(self.endorsements.clone())?;
        if !keep {
            self.published.clear();
        }
        self.published.push(key);
        Ok(())
    }

    /// Changes the channels that all keys speak for.
    pub(super) fn endorse(&mut self, endorsements: &[&str]) {
        let list = Some(endorsements.iter().map(ToString::to_string).collect::<Vec<_>>());
        self.endorsements.clone_from(&list);
        for k in &mut self.published {
            k.endorsements.clone_from(&list);
        }
    }

    /// The JWKS document.
    pub(super) fn jwks(&self) -> Value {
        json!({"keys": self.published.iter().map(SigningKey::jwk).collect::<Vec<_>>()})
    }
}

/// Reads `n` and `e` (base64url) out of an `RSAPublicKey` (RFC 8017, A.1.1), also when it is wrapped in a
/// `SubjectPublicKeyInfo`.
fn modulus_and_exponent(der: &[u8]) -> Option<(String, String)> {
    let (tag, body, _) = tlv(der)?;
    (tag == 0x30).then_some(())?;
    let (tag, first, rest) = tlv(body)?;
    if tag == 0x30 {
        let (tag, bits, _) = tlv(rest)?;
        (tag == 0x03).then_some(())?;
        return modulus_and_exponent(bits.get(1..)?);
    }
    let (_, second, _) = tlv(rest)?;
    let plain = |b: &[u8]| {
        let zeros = b.iter().take_while(|x| **x == 0).count();
        URL_SAFE_NO_PAD.encode(&b[zeros..])
    };
    Some((plain(first), plain(second)))
}

/// Splits one DER value: tag, content, what follows.
fn tlv(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&len, rest) = rest.split_first()?;
    let (len, rest) = if len < 0x80 {
        (usize::from(len), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(len & 0x7f))?;
        (bytes.iter().fold(0, |n, b| (n << 8) | usize::from(*b)), rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// Checks a client assertion against the app's certificates (PEM): signature (RS256 or PS256), `iss` and `sub`
/// equal to the app, not expired.
pub(super) fn assertion_holds(jwt: &str, app: &str, certificates: &[String], now_s: u64) -> bool {
    let mut parts = jwt.splitn(3, '.');
    let (Some(header), Some(body), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let decode = |s: &str| URL_SAFE_NO_PAD.decode(s).ok();
    let Some(header) = decode(header).and_then(|h| serde_json::from_slice::<Value>(&h).ok()) else {
        return false;
    };
    let Some(signature) = decode(signature) else { return false };
    let Some(c) = decode(body).and_then(|c| serde_json::from_slice::<Value>(&c).ok()) else { return false };
    if c["iss"] != app || c["sub"] != app || c["exp"].as_u64().is_none_or(|e| e < now_s) {
        return false;
    }
    let signed = &jwt.as_bytes()[..jwt.rfind('.').unwrap_or(0)];
    certificates.iter().any(|pem| {
        let Some(spki) = certificate(pem).and_then(|der| public_key(&der)) else { return false };
        match header["alg"].as_str() {
            Some("RS256") => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki).verify(signed, &signature).is_ok()
            }
            Some("PS256") => {
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, spki).verify(signed, &signature).is_ok()
            }
            _ => false,
        }
    })
}

/// DER of a certificate given as PEM or as base64 of DER.
pub(super) fn certificate(text: &str) -> Option<Vec<u8>> {
    let body: String =
        text.lines().filter(|l| !l.starts_with("-----")).collect::<String>().split_whitespace().collect();
    STANDARD.decode(body).ok().filter(|d| !d.is_empty())
}

/// The public key (`SubjectPublicKeyInfo`, DER) of a certificate.
pub(super) fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.public_key().raw.to_vec())
}

/// The thumbprint of a certificate: SHA-1 in upper-case hexadecimal.
pub(super) fn thumbprint(der: &[u8]) -> String {
    hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, der))
}
