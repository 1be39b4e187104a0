//! Addresses of messages ("Deep link to Teams chat", "Deep link to a channel conversation"). Pure but for the team's id.

use dragoman_model::RemoteMessage;
use dragoman_platform::{Conversation, Failure, Session};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::connector::TeamsConnector;
use crate::ids::{is_channel, is_personal, segment};

/// The clients' hosts in all clouds, and those of the new client.
const HOSTS: [&str; 6] = [
    HOST,
    "teams.cloud.microsoft",
    "teams.live.com",
    "gov.teams.microsoft.us",
    "dod.teams.microsoft.us",
    "teams.microsoftonline.cn",
];

/// The host of the clients of the global cloud.
pub(crate) const HOST: &str = "teams.microsoft.com";

/// What an address names: the conversation as Graph names it, and the message.
pub(crate) fn parse(address: &str) -> Option<(String, RemoteMessage)> {
    let url = Url::parse(address).ok()?;
    if url.scheme() != "https" || !HOSTS.contains(&url.host_str()?) {
        return None;
    }
    let mut path = url.path_segments()?;
    let mut next = || path.next().map(|part| percent_decode_str(part).decode_utf8());
    let (link, kind) = (next()?.ok()?, next()?.ok()?);
    let (conversation, message) = (next()?.ok()?, next()?.ok()?);
    let digital = !message.is_empty() && message.bytes().all(|byte| byte.is_ascii_digit());
    let named = link == "l" && kind == "message" && !conversation.is_empty() && digital;
    named.then(|| (conversation.into_owned(), RemoteMessage::from(message.into_owned())))
}

/// The host of the clients of the cloud that this Graph belongs to.
pub(crate) fn client_host(graph_base: &str) -> &'static str {
    let graph = Url::parse(graph_base).ok();
    match graph.as_ref().and_then(Url::host_str).unwrap_or_default() {
        "graph.microsoft.us" => "gov.teams.microsoft.us",
        "dod-graph.microsoft.us" => "dod.teams.microsoft.us",
        "microsoftgraph.chinacloudapi.cn" => "teams.microsoftonline.cn",
        _ => HOST,
    }
}

/// Where a message is.
pub(crate) struct Whereabouts<'a> {
    /// The host of the clients.
    pub(crate) host: &'a str,
    /// The tenant, where known.
    pub(crate) tenant: &'a str,
    /// The GUID of the team, where known.
    pub(crate) team: &'a str,
    /// The conversation, as Graph names it.
    pub(crate) conversation: &'a str,
    /// The root of its thread.
    pub(crate) root: Option<&'a str>,
    /// The message.
    pub(crate) message: &'a str,
}

/// The address of a message.
pub(crate) fn address(at: &Whereabouts<'_>) -> String {
    let (conversation, message) = (segment(at.conversation), segment(at.message));
    let mut address = format!("https://{}/l/message/{conversation}/{message}", at.host);
    if !is_channel(at.conversation) {
        address.push_str("?context=%7B%22contextType%22%3A%22chat%22%7D");
        return address;
    }
    let root = segment(at.root.unwrap_or(at.message));
    let (team, tenant) = (segment(at.team), segment(at.tenant));
    let known =
        [("groupId", team), ("tenantId", tenant), ("createdTime", message), ("parentMessageId", root)];
    let mut sign = '?';
    for (key, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
        address.extend([sign]);
        address.push_str(key);
        address.push('=');
        address.push_str(&value);
        sign = '&';
    }
    address
}

impl TeamsConnector {
    pub(crate) fn linked_message(
        &self,
        session: &Session,
        conversation: &Conversation,
        address: &str,
    ) -> Option<RemoteMessage> {
        let (id, message) = parse(address)?;
        let here = conversation.remote.as_str();
        if id == here {
            return Some(message);
        }
        // A chat with the bot has another name in bot traffic.
        let place = is_personal(here).then(|| self.place(session, here, Some(&conversation.facts)))?;
        (place.graph_chat.as_deref() == Some(id.as_str())).then_some(message)
    }

