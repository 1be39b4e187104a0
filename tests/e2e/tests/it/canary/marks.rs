//! Marks, and whether they stand where people look, and nowhere else.

use std::time::Duration;

use anyhow::{Result, ensure};
use dragoman_model::Random as _;
use dragoman_testkit::SeededRandom;
use e2e::{Side, World, eventually};

use super::scan::{Mark, Scanner};
use super::watch::{Activity, look};

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// A mark for each carrier.
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    pub(super) fn new(seed: u64, carriers: &[&'static str]) -> Self {
        let random = SeededRandom::new(seed);
        let marks = carriers.iter().map(|carrier| {
            let mut bytes = [0; 8];
            random.fill(&mut bytes);
            // Emoji and addresses are written in small letters.
            Mark { carrier, text: format!("canary{}", hex::encode(bytes)) }
        });
        Self(marks.collect())
    }

    pub(super) fn of(&self, carrier: &str) -> String {
        let mark = self.0.iter().find(|mark| mark.carrier == carrier);
        mark.expect("the carrier is in the list").text.clone()
    }

    pub(super) fn scanner(&self) -> Scanner {
        Scanner::new(&self.0)
    }
}

/// Waits until the mark stands at the target: what is looked for has really been there.
pub(super) async fn shows(side: &dyn Side, marks: &Marks, carrier: &str) -> Result<()> {
    let mark = marks.of(carrier);
    eventually(&format!("{carrier} at {}", side.platform()), LIMIT, async || {
        let seen = side.read().await.map_err(|error| error.to_string())?;
        let there =
            seen.iter().any(|seen| seen.markup.contains(&mark) || seen.raw.to_string().contains(&mark));
        if there { Ok(()) } else { Err(format!("{} messages", seen.len())) }
    })
    .await
}

pub(super) async fn nothing(
    world: &World,
    scanner: &Scanner,
    activity: &Activity,
    alive: bool,
    when: &str,
) -> Result<()> {
    let found = look(world, scanner, activity, alive).await?;
    ensure!(found.is_empty(), "{when}:\n{}", found.join("\n"));
    Ok(())
}
