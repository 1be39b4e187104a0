use serde_json::{Value, json};

use super::bench::{Bench, GENERAL, GITA, TOKEN, id, person, personal, room};

#[tokio::test]
async fn officers_read_what_happened_with_the_text() {
    let bench = Bench::new().await;
    let ines = personal("ines.moreau");
    let secret = bench.sim.create_room(&person(GITA), "Without Ines").unwrap();
    let posted = bench.sim.post(&person(GITA), &secret, "v1").unwrap();
    bench.sim.edit(&person(GITA), &posted, "v2").unwrap();
    bench.sim.delete(&person(GITA), &posted).unwrap();
    let list = async |query: &str| -> Vec<Value> {
        let (status, body) = bench.get(&ines, &format!("/events?{query}")).await;
        assert_eq!(status, 200, "{body}");
        body["items"].as_array().unwrap().clone()
    };
    let edits = list("resource=messages&type=updated").await;
    assert_eq!(edits.len(), 1);
    assert_eq!((&edits[0]["data"]["text"], &edits[0]["data"]["id"]), (&json!("v2"), &json!(posted)));
    assert_eq!(edits[0]["actorId"], person(GITA));
    let kinds: Vec<Value> = list("resource=messages").await.iter().map(|one| one["type"].clone()).collect();
    assert_eq!(kinds, ["deleted", "updated", "created"], "newest first");
    assert_eq!(list("resource=memberships").await.len(), 1);
    assert!(list("from=2099-01-01T00:00:00.000Z").await.is_empty());
    assert_eq!(list(&format!("actorId={}&max=2", person(GITA))).await.len(), 2);
    let one = bench.get(&ines, &format!("/events/{}", id(&edits[0]))).await.1;
    assert_eq!(one, edits[0]);
    for token in [TOKEN.to_owned(), personal("gita.rao")] {
        assert_eq!(bench.get(&token, "/events").await.0, 403);
    }
    bench.done().await;
}

#[tokio::test]
async fn officers_see_every_space_and_keep_what_was_deleted() {
    let bench = Bench::new().await;
    let ines = personal("ines.moreau");
    let secret = bench.sim.create_room(&person(GITA), "Without Ines").unwrap();
    let posted = bench.sim.post(&person(GITA), &secret, "kept").unwrap();
    let path = format!("/messages/{posted}");
    assert_eq!(bench.get(TOKEN, &path).await.0, 404);
    assert_eq!(bench.get(&ines, &path).await.0, 200);
    assert_eq!(bench.get(&ines, &format!("/rooms/{secret}")).await.1["title"], "Without Ines");
    assert_eq!(bench.get(&ines, &format!("/memberships?roomId={secret}")).await.0, 200);
    let speak = json!({"roomId": secret, "text": "x"});
    assert_eq!(bench.post(&ines, "/messages", speak).await.0, 404, "but cannot speak there");
    assert_eq!(bench.delete(&ines, &path).await.0, 204);
    assert_eq!(bench.get(&personal("gita.rao"), &path).await.0, 404);
    assert_eq!(bench.get(&ines, &path).await.1["text"], "kept");
    assert_eq!(bench.delete(&ines, &path).await.0, 410);
    let direct = bench.sim.direct(&person(GITA), &person(super::bench::HENRIK)).unwrap();
    assert_eq!(bench.get(&ines, &format!("/rooms/{direct}")).await.1["title"], "Empty Title");
    assert!(bench.get(TOKEN, &format!("/rooms/{}", room(GENERAL))).await.0 == 200);
    bench.done().await;
}
