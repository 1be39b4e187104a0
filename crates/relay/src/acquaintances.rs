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
/// People kept of one installation; a full table is forgotten as a whole. Each has its own, so that no organisation
/// pushes out another's.
const MOST: usize = 5_000;

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
pub(crate) struct Acquaintances(Mutex<Known>);

#[derive(Default)]
struct Known {
    people: HashMap<InstallationId, HashMap<RemoteUser, Entry>>,
    marks: HashMap<InstallationId, Mark>,
}

/// How often something changed at an installation: what was found out before holds no more.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// Somebody became known: who was nobody there may be them.
    came: u64,
    /// Somebody changed.
    changed: u64,
}

struct Entry {
    profile: Arc<Acquaintance>,
    elsewhere: Vec<(InstallationId, Elsewhere, Mark)>,
    until_ms: i64,
}

impl Known {
    fn mark(&self, at: &InstallationId) -> Mark {
        self.marks.get(at).copied().unwrap_or_default()
    }
}

impl Acquaintances {
    /// A profile that is open.
    pub(crate) fn profile(
        &self,
        at: &InstallationId,
        user: &RemoteUser,
        now_ms: i64,
    ) -> Option<Arc<Acquaintance>> {
        let known = self.lock();
        let entry = known.people.get(at)?.get(user).filter(|entry| now_ms < entry.until_ms)?;
        Some(Arc::clone(&entry.profile))
    }

    /// Who an acquaintance is at another installation, where that was found out.
    pub(crate) fn elsewhere(
        &self,
        (at, user): (&InstallationId, &RemoteUser),
        there: &InstallationId,
        now_ms: i64,
    ) -> Option<Elsewhere> {
        let known = self.lock();
        let now = known.mark(there);
        let entry = known.people.get(at)?.get(user).filter(|entry| now_ms < entry.until_ms)?;
        let (_, who, then) = entry.elsewhere.iter().find(|(installation, ..)| installation == there)?;
        let holds = then.changed == now.changed && (who.is_some() || then.came == now.came);
        holds.then(|| who.clone())
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
        let mut known = self.lock();
        known.marks.entry(at.clone()).or_default().came += 1;
        let people = known.people.entry(at.clone()).or_default();
        if people.len() >= MOST {
            people.clear();
        }
        let entry = Entry { profile: Arc::clone(&profile), elsewhere: Vec::new(), until_ms };
        people.insert(profile.user.clone(), entry);
        profile
    }

    /// Remembers who an acquaintance is at another installation.
    pub(crate) fn keep_elsewhere(
        &self,
        (at, user): (&InstallationId, &RemoteUser),
        there: &InstallationId,
        who: Elsewhere,
    ) {
        let mut known = self.lock();
        let mark = known.mark(there);
        if let Some(entry) = known.people.get_mut(at).and_then(|people| people.get_mut(user)) {
            entry.elsewhere.retain(|(installation, ..)| installation != there);
            entry.elsewhere.push((there.clone(), who, mark));
        }
    }

    /// A person changed.
    pub(crate) fn forget(&self, at: &InstallationId, user: &RemoteUser) {
        let mut known = self.lock();
        known.marks.entry(at.clone()).or_default().changed += 1;
        if let Some(here) = known.people.get_mut(at) {
            here.remove(user);
        }
    }

    /// Installations or organisations changed.
    pub(crate) fn forget_all(&self) {
        *self.lock() = Known::default();
    }

    /// Overwrites what was open long enough.
    pub(crate) fn expire(&self, now_ms: i64) {
        self.lock().people.retain(|_, people| {
            people.retain(|_, entry| now_ms < entry.until_ms);
            !people.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
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
            guest: false,
        }
    }

    #[test]
    fn a_crowd_at_one_installation_pushes_out_nobody_of_another() {
        let (people, crowded) = (Acquaintances::default(), "crowded".into());
        people.keep(&"quiet".into(), ana(), (0, i64::MAX));
        for number in 0..MOST + 10 {
            let user = format!("U{number}").as_str().into();
            people.keep(&crowded, Profile { user, ..ana() }, (0, i64::MAX));
        }
        assert!(people.profile(&"quiet".into(), &"U1".into(), 1).is_some());
        assert_eq!(people.lock().people[&crowded].len(), 10);
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
        assert!(people.lock().people.keys().eq([&teams]));
        people.expire(OPEN_MS);
        assert!(people.lock().people.is_empty());
    }
}
