//! The Teams app package: a ZIP with the manifest and two icons drawn here. Pure.
//!
//! Source: "Public developer preview and general availability manifest schema for Teams", "Resource-specific
//! consent for your Teams app".

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};

use aws_lc_rs::digest;
use dragoman_platform::{Package, PackageFile, PackageRequest, Scope};
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::install::PERSON_FILES;

/// A permission limited to one team or chat, the feature that needs it, and why.
const PERMISSIONS: &[(&str, &str, &str)] = &[
    (
        "ChannelMessage.Read.Group",
        "messages",
        "Read the messages of channels in teams where the app is installed, to relay them and to catch up after a gap.",
    ),
    (
        "ChannelMember.Read.Group",
        "messages",
        "Know who is in a private or shared channel, to show names and to see people of other organisations.",
    ),
    ("TeamMember.Read.Group", "messages", "Know who is in a team, to show names and to mention people."),
    ("ChannelSettings.Read.Group", "messages", "Read the names of channels, to choose them when linking."),
    ("TeamSettings.Read.Group", "messages", "Read the name of a team, to choose its channels when linking."),
    (
        "ChatMessage.Read.Chat",
        "chats",
        "Read the messages of group chats where the app is installed, to relay them and to catch up after a gap.",
    ),
    ("ChatMember.Read.Chat", "chats", "Know who is in a chat, to show names and to mention people."),
    ("File.Read.Group", "files", "Find the folder of a channel's files, to relay files."),
];

/// A permission of the app registration itself, as an application or on behalf of people, which an admin grants for the
/// whole organisation: there is none limited to one team ("Microsoft Graph permissions reference").
struct Granted {
    name: &'static str,
    kind: &'static str,
    feature: &'static str,
    reason: &'static str,
    without: &'static str,
}

const GRANTED: &[Granted] = &[
    Granted {
        name: "Files.ReadWrite.All",
        kind: "application",
        feature: "files",
        reason: "Put files of other platforms into the folders of linked channels, and read the files of messages, which \
                 in chats lie in their senders' OneDrive.",
        without: "files are shown as links",
    },
    Granted {
        name: PERSON_FILES,
        kind: "delegated",
        feature: "files",
        reason: "Of people who let the app speak in their name: put the files of their chats into their own OneDrive, \
                 where Teams keeps them, and share them with the chat. The app itself cannot attach a file to a chat.",
        without: "people whom the organisation does not let consent themselves cannot let the app speak in their name at \
                  all",
    },
];

/// Features that can be switched on.
pub(crate) const FEATURES: &[&str] = &[ALWAYS, "chats", "files"];

/// The feature that cannot be switched off. Where none is named, chats are on as well.
const ALWAYS: &str = "messages";

/// The package, its steps and the permissions it asks for.
pub(crate) fn package(request: &PackageRequest) -> Package {
    let features = features(request);
    let chosen: Vec<_> = PERMISSIONS.iter().filter(|(_, feature, _)| features.contains(feature)).collect();
    let granted: Vec<_> = GRANTED.iter().filter(|it| features.contains(it.feature)).collect();
    let limited =
        chosen.iter().map(|(name, feature, reason)| Scope { name: (*name).to_owned(), feature, reason });
    let wide =
        granted.iter().map(|it| Scope { name: it.name.to_owned(), feature: it.feature, reason: it.reason });
    let scopes = limited.chain(wide).collect();
    let app_id = request.facts.get("app_id").map_or("", String::as_str);
    let manifest = manifest(request, app_id, &features, chosen.iter().map(|(name, ..)| *name));
    let site = request.public_url.trim_end_matches('/');
    let endpoint = format!("{site}/hooks/teams/{}/messages", request.app);
    let mut steps = vec![
        format!(
            "In the Entra admin centre register an app (single tenant, web) with the redirect URI \
             {site}/oauth/teams/callback and create a client secret."
        ),
        format!(
            "In the Azure portal create an Azure Bot (single tenant) with that app id, add the channel Microsoft \
             Teams and set the messaging endpoint to {endpoint}"
        ),
        "Give app_id, tenant_id and client_secret to `dragoman app set`, and write the package again."
            .to_owned(),
    ];
    for Granted { name, kind, without, .. } in granted {
        steps.push(format!(
            "In the app registration, under API permissions, add the Microsoft Graph {kind} permission {name}; \
             without it, {without}."
        ));
    }
    // Without the app id there is no package that Teams would take.
    let files: Vec<PackageFile> = (!app_id.is_empty())
        .then(|| archive(&manifest))
        .flatten()
        .map(|bytes| PackageFile { name: "dragoman-teams.zip".to_owned(), bytes })
        .into_iter()
        .collect();
    if !files.is_empty() {
        steps.extend(
            [
                "Run `dragoman install start` for the app and let an admin open the link that it prints.",
                "In the Teams admin centre upload dragoman-teams.zip under Teams apps, Manage apps, and allow it.",
                "Then add the app to each team and group chat that is to be linked; to private and shared channels \
                 in addition, channel by channel. What was added before the installation has to be added again.",
                "To let people write to each other through the app, have it installed for them: Teams admin centre, \
                 Teams apps, Setup policies, Installed apps. Teams lets the bot write to nobody else.",
            ]
            .map(str::to_owned),
        );
    }
    Package { files, steps, scopes }
}

