//! Reading after a gap: order, pages, expanded replies, filters.

use dragoman_sim::teams::Draft;
use dragoman_sim::teams::seed::{DANA, GENERAL, LUNCH_CHAT, TEAM};
use serde_json::Value;

use super::harness::{Rig, general};

fn ids(page: &Value) -> Vec<String> {
    page["value"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn channels_list_threads_by_last_change() {
    let rig = Rig::new().await;
    let a = rig.sim.post(DANA, GENERAL, Draft::text("a")).unwrap();
    let b = rig.sim.post(DANA, GENERAL, Draft::text("b")).unwrap();
    assert_eq!(ids(&rig.get(&general(), &rig.app()).await.json()), [b.clone(), a.clone()]);
    let reply = rig.sim.reply(DANA, GENERAL, &a, Draft::text("bump")).unwrap();
    let page = rig.get(&format!("{}?$expand=replies", general()), &rig.app()).await.json();
    assert_eq!(ids(&page), [a.clone(), b.clone()], "a reply moves its thread up");
    assert_eq!(page["value"][0]["replies"][0]["id"], reply);
    rig.sim.react(DANA, GENERAL, &b, "👍", true).unwrap();
    assert_eq!(ids(&rig.get(&general(), &rig.app()).await.json()), [b, a]);
    rig.stop().await;
}

#[tokio::test]
async fn pages_follow_the_full_next_link() {
    let rig = Rig::new().await;
    let sent: Vec<String> = (0..45).map(|_| rig.sim.post(DANA, GENERAL, Draft::text("x")).unwrap()).collect();
    let mut next = Some(general());
    let (mut seen, mut pages) = (Vec::new(), 0);
    while let Some(path) = next {
        let page = rig.get(&path, &rig.app()).await.json();
        seen.extend(ids(&page));
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
        assert!(next.as_ref().is_none_or(|n| n.starts_with(rig.sim.base_url())), "links name the simulator");
        pages += 1;
    }
    seen.reverse();
    assert_eq!((seen, pages), (sent, 3), "20 by default");
    let fifty = rig.get(&format!("{}?$top=50", general()), &rig.app()).await.json();
    assert_eq!(ids(&fifty).len(), 45);
    let more = rig.get(&format!("{}?$top=51", general()), &rig.app()).await;
    assert_eq!(more.status, 400);
    assert!(more.error().1.contains("limit of '50'"));
    let filtered = rig.get(&format!("{}?$filter=x", general()), &rig.app()).await;
    assert_eq!(filtered.status, 400, "channels cannot be filtered");
    rig.stop().await;
}

#[tokio::test]
async fn long_threads_link_to_the_rest_of_their_replies() {
    let rig = Rig::new().await;
    let root = rig.sim.post(DANA, GENERAL, Draft::text("root")).unwrap();
    for _ in 0..205 {
        rig.sim.reply(DANA, GENERAL, &root, Draft::text("r")).unwrap();
    }
    let page = rig.get(&format!("{}?$expand=replies", general()), &rig.app()).await.json();
    let thread = &page["value"][0];
    assert_eq!(thread["replies"].as_array().unwrap().len(), 200);
    let rest = rig.get(thread["replies@odata.nextLink"].as_str().unwrap(), &rig.app()).await.json();
    assert_eq!(ids(&rest).len(), 5);
    rig.stop().await;
}

#[tokio::test]
async fn chats_filter_by_time() {
    let rig = Rig::with_roles(&["Chat.Read.All"]).await;
    let a = rig.sim.post(DANA, LUNCH_CHAT, Draft::text("a")).unwrap();
    let b = rig.sim.post(DANA, LUNCH_CHAT, Draft::text("b")).unwrap();
    let c = rig.sim.post(DANA, LUNCH_CHAT, Draft::text("c")).unwrap();
    rig.sim.edit(DANA, LUNCH_CHAT, &a, Draft::text("a2")).unwrap();
    let path = format!("/v1.0/chats/{LUNCH_CHAT}/messages");
    let watermark = jiff::Timestamp::from_millisecond(c.parse().unwrap()).unwrap();
    let changed = format!(
        "{path}?$orderby=lastModifiedDateTime%20desc&$filter=lastModifiedDateTime%20gt%20{watermark}"
    );
    assert_eq!(ids(&rig.get(&changed, &rig.app()).await.json()), std::slice::from_ref(&a), "edits show");
    let created = format!("{path}?$orderby=createdDateTime%20desc");
    assert_eq!(ids(&rig.get(&created, &rig.app()).await.json()), [c, b, a]);
    let rising = rig.get(&format!("{path}?$orderby=createdDateTime%20asc"), &rig.app()).await;
    assert_eq!(rising.status, 400);
    let mixed =
        format!("{path}?$orderby=createdDateTime%20desc&$filter=lastModifiedDateTime%20gt%20{watermark}");
    assert_eq!(rig.get(&mixed, &rig.app()).await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn channel_delta_is_a_doubt() {
    let rig = Rig::new().await;
    let path = format!("{}/delta", general());
    assert_eq!(rig.get(&path, &rig.app()).await.status, 404);
    rig.sim.with_config(|c| c.doubts.channel_delta_answers = true);
    rig.sim.post(DANA, GENERAL, Draft::text("a")).unwrap();
    let page = rig.get(&path, &rig.app()).await.json();
    assert_eq!(ids(&page).len(), 1);
    let again = rig.get(page["@odata.deltaLink"].as_str().unwrap(), &rig.app()).await.json();
    assert_eq!(ids(&again).len(), 0);
    rig.stop().await;
}

#[tokio::test]
async fn exports_span_conversations() {
    let rig = Rig::with_roles(&["Chat.Read.All", "ChannelMessage.Read.All"]).await;
    let a = rig.sim.post(DANA, LUNCH_CHAT, Draft::text("a")).unwrap();
    let root = rig.sim.post(DANA, GENERAL, Draft::text("b")).unwrap();
    let reply = rig.sim.reply(DANA, GENERAL, &root, Draft::text("c")).unwrap();
    let chats = rig.get(&format!("/v1.0/users/{DANA}/chats/getAllMessages"), &rig.app()).await.json();
    assert_eq!(ids(&chats), [a]);
    let channels =
        rig.get(&format!("/v1.0/teams/{TEAM}/channels/getAllMessages?$top=1"), &rig.app()).await.json();
    assert_eq!(ids(&channels), [reply]);
    let rest = rig.get(channels["@odata.nextLink"].as_str().unwrap(), &rig.app()).await.json();
    assert_eq!(ids(&rest), [root]);
    let dana = rig.dana(&["Chat.Read"]);
    let own = rig.get("/v1.0/me/chats/getAllMessages", &dana).await;
    assert_eq!(own.status, 403, "exports are for applications");
    rig.stop().await;
}
