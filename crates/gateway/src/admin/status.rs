//! How the gateway is.

use async_trait::async_trait;
use dragoman_model::codes;
use dragoman_relay::{Directory, Relay};
use dragoman_store::{BridgeState, LaneRow, StoreError};

use super::api::{Done, LaneInfo, Shutdown, Status, StatusGet, WatchInfo};
use super::desk::Desk;
use super::problem::Problem;
use super::route::Act;

/// Lanes and subscriptions that are told of.
const MOST_TOLD: usize = 20;
/// Lanes read at once, and at most.
const PAGE: u32 = 1000;
const MOST_READ: usize = 20_000;

#[async_trait]
impl Act for StatusGet {
    async fn act(self, desk: &Desk) -> Result<Status, Problem> {
        let relay = &desk.relay;
        let counts = relay.store().counts().await?;
        let directory = relay.directory();
        let mut lanes = busy_lanes(relay).await?;
        lanes.sort_by(|a, b| (b.depth, &a.id).cmp(&(a.depth, &b.id)));
        lanes.truncate(MOST_TOLD);
        let lane = |row: LaneRow| LaneInfo {
            lane: row.id.to_text(),
            depth: row.depth,
            not_before_ms: row.not_before_ms,
        };
        let now_ms = desk.now_ms();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            public_url: desk.public_url.clone(),
            instance: desk.instance.clone(),
            up_ms: relay.clock().monotonic_ms() - desk.started_ms,
            now_ms,
            ready: relay.vault().keyring().is_ready(),
            events: counts.events,
            payloads: counts.payloads,
            legs: counts.legs,
            originals: counts.originals,
            copies: counts.copies,
            dead_letters: counts.dead_letters,
            orgs: directory.orgs().count() as u64,
            bridges: directory.bridges().filter(|it| it.row.state == BridgeState::Active).count() as u64,
            lanes: lanes.into_iter().map(lane).collect(),
            watches: watches(&directory),
            troubles: troubles(relay, &directory, now_ms),
        })
    }
}

#[async_trait]
impl Act for Shutdown {
    async fn act(self, desk: &Desk) -> Result<Done, Problem> {
        desk.audit(None, "shutdown", String::new()).await?;
        desk.quit.cancel();
        Ok(Done::default())
    }
}

/// Lanes with legs in them.
pub(crate) async fn busy_lanes(relay: &Relay) -> Result<Vec<LaneRow>, StoreError> {
    let mut lanes: Vec<LaneRow> = Vec::new();
    loop {
        let page = relay.store().lanes(lanes.last().map(|lane| &lane.id), PAGE).await?;
        let full = page.len() == PAGE as usize;
        lanes.extend(page);
        if !full || lanes.len() >= MOST_READ {
            return Ok(lanes);
        }
    }
}

/// Bridged conversations whose subscription has ended.
pub(crate) fn late_watches(directory: &Directory, now_ms: i64) -> usize {
    let late = |id: &dragoman_model::ConversationId| {
        directory
            .spot(id)
            .is_some_and(|spot| spot.row.watch_expires_ms.is_some_and(|end_ms| end_ms <= now_ms))
    };
    directory.bridged().iter().filter(|id| late(id)).count()
}

/// Subscriptions that end, the first first.
fn watches(directory: &Directory) -> Vec<WatchInfo> {
    let bridged = directory.bridged();
    let ending =
        bridged.iter().filter_map(|id| directory.spot(id)).filter(|it| it.row.watch_expires_ms.is_some());
    let mut watches: Vec<WatchInfo> = ending
        .map(|spot| WatchInfo {
            conversation: spot.id.to_string(),
            platform: spot.place.session.app.platform.to_string(),
            renew_ms: spot.row.watch_renew_ms,
            expires_ms: spot.row.watch_expires_ms,
        })
        .collect();
    watches.sort_by(|a, b| (a.expires_ms, &a.conversation).cmp(&(b.expires_ms, &b.conversation)));
    watches.truncate(MOST_TOLD);
    watches
}

/// What needs a person.
fn troubles(relay: &Relay, directory: &Directory, now_ms: i64) -> Vec<Problem> {
    let mut troubles = Vec::new();
    if !relay.vault().keyring().is_ready() {
        let what = "the keys of an organisation are not ready; its events are answered 503";
        troubles.push(Problem::new(
            codes::KEYS_UNAVAILABLE,
            what,
            "check the key service and the key folder",
        ));
    }
    for place in directory.places() {
        if let Some(trouble) = &place.trouble {
            let code = dragoman_model::Code::parse(trouble).unwrap_or(codes::SIGN_IN);
            let what = format!("{} in {} cannot be used", place.connector.display_name(), place.name);
            let cure =
                format!("install the app again with `dragoman install start {}`", place.session.app.platform);
            troubles.push(Problem::new(code, what, cure));
        }
    }
    let late = late_watches(directory, now_ms);
    if late > 0 {
        let what = format!("events of {late} conversations are not subscribed to any more");
        let cure = "they are subscribed to again every minute; the log says why that fails";
        troubles.push(Problem::new(codes::NOT_RECOVERABLE, what, cure));
    }
    troubles
}
