//! Webex's identifiers: base64 of `ciscospark://<cluster>/<TYPE>/<key>`. In requests they are opaque; they are
//! looked into only to compare people and organisations, which some places name by the bare key.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dragoman_model::{Platform, RemoteConversation, RemoteMessage, RemoteUser, RemoteWorkspace, Version};
use jiff::Timestamp;

/// The platform's name.
pub const PLATFORM: Platform = Platform("webex");

const SCHEME: &str = "ciscospark://";

/// Documentation examples are cut anywhere, so trailing bits and padding may be what they like.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an id says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Parts {
    /// The region, with colons.
    pub(crate) cluster: String,
    /// `MESSAGE`, `ROOM`, `PEOPLE`.
    pub(crate) kind: String,
    /// Mostly a UUID; may hold slashes.
    pub(crate) key: String,
}

/// Looks into an id. `None`: it is none of this form.
pub(crate) fn parts(id: &str) -> Option<Parts> {
    let text = decoded(id)?;
    let (cluster, rest) = text.strip_prefix(SCHEME)?.split_once('/')?;
    let (kind, key) = rest.split_once('/')?;
    let filled = !cluster.is_empty() && !kind.is_empty() && !key.is_empty();
    filled.then(|| Parts { cluster: cluster.to_owned(), kind: kind.to_owned(), key: key.to_owned() })
}

fn decoded(id: &str) -> Option<String> {
    let id = id.trim().trim_end_matches('=').replace('+', "-").replace('/', "_");
    String::from_utf8(LENIENT.decode(id).ok()?).ok()
}

fn encoded(cluster: &str, kind: &str, key: &str) -> String {
    STANDARD_NO_PAD.encode(format!("{SCHEME}{cluster}/{kind}/{key}"))
}

/// Whether a text is a bare UUID.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// An id in its one form; what is none of Webex's stays as it is.
fn settled(id: &str) -> String {
    match parts(id) {
        Some(parts) if is_uuid(&parts.key) => {
            encoded(&parts.cluster, &parts.kind, &parts.key.to_ascii_lowercase())
        }
        Some(parts) => encoded(&parts.cluster, &parts.kind, &parts.key),
        None => id.trim().trim_end_matches('=').to_owned(),
    }
}

/// A person, by the public id whatever form the id comes in: people are of the cluster `us` everywhere.
pub(crate) fn person(id: &str) -> RemoteUser {
    let id = id.trim();
    match parts(id) {
        Some(parts) if parts.kind == "PEOPLE" => {
            RemoteUser::from(encoded("us", "PEOPLE", &parts.key.to_ascii_lowercase()))
        }
        None if is_uuid(id) => RemoteUser::from(encoded("us", "PEOPLE", &id.to_ascii_lowercase())),
        _ => RemoteUser::from(settled(id)),
    }
}

/// A message of a space: by its key alone where it lives in the space's region, as it does as far as is known, so that
/// it stays the same when the space is moved to another.
pub(crate) fn message(room: &str, id: &str) -> RemoteMessage {
    match (parts(room), parts(id)) {
        (Some(room), Some(found))
            if found.kind == "MESSAGE" && found.cluster == room.cluster && is_uuid(&found.key) =>
        {
            RemoteMessage::from(found.key.to_ascii_lowercase())
        }
        _ => RemoteMessage::from(settled(id)),
    }
}

/// The id of a message of a space, as requests name it.
pub(crate) fn public_message(room: &str, message: &str) -> String {
    match parts(room) {
        Some(room) if is_uuid(message) => encoded(&room.cluster, "MESSAGE", message),
        _ => message.to_owned(),
    }
}

/// A space.
pub(crate) fn room(id: &str) -> RemoteConversation {
    RemoteConversation::from(settled(id))
}

/// An organisation, by its bare UUID: documentation and older answers give it so, others as an id.
pub(crate) fn organisation(id: &str) -> RemoteWorkspace {
    let key = match parts(id) {
        Some(parts) => parts.key,
        None => decoded(id).filter(|text| is_uuid(text)).unwrap_or_else(|| id.trim().to_owned()),
    };
    RemoteWorkspace::from(key.to_ascii_lowercase())
}

/// Whether two ids name the same thing: by their keys, as the cluster is not the same everywhere.
pub(crate) fn same(a: &str, b: &str) -> bool {
    let key =
        |id: &str| parts(id).map_or_else(|| id.trim().to_owned(), |parts| parts.key).to_ascii_lowercase();
    key(a) == key(b)
}

/// The last part of an address of a file, which is the id of its content.
pub(crate) fn content(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    settled(path.rsplit('/').next().unwrap_or_default())
}

