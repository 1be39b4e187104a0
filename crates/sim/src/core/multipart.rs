//! `multipart/form-data` bodies, read as they come: a part is never whole in memory.

use axum::body::Body;
use http_body_util::BodyExt as _;

use super::blob::{Blob, BlobWriter};

/// The longest head of a part, in bytes.
const HEAD: usize = 16 * 1024;

/// A part.
#[derive(Debug, Clone, Default)]
pub struct FormPart {
    /// Its `Content-Disposition`, the value alone.
    pub disposition: String,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Its bytes, as far as they were kept.
    pub content: Blob,
    /// How many bytes it had; more than were kept when it was too long.
    pub size: u64,
}

impl FormPart {
    /// A parameter of the disposition.
    pub fn parameter(&self, name: &str) -> Option<Parameter> {
        parameter(&self.disposition, name)
    }

    /// The content as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content.to_vec()).into_owned()
    }
}

/// A parameter of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// Whether it stood in quotes.
    pub quoted: bool,
}

/// Why a body is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormError {
    /// No boundary, or the parts are not where they should be.
    Malformed,
    /// The sender broke off, or the disk failed.
    Broken,
}

/// Reads a form. Of each part at most `most` bytes are kept; the rest is read and counted.
///
/// # Errors
/// When it is none, or breaks off.
pub async fn form(content_type: &str, body: Body, most: u64) -> Result<Vec<FormPart>, FormError> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.value.is_empty());
    let boundary = boundary.ok_or(FormError::Malformed)?.value;
    let mut reader =
        Reader { needle: format!("\r\n--{boundary}").into_bytes(), held: b"\r\n".to_vec(), body };
    // What stands before the first boundary is nobody's.
    reader.take(None, 0).await?;
    let mut parts = Vec::new();
    loop {
        match reader.exactly(2).await?.as_slice() {
            b"--" => {
                reader.drain().await?;
                return Ok(parts);
            }
            b"\r\n" => {}
            _ => return Err(FormError::Malformed),
        }
        let mut part = head(&reader.head().await?);
        let mut writer = BlobWriter::default();
        part.size = reader.take(Some(&mut writer), most).await?;
        part.content = writer.finish();
        parts.push(part);
    }
}

struct Reader {
    needle: Vec<u8>,
    held: Vec<u8>,
    body: Body,
}

impl Reader {
    /// More bytes; `false` at the end.
    async fn more(&mut self) -> Result<bool, FormError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|_| FormError::Broken)?;
            if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                self.held.extend_from_slice(data);
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, FormError> {
        while self.held.len() < count {
            if !self.more().await? {
                return Err(FormError::Malformed);
            }
        }
        Ok(self.held.drain(..count).collect())
    }

    /// Everything up to the next boundary; how much it was.
    async fn take(&mut self, mut to: Option<&mut BlobWriter>, most: u64) -> Result<u64, FormError> {
        let mut size = 0_u64;
        loop {
            let found = find(&self.held, &self.needle);
            let sure = found.unwrap_or_else(|| self.held.len().saturating_sub(self.needle.len() - 1));
            if let Some(writer) = &mut to {
                let room = usize::try_from(most.saturating_sub(writer.size())).unwrap_or(usize::MAX);
                writer.push(&self.held[..sure.min(room)]).map_err(|_| FormError::Broken)?;
            }
            size += sure as u64;
            self.held.drain(..sure);
            if found.is_some() {
                self.held.drain(..self.needle.len());
                return Ok(size);
            }
            if !self.more().await? {
                return Err(FormError::Malformed);
            }
        }
    }

    /// The lines before a part's content.
    async fn head(&mut self) -> Result<String, FormError> {
        loop {
            // A part without any lines has its empty line at once.
            if self.held.starts_with(b"\r\n") {
                self.held.drain(..2);
                return Ok(String::new());
            }
            if let Some(end) = find(&self.held, b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.held[..end]).into_owned();
                self.held.drain(..end + 4);
                return Ok(head);
            }
            if self.held.len() > HEAD || !self.more().await? {
                return Err(FormError::Malformed);
            }
        }
    }

    async fn drain(&mut self) -> Result<(), FormError> {
        loop {
            self.held.clear();
            if !self.more().await? {
                return Ok(());
            }
        }
    }
}

