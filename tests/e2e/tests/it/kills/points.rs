//! A kill at every fault point that a message passes.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use dragoman_gateway::admin::api::OrgAdd;
use e2e::{Options, World};

use super::talk::Talk;

const LIMIT: Duration = Duration::from_secs(20);

/// What the disk kept of the secrets of messages under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Kept,
    /// Rows and secrets are synced side by side: what was not acknowledged yet may have lost either.
    Lost,
}

/// People talk; the gateway dies at the point, at its n-th time; they go on talking; it comes back.
async fn survives(fault: &str, secrets: Secrets) -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let mut talk = Talk::new(&world, 7);
    let old = prelude(&world, &mut talk).await?;
    talk.holds(&world, LIMIT).await?;

    talk.story().remark(&format!("the gateway will die at {fault}"));
    world.binary.kill()?;
    world.binary.launch(Some(fault))?;
    let mut acts = 0;
    while world.binary.runs()? {
        ensure!(acts < 400, "the gateway outlived {fault}:\n{}", world.binary.tail());
        talk.act().await?;
        acts += 1;
        if fault.starts_with("epoch.created") {
            // A new organisation is where a new epoch key comes from.
            let _ = world.ask(&OrgAdd { name: format!("Second {acts}") }).await;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    ensure!(world.binary.died(LIMIT).await? || !world.binary.runs()?, "it should be dead");
    talk.story().remark("it is dead");
    for _ in 0..3 {
        talk.act().await?;
    }
    if secrets == Secrets::Lost {
        let slots = world.binary.data_folder().join("secrets.slots");
        let bytes = fs::read(&slots)?;
        ensure!(bytes.iter().any(|byte| *byte != 0), "no secret is there to be lost");
        fs::write(&slots, vec![0; bytes.len()])?;
    }
    world.binary.start(None).await?;
    talk.story().remark("it is back");
    for _ in 0..5 {
        talk.act().await?;
    }
    talk.holds(&world, LIMIT).await?;

    talk.story().remark("older messages are edited, answered and deleted");
    talk.edit(old[0]).await?;
    talk.edit(old[1]).await?;
    talk.post(0, Some(old[1])).await?;
    talk.post(1, Some(old[0])).await?;
    talk.delete(old[2]).await?;
    talk.delete(old[3]).await?;
    talk.holds(&world, LIMIT).await?;
    world.end().await
}

/// Two roots with replies, and a message of each side that is deleted later.
async fn prelude(world: &World, talk: &mut Talk) -> Result<[usize; 4]> {
    let roots = [talk.post(0, None).await?, talk.post(1, None).await?];
    // Now the gateway has met everybody, and knows the keys that the platforms sign with.
    talk.holds(world, LIMIT).await?;
    talk.post(0, Some(roots[0])).await?;
    talk.post(1, Some(roots[1])).await?;
    let later = [talk.post(0, None).await?, talk.post(1, None).await?];
    talk.edit(roots[0]).await?;
    Ok([roots[0], roots[1], later[0], later[1]])
}

macro_rules! points {
    ($($name:ident: $fault:literal,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() -> Result<()> {
                survives($fault, Secrets::Kept).await
            }
        )*
    };
}

points! {
    nothing_written: "append.before:3",
    written_not_synced: "append.unsynced:3",
    synced_not_acknowledged: "append.synced:3",
    accepted_not_handed_on: "dispatch.before:3",
    unsealed_not_sent: "send.before:3",
    sent_without_answer: "send.unanswered:3",
    answered_not_recorded: "settle.before:3",
    recorded_not_synced: "settle.unsynced:3",
    settled_slot_not_erased: "settle.synced:3",
    slot_about_to_be_erased: "erase.before:3",
    log_about_to_be_truncated: "checkpoint.before:1",
    epoch_written_not_in_use: "epoch.created:1",
}

/// The rows are there, their secrets are not: the messages are read again from where they were written.
#[tokio::test(flavor = "multi_thread")]
async fn synced_without_its_secret() -> Result<()> {
    survives("append.synced:3", Secrets::Lost).await
}

#[tokio::test(flavor = "multi_thread")]
async fn unsealed_and_its_secret_lost() -> Result<()> {
    survives("send.before:3", Secrets::Lost).await
}
