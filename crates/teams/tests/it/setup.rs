//! Registration, consent, installation, conversations.

use dragoman_model::codes::TARGET_FAILED;
use dragoman_platform::{Connector as _, ConversationKind, Grant, InstallError};
use serde_json::json;

use crate::fake::Reply;
use crate::support::{APP, CHAT, ROOM, TEAM, TEAM_19, TENANT, World, app};

fn grant(query: &[(&str, &str)]) -> Grant {
    Grant {
        query: query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        redirect_uri: "https://bridge.example/oauth/teams/callback".into(),
        code_verifier: String::new(),
    }
}

#[tokio::test]
async fn consent_is_asked_of_the_tenant() {
    let world = World::quiet().await;
    let url = world.connector.authorize_url(&app(), "https://bridge.example/back", "st&ate", "");
    assert!(
        url.starts_with(&format!("{}/{TENANT}/v2.0/adminconsent?client_id={APP}&", world.fake.url())),
        "{url}"
    );
    assert!(
        url.contains("scope=https%3A%2F%2Fgraph.microsoft.com%2F.default") && url.contains("state=st%26ate"),
        "{url}"
    );
}

#[tokio::test]
async fn an_installation_needs_both_tokens() {
    let world = World::start(|call| {
        call.path
            .contains("/organization")
            .then(|| json!({ "value": [{ "displayName": "Sample Ltd" }] }).into())
    })
    .await;
    let back = grant(&[("admin_consent", "True"), ("tenant", TENANT), ("state", "s")]);
    let installed = world.connector.install(&app(), &back).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((installed.workspace.as_str(), installed.name.as_str()), (TENANT, "Sample Ltd"));
    assert_eq!(world.fake.all_calls().iter().filter(|call| call.path.ends_with("/token")).count(), 3);
    let denied = world.connector.install(&app(), &grant(&[("error", "access_denied")])).await;
    assert_eq!(denied.err(), Some(InstallError::Denied));
    let elsewhere = world.connector.install(&app(), &grant(&[("tenant", "another")])).await;
    assert!(matches!(elsewhere.err(), Some(InstallError::Rejected(_))));
    for (status, body, unreachable) in [(401, r#"{"error":"invalid_client"}"#, false), (503, "", true)] {
        let world = World::start(move |call| {
            call.path.ends_with("/token").then(|| Reply(status, None, body.to_owned()))
        })
        .await;
        let error = world.connector.install(&app(), &back).await.err().unwrap();
        assert_eq!(error == InstallError::Unreachable(TARGET_FAILED), unreachable, "{error}");
    }
}

#[tokio::test]
async fn what_is_generated_are_fields_of_the_registration() {
    let world = World::quiet().await;
    let made = world.connector.generated();
    assert!(made["certificate"].starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(made["certificate_key"].starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(made["notification_secret"].len() >= 32);
    let fields = world.connector.registration();
    for key in made.keys() {
        let field = fields.iter().find(|field| field.key == key);
        assert!(field.is_some_and(|field| !field.required), "{key}");
        assert_eq!(field.map(|field| field.secret), Some(key != "certificate_id"), "{key}");
    }
    let again = world.connector.generated();
    assert!(
        made["certificate"] != again["certificate"]
            && made["notification_secret"] != again["notification_secret"]
    );
}

#[tokio::test]
async fn conversations_are_found_by_the_bot_and_by_graph() {
    let world = World::start(|call| {
        let path = call.path.as_str();
        if path.starts_with("/svc/v3/teams/") && path.ends_with("/conversations") {
            Some(json!({ "conversations": [{ "id": TEAM_19, "name": null }, { "id": ROOM, "name": "Room" }] }).into())
        } else if path.starts_with("/svc/v3/teams/") {
            Some(json!({ "id": TEAM_19, "name": "Crew", "aadGroupId": TEAM }).into())
        } else if path.starts_with("/v1.0/teams?") {
            Some(Reply::error(403, "Forbidden"))
        } else if path.starts_with("/v1.0/chats?") {
            Some(json!({ "value": [{ "id": CHAT, "topic": "Room service", "chatType": "group", "tenantId": TENANT }] }).into())
        } else if path.contains("/pagedMembers") {
            Some(json!({ "members": [{ "id": "29:a", "tenantId": TENANT }, { "id": "29:b", "tenantId": "29:odd" }] }).into())
        } else {
            path.ends_with("/channels/19%3Aroom%40thread.tacv2").then(|| json!({ "id": ROOM, "displayName": "Room", "membershipType": "shared" }).into())
        }
    })
    .await;
    let session = world.session();
    let page = world.connector.conversations(&session, "room", None).await.unwrap();
    let names: Vec<(&str, bool)> = page.items.iter().map(|it| (it.name.as_str(), it.joined)).collect();
    assert_eq!(names, [("Room service", false), ("Crew / Room", true)]);
    assert_eq!(page.items[1].fact("team_guid"), TEAM);
    let room = world.connector.conversation(&session, &ROOM.into()).await.unwrap();
    assert_eq!((room.kind, room.joined, room.external), (ConversationKind::Channel, true, true));
    assert_eq!((room.name.as_str(), room.fact("team_guid")), ("Room", TEAM));
    let nowhere = world.connector.conversation(&session, &"19:none@thread.v2".into()).await;
    assert!(nowhere.is_ok(), "the roster answers for it");
}

#[tokio::test]
async fn a_conversation_that_nobody_knows_is_gone() {
    let world = World::quiet().await;
    assert!(world.connector.conversation(&world.session(), &"19:none@thread.v2".into()).await.is_err());
}
