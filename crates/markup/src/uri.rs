//! Which addresses may become links.

const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// The address as a link may carry it: one of http, https, mailto, tel, without white space or control
/// characters. `None` means that it stays text.
pub fn link_url(url: &str) -> Option<&str> {
    let url = url.trim();
    let (scheme, rest) = url.split_once(':')?;
    let known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let clean = !rest.is_empty() && !url.chars().any(|c| c.is_whitespace() || c.is_control());
    (known && clean).then_some(url)
}
