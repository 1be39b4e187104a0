//! A kill at every fault point.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use dragoman_gateway::admin::api::{OrgAdd, StatusGet};
use dragoman_store::POINTS;
use e2e::{Binary, World};

use super::chat;
use super::talk::{Talk, world};
use crate::direct::broken;

const LIMIT: Duration = Duration::from_secs(20);
/// Between two things that people do.
const PAUSE: Duration = Duration::from_millis(40);

/// What the disk kept of the secrets of messages under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    Kept,
    /// Rows and secrets are synced side by side: what was not acknowledged yet may have lost either.
    Lost,
}

/// People talk; the gateway dies at the point, at its n-th time; they go on talking; it comes back.
async fn survives(fault: &str, secrets: Secrets) -> Result<()> {
    let mut world = world(1).await?;
    let mut talk = Talk::begin(&world, 7).await?;
    let old = prelude(&world, &mut talk).await?;
    talk.holds(&world, LIMIT).await?;

    // A message is read again where it was written; what somebody did to one, and when, nobody tells a second time.
    talk.quiet = secrets == Secrets::Lost;
    talk.story().remark(&format!("the gateway will die at {fault}"));
    world.binary.kill()?;
    world.binary.launch(Some(fault))?;
    let mut acts = 0;
    while !world.binary.died(PAUSE).await? {
        ensure!(acts < 400, "the gateway outlived {fault}:\n{}", world.binary.tail());
        match fault.split('.').next() {
            Some("reaction") => talk.react().await?,
            _ => talk.act().await?,
        }
        acts += 1;
        if fault.starts_with("epoch.created") {
            // A new organisation is where a new epoch key comes from.
            let _ = world.ask(&OrgAdd { name: format!("Second {acts}") }).await;
        }
    }
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
    talk.quiet = false;
    talk.story().remark("it is back");
    for _ in 0..5 {
        talk.act().await?;
    }
    talk.holds(&world, LIMIT).await?;

    talk.story().remark("older messages are edited, answered and deleted");
    let sides = talk.sides();
    for side in 0..sides {
        talk.edit(old[side]).await?;
        talk.post(neighbour(side), Some(old[side])).await?;
        talk.delete(old[sides + side]).await?;
    }
    talk.holds(&world, LIMIT).await?;
    world.end().await
}

/// Another side of the same bridge: the others are in pairs.
fn neighbour(side: usize) -> usize {
    if side < 4 { (side + 1) % 4 } else { side ^ 1 }
}

/// Of each side a root with a reply, and then of each side a message that is deleted later.
async fn prelude(world: &World, talk: &mut Talk) -> Result<Vec<usize>> {
    let mut old = Vec::new();
    for side in 0..talk.sides() {
        old.push(talk.post(side, None).await?);
    }
    // Now the gateway has met everybody, and knows the keys that the platforms sign with.
    talk.holds(world, LIMIT).await?;
    for side in 0..talk.sides() {
        talk.post(side, Some(old[side])).await?;
        old.push(talk.post(side, None).await?);
    }
    talk.edit(old[0]).await?;
    Ok(old)
}

macro_rules! points {
    ($($name:ident: $fault:literal,)*) => {
        /// Points that a message passes, and that housekeeping does.
        const PASSED: &[&str] = &[$($fault),*];

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
    reaction_recorded_not_set: "reaction.recorded:2",
    reaction_set_not_recorded: "reaction.set:2",
    answered_not_recorded: "settle.before:3",
    recorded_not_synced: "settle.unsynced:3",
    settled_slot_not_erased: "settle.synced:3",
    tables_brought_up_to_date: "flush.uncommitted:2",
    tables_and_journal_hold_the_same: "flush.committed:2",
    slot_about_to_be_erased: "erase.before:3",
    log_about_to_be_truncated: "checkpoint.before:1",
    epoch_written_not_in_use: "epoch.created:1",
}

/// The rows are there, their secrets are not: the messages are read again from where they were written.
#[tokio::test(flavor = "multi_thread")]
async fn synced_without_its_secret() -> Result<()> {
    survives("append.synced:3", Secrets::Lost).await
}

/// Late enough that what the start itself looked up, which has no secret, is sent.
#[tokio::test(flavor = "multi_thread")]
async fn unsealed_and_its_secret_lost() -> Result<()> {
    survives("send.before:12", Secrets::Lost).await
}

/// The schema of a new database is made in steps.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_the_schema_not_committed() -> Result<()> {
    let mut binary = Binary::prepare(&toml::Table::new())?;
    for step in 1..=2 {
        binary.launch(Some(&format!("{SCHEMA}:{step}")))?;
        if !binary.died(LIMIT).await? {
            ensure!(step > 1, "a new database has a first step");
            break;
        }
    }
    binary.kill()?;
    binary.start(None).await?;
    let status = binary.client().ask(&StatusGet {}).await?;
    ensure!(status.events == 0 && status.originals == 0, "a new database is empty");
    Ok(())
}

const SCHEMA: &str = "migrate.uncommitted";
/// Files have kills of their own.
const FILE: &str = "file.moving";

#[test]
fn every_point_is_here() {
    for point in POINTS.iter().copied() {
        let killed = PASSED.iter().chain(&chat::KILLED).chain(&broken::KILLED);
        let passed = killed.into_iter().any(|fault| fault.split(':').next() == Some(point));
        assert!(passed || [SCHEMA, FILE].contains(&point), "nobody kills the gateway at {point}");
    }
}
