//! Arguments of a call: query string, form, JSON or multipart, as the platform takes them.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde_json::{Map, Value};

use super::error::{ApiError, missing, refuse};

/// The arguments of one call.
#[derive(Debug, Clone, Default)]
pub struct Args {
    values: Map<String, Value>,
    /// A token given as a form field.
    pub form_token: Option<String>,
    /// Harmless remarks for the answer.
    pub warnings: Vec<&'static str>,
}

impl Args {
    /// Reads the arguments. `json_allowed` says whether the method takes JSON; where not, a JSON body is ignored.
    pub fn read(
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        body: &Bytes,
        json_allowed: bool,
    ) -> Result<Self, ApiError> {
        let mut args = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            // A token in the query string is not looked at.
            if key != "token" {
                args.put_text(&key, &value);
            }
        }
        if *method == Method::GET || body.is_empty() {
            return Ok(args);
        }
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (media, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        match media.trim().to_ascii_lowercase().as_str() {
            "application/json" => {
                if !json_allowed {
                    return Ok(args);
                }
                if !parameters.to_ascii_lowercase().contains("charset") {
                    args.warnings.push("missing_charset");
                }
                let value: Value = serde_json::from_slice(body).map_err(|_| refuse("invalid_json"))?;
                let Value::Object(members) = value else { return Err(refuse("json_not_object")) };
                // Explicit null means the default.
                args.values.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
            }
            "application/x-www-form-urlencoded" => {
                if parameters.to_ascii_lowercase().contains("charset") {
                    args.warnings.push("superfluous_charset");
                }
                for (key, value) in form_urlencoded::parse(body) {
                    if key == "token" {
                        args.form_token = Some(value.into_owned());
                    } else {
                        args.put_text(&key, &value);
                    }
                }
            }
            "multipart/form-data" => {
                let parts = multipart(content_type, body).ok_or_else(|| refuse("invalid_form_data"))?;
                for part in parts {
                    let text = String::from_utf8_lossy(&part.content).into_owned();
                    if part.name == "token" {
                        args.form_token = Some(text);
                    } else {
                        args.put_text(&part.name, &text);
                    }
                }
            }
            "" => return Err(refuse("missing_post_type")),
            _ => return Err(refuse("invalid_post_type")),
        }
        Ok(args)
    }

    fn put_text(&mut self, key: &str, value: &str) {
        self.values.insert(key.to_owned(), Value::String(value.to_owned()));
    }

    /// Text of an argument; numbers and truth values as text.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.values.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// Text of an argument that must be there and not be empty.
    pub fn required(&self, key: &str) -> Result<String, ApiError> {
        self.text(key).filter(|text| !text.is_empty()).ok_or_else(|| missing(key))
    }

    /// A truth value: `true`, `1` and their opposites.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.text(key)?.as_str() {
            "true" | "1" | "True" => Some(true),
            _ => Some(false),
        }
    }

    /// An object or array: itself in JSON, JSON text in a form.
    pub fn json(&self, key: &str) -> Result<Option<Value>, ApiError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => {
                serde_json::from_str(text).map(Some).map_err(|_| refuse("invalid_arguments"))
            }
            Some(value) => Ok(Some(value.clone())),
        }
    }

    /// An array.
    pub fn array(&self, key: &str, wrong: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self.json(key).map_err(|_| refuse(wrong))? {
            None => Ok(None),
            Some(Value::Array(values)) => Ok(Some(values)),
            Some(_) => Err(refuse(wrong)),
        }
    }

    /// A comma list, or an array in JSON.
    pub fn list(&self, key: &str) -> Vec<String> {
        match self.values.get(key) {
            Some(Value::Array(values)) => {
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => self
                .text(key)
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

    /// A number.
    pub fn number(&self, key: &str) -> Option<usize> {
        self.text(key)?.parse().ok()
    }

    /// Whether the argument is there at all.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }
}

/// One part of a multipart body.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Bytes,
}

/// The parts of a `multipart/form-data` body; `None` when it is malformed.
pub fn multipart(content_type: &str, body: &Bytes) -> Option<Vec<Part>> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let marker = format!("--{}", boundary.trim_matches('"'));
    let mut parts = Vec::new();
    let mut at = find(body, marker.as_bytes(), 0)? + marker.len();
    loop {
        if body.get(at..at + 2) == Some(b"--") {
            return Some(parts);
        }
        let head_start = find(body, b"\r\n", at)? + 2;
        let head_end = find(body, b"\r\n\r\n", head_start.saturating_sub(2))?;
        let head = String::from_utf8_lossy(body.get(head_start..head_end.max(head_start))?).into_owned();
        let content_start = head_end + 4;
        let closing = format!("\r\n{marker}");
        let content_end = find(body, closing.as_bytes(), content_start)?;
        let name = head
            .split("name=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned();
        parts.push(Part { name, content: body.slice(content_start..content_end) });
        at = content_end + closing.len();
    }
}

fn find(body: &[u8], what: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| at + from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_bodies_keep_every_byte() {
        let body = Bytes::from_static(
            b"--xx\r\nContent-Disposition: form-data; name=\"body\"; filename=\"Untitled\"\r\n\r\na\r\n--x\r\n\r\n--xx--\r\n",
        );
        let parts = multipart("multipart/form-data; boundary=xx", &body).expect("well-formed");
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].name, "body");
        assert_eq!(&parts[0].content[..], b"a\r\n--x\r\n");
    }
}
