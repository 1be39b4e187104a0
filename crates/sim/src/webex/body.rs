//! Bodies of requests: JSON, form, multipart.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::{ApiError, refuse};
use crate::core::Blob;
use crate::core::multipart::{FormError, FormPart};

/// An uploaded file.
#[derive(Debug, Clone)]
pub struct Upload {
    /// File name.
    pub name: String,
    /// Content type.
    pub content_type: String,
    /// The bytes, as far as they were kept.
    pub bytes: Blob,
    /// How many bytes came.
    pub size: u64,
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
    /// The fields and files of a form.
    pub fn form(parts: Result<Vec<FormPart>, FormError>) -> Result<Self, ApiError> {
        let parts = parts.map_err(|_| refuse(400, "The multipart body could not be read."))?;
        let mut fields = Self::default();
        for part in parts {
            let given = |name: &str| part.parameter(name).map(|given| given.value);
            let name = given("name").unwrap_or_default();
            let encoded = given("filename*").and_then(|value| value.rsplit("''").next().map(str::to_owned));
            let file_name = encoded
                .map(|value| percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
                .or_else(|| given("filename"))
                // As browsers write what would end the name.
                .map(|name| name.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"));
            if let Some(file) = file_name {
                let content_type = part.content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
                let upload = Upload { name: file, content_type, bytes: part.content, size: part.size };
                fields.uploads.push((name, upload));
            } else {
                fields.values.insert(name, Value::String(part.text()));
            }
        }
        Ok(fields)
    }

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

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::core::multipart;

    #[tokio::test]
    async fn multipart_bodies_have_fields_and_files() {
        let body = "--xx\r\nContent-Disposition: form-data; name=\"roomId\"\r\n\r\nR\r\n--xx\r\nContent-Disposition: \
             form-data; name=\"files\"; filename=\"a; %22b%22.txt\"\r\nContent-Type: text/plain\r\n\r\na\r\n--x\r\n--xx--\r\n";
        let parts = multipart::form("multipart/form-data; boundary=\"xx\"", Body::from(body), 100).await;
        let fields = Fields::form(parts).expect("well-formed");
        assert_eq!(fields.text("roomId").as_deref(), Some("R"));
        let (part, file) = &fields.uploads[0];
        assert_eq!((part.as_str(), file.name.as_str()), ("files", "a; \"b\".txt"));
        assert_eq!((file.content_type.as_str(), &file.bytes.to_vec()[..]), ("text/plain", &b"a\r\n--x"[..]));
        let broken = multipart::form("multipart/form-data", Body::from(body), 100).await;
        assert_eq!(Fields::form(broken).expect_err("no boundary").status, 400);
    }

    #[test]
    fn other_content_types_are_refused() {
        let body = Bytes::from_static(b"<a/>");
        let error = Fields::read("application/xml", &body).expect_err("not a type of this API");
        assert_eq!(error.status, 415);
        assert_eq!(error.message, "Content type 'application/xml' not supported");
    }
}
