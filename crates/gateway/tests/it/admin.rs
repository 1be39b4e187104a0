//! Acts of operators, over the socket.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use dragoman_gateway::admin::api::*;
use dragoman_gateway::admin::{ActivityReader, Client, ClientError};
use dragoman_model::codes;
use dragoman_testkit::wait_until;

use crate::fake::{SIGNING_SECRET, event_body};
use crate::rig::{PUBLIC, Rig, problem};

fn add(members: &[&str]) -> BridgeAdd {
    BridgeAdd {
        members: members.iter().map(|it| (*it).to_owned()).collect(),
        allow_external: false,
        ..BridgeAdd::default()
    }
}

#[tokio::test]
async fn the_socket_is_the_owners_alone_and_goes_with_the_gateway() {
    let rig = Rig::new().await;
    let socket = rig.admin.socket().to_owned();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!socket.with_extension("new").exists());
    rig.end().await;
    assert!(!socket.exists());
    let gone = Client::new(&socket).ask(&OrgList {}).await;
    assert!(matches!(gone, Err(ClientError::NotRunning(path)) if path == socket));
}

#[tokio::test]
async fn organisations_and_their_policies() {
    let rig = Rig::new().await;
    let none = problem(
        rig.admin.ask(&OrgPolicy { org: None, policy: "relay_bots".into(), value: "yes".into() }).await,
    );
    assert!(none.cure.contains("dragoman org add"), "{none:?}");
    let acme = rig.admin.ask(&OrgAdd { name: " Acme ".to_owned() }).await.unwrap();
    assert_eq!((acme.name.as_str(), acme.policy["relay_bots"].as_str()), ("Acme", "no"));
    let again = problem(rig.admin.ask(&OrgAdd { name: "Acme".to_owned() }).await);
    assert_eq!(again.code, codes::CONFLICT.as_str());
    assert_eq!(problem(rig.admin.ask(&OrgAdd { name: "  ".to_owned() }).await).code, codes::INVALID.as_str());
    let set = OrgPolicy { org: Some("Acme".into()), policy: "relay_bots".into(), value: "yes".into() };
    assert_eq!(rig.admin.ask(&set).await.unwrap().policy["relay_bots"], "yes");
    assert!(rig.relay.directory().policy(&acme.id.as_str().into()).relay_bots);
    for (policy, value) in [("relay_robots", "yes"), ("relay_bots", "maybe")] {
        let wrong = OrgPolicy { org: None, policy: policy.into(), value: value.into() };
        assert!(problem(rig.admin.ask(&wrong).await).cure.contains("take one of"));
    }
    rig.admin.ask(&OrgAdd { name: "Other".to_owned() }).await.unwrap();
    let which = OrgPolicy { org: None, policy: "relay_bots".into(), value: "no".into() };
    assert!(problem(rig.admin.ask(&which).await).cure.contains("--org"));
    let names: Vec<String> =
        rig.admin.ask(&OrgList {}).await.unwrap().into_iter().map(|org| org.name).collect();
    assert_eq!(names, ["Acme", "Other"]);
    let acts: Vec<String> =
        rig.admin.ask(&AuditList::default()).await.unwrap().into_iter().map(|row| row.act).collect();
    assert_eq!(acts, ["org.add", "org.policy", "org.add"]);
    rig.end().await;
}

