//! Commands that are broken off, and platforms that do not answer.

use anyhow::{Result, ensure};
use dragoman_sim::core::{FaultKind, FaultOrder};
use e2e::eventually;

use super::people::{SOON, ana, dana, emre, gita, world};

#[tokio::test(flavor = "multi_thread")]
async fn first_words_of_a_command_that_was_broken_off_go_to_nobody_else() -> Result<()> {
    let mut world = world().await?;
    let (ana, dana, gita) = (ana(&world)?, dana(&world), gita(&world)?);
    dana.says(&format!("dm {}", ana.email)).await?;
    ana.sees(&["wants to write with you"]).await?;
    ana.says("accept").await?;
    ana.sees(&["You are writing with", "Dana"]).await?;

    // Gita is looked for when the gateway dies; what is open was opened a moment before.
    let hangs = FaultKind::Latency { ms: 600_000 };
    world.slack.faults().add(FaultOrder::next(1, "users.lookupByEmail", hangs));
    ana.says(&format!("dm {} for Gita alone", gita.email)).await?;
    eventually("Gita is looked for", SOON, async || {
        if world.slack.faults().orders().is_empty() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    world.restart(None).await?;
    ana.sees(&["Something interrupted your last command"]).await?;
    world.settled(SOON).await?;
    ensure!(dana.count("for Gita alone").await? == 0, "Dana reads what is for Gita");
    ensure!(ana.count("You are writing with").await? == 1, "nothing was opened");

    ana.says(&format!("dm {} once more", gita.email)).await?;
    gita.sees(&["wants to write with you", "once more"]).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_perhaps_was_not_asked_is_asked_again() -> Result<()> {
    let world = world().await?;
    let (ana, dana, emre, gita) = (ana(&world)?, dana(&world), emre(&world), gita(&world)?);
    for person in [&dana, &emre] {
        person.sees(&["Here you can write with people on other platforms"]).await?;
    }
    let posts = "POST /v3/conversations/*/activities";
    world.teams.faults().add(FaultOrder::next(1, posts, FaultKind::ResetBefore));
    ana.says(&format!("dm {} lost", dana.email)).await?;
    ana.sees(&["It is not known whether", "Dana", "Ask again"]).await?;
    ensure!(ana.count("was asked. You are told here").await? == 0, "nobody knows that");
    ana.says(&format!("dm {} again", dana.email)).await?;
    dana.sees(&["wants to write with you", "again"]).await?;
    ana.sees(&["Dana", "was asked. You are told here"]).await?;
    ensure!(dana.count("lost").await? == 0, "the platform took it");
    ana.says(&format!("dm {} thrice", dana.email)).await?;
    ana.sees(&["your new words were not passed on"]).await?;

    world.teams.faults().add(FaultOrder::next(1, posts, FaultKind::ResetBefore));
    ana.says(&format!("dm {} {} together", emre.email, gita.email)).await?;
    gita.sees(&["wants to write with you", "together"]).await?;
    ana.sees(&["Gita Rao (Webex) was asked. It is not known whether Emre Kaya (Teams)"]).await?;
    ensure!(emre.count("together with").await? == 0, "the platform took it");
    world.end().await
}
