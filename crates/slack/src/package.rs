//! The app manifest and the scopes, each with its reason, for just the features that are switched on.

use std::collections::BTreeSet;

use dragoman_platform::{Package, PackageFile, PackageRequest, Scope};
use serde_json::json;

use crate::install::PERSON_SCOPES;

/// A feature with the scopes and events that it needs.
struct Part {
    feature: &'static str,
    /// Whether it is on where nothing was chosen.
    usual: bool,
    /// Whether it is on whatever was chosen.
    always: bool,
    scopes: &'static [(&'static str, &'static str)],
    events: &'static [&'static str],
}

const PARTS: &[Part] = &[
    Part {
        feature: "messages",
        usual: true,
        always: true,
        scopes: &[
            ("channels:history", "receive messages of public channels the app is in, and read them again"),
            ("channels:read", "see public channels, their names and whether outsiders are in them"),
            ("channels:join", "join a public channel when it is bridged"),
            ("chat:write", "post, edit and delete the copies of messages"),
            ("chat:write.customize", "show a copy with the name and picture of its author"),
            ("users:read", "show the names and pictures of authors on the other side"),
        ],
        events: &[
            "app_uninstalled",
            "channel_archive",
            "channel_deleted",
            "channel_id_changed",
            "channel_left",
            "channel_rename",
            "channel_shared",
            "channel_unarchive",
            "channel_unshared",
            "member_joined_channel",
            "member_left_channel",
            "message.channels",
            "tokens_revoked",
            "user_change",
        ],
    },
    Part {
        feature: "private-channels",
        usual: true,
        always: false,
        scopes: &[
            ("groups:history", "receive messages of private channels the app was invited to"),
            ("groups:read", "see these channels and whether outsiders are in them"),
        ],
        events: &[
            "group_archive",
            "group_deleted",
            "group_left",
            "group_rename",
            "group_unarchive",
            "message.groups",
        ],
    },
    Part {
        feature: "reactions",
        usual: true,
        always: false,
        scopes: &[
            ("reactions:read", "receive reactions to bridged messages"),
            ("reactions:write", "add reactions to copies"),
        ],
        events: &["reaction_added", "reaction_removed"],
    },
    Part {
        feature: "files",
        usual: true,
        always: false,
        scopes: &[
            ("files:read", "see the files of messages, to carry them or to say which they are"),
            ("files:write", "post files of other platforms, and delete them with their messages"),
        ],
        events: &[],
    },
    Part {
        feature: "email",
        usual: false,
        always: false,
        scopes: &[("users:read.email", "recognise the same person on other platforms by e-mail address")],
        events: &[],
    },
    Part {
        feature: "direct-messages",
        usual: false,
        always: false,
        scopes: &[
            ("im:history", "receive direct messages to the app"),
            ("im:read", "see the app's direct conversations"),
            ("im:write", "open a direct conversation with a person"),
            ("mpim:history", "receive messages of group conversations the app is in"),
            ("mpim:read", "see these group conversations"),
            ("mpim:write", "open a group conversation"),
        ],
        events: &["app_home_opened", "message.im", "message.mpim"],
    },
    Part {
        feature: "slash-command",
        usual: false,
        always: false,
        scopes: &[("commands", "let people ask for direct conversations with /dragoman, wherever they are")],
        events: &[],
    },
];

/// Features that can be switched on.
pub(crate) const FEATURES: &[&str] =
    &["messages", "private-channels", "reactions", "files", "email", "direct-messages", "slash-command"];

fn parts(features: &BTreeSet<String>) -> impl Iterator<Item = &'static Part> {
    PARTS.iter().filter(|part| {
        part.always || if features.is_empty() { part.usual } else { features.contains(part.feature) }
    })
}

/// The scopes for the features.
pub(crate) fn scopes(features: &BTreeSet<String>) -> Vec<Scope> {
    parts(features)
        .flat_map(|part| {
            part.scopes.iter().map(|(name, reason)| Scope {
                name: (*name).to_owned(),
                feature: part.feature,
                reason,
            })
        })
        .collect()
}

