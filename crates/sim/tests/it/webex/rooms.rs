use dragoman_sim::webex::WebexDoubts;
use serde_json::json;

use super::bench::{
    Bench, GENERAL, GITA, HENRIK, INES, SERVICE, TOKEN, config, id, message, person, personal, room,
};

#[tokio::test]
async fn spaces_are_made_changed_and_left() {
    let bench = Bench::new().await;
    let (status, made) = bench.post(TOKEN, "/rooms", json!({"title": "New space"})).await;
    assert_eq!(status, 200);
    assert_eq!((made["type"].as_str(), made["isLocked"].as_bool()), (Some("group"), Some(false)));
    assert_eq!(made["creatorId"], person(SERVICE));
    let path = format!("/rooms/{}", id(&made));
    let changed = bench.put(TOKEN, &path, json!({"title": "Newer"})).await.1;
    assert_eq!(changed["title"], "Newer");
    let (status, body) = bench.put(TOKEN, &path, json!({})).await;
    assert_eq!((status, message(&body)), (400, "title cannot be empty"));
    assert_eq!(bench.put(TOKEN, &path, json!({"title": "x", "isAnnouncementOnly": true})).await.0, 400);
    let locked = json!({"title": "x", "isLocked": true, "isAnnouncementOnly": true});
    assert_eq!(bench.put(TOKEN, &path, locked).await.1["isAnnouncementOnly"], true);
    assert_eq!(bench.get(&personal("gita.rao"), &path).await.0, 404, "not a member");
    assert_eq!(bench.delete(TOKEN, &path).await.0, 204);
    assert_eq!(bench.get(TOKEN, &path).await.0, 404);
    let (status, body) = bench.post(TOKEN, "/rooms", json!({})).await;
    assert_eq!((status, message(&body)), (400, "title cannot be empty"));
    bench.done().await;
}

#[tokio::test]
async fn members_come_and_go_with_the_services_refusals() {
    let bench = Bench::new().await;
    let made = bench.post(TOKEN, "/rooms", json!({"title": "Small"})).await.1;
    let add = |fields: serde_json::Value| {
        let mut body = fields;
        body["roomId"] = made["id"].clone();
        body
    };
    let (status, member) =
        bench.post(TOKEN, "/memberships", add(json!({"personEmail": "gita.rao@larkfield.example"}))).await;
    assert_eq!(status, 200, "{member}");
    assert_eq!(member["personDisplayName"], "Gita Rao");
    let (status, body) = bench.post(TOKEN, "/memberships", add(json!({"personId": person(GITA)}))).await;
    assert_eq!((status, message(&body)), (409, "Person is already in the room."));
    let (status, body) = bench.post(TOKEN, "/memberships", add(json!({}))).await;
    assert_eq!((status, message(&body)), (400, "Must specify either personId or personEmail."));
    let path = format!("/memberships/{}", id(&member));
    assert_eq!(bench.put(TOKEN, &path, json!({"isModerator": true})).await.1["isModerator"], true);
    // Now the space is moderated, and its maker is no moderator.
    let (status, body) = bench.post(TOKEN, "/memberships", add(json!({"personId": person(HENRIK)}))).await;
    assert_eq!((status, message(&body)), (502, "Add participant failed."));
    assert_eq!(bench.delete(TOKEN, &path).await.0, 403);
    let own =
        bench.get(TOKEN, &format!("/memberships?roomId={}&personId={}", id(&made), person(SERVICE))).await.1;
    let own = own["items"][0].clone();
    assert_eq!(bench.delete(TOKEN, &format!("/memberships/{}", id(&own))).await.0, 204);
    assert_eq!(bench.get(TOKEN, &format!("/rooms/{}", id(&made))).await.0, 404);
    bench.done().await;
}

#[tokio::test]
async fn one_call_names_everybody_in_a_space_and_another_all_own_spaces() {
    let bench = Bench::new().await;
    let list = bench.get(TOKEN, &format!("/memberships?roomId={}", room(GENERAL))).await.1;
    let names: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["personDisplayName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Gita Rao", "Henrik Dahl", "Ines Moreau", "Dragoman Bridge"]);
    let own = bench.get(TOKEN, "/memberships").await.1;
    assert_eq!(own["items"].as_array().unwrap().len(), 2);
    assert!(own["items"].as_array().unwrap().iter().all(|one| one["personId"] == person(SERVICE)));
    bench.done().await;
}

