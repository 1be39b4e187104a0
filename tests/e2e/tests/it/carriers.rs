//! The connectors and the simulators, without a gateway between them: files into a conversation, found
//! again, read back by the public API, and out of messages of people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use dragoman_model::{
    AppId, Document, InstallationId, Marker, Operation, OrgId, Outcome, Post, RemoteMessage, ShownAuthor,
    Spokesman, codes,
};
use dragoman_platform::http::{HttpClient, HttpSettings, TcpDialer};
use dragoman_platform::{
    App, Chunks, Connector, Conversation, ConversationKind, Facts, Failure, FileBytes, Installation, Session,
    Share, TokenError, TokenKeeper, TokenSet, TokenSlot,
};
use dragoman_seal::Token;
use dragoman_sim::core::World as SimWorld;
use dragoman_sim::core::{FaultKind, FaultOrder};
use dragoman_sim::slack::{SlackLimits, SlackSim, SlackSimConfig};
use dragoman_sim::teams::{Draft, TeamsSim, TeamsSimConfig, TeamsTiming, seed};
use dragoman_sim::webex::{Post as WebexPost, Scan, WebexSim, WebexSimConfig, seed as webex_seed};
use dragoman_sim::zoom::{Post as ZoomPost, ZoomSim, ZoomSimConfig, config as zoom_seed};
use dragoman_slack::{SlackConnector, SlackSettings};
use dragoman_teams::{TeamsConnector, TeamsSettings};
use dragoman_testkit::{ManualClock, SeededRandom};
use dragoman_webex::{WebexConnector, WebexSettings};
use dragoman_zoom::{ZoomConnector, ZoomSettings};
use futures_util::{StreamExt as _, stream};

struct Keeper(Option<Arc<TokenSet>>, Arc<tokio::sync::Mutex<()>>);

#[async_trait]
impl TokenKeeper for Keeper {
    async fn get(&self, slot: &TokenSlot) -> Result<Option<Arc<TokenSet>>, TokenError> {
        Ok(self.0.clone().filter(|_| *slot == TokenSlot::App))
    }

    async fn lock(&self, _slot: &TokenSlot) -> tokio::sync::OwnedMutexGuard<()> {
        self.1.clone().lock_owned().await
    }

    async fn put(&self, _slot: &TokenSlot, _set: TokenSet) -> Result<(), TokenError> {
        Err(TokenError(codes::DISK))
    }
}

/// A connector with what it needs to act in one conversation of a simulator.
struct Place {
    connector: Arc<dyn Connector>,
    session: Session,
    conversation: Conversation,
    /// What lies beside messages that were posted.
    beside: tokio::sync::Mutex<BTreeMap<RemoteMessage, String>>,
}

fn place(
    connector: Arc<dyn Connector>,
    facts: [(&str, &str); 2],
    token: &str,
    remote: &str,
    at: Facts,
) -> Place {
    let fact = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let secret = ("client_secret".to_owned(), Token::new(seed::APP_SECRET.to_owned()));
    let app = App {
        id: AppId::from("app"),
        org: OrgId::from("org"),
        platform: connector.platform(),
        facts: facts.map(fact).into(),
        secrets: BTreeMap::from([secret]),
        features: BTreeSet::new(),
    };
    let installation = Installation {
        id: InstallationId::from("installation"),
        org: OrgId::from("org"),
        app: AppId::from("app"),
        workspace: "workspace".into(),
        facts: facts.map(fact).into(),
        scopes: BTreeSet::new(),
    };
    let set = TokenSet { access: Token::new(token.to_owned()), refresh: None, expires_at_ms: None };
    let tokens = Arc::new(Keeper(Some(Arc::new(set)), Arc::default()));
    Place {
        session: Session { app: Arc::new(app), installation: Arc::new(installation), tokens },
        conversation: Conversation {
            remote: remote.into(),
            kind: ConversationKind::Channel,
            name: String::new(),
            external: false,
            joined: true,
            facts: at,
        },
        connector,
        beside: tokio::sync::Mutex::default(),
    }
}