fn head(lines: &str) -> FormPart {
    let mut part = FormPart::default();
    for (name, value) in lines.lines().filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-disposition") {
            value.trim().clone_into(&mut part.disposition);
        } else if name.eq_ignore_ascii_case("content-type") {
            part.content_type = Some(value.trim().to_owned());
        }
    }
    part
}

/// A parameter of a header's value. What stands in quotes may hold semicolons; `\"` is a quote.
pub fn parameter(header: &str, name: &str) -> Option<Parameter> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quoted = after.starts_with('"');
        let (value, end) = if quoted {
            let mut value = String::new();
            let mut end = after.len();
            let mut signs = after.char_indices().skip(1);
            while let Some((at, sign)) = signs.next() {
                match sign {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' if after[at + 1..].starts_with(['"', '\\']) => {
                        value.extend(signs.next().map(|(_, sign)| sign));
                    }
                    sign => value.push(sign),
                }
            }
            (value, end)
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim_end().to_owned(), end)
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(Parameter { value, quoted });
        }
        rest = after[end..].split_once(';')?.1;
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x;x\"";

    async fn read(body: &[u8], piece: usize, most: u64) -> Result<Vec<FormPart>, FormError> {
        let pieces: Vec<_> =
            body.chunks(piece).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
        form(TYPE, Body::from_stream(stream::iter(pieces)), most).await
    }

    #[tokio::test]
    async fn forms_are_read_however_they_are_cut() {
        let body = b"before\r\n--x;x\r\nContent-Disposition: form-data; name=\"roomId\"\r\n\r\nR\r\n--x;x\r\n\
            content-disposition: form-data; name=file; filename=\"a;\\\"b\\\".txt\"\r\nContent-Type: text/plain\r\n\r\n\
            a\r\n--x\r\n--x;x\r\n\r\nbare\r\n--x;x--\r\nafter";
        for piece in 1..body.len() {
            let parts = read(body, piece, 100).await.unwrap();
            assert_eq!(parts.len(), 3, "{piece}");
            assert_eq!(
                (parts[0].parameter("name").unwrap().value.as_str(), parts[0].text().as_str()),
                ("roomId", "R")
            );
            let name = parts[1].parameter("filename").unwrap();
            assert_eq!((name.value.as_str(), name.quoted), ("a;\"b\".txt", true));
            assert_eq!(
                parts[1].parameter("name"),
                Some(Parameter { value: "file".to_owned(), quoted: false })
            );
            assert_eq!((parts[1].text().as_str(), parts[1].size), ("a\r\n--x", 6));
            assert_eq!(parts[1].content_type.as_deref(), Some("text/plain"));
            assert_eq!((parts[2].disposition.as_str(), parts[2].text().as_str()), ("", "bare"));
        }
        let parts = read(body, 7, 2).await.unwrap();
        assert_eq!((parts[1].content.size(), parts[1].size), (2, 6), "what is too long is counted, not kept");
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        for body in [
            &b""[..],
            b"--x;x",
            b"--x;x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nnever ends",
            b"--x;xyz\r\n\r\na\r\n--x;x--",
            b"no boundary at all",
        ] {
            assert_eq!(read(body, 5, 100).await.unwrap_err(), FormError::Malformed);
        }
        let without = form("multipart/form-data", Body::empty(), 1).await;
        assert_eq!(without.unwrap_err(), FormError::Malformed);
        let broken = stream::iter([Ok(Bytes::from_static(b"--x;x\r\n")), Err(std::io::Error::other("gone"))]);
        assert_eq!(form(TYPE, Body::from_stream(broken), 1).await.unwrap_err(), FormError::Broken);
    }
}