#[tokio::test]
async fn apps_are_registered_in_steps_and_secrets_never_come_back() {
    let rig = Rig::new().await;
    rig.admin.ask(&OrgAdd { name: "Acme".to_owned() }).await.unwrap();
    let bare = AppAdd {
        org: None,
        platform: "alpha".into(),
        values: BTreeMap::new(),
        features: ["relay".into()].into(),
    };
    let app = rig.admin.ask(&bare).await.unwrap();
    assert_eq!(app.missing, ["client_id", "signing_secret"]);
    assert_eq!(app.facts["certificate"], "made-certificate", "what the connector makes itself is there");
    assert_eq!(app.hooks_url, format!("{PUBLIC}/hooks/alpha/{}", app.id));
    assert_eq!(app.redirect_url, format!("{PUBLIC}/oauth/alpha/callback"));
    let package = rig.admin.ask(&AppPackage { app: "alpha".into(), name: "Bridge".into() }).await.unwrap();
    assert_eq!(
        (package.files[0].name.as_str(), package.scopes[0].feature.as_str()),
        ("manifest.txt", "relay")
    );
    assert!(package.steps[0].contains("as Bridge"));
    let values = [("client_id", "a1"), ("signing_secret", SIGNING_SECRET)];
    let values = values.map(|(key, value)| (key.to_owned(), SecretText(value.to_owned())));
    let set = AppSet { app: app.id.clone(), values: values.into(), features: None };
    let app = rig.admin.ask(&set).await.unwrap();
    assert!(
        app.missing.is_empty() && app.secrets.contains("signing_secret") && app.features.contains("relay")
    );
    let listed = serde_json::to_string(&rig.admin.ask(&AppList {}).await.unwrap()).unwrap();
    assert!(!listed.contains(SIGNING_SECRET), "{listed}");
    let residue = rig.disk.residue();
    assert!(!residue.windows(SIGNING_SECRET.len()).any(|part| part == SIGNING_SECRET.as_bytes()));
    let typo = BTreeMap::from([("client_idd".to_owned(), SecretText("x".to_owned()))]);
    let wrong = problem(rig.admin.ask(&AppSet { app: "alpha".into(), values: typo, features: None }).await);
    assert!(wrong.cure.contains("client_id, signing_secret"), "{wrong:?}");
    let nowhere =
        AppAdd { org: None, platform: "gamma".into(), values: BTreeMap::new(), features: [].into() };
    assert!(problem(rig.admin.ask(&nowhere).await).cure.contains("alpha, beta"));
    let odd =
        AppSet { app: "alpha".into(), values: BTreeMap::new(), features: Some(["smell".into()].into()) };
    let odd = problem(rig.admin.ask(&odd).await);
    assert!(odd.what.contains("'smell'") && odd.cure.contains("relay, faces"), "{odd:?}");
    let platforms = rig.admin.ask(&PlatformList {}).await.unwrap();
    assert_eq!(platforms[0].features, ["relay", "faces"]);
    assert_eq!(platforms.len(), 2);
    assert!(platforms[0].fields.iter().any(|field| field.secret && field.required));
    rig.end().await;
}

#[tokio::test]
async fn conversations_are_found_page_by_page_with_their_bridges() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let search = ConversationSearch { scope: Some("alpha".into()), search: "#r".into(), limit: 0 };
    let found = rig.admin.ask(&search).await.unwrap();
    let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["general", "random", "partners"]);
    assert_eq!(found[0].bridge.as_deref(), Some(bridge.id.as_str()));
    assert_eq!((found[1].bridge.as_deref(), found[2].external), (None, true));
    let everywhere = rig.admin.ask(&ConversationSearch::default()).await.unwrap();
    assert_eq!(everywhere.len(), 12);
    let one =
        ConversationSearch { scope: Some(found[0].installation.clone()), search: String::new(), limit: 2 };
    assert_eq!(rig.admin.ask(&one).await.unwrap().len(), 2);
    let nowhere = ConversationSearch { scope: Some("gamma".into()), ..ConversationSearch::default() };
    assert!(problem(rig.admin.ask(&nowhere).await).cure.contains("dragoman install list"));
    rig.end().await;
}

#[tokio::test]
async fn what_passes_between_conversations_is_told_from_their_capabilities() {
    let rig = Rig::new().await;
    rig.bridged().await;
    let members = |names: &[&str]| FidelityGet { members: names.iter().map(|it| (*it).to_owned()).collect() };
    let ways = rig.admin.ask(&members(&["alpha:#general", "beta:r2"])).await.unwrap();
    let names: Vec<_> = ways.iter().map(|way| (way.from.name.as_str(), way.to.name.as_str())).collect();
    assert_eq!(
        names,
        [("alpha general (Acme)", "beta random (Acme)"), ("beta random (Acme)", "alpha general (Acme)")]
    );
    let text = &ways[0].features[0];
    assert_eq!((text.feature.as_str(), text.level.as_str()), ("text", "native"));
    assert!(ways[0].features[1..].iter().all(|carried| carried.level == "refused"));
    assert!(ways[0].notes[0].contains("1,000 characters"), "{:?}", ways[0].notes);
    let reference = ways[0].to.reference.clone().unwrap();
    assert!(reference.ends_with(":r2") && ways[0].to.platform == "beta");
    assert_eq!(rig.admin.ask(&members(&["alpha:#general", &reference, "alpha:r2"])).await.unwrap().len(), 6);
    assert!(problem(rig.admin.ask(&members(&["alpha:#general"])).await).cure.contains("two"));
    let nowhere = problem(rig.admin.ask(&members(&["alpha:#general", "beta:#lunch"])).await);
    assert_eq!(nowhere.code, codes::NOT_FOUND.as_str());
    rig.end().await;
}

