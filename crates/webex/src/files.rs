//! Names and sizes of files, which messages do not tell: asked of the contents themselves ("Message Attachments").

use dragoman_model::{FileRef, Message};
use dragoman_platform::{Session, TokenSlot};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::client::{Call, Client};

/// Files of one message that are asked for.
const MOST: usize = 10;

/// Completes what is known of a message's files. One that is still being scanned, is withheld or cannot be asked for
/// keeps a general name: the message does not wait for it.
pub(crate) async fn name(client: &Client, session: &Session, urls: &[String], message: &mut Message) {
    for (url, file) in urls.iter().zip(&mut message.files).take(MOST) {
        let Ok(url) = Url::parse(url) else { continue };
        let call = Call::new(Method::HEAD, url);
        match client.call(session, &TokenSlot::App, &call).await {
            Ok(response) => describe(file, &response.headers),
            Err(trouble) => {
                tracing::debug!(status = trouble.status(), "a file could not be looked at");
            }
        }
    }
    for file in &mut message.files {
        if file.name.is_empty() {
            "file".clone_into(&mut file.name);
        }
    }
}

fn describe(file: &mut FileRef, headers: &HeaderMap) {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let disposition = headers.get(CONTENT_DISPOSITION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    file.name = disposition.and_then(|value| filename(&value)).unwrap_or_default();
    file.media_type = text(CONTENT_TYPE).map(str::to_owned);
    file.size = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
}

/// The name in a `Content-Disposition` (RFC 6266): `filename*` before `filename`.
fn filename(value: &str) -> Option<String> {
    let (mut plain, mut extended) = (None, None);
    for (name, text) in parameters(value) {
        if name.eq_ignore_ascii_case("filename*") {
            let encoded = text.splitn(3, '\'').nth(2).unwrap_or_default();
            extended = percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        } else if name.eq_ignore_ascii_case("filename") {
            plain = Some(text);
        }
    }
    let clean = |name: String| {
        let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = base.chars().filter(|c| !c.is_control()).take(200).collect();
        Some(name).filter(|name| !name.trim().is_empty())
    };
    extended.and_then(clean).or_else(|| plain.and_then(clean))
}

/// Parameters of a header, quoted or not.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut chars = value.chars().peekable();
    // What kind of disposition it is.
    while chars.next().is_some_and(|c| c != ';') {}
    while chars.peek().is_some() {
        let name: String = std::iter::from_fn(|| chars.next_if(|c| !matches!(c, '=' | ';'))).collect();
        let mut text = String::new();
        if chars.next() == Some('=') {
            while chars.next_if(|c| *c == ' ').is_some() {}
            if chars.next_if_eq(&'"').is_some() {
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
                }
                while chars.next().is_some_and(|c| c != ';') {}
            } else {
                text.extend(std::iter::from_fn(|| chars.next_if(|c| *c != ';')));
                chars.next();
            }
        }
        found.push((name.trim().to_owned(), text.trim_end().to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_form() {
        for (value, expected) in [
            (r#"attachment; filename="plan.pdf""#, Some("plan.pdf")),
            ("attachment; filename=plan.pdf; size=3", Some("plan.pdf")),
            (r#"attachment; filename="a \"b\"; c.txt"; x=y"#, Some("a \"b\"; c.txt")),
            (
                r#"attachment; filename="plain.txt"; filename*=UTF-8''%C3%BCber%20uns.txt"#,
                Some("\u{fc}ber uns.txt"),
            ),
            (r"attachment; FileName*=utf-8'de'x%2Fy.txt", Some("y.txt")),
            (r#"attachment; filename="../../etc/passwd""#, Some("passwd")),
            (r#"attachment; filename="C:\\temp\\x.doc""#, Some("x.doc")),
            ("attachment", None),
            ("attachment; filename=", None),
            (r#"attachment; filename=""#, None),
            ("", None),
            (";;;=", None),
        ] {
            assert_eq!(filename(value).as_deref(), expected, "{value}");
        }
    }
}
