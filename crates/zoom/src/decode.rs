//! From an unsealed event to the canonical one.

use dragoman_markup::Budget;
use dragoman_markup::zoom::{Format, Offsets, ZoomInput, ZoomMention, ZoomRange, parse};
use dragoman_model::{
    Asked, Author, AuthorKind, Control, Document, Event, FileRef, Happening, Message, Notice, NoticeKind,
    Origin, RemoteConversation, RemoteMessage, RemoteUser, Version, codes,
};
use dragoman_platform::{Failure, Session};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bot;
use crate::ids;
use crate::memory::Memory;
use crate::wire::events::{self, Account, Channel, Payload, Place, Reaction};
use crate::wire::message as wire;

/// The ids under which this installation's own messages come back.
#[derive(Clone, Default)]
pub(crate) struct Own {
    /// The bridge user's id.
    pub(crate) user: String,
    /// Its member id, where it was learnt.
    pub(crate) member: String,
    /// A digest of its e-mail address: lists name people by nothing else.
    pub(crate) mail: String,
}

impl Own {
    /// From what was learnt at installation.
    pub(crate) fn of(session: &Session) -> Self {
        let fact = |key| session.installation.fact(key).to_owned();
        Self { user: fact("bridge_user"), member: String::new(), mail: fact("bridge_mail") }
    }

    /// Whether any of these is the bridge user.
    pub(crate) fn is(&self, user: Option<&str>, member: Option<&str>, mail: Option<&str>) -> bool {
        let same = |own: &str, id: Option<&str>| !own.is_empty() && id.is_some_and(|id| id.trim() == own);
        let mail = mail.filter(|mail| !mail.trim().is_empty()).map(mail_digest);
        same(&self.user, user) || same(&self.member, member) || same(&self.mail, mail.as_deref())
    }
}

/// An e-mail address as it is remembered: recognisable, not readable.
pub(crate) fn mail_digest(mail: &str) -> String {
    let mail = mail.trim().to_ascii_lowercase();
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, mail.as_bytes()))
}

/// A decoded event.
pub(crate) struct Decoded {
    pub(crate) event: Event,
    /// Whether the event came without formats, mentions and files, which a look at the message brings.
    pub(crate) poor: bool,
}

fn malformed() -> Failure {
    Failure::Malformed(codes::MALFORMED)
}

fn part<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|_| malformed())
}

fn set(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// Decodes an event.
pub(crate) fn event(payload: &[u8], own: &Own, memory: &Memory) -> Result<Decoded, Failure> {
    let outer: events::Event = serde_json::from_slice(payload).map_err(|_| malformed())?;
    let name = outer.event.trim();
    if name == crate::envelope::COMMAND {
        let event = commanded(&outer.payload, outer.event_ts)?;
        return Ok(Decoded { event, poor: false });
    }
    let payload: Payload = if outer.payload.is_null() { Payload::default() } else { part(&outer.payload)? };
    let at_ms = outer.event_ts.or_else(|| payload.object.get("timestamp").and_then(Value::as_i64));
    let read = Reader { payload: &payload, own, memory, event_ms: outer.event_ts };
    let conversation = read.conversation(name)?;
    let (happening, poor) = match name {
        "app_deauthorized" => (deauthorised(&outer.payload), false),
        _ => read.happening(name, conversation.as_ref())?,
    };
    let event = Event { conversation, at_ms: at_ms.unwrap_or_default(), happening };
    Ok(Decoded { event, poor })
}

/// What somebody gave to the command of the app, or wrote to its bot.
fn commanded(payload: &Value, event_ms: Option<i64>) -> Result<Event, Failure> {
    let text =
        |key: &str| payload.get(key).and_then(Value::as_str).map(str::trim).filter(|it| !it.is_empty());
    let user = text("userId").ok_or_else(malformed)?;
    let at_ms = payload.get("timestamp").and_then(Value::as_i64).or(event_ms).unwrap_or_default();
    let once = text("triggerId").map_or_else(|| format!("{user}/{at_ms}"), str::to_owned);
    let asked = Asked {
        id: RemoteMessage::from(format!("command/{once}")),
        user: RemoteUser::from(user),
        words: Document::plain(text("cmd").unwrap_or_default()).normalise(),
        answer_at: bot::answer_at(payload),
    };
    Ok(Event { conversation: None, at_ms, happening: Happening::Asked(Box::new(asked)) })
}

/// The installation ended. The receipt is what Zoom wants to see again in the report: ids, and its own signature.
fn deauthorised(payload: &Value) -> Happening {
    const KEPT: [&str; 6] =
        ["account_id", "user_id", "signature", "deauthorization_time", "client_id", "user_data_retention"];
    let kept: serde_json::Map<String, Value> = KEPT
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), payload.get(key).filter(|value| value.is_string())?.clone())))
        .collect();
    Happening::Control(Control::Uninstalled { receipt: Value::Object(kept).to_string() })
}

