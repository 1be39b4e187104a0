//! What Webex's and Zoom's documentation leaves open: the same conversation under the other answer to each question,
//! one at a time. Every other test runs under the likelier answers.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use dragoman_gateway::admin::api;
use dragoman_sim::webex::seed::GITA;
use dragoman_sim::webex::{EditNotice, NewSignature, WebexDoubts};
use dragoman_sim::zoom::config::{LAUNCH, THEO};
use dragoman_sim::zoom::{
    BlockedSend, BodyForm, SeedApp, SeedSubscription, SignatureFault, SocketContent, ZoomDoubts,
};
use e2e::{Options, Seen, Side, World, eventually};

const SOON: Duration = Duration::from_secs(20);
const CHANNEL: &str = "C07LAUNCH";
/// Worlds at a time; they wait most of the time.
const TOGETHER: usize = 4;

/// The one message that says so.
async fn shows(side: &dyn Side, words: &str) -> Result<Seen> {
    eventually(&format!("{} shows '{words}'", side.platform()), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        let mut found: Vec<Seen> = all.into_iter().filter(|seen| seen.markup.contains(words)).collect();
        let count = found.len();
        found.pop().filter(|_| count == 1).ok_or_else(|| format!("{count} messages"))
    })
    .await
}

async fn gone(side: &dyn Side, words: &str) -> Result<()> {
    eventually(&format!("{} shows '{words}' no more", side.platform()), SOON, async || {
        let all = side.read().await.map_err(|error| format!("{error:#}"))?;
        if all.iter().any(|seen| seen.markup.contains(words)) { Err(String::new()) } else { Ok(()) }
    })
    .await
}

/// Messages, threads, edits and deletions, there and back; text beyond ASCII among them.
async fn talk(world: &World, there: &dyn Side) -> Result<()> {
    let ana = world.ana(CHANNEL);
    let asked = ana.post("wer bringt die *Laterne*, 日本? \u{1f3ee}", None).await?;
    let copy = shows(there, "Laterne").await?;
    let told = there.post("ich bringe zwei, grüß Gott", Some(&copy.id)).await?;
    let answer = shows(&ana, "zwei").await?;
    ensure!(answer.thread_root.as_deref() == Some(asked.as_str()), "the reply stands in the thread");
    ensure!(answer.markup.contains("grüß"), "{}", answer.markup);
    let opened = there.post("der Hafen öffnet um sechs", None).await?;
    let notice = shows(&ana, "um sechs").await?;
    let doubt = ana.post("eher um sieben", Some(&notice.id)).await?;
    let doubted = shows(there, "eher um sieben").await?;
    // Ids of Zoom come in upper and lower case.
    let root = doubted.thread_root.unwrap_or_default();
    ensure!(root.eq_ignore_ascii_case(&opened), "in the thread of their message");
    ana.edit(&asked, None, "wer bringt den *Kompass*?").await?;
    ensure!(shows(there, "Kompass").await?.id == copy.id, "the copy itself is edited");
    there.edit(&told, Some(&copy.id), "ich bringe drei").await?;
    ensure!(shows(&ana, "drei").await?.id == answer.id, "a reply is edited");
    ana.delete(&doubt, Some(&notice.id)).await?;
    gone(there, "eher um sieben").await?;
    there.delete(&opened, None).await?;
    gone(&ana, "um sechs").await?;
    let status = world.settled(SOON).await?;
    ensure!(status.dead_letters == 0, "{} dead letters", status.dead_letters);
    let here = ana.read().await?.into_iter().filter(|seen| seen.raw["subtype"] != "channel_join").count();
    let there = there.read().await?.len();
    ensure!(here == there, "an echo, or something is missing: {here} here, {there} there");
    Ok(())
}

type Change<D> = fn(&mut D);

const WEBEX: [(&str, Change<WebexDoubts>); 24] = [
    ("edits are told as updated", |it| it.edit_notice = EditNotice::Updated),
    ("edits are told as created", |it| it.edit_notice = EditNotice::SecondCreated),
    ("no new signature", |it| it.new_signature = NewSignature::Absent),
    ("a prefixed new signature", |it| it.new_signature = NewSignature::Prefixed),
    ("a bare new signature", |it| it.new_signature = NewSignature::Bare),
    ("an unknown new signature", |it| it.new_signature = NewSignature::Unknown),
    ("no old signature", |it| it.old_signature = false),
    ("no old signature, and a bare new one", |it| {
        (it.old_signature, it.new_signature) = (false, NewSignature::Bare);
    }),
    ("no old signature, and a prefixed new one", |it| {
        (it.old_signature, it.new_signature) = (false, NewSignature::Prefixed);
    }),
    ("a bot's reads are forbidden", |it| it.bot_get_forbidden = true),
    ("bots receive all", |it| it.bots_receive_all = true),
    ("the first read finds nothing", |it| it.first_get_missing = true),
    ("deletions tell when", |it| it.deleted_with_created = true),
    ("events of rooms have titles", |it| it.room_events_with_title = true),
    ("a bad parent is not found", |it| it.bad_parent_not_found = true),
    ("refreshing rotates", |it| it.refresh_rotates = true),
    ("refreshing ends access", |it| it.refresh_ends_access = true),
    ("changing keeps the secret", |it| it.put_drops_secret = false),
    ("equal webhooks are refused", |it| it.equal_webhooks_conflict = true),
    ("memberships are in us", |it| it.memberships_in_us = true),
    ("mentions by uuid", |it| it.mentions_by_uuid = true),
    ("newlines do not break, and strikes strike", |it| {
        (it.newline_breaks, it.strikethrough) = (false, true);
    }),
    ("first pages are empty", |it| it.empty_first_page = true),
    ("a large max is refused, and roots take replies", |it| {
        (it.large_max_refused, it.root_takes_replies) = (true, true);
    }),
];

