//! The app manifest and the scopes, each with its reason, for just the features that are switched on. An app that is
//! to hear a whole account and to have a bot is admin-managed; such apps have scopes ending in `:admin` only.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dragoman_platform::{Package, PackageFile, PackageRequest, Scope};
use serde_json::json;

/// A feature with the scopes and events that it needs.
struct Part {
    feature: &'static str,
    /// Whether it is on where nothing was chosen.
    usual: bool,
    /// Whether it is on whatever was chosen.
    always: bool,
    /// Granular name, classic name, reason.
    scopes: &'static [(&'static str, &'static str, &'static str)],
    events: &'static [&'static str],
}

const PARTS: &[Part] = &[
    Part {
        feature: "messages",
        usual: true,
        always: true,
        scopes: &[
            (
                "team_chat:read:user_message:admin",
                "chat_message:read:admin",
                "receive messages of bridged channels and read one again",
            ),
            (
                "team_chat:read:list_user_messages:admin",
                "chat_message:read:admin",
                "read what was missed while the gateway was away, and find copies whose answer was lost",
            ),
            ("team_chat:write:user_message:admin", "chat_message:write:admin", "post the copies of messages"),
            ("team_chat:update:user_message:admin", "chat_message:write:admin", "edit them"),
            ("team_chat:delete:user_message:admin", "chat_message:write:admin", "delete them"),
            (
                "team_chat:read:user_channel:admin",
                "chat_channel:read:admin",
                "see the channels that the bridge user is in",
            ),
            (
                "team_chat:read:channel:admin",
                "chat_channel:read:admin",
                "see that a channel was renamed or closed",
            ),
            (
                "team_chat:read:list_user_channels:admin",
                "chat_channel:read:admin",
                "list them to choose from",
            ),
            (
                "team_chat:read:list_members:admin",
                "chat_channel:read:admin",
                "see whether outsiders are in a channel, and the names of its members",
            ),
            (
                "user:read:user:admin",
                "user:read:admin",
                "show the names and pictures of authors on the other side",
            ),
        ],
        events: &[
            "chat_channel.deleted",
            "chat_channel.member_invited",
            "chat_channel.member_joined",
            "chat_channel.member_left",
            "chat_channel.member_removed",
            "chat_channel.updated",
            "team_chat.channel_message_deleted",
            "team_chat.channel_message_posted",
            "team_chat.channel_message_updated",
            "user.activated",
            "user.deactivated",
            "user.deleted",
            "user.updated",
        ],
    },
    Part {
        feature: "reactions",
        usual: true,
        always: false,
        scopes: &[
            (
                "team_chat:read:message_emoji:admin",
                "chat:read:admin",
                "receive reactions to bridged messages",
            ),
            ("team_chat:update:message_emoji:admin", "chat_message:write:admin", "add reactions to copies"),
        ],
        events: &["team_chat.channel_reaction_added", "team_chat.channel_reaction_removed"],
    },
    Part {
        feature: "archive",
        usual: false,
        always: false,
        scopes: &[(
            "team_chat:read:archive_channels:admin",
            "chat:read:admin",
            "see that a channel was archived",
        )],
        events: &["team_chat.channel_archived", "team_chat.channel_unarchived"],
    },
    Part {
        feature: "files",
        usual: true,
        always: false,
        scopes: &[
            ("team_chat:read:file:admin", "chat:read:admin", "read the files of messages, to carry them"),
            ("team_chat:write:files:admin", "chat_message:write:admin", "upload the files of copies"),
        ],
        events: &[],
    },
    Part {
        feature: "file-deletion",
        usual: false,
        always: false,
        scopes: &[(
            "team_chat:delete:file:admin",
            "chat:write:admin",
            "delete the files of a copy with it; without this Zoom keeps them, although no message shows them any more",
        )],
        events: &[],
    },
    Part {
        feature: "custom-emoji",
        usual: false,
        always: false,
        scopes: &[(
            "team_chat:read:list_custom_emojis:admin",
            "chat:read:admin",
            "react with the account's own emoji",
        )],
        events: &[],
    },
    Part {
        feature: "direct-messages",
        usual: false,
        always: false,
        scopes: &[],
        events: &[
            "team_chat.dm_message_deleted",
            "team_chat.dm_message_posted",
            "team_chat.dm_message_updated",
            "team_chat.dm_reaction_added",
            "team_chat.dm_reaction_removed",
        ],
    },
    Part {
        feature: "bot",
        usual: false,
        always: false,
        scopes: &[("imchat:bot", "imchat:bot", "be written to as an app, and answer as one")],
        events: &[],
    },
];