/// The manifest, in the form of Slack's "App manifest reference".
pub(crate) fn package(request: &PackageRequest) -> Package {
    let scopes = scopes(&request.features);
    let socket = request.facts.get("transport").is_some_and(|transport| transport == "socket");
    let mut events: Vec<&str> = parts(&request.features).flat_map(|part| part.events).copied().collect();
    events.sort_unstable();
    let mut subscriptions = json!({ "bot_events": events });
    if !socket {
        subscriptions["request_url"] =
            json!(format!("{}/hooks/slack/{}/events", request.public_url, request.app));
    }
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name.as_str()).collect();
    // Slack's limits: 35 characters for the name, 80 for the bot's.
    let name: String = request.name.chars().take(35).collect();
    let commands = request.features.contains("slash-command");
    let mut manifest = json!({
        "display_information": {
            "name": name,
            "description": "Carries messages between this workspace and other chat platforms",
        },
        "features": {
            "bot_user": { "display_name": name, "always_online": true },
            "app_home": { "messages_tab_enabled": true, "messages_tab_read_only_enabled": false },
        },
        "oauth_config": {
            "redirect_urls": [format!("{}/oauth/slack", request.public_url)],
            "scopes": { "bot": names },
        },
        "settings": {
            "event_subscriptions": subscriptions,
            "org_deploy_enabled": false,
            "socket_mode_enabled": socket,
            "token_rotation_enabled": true,
        },
    });
    if commands {
        let mut command = json!({
            "command": "/dragoman",
            "description": "Write with people on other platforms",
            "usage_hint": "name@example.com hello | list | help",
            "should_escape": false,
        });
        if !socket {
            command["url"] = json!(format!("{}/hooks/slack/{}/commands", request.public_url, request.app));
        }
        manifest["features"]["slash_commands"] = json!([command]);
    }
    if request.features.contains("direct-messages") {
        manifest["features"]["app_home"]["home_tab_enabled"] = json!(true);
    }
    let mut bytes = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    bytes.push(b'\n');
    let mut steps = vec![
        "Open https://api.slack.com/apps, choose Create New App, From a manifest, and your workspace.".to_owned(),
        "Paste the manifest file and create the app.".to_owned(),
        "Copy Client ID, Client Secret and Signing Secret from Basic Information and set them: `dragoman app set slack --set client_id=… --set client_secret=@FILE --set signing_secret=@FILE`."
            .to_owned(),
    ];
    if socket {
        steps.push(
            "In Basic Information, App-Level Tokens, generate a token with connections:write and give it as \
             app_token."
                .to_owned(),
        );
    } else {
        steps.push(
            "When the gateway runs, open Event Subscriptions and press Retry if the request URL is not verified."
                .to_owned(),
        );
    }
    steps.push("Run `dragoman install start slack` and open the link that it prints.".to_owned());
    steps.push("Invite the app to every private channel that is to be bridged.".to_owned());
    let own = PERSON_SCOPES.iter().filter(|(name, _)| names.contains(name));
    let own: Vec<String> = own.map(|(name, reason)| format!("{name} ({reason})")).collect();
    steps.push(format!(
        "People who let the app speak in their own name grant it themselves: {}.",
        own.join(", ")
    ));
    Package { files: vec![PackageFile { name: "slack-manifest.json".to_owned(), bytes }], steps, scopes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_can_be_named_and_asks_for_its_own_scopes() {
        let names: Vec<&str> = PARTS.iter().map(|part| part.feature).collect();
        assert_eq!(names, FEATURES);
        let lean = scopes(&["messages".to_owned()].into());
        assert!(lean.iter().all(|scope| scope.feature == "messages"));
        for feature in FEATURES {
            let with = scopes(&[(*feature).to_owned()].into());
            assert!(with.iter().any(|scope| scope.feature == *feature), "{feature} asks for nothing");
            assert!(with.iter().all(|scope| [ALWAYS, feature].contains(&scope.feature)), "{feature}");
        }
        let mut all: Vec<String> =
            PARTS.iter().flat_map(|part| part.scopes.iter().map(|(name, _)| (*name).to_owned())).collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count, "a scope belongs to one feature");
    }

    #[test]
    fn people_are_asked_for_what_the_app_may_do_itself() {
        let said = |features: &[&str]| {
            let features = features.iter().map(|it| (*it).to_owned()).collect();
            let request = PackageRequest {
                name: "Bridge".into(),
                public_url: "https://bridge.example".into(),
                app: "a1".into(),
                facts: dragoman_platform::Facts::new(),
                features,
            };
            package(&request).steps.join(" ")
        };
        let (all, lean) = (said(&[]), said(&["messages"]));
        assert!(all.contains("files:write (post their files in their own name"), "{all}");
        assert!(lean.contains("chat:write (") && !lean.contains("files:write"), "{lean}");
    }

    const ALWAYS: &str = "messages";
}
