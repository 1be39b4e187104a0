//! What operators may do about direct conversations, and what their other acts leave alone.

use dragoman_gateway::admin::api::*;
use dragoman_model::{BridgeId, Clock as _, ConversationId, codes};
use dragoman_platform::Facts;
use dragoman_store::{Amendment, BridgePast, BridgeRow, BridgeState as Stored, Mutation, Notices};

use crate::rig::{Rig, problem};

const PEER: &str = "direct_peer:somebody";

fn dm(rig: &Rig, person: &str, allowed: bool) -> impl Future<Output = u64> {
    let allow = DirectAllow { person: person.to_owned(), allowed };
    async move { rig.admin.ask(&allow).await.unwrap().count }
}

/// Two chats with the app, known and not linked; the first is of `u1`, who does not want to hear of somebody.
async fn chats(rig: &Rig) -> Vec<ConversationId> {
    let (_, bridge) = rig.bridged().await;
    let end = BridgeState { bridge: bridge.id.clone(), state: State::Ended };
    rig.admin.ask(&end).await.unwrap();
    let ids: Vec<ConversationId> = bridge.members.iter().map(|it| it.id.as_str().into()).collect();
    let facts = [("direct_person", "u1"), (PEER, "blocked@0")];
    let facts = facts.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    let amendment = Amendment { facts: facts.into(), ..Amendment::default() };
    rig.store.commit(Mutation::Amend { conversation: ids[0].clone(), amendment }).await.unwrap();
    rig.relay.reload().await.unwrap();
    ids
}

/// Two people write with each other.
async fn open(rig: &Rig) -> String {
    let members = chats(rig).await;
    let id = BridgeId::from("01pair");
    let spot = rig.relay.directory().spot(&members[0]).unwrap().clone();
    let row = BridgeRow {
        id: id.clone(),
        org: spot.org.clone(),
        state: Stored::Active,
        members,
        created_ms: 0,
        since_ms: 0,
        past: BridgePast::default(),
        notices: Notices::default(),
        talk: Some("pair".to_owned()),
    };
    rig.store.commit(Mutation::AddBridge(row)).await.unwrap();
    rig.relay.reload().await.unwrap();
    id.to_string()
}

fn facts_of(rig: &Rig, chat: &ConversationId) -> Facts {
    rig.relay.directory().spot(chat).unwrap().row.facts.clone()
}

#[tokio::test]
async fn whom_an_operator_keeps_out_stays_out_when_the_app_is_installed_again() {
    let rig = Rig::new().await;
    let chat = chats(&rig).await.remove(0);
    assert_eq!(dm(&rig, "alpha:u1", false).await, 1);
    let app = rig.admin.ask(&AppList {}).await.unwrap().into_iter().find(|it| it.platform == "alpha");
    rig.adopt(&app.unwrap()).await;
    let kept_out = rig.admin.ask(&DirectList {}).await.unwrap().kept_out;
    assert_eq!(kept_out.iter().map(|it| it.user.as_str()).collect::<Vec<_>>(), ["u1"]);
    assert_eq!(facts_of(&rig, &chat)["direct_person"], "u1");
    assert_eq!(dm(&rig, "alpha:u1", true).await, 1);
    assert!(rig.admin.ask(&DirectList {}).await.unwrap().kept_out.is_empty());
    rig.end().await;
}

#[tokio::test]
async fn keeping_somebody_out_again_ends_what_an_interruption_left_open() {
    let rig = Rig::new().await;
    open(&rig).await;
    // The process died after that was written.
    let installation =
        rig.relay.directory().places().find(|it| it.session.app.platform.0 == "alpha").cloned();
    let installation = installation.unwrap().session.installation.id.clone();
    let mut row = rig.store.installation(&installation).await.unwrap().unwrap();
    row.facts.insert("direct_barred:u1".to_owned(), "yes".to_owned());
    rig.store.commit(Mutation::PutInstallation(row)).await.unwrap();
    rig.relay.reload().await.unwrap();
    assert_eq!(rig.admin.ask(&BridgeList { ended: false }).await.unwrap().len(), 1);
    assert_eq!(dm(&rig, "alpha:u1", false).await, 0, "they are kept out already");
    assert!(rig.admin.ask(&BridgeList { ended: false }).await.unwrap().is_empty());
    rig.end().await;
}

#[tokio::test]
async fn nobody_is_put_into_a_conversation_of_people() {
    let rig = Rig::new().await;
    let bridge = open(&rig).await;
    let add = vec!["alpha:#random".to_owned()];
    let change = BridgeMembers { bridge: bridge.clone(), add, ..BridgeMembers::default() };
    let refused = problem(rig.admin.ask(&change).await);
    assert_eq!(refused.code, codes::INVALID.as_str());
    assert!(refused.cure.contains(&format!("dragoman dm close {bridge}")), "{refused:?}");
    let members = rig.admin.ask(&BridgeList { ended: false }).await.unwrap().remove(0).members;
    assert_eq!(members.len(), 2);
    assert_eq!(rig.admin.ask(&DirectClose { bridge }).await.unwrap().count, 1);
    rig.end().await;
}

#[tokio::test]
async fn what_people_decided_outlives_the_linking_of_their_chat() {
    let rig = Rig::new().await;
    let chat = chats(&rig).await.remove(0);
    let members = vec!["alpha:#general".to_owned(), "beta:r1".to_owned()];
    rig.clock.advance(60_000);
    rig.admin.ask(&BridgeAdd { members, ..BridgeAdd::default() }).await.unwrap();
    let row = rig.store.conversation(&chat).await.unwrap().unwrap();
    assert_eq!(row.seen_until_ms, rig.clock.now_ms(), "what was written before is not looked for");
    let facts = facts_of(&rig, &chat);
    assert_eq!((facts["direct_person"].as_str(), facts[PEER].as_str()), ("u1", "blocked@0"));
    rig.end().await;
}