impl Place {
    fn share(&self, name: &str) -> Share {
        let author = ShownAuthor { name: "Dana".to_owned(), via: "Webex".to_owned(), avatar_url: None };
        let post = Post {
            conversation: self.conversation.remote.clone(),
            thread_root: None,
            broadcast: false,
            author,
            spokesman: Spokesman::App,
            body: Document::default(),
            marker: Marker::from("marker"),
        };
        Share { post, name: name.to_owned(), media_type: None, destination: None }
    }

    async fn send(&self, name: &str, bytes: &[u8]) -> Result<RemoteMessage> {
        let pieces: Vec<Result<Bytes, Failure>> =
            bytes.chunks(65_521).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let chunks: Chunks = Box::pin(stream::iter(pieces));
        let file = FileBytes { size: Some(bytes.len() as u64), media_type: None, chunks };
        match self.connector.share(&self.session, &self.conversation, &self.share(name), file).await {
            Outcome::Done(done) => {
                let message = done.message.context("done without a message")?;
                if let Some(beside) = done.beside {
                    self.beside.lock().await.insert(message.clone(), beside);
                }
                Ok(message)
            }
            outcome => Err(anyhow!("{name}: {outcome:?}")),
        }
    }

    /// The files of a message, each by its name with its bytes, as the connector reads them.
    async fn files(&self, id: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let message = self.connector.message(&self.session, &self.conversation, None, &id.into()).await?;
        let message = message.context("no such message")?;
        let mut found = Vec::new();
        for file in &message.files {
            let mut opened =
                self.connector.download(&self.session, &self.conversation, &message.id, file).await?;
            let mut all = Vec::new();
            while let Some(piece) = opened.chunks.next().await {
                all.extend_from_slice(&piece?);
            }
            ensure!(opened.size.is_none_or(|size| size == all.len() as u64), "another size than told");
            found.push((file.name.clone(), all));
        }
        Ok(found)
    }

    async fn find(&self, name: &str) -> Result<Vec<(String, Option<String>)>> {
        let post = self.share(name).post;
        let found = self.connector.find(&self.session, &self.conversation, &post, 0).await?;
        Ok(found.into_iter().map(|it| (it.message.as_str().to_owned(), it.file)).collect())
    }

    async fn delete(&self, message: &RemoteMessage) -> Result<()> {
        if let Some(beside) = self.beside.lock().await.remove(message) {
            let discarded =
                self.connector.discard(&self.session, &self.conversation, &Spokesman::App, &beside).await;
            ensure!(discarded == Outcome::done(), "{discarded:?}");
        }
        let operation = Operation::Delete {
            conversation: self.conversation.remote.clone(),
            message: message.clone(),
            thread_root: None,
            spokesman: Spokesman::App,
        };
        let outcome = self.connector.perform(&self.session, &self.conversation, &operation).await;
        ensure!(outcome == Outcome::done(), "{outcome:?}");
        Ok(())
    }
}

fn http() -> Result<HttpClient> {
    let settings = HttpSettings { allow_private: true, ..HttpSettings::default() };
    Ok(HttpClient::new(&settings, Arc::new(TcpDialer))?)
}

/// More than one part of an upload session, and more than the simulators keep in memory.
fn large() -> Vec<u8> {
    (0..11 * 1024 * 1024_u32).map(|at| u8::try_from(at % 253).unwrap_or(0)).collect()
}

const CHANNEL: &str = "C07GENERAL";
const ANA: &str = "U07ANASOUZA";