#[tokio::test]
async fn granted_scopes_are_held_against_the_features() {
    let rig = Rig::new().await;
    rig.bridged().await;
    let report = async || {
        let reports = rig.admin.ask(&ScopeList {}).await.unwrap();
        reports.into_iter().find(|report| report.platform == "alpha").unwrap()
    };
    let plain = report().await;
    assert_eq!((plain.display_name.as_str(), plain.name.as_str(), plain.told), ("alpha", "Acme", true));
    assert_eq!((plain.missing.len(), plain.needless.as_slice()), (0, &["shout".to_owned()][..]));
    let more =
        AppSet { app: "alpha".into(), values: BTreeMap::new(), features: Some(["faces".into()].into()) };
    rig.admin.ask(&more).await.unwrap();
    let missing = report().await.missing;
    assert_eq!((missing.len(), missing[0].name.as_str(), missing[0].feature.as_str()), (1, "look", "faces"));
    rig.end().await;
}

#[tokio::test]
async fn a_bridge_is_made_announced_paused_resumed_and_ended() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    assert_eq!((bridge.state, bridge.members.len(), bridge.warnings.len()), (State::Active, 2, 0));
    assert_eq!(rig.alpha.state().watched, ["r1"]);
    let posted = |fake: &crate::fake::Fake| fake.state().posts.clone();
    assert!(
        posted(&rig.alpha)[0].1.contains("These conversations are linked") && posted(&rig.beta).len() == 1
    );
    let state = |state| BridgeState { bridge: bridge.id.clone(), state };
    assert_eq!(rig.admin.ask(&state(State::Paused)).await.unwrap().state, State::Paused);
    assert!(posted(&rig.beta)[1].1.contains("paused"));
    assert!(rig.relay.directory().bridged().is_empty());
    // Asking twice changes and says nothing.
    rig.admin.ask(&state(State::Paused)).await.unwrap();
    assert_eq!(posted(&rig.beta).len(), 2);
    assert_eq!(rig.admin.ask(&state(State::Active)).await.unwrap().state, State::Active);
    assert!(posted(&rig.beta)[2].1.contains("linked"));
    rig.admin.ask(&BridgeTest { bridge: bridge.id.clone() }).await.unwrap();
    assert!(posted(&rig.beta)[3].1.contains("test"));
    assert_eq!(rig.admin.ask(&state(State::Ended)).await.unwrap().state, State::Ended);
    assert!(posted(&rig.alpha)[4].1.contains("not linked any more"));
    assert_eq!(rig.alpha.state().unwatched, ["watch-r1"]);
    assert!(rig.admin.ask(&BridgeList::default()).await.unwrap().is_empty());
    assert_eq!(rig.admin.ask(&BridgeList { ended: true }).await.unwrap().len(), 1);
    assert!(problem(rig.admin.ask(&state(State::Active)).await).what.contains("has ended"));
    // Both are free again.
    rig.admin.ask(&add(&["alpha:#general", "beta:#general"])).await.unwrap();
    let acts: Vec<String> =
        rig.admin.ask(&AuditList::default()).await.unwrap().into_iter().map(|row| row.act).collect();
    assert_eq!(acts[..5], ["bridge.add", "bridge.ended", "bridge.test", "bridge.active", "bridge.paused"]);
    rig.end().await;
}

