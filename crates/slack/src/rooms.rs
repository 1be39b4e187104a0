//! Conversations: reading, listing, joining.

use dragoman_model::{RemoteConversation, RemoteUser, codes};
use dragoman_platform::{
    ALLOW_EXTERNAL, Conversation, ConversationKind, Facts, Failure, Page, Session, Watch,
};

use crate::api::{Arguments, CallError};
use crate::capabilities::granted;
use crate::client::Client;
use crate::people::with_team;
use crate::wire::answers::{Channel, Channels, Form, Nothing, OneChannel, next};

/// The fact by which an operator lets a conversation with outsiders be bridged.
/// The fact that a conversation is private.
const PRIVATE: &str = "private";

/// Reads a conversation.
pub(crate) async fn conversation(
    client: &Client,
    session: &Session,
    remote: &RemoteConversation,
) -> Result<Conversation, Failure> {
    let form = Form::from([("channel", remote.as_str().to_owned())]);
    let answer: OneChannel =
        client.read(session, "conversations.info", form).await.map_err(CallError::failure)?;
    Ok(shown(answer.channel))
}

/// Lists the channels that the app can see whose name contains `search`.
pub(crate) async fn conversations(
    client: &Client,
    session: &Session,
    search: &str,
    cursor: Option<&str>,
) -> Result<Page<Conversation>, Failure> {
    // One kind that may not be seen refuses the whole list.
    let kinds = [("channels:read", "public_channel"), ("groups:read", "private_channel")];
    let seen: Vec<&str> = kinds
        .into_iter()
        .filter(|(scope, _)| granted(&session.installation, scope))
        .map(|(_, kind)| kind)
        .collect();
    let mut form = Form::from([
        ("types", seen.join(",")),
        ("exclude_archived", "true".to_owned()),
        ("limit", "200".to_owned()),
    ]);
    with_team(session, &mut form);
    if let Some(cursor) = cursor {
        form.insert("cursor", cursor.to_owned());
    }
    let answer: Channels =
        client.read(session, "conversations.list", form).await.map_err(CallError::failure)?;
    let search = search.trim_start_matches('#').to_lowercase();
    let items = answer.channels.into_iter().map(shown);
    Ok(Page {
        items: items.filter(|found| found.name.to_lowercase().contains(&search)).collect(),
        next: next(answer.response_metadata),
    })
}

/// Events come for every conversation that the app is in: joins public ones, says what is wrong with others.
pub(crate) async fn watch(
    client: &Client,
    session: &Session,
    conversation: &Conversation,
) -> Result<Watch, Failure> {
    let found = self::conversation(client, session, &conversation.remote).await?;
    if found.external && conversation.fact(ALLOW_EXTERNAL) != "yes" {
        return Err(Failure::Refused(codes::EXTERNAL));
    }
    if !found.joined {
        let arguments = Form::from([("channel", conversation.remote.as_str().to_owned())]);
        let slot = dragoman_platform::TokenSlot::App;
        let joined: Result<Nothing, CallError> =
            client.call(session, &slot, "conversations.join", &Arguments::Form(arguments)).await;
        joined.map_err(CallError::failure)?;
    }
    Ok(Watch { id: String::new(), renew_at_ms: None, expires_at_ms: None, facts: found.facts })
}

/// The app's conversation with a person: made where there is none. It is posted to by its own id: to a person's id, a
/// copy with a name of its own would land in another conversation.
pub(crate) async fn direct(
    client: &Client,
    session: &Session,
    user: &RemoteUser,
    known: Option<&RemoteConversation>,
) -> Result<Conversation, Failure> {
    if !granted(&session.installation, "im:history") {
        return Err(Failure::Refused(codes::SCOPE));
    }
    let remote = if let Some(remote) = known {
        remote.clone()
    } else {
        let arguments = Arguments::Form(Form::from([("users", user.as_str().to_owned())]));
        let slot = dragoman_platform::TokenSlot::App;
        let opened: Result<OneChannel, CallError> =
            client.call(session, &slot, "conversations.open", &arguments).await;
        opened.map_err(CallError::failure)?.channel.id.into()
    };
    Ok(Conversation {
        remote,
        kind: ConversationKind::Direct,
        name: String::new(),
        external: false,
        joined: true,
        facts: Facts::from([(PRIVATE.to_owned(), true.to_string())]),
    })
}

fn shown(channel: Channel) -> Conversation {
    let yes = |flag: Option<bool>| flag.unwrap_or(false);
    // The letter of the id says nothing; the flags do.
    let kind = match (yes(channel.is_im), yes(channel.is_mpim)) {
        (true, _) => ConversationKind::Direct,
        (_, true) => ConversationKind::Group,
        _ => ConversationKind::Channel,
    };
    let private = yes(channel.is_private) || kind != ConversationKind::Channel;
    // Private conversations are visible to their members only.
    let member = channel.is_member.unwrap_or(private);
    Conversation {
        remote: channel.id.into(),
        kind,
        name: if kind == ConversationKind::Direct { String::new() } else { channel.name.unwrap_or_default() },
        external: yes(channel.is_ext_shared) || yes(channel.is_pending_ext_shared),
        joined: member && !yes(channel.is_archived),
        facts: Facts::from([(PRIVATE.to_owned(), private.to_string())]),
    }
}
