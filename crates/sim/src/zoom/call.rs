//! A request below `/v2` once it is understood: who acts, with which parameters and body.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config::AppKind;
use super::desk::Desk;
use super::error::{ApiError, bad_json, invalid, no_user, refuse};
use super::state::{Token, TokenKind};
use crate::core::Blob;
use crate::core::multipart::{FormError, FormPart, Parameter};

/// A part of a multipart body.
#[derive(Debug, Clone)]
pub struct Part {
    /// Name.
    pub name: String,
    /// File name, for files.
    pub filename: Option<String>,
    /// Content, as far as it was kept.
    pub content: Blob,
    /// How many bytes came.
    pub size: u64,
}

/// A request.
pub struct Call {
    /// Its token.
    pub token: Token,
    /// Kind of the token's app.
    pub kind: AppKind,
    /// What stood for the placeholders of the path, decoded.
    pub path: Vec<String>,
    /// Path and query without `next_page_token`: names the list that a mark belongs to.
    pub list: String,
    /// Query.
    pub query: BTreeMap<String, String>,
    /// JSON body; null without one.
    pub body: Value,
    /// Multipart body.
    pub parts: Vec<Part>,
    /// Whether the address that the body names answered a validation, where that was asked.
    pub validated: bool,
}

/// What a call answers: a status and, unless it is null, a body.
pub type Reply = Result<(u16, Value), ApiError>;

impl Call {
    /// A parameter of the query that is not empty.
    pub fn query(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A truth value of the query.
    pub fn flag(&self, key: &str) -> bool {
        self.query(key) == Some("true")
    }

    /// `page_size` with its default and its most.
    ///
    /// # Errors
    /// When it is no number or out of range.
    pub fn page_size(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        match self.query("page_size") {
            None => Ok(default),
            Some(text) => match text.parse() {
                Ok(size) if (1..=most).contains(&size) => Ok(size),
                _ => Err(invalid("page_size")),
            },
        }
    }

    /// The body as an object with no other members than these.
    ///
    /// # Errors
    /// When it is no object, or has another member and bodies are read strictly.
    pub fn object(&self, desk: &Desk<'_>, allowed: &[&str]) -> Result<&Map<String, Value>, ApiError> {
        let body = self.body.as_object().ok_or_else(bad_json)?;
        if desk.config.doubts.strict_bodies && body.keys().any(|key| !allowed.contains(&key.as_str())) {
            return Err(bad_json());
        }
        Ok(body)
    }

    /// A text of the body.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body[key].as_str()
    }

    /// A text part of a multipart body.
    pub fn part(&self, name: &str) -> Option<String> {
        self.parts
            .iter()
            .find(|part| part.name == name && part.filename.is_none())
            .map(|part| String::from_utf8_lossy(&part.content.to_vec()).into_owned())
    }

    /// Whom the `{userId}` of the path (its first placeholder) means.
    ///
    /// # Errors
    /// When the app must pass `me`, or the person is not of the account.
    pub fn acting(&self, desk: &Desk<'_>) -> Result<String, ApiError> {
        self.acting_as(desk, self.path.first().map_or("me", String::as_str))
    }

    /// Whom a user id (or `me`, or an e-mail address) means to the token.
    ///
    /// # Errors
    /// See [`Call::acting`].
    pub fn acting_as(&self, desk: &Desk<'_>, who: &str) -> Result<String, ApiError> {
        if self.kind == AppKind::User {
            if who == "me" {
                return Ok(self.token.user.clone());
            }
            let text =
                "Unauthorized request. You do not have permission to access this user's chat messages.";
            return Err(refuse(400, 200, text));
        }
        if who == "me" {
            if self.token.kind == TokenKind::User && desk.config.doubts.me_in_admin_apps {
                return Ok(self.token.user.clone());
            }
            return Err(no_user("me"));
        }
        let person = desk.state.find(who)?;
        if person.account != self.token.account {
            return Err(no_user(who));
        }
        if self.token.kind == TokenKind::User && !desk.state.person(&self.token.user)?.admin {
            return Err(refuse(403, 200, "No permission."));
        }
        Ok(person.id.clone())
    }

    /// The conversation that the query names, for a person.
    ///
    /// # Errors
    /// When it is unknown to the person.
    pub fn target(&self, desk: &mut Desk<'_>, user: &str) -> Result<String, ApiError> {
        let (channel, contact) = (self.query("to_channel"), self.query("to_contact"));
        desk.target(user, channel, contact)
    }

    /// The conversation that the body names, for a person.
    ///
    /// # Errors
    /// When it is unknown to the person.
    pub fn body_target(&self, desk: &mut Desk<'_>, user: &str) -> Result<String, ApiError> {
        desk.target(user, self.text("to_channel"), self.text("to_contact"))
    }
}

/// The parts of a multipart body. Every name in a `Content-Disposition` has to be quoted.
///
/// # Errors
/// When it is malformed.
pub fn multipart(form: Result<Vec<FormPart>, FormError>) -> Result<Vec<Part>, ApiError> {
    let wrong = || refuse(400, 300, "Invalid 'Content-Disposition' in multipart form");
    let quoted = |given: Option<Parameter>| match given {
        Some(given) if !given.quoted => Err(wrong()),
        given => Ok(given.map(|given| given.value)),
    };
    let part = |part: FormPart| {
        let name = quoted(part.parameter("name"))?.ok_or_else(wrong)?;
        let filename = quoted(part.parameter("filename"))?;
        // As browsers write what would end the name.
        let filename = filename.map(|name| name.replace("%22", "\""));
        Ok(Part { name, filename, content: part.content, size: part.size })
    };
    form.map_err(|_| wrong())?.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::core::multipart::form;

    #[tokio::test]
    async fn names_in_multipart_bodies_must_be_quoted() {
        let read = async |name: &str| {
            let body = format!(
                "--xx\r\nContent-Disposition: form-data; name={name}; filename=\"a;b.txt\"\r\n\
                 Content-Type: text/plain\r\n\r\nab\r\ncd\r\n--xx--\r\n"
            );
            multipart(form("multipart/form-data; boundary=xx", Body::from(body), 100).await)
        };
        let parts = read("\"file\"").await.expect("well-formed");
        assert_eq!((parts[0].name.as_str(), parts[0].filename.as_deref()), ("file", Some("a;b.txt")));
        assert_eq!((&parts[0].content.to_vec()[..], parts[0].size), (&b"ab\r\ncd"[..], 6));
        let refused = read("file").await.map(|_| ());
        assert!(refused.is_err_and(|error| error.message.contains("Content-Disposition")));
    }
}