/// Features that can be switched on.
pub(crate) const FEATURES: &[&str] =
    &["messages", "reactions", "archive", "files", "file-deletion", "custom-emoji", "direct-messages", "bot"];

/// Whether a granted scope gives what a granular one asks for: apps made before granular scopes have classic ones,
/// and scopes of a user's own app lack the ending `:admin`.
pub(crate) fn covers(granted: &str, asked: &str) -> bool {
    let all = PARTS.iter().flat_map(|part| part.scopes);
    let same = |name: &str| granted == name || Some(granted) == name.strip_suffix(":admin");
    all.filter(|(granular, ..)| *granular == asked)
        .any(|(granular, classic, _)| same(granular) || same(classic))
}

fn parts(features: &BTreeSet<String>) -> impl Iterator<Item = &'static Part> {
    PARTS.iter().filter(|part| {
        part.always || if features.is_empty() { part.usual } else { features.contains(part.feature) }
    })
}

/// The scopes for the features.
pub(crate) fn scopes(features: &BTreeSet<String>) -> Vec<Scope> {
    parts(features)
        .flat_map(|part| {
            part.scopes.iter().map(|(name, _, reason)| Scope {
                name: (*name).to_owned(),
                feature: part.feature,
                reason,
            })
        })
        .collect()
}

/// The manifest, in the form of "Create an app" of the Marketplace API, and the scopes in both of their names.
pub(crate) fn package(request: &PackageRequest) -> Package {
    let scopes = scopes(&request.features);
    let socket = request.facts.get("transport").is_some_and(|transport| transport == "socket");
    let bot = request.features.contains("bot");
    let mut events: Vec<&str> = parts(&request.features).flat_map(|part| part.events).copied().collect();
    events.sort_unstable();
    let public = &request.public_url;
    let hook = format!("{public}/hooks/zoom/{}/events", request.app);
    let redirect = format!("{public}/oauth/zoom/callback");
    let host = public.split_once("://").map_or(public.as_str(), |(_, host)| host);
    let wanted: Vec<_> =
        scopes.iter().map(|scope| json!({ "scope": scope.name, "optional": false })).collect();
    let mut features = json!({
        "products": ["ZOOM_CHAT"],
        "development_home_uri": public,
        "production_home_uri": public,
        "domain_allow_list": [{ "domain": host, "explanation": "The gateway that carries the messages." }],
        "team_chat_subscription": { "enable": false },
    });
    if bot {
        features["team_chat_subscription"] = json!({
            "enable": true,
            "enable_support_channel": false,
            "slash_command": {
                "command": "dragoman",
                "command_hints": [],
                "enable_add_to_channel": true,
                "development_message_url": hook,
                "production_message_url": hook,
                "sender_type": "zoom",
            },
            "shortcuts": [],
        });
    }
    if !socket {
        features["event_subscription"] = json!({
            "enable": true,
            "events": [{
                "subscription_name": "Dragoman",
                "event_usage": "EVENT_FOR_ADMIN",
                "event_types": events,
                "development_webhook_url": hook,
                "production_webhook_url": hook,
            }],
        });
    }
    // Zoom's limit for names is 50 characters.
    let name: String = request.name.chars().take(50).collect();
    let manifest = json!({
        "app_type": "general",
        "app_name": name,
        "manifest": {
            "display_information": {
                "display_name": name,
                "description": "Carries messages between this account and other chat platforms",
            },
            "oauth_information": {
                "usage": "ADMIN_MANAGEMENT",
                "development_redirect_uri": redirect,
                "production_redirect_uri": redirect,
                "oauth_allow_list": [redirect],
                "strict_mode": true,
                "subdomain_strict_mode": true,
                "scopes": wanted,
                "scope_description": "Read, post, edit and delete messages of bridged channels.",
                "enable_private_pkce_client": false,
                "enable_public_pkce_client": false,
            },
            "features": features,
        },
    });
    let mut bytes = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    bytes.push(b'\n');
    let files = vec![
        PackageFile { name: "zoom-app.json".to_owned(), bytes },
        PackageFile { name: "zoom-scopes.txt".to_owned(), bytes: listed(&request.features).into_bytes() },
    ];
    Package { files, steps: steps(socket, &hook, &redirect, &events), scopes }
}