async fn slack(world: &Arc<SimWorld>, config: SlackSimConfig) -> Result<(SlackSim, Place)> {
    let sim = SlackSim::start(world, config).await?;
    let app = "A07DRAGOMAN";
    let base = sim.base_url();
    let settings = SlackSettings {
        api_base: format!("{base}/api/").parse()?,
        authorize_url: format!("{base}/oauth/v2/authorize").parse()?,
    };
    let clock = Arc::new(ManualClock::new(world.clock.millis()));
    let connector = SlackConnector::new(settings, http()?, clock, Arc::new(SeededRandom::new(7)));
    let facts = [("app_id", app), ("client_id", "1.2")];
    let place = place(Arc::new(connector), facts, "xoxb-test", CHANNEL, Facts::new());
    Ok((sim, place))
}

fn installed() -> SlackSimConfig {
    let mut config = SlackSimConfig::installed("xoxb-test", &[CHANNEL]);
    config.limits = SlackLimits { enabled: false, ..SlackLimits::default() };
    config
}

#[tokio::test]
async fn slacks_files_go_out_are_found_and_come_back() -> Result<()> {
    let world = SimWorld::real(7);
    let (sim, place) = slack(&world, installed()).await?;
    let bytes = large();
    let id = place.send("Größe & co (1).bin", &bytes).await?;
    let shown = sim.messages(CHANNEL).pop().context("no message")?;
    ensure!(shown["ts"] == id.as_str() && shown["username"] == "Dana (Webex)", "{shown}");
    let file = shown["files"][0]["id"].as_str().context("no file")?.to_owned();
    ensure!(sim.file_bytes(&file).is_some_and(|kept| kept == bytes), "other bytes");
    ensure!(place.find("x").await? == [(id.as_str().to_owned(), Some("Größe & co (1).bin".to_owned()))]);
    ensure!(place.files(id.as_str()).await? == [("Größe & co (1).bin".to_owned(), bytes)]);
    place.delete(&id).await?;
    ensure!(sim.messages(CHANNEL).is_empty() && sim.file_bytes(&file).is_none(), "something is left");

    // A person's two files in one message.
    let post = dragoman_sim::slack::people::Post {
        text: "see",
        files: vec![("a.txt", b"a"), ("b.html", b"<!DOCTYPE html>mine")],
        ..Default::default()
    };
    let id = sim.post_with(ANA, CHANNEL, &post).map_err(|error| anyhow!("{error:?}"))?;
    let files = place.files(&id).await?;
    ensure!(
        files
            == [("a.txt".to_owned(), b"a".to_vec()), ("b.html".to_owned(), b"<!DOCTYPE html>mine".to_vec())]
    );

    // The answer of the last step is lost, the share is not.
    let fault = FaultKind::ServerErrorAfter { status: 502 };
    sim.faults().add(FaultOrder::next(1, "files.completeUploadExternal", fault));
    let id = place.send("lost.txt", b"x").await?;
    ensure!(place.files(id.as_str()).await? == [("lost.txt".to_owned(), b"x".to_vec())]);
    sim.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn an_older_slack_shows_the_author_in_the_caption() -> Result<()> {
    let world = SimWorld::real(7);
    let mut config = installed();
    config.doubts.file_identity = false;
    config.files.blocked.push("exe".to_owned());
    let (sim, place) = slack(&world, config).await?;
    let id = place.send("a.txt", b"a").await?;
    let shown = sim.messages(CHANNEL).pop().context("no message")?;
    ensure!(shown["blocks"].to_string().contains("Dana (Webex)") && shown["username"].is_null(), "{shown}");
    ensure!(place.find("a.txt").await? == [(id.as_str().to_owned(), Some("a.txt".to_owned()))]);
    let refused = place.send("a.exe", b"a").await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains(codes::FILE_FORBIDDEN.as_str()), "{refused}");
    sim.shutdown().await;
    Ok(())
}