const ZOOM: [(&str, Change<ZoomDoubts>); 31] = [
    ("sent ends are exclusive", |it| it.ends_inclusive = false),
    ("read ends are exclusive", |it| it.read_ends_inclusive = false),
    ("positions count characters", |it| it.utf16_positions = false),
    ("ranges need no attribute", |it| it.attr_required = false),
    ("unknown members are taken", |it| it.strict_bodies = false),
    ("no me", |it| it.me_in_admin_apps = false),
    ("a missing scope is 4700", |it| it.scope_code = 4_700),
    ("a missing scope is 104", |it| it.scope_code = 104),
    ("oldest first", |it| it.newest_first = false),
    ("escaped bodies", |it| it.body_form = BodyForm::Escaped),
    ("pretty bodies", |it| it.body_form = BodyForm::Pretty),
    ("signed over another form", |it| {
        (it.body_form, it.signature_fault) = (BodyForm::Escaped, SignatureFault::OverReserialised);
    }),
    ("retries keep their time", |it| it.fresh_retry_timestamp = false),
    ("unsigned validation", |it| it.signed_validation = false),
    ("once per person", |it| it.once_per_person = true),
    ("bots raise no events", |it| it.bot_posts_raise_events = false),
    ("a spaced account", |it| it.spaced_contact_account = true),
    ("spaced names", |it| it.spaced_event_names = true),
    ("roots have no parents", |it| it.old_roots_have_parents = false),
    ("created lacks its id", |it| it.created_lacks_id = true),
    ("loose examples", |it| it.loose_examples = true),
    ("times of emoji are text", |it| it.numeric_emoji_time = false),
    ("emoji are separated", |it| it.emoji_separator = "_"),
    ("no word of removals", |it| it.deauthorization_sent = false),
    ("blocked sends fail", |it| it.blocked_send = BlockedSend::Failed),
    ("a wait for each second", |it| it.retry_after_per_second = true),
    ("uploads stay where they are", |it| it.upload_redirect = false),
    ("downloads want a token", |it| it.download_needs_bearer = true),
    ("lower case", |it| it.lower_case_ids = true),
    ("no content after a bot's update", |it| it.bot_update_no_content = true),
    ("used tokens go on", |it| it.refresh_grace = Duration::from_mins(1)),
];

/// How events come over Zoom's connections.
const SOCKETS: [(&str, Change<ZoomDoubts>); 4] = [
    ("text in frames", |_| {}),
    ("objects in frames", |it| it.socket_content = SocketContent::Object),
    ("no frames", |it| it.socket_content = SocketContent::Bare),
    ("a connection that outlives its token", |it| it.socket_outlives_token = true),
];

async fn with_webex(change: Change<WebexDoubts>) -> Result<()> {
    let mut config = Options::webex_config();
    change(&mut config.doubts);
    // Tokens end while people talk.
    config.timing.access_life = Duration::from_secs(3);
    let world = World::start(Options { webex: Some(config), bridge: false, ..Options::default() }).await?;
    let room = world.webex().room_id("Launch").context("there is no space Launch")?;
    world.link(&[format!("slack:{CHANNEL}"), format!("webex:{room}")]).await?;
    talk(&world, &world.webex_person(GITA, "Gita Rao", &room)).await?;
    world.end().await
}

async fn with_zoom(change: Change<ZoomDoubts>, socket: bool) -> Result<()> {
    let mut config = Options::zoom_config();
    change(&mut config.doubts);
    let world = World::start(Options { zoom: Some(config), bridge: false, ..Options::default() }).await?;
    world.link(&[format!("slack:{CHANNEL}"), format!("zoom:{LAUNCH}")]).await?;
    if socket {
        let (app, subscription) = (SeedApp::default(), SeedSubscription::default().id);
        world.zoom().use_socket(&app.app_id);
        let secret = |text: &str| api::SecretText(text.to_owned());
        let values = [("transport", secret("socket")), ("subscription_id", secret(&subscription))];
        let values = values.map(|(key, value)| (key.to_owned(), value)).into();
        world.ask(&api::AppSet { app: "zoom".to_owned(), values, features: None }).await?;
        ensure!(world.zoom().socket_connected(&subscription, true, SOON).await, "no connection");
    }
    talk(&world, &world.zoom_person(THEO, "Theo Lindqvist", LAUNCH)).await?;
    world.end().await
}

type Run = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Runs all, some at a time, and tells which failed.
async fn all(runs: Vec<(&'static str, Run)>) {
    let mut failed = Vec::new();
    let mut runs = runs.into_iter().peekable();
    while runs.peek().is_some() {
        let some: Vec<_> = runs.by_ref().take(TOGETHER).collect();
        let some = some.into_iter().map(|(name, run)| async move { (name, run.await) });
        for (name, outcome) in join(some.collect()).await {
            if let Err(error) = outcome {
                failed.push(format!("{name}: {error:#}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// All answers, in order.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in waiting.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let std::task::Poll::Ready(ready) = future.as_mut().poll(context) {
                *answer = Some(ready);
            }
        }
        if waiting.iter().all(|(_, answer)| answer.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_webex() {
    all(WEBEX.map(|(name, change)| (name, Box::pin(with_webex(change)) as Run)).into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_zoom() {
    all(ZOOM.map(|(name, change)| (name, Box::pin(with_zoom(change, false)) as Run)).into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_zooms_connections() {
    all(SOCKETS.map(|(name, change)| (name, Box::pin(with_zoom(change, true)) as Run)).into()).await;
}
