//! Zoom's identifiers and the forms they come in.

use dragoman_model::{Emoji, Platform, RemoteConversation, RemoteMessage, RemoteUser};

/// The platform's name.
pub const PLATFORM: Platform = Platform("zoom");

/// A message id in its one form. Zoom gives the same UUID in upper or lower case, in lists sometimes in braces.
pub(crate) fn message(id: &str) -> RemoteMessage {
    let id = bare(id);
    RemoteMessage::from(if is_uuid(id) { id.to_ascii_uppercase() } else { id.to_owned() })
}

/// The id as Zoom wrote it, without braces.
pub(crate) fn bare(id: &str) -> &str {
    let id = id.trim();
    id.strip_prefix('{').and_then(|id| id.strip_suffix('}')).unwrap_or(id)
}

pub(crate) fn is_uuid(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The root of a thread, where the message is a reply in it. Old events name a root as its own parent.
pub(crate) fn root(own: &RemoteMessage, root: Option<&str>) -> Option<RemoteMessage> {
    let root = message(root.filter(|root| !root.trim().is_empty())?);
    (root != *own).then_some(root)
}

/// A direct conversation: its two people, whichever of them speaks. Deletions there name nothing else.
pub(crate) fn pair(one: &str, other: &str) -> RemoteConversation {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    RemoteConversation::from(format!("{first}:{second}"))
}

/// Whether this names a direct conversation.
pub(crate) fn is_direct(conversation: &RemoteConversation) -> bool {
    conversation.as_str().contains(':')
}

/// Whether this is a direct conversation of this person.
pub(crate) fn is_of(conversation: &RemoteConversation, person: &str) -> bool {
    let person = person.to_ascii_lowercase();
    let pair = conversation.as_str().split_once(':');
    !person.is_empty() && pair.is_some_and(|(one, other)| one == person || other == person)
}

/// A person by user id, strangers by member id: they have no other.
pub(crate) fn person(user_id: Option<&str>, member_id: Option<&str>) -> Option<RemoteUser> {
    [user_id, member_id].into_iter().flatten().map(str::trim).find(|id| !id.is_empty()).map(RemoteUser::from)
}

/// The emoji of `U+1f44d`, of a run of these, or of the name of a custom one.
pub(crate) fn emoji(written: &str) -> Emoji {
    let custom = || Emoji::Custom { name: written.to_owned(), url: None };
    let mut parts = written.split("U+");
    if parts.next().is_some_and(|before| !before.trim().is_empty()) {
        return custom();
    }
    let mut characters = String::new();
    for part in parts {
        let digits = part.trim_matches(|c: char| !c.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) {
            Some(character) => characters.push(character),
            None => return custom(),
        }
    }
    if characters.is_empty() { custom() } else { Emoji::Unicode(characters) }
}

/// An emoji's characters as reactions name them.
pub(crate) fn written_emoji(characters: &str) -> String {
    use std::fmt::Write as _;
    characters.chars().fold(String::new(), |mut text, character| {
        // Writing to a String cannot fail.
        let _ = write!(text, "U+{:X}", u32::from(character));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPPER: &str = "0A1B2C3D-0000-4000-8000-0123456789AB";

    #[test]
    fn one_message_has_one_id() {
        let lower = UPPER.to_ascii_lowercase();
        for form in [UPPER, &lower, &format!("{{{lower}}}"), &format!(" {UPPER} ")] {
            assert_eq!(message(form).as_str(), UPPER, "{form}");
        }
        assert_eq!(message("6dfgAB0egga").as_str(), "6dfgAB0egga", "what is no UUID is left as it is");
    }

    #[test]
    fn only_replies_have_a_root() {
        let own = message(UPPER);
        assert_eq!(root(&own, Some(&UPPER.to_ascii_lowercase())), None);
        assert_eq!(root(&own, Some("")), None);
        assert_eq!(root(&own, None), None);
        assert_eq!(root(&own, Some("other")), Some("other".into()));
    }

    #[test]
    fn a_direct_conversation_is_the_same_from_both_sides() {
        assert_eq!(pair("AbC", "xyz"), pair("XYZ", "abc"));
        assert!(is_direct(&pair("a", "b")));
        assert!(!is_direct(&"7886237a99ff".into()));
        assert!(is_of(&pair("AbC", "xyz"), "ABC") && is_of(&pair("AbC", "xyz"), "XYZ"));
        assert!(!is_of(&pair("abc", "xyz"), "ab") && !is_of(&pair("abc", "xyz"), ""));
        assert!(!is_of(&"abc".into(), "abc"));
    }

    #[test]
    fn emoji_are_runs_of_code_points_or_names() {
        let unicode = |text: &str| Emoji::Unicode(text.to_owned());
        assert!(emoji("U+1f44d") == unicode("\u{1f44d}"));
        for run in ["U+1F44DU+1F3FD", "U+1f44d U+1f3fd", "U+1F44D_U+1F3FD", "U+1F44D,U+1F3FD"] {
            assert!(emoji(run) == unicode("\u{1f44d}\u{1f3fd}"), "{run}");
        }
        for name in ["party", "U+", "U+zz", "U+D800", "xU+1F44D", ""] {
            assert!(matches!(emoji(name), Emoji::Custom { .. }), "{name}");
        }
        assert_eq!(written_emoji("\u{1f44d}\u{1f3fd}"), "U+1F44DU+1F3FD");
    }
}
