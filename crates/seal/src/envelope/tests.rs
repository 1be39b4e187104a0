use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use proptest::prelude::*;

use super::{COMMITMENT_LEN, HeaderWriter, Keys, Reader, TAG_LEN, Tampered, nonce, open, seal};

const KEY: [u8; 32] = [7; 32];
const SALT: [u8; 32] = [9; 32];

fn sealed(header: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    seal(&KEY, &SALT, header, plain, &mut body);
    body
}

#[test]
fn what_was_sealed_opens() {
    for plain in [&b""[..], b"a", &[0xff; 5000]] {
        let body = sealed(b"header", plain);
        assert_eq!(body.len(), COMMITMENT_LEN + plain.len() + TAG_LEN);
        assert_eq!(open(&KEY, &SALT, b"header", &body).map(|it| it.to_vec()), Ok(plain.to_vec()));
    }
}

#[test]
fn another_key_salt_or_header_does_not_open() {
    let body = sealed(b"header", b"plain");
    assert!(open(&[8; 32], &SALT, b"header", &body).is_err());
    assert!(open(&KEY, &[8; 32], b"header", &body).is_err());
    assert!(open(&KEY, &SALT, b"headers", &body).is_err());
    assert!(open(&KEY, &SALT, b"", &body).is_err());
}

/// Known answer, computed with an independent implementation of HKDF (RFC 5869) and AES-GCM. A change of the
/// format shows here.
#[test]
fn the_format_does_not_change_unnoticed() {
    assert_eq!(hex::encode(sealed(b"header", b"plain")), include_str!("known_answer.hex").trim_end());
}

#[test]
fn headers_with_shifted_borders_differ() {
    let one = HeaderWriter::new("ab", "c").finish();
    assert_ne!(one, HeaderWriter::new("a", "bc").finish());
    let mut reader = Reader(&one);
    assert_eq!((reader.format(), reader.text(), reader.text()), (Ok(()), Ok("ab"), Ok("c")));
    assert_eq!(reader.text(), Err(Tampered), "nothing is left");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_other_bytes_open(other in proptest::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(open(&KEY, &SALT, b"header", &other).is_err());
    }

    #[test]
    fn readers_take_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40), len in any::<usize>()) {
        let mut reader = Reader(&bytes);
        let _ = reader.format();
        let _ = reader.text();
        let _ = reader.array::<8>();
        let _ = reader.take(len);
        prop_assert!(reader.0.len() <= bytes.len());
    }
}

/// Multiplication in the field of GHASH (NIST SP 800-38D, 6.3), where the most significant bit is the lowest
/// power.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut z, mut v) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            z ^= v;
        }
        v = if v & 1 == 1 { v >> 1 ^ 0xe1 << 120 } else { v >> 1 };
    }
    z
}

fn power(x: u128, mut exponent: u128) -> u128 {
    let (mut result, mut base) = (1 << 127, x);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

fn invert(x: u128) -> u128 {
    // x^(2^128 - 2), by Fermat.
    power(x, u128::MAX - 1)
}

/// One block of raw AES-256.
fn aes(key: &[u8; 32], block: [u8; 16]) -> u128 {
    let key = UnboundCipherKey::new(&AES_256, key).expect("32 bytes");
    let mut zeroes = [0; 16];
    EncryptingKey::ctr(key)
        .and_then(|it| it.less_safe_encrypt(&mut zeroes, EncryptionContext::Iv128(block.into())))
        .expect("encrypting one block");
    u128::from_be_bytes(zeroes)
}

/// One GCM cipher text with one tag that opens under two keys: the attack that a commitment is for ("How to
/// Abuse and Fix Authenticated Encryption Without Key Commitment", Albertini and others, 2022).
fn two_key_cipher_text(keys: [&[u8; 32]; 2], header: &[u8]) -> Vec<u8> {
    assert!(header.len() <= 16);
    let mut padded = [0; 16];
    padded[..header.len()].copy_from_slice(header);
    let associated = u128::from_be_bytes(padded);
    // Two blocks: the first free, the second solves GHASH(k1) = GHASH(k2).
    let first = 0x1234_5678_u128;
    let lengths = ((header.len() as u128 * 8) << 64) | (32 * 8);
    let mut counter = [0; 16];
    counter[15] = 1;
    let halves = keys.map(|key| {
        let h = aes(key, [0; 16]);
        let fixed = multiply(associated, power(h, 4))
            ^ multiply(first, power(h, 3))
            ^ multiply(lengths, h)
            ^ aes(key, counter);
        (power(h, 2), fixed)
    });
    let second = multiply(halves[0].1 ^ halves[1].1, invert(halves[0].0 ^ halves[1].0));
    let tag = multiply(second, halves[0].0) ^ halves[0].1;
    [first, second, tag].into_iter().flat_map(u128::to_be_bytes).collect()
}

fn plain_gcm_opens(key: &[u8; 32], header: &[u8], cipher_text: &[u8]) -> bool {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"));
    key.open_in_place(nonce(), Aad::from(header), &mut cipher_text.to_vec()).is_ok()
}

#[test]
fn a_cipher_text_for_two_keys_is_rejected() {
    for round in 0..32_u8 {
        let header = b"header";
        // The attacker knows both epoch keys and chooses both salts.
        let sides = [(KEY, [round; 32]), ([round; 32], SALT)];
        let keys = sides.map(|(key, salt)| Keys::new(&key, &salt, header));
        let enc = [0, 1].map(|side: usize| keys[side].0[..32].try_into().expect("32 bytes"));
        let crafted = two_key_cipher_text([&enc[0], &enc[1]], header);
        assert!(
            enc.iter().all(|key| plain_gcm_opens(key, header, &crafted)),
            "the attack works on GCM alone"
        );
        let mixed: Vec<u8> =
            keys[0].commitment()[..16].iter().chain(&keys[1].commitment()[16..]).copied().collect();
        for commitment in [keys[0].commitment(), keys[1].commitment(), &mixed, &[0; 32]] {
            let record = [commitment, &crafted].concat();
            let opens = sides.iter().filter(|(key, salt)| open(key, salt, header, &record).is_ok()).count();
            assert!(opens <= 1, "one record must not have two readings");
            assert_eq!(opens == 1, keys.iter().any(|key| key.commitment() == commitment));
        }
    }
}
