//! Kills at random moments.

use std::cell::Cell;
use std::time::Duration;

use anyhow::Result;
use dragoman_model::Random as _;
use dragoman_testkit::SeededRandom;

use super::talk::{Talk, world};

/// A conversation of which nothing may be lost in so many kills.
#[expect(clippy::print_stdout, reason = "the seed of a run that fails is what one needs most")]
async fn survives(kills: u64, seed: u64) -> Result<()> {
    println!("{kills} kills with DRAGOMAN_SEED={seed}");
    let mut world = world(seed).await?;
    let mut talk = Talk::begin(&world, seed).await?;
    let chance = SeededRandom::new(seed ^ 0x6b69_6c6c);
    let over = Cell::new(false);
    let mut told = 0;
    while told < kills {
        // In rounds, so that a failure has a short story.
        let round = (kills - told).min(10);
        over.set(false);
        let binary = &mut world.binary;
        let story = talk.story();
        let killing = async {
            for _ in 0..round {
                pause(&chance, 900).await;
                binary.kill()?;
                story.remark("-- killed");
                pause(&chance, 300).await;
                binary.launch(None)?;
                story.remark("-- launched");
                // Sometimes it is killed again before it is up.
                if chance.below(5) > 0 {
                    binary.answering().await?;
                    story.remark("-- answers");
                }
            }
            binary.answering().await?;
            over.set(true);
            anyhow::Ok(())
        };
        let talking = async {
            while !over.get() {
                talk.act().await?;
                pause(&chance, 120).await;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(killing, talking)?;
        told += round;
        talk.holds(&world, Duration::from_mins(1)).await?;
        println!("{told} kills, {} messages", talk.len());
    }
    world.end().await
}

async fn pause(chance: &SeededRandom, at_most_ms: u64) {
    tokio::time::sleep(Duration::from_millis(chance.below(at_most_ms))).await;
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|value| value.parse().ok())
}

/// `cargo xtask torture` asks for more of them.
#[tokio::test(flavor = "multi_thread")]
async fn at_random_moments() -> Result<()> {
    let mut seed = [0; 4];
    dragoman_seal::SystemRandom.fill(&mut seed);
    let seed = number("DRAGOMAN_SEED").unwrap_or_else(|| u32::from_be_bytes(seed).into());
    survives(number("DRAGOMAN_KILLS").unwrap_or(8), seed).await
}