#[tokio::test]
async fn membership_ids_may_be_in_either_region() {
    for in_us in [false, true] {
        let mut config = config();
        config.doubts = WebexDoubts { memberships_in_us: in_us, ..WebexDoubts::default() };
        let bench = Bench::with(config).await;
        let own = bench.get(TOKEN, "/memberships").await.1;
        let named = dragoman_sim::webex::ids::read("MEMBERSHIP", id(&own["items"][0])).unwrap();
        assert_eq!(named.cluster.as_deref() == Some("us"), in_us);
        assert_eq!(bench.get(TOKEN, &format!("/memberships/{}", id(&own["items"][0]))).await.0, 200);
        bench.done().await;
    }
}

#[tokio::test]
async fn changes_of_spaces_and_members_are_told() {
    let bench = Bench::new().await;
    bench.firehose(TOKEN).await;
    let (gita, ines) = (person(GITA), person(INES));
    let made = bench.sim.create_room(&gita, "Harbour").unwrap();
    bench.sim.add_member(&gita, &made, &person(SERVICE)).unwrap();
    let joined = bench.app.event("memberships.created").await;
    assert_eq!(joined.json["data"]["personId"], person(SERVICE));
    assert_eq!(joined.json["data"]["roomId"], made.as_str());
    assert_eq!(joined.json["actorId"], gita.as_str());
    bench.sim.rename(&gita, &made, "Harbour 2").unwrap();
    let renamed = bench.app.event("rooms.updated").await;
    assert_eq!(renamed.json["data"]["id"], made.as_str());
    assert!(renamed.json["data"].get("title").is_none(), "nothing says what changed");
    bench.sim.add_member(&gita, &made, &ines).unwrap();
    bench.sim.set_moderator(&gita, &made, &ines, true).unwrap();
    let updated = bench.app.event("memberships.updated").await;
    assert_eq!(updated.json["data"]["isModerator"], true);
    bench.sim.remove_member(&gita, &made, &person(SERVICE)).unwrap();
    let removed = bench.app.event("memberships.deleted").await;
    assert_eq!(removed.json["data"]["personId"], person(SERVICE), "who is removed is still told that");
    bench.done().await;
}

#[tokio::test]
async fn room_events_may_carry_the_title() {
    let mut config = config();
    config.doubts = WebexDoubts { room_events_with_title: true, ..WebexDoubts::default() };
    let bench = Bench::with(config).await;
    bench.hook(TOKEN, json!({"resource": "rooms", "event": "updated"})).await;
    bench.sim.rename(&person(GITA), &room(GENERAL), "Everybody").unwrap();
    assert_eq!(bench.app.event("rooms.updated").await.json["data"]["title"], "Everybody");
    bench.done().await;
}

#[tokio::test]
async fn teams_hold_spaces() {
    let bench = Bench::new().await;
    let team = bench.post(TOKEN, "/teams", json!({"name": "Crew"})).await.1;
    let made = bench.post(TOKEN, "/rooms", json!({"title": "Deck", "teamId": team["id"]})).await.1;
    assert_eq!(made["teamId"], team["id"]);
    let list = bench.get(TOKEN, &format!("/rooms?teamId={}", id(&team))).await.1;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let member = json!({"teamId": team["id"], "personId": person(GITA)});
    assert_eq!(bench.post(TOKEN, "/team/memberships", member.clone()).await.0, 200);
    assert_eq!(bench.post(TOKEN, "/team/memberships", member).await.0, 409);
    let members = bench.get(TOKEN, &format!("/team/memberships?teamId={}", id(&team))).await.1;
    assert_eq!(members["items"].as_array().unwrap().len(), 2);
    assert_eq!(bench.get(&personal("henrik.dahl"), &format!("/teams/{}", id(&team))).await.0, 404);
    bench.done().await;
}
