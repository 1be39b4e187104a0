//! Bodies of requests: JSON, form, multipart.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::{ApiError, refuse};

/// An uploaded file.
#[derive(Debug, Clone)]
pub struct Upload {
    /// File name.
    pub name: String,
    /// Content type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

/// What came in a body.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    /// Fields; those of forms are text.
    pub values: Map<String, Value>,
    /// Files of a multipart body, with the names of their parts.
    pub uploads: Vec<(String, Upload)>,
}

impl Fields {
    /// Reads a body by its content type.
    pub fn read(content_type: &str, body: &Bytes) -> Result<Self, ApiError> {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            _ if body.is_empty() => Ok(Self::default()),
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(values)) => Ok(Self { values, uploads: Vec::new() }),
                _ => Err(refuse(
                    400,
                    "The request could not be understood by the server due to malformed syntax.",
                )),
            },
            "application/x-www-form-urlencoded" => {
                let values = form_urlencoded::parse(body)
                    .map(|(key, value)| (key.into_owned(), Value::String(value.into_owned())))
                    .collect();
                Ok(Self { values, uploads: Vec::new() })
            }
            "multipart/form-data" => multipart(content_type, body)
                .ok_or_else(|| refuse(400, "The multipart body could not be read.")),
            other => Err(ApiError {
                prefix: "NA_",
                ..refuse(415, &format!("Content type '{other}' not supported"))
            }),
        }
    }

    /// Text that is there and not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A truth value, also as text.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.values.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => Some(text == "true"),
            _ => None,
        }
    }

    /// A list, or JSON text of one, or one text.
    pub fn list(&self, name: &str) -> Vec<Value> {
        match self.values.get(name) {
            Some(Value::Array(list)) => list.clone(),
            Some(Value::String(text)) if text.is_empty() => Vec::new(),
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(Value::Array(list)) => list,
                Ok(one @ Value::Object(_)) => vec![one],
                _ => vec![Value::String(text.clone())],
            },
            Some(Value::Null) | None => Vec::new(),
            Some(other) => vec![other.clone()],
        }
    }
}

fn multipart(content_type: &str, body: &Bytes) -> Option<Fields> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let marker = format!("--{}", boundary.trim_matches('"'));
    let closing = format!("\r\n{marker}");
    let mut fields = Fields::default();
    let mut at = find(body, marker.as_bytes(), 0)? + marker.len();
    loop {
        if body.get(at..at + 2) == Some(b"--") {
            return Some(fields);
        }
        let head_start = find(body, b"\r\n", at)? + 2;
        let head_end = find(body, b"\r\n\r\n", head_start.saturating_sub(2))?;
        let head = String::from_utf8_lossy(body.get(head_start..head_end.max(head_start))?).into_owned();
        let content_end = find(body, closing.as_bytes(), head_end + 4)?;
        let content = body.slice(head_end + 4..content_end);
        let name = parameter(&head, "name").unwrap_or_default();
        let file_name = parameter(&head, "filename*")
            .and_then(|value| value.rsplit("''").next().map(str::to_owned))
            .map(|value| percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
            .or_else(|| parameter(&head, "filename"));
        if let Some(file) = file_name {
            let content_type = head
                .lines()
                .find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    key.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
                })
                .unwrap_or_else(|| "application/octet-stream".to_owned());
            fields.uploads.push((name, Upload { name: file, content_type, bytes: content }));
        } else {
            let text = String::from_utf8_lossy(&content).into_owned();
            fields.values.insert(name, Value::String(text));
        }
        at = content_end + closing.len();
    }
}

/// A parameter of the `Content-Disposition` line.
fn parameter(head: &str, name: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    line.split(';').skip(1).find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then(|| value.trim().trim_matches('"').replace("%22", "\""))
    })
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_bodies_have_fields_and_files() {
        let body = Bytes::from_static(
            b"--xx\r\nContent-Disposition: form-data; name=\"roomId\"\r\n\r\nR\r\n--xx\r\nContent-Disposition: \
              form-data; name=\"files\"; filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\na\r\n--x\r\n--xx--\r\n",
        );
        let fields = Fields::read("multipart/form-data; boundary=\"xx\"", &body).expect("well-formed");
        assert_eq!(fields.text("roomId").as_deref(), Some("R"));
        let (part, file) = &fields.uploads[0];
        assert_eq!((part.as_str(), file.name.as_str()), ("files", "a b.txt"));
        assert_eq!((file.content_type.as_str(), &file.bytes[..]), ("text/plain", &b"a\r\n--x"[..]));
    }

    #[test]
    fn other_content_types_are_refused() {
        let body = Bytes::from_static(b"<a/>");
        let error = Fields::read("application/xml", &body).expect_err("not a type of this API");
        assert_eq!(error.status, 415);
        assert_eq!(error.message, "Content type 'application/xml' not supported");
    }
}
