//! What a message of Webex says.

/// The text of a message as `GET /messages/{id}` gives it. Its `markdown` is left out on purpose: it is absent
/// for what people type, and the service's `html` says the same.
#[derive(Clone, Copy)]
pub struct WebexInput<'a> {
    /// `html`; absent for plain typed text.
    pub html: Option<&'a str>,
    /// `text`: without line breaks and without the signs of mentions where there is an `html`.
    pub text: &'a str,
}
