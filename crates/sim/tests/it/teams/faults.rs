//! Fault orders on calls: before and after the effect.

use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::teams::seed::GENERAL;
use serde_json::json;

use super::harness::{Rig, general};

#[tokio::test]
async fn failures_come_before_or_after_the_effect_in_graphs_words() {
    let rig = Rig::new().await;
    let body = json!({"body": {"content": "x"}});
    let faults = rig.sim.faults();
    faults.add(FaultOrder::next(
        1,
        "POST /v1.0/teams/*/messages",
        FaultKind::ServerErrorBefore { status: 503 },
    ));
    let r = rig.post(&general(), &rig.writer(), &body).await;
    assert_eq!((r.status, r.error().0.as_str()), (503, "ServiceUnavailable"));
    assert_eq!(rig.sim.messages(GENERAL).len(), 0);
    faults.add(FaultOrder::next(
        1,
        "POST /v1.0/teams/*/messages",
        FaultKind::ServerErrorAfter { status: 504 },
    ));
    assert_eq!(rig.post(&general(), &rig.writer(), &body).await.status, 504);
    assert_eq!(rig.sim.messages(GENERAL).len(), 1, "a retry would duplicate: there is no idempotency key");
    let limited = FaultKind::RateLimited { retry_after: "2.128".into() };
    faults.add(FaultOrder::next(1, "POST *", limited).in_conversation(GENERAL));
    let r = rig.post(&general(), &rig.writer(), &body).await;
    assert_eq!((r.status, r.header("retry-after")), (429, "2.128"));
    rig.stop().await;
}

#[tokio::test]
async fn failures_come_in_the_connectors_words() {
    let rig = Rig::new().await;
    let path = rig.connector(&format!("v3/conversations/{GENERAL}/activities"));
    let body = json!({"type": "message", "text": "x"});
    let method = "POST /v3/conversations/*/activities";
    for (status, code) in [(412, "PreconditionFailed"), (502, "ServiceError")] {
        rig.sim.faults().add(FaultOrder::next(1, method, FaultKind::ServerErrorBefore { status }));
        let r = rig.post(&path, &rig.bot(), &body).await;
        assert_eq!((r.status, r.error().0.as_str()), (status, code));
    }
    let entries = rig.sim.log().since(0);
    let calls: Vec<_> = entries.iter().filter(|e| e.method.starts_with("POST /v3/")).collect();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].conversation.as_deref(), Some(GENERAL));
    rig.stop().await;
}
