//! Which addresses may become links.

const SCHEMES: [&str; 4] = ["http", "https", "mailto", "tel"];

/// How Webex's client names one of its messages ("Add Links for Meetings or Spaces with webexteams Protocol"). Nothing
/// else of that scheme passes: other addresses of it call people.
const WEBEX_SPACE: &str = "webexteams://im?space=";
const WEBEX_MESSAGE: &str = "&message=";

/// The space and the message that an address of Webex's client names, by their UUIDs.
pub fn webex_message(url: &str) -> Option<(&str, &str)> {
    let (space, message) = url.trim().strip_prefix(WEBEX_SPACE)?.split_once(WEBEX_MESSAGE)?;
    (is_uuid(space) && is_uuid(message)).then_some((space, message))
}

/// The address under which Webex's client shows a message of a space, both by their UUIDs.
pub fn webex_address(space: &str, message: &str) -> Option<String> {
    let known = is_uuid(space) && is_uuid(message);
    known.then(|| format!("{WEBEX_SPACE}{space}{WEBEX_MESSAGE}{message}"))
}

/// What links on Webex may carry: what links carry everywhere, and addresses of messages.
pub(crate) fn webex_url(url: &str) -> Option<&str> {
    link_url(url).or_else(|| webex_message(url).map(|_| url.trim()))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The address as a link may carry it: one of http, https, mailto, tel, without white space or control
/// characters. `None` means that it stays text.
pub fn link_url(url: &str) -> Option<&str> {
    let url = url.trim();
    let (scheme, rest) = url.split_once(':')?;
    let known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let clean = !rest.is_empty() && !url.chars().any(|c| c.is_whitespace() || c.is_control());
    (known && clean).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: &str = "1f2e3d4c-0000-4000-8000-00000000000a";
    const MESSAGE: &str = "1F2E3D4C-0000-4000-8000-00000000000B";

    #[test]
    fn of_the_clients_scheme_only_addresses_of_messages_pass_and_only_on_webex() {
        let address = webex_address(SPACE, MESSAGE).unwrap();
        assert_eq!(webex_message(&address), Some((SPACE, MESSAGE)));
        assert_eq!(webex_url(&address), Some(address.as_str()));
        assert_eq!(link_url(&address), None);
        for bad in [
            "webexteams://meet?sip=somebody@example.com",
            "webexteams://im?email=somebody@example.com",
            "webexteams://im?space=x&message=y",
            &format!("{address}&call=1"),
            &format!("WEBEXTEAMS://im?space={SPACE}&message={MESSAGE}"),
            "javascript:alert(1)",
            "webexteams://im?space=é-e3d4c-0000-4000-8000-00000000000a&message=",
        ] {
            assert_eq!(webex_url(bad), None, "{bad}");
        }
        assert_eq!(webex_address("room", MESSAGE), None);
    }
}