#[tokio::test]
async fn what_may_not_be_linked_is_refused_with_the_cure() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let refused = async |members: &[&str]| problem(rig.admin.ask(&add(members)).await);
    let external = refused(&["alpha:#partners", "beta:#random"]).await;
    assert_eq!(
        (external.code.as_ref(), external.cure.contains("--allow-external")),
        (codes::EXTERNAL.as_str(), true)
    );
    let taken = refused(&["alpha:#general", "beta:#random"]).await;
    assert_eq!(taken.code, codes::ALREADY_BRIDGED.as_str());
    assert!(taken.what.contains(&bridge.id) && taken.cure.contains("bridge remove"), "{taken:?}");
    let two = refused(&["alpha:#twin", "beta:#random"]).await;
    assert!(two.what.contains("fits 2") && two.cure.contains(":r5") && two.cure.contains(":r6"), "{two:?}");
    assert_eq!(refused(&["alpha:#nothing", "beta:#random"]).await.code, codes::NOT_FOUND.as_str());
    assert_eq!(refused(&["alpha:r99", "beta:#random"]).await.code, codes::CONVERSATION_GONE.as_str());
    assert!(refused(&["alpha:#random"]).await.what.contains("two conversations"));
    assert!(refused(&["alpha:#random", "alpha:r2"]).await.what.contains("named twice"));
    assert_eq!(refused(&["random", "beta:#random"]).await.code, codes::INVALID.as_str());
    // A second app that sees the same conversation would relay it twice.
    let second = rig.app("alpha", "a2").await;
    let second = rig.adopt(&second).await;
    assert_eq!(
        refused(&[&format!("{}:r1", second.id), "beta:#random"]).await.code,
        codes::ALREADY_BRIDGED.as_str()
    );
    // Nothing crosses between organisations.
    rig.admin.ask(&OrgAdd { name: "Other".to_owned() }).await.unwrap();
    let values = BTreeMap::from([("client_id".to_owned(), SecretText("o".to_owned()))]);
    let other = AppAdd { org: Some("Other".into()), platform: "beta".into(), values, features: [].into() };
    let other = rig.adopt(&rig.admin.ask(&other).await.unwrap()).await;
    let crossing = refused(&[&format!("{}:r2", other.id), "alpha:r2"]).await;
    // Two apps on one platform make its name ambiguous; ids never are.
    assert!(
        crossing.what.contains("different organisations") || crossing.what.contains("fits 2"),
        "{crossing:?}"
    );
    let alpha = &bridge.members[0].installation;
    let crossing = refused(&[&format!("{}:r2", other.id), &format!("{alpha}:r2")]).await;
    assert!(crossing.what.contains("different organisations"), "{crossing:?}");
    assert_eq!(rig.admin.ask(&BridgeList { ended: true }).await.unwrap().len(), 1);
    let allowed = BridgeAdd {
        members: vec![format!("{alpha}:r3"), format!("{alpha}:r2")],
        allow_external: true,
        ..BridgeAdd::default()
    };
    assert!(rig.admin.ask(&allowed).await.unwrap().members[0].external);
    rig.end().await;
}

#[tokio::test]
async fn a_channel_that_two_workspaces_share_is_linked_once() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let here = bridge.members[0].installation.clone();
    let there = rig.adopt(&rig.app("alpha", "a3").await).await.id;
    // Linked through both, its messages would go round.
    for members in
        [[format!("{there}:r1"), format!("{here}:r2")], [format!("{there}:r2"), format!("{here}:r2")]]
    {
        let refused = problem(
            rig.admin
                .ask(&BridgeAdd { members: members.into(), allow_external: false, ..BridgeAdd::default() })
                .await,
        );
        assert_eq!((refused.code.as_ref(), refused.cure.contains("go round")), (codes::LOOP.as_str(), true));
    }
    rig.end().await;
}

#[tokio::test]
async fn members_come_and_go_and_missing_ones_are_told() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let change = |add: &[&str], remove: &[&str]| BridgeMembers {
        bridge: bridge.id.clone(),
        add: add.iter().map(|it| (*it).to_owned()).collect(),
        remove: remove.iter().map(|it| (*it).to_owned()).collect(),
        ..BridgeMembers::default()
    };
    let grown = rig.admin.ask(&change(&["alpha:#closed"], &[])).await.unwrap();
    assert_eq!(grown.members.len(), 3);
    assert_eq!(grown.warnings[0].code, codes::NOT_JOINED.as_str());
    assert!(grown.warnings[0].what.contains("closed"));
    let shrunk = rig.admin.ask(&change(&[], &["alpha:#closed"])).await.unwrap();
    assert_eq!(shrunk.members, bridge.members);
    assert_eq!(rig.alpha.state().unwatched, ["watch-r4"]);
    assert!(problem(rig.admin.ask(&change(&[], &["alpha:r1"])).await).cure.contains("bridge remove"));
    assert_eq!(problem(rig.admin.ask(&change(&[], &["alpha:r9"])).await).code, codes::NOT_FOUND.as_str());
    rig.end().await;
}

