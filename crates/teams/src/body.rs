//! The text of a message with what it refers to, ready for the parser. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dragoman_markup::teams::{MentionKind, TeamsAttachment, TeamsInput, TeamsMention, parse_plain};
use dragoman_markup::{Budget, link_url};
use dragoman_model::{Block, Document, Inline};
use serde_json::Value;

use crate::permalinks::{self, Whereabouts};
use crate::wire::activity::Activity;
use crate::wire::message::{Attachment, ChatMessage, Mention};

/// How deep the JSON of a card is searched for text.
const CARD_DEPTH: usize = 24;
/// How much text of a card is kept, in bytes.
const CARD_TEXT: usize = 8_000;

/// Buttons of a card that are shown as links.
const CARD_LINKS: usize = 10;

/// A text with what it refers to.
pub(crate) struct Body<'a> {
    text: Text<'a>,
    mentions: Vec<TeamsMention>,
    attachments: Vec<TeamsAttachment>,
}

enum Text<'a> {
    Html(Cow<'a, str>),
    Plain(&'a str),
}

/// Parses a body.
pub(crate) fn parse(body: &Body<'_>) -> Document {
    match &body.text {
        Text::Plain(text) => parse_plain(text),
        Text::Html(html) => dragoman_markup::teams::parse(
            TeamsInput { html, mentions: &body.mentions, attachments: &body.attachments },
            Budget::default(),
        ),
    }
}

impl<'a> Body<'a> {
    /// The body of a Graph message.
    pub(crate) fn of_graph(message: &'a ChatMessage) -> Self {
        let content = message.body.content.as_str();
        Self {
            text: if message.body.content_type.eq_ignore_ascii_case("text") {
                Text::Plain(content)
            } else {
                Text::Html(Cow::Borrowed(content))
            },
            mentions: message.mentions.iter().filter_map(graph_mention).collect(),
            attachments: message.attachments.iter().map(|it| attachment(it, &Here::of(message))).collect(),
        }
    }

    /// HTML that refers to nothing.
    pub(crate) fn of_html(html: &'a str) -> Self {
        Self { text: Text::Html(Cow::Borrowed(html)), mentions: Vec::new(), attachments: Vec::new() }
    }

    /// The body of an activity: the rich one where there is one. `objects` gives the directory's id for
    /// accounts of bot traffic.
    pub(crate) fn of_activity(activity: &'a Activity, objects: &BTreeMap<String, String>) -> Self {
        let mentions: Vec<TeamsMention> = activity
            .mentions()
            .zip(0..)
            .map(|(entity, index)| {
                let account = entity.mentioned.id.as_str();
                let object = entity.mentioned.aad_object_id.as_deref().filter(|id| !id.is_empty());
                TeamsMention {
                    index,
                    id: object
                        .or_else(|| objects.get(account).map(String::as_str))
                        .unwrap_or(account)
                        .to_owned(),
                    name: entity.mentioned.name.clone().unwrap_or_default(),
                    // Conversations are mentioned by their own ids.
                    kind: if account.starts_with("19:") {
                        MentionKind::Everyone
                    } else {
                        MentionKind::Person
                    },
                }
            })
            .collect();
        let text = match activity.html() {
            Some(html) => Text::Html(Cow::Borrowed(html)),
            None if mentions.is_empty() => Text::Plain(&activity.text),
            None => Text::Html(Cow::Owned(plain_with_mentions(activity))),
        };
        Self { text, mentions, attachments: Vec::new() }
    }
}

/// Plain text in which mentions stand as `<at>Name</at>`, as HTML.
fn plain_with_mentions(activity: &Activity) -> String {
    let mut html = escape(&activity.text).replace('\n', "<br>");
    for (entity, index) in activity.mentions().zip(0_u32..) {
        let written = escape(&entity.text);
        let name = entity.text.trim_start_matches("<at>").trim_end_matches("</at>");
        if !entity.text.is_empty() {
            html = html.replacen(&written, &format!("<at id=\"{index}\">{}</at>", escape(name)), 1);
        }
    }
    html
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

fn graph_mention(mention: &Mention) -> Option<TeamsMention> {
    let named = &mention.mentioned;
    let conversation = named.conversation.as_ref();
    let (identity, kind) = if let Some(user) = &named.user {
        (user, MentionKind::Person)
    } else if let Some(conversation) = conversation {
        // "chat" and "channel" call everybody there; "team" calls everybody in the team.
        (conversation, MentionKind::Everyone)
    } else if let Some(tag) = &named.tag {
        (tag, MentionKind::Group)
    } else if let Some(application) = &named.application {
        (application, MentionKind::Person)
    } else {
        return None;
    };
    let text = Some(mention.mention_text.as_str()).filter(|text| !text.is_empty());
    Some(TeamsMention {
        index: u32::try_from(mention.id).ok()?,
        id: identity.id.clone().unwrap_or_default(),
        name: text.or(identity.display_name.as_deref()).unwrap_or_default().to_owned(),
        kind: match identity.conversation_identity_type.as_deref() {
            Some("team") => MentionKind::Group,
            _ => kind,
        },
    })
}

/// Where the message is that quotes another.
#[derive(Clone, Copy, Default)]
struct Here<'a> {
    conversation: &'a str,
    team: &'a str,
    /// The address of the message itself, which names the client's host.
    web_url: &'a str,
}

impl<'a> Here<'a> {
    fn of(message: &'a ChatMessage) -> Self {
        let channel = message.channel_identity.as_ref();
        let conversation = channel.and_then(|it| it.channel_id.as_deref()).or(message.chat_id.as_deref());
        Self {
            conversation: conversation.unwrap_or_default(),
            team: channel.and_then(|it| it.team_id.as_deref()).unwrap_or_default(),
            web_url: message.web_url.as_deref().unwrap_or_default(),
        }
    }

    /// The address of a message that is quoted, as far as the quote says which it is.
    fn address(&self, conversation: &str, message: &str) -> Option<String> {
        let conversation = if conversation.is_empty() { self.conversation } else { conversation };
        if conversation.is_empty() || message.is_empty() {
            return None;
        }
        let host = url::Url::parse(self.web_url).ok();
        Some(permalinks::address(&Whereabouts {
            host: host.as_ref().and_then(url::Url::host_str).unwrap_or(permalinks::HOST),
            tenant: "",
            team: if conversation == self.conversation { self.team } else { "" },
            conversation,
            root: None,
            message,
        }))
    }
}

/// What stands at the place of an attachment.
fn attachment(attachment: &Attachment, here: &Here<'_>) -> TeamsAttachment {
    // The content is JSON as text; some services send it as JSON.
    let content = match &attachment.content {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let text = |key: &str| content.get(key).and_then(Value::as_str).unwrap_or_default();
    let blocks = match attachment.content_type.as_str() {
        "reference" => Vec::new(),
        "messageReference" => {
            let address = here.address("", text("messageId"));
            let mut blocks = sender(&content, "messageSender", address);
            blocks.extend(parse_plain(text("messagePreview")).blocks);
            vec![Block::Quote(blocks)]
        }
        "forwardedMessageReference" => {
            let address = here.address(text("originalConversationId"), text("originalMessageId"));
            let mut blocks = sender(&content, "originalMessageSender", address);
            let html = text("originalMessageContent");
            blocks.extend(dragoman_markup::teams::parse(TeamsInput::new(html), Budget::default()).blocks);
            vec![Block::Quote(blocks)]
        }
        "application/vnd.microsoft.card.codesnippet" => vec![Block::Code {
            language: Some(text("language").to_owned()).filter(|language| !language.is_empty()),
            text: text("code").to_owned(),
        }],
        kind => vec![card(kind, attachment, &content)],
    };
    TeamsAttachment { id: attachment.id.clone(), document: Document { blocks }.normalise() }
}

/// Who wrote what is quoted, and where that is, as far as the quote tells.
fn sender(content: &Value, key: &str, address: Option<String>) -> Vec<Block> {
    let name =
        content.pointer(&format!("/{key}/user/displayName")).and_then(Value::as_str).unwrap_or_default();
    let name = match (name, &address) {
        ("", None) => return Vec::new(),
        ("", Some(_)) => "message",
        (name, _) => name,
    };
    let name = Inline::Strong(vec![Inline::Text(name.to_owned())]);
    vec![Block::Paragraph(vec![match address {
        Some(url) => Inline::Link { url, text: vec![name] },
        None => name,
    }])]
}

/// A card by its readable text.
fn card(kind: &str, attachment: &Attachment, content: &Value) -> Block {
    let mut lines = Vec::new();
    lines.extend(attachment.name.clone().filter(|name| !name.is_empty()));
    let mut links = Vec::new();
    gather(content, 0, &mut lines, &mut links);
    let mut text = Vec::new();
    let mut length = 0;
    for line in lines {
        length += line.len();
        if length > CARD_TEXT {
            break;
        }
        if !text.is_empty() {
            text.push(Inline::Break);
        }
        text.push(Inline::Text(line.replace('\n', " ")));
    }
    for (url, title) in links.into_iter().take(CARD_LINKS) {
        if !text.is_empty() {
            text.push(Inline::Break);
        }
        let title: String = title.chars().filter(|c| !c.is_control()).take(200).collect();
        let shown = if title.is_empty() { Vec::new() } else { vec![Inline::Text(title)] };
        text.push(Inline::Link { url, text: shown });
    }
    let word = kind.rsplit('.').next().unwrap_or(kind);
    let word = if kind.contains(".card.") { "card" } else { word };
    Block::Unsupported { kind: word.to_owned(), text }
}

/// A button or a picture that opens a page: its address and label.
fn opens(fields: &serde_json::Map<String, Value>) -> Option<(String, String)> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
    let url = match text("type") {
        "Action.OpenUrl" => text("url"),
        // Hero and thumbnail cards.
        "openUrl" => text("value"),
        _ => return None,
    };
    Some((link_url(url)?.to_owned(), text("title").trim().to_owned()))
}

fn gather(value: &Value, depth: usize, lines: &mut Vec<String>, links: &mut Vec<(String, String)>) {
    if depth > CARD_DEPTH {
        return;
    }
    match value {
        Value::Object(fields) => {
            if let Some(link) = opens(fields) {
                links.push(link);
                return;
            }
            for key in ["title", "subtitle", "text", "value"] {
                if let Some(Value::String(text)) = fields.get(key)
                    && !text.trim().is_empty()
                {
                    lines.push(text.trim().to_owned());
                }
            }
            // Buttons stand below what they are about.
            let is_button = |key: &str| matches!(key, "actions" | "buttons");
            let (buttons, rest): (Vec<_>, Vec<_>) = fields.iter().partition(|(key, _)| is_button(key));
            for (key, inner) in rest.into_iter().chain(buttons) {
                if key != "data" && key != "msteams" && key != "tap" {
                    gather(inner, depth + 1, lines, links);
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| gather(entry, depth + 1, lines, links)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(kind: &str, content: &Value) -> (String, Vec<String>) {
        let Block::Unsupported { text, .. } = card(kind, &Attachment::default(), content) else {
            panic!("a card is shown as text");
        };
        let links = text.iter().filter_map(|inline| match inline {
            Inline::Link { url, .. } => Some(url.clone()),
            _ => None,
        });
        let links = links.collect();
        let document = Document { blocks: vec![Block::Paragraph(text)] };
        (dragoman_markup::plain(&document).trim().to_owned(), links)
    }

    #[test]
    fn what_a_card_opens_is_a_link_below_its_text() {
        let adaptive = json!({
            "body": [{ "type": "TextBlock", "text": "Berth plan" }],
            "actions": [
                { "type": "Action.OpenUrl", "title": "Show it", "url": "https://harbor.example/berth" },
                { "type": "Action.OpenUrl", "title": "Run it", "url": "javascript:alert(1)" },
                { "type": "Action.Submit", "title": "Book", "data": { "text": "not shown" } },
            ],
        });
        let (text, links) = shown("application/vnd.microsoft.card.adaptive", &adaptive);
        assert_eq!(links, ["https://harbor.example/berth"]);
        assert!(
            text.starts_with("Berth plan") && text.contains("Show it") && text.contains("Book"),
            "{text}"
        );
        assert!(!text.contains("javascript") && !text.contains("not shown"), "{text}");

        let hero = json!({
            "title": "Low tide",
            "buttons": [{ "type": "openUrl", "title": "Table", "value": "https://harbor.example/tide" }],
        });
        let (text, links) = shown("application/vnd.microsoft.card.hero", &hero);
        assert_eq!(links, ["https://harbor.example/tide"]);
        assert!(text.starts_with("Low tide"), "{text}");
    }
}