struct Reader<'a> {
    payload: &'a Payload,
    own: &'a Own,
    memory: &'a Memory,
    event_ms: Option<i64>,
}

impl Reader<'_> {
    fn operator(&self) -> Option<RemoteUser> {
        ids::person(self.payload.operator_id.as_deref(), self.payload.operator_member_id.as_deref())
    }

    fn by_us(&self) -> bool {
        let payload = self.payload;
        self.own.is(
            payload.operator_id.as_deref(),
            payload.operator_member_id.as_deref(),
            payload.operator.as_deref(),
        )
    }

    fn conversation(&self, name: &str) -> Result<Option<RemoteConversation>, Failure> {
        let object = &self.payload.object;
        if name.starts_with("chat_channel.") || matches!(name, CHANNEL_ARCHIVED | CHANNEL_UNARCHIVED) {
            let channel: Channel = part(object)?;
            return Ok(set(channel.id.as_ref()).or(set(channel.channel_id.as_ref())).map(Into::into));
        }
        if object.is_null() {
            return Ok(None);
        }
        let place: Place = part(object)?;
        if let Some(channel) = set(place.channel_id.as_ref()) {
            return Ok(Some(channel.into()));
        }
        let other = ids::person(place.contact_id.as_deref(), place.contact_member_id.as_deref());
        let pair = self.operator().zip(other);
        Ok(pair.map(|(one, other)| ids::pair(one.as_str(), other.as_str())))
    }

    /// What happened, and whether it came without the message's own form.
    fn happening(
        &self,
        name: &str,
        conversation: Option<&RemoteConversation>,
    ) -> Result<(Happening, bool), Failure> {
        let old = name.starts_with("chat_message.");
        Ok(match name {
            "team_chat.channel_message_posted"
            | "team_chat.dm_message_posted"
            | "chat_message.sent"
            | "chat_message.replied" => (Happening::Posted(Box::new(self.message(Version(0))?)), old),
            "team_chat.channel_message_updated" | "team_chat.dm_message_updated" | "chat_message.updated" => {
                let version = Version(self.event_ms.unwrap_or(1).max(1));
                let after = Box::new(self.message(version)?);
                (Happening::Changed { after, before: None }, old)
            }
            "team_chat.channel_message_deleted" | "team_chat.dm_message_deleted" | "chat_message.deleted" => {
                let (message, thread_root, _) = self.about()?;
                (Happening::Deleted { message, thread_root }, false)
            }
            "team_chat.channel_reaction_added" | "team_chat.dm_reaction_added" => {
                (self.reaction(true)?, false)
            }
            "team_chat.channel_reaction_removed" | "team_chat.dm_reaction_removed" => {
                (self.reaction(false)?, false)
            }
            "user.updated" | "user.activated" | "user.deactivated" | "user.deleted" => {
                let account: Account = part(&self.payload.object)?;
                let user = ids::person(account.id.as_deref(), None).ok_or_else(malformed)?;
                (Happening::Control(Control::PersonChanged { user }), false)
            }
            _ => (self.channel(name, conversation)?, false),
        })
    }

    /// The message, its thread and its wire form.
    fn about(&self) -> Result<(RemoteMessage, Option<RemoteMessage>, wire::Message), Failure> {
        let wire: wire::Message = part(&self.payload.object)?;
        let (message, root) = identity(&wire, self.memory).ok_or_else(malformed)?;
        Ok((message, root, wire))
    }

    fn message(&self, version: Version) -> Result<Message, Failure> {
        let (id, thread_root, wire) = self.about()?;
        let author = Author { user: self.operator(), kind: AuthorKind::Person, name: None, avatar_url: None };
        Ok(Message {
            thread_root,
            broadcast: false,
            author,
            body: body(&wire),
            files: files(&wire),
            sent_at_ms: wire.timestamp.or(self.event_ms).unwrap_or_default(),
            edited_at_ms: self.event_ms.filter(|_| version > Version(0)),
            version: Some(version),
            origin: Origin { ours: self.by_us() || self.memory.is_said(&id), marker: None },
            id,
        })
    }

    fn reaction(&self, added: bool) -> Result<Happening, Failure> {
        let reaction: Reaction = part(&self.payload.object)?;
        let id = set(reaction.msg_id.as_ref()).or(set(reaction.message_id.as_ref()));
        let message = self.memory.id(id.ok_or_else(malformed)?);
        let emoji = ids::emoji(set(reaction.emoji.as_ref()).ok_or_else(malformed)?);
        if self.by_us() {
            return Ok(Happening::Ignored(codes::ECHO));
        }
        let by = self.operator().ok_or_else(malformed)?;
        Ok(if added {
            Happening::ReactionAdded { message, by, emoji }
        } else {
            Happening::ReactionRemoved { message, by, emoji }
        })
    }

    fn channel(&self, name: &str, conversation: Option<&RemoteConversation>) -> Result<Happening, Failure> {
        let here = || conversation.cloned().ok_or_else(malformed);
        let notice = |kind, people, text| Happening::Notice(Notice::new(kind, people, text));
        let channel = || part::<Channel>(&self.payload.object);
        let of_us = |channel: &Channel| {
            channel.members.iter().any(|member| self.own.is(member.id.as_deref(), member.id.as_deref(), None))
        };
        let members = |channel: &Channel| -> Vec<RemoteUser> {
            let ids = channel.members.iter().filter_map(|member| ids::person(member.id.as_deref(), None));
            ids.collect()
        };
        let operator = || -> Vec<RemoteUser> { self.operator().into_iter().collect() };
        Ok(match name {
            "chat_channel.member_invited" => {
                let channel = channel()?;
                if of_us(&channel) {
                    Happening::Control(Control::Admitted { conversation: here()? })
                } else if self.by_us() {
                    Happening::Ignored(codes::ECHO)
                } else {
                    notice(NoticeKind::Joined, members(&channel), None)
                }
            }
            "chat_channel.member_joined" if self.by_us() => {
                Happening::Control(Control::Admitted { conversation: here()? })
            }
            "chat_channel.member_joined" => notice(NoticeKind::Joined, operator(), None),
            "chat_channel.member_removed" => {
                let channel = channel()?;
                if of_us(&channel) {
                    Happening::Control(Control::Expelled { conversation: here()? })
                } else {
                    notice(NoticeKind::Left, members(&channel), None)
                }
            }
            "chat_channel.member_left" if self.by_us() => {
                Happening::Control(Control::Expelled { conversation: here()? })
            }
            "chat_channel.member_left" => notice(NoticeKind::Left, operator(), None),
            "chat_channel.deleted" => Happening::Control(Control::Expelled { conversation: here()? }),
            // What the bridge user does itself is no news.
            "chat_channel.updated" | CHANNEL_ARCHIVED if self.by_us() => Happening::Ignored(codes::ECHO),
            "chat_channel.updated" => notice(NoticeKind::Renamed, operator(), channel()?.name),
            CHANNEL_ARCHIVED => notice(NoticeKind::Archived, operator(), None),
            // Sends are possible again, which matters more than telling people.
            CHANNEL_UNARCHIVED => Happening::Control(Control::Admitted { conversation: here()? }),
            _ => Happening::Ignored(codes::KIND),
        })
    }
}

