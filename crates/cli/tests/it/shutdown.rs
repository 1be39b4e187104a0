//! The end of a gateway in the middle of traffic.

use rustix::process::Signal;

use crate::http::eventually;
use crate::world::World;

#[tokio::test]
async fn sigterm_in_the_middle_of_traffic_loses_and_repeats_nothing() {
    let mut world = World::start().await;
    let words: Vec<String> = (0..30).map(|number| format!("traffic {number} end")).collect();
    for text in &words[..20] {
        world.sims.ana_says("launch", text).await;
    }
    let stopping = world.gateway.end(Signal::TERM);
    let writing = async {
        for text in &words[20..] {
            world.sims.ana_says("launch", text).await;
        }
    };
    let ((status, log), ()) = tokio::join!(stopping, writing);
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("panic"), "{log}");
    assert!(
        !world.rig.path("data/admin.sock").exists()
            || world.rig.command(&["org", "list"]).status.code() == Some(1)
    );
    world.gateway = world.rig.serve().await;
    let arrived = eventually("everything arrives", async || {
        let texts = world.sims.teams_texts("launch").await;
        words.iter().all(|word| texts.iter().any(|text| text.contains(word))).then_some(texts)
    })
    .await;
    for word in &words {
        let times = arrived.iter().filter(|text| text.contains(word)).count();
        assert_eq!(times, 1, "{word}");
    }
}

#[tokio::test]
async fn every_polite_signal_ends_it_in_order() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let rig = crate::rig::Rig::new("");
        let (status, log) = rig.serve().await.end(signal).await;
        assert!(status.success(), "{signal:?}: {status}: {log}");
    }
}
