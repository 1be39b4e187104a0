//! What kind of file something is, whatever it claims: by its name's extensions, by what it is stated to be, and by how it
//! begins. Pure.

use dragoman_markup::name::is_hidden;

/// Bytes of a file's beginning that [`signature`] looks at.
pub(crate) const BEGIN: usize = 64;

/// A file's name as its extensions, each between full stops (`.tar.gz.`): once whole and once up to the first sign that
/// extensions do not have. What is not shown is left out, and what looks like a full stop is one.
pub(crate) fn extensions(name: &str) -> [String; 2] {
    let plain: String = name.chars().filter(|sign| !is_hidden(*sign)).map(folded).collect();
    let plain = plain.to_lowercase();
    let mut all = [".".to_owned(), ".".to_owned()];
    for part in plain.split('.').skip(1) {
        let part = part.trim();
        all[0].extend(part.chars().filter(|sign| !sign.is_whitespace()).chain(['.']));
        let run = part.chars().take_while(|sign| sign.is_alphanumeric() || matches!(sign, '+' | '-' | '_'));
        all[1].extend(run.chain(['.']));
    }
    all
}

/// A media type in the one form that is compared.
pub(crate) fn media_type(stated: &str) -> String {
    let stated = stated.split(';').next().unwrap_or_default();
    stated
        .chars()
        .filter(|sign| !is_hidden(*sign) && !sign.is_whitespace())
        .collect::<String>()
        .to_lowercase()
}

/// Latin letters and full stops in other widths.
fn folded(sign: char) -> char {
    match sign {
        '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff61}' => '.',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xfee0).unwrap_or(sign),
        sign if sign.is_whitespace() => ' ',
        sign => sign,
    }
}

const PROGRAM: &[&str] = &[
    "exe",
    "dll",
    "scr",
    "com",
    "sys",
    "cpl",
    "ocx",
    "efi",
    "pif",
    "application/x-msdownload",
    "application/x-msdos-program",
    "application/x-dosexec",
    "application/x-exe",
];
const ELF: &[&str] =
    &["elf", "so", "application/x-executable", "application/x-elf", "application/x-sharedlib"];
const MACH: &[&str] = &["macho", "dylib", "class", "application/x-mach-binary", "application/java-vm"];
const SCRIPT: &[&str] = &[
    "sh",
    "bash",
    "command",
    "application/x-sh",
    "text/x-sh",
    "text/x-shellscript",
    "application/x-shellscript",
];
const ZIP: &[&str] = &["zip", "application/zip", "application/x-zip-compressed", "application/x-zip"];
const LINK: &[&str] = &["lnk", "application/x-ms-shortcut"];

/// How files begin, where, and the extensions and media types that they have then.
const SIGNATURES: &[(usize, &[u8], &[&str])] = &[
    (0, b"MZ", PROGRAM),
    (0, b"\x7fELF", ELF),
    (0, b"\xfe\xed\xfa\xce", MACH),
    (0, b"\xfe\xed\xfa\xcf", MACH),
    (0, b"\xce\xfa\xed\xfe", MACH),
    (0, b"\xcf\xfa\xed\xfe", MACH),
    (0, b"\xca\xfe\xba\xbe", MACH),
    (0, b"#!", SCRIPT),
    (0, b"L\0\0\0\x01\x14\x02\0", LINK),
    (0, b"Rar!\x1a\x07", &["rar", "application/vnd.rar", "application/x-rar-compressed"]),
    (0, b"7z\xbc\xaf\x27\x1c", &["7z", "application/x-7z-compressed"]),
    (0, b"\x1f\x8b", &["gz", "tgz", "application/gzip", "application/x-gzip"]),
    (0, b"BZh", &["bz2", "application/x-bzip2"]),
    (0, b"\xfd7zXZ\0", &["xz", "application/x-xz"]),
    (0, b"\x28\xb5\x2f\xfd", &["zst", "application/zstd"]),
    (0, b"%PDF-", &["pdf", "application/pdf"]),
    (0, b"{\\rtf", &["rtf", "application/rtf", "text/rtf"]),
    (0, b"\x89PNG\r\n\x1a\n", &["png", "image/png"]),
    (0, b"\xff\xd8\xff", &["jpg", "jpeg", "image/jpeg"]),
    (0, b"GIF8", &["gif", "image/gif"]),
    (8, b"WEBP", &["webp", "image/webp"]),
    (8, b"WAVE", &["wav", "audio/wav", "audio/x-wav"]),
    (8, b"AVI ", &["avi", "video/x-msvideo"]),
    (0, b"ID3", &["mp3", "audio/mpeg"]),
    (0, b"fLaC", &["flac", "audio/flac"]),
    (0, b"OggS", &["ogg", "oga", "audio/ogg"]),
    (0, b"\x1a\x45\xdf\xa3", &["webm", "mkv", "video/webm", "video/x-matroska"]),
    (4, b"ftypM4A", &["m4a", "audio/mp4"]),
    (4, b"ftyphei", &["heic", "image/heic"]),
    (4, b"ftypmif1", &["heif", "image/heif"]),
    (4, b"ftypavif", &["avif", "image/avif"]),
    (4, b"ftyp", &["mp4", "m4v", "mov", "video/mp4", "video/quicktime"]),
];

