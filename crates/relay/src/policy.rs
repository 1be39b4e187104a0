//! What an organisation decided. Every policy has a default; a stored word that is not known keeps it.

use std::collections::BTreeMap;

use crate::kinds;

/// An organisation's policies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// A send whose outcome cannot be found out is repeated (a duplicate is possible) instead of left (a
    /// gap is possible).
    pub prefer_duplicate: bool,
    /// Messages of other apps are relayed.
    pub relay_bots: bool,
    /// A mention of everyone stays one.
    pub relay_everyone: bool,
    /// Senders are told what of theirs did not arrive, or late.
    pub tell_senders: bool,
    /// Files that are kept back.
    pub files: FilePolicy,
    /// People may ask the app for direct conversations with people on other platforms.
    pub direct_messages: bool,
    /// Domains of the addresses that these are for, in lower case; empty: everybody who is no guest.
    pub direct_domains: Vec<String>,
}

/// Which files an organisation keeps back.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FilePolicy {
    /// The largest file, in bytes.
    pub max_bytes: Option<u64>,
    /// Extensions (`exe`) and media types (`application/x-msdownload`, `video/*`), in lower case.
    pub denied: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            prefer_duplicate: true,
            relay_bots: false,
            relay_everyone: true,
            tell_senders: true,
            files: FilePolicy::default(),
            direct_messages: true,
            direct_domains: Vec::new(),
        }
    }
}

/// Names, allowed words (the default first; those in brackets stand for what is written there) and meanings, for
/// `config` and its help.
pub const POLICIES: &[(&str, &[&str], &str)] = &[
    ("unknown_outcome", &["duplicate", "gap"], "what a send whose outcome cannot be found out may become"),
    ("relay_bots", &["no", "yes"], "whether messages of other apps are relayed"),
    ("relay_everyone", &["yes", "no"], "whether a mention of everyone stays one"),
    ("tell_senders", &["yes", "no"], "whether people are told what of theirs did not arrive, or late"),
    ("file_max_mb", &["any", "<megabytes>"], "the largest file that is relayed; larger ones become a line"),
    (
        "file_denied",
        &["none", "<list>"],
        "extensions and media types that are kept back, by name, statement or first bytes: exe,video/*",
    ),
    (
        "direct_messages",
        &["known", "off"],
        "whether people may ask the app for direct conversations with people known to it",
    ),
    (
        "direct_domains",
        &["any", "<list>"],
        "whose e-mail addresses direct conversations are for, such as `a.example,b.example`; `any`: of all who are no guests",
    ),
];

impl Policy {
    /// Reads the stored words.
    pub fn from_words(words: &BTreeMap<String, String>) -> Self {
        let word = |name: &str| words.get(name).map(String::as_str);
        Self {
            prefer_duplicate: word("unknown_outcome") != Some("gap"),
            relay_bots: word("relay_bots") == Some("yes"),
            relay_everyone: word("relay_everyone") != Some("no"),
            tell_senders: word("tell_senders") != Some("no"),
            files: FilePolicy {
                max_bytes: word("file_max_mb").and_then(megabytes),
                denied: word("file_denied").and_then(kinds).unwrap_or_default(),
            },
            direct_messages: word("direct_messages") != Some("off"),
            direct_domains: word("direct_domains").and_then(domains).unwrap_or_default(),
        }
    }

    /// Whether a value is one that a policy of [`POLICIES`] takes.
    pub fn takes(name: &str, value: &str) -> bool {
        let words = POLICIES.iter().find(|(known, _, _)| *known == name).map(|(_, words, _)| *words);
        let listed = words.is_some_and(|words| words.contains(&value) && !value.starts_with('<'));
        listed
            || match name {
                "file_max_mb" => megabytes(value).is_some(),
                "file_denied" => kinds(value).is_some(),
                "direct_domains" => domains(value).is_some(),
                _ => false,
            }
    }
}

