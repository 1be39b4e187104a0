//! Health and metrics.

use crate::fake::{SIGNING_SECRET, TOKEN, event_body};
use crate::rig::Rig;

#[tokio::test]
async fn health_tells_alive_from_ready() {
    let rig = Rig::new().await;
    let ops = rig.gateway.ops().unwrap();
    assert!(ops.ip().is_loopback());
    assert_eq!(rig.get(ops, "/healthz").await.status, 200);
    assert_eq!(rig.get(ops, "/readyz").await.status, 200);
    rig.furnished().await;
    assert_eq!(rig.get(ops, "/readyz").await.status, 200);
    // Nobody made the next epoch: nothing could be sealed.
    rig.clock.advance(24 * 60 * 60 * 1000);
    let got = rig.get(ops, "/readyz").await;
    assert_eq!((got.status, got.text().as_str()), (503, "DRG-KEYS-UNAVAILABLE\n"));
    assert_eq!(rig.get(ops, "/healthz").await.status, 200);
    assert_eq!(rig.get(ops, "/hooks/alpha/x/events").await.status, 404);
    rig.end().await;
}

#[tokio::test]
async fn metrics_count_and_hold_no_ids_names_secrets_or_content() {
    let rig = Rig::new().await;
    let (app, bridge) = rig.bridged().await;
    assert_eq!(rig.hook(&app, SIGNING_SECRET, &event_body("k1")).await.status, 200);
    assert_eq!(rig.hook(&app, SIGNING_SECRET, &event_body("k1")).await.status, 200);
    assert_eq!(rig.hook(&app, "wrong", &event_body("k2")).await.status, 401);
    let elsewhere = event_body("k3").replace(" r1 ", " r2 ");
    assert_eq!(rig.hook(&app, SIGNING_SECRET, &elsewhere).await.status, 200);
    let ops = rig.gateway.ops().unwrap();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let text = loop {
        let text = rig.get(ops, "/metrics").await.text();
        if text.contains("stage=\"dead\"") || tokio::time::Instant::now() > deadline {
            break text;
        }
    };
    for line in [
        "dragoman_hooks_total{platform=\"alpha\",status=\"200\"} 3",
        "dragoman_hooks_total{platform=\"alpha\",status=\"401\"} 1",
        "dragoman_hook_codes_total{platform=\"alpha\",code=\"DRG-UNAUTHENTIC\"} 1",
        "dragoman_hook_codes_total{platform=\"alpha\",code=\"DRG-REDELIVERY\"} 1",
        "dragoman_hook_codes_total{platform=\"alpha\",code=\"DRG-UNBRIDGED\"} 1",
        "dragoman_ack_seconds_count{platform=\"alpha\"} 3",
        "dragoman_events_total{stage=\"accepted\",kind=\"created\",code=\"\"} 1",
        "dragoman_events_total{stage=\"dead\",kind=\"created\"",
        "dragoman_at_rest{state=\"dead-letters\"} 1",
        "dragoman_bridges{state=\"active\"} 1",
        "dragoman_deepest_lane 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let member = &bridge.members[0];
    for secret in
        ["canary", TOKEN, SIGNING_SECRET, "Acme", "general", &app.id, &bridge.id, &member.id, "m-k1"]
    {
        assert!(!text.contains(secret), "{secret} is in the metrics");
    }
    rig.end().await;
}