const CHANNEL_ARCHIVED: &str = "team_chat.channel_archived";
const CHANNEL_UNARCHIVED: &str = "team_chat.channel_unarchived";

/// The message and the root of its thread.
fn identity(wire: &wire::Message, memory: &Memory) -> Option<(RemoteMessage, Option<RemoteMessage>)> {
    let written = [&wire.message_id, &wire.msg_id, &wire.id].into_iter().find_map(|id| set(id.as_ref()))?;
    let id = memory.id(written);
    let root = [&wire.reply_main_message_id, &wire.parent_msg_id].into_iter().find_map(|id| set(id.as_ref()));
    let root = ids::root(&id, root.inspect(|root| drop(memory.id(root))));
    Some((id, root))
}

/// A message of a list. `read_ms`: when the list was read, on Zoom's clock. `person`: the user id of a member id.
///
/// Lists do not tell when a message was edited: what is marked as edited counts as newer than every edit whose event
/// came before the list was read.
pub(crate) fn listed(
    wire: &wire::Message,
    own: &Own,
    memory: &Memory,
    read_ms: i64,
    person: &dyn Fn(&str) -> Option<String>,
) -> Option<Message> {
    let (id, thread_root) = identity(wire, memory)?;
    let member = set(wire.send_member_id.as_ref());
    let user = set(wire.sender_user_id.as_ref()).map(str::to_owned).or_else(|| person(member?));
    // A message that was read alone tells nothing of it, and may have been.
    let edited = wire.status.as_deref().is_none_or(|status| status.eq_ignore_ascii_case("edited"));
    let bot = wire.bot_message.as_ref().is_some_and(|message| !message.is_empty());
    Some(Message {
        thread_root,
        broadcast: false,
        author: Author {
            user: ids::person(user.as_deref(), member),
            kind: if bot { AuthorKind::Bot } else { AuthorKind::Person },
            name: set(wire.sender_display_name.as_ref()).map(str::to_owned),
            avatar_url: None,
        },
        body: body(wire),
        files: files(wire),
        sent_at_ms: sent_ms(wire).unwrap_or_default(),
        edited_at_ms: None,
        version: Some(if edited { Version(read_ms.max(1)) } else { Version(0) }),
        origin: Origin {
            ours: own.is(user.as_deref(), member, wire.sender.as_deref()) || memory.is_said(&id),
            marker: None,
        },
        id,
    })
}

