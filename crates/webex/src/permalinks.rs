//! Addresses of messages, as the client's "Copy message link" makes them. Pure.

use dragoman_markup::{webex_address, webex_message};
use dragoman_model::{RemoteConversation, RemoteMessage};

use crate::ids;

/// The message of a space that an address means.
pub(crate) fn linked(room: &RemoteConversation, address: &str) -> Option<RemoteMessage> {
    let (space, message) = webex_message(address)?;
    let here = ids::parts(room.as_str())?;
    here.key.eq_ignore_ascii_case(space).then(|| RemoteMessage::from(message.to_ascii_lowercase()))
}

/// The address of a message. `None`: its id, or that of its space, is none that the client knows.
pub(crate) fn link(room: &RemoteConversation, message: &RemoteMessage) -> Option<String> {
    let here = ids::parts(room.as_str())?;
    let key = ids::parts(message.as_str()).map(|parts| parts.key);
    webex_address(&here.key.to_ascii_lowercase(), key.as_deref().unwrap_or(message.as_str()))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn room(key: &str) -> RemoteConversation {
        RemoteConversation::from(STANDARD_NO_PAD.encode(format!("ciscospark://us/ROOM/{key}")))
    }

    const SPACE: &str = "1f2e3d4c-0000-4000-8000-00000000000a";

    #[test]
    fn addresses_mean_messages_of_their_space_only() {
        let message = RemoteMessage::from("1f2e3d4c-0000-4000-8000-00000000000b");
        let address = link(&room(SPACE), &message).unwrap();
        assert_eq!(linked(&room(SPACE), &address), Some(message));
        assert_eq!(linked(&room("1f2e3d4c-0000-4000-8000-00000000000c"), &address), None);
        assert_eq!(linked(&"room".into(), &address), None);
        assert_eq!(link(&"room".into(), &"1f2e3d4c-0000-4000-8000-00000000000b".into()), None);
        assert_eq!(link(&room(SPACE), &"m".into()), None);
    }

    proptest! {
        #[test]
        fn what_is_made_is_read(key in "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}") {
            let message = RemoteMessage::from(key.as_str());
            let made = link(&room(&key.to_ascii_uppercase()), &message).unwrap();
            prop_assert_eq!(linked(&room(&key), &made), Some(message));
        }

        #[test]
        fn any_text_is_read(text in ".*", tail in "[ -~é]{0,90}") {
            let _ = linked(&room(SPACE), &text);
            let _ = linked(&room(SPACE), &format!("webexteams://im?space={tail}"));
        }
    }
}
