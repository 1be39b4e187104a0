//! Addresses of messages, as the client's "Copy link to message" makes them: base64 of JSON with the channel's address
//! in Zoom's own network, the message and its time.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::STANDARD as PADDED;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dragoman_model::{RemoteConversation, RemoteMessage};
use dragoman_platform::{Conversation, Failure, Session};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::catchup;
use crate::client::Client;
use crate::ids;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const EITHER: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&STANDARD, LENIENT), GeneralPurpose::new(&URL_SAFE, LENIENT)];

/// Hosts of the clients: the vanity addresses of accounts end like this.
const HOSTS: [&str; 2] = ["zoom.us", "zoomgov.com"];
const PATH: &str = "/launch/chat/v2/";
/// Where channels live in Zoom's own network.
const CHANNELS: &str = "conference.xmpp.zoom.us";

#[derive(Serialize, Deserialize)]
struct Target {
    /// The channel, with where it lives.
    sid: String,
    /// The message.
    #[serde(default)]
    mid: String,
    /// Its time, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<i64>,
}

/// The message of a channel that an address means. Pure.
pub(crate) fn linked(channel: &RemoteConversation, address: &str) -> Option<RemoteMessage> {
    let url = Url::parse(address).ok()?;
    let host = url.host_str()?;
    let known = HOSTS
        .iter()
        .any(|end| host.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('.')));
    if url.scheme() != "https" || !known {
        return None;
    }
    let packed = url.path().strip_prefix(PATH)?.replace("%3D", "=");
    let json = EITHER.iter().find_map(|engine| engine.decode(&packed).ok())?;
    let target: Target = serde_json::from_slice(&json).ok()?;
    let (id, place) = target.sid.split_once('@')?;
    let here = place.starts_with("conference.") && id.eq_ignore_ascii_case(channel.as_str());
    (here && !target.mid.trim().is_empty()).then(|| ids::message(&target.mid))
}

/// The address of a message. Pure.
pub(crate) fn address(channel: &RemoteConversation, message: &str, sent_ms: i64) -> String {
    let time = Some(sent_ms).filter(|sent_ms| *sent_ms > 0);
    let target = Target { sid: format!("{channel}@{CHANNELS}"), mid: message.to_owned(), time };
    // Text and a number: this cannot fail.
    let json = serde_json::to_vec(&target).unwrap_or_default();
    format!("https://zoom.us{PATH}{}", PADDED.encode(json))
}

/// The address of a message as it is written where it stands. Direct conversations have other names in Zoom's own
/// network than for apps.
pub(crate) async fn link(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
    message: &RemoteMessage,
) -> Result<Option<String>, Failure> {
    if ids::is_direct(&conversation.remote) {
        return Ok(None);
    }
    let Some(found) = catchup::look(client, session, conversation, message).await? else { return Ok(None) };
    let written = client.memory.forms(message).into_iter().next();
    let written = written.as_deref().unwrap_or(message.as_str());
    Ok(Some(address(&conversation.remote, written, found.sent_at_ms)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0A1B2C3D-0000-4000-8000-0123456789AB";

    #[test]
    fn an_address_means_a_message_of_its_channel() {
        let here = RemoteConversation::from("7886237a99ff");
        let made = address(&here, &ID.to_ascii_lowercase(), 1_767_326_118_953);
        assert_eq!(linked(&here, &made), Some(ID.into()));
        assert_eq!(linked(&"7886237a99f0".into(), &made), None);
        let vanity = made.replace("https://zoom.us/", "https://kestrel.zoom.us/").replace('=', "");
        assert_eq!(linked(&here, &vanity), Some(ID.into()));
        let packed = |json: &str| format!("https://zoom.us{PATH}{}", PADDED.encode(json));
        for bad in [
            made.replace("https://zoom.us/", "https://zoom.us.evil.example/"),
            made.replace("https://zoom.us/", "https://evilzoom.us/"),
            made.replace("https://", "http://"),
            made.replace("/v2/", "/v3/"),
            format!("https://zoom.us{PATH}!!!"),
            packed("[]"),
            packed(r#"{"sid":"7886237a99ff@conference.xmpp.zoom.us"}"#),
            packed(r#"{"sid":"7886237a99ff@xmpp.zoom.us","mid":"x"}"#),
            packed(r#"{"sid":"7886237a99ff","mid":"x"}"#),
        ] {
            assert_eq!(linked(&here, &bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_made_is_read(channel in "[0-9a-f]{8,32}", message in "[!-~é]{1,40}", sent_ms in 0_i64..4_000_000_000_000) {
            let channel = RemoteConversation::from(channel);
            prop_assert_eq!(linked(&channel, &address(&channel, &message, sent_ms)), Some(ids::message(&message)));
        }

        #[test]
        fn any_text_is_read(text in ".*", tail in "[ -~é]{0,60}") {
            let here = RemoteConversation::from("7886237a99ff");
            let _ = linked(&here, &text);
            let _ = linked(&here, &format!("https://zoom.us{PATH}{tail}"));
        }
    }
}