fn features(request: &PackageRequest) -> BTreeSet<&str> {
    let named: BTreeSet<&str> = request.features.iter().map(String::as_str).collect();
    let known = |feature: &&str| PERMISSIONS.iter().any(|(_, of, _)| of == feature);
    let usual: &[&str] = if named.iter().any(known) { &[ALWAYS] } else { &[ALWAYS, "chats"] };
    usual.iter().copied().chain(named).collect()
}

fn manifest<'a>(
    request: &PackageRequest,
    app_id: &str,
    features: &BTreeSet<&str>,
    permissions: impl Iterator<Item = &'a str>,
) -> Value {
    let mut scopes = vec!["personal", "team"];
    if features.contains("chats") {
        scopes.push("groupChat");
    }
    let site = if request.public_url.starts_with("https://") {
        request.public_url.as_str()
    } else {
        "https://example.com"
    };
    json!({
        "$schema": "https://developer.microsoft.com/json-schemas/teams/v1.25/MicrosoftTeams.schema.json",
        "manifestVersion": "1.25",
        "version": "1.0.0",
        "id": package_id(app_id),
        "developer": {
            "name": cut(&request.name, 32),
            "websiteUrl": site,
            "privacyUrl": site,
            "termsOfUseUrl": site,
        },
        "name": { "short": cut(&request.name, 30), "full": cut(&request.name, 100) },
        "description": {
            "short": "Relays messages between Teams and other chat platforms.",
            "full": "Relays messages, threads, edits, deletions and reactions between linked conversations here and on other chat platforms. Keeps none of the content.",
        },
        "icons": { "color": "color.png", "outline": "outline.png" },
        "accentColor": "#2B5C8A",
        "bots": [{
            "botId": app_id,
            "scopes": scopes,
            // People may send files in their own chat with it.
            "supportsFiles": features.contains("files"),
            "isNotificationOnly": false,
        }],
        // The resource has no meaning for these permissions but must not be empty.
        "webApplicationInfo": { "id": app_id, "resource": "https://RscBasedStoreApp" },
        "authorization": { "permissions": { "resourceSpecific":
            permissions.map(|name| json!({ "name": name, "type": "Application" })).collect::<Vec<_>>()
        }},
        "validDomains": [],
        // Demanded from 1.25 on of every app that goes into teams.
        "supportsChannelFeatures": "tier1",
    })
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// A GUID that is the same for the same app, so that a second package is an update of the first.
fn package_id(app_id: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("dragoman teams package {app_id}").as_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    // Version 8 of RFC 9562: made from other data.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn archive(manifest: &Value) -> Option<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // Without a date: equal requests give equal bytes.
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    let text = serde_json::to_vec_pretty(manifest).ok()?;
    for (name, bytes) in
        [("manifest.json", text), ("color.png", icon(192, true)?), ("outline.png", icon(32, false)?)]
    {
        zip.start_file(name, options).ok()?;
        zip.write_all(&bytes).ok()?;
    }
    zip.finish().ok().map(Cursor::into_inner)
}

/// Two speech bubbles that overlap: white on blue, or white on nothing.
fn icon(size: u32, colour: bool) -> Option<Vec<u8>> {
    let mut pixels = Vec::with_capacity((size * size * 4) as usize);
    for y in 0..size {
        for x in 0..size {
            // Coordinates in 64ths of the icon.
            let (u, v) = ((x * 64 + 32) / size, (y * 64 + 32) / size);
            let back = bubble(u, v, (10, 12, 42, 36));
            let front = bubble(u, v, (22, 26, 54, 50));
            let gap = bubble(u, v, (20, 24, 56, 52)) && !front;
            let white = front || (back && !gap) || tail(u, v);
            let pixel = match (white, colour) {
                (true, _) => [255, 255, 255, 255],
                (false, true) => [0x2b, 0x5c, 0x8a, 255],
                (false, false) => [255, 255, 255, 0],
            };
            pixels.extend_from_slice(&pixel);
        }
    }
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, size, size);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(out)
}