    pub(crate) async fn message_address(
        &self,
        session: &Session,
        conversation: &Conversation,
        root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<String>, Failure> {
        let id = conversation.remote.as_str();
        let place = self.place(session, id, Some(&conversation.facts));
        let team = if is_channel(id) { self.team_guid(session, id, &place).await? } else { String::new() };
        let named = match (&place.graph_chat, is_personal(id)) {
            (Some(chat), _) => chat.as_str(),
            (None, true) => return Ok(None),
            (None, false) => id,
        };
        Ok(Some(address(&Whereabouts {
            host: client_host(&self.client.settings.graph_base),
            tenant: session.app.fact("tenant_id"),
            team: &team,
            conversation: named,
            root: root.map(RemoteMessage::as_str),
            message: message.as_str(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at<'a>(conversation: &'a str, root: Option<&'a str>, message: &'a str) -> Whereabouts<'a> {
        Whereabouts { host: "teams.microsoft.com", tenant: "t-1", team: "g-1", conversation, root, message }
    }

    #[test]
    fn an_address_is_as_the_client_copies_it() {
        let reply = address(&at("19:abc@thread.tacv2", Some("1767326091220"), "1767326118953"));
        assert_eq!(
            reply,
            "https://teams.microsoft.com/l/message/19%3Aabc%40thread.tacv2/1767326118953?groupId=g-1&tenantId=t-1\
             &createdTime=1767326118953&parentMessageId=1767326091220"
        );
        let chat = address(&at("19:abc@thread.v2", None, "1767326118953"));
        assert_eq!(
            chat,
            "https://teams.microsoft.com/l/message/19%3Aabc%40thread.v2/1767326118953\
             ?context=%7B%22contextType%22%3A%22chat%22%7D"
        );
        let bare = Whereabouts { tenant: "", team: "", ..at("19:abc@thread.tacv2", None, "5") };
        assert!(address(&bare).ends_with("/5?createdTime=5&parentMessageId=5"));
        assert_eq!(client_host("https://graph.microsoft.us"), "gov.teams.microsoft.us");
        assert_eq!(client_host("http://127.0.0.1:1"), "teams.microsoft.com");
    }

    #[test]
    fn only_addresses_of_messages_are_read() {
        for address in [
            "https://teams.microsoft.com/l/channel/19%3Aabc%40thread.tacv2/General?groupId=g",
            "https://teams.microsoft.com/l/message/19%3Aabc%40thread.tacv2/",
            "https://teams.microsoft.com/l/message/19%3Aabc%40thread.tacv2/abc",
            "https://teams.microsoft.com.evil.example/l/message/19%3Aabc%40thread.tacv2/5",
            "http://teams.microsoft.com/l/message/19%3Aabc%40thread.tacv2/5",
            "https://teams.microsoft.com/l/message/%ff/5",
            "",
        ] {
            assert_eq!(parse(address), None, "{address}");
        }
        let unescaped = "https://teams.cloud.microsoft/l/message/19:abc@thread.tacv2/5?x=y#z";
        assert_eq!(parse(unescaped), Some(("19:abc@thread.tacv2".to_owned(), "5".into())));
    }

    proptest! {
        #[test]
        fn what_is_made_is_read(
            id in "19:[a-zA-Z0-9_+/=-]{1,40}@(thread\\.tacv2|thread\\.v2|unq\\.gbl\\.spaces)",
            message in "[0-9]{1,16}",
        ) {
            let made = address(&at(&id, None, &message));
            prop_assert_eq!(parse(&made), Some((id, RemoteMessage::from(message))));
        }

        #[test]
        fn any_text_is_read(text in ".*", tail in "[ -~é]{0,40}") {
            let _ = parse(&text);
            let _ = parse(&format!("https://teams.microsoft.com/l/message/{tail}"));
        }
    }
}
