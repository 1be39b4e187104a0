//! Subscriptions: which resources can be watched, what a request must hold, how long it lives.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::entra::Who;
use super::http::segments;
use super::ids::{iso, parse_iso};
use super::model::{ChangeKind, Conversation, Message, State};
use super::{keys, rights};

/// A watched resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    /// `/teams/{id}/channels/{id}/messages`
    Channel { team: String, channel: String },
    /// `/teams/getAllMessages`
    AllChannels,
    /// `/chats/{id}/messages`
    Chat(String),
    /// `/chats/getAllMessages`
    AllChats,
    /// `/users/{id}/chats/getAllMessages`
    UserChats(String),
    /// `/appCatalogs/teamsApps/{id}/installedToChats/getAllMessages`
    InstalledChats(String),
    /// `/teams/{id}/channels`, or `/teams/getAllChannels`
    ChannelList(Option<String>),
    /// `/teams/{id}/members`
    TeamMembers(String),
    /// `/chats/{id}/members`
    ChatMembers(String),
}

impl Resource {
    /// Reads a resource; the part behind `?` is handled apart.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let path = text.split('?').next().unwrap_or("");
        let s = segments(path);
        let low: Vec<String> = s.iter().map(|x| x.to_ascii_lowercase()).collect();
        let low: Vec<&str> = low.iter().map(String::as_str).collect();
        Some(match low.as_slice() {
            ["teams", _, "channels", _, "messages"] => {
                Self::Channel { team: s[1].clone(), channel: s[3].clone() }
            }
            ["teams", "getallmessages"] => Self::AllChannels,
            ["chats", _, "messages"] => Self::Chat(s[1].clone()),
            ["chats", "getallmessages"] => Self::AllChats,
            ["users", _, "chats", "getallmessages"] => Self::UserChats(s[1].clone()),
            ["me", "chats", "getallmessages"] => Self::UserChats("me".into()),
            ["appcatalogs", "teamsapps", _, "installedtochats", "getallmessages"] => {
                Self::InstalledChats(s[2].clone())
            }
            ["teams", "getallchannels"] => Self::ChannelList(None),
            ["teams", _, "channels"] => Self::ChannelList(Some(s[1].clone())),
            ["teams", _, "members"] => Self::TeamMembers(s[1].clone()),
            ["chats", _, "members"] => Self::ChatMembers(s[1].clone()),
            _ => return None,
        })
    }

    /// The permissions it needs.
    pub(super) fn rule(&self, chat_rsc: bool) -> rights::Rule {
        match self {
            Self::Channel { .. } => rights::READ_CHANNEL,
            Self::AllChannels => rights::SUBSCRIBE_ALL_CHANNELS,
            Self::Chat(_) if chat_rsc => rights::READ_CHAT,
            Self::Chat(_) | Self::UserChats(_) => rights::SUBSCRIBE_CHAT,
            Self::AllChats => rights::SUBSCRIBE_ALL_CHATS,
            Self::InstalledChats(_) => rights::SUBSCRIBE_INSTALLED,
            Self::ChannelList(_) => rights::SUBSCRIBE_CHANNELS,
            Self::TeamMembers(_) => rights::TEAM_MEMBERS,
            Self::ChatMembers(_) => rights::CHAT_MEMBERS,
        }
    }

    /// Whether a message of a conversation falls under it.
    pub(super) fn covers(&self, state: &State, app: &str, c: &Conversation) -> bool {
        match self {
            Self::Channel { channel, .. } => *channel == c.id,
            Self::AllChannels => c.is_channel(),
            Self::Chat(id) => *id == c.id,
            Self::AllChats => !c.is_channel(),
            Self::UserChats(oid) => !c.is_channel() && c.members.contains(oid),
            Self::InstalledChats(_) => !c.is_channel() && state.takes_part(app, c),
            Self::ChannelList(_) | Self::TeamMembers(_) | Self::ChatMembers(_) => false,
        }
    }
}

/// What the query of a resource filters for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    search: Option<String>,
    mentioned: Option<String>,
}

impl Filter {
    pub(super) fn parse(resource: &str) -> Self {
        let query = resource.split_once('?').map_or("", |(_, q)| q);
        let mut out = Self::default();
        for (k, v) in form_urlencoded::parse(query.as_bytes()) {
            match k.as_ref() {
                "$search" => out.search = Some(v.trim_matches('"').to_lowercase()),
                "$filter" if v.contains("mentioned/user/id") => {
                    out.mentioned = v.split('\'').nth(1).map(str::to_owned);
                }
                _ => {}
            }
        }
        out
    }

    pub(super) fn lets_through(&self, m: &Message) -> bool {
        self.search.as_ref().is_none_or(|s| m.draft.content.to_lowercase().contains(s))
            && self
                .mentioned
                .as_ref()
                .is_none_or(|id| m.draft.mentions.iter().any(|x| x["mentioned"]["user"]["id"] == **id))
    }
}

/// A subscription.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub id: String,
    pub app: String,
    pub who: Who,
    pub resource: Resource,
    pub filter: Filter,
    pub resource_text: String,
    pub change_types: BTreeSet<String>,
    pub url: String,
    pub lifecycle_url: Option<String>,
    pub client_state: Option<String>,
    pub tls: Option<String>,
    /// Life's end, ms.
    pub expires: u64,
    pub with_data: bool,
    /// DER and the subscriber's own name for it.
    pub certificate: Option<(Vec<u8>, String)>,
    /// Delivery stops at this time unless the subscription is renewed or reauthorized.
    pub pause_at: Option<u64>,
}

