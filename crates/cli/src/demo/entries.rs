//! Slack's own ways to a direct conversation, in the story: the app's command in any channel, whose answer nobody else
//! sees, and the app's page with who writes with whom.

use anyhow::{Context as _, Result, anyhow, ensure};
use dragoman_model::{Clock, Feature};
use dragoman_sim::slack::SlackSim;

use super::direct::{Chat, PATIENCE_MS, Scene, first_name, step};
use super::story::{Member, Step, contains_word, elapsed, eventually};

/// Where the command is given; everybody there is on the story's first bridge.
const CHANNEL: &str = "C07LAUNCH";

/// What the answer to the command says, and nothing else in the story does.
const ANSWER: &str = "was asked";

/// Somebody's client at Slack, which shows what no list of messages does.
pub(crate) struct Client<'a> {
    pub(crate) sim: &'a SlackSim,
    pub(crate) app: String,
    pub(crate) user: &'a str,
}

/// The first asks each of the others by the app's command, and sees the conversation on the app's page. `launch`: who
/// would read the command or its answer if it were seen or relayed.
pub(crate) async fn tell(
    chats: &[Chat; 4],
    client: &Client<'_>,
    launch: &[Member],
    clock: &dyn Clock,
) -> Vec<Step> {
    let [from, others @ ..] = chats;
    let mut steps = Vec::new();
    for to in others {
        let mark = format!("entry{}", to.member.side.platform());
        let entry = Entry { scene: Scene { from, to, clock, mark }, client, launch, clock };
        let started_ms = clock.monotonic_ms();
        let asked = entry.by_command().await;
        steps.push(step(
            ("asked by the app's command", Feature::DirectMessage),
            (from, to),
            asked,
            elapsed(clock, started_ms),
        ));
        let started_ms = clock.monotonic_ms();
        let shown = entry.on_the_page().await;
        steps.push(step(
            ("shown on the app's page", Feature::DirectMessage),
            (from, to),
            shown,
            elapsed(clock, started_ms),
        ));
    }
    steps
}

struct Entry<'a> {
    scene: Scene<'a>,
    client: &'a Client<'a>,
    launch: &'a [Member],
    clock: &'a dyn Clock,
}

impl Entry<'_> {
    /// The milliseconds until the other one was asked; then they accept, and write.
    async fn by_command(&self) -> Result<u64> {
        let Scene { from, to, mark, .. } = &self.scene;
        let (began, hello) = ("You are writing with", format!("{mark}hello"));
        let open = (self.scene.count(from, began).await?, self.scene.count(to, began).await?);
        let answered = self.whispers(ANSWER).len();
        let started_ms = self.clock.monotonic_ms();
        self.command(&format!("{} {hello}", to.email)).await?;
        let asked = self.scene.sees(to, &hello, PATIENCE_MS).await?;
        let ms = elapsed(self.clock, started_ms);
        ensure!(asked.markup.contains(first_name(from)), "nobody says who asks: {}", asked.markup);
        self.until("the command is answered", async || Ok(self.whispers(ANSWER).len() == answered + 1))
            .await?;
        to.says("accept").await?;
        self.scene.until(from, began, open.0 + 1).await?;
        self.scene.until(to, began, open.1 + 1).await?;
        from.says(&format!("{mark}one")).await?;
        self.scene.sees(to, &format!("{mark}one"), PATIENCE_MS).await?;
        for member in self.launch {
            let (shown, on) = (member.side.read().await?, member.side.platform());
            let says = |words: &str| shown.iter().any(|seen| contains_word(&seen.markup, words));
            ensure!(!says(&hello), "what was given to the app is in the channel on {on}");
            ensure!(!says(ANSWER), "what the app answered is in the channel on {on}");
        }
        Ok(ms)
    }

    /// The milliseconds until the page shows what is open; then it is ended, and the page says so.
    async fn on_the_page(&self) -> Result<u64> {
        let to = self.scene.to;
        let started_ms = self.clock.monotonic_ms();
        self.open_page()?;
        self.until("the page shows it", async || {
            let page = self.page();
            Ok(page.contains(to.email) && page.contains(": open"))
        })
        .await?;
        let ms = elapsed(self.clock, started_ms);
        let over = "ended this conversation";
        let ended = self.scene.count(to, over).await?;
        self.command("close").await?;
        self.scene.until(to, over, ended + 1).await?;
        self.open_page()?;
        self.until("the page shows that it has ended", async || Ok(!self.page().contains(": open"))).await?;
        Ok(ms)
    }

    async fn command(&self, text: &str) -> Result<()> {
        let Client { sim, app, user } = self.client;
        let given = sim.command(app, user, CHANNEL, text).await;
        given.map_err(|error| anyhow!("Slack refused the command: {error:?}"))
    }

    fn open_page(&self) -> Result<()> {
        let Client { sim, app, user } = self.client;
        sim.open_home(app, user, "home").map_err(|error| anyhow!("Slack shows no page: {error:?}"))
    }

    fn page(&self) -> String {
        let Client { sim, app, user } = self.client;
        sim.home(app, user).map(|page| page.to_string()).unwrap_or_default()
    }

    /// What the person alone was answered in the channel.
    fn whispers(&self, words: &str) -> Vec<String> {
        let all = self.client.sim.ephemerals(self.client.user).into_iter();
        all.filter(|it| it.channel == CHANNEL && it.text.contains(words)).map(|it| it.text).collect()
    }

    async fn until(&self, what: &str, done: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let came = eventually(self.clock, PATIENCE_MS, async || Ok(done().await?.then_some(())));
        came.await.context(what.to_owned())?.with_context(|| format!("it does not come so far: {what}"))
    }
}
