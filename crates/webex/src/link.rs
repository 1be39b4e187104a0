//! The next page of a list, as RFC 8288 names it.

use http::HeaderMap;
use http::header::LINK;
use url::Url;

/// The address of the next page. It is followed as it is; only this header tells whether there is one.
pub(crate) fn next(headers: &HeaderMap) -> Option<Url> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(links).find_map(|(url, relation)| {
        let next = relation.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"));
        next.then(|| Url::parse(&url).ok()).flatten()
    })
}

/// Addresses with their relations. Addresses may hold commas, so the angle brackets part them.
fn links(value: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((url, parameters)) = after.split_once('>') else { break };
        let (own, other) = parameters.split_once('<').map_or((parameters, ""), |(own, other)| {
            (own, &parameters[parameters.len() - other.len() - 1..])
        });
        let relation = own
            .split([';', ','])
            .filter_map(|parameter| parameter.trim().split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
            .map(|(_, relation)| relation.trim().trim_matches('"').to_owned());
        found.push((url.to_owned(), relation.unwrap_or_default()));
        rest = other;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, value.parse().unwrap());
        }
        next(&headers).map(String::from)
    }

    #[test]
    fn the_next_page_is_found_among_others() {
        let next = "https://api.example/v1/messages?roomId=a,b&max=2";
        for values in [
            &[r#"<https://api.example/v1/messages?roomId=a,b&max=2>; rel="next""#][..],
            &["<https://api.example/v1/messages?roomId=a,b&max=2>;rel=next"],
            &[
                r#"<https://api.example/first>; rel="first", <https://api.example/v1/messages?roomId=a,b&max=2>; title="x"; REL="Next prefetch""#,
            ],
            &[
                r#"<https://api.example/first>; rel="first""#,
                "<https://api.example/v1/messages?roomId=a,b&max=2>; rel=next",
            ],
        ] {
            assert_eq!(next_of(values).as_deref(), Some(next), "{values:?}");
        }
        for values in
            [&[][..], &["<https://api.example/>; rel=prev"], &["next"], &["<no url>; rel=next"], &["<"]]
        {
            assert_eq!(next_of(values), None, "{values:?}");
        }
    }
}
