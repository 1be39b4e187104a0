//! Identifiers and times as Teams writes them. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An id as one segment of a path: `19:x@thread.tacv2` becomes `19%3Ax%40thread.tacv2`.
pub(crate) fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

/// A conversation id of bot traffic taken apart: the channel or chat, and the root after `;messageid=`.
pub(crate) fn split_conversation(id: &str) -> (&str, Option<&str>) {
    match id.split_once(";messageid=") {
        Some((base, root)) => (base, Some(root).filter(|root| !root.is_empty())),
        None => (id, None),
    }
}

/// The conversation id that routes a bot's message into a thread.
pub(crate) fn in_thread(conversation: &str, root: Option<&str>) -> String {
    match root {
        Some(root) if is_channel(conversation) => format!("{conversation};messageid={root}"),
        _ => conversation.to_owned(),
    }
}

/// Whether the id names a channel: `…@thread.tacv2`, or `…@thread.skype` of older ones.
pub(crate) fn is_channel(conversation: &str) -> bool {
    conversation.ends_with("@thread.tacv2") || conversation.ends_with("@thread.skype")
}

/// Whether the id names the personal chat with the bot, whose opaque id Graph does not know.
pub(crate) fn is_personal(conversation: &str) -> bool {
    conversation.starts_with("a:")
}

/// Whether the id names a chat between people, in which the app may be.
pub(crate) fn is_chat(conversation: &str) -> bool {
    !is_channel(conversation) && !is_personal(conversation)
}

/// Graph's id of the personal chat of a person with the bot.
pub(crate) fn personal_chat(object_id: &str, app_id: &str) -> String {
    format!("19:{object_id}_{app_id}@unq.gbl.spaces")
}

/// Whether an account of bot traffic is the bot of this app.
pub(crate) fn is_bot(account: &str, app_id: &str) -> bool {
    account.strip_prefix("28:").is_some_and(|id| !app_id.is_empty() && id.eq_ignore_ascii_case(app_id))
}

/// Message ids are the milliseconds since 1970 at which the message was made.
pub(crate) fn message_ms(id: &str) -> Option<i64> {
    id.parse().ok().filter(|ms| (1_000_000_000_000..100_000_000_000_000).contains(ms))
}

/// ISO 8601 with up to seven fractional digits and any offset, in milliseconds since 1970.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// UTC with milliseconds, as Graph takes it.
pub(crate) fn format_time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |time| format!("{time:.3}"))
}

/// What a change notification is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Resource {
    /// The team's GUID, for channels.
    pub(crate) team: Option<String>,
    /// The channel or chat.
    pub(crate) conversation: String,
    /// The message.
    pub(crate) message: String,
    /// The root of its thread, where it is a reply.
    pub(crate) root: Option<String>,
}

/// Reads `teams('T')/channels('C')/messages('M')/replies('R')`, `chats('H')/messages('M')` and the same with
/// slashes. `None` for anything else.
pub(crate) fn parse_resource(text: &str) -> Option<Resource> {
    let mut parts: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start_matches('/');
    while !rest.is_empty() {
        let end = rest.find(['(', '/'])?;
        let name = rest[..end].to_ascii_lowercase();
        let (value, after) = if rest[end..].starts_with('(') {
            let quoted = rest[end + 1..].strip_prefix('\'')?;
            let close = quoted.find("')")?;
            (&quoted[..close], &quoted[close + 2..])
        } else {
            let slash = &rest[end + 1..];
            slash.split_at(slash.find('/').unwrap_or(slash.len()))
        };
        parts.push((name, percent_decode_str(value).decode_utf8().ok()?.into_owned()));
        rest = after.trim_start_matches('/');
    }
    if parts.iter().any(|(_, value)| value.is_empty()) {
        return None;
    }
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    let mut values = parts.iter().map(|(_, value)| value.clone());
    let mut next = || values.next().unwrap_or_default();
    match names.as_slice() {
        ["teams", "channels", "messages"] => {
            Some(Resource { team: Some(next()), conversation: next(), message: next(), root: None })
        }
        ["teams", "channels", "messages", "replies"] => {
            let (team, conversation, root) = (Some(next()), next(), Some(next()));
            Some(Resource { team, conversation, message: next(), root })
        }
        ["chats", "messages"] => {
            Some(Resource { team: None, conversation: next(), message: next(), root: None })
        }
        _ => None,
    }
}

/// Two service URLs name the same service: compared without a trailing slash.
pub(crate) fn same_service(a: &str, b: &str) -> bool {
    a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'))
}