/// Milliseconds since 1970 of a time as Webex writes it.
pub(crate) fn millis(time: &str) -> Option<i64> {
    time.trim().parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// A time as Webex reads it.
pub(crate) fn time(ms: i64) -> String {
    let ms = ms.max(0);
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The state of a message: when it was edited last. Never edited is a state as well: an edit that was missed is
/// newer than it.
pub(crate) fn version(updated: Option<&str>) -> Version {
    Version(updated.and_then(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_ids_are_read_and_made_as_they_were() {
        let Some(folder) = dragoman_testkit::payloads() else { return };
        let file = std::fs::read(folder.join("webex/vectors/ids.json")).unwrap();
        let vectors: serde_json::Value = serde_json::from_slice(&file).unwrap();
        let mut count = 0;
        for list in ["real", "built"] {
            for vector in vectors[list].as_array().into_iter().flatten() {
                let text = |key: &str| vector[key].as_str().unwrap_or_default();
                let (Some(id), true) = (vector["id"].as_str(), !text("key").is_empty()) else { continue };
                let found = parts(id).unwrap();
                assert_eq!(
                    (found.cluster.as_str(), found.kind.as_str(), found.key.as_str()),
                    (text("cluster"), text("type"), text("key"))
                );
                assert_eq!(encoded(&found.cluster, &found.kind, &found.key), id);
                assert_eq!(settled(id), id);
                count += 1;
            }
        }
        assert!(count > 20, "{count} ids");
    }

    #[test]
    fn people_are_the_same_in_every_form() {
        let uuid = "1F2e3d4c-0000-4000-8000-00000000000A";
        let public = STANDARD_NO_PAD.encode("ciscospark://us/PEOPLE/1f2e3d4c-0000-4000-8000-00000000000a");
        assert_eq!(person(uuid).as_str(), public);
        assert_eq!(person(&public).as_str(), public);
        assert_eq!(person(&format!("{public}==")).as_str(), public);
        let elsewhere = STANDARD_NO_PAD.encode(format!("ciscospark://urn:TEAM:eu-central-1_k/PEOPLE/{uuid}"));
        assert_eq!(person(&elsewhere).as_str(), public);
        assert!(same(&elsewhere, uuid) && !same(&elsewhere, "1f2e3d4c-0000-4000-8000-00000000000b"));
        assert_eq!(person("person_id").as_str(), "person_id");
    }

    #[test]
    fn messages_are_named_by_their_key_in_the_region_of_their_space() {
        let uuid = "1f2e3d4c-0000-4000-8000-00000000000a";
        let id = |cluster: &str, kind: &str| {
            STANDARD_NO_PAD.encode(format!("ciscospark://{cluster}/{kind}/{uuid}"))
        };
        let (here, there) = ("urn:TEAM:eu-central-1_k", "us");
        assert_eq!(message(&id(here, "ROOM"), &id(here, "MESSAGE")).as_str(), uuid);
        assert_eq!(public_message(&id(here, "ROOM"), uuid), id(here, "MESSAGE"));
        assert_eq!(public_message(&id(there, "ROOM"), uuid), id(there, "MESSAGE"), "the space was moved");
        // In another region than its space, or in a space whose id says nothing, it keeps its whole id.
        for room in [id(there, "ROOM"), "room_id".to_owned()] {
            let found = message(&room, &id(here, "MESSAGE"));
            assert_eq!(found.as_str(), id(here, "MESSAGE"));
            assert_eq!(public_message(&room, found.as_str()), id(here, "MESSAGE"));
        }
    }

    #[test]
    fn organisations_are_the_same_in_every_form() {
        let uuid = "1f2e3d4c-0000-4000-8000-00000000000a";
        let public = STANDARD_NO_PAD.encode(format!("ciscospark://us/ORGANIZATION/{uuid}"));
        let bare = STANDARD_NO_PAD.encode(uuid);
        for id in [public.as_str(), bare.as_str(), uuid] {
            assert_eq!(organisation(id).as_str(), uuid);
        }
    }

    #[test]
    fn odd_ids_stay_as_they_are() {
        for id in ["", "x", "room_id", "!!!", "Y2lzY29zcGFyazovLw", "é"] {
            assert_eq!(parts(id), None, "{id}");
            assert_eq!(room(id).as_str(), id);
        }
        let file = STANDARD_NO_PAD.encode("ciscospark://us/CONTENT/abc/0");
        assert_eq!(content(&format!("https://api.example/v1/contents/{file}?x=1")), file);
        assert_eq!(parts(&file).unwrap().key, "abc/0");
    }

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(millis("2026-03-02T20:26:02.321Z"), Some(1_772_483_162_321));
        assert_eq!(millis("2015-10-18T14:26:16+00:00"), Some(1_445_178_376_000));
        assert_eq!(millis("yesterday"), None);
        assert_eq!(time(1_772_483_162_321), "2026-03-02T20:26:02.321Z");
        assert_eq!(time(-1), "1970-01-01T00:00:00.000Z");
        assert!(version(None) < version(Some("2026-03-02T20:26:02.321Z")));
    }
}
