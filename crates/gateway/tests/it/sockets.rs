//! Connections that the gateway opens.

use std::time::Duration;

use dragoman_gateway::admin::api::{AppSet, SecretText};
use dragoman_testkit::wait_until;

use crate::fake::event_body;
use crate::rig::Rig;

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_socket_is_opened_for_apps_that_want_one_and_again_when_it_ends() {
    let rig = Rig::new().await;
    {
        let mut state = rig.alpha.state();
        state.listens = true;
        state.deliveries = vec![event_body("k1")];
    }
    rig.bridged().await;
    assert_eq!(rig.alpha.state().opened, 0, "an app with hooks gets no socket");
    rig.app("alpha", "socket").await;
    let alpha = rig.alpha.clone();
    assert!(wait_until(|| alpha.state().taken == [true], LONG).await, "{:?}", alpha.state().taken);
    // What cannot be made durable is not acknowledged.
    rig.alpha.state().deliveries = vec![event_body("k2").replace(" r1 ", " r2 ")];
    rig.alpha.end_socket.notify_one();
    assert!(wait_until(|| alpha.state().opened == 2, LONG).await);
    let ops = rig.gateway.ops().unwrap();
    let text = rig.get(ops, "/metrics").await.text();
    assert!(
        text.contains("dragoman_socket_failures_total{platform=\"alpha\",code=\"DRG-NO-ANSWER\"} 1"),
        "{text}"
    );
    assert!(text.contains("dragoman_sockets{platform=\"alpha\"} 1"), "{text}");
    rig.end().await;
}

#[tokio::test]
async fn a_changed_registration_opens_a_new_socket_at_once() {
    let rig = Rig::new().await;
    rig.alpha.state().listens = true;
    rig.furnished().await;
    let app = rig.app("alpha", "socket").await;
    let alpha = rig.alpha.clone();
    assert!(wait_until(|| alpha.state().opened == 1, LONG).await);
    let values = [("signing_secret".to_owned(), SecretText("another".to_owned()))];
    rig.admin.ask(&AppSet { app: app.id, values: values.into(), features: None }).await.unwrap();
    assert!(wait_until(|| alpha.state().opened == 2, LONG).await, "the old secret is still in use");
    rig.end().await;
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_not_acknowledged() {
    let rig = Rig::new().await;
    rig.bridged().await;
    let app = rig.app("alpha", "socket").await;
    rig.adopt(&app).await;
    // The second app's installation has no bridge: link one of its rooms.
    let installs = rig.admin.ask(&dragoman_gateway::admin::api::InstallList {}).await.unwrap();
    let mine = installs.iter().find(|it| it.app == app.id).unwrap();
    let members = vec![format!("{}:r2", mine.id), "beta:r2".to_owned()];
    rig.admin
        .ask(&dragoman_gateway::admin::api::BridgeAdd {
            members,
            allow_external: false,
            ..dragoman_gateway::admin::api::BridgeAdd::default()
        })
        .await
        .unwrap();
    rig.disk.set_full(true);
    {
        let mut state = rig.alpha.state();
        state.deliveries = vec![event_body("k1").replace(" r1 ", " r2 ")];
        state.listens = true;
    }
    rig.relay.reload().await.unwrap();
    let alpha = rig.alpha.clone();
    assert!(wait_until(|| alpha.state().taken == [false], LONG).await, "{:?}", alpha.state().taken);
    rig.end().await;
}
