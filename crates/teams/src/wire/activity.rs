//! Activities of the Bot Framework, as the messaging endpoint receives them ("Activity schema").

use serde::Deserialize;
use serde_json::Value;

use super::nullable;

/// An activity.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Activity {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) timestamp: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) channel_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) service_url: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) from: Account,
    #[serde(deserialize_with = "nullable")]
    pub(crate) conversation: ConversationAccount,
    #[serde(deserialize_with = "nullable")]
    pub(crate) recipient: Account,
    #[serde(deserialize_with = "nullable")]
    pub(crate) text: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) attachments: Vec<Attachment>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) entities: Vec<Entity>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) channel_data: ChannelData,
    /// What an invocation is called.
    #[serde(deserialize_with = "nullable")]
    pub(crate) name: String,
    pub(crate) value: Option<Value>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) members_added: Vec<Account>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) members_removed: Vec<Account>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) reactions_added: Vec<Reaction>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) reactions_removed: Vec<Reaction>,
    pub(crate) reply_to_id: Option<String>,
    pub(crate) topic_name: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) action: String,
}

/// Somebody who takes part.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Account {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) aad_object_id: Option<String>,
}

/// Where it happened.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ConversationAccount {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) conversation_type: String,
    pub(crate) tenant_id: Option<String>,
}

/// What hangs on a message.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attachment {
    #[serde(deserialize_with = "nullable")]
    pub(crate) content_type: String,
    pub(crate) content_url: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) content: Option<Value>,
}

/// Metadata of a message; mentions are what counts here.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entity {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub(crate) kind: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) text: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) mentioned: Account,
}

/// Teams' own part.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChannelData {
    #[serde(deserialize_with = "nullable")]
    pub(crate) event_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tenant: Named,
    #[serde(deserialize_with = "nullable")]
    pub(crate) team: Named,
    #[serde(deserialize_with = "nullable")]
    pub(crate) channel: Named,
    #[serde(deserialize_with = "nullable")]
    pub(crate) settings: Settings,
    pub(crate) teams_team_id: Option<String>,
}

/// A tenant, team or channel.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Named {
    #[serde(deserialize_with = "nullable")]
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) aad_group_id: Option<String>,
}

/// Where the app was installed.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Settings {
    #[serde(deserialize_with = "nullable")]
    pub(crate) selected_channel: Named,
}

/// A reaction by its name.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Reaction {
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub(crate) kind: String,
}

impl Activity {
    /// The tenant it belongs to, from either place that names it.
    pub(crate) fn tenant(&self) -> &str {
        match self.conversation.tenant_id.as_deref() {
            Some(tenant) if !tenant.is_empty() => tenant,
            _ => &self.channel_data.tenant.id,
        }
    }

    /// The team in bot traffic's form, `19:…`.
    pub(crate) fn team_id(&self) -> Option<&str> {
        Some(self.channel_data.team.id.as_str())
            .filter(|id| !id.is_empty())
            .or(self.channel_data.teams_team_id.as_deref())
    }

    /// Whether `channelData.eventType` is this; published samples differ in case.
    pub(crate) fn is_event(&self, name: &str) -> bool {
        self.channel_data.event_type.eq_ignore_ascii_case(name)
    }

    /// The entities that are mentions, in order.
    pub(crate) fn mentions(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter().filter(|entity| entity.kind == "mention")
    }

    /// The rich body, where there is one.
    pub(crate) fn html(&self) -> Option<&str> {
        self.attachments
            .iter()
            .find(|attachment| attachment.content_type == "text/html")
            .and_then(|attachment| attachment.content.as_ref())
            .and_then(Value::as_str)
    }
}
