//! Types for bytes that must not be printed, stored or copied by accident.
//!
//! None of them has `Debug`, `Display`, `Serialize` or `Clone`; what is inside is reached only through
//! `expose`, a word that a reviewer can search for. All of them overwrite their bytes when dropped.

use dragoman_model::Random;
use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

use crate::locked::Place;

/// Bytes of a message, a file part or an event as a platform sent it.
pub struct Content(Zeroizing<Vec<u8>>);

impl Content {
    /// Takes the bytes over without copying them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Copies bytes that somebody else keeps, such as a body buffer of the HTTP stack.
    pub fn copied_from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }

    /// The bytes. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are. Sizes are not secret.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A second copy, on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::copied_from(self.expose())
    }
}

/// Text of a message, a name or another piece of content.
pub struct ContentString(Zeroizing<String>);

impl ContentString {
    /// Takes the text over without copying it.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A second copy, on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(self.expose().to_owned())
    }
}

impl<'de> Deserialize<'de> for ContentString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A secret in text form: an access token, a signing secret, a client secret, a passphrase.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes the text over without copying it.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret. Whoever calls this answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A second copy, on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(self.expose().to_owned())
    }

    /// Whether `other` is the same secret, in time that depends on the lengths only.
    pub fn matches(&self, other: &[u8]) -> bool {
        equal(self.expose().as_bytes(), other)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A 256-bit key in protected memory (see [`crate::Protection`]).
pub struct Key32(Place);

impl Key32 {
    /// A fresh key.
    pub fn random(random: &dyn Random) -> Self {
        let mut place = Place::take();
        random.fill(place.bytes_mut());
        Self(place)
    }

    /// Moves key bytes into protected memory and overwrites where they came from.
    pub fn take_from(bytes: &mut [u8; 32]) -> Self {
        let mut place = Place::take();
        place.bytes_mut().copy_from_slice(bytes);
        bytes.zeroize();
        Self(place)
    }

    /// The key bytes, for a cipher or a key service. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// A second copy, on purpose.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let mut place = Place::take();
        place.bytes_mut().copy_from_slice(self.expose());
        Self(place)
    }

    /// A key whose bytes `fill` writes straight into protected memory.
    pub(crate) fn build<E>(fill: impl FnOnce(&mut [u8; 32]) -> Result<(), E>) -> Result<Self, E> {
        let mut place = Place::take();
        fill(place.bytes_mut())?;
        Ok(Self(place))
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths only. For signatures,
/// commitments and every other value that an attacker may try to guess byte by byte.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};

    use super::{Content, ContentString, Key32, Token, equal};
    use crate::SlotSecret;

    /// Does not compile if the type has the trait: the method would then be ambiguous.
    macro_rules! has_none_of {
        ($type:ty: $($bound:path),*) => {$({
            trait Ambiguous<A> {
                fn check() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Has;
            impl<T: ?Sized + $bound> Ambiguous<Has> for T {}
            <$type as Ambiguous<_>>::check();
        })*};
    }

    #[test]
    fn secrets_cannot_be_printed_stored_or_copied_by_accident() {
        has_none_of!(Content: Debug, Display, serde::Serialize, Clone, ToString, AsRef<[u8]>);
        has_none_of!(ContentString: Debug, Display, serde::Serialize, Clone, ToString, AsRef<str>);
        has_none_of!(Token: Debug, Display, serde::Serialize, Clone, ToString, AsRef<str>);
        has_none_of!(Key32: Debug, Display, serde::Serialize, Clone, AsRef<[u8]>);
        has_none_of!(SlotSecret: Debug, Display, serde::Serialize, Clone, AsRef<[u8]>);
    }

    #[test]
    fn a_key_taken_from_bytes_leaves_none_behind() {
        let mut bytes = [7; 32];
        let key = Key32::take_from(&mut bytes);
        assert_eq!((bytes, key.expose()), ([0; 32], &[7; 32]));
        assert_eq!(key.duplicate().expose(), &[7; 32]);
        let failed = Key32::build(|place| {
            place.fill(1);
            Err("no")
        });
        assert!(failed.is_err());
    }

    #[test]
    fn comparing_tells_equal_from_different() {
        assert!(equal(b"", b"") && equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd") && !equal(b"abc", b"ab") && !equal(b"", b"a"));
        let token = Token::new("abc".to_owned());
        assert!(token.matches(b"abc") && !token.matches(b"abd") && !token.duplicate().matches(b""));
    }
}