/// A rectangle with its corners cut off.
fn bubble(u: u32, v: u32, (left, top, right, bottom): (u32, u32, u32, u32)) -> bool {
    const CORNER: u32 = 5;
    if u < left || u >= right || v < top || v >= bottom {
        return false;
    }
    let dx = (u - left).min(right - 1 - u);
    let dy = (v - top).min(bottom - 1 - v);
    dx + dy >= CORNER
}

fn tail(u: u32, v: u32) -> bool {
    (50..58).contains(&v) && (40..48).contains(&u) && u - 40 >= v - 50
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_platform::Facts;

    fn request(features: &[&str]) -> PackageRequest {
        PackageRequest {
            name: "Bridge".into(),
            public_url: "https://bridge.example".into(),
            app: "a1".into(),
            facts: Facts::from([("app_id".into(), "11111111-aaaa-4bbb-8ccc-222222222222".into())]),
            features: features.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    fn unpack(package: &Package) -> (Value, Vec<(u32, u32)>) {
        let mut zip = zip::ZipArchive::new(Cursor::new(&package.files[0].bytes)).unwrap();
        let manifest = serde_json::from_reader(zip.by_name("manifest.json").unwrap()).unwrap();
        let sizes = ["color.png", "outline.png"]
            .map(|name| {
                let mut bytes = Vec::new();
                std::io::copy(&mut zip.by_name(name).unwrap(), &mut bytes).unwrap();
                let reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
                reader.info().size()
            })
            .to_vec();
        (manifest, sizes)
    }

    #[test]
    fn the_package_holds_what_teams_demands() {
        let package = package(&request(&[]));
        let (manifest, sizes) = unpack(&package);
        assert_eq!(sizes, [(192, 192), (32, 32)]);
        assert_eq!(manifest["manifestVersion"], "1.25");
        assert_eq!(manifest["supportsChannelFeatures"], "tier1");
        assert_eq!(manifest["bots"][0]["scopes"], json!(["personal", "team", "groupChat"]));
        let asked = &manifest["authorization"]["permissions"]["resourceSpecific"];
        let names: Vec<&str> =
            asked.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
        let listed: Vec<&str> = package.scopes.iter().map(|scope| scope.name.as_str()).collect();
        assert_eq!(names, listed);
        assert!(!names.contains(&"File.Read.Group"), "a feature that is off asks for nothing");
        assert!(
            package.steps.iter().any(|step| step.contains("https://bridge.example/hooks/teams/a1/messages"))
        );
    }

    #[test]
    fn every_feature_can_be_named() {
        assert!(PERMISSIONS.iter().all(|(_, feature, _)| FEATURES.contains(feature)));
        assert!(FEATURES.iter().all(|name| PERMISSIONS.iter().any(|(_, feature, _)| feature == name)));
    }

    #[test]
    fn permissions_follow_features_and_equal_requests_give_equal_bytes() {
        let names = |features: &[&str]| -> Vec<String> {
            package(&request(features)).scopes.into_iter().map(|scope| scope.name).collect()
        };
        assert_eq!(names(&[]), names(&["chats"]));
        let lean = names(&["messages"]);
        assert!(lean.iter().any(|name| name == "ChannelMessage.Read.Group"));
        assert!(!lean.iter().any(|name| name.ends_with(".Chat")), "chats that are off ask for nothing");
        assert_eq!(
            unpack(&package(&request(&["messages"]))).0["bots"][0]["scopes"],
            json!(["personal", "team"])
        );
        let files = names(&["files"]);
        for name in ["File.Read.Group", "Files.ReadWrite.All", "Files.ReadWrite"] {
            assert!(files.iter().any(|it| it == name) && !lean.iter().any(|it| it == name), "{name}");
        }
        let takes =
            |features: &[&str]| unpack(&package(&request(features))).0["bots"][0]["supportsFiles"].as_bool();
        assert_eq!((takes(&["files"]), takes(&[])), (Some(true), Some(false)));
        let steps = package(&request(&["files"])).steps.join(" ");
        assert!(steps.contains("application permission Files.ReadWrite.All"), "{steps}");
        assert!(steps.contains("delegated permission Files.ReadWrite;"), "{steps}");
        assert!(package(&request(&[])).files[0].bytes == package(&request(&["chats"])).files[0].bytes);
        let unknown = PackageRequest { facts: Facts::new(), ..request(&[]) };
        assert!(package(&unknown).files.is_empty());
    }
}
