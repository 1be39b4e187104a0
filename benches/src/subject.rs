//! The gateway, set up as an operator would, with many channels linked.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api::AppList;
use dragoman_sim::slack::{SeedApp, SeedChannel};
use dragoman_sim::teams::ChannelSeed;
use e2e::{Options, World};

use crate::events::Events;
use crate::target::Target;
use crate::wire::{Connection, Dialer};

/// Channels that are linked: so many messages can be under way at the same time, as each channel keeps its order.
pub(crate) const CHANNELS: usize = 64;

/// A linked channel with a thread in it.
pub(crate) struct Channel {
    /// Slack's id.
    pub(crate) id: String,
    /// The `ts` of the thread's root.
    pub(crate) root: String,
}

/// Everything that is measured.
pub(crate) struct Subject {
    world: World,
    /// Where events go.
    pub(crate) address: SocketAddr,
    /// Its process.
    pub(crate) pid: u32,
    /// Makes its events.
    pub(crate) events: Events,
    /// The linked channels.
    pub(crate) channels: Vec<Channel>,
}

impl Subject {
    /// Starts it in front of the target.
    pub(crate) async fn start(target: &mut Target, dialer: &mut Dialer) -> Result<Self> {
        let world = World::start(options(target)?).await?;
        target.behind(world.teams.base_url())?;
        let pid = world.binary.pid().context("the gateway does not run")?;
        let address: SocketAddr = world.binary.url().trim_start_matches("http://").parse()?;
        let apps = world.ask(&AppList {}).await?;
        let slack = apps.iter().find(|app| app.platform == "slack").context("there is no Slack app")?;
        let path = format!("{}/events", slack.hooks_url.trim_end_matches("/events"));
        let path = path.trim_start_matches(&world.binary.url()).to_owned();
        let seed = SeedApp::default();
        let events = Events::new(seed.app_id, &seed.signing_secret, path);
        let mut subject = Self { world, address, pid, events, channels: Vec::new() };
        let mut connection = dialer.open(address).await?;
        for number in 0..CHANNELS {
            let channel = slack_id(number);
            let members = [format!("slack:{channel}"), format!("teams:{}", teams_id(number))];
            subject.world.link(&members).await?;
            let root = subject.say(&mut connection, target, &channel).await?;
            subject.channels.push(Channel { id: channel, root });
        }
        subject.settled().await?;
        // Bridges introduce themselves, too.
        target.forget();
        Ok(subject)
    }

    /// The root of a thread.
    async fn say(
        &mut self,
        connection: &mut Connection,
        target: &mut Target,
        channel: &str,
    ) -> Result<String> {
        let (ts, request) = self.events.message(channel, None);
        let status = connection.exchange(request).await?;
        ensure!(status.is_success(), "the gateway answered an event with {status}");
        target.arrival().await.with_context(|| self.world.binary.tail())?;
        Ok(ts)
    }

    /// Where it says that it lives.
    pub(crate) fn health(&self) -> Result<SocketAddr> {
        Ok(self.world.binary.ops_url().trim_start_matches("http://").parse()?)
    }

    /// Waits until nothing is under way.
    pub(crate) async fn settled(&self) -> Result<()> {
        self.world.settled(Duration::from_secs(20)).await.map(drop)
    }

    /// Ends everything.
    pub(crate) async fn end(self) -> Result<()> {
        self.world.end().await
    }
}

fn options(target: &Target) -> Result<Options> {
    let mut options = Options { bridge: false, log: "warn".to_owned(), ..Options::default() };
    let workspace = options.slack.workspaces.first_mut().context("the simulator has no workspace")?;
    let members: Vec<String> = workspace.people.iter().map(|person| person.id.clone()).collect();
    workspace.channels.extend((0..CHANNELS).map(|number| SeedChannel {
        id: slack_id(number),
        name: format!("pier-{number}"),
        private: false,
        members: members.clone(),
        shared_with: Vec::new(),
    }));
    let team = options.teams.teams.first_mut().context("the simulator has no team")?;
    team.channels.extend((0..CHANNELS).map(|number| ChannelSeed {
        id: teams_id(number),
        name: format!("Pier {number}"),
        membership: "standard".to_owned(),
        members: Vec::new(),
    }));
    let origin = target.origin();
    options.teams.service_host = Some(origin.clone());
    let service = format!("{origin}/{}/{}/", options.teams.region, options.teams.tenant.id);
    options.config =
        format!("[teams]\nallowed_service_hosts = [\"{origin}\"]\ndefault_service_url = \"{service}\"\n")
            .parse()?;
    Ok(options)
}

fn slack_id(number: usize) -> String {
    format!("C07PIER{number:03}")
}

fn teams_id(number: usize) -> String {
    format!("19:9e1fc0de5bad4612a3d4c5e6f7a8{number:04}@thread.tacv2")
}
