//! What is remembered while the process lives: ids and times only. Nothing is lost with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use dragoman_model::{AppId, InstallationId, RemoteConversation, RemoteMessage, RemoteWorkspace};
use dragoman_platform::Session;
use url::Url;

use crate::ids;

/// How many entries of each kind are kept before all are forgotten.
const MOST: usize = 16_384;
/// Unsigned validations of one app that are answered in a minute. Zoom validates when the address is saved and every
/// 72 hours.
const VALIDATIONS: usize = 6;
const MINUTE_MS: i64 = 60_000;
/// How long it is believed that the file host sends uploads on to another, in milliseconds.
const WAY_MS: i64 = 600_000;

/// The memory.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Accounts that an app is installed in.
    accounts: BTreeMap<AppId, BTreeSet<RemoteWorkspace>>,
    /// Channels that were used, with their account.
    channels: BTreeMap<(AppId, RemoteConversation), RemoteWorkspace>,
    /// When we sent a message, on a clock that never goes backwards.
    sent: BTreeMap<RemoteMessage, i64>,
    /// What the bot said.
    said: BTreeSet<RemoteMessage>,
    /// Message ids that Zoom wrote in another form than ours.
    forms: BTreeMap<RemoteMessage, String>,
    validations: BTreeMap<AppId, Vec<i64>>,
    /// Where the file host sends uploads of an installation on to, and since when that is known, on a clock that never
    /// goes backwards: accounts are kept in different places.
    ways: BTreeMap<InstallationId, (Url, i64)>,
}

impl Memory {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers where an app is installed.
    pub(crate) fn learn(&self, session: &Session, channel: Option<&RemoteConversation>) {
        let (app, account) = (&session.installation.app, &session.installation.workspace);
        let mut inner = self.inner();
        let accounts = inner.accounts.entry(app.clone()).or_default();
        if !accounts.contains(account) {
            accounts.insert(account.clone());
        }
        if let Some(channel) = channel {
            let key = (app.clone(), channel.clone());
            if inner.channels.get(&key) != Some(account) {
                make_room(&mut inner.channels);
                inner.channels.insert(key, account.clone());
            }
        }
    }

    /// The installation that an event of a stranger concerns: it names none itself.
    pub(crate) fn account_of(
        &self,
        app: &AppId,
        channel: Option<&RemoteConversation>,
    ) -> Option<RemoteWorkspace> {
        let inner = self.inner();
        let known = channel.and_then(|channel| inner.channels.get(&(app.clone(), channel.clone())));
        let only = || inner.accounts.get(app).filter(|all| all.len() == 1).and_then(|all| all.first());
        known.or_else(only).cloned()
    }

    /// A message was sent.
    pub(crate) fn sent(&self, message: &RemoteMessage, now_ms: i64) {
        let mut inner = self.inner();
        make_room(&mut inner.sent);
        inner.sent.insert(message.clone(), now_ms);
    }

    /// Whether we sent a message less than so many milliseconds ago.
    pub(crate) fn is_fresh(&self, message: &RemoteMessage, now_ms: i64, within_ms: u64) -> bool {
        let within = i64::try_from(within_ms).unwrap_or(i64::MAX);
        self.inner().sent.get(message).is_some_and(|at| now_ms.saturating_sub(*at) < within)
    }

    /// The bot said something.
    pub(crate) fn said(&self, message: &RemoteMessage) {
        let mut inner = self.inner();
        if inner.said.len() >= MOST {
            inner.said.clear();
        }
        inner.said.insert(message.clone());
    }

    /// Whether the bot said this: nothing in an event or in a list tells whose bot it was.
    pub(crate) fn is_said(&self, message: &RemoteMessage) -> bool {
        self.inner().said.contains(message)
    }

    /// The id of a message as Zoom wrote it, in our form; the other is remembered.
    pub(crate) fn id(&self, written: &str) -> RemoteMessage {
        let id = ids::message(written);
        let written = ids::bare(written);
        if id.as_str() != written {
            let mut inner = self.inner();
            if inner.forms.get(&id).map(String::as_str) != Some(written) {
                make_room(&mut inner.forms);
                inner.forms.insert(id.clone(), written.to_owned());
            }
        }
        id
    }

    /// The forms in which Zoom may know a message, the likeliest first.
    pub(crate) fn forms(&self, id: &RemoteMessage) -> Vec<String> {
        if let Some(written) = self.inner().forms.get(id) {
            return vec![written.clone()];
        }
        let own = id.as_str().to_owned();
        if ids::is_uuid(&own) {
            let lower = own.to_ascii_lowercase();
            return vec![own, lower];
        }
        vec![own]
    }

    /// Where an upload is to go, where that was learnt lately.
    pub(crate) fn way(&self, installation: &InstallationId, url: &Url, now_ms: i64) -> Option<Url> {
        let inner = self.inner();
        let (host, at_ms) = inner.ways.get(installation)?;
        if now_ms.saturating_sub(*at_ms) >= WAY_MS {
            return None;
        }
        let mut known = host.clone();
        known.set_path(url.path());
        known.set_query(url.query());
        Some(known)
    }

    /// An upload is to go to another host. Only a host is remembered: what else an address says may be for once.
    pub(crate) fn learn_way(&self, installation: &InstallationId, from: &Url, to: &Url, now_ms: i64) {
        let mut inner = self.inner();
        if from.path() == to.path() && from.query() == to.query() {
            make_room(&mut inner.ways);
            inner.ways.insert(installation.clone(), (to.clone(), now_ms));
        } else {
            inner.ways.remove(installation);
        }
    }

    /// The host that was learnt sends uploads on as well.
    pub(crate) fn forget_way(&self, installation: &InstallationId) {
        self.inner().ways.remove(installation);
    }

    /// Whether one more unsigned validation is answered.
    pub(crate) fn may_validate(&self, app: &AppId, now_ms: i64) -> bool {
        let mut inner = self.inner();
        let times = inner.validations.entry(app.clone()).or_default();
        times.retain(|at| now_ms - at < MINUTE_MS);
        let may = times.len() < VALIDATIONS;
        if may {
            times.push(now_ms);
        }
        may
    }
}

fn make_room<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    if map.len() >= MOST {
        map.clear();
    }
}