/// The next stage of a message: what its sender is told of it is an event of its own.
async fn next_of_messages(activity: &mut ActivityReader) -> ActivityInfo {
    let next = async {
        loop {
            let next = activity.next().await.unwrap();
            if next.kind != "conversation" {
                return next;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), next).await.unwrap()
}

#[tokio::test]
async fn dead_letters_are_listed_replayed_and_dropped() {
    let rig = Rig::new().await;
    let (app, bridge) = rig.bridged().await;
    let mut activity = rig.admin.activity().await.unwrap();
    for key in ["k1", "k2"] {
        assert_eq!(rig.hook(&app, SIGNING_SECRET, &event_body(key)).await.status, 200);
    }
    let mut stages = Vec::new();
    while stages.iter().filter(|stage| *stage == "dead").count() < 2 {
        let next = next_of_messages(&mut activity).await;
        assert_eq!(
            (next.from.as_deref(), next.kind.as_str()),
            (Some(bridge.members[0].id.as_str()), "created")
        );
        stages.push(next.stage);
    }
    assert_eq!(stages[0], "accepted");
    let letters = rig.admin.ask(&DeadLetterList::default()).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[1].to.as_deref(), Some(bridge.members[1].id.as_str()));
    assert!(letters[0].code.starts_with("DRG-"));
    let receipts = DeliveryList { message: Some("m-k1".to_owned()), ..DeliveryList::default() };
    assert_eq!(rig.admin.ask(&receipts).await.unwrap()[0].outcome, "dead");
    let act = |ids: &[&str], act| DeadLetterAct {
        ids: ids.iter().map(|it| (*it).to_owned()).collect(),
        org: None,
        act,
    };
    assert_eq!(
        problem(rig.admin.ask(&act(&["nothing"], LetterAct::Drop)).await).code,
        codes::NOT_FOUND.as_str()
    );
    assert_eq!(rig.admin.ask(&act(&[&letters[0].id], LetterAct::Drop)).await.unwrap().count, 1);
    // The message is gone at its source meanwhile, so that a replay ends without a delivery.
    assert_eq!(rig.admin.ask(&act(&[], LetterAct::Replay)).await.unwrap().count, 1);
    let next = next_of_messages(&mut activity).await;
    assert_eq!(
        (next.stage.as_str(), next.code.as_deref()),
        ("dropped", Some(codes::DELETED_MEANWHILE.as_str()))
    );
    assert!(rig.admin.ask(&DeadLetterList::default()).await.unwrap().is_empty());
    rig.end().await;
    assert!(activity.next().await.is_none(), "the stream ends with the gateway");
}

#[tokio::test]
async fn status_and_shutdown() {
    let rig = Rig::new().await;
    let (app, _) = rig.bridged().await;
    let status = rig.admin.ask(&StatusGet {}).await.unwrap();
    assert!(status.ready && status.troubles.is_empty());
    assert_eq!((status.orgs, status.bridges, status.public_url.as_str()), (1, 1, PUBLIC));
    assert_eq!(rig.get(rig.door(), "/instance").await.text(), status.instance);
    let json = serde_json::to_string(&status).unwrap();
    assert!(!json.contains(&app.id));
    rig.admin.ask(&Shutdown {}).await.unwrap();
    assert!(rig.quit.is_cancelled() && !rig.stop.is_cancelled());
    rig.end().await;
}

#[tokio::test]
async fn nonsense_gets_an_answer_that_repeats_none_of_it() {
    use tokio::io::AsyncWriteExt as _;
    let rig = Rig::new().await;
    for (path, body, status) in [
        ("/v1/app.add", r#"{"platform":"alpha","values":{"signing_secret":secret-canary}}"#, 422),
        ("/v1/no.such", "{}", 422),
        ("/v2/org.list", "{}", 404),
        ("/", "", 404),
    ] {
        let mut stream = tokio::net::UnixStream::connect(rig.admin.socket()).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let got = crate::rig::read(&mut stream).await;
        assert_eq!(got.status, status, "{path}");
        assert!(!got.text().contains("secret-canary"), "{}", got.text());
    }
    rig.end().await;
}

#[tokio::test]
async fn an_act_is_finished_even_if_nobody_waits_for_it() {
    use tokio::io::AsyncWriteExt as _;
    let rig = Rig::new().await;
    let mut stream = tokio::net::UnixStream::connect(rig.admin.socket()).await.unwrap();
    let body = r#"{"name":"Acme"}"#;
    let request =
        format!("POST /v1/org.add HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    // Somebody pressed Ctrl-C after the request was sent and before it was answered.
    drop(stream);
    let relay = rig.relay.clone();
    let found = wait_until(|| relay.directory().orgs().count() == 1, Duration::from_secs(5)).await;
    let rows = rig.store.orgs().await.unwrap().len();
    assert_eq!(usize::from(found), rows, "half an organisation");
    rig.end().await;
}
