//! The scopes, each with its reason, for just the features that are switched on, and the steps of setting up.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dragoman_platform::{Package, PackageFile, PackageRequest, Scope};

use crate::capabilities::{ACCOUNT, BOT};

/// A feature with the scopes that it needs.
struct Part {
    feature: &'static str,
    /// Whether it is on whatever was chosen.
    always: bool,
    scopes: &'static [(&'static str, &'static str)],
}

const PARTS: &[Part] = &[
    Part {
        feature: "messages",
        always: true,
        scopes: &[
            (
                "spark:messages_read",
                "receive messages and files of the spaces the account is in, and read them again",
            ),
            ("spark:messages_write", "post, edit and delete the copies of messages and files"),
            ("spark:rooms_read", "see these spaces and their names, and learn when one is moved"),
            ("spark:memberships_read", "learn when the account or outsiders join or leave a space"),
            ("spark:people_read", "show the names of authors on the other side"),
            ("spark:kms", "let Webex decrypt messages for the app; Webex adds it to every integration"),
        ],
    },
    Part {
        feature: "compliance-events",
        always: false,
        scopes: &[(
            "spark-compliance:events_read",
            "see edits of older messages; the account has to be a compliance officer",
        )],
    },
];

/// Features that can be switched on.
pub(crate) const FEATURES: &[&str] = &["messages", "compliance-events"];

/// The scopes for the features.
pub(crate) fn scopes(features: &BTreeSet<String>) -> Vec<Scope> {
    let parts = PARTS.iter().filter(|part| part.always || features.contains(part.feature));
    parts
        .flat_map(|part| {
            part.scopes.iter().map(|(name, reason)| Scope {
                name: (*name).to_owned(),
                feature: part.feature,
                reason,
            })
        })
        .collect()
}

/// What an admin copies into the form "Create a New App".
pub(crate) fn package(request: &PackageRequest) -> Package {
    if request.facts.get(ACCOUNT).is_some_and(|account| account == BOT) {
        let steps = [
            "Open https://developer.webex.com/my-apps/new/bot and create a bot.",
            "Copy its access token, which is shown once, and give it to `dragoman install token webex FILE`.",
            "Add the bot to the spaces that are to be bridged. In a group space only messages that mention the bot are relayed; for everything else set up an integration.",
        ];
        return Package { files: Vec::new(), steps: steps.map(str::to_owned).to_vec(), scopes: Vec::new() };
    }
    let scopes = scopes(&request.features);
    let redirect = format!("{}/oauth/webex/callback", request.public_url);
    let mut text = format!("Name: {}\nRedirect URI: {redirect}\n\nScopes:\n", request.name);
    for scope in &scopes {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}  ({})", scope.name, scope.reason);
    }
    let steps = vec![
        "Make an account for the gateway in your organisation, with a licence for messaging, and sign in to https://developer.webex.com/my-apps/new/integration as an administrator.".to_owned(),
        format!("Create an integration with the redirect URI {redirect} and exactly the scopes of webex-integration.txt."),
        "Copy Client ID and Client Secret and set them: `dragoman app set webex --set client_id=… --set client_secret=@FILE`.".to_owned(),
        "Run `dragoman install start webex`, open the link that it prints, and sign in as the account of the gateway, not as yourself: what this account writes is not relayed.".to_owned(),
        "Add the account to every space that is to be bridged.".to_owned(),
    ];
    let file = PackageFile { name: "webex-integration.txt".to_owned(), bytes: text.into_bytes() };
    Package { files: vec![file], steps, scopes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_can_be_named_and_asks_for_its_own_scopes() {
        let names: Vec<&str> = PARTS.iter().map(|part| part.feature).collect();
        assert_eq!(names, FEATURES);
        assert!(scopes(&BTreeSet::new()).iter().all(|scope| scope.feature == "messages"));
        let all = scopes(&["compliance-events".to_owned()].into());
        assert!(all.iter().any(|scope| scope.name == "spark-compliance:events_read"));
        let distinct: BTreeSet<&str> = all.iter().map(|scope| scope.name.as_str()).collect();
        assert_eq!(distinct.len(), all.len());
    }
}
