//! Slack's identifiers: opaque text, except that a message's `ts` tells its time and its order.

use dragoman_model::{Platform, Version};

/// The platform's name.
pub const PLATFORM: Platform = Platform("slack");

/// Microseconds of a `ts`, `seconds.micros`.
pub(crate) fn micros(ts: &str) -> Option<i64> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !digits(seconds) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let padded: i64 = format!("{fraction:0<6}").parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(padded)
}

/// Milliseconds of a `ts`; 0 where it is none.
pub(crate) fn millis(ts: &str) -> i64 {
    micros(ts).map_or(0, |micros| micros / 1_000)
}

/// A `ts` as a version.
pub(crate) fn version(ts: &str) -> Option<Version> {
    micros(ts).map(Version)
}

/// A moment in the form of a `ts`, for ranges.
pub(crate) fn ts_of(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{:010}.{:06}", ms / 1_000, ms % 1_000 * 1_000)
}

/// The root of a thread, where the message is a reply in it: the root itself carries its own `ts` there, and
/// `0000000000.000000` means none.
pub(crate) fn root<'a>(ts: &str, thread_ts: Option<&'a str>) -> Option<&'a str> {
    thread_ts.filter(|root| *root != ts && micros(root).is_some_and(|micros| micros > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ts_is_read_exactly_and_written_back() {
        assert_eq!(micros("1718856814.111759"), Some(1_718_856_814_111_759));
        assert_eq!(micros("1718856814.1"), Some(1_718_856_814_100_000));
        assert_eq!(micros("1718856814"), Some(1_718_856_814_000_000));
        for bad in ["", ".", "x", "1.2.3", "-1.0", "1.0000000", "99999999999999999999.0"] {
            assert_eq!(micros(bad), None, "{bad}");
        }
        assert_eq!(ts_of(1_718_856_814_111), "1718856814.111000");
        assert_eq!(ts_of(-5), "0000000000.000000");
        assert!(ts_of(0) < ts_of(1), "text order is time order");
    }

    #[test]
    fn only_replies_have_a_root() {
        assert_eq!(root("2.000000", Some("1.000000")), Some("1.000000"));
        assert_eq!(root("2.000000", Some("2.000000")), None);
        assert_eq!(root("2.000000", Some("0000000000.000000")), None);
        assert_eq!(root("2.000000", None), None);
    }
}
