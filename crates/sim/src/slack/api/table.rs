//! Every method with its tier, argument style and scopes, after its page under docs.slack.dev/reference/methods.

use crate::slack::desk::Desk;
use crate::slack::dispatch::{ApiResult, Auth, Caller, Spec};
use crate::slack::limits::Tier;

use super::{apps, chat, conversations as rooms, files, people};

type Run = fn(&mut Desk<'_>, &Caller<'_>) -> ApiResult;

fn read(tier: Tier, scopes: &'static [&'static str], run: Run) -> Spec {
    Spec { tier, json: false, auth: Auth::Token, scopes, run }
}

fn write(tier: Tier, scopes: &'static [&'static str], run: Run) -> Spec {
    Spec { tier, json: true, auth: Auth::Token, scopes, run }
}

const READ: &[&str] = &["channels:read", "groups:read", "mpim:read", "im:read"];
const HISTORY: &[&str] = &["channels:history", "groups:history", "mpim:history", "im:history"];
const MANAGE: &[&str] = &["channels:manage", "groups:write", "channels:write", "mpim:write", "im:write"];
const TOPIC: &[&str] = &[
    "channels:manage",
    "groups:write",
    "channels:write",
    "channels:write.topic",
    "groups:write.topic",
    "mpim:write",
];
const INVITE: &[&str] =
    &["channels:manage", "groups:write", "channels:write", "channels:write.invites", "groups:write.invites"];

/// A method; `None` when there is none of this name.
pub fn spec(method: &str) -> Option<Spec> {
    use Tier::{Four, Special, Three, Two};
    Some(match method {
        "api.test" => write(Special, &[], apps::api_test),
        "auth.test" => write(Special, &[], apps::auth_test),
        "auth.revoke" => read(Three, &[], apps::auth_revoke),
        "team.info" => write(Three, &["team:read"], people::team_info),
        "emoji.list" => read(Two, &["emoji:read"], people::emoji_list),
        "usergroups.list" => read(Two, &["usergroups:read"], people::usergroups_list),
        "users.info" => read(Four, &["users:read"], people::users_info),
        "users.list" => read(Two, &["users:read"], people::users_list),
        "users.lookupByEmail" => read(Three, &["users:read.email"], people::lookup_by_email),
        "users.profile.get" => read(Four, &["users.profile:read", "users:read"], people::profile_get),
        "users.conversations" => read(Three, READ, rooms::users_conversations),
        "bots.info" => read(Three, &["users:read"], people::bots_info),
        "chat.postMessage" => write(Special, &["chat:write"], chat::post_message),
        "chat.postEphemeral" => write(Four, &["chat:write"], chat::post_ephemeral),
        "chat.meMessage" => write(Three, &["chat:write"], chat::me_message),
        "chat.update" => write(Three, &["chat:write"], chat::update),
        "chat.delete" => write(Three, &["chat:write"], chat::delete),
        "chat.getPermalink" => read(Special, &[], chat::get_permalink),
        "conversations.list" => read(Two, READ, rooms::list),
        "conversations.info" => read(Three, READ, rooms::info),
        "conversations.members" => read(Four, READ, rooms::members),
        "conversations.history" => write(Three, HISTORY, rooms::history),
        "conversations.replies" => read(Three, HISTORY, rooms::replies),
        "conversations.join" => write(Three, &["channels:join", "channels:write"], rooms::join),
        "conversations.leave" => write(Three, MANAGE, rooms::leave),
        "conversations.open" => {
            write(Three, &["im:write", "mpim:write", "channels:manage", "groups:write"], rooms::open)
        }
        "conversations.create" => write(Two, MANAGE, rooms::create),
        "conversations.invite" => write(Three, INVITE, rooms::invite),
        "conversations.kick" => write(Three, MANAGE, rooms::kick),
        "conversations.rename" => write(Two, MANAGE, rooms::rename),
        "conversations.archive" => write(Two, MANAGE, rooms::archive),
        "conversations.unarchive" => write(Two, MANAGE, rooms::unarchive),
        "conversations.setTopic" => write(Two, TOPIC, rooms::set_topic),
        "conversations.setPurpose" => write(Two, TOPIC, rooms::set_purpose),
        "conversations.mark" => write(Three, MANAGE, rooms::mark),
        "reactions.add" => write(Three, &["reactions:write"], people::reactions_add),
        "reactions.remove" => write(Two, &["reactions:write"], people::reactions_remove),
        "reactions.get" => read(Three, &["reactions:read"], people::reactions_get),
        "files.getUploadURLExternal" => read(Four, &["files:write"], files::get_upload_url),
        "files.completeUploadExternal" => write(Four, &["files:write"], files::complete_upload),
        "files.info" => read(Four, &["files:read"], files::info),
        "files.delete" => write(Three, &["files:write"], files::delete),
        "views.publish" => write(Four, &[], crate::slack::commands::publish),
        "apps.connections.open" => Spec {
            tier: Three,
            json: true,
            auth: Auth::App,
            scopes: &["connections:write"],
            run: apps::api_test,
        },
        "apps.event.authorizations.list" => Spec {
            tier: Special,
            json: true,
            auth: Auth::App,
            scopes: &["authorizations:read"],
            run: apps::api_test,
        },
        "apps.uninstall" => read(Two, &[], apps::uninstall),
        "oauth.v2.access" | "oauth.v2.exchange" => {
            Spec { tier: Special, json: false, auth: Auth::Client, scopes: &[], run: apps::api_test }
        }
        _ => return None,
    })
}
