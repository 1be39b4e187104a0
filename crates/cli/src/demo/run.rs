//! Running the demo, by hand or as a story.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::slack::SeedApp;
use dragoman_sim::teams::seed::{GENERAL, LAUNCH};
use dragoman_sim::zoom::config::{GENERAL as ZOOM_GENERAL, LAUNCH as ZOOM_LAUNCH};
use serde::Serialize;

use super::direct::{self, Chat};
use super::entries::{self, Client};
use super::own::{self, Account};
use super::page::{self, Page};
use super::seeds;
use super::sides::Side;
use super::story::{self, Member, Stage, Step};
use super::world::Demo;
use super::{earlier, outage, withheld};
use crate::args;
use crate::end::End;
use crate::print;

/// What the bridge of all platforms is called.
const FOUR: &str = "four platforms";

#[derive(Serialize)]
struct Story {
    steps: Vec<Step>,
}

pub(crate) async fn run(options: args::Demo, json: bool) -> Result<()> {
    if options.story { story(json).await } else { by_hand(options.port).await }
}

async fn by_hand(port: u16) -> Result<()> {
    print::hint("starting a gateway and four simulated platforms …");
    // Listened to from the beginning: a start that is interrupted is finished and then ended in order.
    let mut end = End::listen()?;
    let demo = Demo::start(false).await?;
    // Open, so that everybody finds theirs with the app in the list.
    demo.chats()?;
    let gateway = demo.gateway()?;
    let page = Page {
        relay: gateway.relay.clone(),
        clients: page::clients(&demo.sims),
        stop: gateway.shared.stop.clone(),
    };
    let served = page::serve(page, port)
        .await
        .with_context(|| format!("the demo's page cannot use port {port}; take another with --port"));
    let served = served.map(|(address, server)| {
        gateway.shared.tasks.spawn(server);
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
    let mut demo = Demo::start(true).await?;
    let told = play(&mut demo, &mut end).await;
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

/// Everything, and then an outage. Starting and stopping are not interrupted: what is begun ends in order.
async fn play(demo: &mut Demo, end: &mut End) -> Result<Vec<Step>> {
    let clock = demo.clock.clone();
    let (mut steps, members) = unless(end, async {
        let stages = stages(demo).await?;
        let steps = tell(demo, &stages).await?;
        let four = stages.into_iter().next().context("there is no stage")?;
        Ok((steps, four.members))
    })
    .await?;
    let before = unless(end, outage::before(&members, &*clock)).await?;
    demo.stop().await;
    let down = async {
        ensure!(demo.is_down().await, "the gateway does not end");
        outage::meanwhile(&members, &before, &*clock).await
    };
    unless(end, down).await?;
    let started_ms = clock.monotonic_ms();
    demo.start_again().await?;
    let demo = &*demo;
    let at_rest = async || demo.is_at_rest().await;
    let after = async { Ok(outage::after(&members, &before, FOUR, &*clock, started_ms, at_rest).await) };
    steps.extend(unless(end, after).await?);
    Ok(steps)
}

/// What people do, unless the end was asked for.
async fn unless<T>(end: &mut End, told: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        () = end.came() => Err(anyhow!("interrupted")),
        told = told => told,
    }
}

async fn tell(demo: &Demo, stages: &[Stage]) -> Result<Vec<Step>> {
    let chats = chats(demo)?;
    demo.grant_chloe().await?;
    let chloe = chloe(demo)?;
    let clock = demo.clock.clone();
    let slack = &demo.sims.slack;
    let ana = Client { sim: slack, app: SeedApp::default().app_id, user: seeds::ANA };
    let bar = indicatif::ProgressBar::new_spinner();
    let told = |what| {
        bar.set_message(what);
        bar.tick();
    };
    let (four, five) = stages.first().zip(stages.last()).context("there is no stage")?;
    let privately = async {
        let mut steps = direct::tell(&chats, &*clock, &told).await;
        told("Ana asks by the app's command".to_owned());
        steps.extend(entries::tell(&chats, &ana, &four.members, &*clock).await);
        steps
    };
    let (mut steps, earlier, direct, own, withheld) = tokio::join!(
        story::tell(stages, &*clock, &told),
        earlier::tell(&five.members, five.name, &*clock),
        privately,
        own::tell(&chloe, &*clock, &told),
        withheld::tell(&four.members, four.name, &*clock, (slack, seeds::ANA, "C07LAUNCH"))
    );
    steps.extend(earlier.into_iter().chain(direct).chain(own).chain(withheld));
    bar.finish_and_clear();
    Ok(steps)
}

/// The bridges that the story plays on: all platforms at once, two channels of each, and five members.
async fn stages(demo: &Demo) -> Result<Vec<Stage>> {
    let teams = |channel: &str| format!("teams:{channel}");
    let title = |platform: &str, title: &str| format!("{platform}:#{title}");
    let pairs = [
        ["slack:C07GENERAL".to_owned(), "slack:C07BACKSTAGE".to_owned()],
        [teams(GENERAL), teams(seeds::TEAMS_PIER)],
        [title("webex", "General"), title("webex", seeds::PIER)],
        [title("zoom", "General"), title("zoom", seeds::PIER)],
    ];
    for pair in &pairs {
        demo.link(pair).await?;
    }
    let five = [
        format!("slack:{}", seeds::SLACK_DECK),
        format!("slack:{}", seeds::SLACK_MAST),
        teams(seeds::TEAMS_DECK),
        title("webex", seeds::DECK),
        title("zoom", seeds::DECK),
    ];
    let slack = |channel: &str| member(demo, demo.ana(channel));
    let teams = |channel: &str| member(demo, demo.dana(channel));
    let webex = |title: &str| member(demo, demo.gita(title)?);
    let zoom = |channel: &str| member(demo, demo.imani(channel)?);
    let two = |name, members: [Member; 2]| Stage { name, members: members.into(), actors: 1, short: false };
    let all = vec![
        slack(seeds::SLACK_DECK)?,
        slack(seeds::SLACK_MAST)?,
        teams(seeds::TEAMS_DECK)?,
        webex(seeds::DECK)?,
        zoom(seeds::ZOOM_DECK)?,
    ];
    earlier::write(&all).await?;
    demo.link_with(&five, earlier::COUNT).await?;
    demo.tell_notices().await?;
    let (policy, value) = ("file_denied".to_owned(), withheld::KIND.to_owned());
    demo.ask(&api::OrgPolicy { org: None, policy, value }).await?;
    Ok(vec![
        Stage {
            name: FOUR,
            members: vec![slack("C07LAUNCH")?, teams(LAUNCH)?, webex("Launch")?, zoom(ZOOM_LAUNCH)?],
            actors: 4,
            short: false,
        },
        two("two channels", [slack("C07GENERAL")?, slack("C07BACKSTAGE")?]),
        two("two channels", [teams(GENERAL)?, teams(seeds::TEAMS_PIER)?]),
        two("two spaces", [webex("General")?, webex(seeds::PIER)?]),
        two("two channels", [zoom(ZOOM_GENERAL)?, zoom(seeds::ZOOM_PIER)?]),
        Stage { name: "five members", members: all, actors: 5, short: true },
    ])
}

/// People who write to each other through the app.
fn chats(demo: &Demo) -> Result<[Chat; 4]> {
    let (ana, dana, gita, imani) = demo.chats()?;
    Ok([
        Chat { member: member(demo, ana)?, email: "ana.souza@harbor-works.example" },
        Chat { member: member(demo, dana)?, email: "dana@fabrikant.example" },
        Chat { member: member(demo, gita)?, email: "gita.rao@larkfield.example" },
        Chat { member: member(demo, imani)?, email: "imani.okoye@kestrel-outfitters.example" },
    ])
}

/// Somebody with an account everywhere, who speaks in her own name.
fn chloe(demo: &Demo) -> Result<[Account; 4]> {
    let (slack, teams, webex, zoom) = demo.chloe()?;
    let at_webex = demo.sims.webex.person_id(&webex.person).context("Chloe is not on Webex")?;
    let account = |member: Member, id: &str| Account { member, id: id.to_owned() };
    Ok([
        account(member(demo, slack)?, seeds::CHLOE_AT_SLACK),
        account(member(demo, teams)?, seeds::CHLOE_AT_TEAMS),
        account(member(demo, webex)?, &at_webex),
        account(member(demo, zoom)?, &seeds::chloe_as_member_of_zoom()),
    ])
}

/// A member with what its connector says of it. All conversations of a platform in the demo are alike.
fn member(demo: &Demo, side: impl Side + 'static) -> Result<Member> {
    let directory = demo.gateway()?.relay.directory();
    let spots = directory.spots();
    let spot = spots.iter().find(|spot| spot.place.connector.platform().0 == side.platform());
    let capabilities = spot.context("a platform of the story is not linked")?.capabilities.clone();
    Ok(Member { side: Box::new(side), capabilities })
}
