//! `Retry-After` as it occurs in the wild.

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// The longest wait that is believed, in milliseconds.
const LONGEST_MS: u64 = 24 * 3_600_000;

/// How long a platform asks us to wait, in milliseconds: whole seconds, fractions of seconds or an HTTP date.
/// `None` where the header is missing or makes no sense.
pub fn retry_after_ms(headers: &HeaderMap, now_ms: i64) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then(|| milliseconds(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait = at.as_millisecond().saturating_sub(now_ms);
    Some(u64::try_from(wait).unwrap_or(0).min(LONGEST_MS))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the value lies between 0 and a day"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).ceil().min(LONGEST_MS as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_the_header() {
        // 1994-11-06T08:49:37Z.
        let date_ms = 784_111_777_000;
        for (text, expected) in [
            ("30", Some(30_000)),
            (" 0 ", Some(0)),
            ("1.5", Some(1_500)),
            ("0.0004", Some(1)),
            ("99999999999", Some(LONGEST_MS)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7_000)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after_ms(&headers, date_ms - 7_000), expected, "{text}");
        }
        assert_eq!(retry_after_ms(&HeaderMap::new(), 0), None);
    }
}
