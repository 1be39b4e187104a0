//! The one page that people see: the result of an installation.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::http::{Answer, respond};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1.5rem;\
color:#1d1d1f;background:#fff}h1{font-size:1.5rem;margin:0 0 .75rem}p{margin:0 0 .75rem;overflow-wrap:anywhere}\
@media(prefers-color-scheme:dark){body{color:#e8e8ed;background:#1c1c1e}}";

/// A page of a heading and paragraphs of plain text.
pub(crate) fn page(status: StatusCode, heading: &str, paragraphs: &[&str]) -> Answer {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{heading}</title><style>{STYLE}</style><h1>{heading}</h1>",
        heading = escape(heading)
    );
    for paragraph in paragraphs {
        html.push_str("<p>");
        html.push_str(&escape(paragraph));
        html.push_str("</p>");
    }
    html.push_str("</html>\n");
    let mut answer = respond(status, "text/html; charset=utf-8", html);
    let fixed: [(HeaderName, &'static str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        // The address holds the code and the state.
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn what_a_platform_says_stays_text() {
        let answer = page(StatusCode::OK, "<b>", &["<script>alert('x')</script> & more"]);
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let html = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more"), "{html}");
        assert!(!html.contains("<script") && !html.contains("<b>"));
    }
}
