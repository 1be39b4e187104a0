//! Running the demo, by hand or as a story.

use anyhow::{Context as _, Result, anyhow, bail};
use dragoman_model::{Feature, Level};
use serde::Serialize;

use super::page::{self, Page};
use super::sides::Side;
use super::story::{self, Pair, Step};
use super::world::Demo;
use crate::args;
use crate::end::End;
use crate::print;

#[derive(Serialize)]
struct Story {
    steps: Vec<Step>,
}

pub(crate) async fn run(options: args::Demo, json: bool) -> Result<()> {
    if options.story { story(json).await } else { by_hand(options.port).await }
}

async fn by_hand(port: u16) -> Result<()> {
    print::hint("starting a gateway and two simulated platforms …");
    // Listened to from the beginning: a start that is interrupted is finished and then ended in order.
    let mut end = End::listen()?;
    let demo = Demo::start(false).await?;
    let page = Page {
        relay: demo.gateway.relay.clone(),
        slack_url: demo.slack.base_url().to_owned(),
        teams_url: demo.teams.base_url().to_owned(),
        stop: demo.gateway.shared.stop.clone(),
    };
    let served = page::serve(page, port)
        .await
        .with_context(|| format!("the demo's page cannot use port {port}; take another with --port"));
    let served = served.map(|(address, server)| {
        demo.gateway.shared.tasks.spawn(server);
        print::line(&format!("http://{address}/"));
        print::hint("Open it in a browser. Ctrl-C ends the demo and leaves nothing behind.");
    });
    if served.is_ok() {
        end.came().await;
    }
    demo.end().await;
    served
}

async fn story(json: bool) -> Result<()> {
    let mut end = End::listen()?;
    let demo = Demo::start(true).await?;
    let told = tokio::select! {
        () = end.came() => Err(anyhow!("interrupted")),
        told = tell(&demo) => told,
    };
    demo.end().await;
    let story = Story { steps: told? };
    if json {
        print::json(&story)?;
    } else {
        print::line(&story::table(&story.steps));
    }
    let failed = story.steps.iter().filter(|step| !step.ok).count();
    if failed > 0 {
        bail!("{failed} of {} steps failed", story.steps.len());
    }
    Ok(())
}

async fn tell(demo: &Demo) -> Result<Vec<Step>> {
    let [slacks, channels] = Demo::more_channels();
    demo.link(&[&format!("slack:{}", slacks.0), &format!("slack:{}", slacks.1)]).await?;
    demo.link(&[&format!("teams:{}", channels.0), &format!("teams:{}", channels.1)]).await?;
    let launch: [Box<dyn Side>; 2] =
        [Box::new(demo.ana("C07LAUNCH")), Box::new(demo.dana(dragoman_sim::teams::seed::LAUNCH))];
    let within_slack = [demo.ana(slacks.0), demo.ana(slacks.1)];
    let within_teams = [demo.dana(channels.0), demo.dana(channels.1)];
    let into_slack = |feature: Feature| level(demo, "slack", "C07LAUNCH", feature);
    let into_teams = |feature: Feature| level(demo, "teams", dragoman_sim::teams::seed::LAUNCH, feature);
    let pairs = [
        Pair { from: &*launch[0], to: &*launch[1], level: &into_teams },
        Pair { from: &*launch[1], to: &*launch[0], level: &into_slack },
        Pair { from: &within_slack[0], to: &within_slack[1], level: &into_slack },
        Pair { from: &within_teams[0], to: &within_teams[1], level: &into_teams },
    ];
    let clock = demo.gateway.shared.clock.clone();
    let bar = indicatif::ProgressBar::new_spinner();
    let steps = story::tell(&pairs, &*clock, &mut |step| {
        bar.set_message(format!("{} → {}: {}", step.from, step.to, step.name));
        bar.tick();
    })
    .await;
    bar.finish_and_clear();
    Ok(steps)
}

/// How well a feature arrives in a conversation, from the connector's data.
fn level(demo: &Demo, platform: &str, remote: &str, feature: Feature) -> Level {
    let directory = demo.gateway.relay.directory();
    let spots = directory.spots();
    let spot = spots.iter().find(|spot| {
        spot.conversation.remote.as_str() == remote && spot.place.connector.platform().0 == platform
    });
    spot.map_or(Level::Refused, |spot| {
        let place = &spot.place;
        place.connector.capabilities(&place.session.installation, &spot.conversation).level(feature)
    })
}