async fn teams(world: &Arc<SimWorld>, roles: &[&str]) -> Result<(TeamsSim, Place)> {
    let mut config = TeamsSimConfig { timing: TeamsTiming::fast(), ..TeamsSimConfig::default() };
    config.limits.graph = false;
    config.limits.connector = false;
    config.apps[0].roles.extend(roles.iter().map(|role| (*role).to_owned()));
    let tenant = config.tenant.id.clone();
    let sim = TeamsSim::start(world, config).await?;
    let base = sim.base_url();
    let settings = TeamsSettings {
        login_base: base.to_owned(),
        graph_base: base.to_owned(),
        allowed_service_hosts: vec![base.to_owned()],
        default_service_url: sim.service_url(),
        graph_pause_ms: 0,
        ..TeamsSettings::default()
    };
    let clock = Arc::new(ManualClock::new(world.clock.millis()));
    let connector = TeamsConnector::new(settings, http()?, clock, Arc::new(SeededRandom::new(7)));
    let facts = Facts::from([("team_guid".to_owned(), seed::TEAM.to_owned())]);
    let ids = [("app_id", seed::APP), ("tenant_id", tenant.as_str())];
    Ok((sim, place(Arc::new(connector), ids, "", seed::GENERAL, facts)))
}

/// The address of the file that the newest message links to.
fn linked(sim: &TeamsSim) -> Result<String> {
    let shown = sim.messages(seed::GENERAL).pop().context("no message")?;
    let content = shown["body"]["content"].as_str().unwrap_or_default().to_owned();
    let (_, rest) = content.split_once("<a href=\"").with_context(|| content.clone())?;
    Ok(rest.split_once('"').context("no end")?.0.replace("&amp;", "&"))
}

#[tokio::test]
async fn teams_files_go_into_the_channels_folder_and_come_back() -> Result<()> {
    let world = SimWorld::real(7);
    let (sim, place) = teams(&world, &["Files.ReadWrite.All"]).await?;
    let bytes = large();
    for (name, wanted, bytes) in
        [("Größe & co: 1?.txt", "Größe & co_ 1_.txt", &b"abc"[..]), ("large.bin", "large.bin", &bytes)]
    {
        let id = place.send(name, bytes).await?;
        let address = linked(&sim)?;
        ensure!(sim.file_at(&address).is_some_and(|kept| kept == bytes), "{name}: other bytes at {address}");
        let found = place.find(name).await?;
        ensure!(found == [(id.as_str().to_owned(), Some(wanted.to_owned()))], "{found:?}");
        place.delete(&id).await?;
        ensure!(sim.file_at(&address).is_none(), "{name} is left behind");
    }
    // What people attach and paste.
    let draft = sim.attaching(
        seed::DANA,
        seed::GENERAL,
        Draft::html("see"),
        &[("a b.txt", b"a"), ("c#.bin", &bytes)],
    )?;
    let draft = sim.pasting(draft, "image/png", b"png");
    let id = sim.post(seed::DANA, seed::GENERAL, draft)?;
    let files = place.files(&id).await?;
    let wanted = [("a b.txt", &b"a"[..]), ("c#.bin", &bytes), ("image", b"png")];
    let wanted = wanted.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    ensure!(files == wanted, "{:?}", files.iter().map(|(name, all)| (name, all.len())).collect::<Vec<_>>());
    sim.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn without_the_right_teams_takes_and_gives_no_files() -> Result<()> {
    let world = SimWorld::real(7);
    let (sim, place) = teams(&world, &[]).await?;
    let refused = place.send("a.txt", b"a").await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains(codes::SCOPE.as_str()), "{refused}");
    let draft = sim.attaching(seed::DANA, seed::GENERAL, Draft::html("see"), &[("a.txt", b"a")])?;
    let id = sim.post(seed::DANA, seed::GENERAL, draft)?;
    let refused = place.files(&id).await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(refused.contains(codes::SCOPE.as_str()), "{refused}");
    sim.shutdown().await;
    Ok(())
}

const NAMES: [&str; 2] = ["plan; \u{fc}ber \"all\".txt", "large.bin"];

