//! From operations to arguments of methods.

use dragoman_markup::{emoji, slack};
use dragoman_model::TextLimit;
use dragoman_model::{Document, Emoji, Post, RemoteMessage, RemoteUser, Spokesman};
use dragoman_platform::{Share, byline};
use serde_json::{Map, Value, json};

use crate::capabilities::TEXT;

/// What our copies say of themselves in `metadata`.
pub(crate) const MARKER_TYPE: &str = "dragoman_copy";
/// Where in the payload the marker is.
pub(crate) const MARKER_KEY: &str = "k";

/// How the author of a copy is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Face {
    /// Name and picture as arguments.
    Customised,
    /// A line with the name above the text: `chat:write.customize` is not granted.
    NameLine,
    /// As the owner of the token.
    Owner,
}

/// Which face a post gets.
pub(crate) fn face(post: &Post, may_customise: bool) -> Face {
    match post.spokesman {
        Spokesman::Person(_) => Face::Owner,
        Spokesman::App if !byline::is_named(&post.author) => Face::Owner,
        Spokesman::App if may_customise => Face::Customised,
        Spokesman::App => Face::NameLine,
    }
}

/// The arguments of `chat.postMessage`. `plain` leaves the blocks out.
pub(crate) fn post(post: &Post, face: Face, plain: bool) -> Value {
    let mut arguments = text(post, face, plain);
    if let Some(root) = &post.thread_root {
        arguments.insert("thread_ts".to_owned(), json!(root.as_str()));
        if post.broadcast {
            arguments.insert("reply_broadcast".to_owned(), json!(true));
        }
    }
    customise(post, face, &mut arguments);
    arguments.insert("unfurl_links".to_owned(), json!(false));
    arguments.insert("unfurl_media".to_owned(), json!(false));
    Value::Object(arguments)
}

/// The arguments of `chat.postEphemeral`, which takes no metadata.
pub(crate) fn whisper(user: &RemoteUser, post: &Post) -> Value {
    let mut arguments = text(post, Face::Owner, false);
    arguments.remove("metadata");
    arguments.insert("user".to_owned(), json!(user.as_str()));
    if let Some(root) = &post.thread_root {
        arguments.insert("thread_ts".to_owned(), json!(root.as_str()));
    }
    Value::Object(arguments)
}

/// The arguments of `views.publish`.
pub(crate) fn home(user: &RemoteUser, page: &Document) -> Value {
    let blocks = slack::render(page).blocks;
    json!({ "user_id": user.as_str(), "view": { "type": "home", "blocks": blocks } })
}

/// The arguments of `chat.update`. `plain` leaves the blocks out, which drops the old ones.
pub(crate) fn update(message: &RemoteMessage, post: &Post, face: Face, plain: bool) -> Value {
    let mut arguments = text(post, face, plain);
    arguments.insert("ts".to_owned(), json!(message.as_str()));
    Value::Object(arguments)
}

/// The arguments of `files.completeUploadExternal`. `plain` leaves the blocks out: then the comment is mrkdwn. Files
/// take no metadata: the marker stands in the id of the caption's first block, where there is a caption.
pub(crate) fn shared(share: &Share, face: Face, file: &str, name: &str, plain: bool) -> Value {
    let post = &share.post;
    let mut arguments = Map::new();
    arguments.insert("files".to_owned(), json!([{ "id": file, "title": name }]));
    arguments.insert("channel_id".to_owned(), json!(post.conversation.as_str()));
    if let Some(root) = &post.thread_root {
        arguments.insert("thread_ts".to_owned(), json!(root.as_str()));
    }
    let mut rendered = rendered(post, face);
    if !rendered.text.is_empty() {
        if plain {
            arguments.insert("initial_comment".to_owned(), json!(rendered.text));
        } else {
            if let Some(first) = rendered.blocks.get_mut(0) {
                first["block_id"] = json!(format!("{MARKER_TYPE}/{}", post.marker.as_str()));
            }
            arguments.insert("blocks".to_owned(), rendered.blocks);
        }
    }
    customise(post, face, &mut arguments);
    Value::Object(arguments)
}

fn customise(post: &Post, face: Face, arguments: &mut Map<String, Value>) {
    if face == Face::Customised {
        arguments.insert("username".to_owned(), json!(byline::label(&post.author)));
        if let Some(url) = &post.author.avatar_url {
            arguments.insert("icon_url".to_owned(), json!(url));
        }
    }
}

fn rendered(post: &Post, face: Face) -> slack::SlackText {
    if face == Face::NameLine {
        slack::render(&byline::above(&post.body, &post.author))
    } else {
        slack::render(&post.body)
    }
}

fn text(post: &Post, face: Face, plain: bool) -> Map<String, Value> {
    let rendered = rendered(post, face);
    let mut arguments = Map::new();
    arguments.insert("channel".to_owned(), json!(post.conversation.as_str()));
    arguments.insert("text".to_owned(), json!(rendered.text));
    if !plain {
        arguments.insert("blocks".to_owned(), rendered.blocks);
    }
    arguments.insert(
        "metadata".to_owned(),
        json!({ "event_type": MARKER_TYPE, "event_payload": { MARKER_KEY: post.marker.as_str() } }),
    );
    arguments
}

/// Slack's name for an emoji. `None`: Slack has none.
pub(crate) fn reaction_name(emoji: &Emoji) -> Option<String> {
    match emoji {
        Emoji::Unicode(characters) => emoji::to_slack(characters),
        Emoji::Custom { name, .. } => Some(name.clone()),
    }
}

/// The emoji that Slack calls so.
pub(crate) fn reaction_emoji(name: &str) -> Emoji {
    emoji::from_slack(name).map_or_else(|| Emoji::Custom { name: name.to_owned(), url: None }, Emoji::Unicode)
}

/// The parts of a post, each within the limit of `chat.update` after rendering, so that every part can be
/// edited.
pub(crate) fn split(post: &Post) -> Vec<Document> {
    // Room for a name line above the text, whether or not it will be shown.
    let room = byline::LONGEST + 8;
    let limit = TextLimit { max: TEXT.max - room, unit: TEXT.unit };
    let parts =
        dragoman_markup::split(&post.body, limit, &|part| limit.unit.measure(&slack::render(part).text));
    if parts.is_empty() { vec![Document::default()] } else { parts }
}