/// The scopes in their granular and in their classic names, each with its reason.
fn listed(features: &BTreeSet<String>) -> String {
    let mut text = String::from("granular\tclassic (older apps)\tfor\n");
    for (granular, classic, reason) in parts(features).flat_map(|part| part.scopes) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{granular}\t{classic}\t{reason}");
    }
    text
}

fn steps(socket: bool, hook: &str, redirect: &str, events: &[&str]) -> Vec<String> {
    let mut steps = vec![
        "Open https://marketplace.zoom.us as an administrator, choose Develop, Build App, General App, and \
         Admin-managed; or create it from zoom-app.json with the Marketplace API."
            .to_owned(),
        format!("In Basic Information, enter {redirect} as OAuth Redirect URL and in the allow list."),
        "In Scopes, add those of zoom-scopes.txt.".to_owned(),
        format!(
            "In Features, Access, add an event subscription for all users in the account with these events: {}.",
            events.join(", ")
        ),
    ];
    steps.push(if socket {
        "Choose WebSocket as its method, copy the address, and set what stands behind subscriptionId= with \
         `dragoman app set zoom --set transport=socket --set subscription_id=…`."
            .to_owned()
    } else {
        format!(
            "Choose Webhook as its method and {hook} as the address; validate it once the app is registered here and \
             the gateway runs. Enter the same address as Deauthorization Notification Endpoint."
        )
    });
    steps.push(
        "Copy Client ID, Client Secret and Secret Token and set them: `dragoman app set zoom --set client_id=… --set client_secret=@FILE --set secret_token=@FILE`."
            .to_owned(),
    );
    steps.push(
        "Give the gateway a licensed user of its own and name it: `dragoman app set zoom --set bridge_user=ADDRESS`. \
         Its messages are the copies, so nobody else may write with it."
            .to_owned(),
    );
    steps.push(
        "Give the administrator who installs the app a role with View and Edit for Chat Messages and Chat Channels."
            .to_owned(),
    );
    steps.push("Run `dragoman install start zoom` and open the link that it prints.".to_owned());
    steps.push("Add the bridge user to every channel that is to be bridged.".to_owned());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_can_be_named() {
        let names: Vec<&str> = PARTS.iter().map(|part| part.feature).collect();
        assert_eq!(names, FEATURES);
        let lean = scopes(&["messages".to_owned()].into());
        assert!(lean.iter().all(|scope| scope.feature == "messages"));
        assert!(scopes(&BTreeSet::new()).iter().any(|scope| scope.feature == "reactions"));
    }

    #[test]
    fn classic_scopes_cover_granular_ones() {
        let asked = "team_chat:update:user_message:admin";
        for granted in
            [asked, "chat_message:write:admin", "chat_message:write", "team_chat:update:user_message"]
        {
            assert!(covers(granted, asked), "{granted}");
        }
        for other in ["chat_message:read:admin", "team_chat:write:user_message:admin", "user:read:admin"] {
            assert!(!covers(other, asked), "{other}");
        }
    }
}
