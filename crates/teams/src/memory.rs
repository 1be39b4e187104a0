//! What is learnt from traffic and kept in memory only: addresses of conversations and the two ids of people.
//! Everything in here can be learnt again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_model::Marker;

/// Entries of each kind; at the limit all are forgotten, which costs a few requests.
const LIMIT: usize = 50_000;

/// What is known of the whereabouts of a conversation.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    /// Where the connector of this conversation is; the newest counts.
    pub(crate) service_url: Option<String>,
    /// The team in bot traffic's form, `19:…`.
    pub(crate) team_id: Option<String>,
    /// The team's GUID.
    pub(crate) team_guid: Option<String>,
    /// Graph's id of a personal chat.
    pub(crate) graph_chat: Option<String>,
}

/// The memory of one connector.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    places: BTreeMap<(String, String), Place>,
    teams: BTreeMap<(String, String), String>,
    accounts: BTreeMap<(String, String), String>,
    objects: BTreeMap<(String, String), String>,
    lost: BTreeMap<Marker, String>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Entries are inserted whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the file of a message of which nobody knows whether it is there: its path in Graph.
    pub(crate) fn learn_lost(&self, marker: &Marker, path: String) {
        let mut inner = self.lock();
        bound(&mut inner.lost);
        inner.lost.insert(marker.clone(), path);
    }

    /// The file of such a message.
    pub(crate) fn lost(&self, marker: &Marker) -> Option<String> {
        self.lock().lost.get(marker).cloned()
    }

    /// The message is not there and will not be: the file that was to go with it.
    pub(crate) fn take_lost(&self, marker: &Marker) -> Option<String> {
        self.lock().lost.remove(marker)
    }

    /// Remembers what is known now; what is not known is kept as it was.
    pub(crate) fn learn_place(&self, tenant: &str, conversation: &str, new: Place) {
        let mut inner = self.lock();
        bound(&mut inner.places);
        let team = new.team_id.clone().zip(new.team_guid.clone());
        let place = inner.places.entry((tenant.to_owned(), conversation.to_owned())).or_default();
        place.service_url = new.service_url.or_else(|| place.service_url.take());
        place.team_id = new.team_id.or_else(|| place.team_id.take());
        place.team_guid = new.team_guid.or_else(|| place.team_guid.take());
        place.graph_chat = new.graph_chat.or_else(|| place.graph_chat.take());
        if let Some((id, guid)) = team {
            bound(&mut inner.teams);
            inner.teams.insert((tenant.to_owned(), id), guid);
        }
    }

    /// What is known of a conversation.
    pub(crate) fn place(&self, tenant: &str, conversation: &str) -> Place {
        let inner = self.lock();
        let mut place =
            inner.places.get(&(tenant.to_owned(), conversation.to_owned())).cloned().unwrap_or_default();
        if place.team_guid.is_none()
            && let Some(team) = &place.team_id
        {
            place.team_guid = inner.teams.get(&(tenant.to_owned(), team.clone())).cloned();
        }
        place
    }

    /// Teams of a tenant that traffic named, with their GUIDs where known.
    pub(crate) fn teams(&self, tenant: &str) -> BTreeMap<String, Option<String>> {
        let inner = self.lock();
        let named = inner
            .places
            .iter()
            .filter(|((of, _), _)| of == tenant)
            .filter_map(|(_, place)| place.team_id.clone().map(|id| (id, place.team_guid.clone())));
        let mut teams: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (id, guid) in named {
            let guid = guid.or_else(|| inner.teams.get(&(tenant.to_owned(), id.clone())).cloned());
            let known = teams.entry(id).or_default();
            *known = known.take().or(guid);
        }
        teams
    }

    /// Channels that are known to belong to a team.
    pub(crate) fn channels_of(&self, tenant: &str, team_id: &str) -> Vec<String> {
        self.lock()
            .places
            .iter()
            .filter(|((of, _), place)| of == tenant && place.team_id.as_deref() == Some(team_id))
            .map(|((_, conversation), _)| conversation.clone())
            .collect()
    }

    /// Remembers the two ids of a person: `29:…`, which is valid for one bot, and the directory's.
    pub(crate) fn learn_person(&self, app_id: &str, account: &str, object_id: &str) {
        if account.is_empty() || object_id.is_empty() {
            return;
        }
        let mut inner = self.lock();
        bound(&mut inner.accounts);
        bound(&mut inner.objects);
        inner.accounts.insert((app_id.to_owned(), object_id.to_owned()), account.to_owned());
        inner.objects.insert((app_id.to_owned(), account.to_owned()), object_id.to_owned());
    }

    /// The `29:…` of a person.
    pub(crate) fn account(&self, app_id: &str, object_id: &str) -> Option<String> {
        self.lock().accounts.get(&(app_id.to_owned(), object_id.to_owned())).cloned()
    }

    /// The directory's id of a `29:…`.
    pub(crate) fn object(&self, app_id: &str, account: &str) -> Option<String> {
        self.lock().objects.get(&(app_id.to_owned(), account.to_owned())).cloned()
    }
}

fn bound<K, V>(map: &mut BTreeMap<K, V>) {
    if map.len() >= LIMIT {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_address_counts_and_the_rest_stays() {
        let memory = Memory::default();
        let place = |url: &str, team: Option<&str>, guid: Option<&str>| Place {
            service_url: Some(url.to_owned()),
            team_id: team.map(str::to_owned),
            team_guid: guid.map(str::to_owned),
            graph_chat: None,
        };
        memory.learn_place("t", "c", place("https://one/", Some("19:team"), None));
        memory.learn_place("t", "c", place("https://two/", None, None));
        // Another channel of the same team tells the GUID of both.
        memory.learn_place("t", "d", place("https://one/", Some("19:team"), Some("guid")));
        assert_eq!(memory.place("t", "c"), place("https://two/", Some("19:team"), Some("guid")));
        assert_eq!(memory.channels_of("t", "19:team"), ["c", "d"]);
        assert_eq!(memory.teams("t"), BTreeMap::from([("19:team".to_owned(), Some("guid".to_owned()))]));
        assert_eq!(memory.place("other", "c"), Place::default());
    }

    #[test]
    fn people_are_kept_per_app() {
        let memory = Memory::default();
        memory.learn_person("app", "29:x", "oid");
        assert_eq!(memory.account("app", "oid").as_deref(), Some("29:x"));
        assert_eq!(memory.object("app", "29:x").as_deref(), Some("oid"));
        assert_eq!(memory.account("other", "oid"), None);
    }
}