impl Subscription {
    /// The object as callers see it; the certificate is never returned.
    pub(super) fn json(&self) -> Value {
        json!({
            "id": self.id,
            "resource": self.resource_text,
            "applicationId": self.app,
            "changeType": self.change_types.iter().cloned().collect::<Vec<_>>().join(","),
            "clientState": self.client_state,
            "notificationUrl": self.url,
            "notificationQueryOptions": null,
            "lifecycleNotificationUrl": self.lifecycle_url,
            "expirationDateTime": iso(self.expires),
            "creatorId": match &self.who { Who::User(oid) => oid, Who::App => &self.app },
            "includeResourceData": self.with_data,
            "latestSupportedTlsVersion": self.tls.as_deref().unwrap_or("v1_2"),
            "encryptionCertificate": null,
            "encryptionCertificateId": self.certificate.as_ref().map(|c| c.1.clone()),
            "notificationUrlAppId": null,
        })
    }

    /// Whether notifications flow at a time.
    pub(super) fn live(&self, now: u64) -> bool {
        self.expires > now && self.pause_at.is_none_or(|p| p > now)
    }
}

/// The change type that a kind of change is notified as.
pub(super) fn change_type(kind: &ChangeKind, channel: bool, delete_is_deleted: bool) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Deleted if !channel || delete_is_deleted => "deleted",
        _ => "updated",
    }
}

/// What a request to subscribe asks for, checked as far as that needs no call.
pub(super) struct Wanted {
    pub resource: Resource,
    pub resource_text: String,
    pub change_types: BTreeSet<String>,
    pub url: String,
    pub lifecycle_url: Option<String>,
    pub client_state: Option<String>,
    pub tls: Option<String>,
    pub expires: u64,
    pub with_data: bool,
    pub certificate: Option<(Vec<u8>, String)>,
}

/// The longest lives: with and without a lifecycle URL, ms.
#[derive(Clone, Copy)]
pub(super) struct Lives {
    pub max: u64,
    pub without_lifecycle: u64,
}

/// Checks a request body; the error is the message of a 400 `InvalidRequest`.
pub(super) fn wanted(body: &Value, now: u64, lives: Lives) -> Result<Wanted, String> {
    let text = |k: &str| body[k].as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let need = |k: &str| text(k).ok_or_else(|| format!("{k} is a required property of a subscription."));
    let resource_text = need("resource")?;
    let resource = Resource::parse(&resource_text)
        .ok_or_else(|| format!("Resource '{resource_text}' is not supported."))?;
    let change_types: BTreeSet<String> =
        need("changeType")?.split(',').map(|t| t.trim().to_ascii_lowercase()).collect();
    if let Some(bad) = change_types.iter().find(|t| !["created", "updated", "deleted"].contains(&t.as_str()))
    {
        return Err(format!("Change type '{bad}' is not supported."));
    }
    let url = need("notificationUrl")?;
    let lifecycle_url = text("lifecycleNotificationUrl");
    for u in std::iter::once(&url).chain(&lifecycle_url) {
        if !u.starts_with("https://") && !u.starts_with("http://") {
            return Err("The notification URL must be an absolute https address.".into());
        }
    }
    let expires = parse_iso(&need("expirationDateTime")?)
        .ok_or("expirationDateTime is not a date and time in ISO 8601.")?;
    lifetime(expires, now, lives, lifecycle_url.is_some())?;
    let client_state = text("clientState");
    if client_state.as_ref().is_some_and(|c| c.len() > 128) {
        return Err("clientState must not be longer than 128 characters.".into());
    }
    let with_data = body["includeResourceData"].as_bool().unwrap_or(false);
    let certificate = certificate(body, with_data)?;
    let tls = text("latestSupportedTlsVersion");
    Ok(Wanted {
        resource,
        resource_text,
        change_types,
        url,
        lifecycle_url,
        client_state,
        tls,
        expires,
        with_data,
        certificate,
    })
}

/// Checks an end of life.
pub(super) fn lifetime(expires: u64, now: u64, lives: Lives, lifecycle: bool) -> Result<(), String> {
    if expires <= now {
        return Err("Subscription expiration must be in the future.".into());
    }
    // Callers count from their own clock and the request takes time: the service forgives a minute.
    if expires > now + lives.max + 60_000 {
        return Err(format!(
            "Subscription expiration can only be {} minutes in the future.",
            lives.max / 60_000
        ));
    }
    if !lifecycle && expires > now + lives.without_lifecycle + 60_000 {
        return Err(
            "lifecycleNotificationUrl is a required property for subscription creation on this resource when the \
             expirationDateTime value is set to greater than 1 hour."
                .into(),
        );
    }
    Ok(())
}

/// Reads and checks the certificate of a request.
pub(super) fn certificate(body: &Value, needed: bool) -> Result<Option<(Vec<u8>, String)>, String> {
    let text = |k: &str| body[k].as_str().filter(|s| !s.is_empty());
    match (text("encryptionCertificate"), text("encryptionCertificateId")) {
        (None, _) if needed => {
            Err("encryptionCertificate is required when includeResourceData is true.".into())
        }
        (Some(_), None) => Err("encryptionCertificateId is required with encryptionCertificate.".into()),
        (None, _) => Ok(None),
        (Some(_), Some(id)) if id.len() > 128 => {
            Err("encryptionCertificateId must not be longer than 128 characters.".into())
        }
        (Some(cert), Some(id)) => {
            let der =
                keys::certificate(cert).ok_or("encryptionCertificate is not base64 of a certificate.")?;
            super::notify::usable(&der)?;
            Ok(Some((der, id.to_owned())))
        }
    }
}