#[tokio::test]
async fn webex_files_go_out_one_by_one_and_come_back_once_they_are_scanned() -> Result<()> {
    let world = SimWorld::real(5);
    let sim = WebexSim::start(&world, WebexSimConfig::installed("webex-access", "webex-refresh")).await?;
    let base = sim.base_url();
    let settings = WebexSettings {
        public_url: "https://gateway.example".to_owned(),
        api_base: format!("{base}/v1/").parse()?,
        authorize_url: format!("{base}/v1/authorize").parse()?,
        token_url: format!("{base}/v1/access_token").parse()?,
        api_aliases: Vec::new(),
    };
    let clock = Arc::new(ManualClock::new(world.clock.millis()));
    let connector = WebexConnector::new(settings, http()?, clock, Arc::new(SeededRandom::new(7)));
    let room = sim.room_id("#General").or_else(|| sim.room_id("General")).context("no such space")?;
    let facts = [("account", "integration"), ("client_id", "C1")];
    let place = place(Arc::new(connector), facts, "webex-access", &room, Facts::new());
    for (name, bytes) in NAMES.into_iter().zip([b"the plan\r\n--".to_vec(), large()]) {
        let sent = place.send(name, &bytes).await?;
        let read = place.files(sent.as_str()).await?;
        ensure!(read == [(name.to_owned(), bytes)], "{name} came back as another");
    }
    let files = vec![("a.txt", &b"one"[..]), ("b.txt", &b"two"[..])];
    let post = WebexPost { files, ..WebexPost::default() };
    let theirs = sim.post_with(webex_seed::GITA, &room, &post).map_err(|error| anyhow!(error.message))?;
    let both = [("a.txt".to_owned(), b"one".to_vec()), ("b.txt".to_owned(), b"two".to_vec())];
    ensure!(place.files(&theirs).await? == both, "files of a person");
    for (scan, fits) in
        [(Scan::Running, "target"), (Scan::Infected, "FORBIDDEN"), (Scan::Unscannable, "FORBIDDEN")]
    {
        sim.set_scan(&theirs, scan).map_err(|error| anyhow!(error.message))?;
        let failed = format!("{:#}", place.files(&theirs).await.err().context("it was given")?);
        let waits = scan == Scan::Running;
        ensure!(if waits { failed.contains("try again later") } else { failed.contains(fits) }, "{failed}");
    }
    sim.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn zooms_files_go_by_the_file_host_and_come_back() -> Result<()> {
    let world = SimWorld::real(5);
    let sim = ZoomSim::start(&world, ZoomSimConfig::installed("zoom-access", "zoom-refresh")).await?;
    let base = sim.base_url();
    let settings = ZoomSettings {
        api_base: format!("{base}/v2/").parse()?,
        oauth_base: format!("{base}/oauth/").parse()?,
        files_base: format!("{}/v2/", sim.files_url()).parse()?,
        file_hosts: Vec::new(),
        ..ZoomSettings::default()
    };
    let clock = Arc::new(ManualClock::new(world.clock.millis()));
    let connector = ZoomConnector::new(settings, http()?, clock, Arc::new(SeededRandom::new(7)));
    let facts = [("bridge_user", zoom_seed::BRIDGE), ("client_id", "1")];
    let place = place(Arc::new(connector), facts, "zoom-access", zoom_seed::LAUNCH, Facts::new());
    for (name, bytes) in NAMES.into_iter().zip([b"the plan\r\n--".to_vec(), large()]) {
        let sent = place.send(name, &bytes).await?;
        let read = place.files(sent.as_str()).await?;
        ensure!(read == [(name.to_owned(), bytes)], "{name} came back as another");
    }
    let post =
        ZoomPost { files: vec![("a.txt", &b"one"[..]), ("b.txt", &b"two"[..])], ..ZoomPost::default() };
    let theirs = sim.post_with(zoom_seed::IMANI, zoom_seed::LAUNCH, &post);
    let theirs = theirs.map_err(|error| anyhow!(error.message))?;
    let both = [("a.txt".to_owned(), b"one".to_vec()), ("b.txt".to_owned(), b"two".to_vec())];
    ensure!(place.files(&theirs).await? == both, "files of a person");
    sim.shutdown().await;
    Ok(())
}