impl FilePolicy {
    /// Whether a file is kept back: for any extension of its name, for what it is stated to be, or for how it begins.
    /// A short beginning tells what it can.
    pub fn denies(&self, name: &str, stated: &[&str], begin: &[u8]) -> bool {
        if self.denied.is_empty() {
            return false;
        }
        let extensions = kinds::extensions(name);
        let stated: Vec<String> = stated.iter().map(|stated| kinds::media_type(stated)).collect();
        let signs = kinds::signature(begin);
        let types = || stated.iter().map(String::as_str).chain(signs.iter().copied());
        self.denied.iter().any(|kind| match kind.split_once('/') {
            Some((family, "*")) => {
                types().any(|found| found.split_once('/').is_some_and(|(found, _)| found == family))
            }
            Some(_) => types().any(|found| found == kind),
            None => {
                let between = format!(".{kind}.");
                signs.contains(&kind.as_str()) || extensions.iter().any(|all| all.contains(&between))
            }
        })
    }
}

fn megabytes(word: &str) -> Option<u64> {
    word.parse::<u64>().ok()?.checked_mul(1_000_000)
}

fn kinds(word: &str) -> Option<Vec<String>> {
    let list: Vec<String> =
        word.split(',').map(|kind| kind.trim().trim_start_matches('.').to_lowercase()).collect();
    let sound = |kind: &String| {
        let sign = |sign: char| sign.is_ascii_alphanumeric() || "+-._*/".contains(sign);
        !kind.is_empty() && kind.chars().all(sign) && kind.matches('/').count() <= 1
    };
    Some(list).filter(|list| list.iter().all(sound) && word != "none")
}

fn domains(word: &str) -> Option<Vec<String>> {
    let list: Vec<String> = word.split(',').map(|domain| domain.trim().to_lowercase()).collect();
    let sound = |domain: &String| {
        domain.contains('.') && domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    };
    Some(list).filter(|list| list.iter().all(sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(pairs: &[(&str, &str)]) -> FilePolicy {
        let words = pairs.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect();
        Policy::from_words(&words).files
    }

    #[test]
    fn files_are_kept_back_by_size_extension_and_type() {
        assert_eq!(files(&[]), FilePolicy::default());
        assert_eq!(files(&[("file_max_mb", "any"), ("file_denied", "none")]), FilePolicy::default());
        assert_eq!(files(&[("file_max_mb", "20")]).max_bytes, Some(20_000_000));
        let policy = files(&[("file_denied", ".EXE, video/*,application/zip")]);
        for (name, media_type, denied) in [
            ("setup.exe", None, true),
            ("SETUP.Exe. ", None, true),
            ("exe", None, false),
            ("notexe", None, false),
            ("setup.exe.txt", None, true),
            ("set\u{200b}up.e\u{ad}xe\u{7}", None, true),
            ("a.exe\u{a0}", None, true),
            ("a.mp4", Some("video/mp4"), true),
            ("a", Some("Video/MP4; codecs=x"), true),
            ("a.mp4", None, false),
            ("a", Some("application/zip"), true),
            ("a", Some("application/zipped"), false),
            ("a.txt", Some("text/plain"), false),
        ] {
            assert_eq!(policy.denies(name, media_type.as_slice(), b""), denied, "{name} {media_type:?}");
        }
        for (begin, denied) in [
            (&b"MZ\x90"[..], true),
            (b"\0\0\0\x18ftypmp42", true),
            (b"PK\x03\x04", true),
            (b"%PDF-1.7", false),
        ] {
            assert_eq!(policy.denies("a.txt", &["text/plain"], begin), denied, "{begin:?}");
        }
    }

    #[test]
    fn a_policy_takes_its_words_and_what_they_stand_for() {
        for (name, value, taken) in [
            ("relay_bots", "yes", true),
            ("relay_bots", "maybe", false),
            ("file_max_mb", "any", true),
            ("file_max_mb", "250", true),
            ("file_max_mb", "<megabytes>", false),
            ("file_max_mb", "much", false),
            ("file_denied", "none", true),
            ("file_denied", "exe,video/*", true),
            ("file_denied", "exe,,x", false),
            ("file_denied", "<list>", false),
            ("direct_domains", "any", true),
            ("direct_domains", "Harbor.example, b-c.example", true),
            ("direct_domains", "<list>", false),
            ("direct_domains", "a.example,,b.example", false),
            ("direct_messages", "off", true),
            ("nothing", "yes", false),
        ] {
            assert_eq!(Policy::takes(name, value), taken, "{name}={value}");
        }
    }
}
