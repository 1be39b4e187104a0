//! People that were read a moment ago: their profiles, opened, and who they are elsewhere, so that a conversation
//! does not open the same few profiles with every message. Bounded in number and minutes, overwritten when dropped,
//! forgotten when a platform says that a person changed.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dragoman_model::{InstallationId, RemoteUser};
use dragoman_platform::Profile;
use zeroize::Zeroize as _;

/// How long a profile stays open, in milliseconds: as long as the key that opened it.
const OPEN_MS: i64 = 5 * 60 * 1000;
/// People kept; a full table is forgotten as a whole.
const MOST: usize = 10_000;

/// A profile that is overwritten when dropped.
pub struct Acquaintance(Profile);

impl Deref for Acquaintance {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.0
    }
}

impl From<Profile> for Acquaintance {
    fn from(profile: Profile) -> Self {
        Self(profile)
    }
}

impl Drop for Acquaintance {
    fn drop(&mut self) {
        let Profile { name, avatar_url, email, .. } = &mut self.0;
        name.zeroize();
        avatar_url.zeroize();
        email.zeroize();
    }
}

/// Who a person is at another installation; `None`: nobody there.
pub(crate) type Elsewhere = Option<Arc<Acquaintance>>;

/// People by installation and id.
#[derive(Default)]
pub(crate) struct Acquaintances(Mutex<HashMap<InstallationId, HashMap<RemoteUser, Entry>>>);

struct Entry {
    profile: Arc<Acquaintance>,
    elsewhere: Vec<(InstallationId, Elsewhere)>,
    until_ms: i64,
}

impl Acquaintances {
    /// A profile that is open.
    pub(crate) fn profile(
        &self,
        at: &InstallationId,
        user: &RemoteUser,
        now_ms: i64,
    ) -> Option<Arc<Acquaintance>> {
        let people = self.lock();
        let entry = people.get(at)?.get(user).filter(|entry| now_ms < entry.until_ms)?;
        Some(Arc::clone(&entry.profile))
    }

    /// Who an acquaintance is at another installation, where that was found out.
    pub(crate) fn elsewhere(
        &self,
        (at, user): (&InstallationId, &RemoteUser),
        there: &InstallationId,
        now_ms: i64,
    ) -> Option<Elsewhere> {
        let people = self.lock();
        let entry = people.get(at)?.get(user).filter(|entry| now_ms < entry.until_ms)?;
        entry.elsewhere.iter().find(|(installation, _)| installation == there).map(|(_, who)| who.clone())
    }

    /// Keeps a profile open for a few minutes, or until it is no longer believed.
    pub(crate) fn keep(
        &self,
        at: &InstallationId,
        profile: Profile,
        (now_ms, believed_until_ms): (i64, i64),
    ) -> Arc<Acquaintance> {
        let profile = Arc::new(Acquaintance(profile));
        let until_ms = believed_until_ms.min(now_ms + OPEN_MS);
        let mut people = self.lock();
        if people.values().map(HashMap::len).sum::<usize>() >= MOST {
            people.clear();
        }
        // Who was nobody here may be this person.
        for entry in people.values_mut().flat_map(HashMap::values_mut) {
            entry.elsewhere.retain(|(installation, who)| who.is_some() || installation != at);
        }
        let entry = Entry { profile: Arc::clone(&profile), elsewhere: Vec::new(), until_ms };
        people.entry(at.clone()).or_default().insert(profile.user.clone(), entry);
        profile
    }

    /// Remembers who an acquaintance is at another installation.
    pub(crate) fn keep_elsewhere(
        &self,
        (at, user): (&InstallationId, &RemoteUser),
        there: &InstallationId,
        who: Elsewhere,
    ) {
        if let Some(entry) = self.lock().get_mut(at).and_then(|people| people.get_mut(user)) {
            entry.elsewhere.retain(|(installation, _)| installation != there);
            entry.elsewhere.push((there.clone(), who));
        }
    }

    /// A person changed.
    pub(crate) fn forget(&self, at: &InstallationId, user: &RemoteUser) {
        let mut people = self.lock();
        if let Some(here) = people.get_mut(at) {
            here.remove(user);
        }
        for entry in people.values_mut().flat_map(HashMap::values_mut) {
            entry.elsewhere.retain(|(installation, _)| installation != at);
        }
    }

    /// Installations or organisations changed.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    /// Overwrites what was open long enough.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().retain(|_, people| {
            people.retain(|_, entry| now_ms < entry.until_ms);
            !people.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstallationId, HashMap<RemoteUser, Entry>>> {
        // Entries are inserted whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ana() -> Profile {
        Profile {
            user: "U1".into(),
            name: "Ana".to_owned(),
            avatar_url: None,
            email: Some("ana@harbor.example".to_owned()),
            bot: false,
            deleted: false,
            external: false,
        }
    }

    #[test]
    fn people_are_known_for_minutes_and_not_after_they_changed() {
        let (people, slack, teams) = (Acquaintances::default(), "slack".into(), "teams".into());
        let ana = |now_ms| people.profile(&slack, &"U1".into(), now_ms).map(|known| known.name.clone());
        let there =
            |now_ms| people.elsewhere((&slack, &"U1".into()), &teams, now_ms).map(|who| who.is_some());
        people.keep(&slack, self::ana(), (0, i64::MAX));
        assert_eq!((ana(OPEN_MS - 1).as_deref(), ana(OPEN_MS)), (Some("Ana"), None));
        assert_eq!(there(0), None);
        people.keep_elsewhere((&slack, &"U1".into()), &teams, Some(Arc::new(self::ana().into())));
        assert_eq!((there(0), there(OPEN_MS)), (Some(true), None));
        people.forget(&teams, &"29:ana".into());
        people.keep_elsewhere((&slack, &"U1".into()), &teams, None);
        assert_eq!(there(0), Some(false));
        people.keep(&teams, Profile { user: "29:ana".into(), ..self::ana() }, (0, i64::MAX));
        assert_eq!((there(0), ana(0).is_some()), (None, true));
        people.forget(&slack, &"U1".into());
        assert!(ana(0).is_none());
        people.keep(&slack, self::ana(), (0, 10));
        assert!(ana(9).is_some() && ana(10).is_none(), "a profile is not believed for longer");
        people.expire(10);
        assert!(people.lock().keys().eq([&teams]));
        people.expire(OPEN_MS);
        assert!(people.lock().is_empty());
    }
}