/// The extensions and media types of a file that begins so; none where that is not known.
pub(crate) fn signature(begin: &[u8]) -> &'static [&'static str] {
    if let Some(entry) = begin.strip_prefix(b"PK\x03\x04") {
        return if is_document(entry) { &[] } else { ZIP };
    }
    let fits = |(at, sign, _): &&(usize, &[u8], &[&str])| {
        begin.get(*at..).is_some_and(|rest| rest.starts_with(sign))
            && (*at != 8 || begin.starts_with(b"RIFF"))
    };
    SIGNATURES.iter().find(fits).map_or(&[], |(_, _, kinds)| kinds)
}

/// Whether the first entry of an archive, given from behind its sign, is one that documents of office programs begin
/// with.
fn is_document(entry: &[u8]) -> bool {
    let name = entry.get(26..).unwrap_or_default();
    let parts: [&[u8]; 5] = [b"[Content_Types].xml", b"_rels/", b"docProps/", b"mimetype", b"customXml/"];
    parts.iter().any(|part| name.starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_what_a_system_would_see() {
        for (name, whole, run) in [
            ("plan.PDF", ".pdf.", ".pdf."),
            ("plan", ".", "."),
            (".exe", ".exe.", ".exe."),
            ("a.tar.gz", ".tar.gz.", ".tar.gz."),
            ("a.exe. .", ".exe...", ".exe..."),
            ("a.ex\u{200b}e", ".exe.", ".exe."),
            ("a.e\u{7}xe\u{a0}", ".exe.", ".exe."),
            ("a\u{202e}fdp.exe", ".exe.", ".exe."),
            ("a\u{ff0e}\u{ff45}\u{ff58}\u{ff45}", ".exe.", ".exe."),
            ("a\u{2024}exe", ".exe.", ".exe."),
            ("a.exe::$DATA", ".exe::$data.", ".exe."),
            ("a.exe (1)", ".exe(1).", ".exe."),
        ] {
            assert_eq!(extensions(name), [whole, run], "{name:?}");
        }
        assert_eq!(media_type(" Video/\u{200b}MP4 ; codecs=x"), "video/mp4");
    }

    #[test]
    fn beginnings_tell_what_a_file_is() {
        let zip = |name: &str| [b"PK\x03\x04".as_slice(), &[0; 26], name.as_bytes()].concat();
        for (begin, kind) in [
            (b"MZ\x90\0".to_vec(), Some("exe")),
            (b"\x7fELF\x02".to_vec(), Some("application/x-elf")),
            (b"#!/bin/sh".to_vec(), Some("sh")),
            (b"\0\0\0\x20ftypisom".to_vec(), Some("video/mp4")),
            (b"\0\0\0\x20ftypheic".to_vec(), Some("image/heic")),
            (b"RIFF\0\0\0\0WEBPVP8".to_vec(), Some("image/webp")),
            (b"xxxx\0\0\0\0WEBPVP8".to_vec(), None),
            (zip("photos/1.jpg"), Some("zip")),
            (zip("[Content_Types].xml"), None),
            (zip("mimetypeapplication/epub+zip"), None),
            (b"PK\x03\x04".to_vec(), Some("zip")),
            (b"hello".to_vec(), None),
            (Vec::new(), None),
        ] {
            let kinds = signature(&begin);
            assert_eq!(kind.map(|kind| kinds.contains(&kind)), kind.map(|_| true), "{begin:?}");
            assert_eq!(kinds.is_empty(), kind.is_none(), "{begin:?}");
        }
        assert!(SIGNATURES.iter().all(|(at, sign, _)| at + sign.len() <= BEGIN));
    }
}