/// When a message was sent.
pub(crate) fn sent_ms(wire: &wire::Message) -> Option<i64> {
    let written = || wire.date_time.as_ref()?.parse::<jiff::Timestamp>().ok();
    wire.timestamp.or_else(|| written().map(jiff::Timestamp::as_millisecond))
}

/// Whether a list shows a message that is gone.
pub(crate) fn is_gone(wire: &wire::Message) -> bool {
    wire.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("deleted"))
}

fn body(wire: &wire::Message) -> Document {
    let ranges: Vec<ZoomRange> = wire.rich_text.iter().filter_map(range).collect();
    let mentions: Vec<ZoomMention> = wire.at_items.iter().map(mention).collect();
    let message = wire.message.as_deref().unwrap_or_default();
    let input = ZoomInput { message, rich_text: &ranges, at_items: &mentions, offsets: Offsets::READING };
    parse(input, Budget::default())
}

fn range(wire: &wire::Range) -> Option<ZoomRange> {
    let attribute = wire.format_attr.as_deref().unwrap_or_default();
    let format = Format::read(wire.format_type.as_deref()?, attribute)?;
    Some(ZoomRange { start: wire.start_position, end: wire.end_position, format })
}

/// Events name people by user id and member id, lists by user id in `at_contact`; an address there is of nobody with
/// an id.
fn mention(wire: &wire::AtItem) -> ZoomMention {
    let contact = wire.at_contact.as_deref().filter(|contact| !contact.contains('@'));
    let user = set(wire.at_contact_user_id.as_ref()).or(contact);
    let person = ids::person(user, wire.at_contact_member_id.as_deref());
    let person = person.map(|person| person.as_str().to_owned());
    ZoomMention {
        start: wire.start_position,
        end: wire.end_position,
        person: if wire.at_type == Some(2) { None } else { person.or_else(|| Some(String::new())) },
        name: String::new(),
    }
}

fn files(wire: &wire::Message) -> Vec<FileRef> {
    let listed = wire.files.iter().filter_map(|file| {
        let id = set(file.file_id.as_ref())?;
        Some((id, set(file.file_name.as_ref()), file.file_size))
    });
    let mut files: Vec<FileRef> = listed.map(|(id, name, size)| file(id, name, size)).collect();
    if files.is_empty()
        && let Some(id) = set(wire.file_id.as_ref())
    {
        files.push(file(id, set(wire.file_name.as_ref()), wire.file_size));
    }
    files
}

fn file(id: &str, name: Option<&str>, size: Option<u64>) -> FileRef {
    FileRef {
        id: id.to_owned(),
        name: name.unwrap_or(id).to_owned(),
        media_type: None,
        size: size.filter(|size| *size > 0),
        permalink: None,
    }
}
