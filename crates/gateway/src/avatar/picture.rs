//! A picture: fetched from where the platform's directory says it is, or drawn.

use std::time::Duration;

use bytes::Bytes;
use dragoman_model::RemoteUser;
use dragoman_platform::http::{Hosts, HttpClient, HttpRequest};
use http::{Method, StatusCode};
use url::Url;

use super::initials;

/// The largest picture that is passed on, in bytes.
const MOST_BYTES: usize = 1 << 20;
const FETCH_WITHIN: Duration = Duration::from_secs(5);

/// A picture.
pub(super) struct Picture {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
    /// Whether it is the person's picture rather than a stand-in for one that could not be had now.
    pub(super) lasting: bool,
}

impl Picture {
    /// Initials on a colour of the person's own.
    pub(super) fn initials(name: &str, user: &RemoteUser, lasting: bool) -> Self {
        Self { content_type: "image/png", bytes: initials::draw(name, user.as_str()).into(), lasting }
    }
}

/// Fetches a picture. Nothing is decoded; what is no picture by its first bytes is not passed on.
pub(super) async fn fetch(http: &HttpClient, url: &str) -> Option<Picture> {
    let url = Url::parse(url).ok()?;
    let mut request = HttpRequest::new(Method::GET, url.clone()).only(&Hosts::of(&url));
    request.cap = Some(MOST_BYTES);
    request.timeout = Some(FETCH_WITHIN);
    request.redirects = 2;
    let response = http.send(request).await.ok()?;
    if response.status != StatusCode::OK {
        return None;
    }
    let content_type = kind_of(response.body.expose())?;
    Some(Picture { content_type, bytes: Bytes::copy_from_slice(response.body.expose()), lasting: true })
}

/// The kind of a picture by its first bytes. Drawings that can hold scripts are none.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_without_scripts_are_passed_on() {
        assert_eq!(kind_of(b"\x89PNG\r\n\x1a\nrest"), Some("image/png"));
        assert_eq!(kind_of(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind_of(b"GIF89a"), Some("image/gif"));
        assert_eq!(kind_of(b"RIFF\x01\x02\x03\x04WEBPVP8 "), Some("image/webp"));
        for other in [&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], b"<html>", b"", b"RIFF\0\0\0\0WAVE"]
        {
            assert_eq!(kind_of(other), None);
        }
    }
}