/// Where the bot's token may be sent.
pub(crate) struct Services(Vec<Service>);

enum Service {
    /// By HTTPS on its usual port.
    Host(String),
    Origin(url::Origin),
}

impl Services {
    /// From entries that are a host, or a whole origin such as `http://127.0.0.1:4101`.
    pub(crate) fn new(entries: &[String]) -> Self {
        let service = |entry: &String| {
            if entry.contains("://") {
                url::Url::parse(entry).ok().map(|entry| Service::Origin(entry.origin()))
            } else {
                Some(Service::Host(entry.clone()))
            }
        };
        Self(entries.iter().filter_map(service).collect())
    }

    /// Whether an address is one of a listed service.
    pub(crate) fn include(&self, url: &url::Url) -> bool {
        let anonymous = url.username().is_empty() && url.password().is_none();
        anonymous
            && self.0.iter().any(|service| match service {
                Service::Host(host) => {
                    url.scheme() == "https" && url.port().is_none() && url.host_str() == Some(host.as_str())
                }
                Service::Origin(origin) => url.origin() == *origin,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_conversation_comes_apart_and_together() {
        let id = "19:abc@thread.tacv2;messageid=1767326091220";
        assert_eq!(split_conversation(id), ("19:abc@thread.tacv2", Some("1767326091220")));
        assert_eq!(in_thread("19:abc@thread.tacv2", Some("1767326091220")), id);
        assert_eq!(split_conversation("a:1x"), ("a:1x", None));
        // Chats have no threads: a root must not make up an address there.
        assert_eq!(in_thread("19:abc@thread.v2", Some("1")), "19:abc@thread.v2");
    }

    #[test]
    fn resources_of_both_spellings_are_read() {
        let reply = Resource {
            team: Some("t-1".into()),
            conversation: "19:c@thread.tacv2".into(),
            message: "20".into(),
            root: Some("10".into()),
        };
        for text in [
            "teams('t-1')/channels('19:c@thread.tacv2')/messages('10')/replies('20')",
            "/Teams('t-1')/Channels('19%3ac%40thread.tacv2')/Messages('10')/Replies('20')",
            "teams/t-1/channels/19:c@thread.tacv2/messages/10/replies/20",
        ] {
            assert_eq!(parse_resource(text), Some(reply.clone()), "{text}");
        }
        let chat = parse_resource("chats('19:h@thread.v2')/messages('5')").unwrap();
        assert_eq!((chat.conversation.as_str(), chat.message.as_str()), ("19:h@thread.v2", "5"));
        for text in [
            "",
            "teams",
            "teams('",
            "teams('x",
            "chats('19:h@thread.v2')",
            "teams('')/channels('')/messages('')",
            "users('u')/messages('m')",
        ] {
            assert_eq!(parse_resource(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_every_precision_are_read() {
        assert_eq!(parse_time("2026-01-03T20:03:30.05Z"), Some(1_767_470_610_050));
        assert_eq!(parse_time("2026-01-02T03:55:18.9534472Z"), Some(1_767_326_118_953));
        assert_eq!(parse_time("2021-06-03T14:25:04+05:30"), Some(1_622_710_504_000));
        assert_eq!(parse_time("soon"), None);
        assert_eq!(format_time(1_767_470_610_050), "2026-01-03T20:03:30.050Z");
        assert_eq!(message_ms("1767470610050"), Some(1_767_470_610_050));
        assert_eq!(message_ms("f:dd6ec311"), None);
    }

    #[test]
    fn a_token_goes_to_listed_hosts_only() {
        let listed = ["smba.trafficmanager.net", "http://127.0.0.1:4101", "://"].map(str::to_owned);
        let services = Services::new(&listed);
        let allowed = |url: &str| url::Url::parse(url).is_ok_and(|url| services.include(&url));
        assert!(allowed("https://smba.trafficmanager.net/amer/x/"));
        assert!(allowed("http://127.0.0.1:4101/amer/"));
        for bad in [
            "http://smba.trafficmanager.net/amer/",
            "https://smba.trafficmanager.net:8443/",
            "https://smba.trafficmanager.net.evil.example/",
            "https://user:pw@smba.trafficmanager.net/",
            "https://evil.example/smba.trafficmanager.net",
            "http://127.0.0.1:4102/",
            "not a url",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[test]
    fn ids_are_one_segment_of_a_path() {
        assert_eq!(segment("19:a/b@thread.tacv2;messageid=1"), "19%3Aa%2Fb%40thread.tacv2%3Bmessageid%3D1");
    }
}
