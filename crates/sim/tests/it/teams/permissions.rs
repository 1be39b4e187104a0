//! Roles, resource-specific consent and scopes, with the refusals as documented.

use dragoman_sim::teams::seed::{APP, DANA, EMRE, FARAH, GENERAL, LUNCH_CHAT, TEAM};
use dragoman_sim::teams::{ChannelSeed, Draft, Place};
use serde_json::json;

use super::harness::{Rig, general};

fn text() -> serde_json::Value {
    json!({"body": {"content": "x"}})
}

#[tokio::test]
async fn an_application_cannot_send() {
    let rig = Rig::with_roles(&["ChannelMessage.Read.All", "Group.ReadWrite.All"]).await;
    let r = rig.post(&general(), &rig.app(), &text()).await;
    assert_eq!(r.status, 403);
    assert_eq!(
        r.error(),
        ("Forbidden".into(), "Requested API is not supported in application-only context".into())
    );
    rig.stop().await;
}

#[tokio::test]
async fn resource_specific_consent_comes_and_goes_with_the_installation() {
    let rig = Rig::new().await;
    assert_eq!(rig.get(&general(), &rig.app()).await.status, 200);
    rig.sim.uninstall(APP, &Place::Team(TEAM.into()), DANA);
    let r = rig.get(&general(), &rig.app()).await;
    assert_eq!(r.status, 403);
    assert_eq!(
        r.error().1,
        "Missing role permissions on the request. API requires one of 'ChannelMessage.Read.All, Group.Read.All, \
         Group.ReadWrite.All, ChannelMessage.Read.Group'. Roles on the request ''. Resource specific consent grants on \
         the request ''."
    );
    let inner = r.json()["error"]["innerError"].clone();
    assert!(inner["request-id"].is_string() && inner["date"].is_string());
    assert!(rig.sim.install(APP, &Place::Team(TEAM.into()), DANA));
    assert_eq!(rig.get(&general(), &rig.app()).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn chat_permission_needs_an_installation_in_that_chat() {
    let rig = Rig::new().await;
    let path = format!("/v1.0/chats/{LUNCH_CHAT}/messages");
    assert_eq!(rig.get(&path, &rig.app()).await.status, 403);
    rig.sim.install(APP, &Place::Chat(LUNCH_CHAT.into()), DANA);
    assert_eq!(rig.get(&path, &rig.app()).await.status, 200);
    let grants = rig.get(&format!("/v1.0/chats/{LUNCH_CHAT}/permissionGrants"), &rig.app()).await;
    assert_eq!(grants.status, 403);
    rig.sim.with_app(APP, |a| a.roles.push("TeamsAppInstallation.Read.All".into()));
    let grants = rig.get(&format!("/v1.0/chats/{LUNCH_CHAT}/permissionGrants"), &rig.app()).await.json();
    let names: Vec<&str> =
        grants["value"].as_array().unwrap().iter().map(|g| g["permission"].as_str().unwrap()).collect();
    assert_eq!(names, ["ChatMember.Read.Chat", "ChatMessage.Read.Chat"]);
    rig.stop().await;
}

#[tokio::test]
async fn delegated_calls_need_their_scope() {
    let rig = Rig::new().await;
    let sender = rig.dana(&["ChannelMessage.Send"]);
    let r = rig.post(&general(), &sender, &text()).await;
    assert_eq!(r.status, 201);
    let path = format!("{}/{}", general(), r.json()["id"].as_str().unwrap());
    let r = rig.send(http::Method::PATCH, &path, &sender, &text()).await;
    assert_eq!(
        r.error().1,
        "Missing scope permissions on the request. API requires one of 'ChannelMessage.ReadWrite, \
         Group.ReadWrite.All'. Scopes on the request 'ChannelMessage.Send'"
    );
    assert_eq!(rig.get(&general(), &sender).await.status, 403);
    rig.stop().await;
}

#[tokio::test]
async fn people_see_only_their_own_conversations() {
    let mut config = super::harness::quick();
    config.chats[0].members = vec![DANA.into(), EMRE.into()];
    config.teams[0].members = vec![EMRE.into()];
    let rig = Rig::with(config).await;
    let farah =
        rig.sim.user_token(APP, FARAH, &["ChannelMessage.Send", "ChannelMessage.Read.All", "Chat.Read"]);
    assert_eq!(rig.get(&general(), &farah).await.status, 403);
    assert_eq!(rig.post(&general(), &farah, &text()).await.status, 403);
    assert_eq!(rig.get(&format!("/v1.0/chats/{LUNCH_CHAT}/messages"), &farah).await.status, 403);
    rig.stop().await;
}

#[tokio::test]
async fn hidden_channels_need_the_app_added_to_them() {
    let rig = Rig::new().await;
    let id = "19:private0@thread.tacv2";
    let seed = ChannelSeed {
        id: id.into(),
        name: "board".into(),
        membership: "private".into(),
        members: vec![DANA.into()],
    };
    assert!(rig.sim.create_channel(TEAM, DANA, &seed));
    rig.inbox.activities(0, "message").await;
    rig.sim.post(DANA, id, Draft::text("hidden")).unwrap();
    let path = rig.connector(&format!("v3/conversations/{id}/activities"));
    let hello = json!({"type": "message", "text": "hi"});
    let r = rig.post(&path, &rig.bot(), &hello).await;
    assert_eq!((r.status, r.error().0.as_str()), (403, "BotNotInConversationRoster"));
    rig.sim.install(APP, &Place::Chat(id.into()), DANA);
    assert_eq!(rig.post(&path, &rig.bot(), &hello).await.status, 201);
    rig.sim.post(DANA, id, Draft::text("seen")).unwrap();
    let heard = rig.inbox.activities(1, "message").await;
    assert_eq!(heard[0]["text"], "seen", "what was said before is not heard");
    assert!(rig.sim.post(EMRE, id, Draft::text("x")).is_err(), "members of the team are not members here");
    let _ = GENERAL;
    rig.stop().await;
}
