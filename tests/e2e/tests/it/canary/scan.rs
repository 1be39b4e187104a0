//! Looking for marks in bytes, in every form that a program might leave them in.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::read::{GzDecoder, ZlibDecoder};

/// More than any compressed thing here unpacks to.
const UNPACKED: u64 = 8 << 20;

/// A mark: what carried it, and its text. Letters and digits only, so that escaping leaves it as it is.
pub(super) struct Mark {
    pub(super) carrier: &'static str,
    pub(super) text: String,
}

struct Needle {
    carrier: &'static str,
    form: &'static str,
    bytes: Vec<u8>,
}

/// Finds marks, in one pass.
pub(super) struct Scanner {
    needles: Vec<Needle>,
    /// Needles by their first two bytes.
    starts: Vec<Vec<usize>>,
}

impl Scanner {
    pub(super) fn new(marks: &[Mark]) -> Self {
        let mut needles = Vec::new();
        for mark in marks {
            assert!(mark.text.len() >= 12 && mark.text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            let mut add = |form, bytes| needles.push(Needle { carrier: mark.carrier, form, bytes });
            let text = mark.text.as_bytes();
            add("plain", text.to_vec());
            add("UTF-16", mark.text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            add("UTF-16, big-endian", mark.text.encode_utf16().flat_map(u16::to_be_bytes).collect());
            add("hexadecimal", hex::encode(text).into_bytes());
            add("hexadecimal, upper case", hex::encode_upper(text).into_bytes());
            let numbers: Vec<String> = text.iter().map(u8::to_string).collect();
            add("numbers", numbers.join(", ").into_bytes());
            add("numbers, tight", numbers.join(",").into_bytes());
            let escaped: Vec<String> = text.iter().map(|byte| format!("\\u{byte:04x}")).collect();
            add("JSON escapes", escaped.concat().into_bytes());
            let percent: Vec<String> = text.iter().map(|byte| format!("%{byte:02X}")).collect();
            add("percent", percent.concat().into_bytes());
            add("reversed", text.iter().rev().copied().collect());
            for skip in 0..3 {
                // Wherever it begins in the encoded text, a stretch of whole groups reads the same.
                let inner = &text[skip..];
                let inner = &inner[..inner.len() / 3 * 3];
                add("base64", STANDARD_NO_PAD.encode(inner).into_bytes());
                add("base64url", URL_SAFE_NO_PAD.encode(inner).into_bytes());
            }
        }
        let mut starts = vec![Vec::new(); 1 << 16];
        for (index, needle) in needles.iter().enumerate() {
            starts[usize::from(needle.bytes[0]) << 8 | usize::from(needle.bytes[1])].push(index);
        }
        Self { needles, starts }
    }

    /// What is found in some bytes, and in whatever is compressed among them.
    pub(super) fn scan(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found = self.find(place, bytes);
        for at in 0..bytes.len().saturating_sub(2) {
            let rest = &bytes[at..];
            let mut unpacked = Vec::new();
            match rest {
                [0x1f, 0x8b, 0x08, ..] => {
                    let _ = GzDecoder::new(rest).take(UNPACKED).read_to_end(&mut unpacked);
                }
                [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => {
                    let _ = ZlibDecoder::new(rest).take(UNPACKED).read_to_end(&mut unpacked);
                }
                _ => {}
            }
            found.extend(self.find(&format!("{place}, unpacked at {at}"), &unpacked));
        }
        found
    }

    fn find(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeMap::new();
        for (at, pair) in bytes.windows(2).enumerate() {
            for index in &self.starts[usize::from(pair[0]) << 8 | usize::from(pair[1])] {
                if !found.contains_key(index) && bytes[at..].starts_with(&self.needles[*index].bytes) {
                    found.insert(*index, at);
                }
            }
        }
        let told = found.into_iter().map(|(index, at)| {
            let Needle { carrier, form, .. } = &self.needles[index];
            let around = &bytes[at.saturating_sub(80)..bytes.len().min(at + 120)];
            format!("{carrier} as {form} in {place} at {at}: {:?}", String::from_utf8_lossy(around))
        });
        told.collect()
    }

    /// What is found in all files below a folder.
    pub(super) fn scan_folder(&self, folder: &Path) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            found.extend(self.find("names of files", entry.file_name().as_encoded_bytes()));
            let kind = entry.file_type()?;
            if kind.is_dir() {
                found.extend(self.scan_folder(&entry.path())?);
            } else if kind.is_file() {
                // A file that vanished meanwhile holds nothing any more.
                let bytes = fs::read(entry.path()).unwrap_or_default();
                found.extend(self.scan(&entry.path().display().to_string(), &bytes));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn scanner() -> Scanner {
        Scanner::new(&[Mark { carrier: "text", text: "Canary7f3a90bd".to_owned() }])
    }

    #[test]
    fn every_form_is_found() {
        let mark = b"Canary7f3a90bd";
        let utf16: Vec<u8> = "Canary7f3a90bd".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut forms =
            vec![mark.to_vec(), utf16, hex::encode(mark).into_bytes(), format!("{mark:?}").into_bytes()];
        for before in ["", "a", "ab", "{\"text\":\""] {
            let text = [before.as_bytes(), mark, b"\"}"].concat();
            forms.push(STANDARD_NO_PAD.encode(&text).into_bytes());
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&text).unwrap();
            forms.push(gzip.finish().unwrap());
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
            zlib.write_all(&text).unwrap();
            forms.push(zlib.finish().unwrap());
        }
        for form in forms {
            let hidden = [b"some bytes before ".as_slice(), &form, b" and after"].concat();
            assert!(!scanner().scan("here", &hidden).is_empty(), "{}", String::from_utf8_lossy(&form));
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        assert!(scanner().scan("here", b"Canary7f3a90b, Canary7f3a90bc and 7f3a90bd").is_empty());
    }
}
