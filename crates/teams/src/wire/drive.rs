//! Graph's driveItem and uploadSession, as far as files of messages need them.

use dragoman_seal::Token;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::nullable;
use crate::ids::segment;

/// A folder.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Folder {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) parent_reference: Parent,
}

/// A file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Item {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) e_tag: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) web_url: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) parent_reference: Parent,
    #[serde(deserialize_with = "nullable")]
    pub(crate) created_by: Maker,
}

/// Who made an item: a person, an app, or the one through the other.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Maker {
    #[serde(deserialize_with = "nullable")]
    pub(crate) user: Drive,
    #[serde(deserialize_with = "nullable")]
    pub(crate) application: Drive,
}

/// A drive, or whoever has nothing but an id.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Drive {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
}

/// Somebody in a chat.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChatMember {
    #[serde(deserialize_with = "nullable")]
    pub(crate) user_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tenant_id: String,
}

/// What became of one recipient of an invitation.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Invited {
    pub(crate) error: Option<IgnoredAny>,
}

/// Where an item is.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Parent {
    #[serde(deserialize_with = "nullable")]
    pub(crate) drive_id: String,
}

/// An upload session. Its address is a secret: who has it can write the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UploadSession {
    #[serde(default = "nowhere")]
    pub(crate) upload_url: Token,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) next_expected_ranges: Vec<String>,
}

fn nowhere() -> Token {
    Token::new(String::new())
}

impl Item {
    /// The id by which messages refer to it: the GUID in its `eTag`, `"{GUID},1"`.
    pub(crate) fn guid(&self) -> Option<&str> {
        let (_, rest) = self.e_tag.split_once('{')?;
        rest.split_once('}').map(|(guid, _)| guid).filter(|guid| !guid.is_empty())
    }

    /// Whether this app made it.
    pub(crate) fn is_made_by(&self, app_id: &str) -> bool {
        !app_id.is_empty() && self.created_by.application.id.eq_ignore_ascii_case(app_id)
    }

    /// Its path in Graph.
    pub(crate) fn path(&self) -> String {
        format!("drives/{}/items/{}", segment(&self.parent_reference.drive_id), segment(&self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_reference_is_in_the_etag() {
        let item = |tag: &str| Item { e_tag: tag.to_owned(), ..Item::default() };
        assert_eq!(item("\"{B43A-1},2\"").guid(), Some("B43A-1"));
        for bad in ["", "\"{}\"", "\"{B43A\"", "W/\"1\""] {
            assert_eq!(item(bad).guid(), None, "{bad}");
        }
    }
}
