//! Teams, channels, chats, people, photos, batches.

use dragoman_sim::teams::seed::{APP, DANA, EMRE, FARAH, GENERAL, LAUNCH, LUNCH_CHAT, TEAM, TENANT};
use http::Method;
use serde_json::{Value, json};

use super::harness::{Rig, keys};

fn column(v: &Value, key: &str) -> Vec<String> {
    v["value"].as_array().unwrap().iter().map(|x| x[key].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn teams_channels_and_members() {
    let rig = Rig::new().await;
    let app = rig.app();
    assert_eq!(rig.get("/v1.0/teams", &app).await.status, 403, "the list needs a tenant-wide right");
    let team = rig.get(&format!("/v1.0/teams/{TEAM}"), &app).await.json();
    assert_eq!((&team["displayName"], &team["internalId"]), (&json!("Product"), &json!(GENERAL)));
    let list = rig.get(&format!("/v1.0/teams/{TEAM}/channels?$select=id,displayName"), &app).await.json();
    assert_eq!(column(&list, "displayName"), ["General", "launch"]);
    assert_eq!(keys(&list["value"][0]), ["displayName", "id"]);
    let channel = rig.get(&format!("/v1.0/teams/{TEAM}/channels/{LAUNCH}"), &app).await.json();
    assert_eq!(channel["membershipType"], "standard");
    assert_eq!(rig.get(&format!("/v1.0/teams/{TEAM}/primaryChannel"), &app).await.json()["id"], GENERAL);
    let members = rig.get(&format!("/v1.0/teams/{TEAM}/members?$top=2"), &app).await.json();
    assert_eq!(column(&members, "userId"), [DANA, EMRE]);
    assert_eq!(members["value"][0]["roles"], json!(["owner"]));
    assert_eq!(members["value"][0]["@odata.type"], "#microsoft.graph.aadUserConversationMember");
    let rest = rig.get(members["@odata.nextLink"].as_str().unwrap(), &app).await.json();
    assert_eq!(column(&rest, "userId"), [FARAH]);
    let of_channel = rig.get(&format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/allMembers"), &app).await.json();
    assert_eq!(of_channel["value"].as_array().unwrap().len(), 3);
    let nothing = rig.get("/v1.0/teams/00000000-0000-4000-8000-000000000000/channels", &app).await;
    assert_eq!(nothing.status, 403);
    let joined = rig.get("/v1.0/me/joinedTeams", &rig.dana(&["Team.ReadBasic.All"])).await.json();
    assert_eq!(column(&joined, "id"), [TEAM]);
    rig.stop().await;
}

#[tokio::test]
async fn chats_are_listed_read_and_created() {
    let rig = Rig::new().await;
    let dana = rig.dana(&["Chat.ReadBasic", "Chat.Create"]);
    let list = rig.get("/v1.0/me/chats?$expand=members", &dana).await.json();
    assert_eq!(column(&list, "id"), [LUNCH_CHAT]);
    assert_eq!(list["value"][0]["members"].as_array().unwrap().len(), 3);
    let chat = rig.get(&format!("/v1.0/chats/{LUNCH_CHAT}"), &dana).await.json();
    assert_eq!((&chat["topic"], &chat["chatType"]), (&json!("Lunch"), &json!("group")));
    let members = rig.get(&format!("/v1.0/chats/{LUNCH_CHAT}/members"), &dana).await.json();
    assert_eq!(column(&members, "tenantId"), [TENANT, TENANT, TENANT]);
    let member = |id: &str| {
        json!({"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"],
            "user@odata.bind": format!("https://graph.microsoft.com/v1.0/users('{id}')")})
    };
    let pair = json!({"chatType": "oneOnOne", "members": [member(EMRE), member(DANA)]});
    let one = rig.post("/v1.0/chats", &dana, &pair).await;
    assert_eq!(one.status, 201);
    assert_eq!(one.json()["id"], format!("19:{DANA}_{EMRE}@unq.gbl.spaces"), "the ids sorted");
    assert_eq!(rig.post("/v1.0/chats", &dana, &pair).await.json()["id"], one.json()["id"]);
    let group = json!({"chatType": "group", "topic": "T", "members": [member(EMRE), member(DANA)]});
    let a = rig.post("/v1.0/chats", &dana, &group).await.json()["id"].clone();
    let b = rig.post("/v1.0/chats", &dana, &group).await.json()["id"].clone();
    assert_ne!(a, b, "groups are always new");
    let stranger = json!({"chatType": "oneOnOne", "members": [member("x"), member(DANA)]});
    assert_eq!(rig.post("/v1.0/chats", &dana, &stranger).await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn people_are_listed_searched_and_missed() {
    let rig = Rig::with_roles(&["User.ReadBasic.All"]).await;
    let app = rig.app();
    let page = rig.get("/v1.0/users?$select=id,displayName,mail,userType&$top=2", &app).await.json();
    assert_eq!(column(&page, "id"), [DANA, EMRE]);
    assert_eq!(page["value"][0]["userType"], "Member");
    let rest = rig.get(page["@odata.nextLink"].as_str().unwrap(), &app).await.json();
    assert_eq!(column(&rest, "id"), [FARAH]);
    let search = "/v1.0/users?$search=%22displayName:emr%22";
    assert_eq!(rig.get(search, &app).await.status, 400, "search needs ConsistencyLevel");
    let header = [("consistencylevel", "eventual")];
    let found = rig.call(Method::GET, search, &app, &header, bytes::Bytes::new()).await.json();
    assert_eq!(column(&found, "id"), [EMRE]);
    let by_mail = rig.get("/v1.0/users?$filter=mail%20eq%20'farah@fabrikant.example'", &app).await.json();
    assert_eq!(column(&by_mail, "id"), [FARAH]);
    let one = rig.get("/v1.0/users/emre@fabrikant.example", &app).await.json();
    assert_eq!((&one["id"], &one["surname"]), (&json!(EMRE), &json!("Kaya")));
    let none = rig.get("/v1.0/users/nobody", &app).await;
    assert_eq!((none.status, none.error().0.as_str()), (404, "Request_ResourceNotFound"));
    rig.stop().await;
}

#[tokio::test]
async fn photos_come_in_sizes_or_not_at_all() {
    let rig = Rig::with_roles(&["ProfilePhoto.Read.All"]).await;
    let app = rig.app();
    let meta = rig.get(&format!("/v1.0/users/{DANA}/photo"), &app).await.json();
    assert_eq!(meta["width"], 240);
    for (path, side) in
        [("photo/$value", 240_u32), ("photos/48x48/$value", 48), ("photos/648x648/$value", 648)]
    {
        let r = rig.get(&format!("/v1.0/users/{DANA}/{path}"), &app).await;
        assert_eq!((r.status, r.header("content-type")), (200, "image/png"));
        assert_eq!(&r.bytes[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(r.bytes[16..20], side.to_be_bytes());
    }
    assert_eq!(rig.get(&format!("/v1.0/users/{DANA}/photos/50x50/$value"), &app).await.status, 400);
    let none = rig.get(&format!("/v1.0/users/{FARAH}/photo/$value"), &app).await;
    assert_eq!((none.status, none.error().0.as_str()), (404, "ImageNotFound"));
    rig.stop().await;
}

#[tokio::test]
async fn presence_and_files_folder_answer() {
    let rig = Rig::with_roles(&["Presence.Read.All", "Files.Read.All"]).await;
    let body = json!({"ids": [DANA, "nobody"]});
    let p = rig.post("/v1.0/communications/getPresencesByUserId", &rig.app(), &body).await.json();
    assert_eq!(column(&p, "availability"), ["Available", "PresenceUnknown"]);
    let f = rig.get(&format!("/v1.0/teams/{TEAM}/channels/{GENERAL}/filesFolder"), &rig.app()).await.json();
    assert!(f["parentReference"]["driveId"].is_string());
    rig.stop().await;
}

#[tokio::test]
async fn batches_answer_each_request() {
    let rig = Rig::new().await;
    let body = json!({"requests": [
        {"id": "1", "method": "GET", "url": format!("/teams/{TEAM}")},
        {"id": "2", "method": "GET", "url": "/teams"},
        {"id": "3", "method": "POST", "url": format!("/teams/{TEAM}/channels/{GENERAL}/messages"),
            "headers": {"Content-Type": "application/json"}, "body": {"body": {"content": "x"}}},
    ]});
    let r = rig.post("/v1.0/$batch", &rig.app(), &body).await.json();
    let statuses: Vec<i64> =
        r["responses"].as_array().unwrap().iter().map(|x| x["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [200, 403, 403]);
    let many: Vec<Value> =
        (0..21).map(|n| json!({"id": n.to_string(), "method": "GET", "url": "/teams"})).collect();
    assert_eq!(rig.post("/v1.0/$batch", &rig.app(), &json!({"requests": many})).await.status, 400);
    let me = rig.get("/v1.0/me", &rig.sim.user_token(APP, EMRE, &["User.Read"])).await.json();
    assert_eq!(me["userPrincipalName"], "emre@fabrikant.example");
    assert_eq!(rig.get("/v1.0/me", &rig.app()).await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn group_chats_are_renamed_and_marked_read_by_people() {
    let rig = Rig::new().await;
    let dana = rig.dana(&["Chat.ReadWrite"]);
    let path = format!("/v1.0/chats/{LUNCH_CHAT}");
    let r = rig.send(Method::PATCH, &path, &dana, &json!({"topic": "Dinner"})).await;
    assert_eq!((r.status, &r.json()["topic"]), (200, &json!("Dinner")));
    let read = json!({"user": {"id": DANA, "tenantId": TENANT}});
    assert_eq!(rig.post(&format!("{path}/markChatReadForUser"), &dana, &read).await.status, 204);
    assert_eq!(rig.post(&format!("{path}/markChatReadForUser"), &rig.app(), &read).await.status, 403);
    rig.stop().await;
}
