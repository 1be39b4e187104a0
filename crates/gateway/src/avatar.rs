//! Pictures of people for platforms that fetch them by link: signed, expiring links that list nobody.

mod initials;
mod picture;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_model::{InstallationId, RemoteUser};
use dragoman_platform::http::HttpClient;
use dragoman_relay::{AvatarLinks, Relay, Spot};
use dragoman_seal::Key32;
use http::{HeaderName, HeaderValue, StatusCode, header};
use moka::sync::Cache;
use tokio::sync::Semaphore;

use crate::http::{Answer, respond};
use picture::Picture;

/// Links change once a day, so that platforms can cache what they lead to.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Platforms show old messages with the link that these were posted with.
const LIFE_DAYS: i64 = 90;
/// Half a SHA-256: nobody finds a collision, and links stay short.
const TAG_LEN: usize = 16;
/// Pictures kept in memory, in bytes, and for how long.
const CACHE_BYTES: u64 = 16 << 20;
const CACHE_TIME: Duration = Duration::from_hours(1);
/// Pictures fetched at once; the others get initials meanwhile.
const FETCHES: usize = 8;

/// Makes and reads links.
pub struct AvatarSigner {
    key: hmac::Key,
    base: String,
}

impl AvatarSigner {
    /// Links below `public_url`, under a key made from a secret that outlives restarts.
    pub fn new(secret: &Key32, public_url: &str) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let derived = hmac::sign(&root, b"dragoman avatar links, version 1");
        let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Self { key, base: format!("{}/avatar/", public_url.trim_end_matches('/')) }
    }

    /// Whose picture a link is for, and until when. `None`: the link is not ours, or over.
    pub(crate) fn read(&self, token: &str, now_ms: i64) -> Option<(InstallationId, RemoteUser)> {
        let (payload, tag) = token.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        let right = hmac::sign(&self.key, &payload);
        if !dragoman_seal::equal(right.as_ref().get(..TAG_LEN)?, &tag) {
            return None;
        }
        let (end, names) = payload.split_first_chunk::<4>()?;
        if i64::from(u32::from_be_bytes(*end)) * DAY_MS <= now_ms {
            return None;
        }
        let (installation, user) = std::str::from_utf8(names).ok()?.split_once('\0')?;
        Some((installation.into(), user.into()))
    }
}

impl AvatarLinks for AvatarSigner {
    fn link(&self, installation: &InstallationId, user: &RemoteUser, now_ms: i64) -> Option<String> {
        let end = u32::try_from(now_ms / DAY_MS + 1 + LIFE_DAYS).ok()?;
        let mut payload = end.to_be_bytes().to_vec();
        payload.extend_from_slice(installation.as_str().as_bytes());
        payload.push(0);
        payload.extend_from_slice(user.as_str().as_bytes());
        let tag = hmac::sign(&self.key, &payload);
        let tag = URL_SAFE_NO_PAD.encode(tag.as_ref().get(..TAG_LEN)?);
        Some(format!("{}{}.{tag}", self.base, URL_SAFE_NO_PAD.encode(payload)))
    }
}

/// Serves what the links lead to.
pub(crate) struct Avatars {
    signer: Arc<AvatarSigner>,
    relay: Relay,
    http: HttpClient,
    cache: Cache<(InstallationId, RemoteUser), Arc<Picture>>,
    fetches: Semaphore,
}

impl Avatars {
    pub(crate) fn new(signer: Arc<AvatarSigner>, relay: Relay, http: HttpClient) -> Self {
        let cache = Cache::builder()
            .weigher(|_, picture: &Arc<Picture>| u32::try_from(picture.bytes.len()).unwrap_or(u32::MAX))
            .max_capacity(CACHE_BYTES)
            .time_to_live(CACHE_TIME)
            .build();
        Self { signer, relay, http, cache, fetches: Semaphore::new(FETCHES) }
    }

    /// Answers `/avatar/{token}`.
    pub(crate) async fn answer(&self, token: &str) -> Answer {
        let nobody = || respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "");
        let Some((installation, user)) = self.signer.read(token, self.relay.clock().now_ms()) else {
            return nobody();
        };
        let key = (installation, user);
        if let Some(picture) = self.cache.get(&key) {
            return show(&picture);
        }
        // A link of an installation that is gone leads nowhere any more.
        let Some(spot) = self.spot(&key.0) else { return nobody() };
        let picture = Arc::new(self.picture(&spot, &key.1).await);
        if picture.lasting {
            self.cache.insert(key, Arc::clone(&picture));
        }
        show(&picture)
    }

    /// Some conversation of the installation: people are read through one.
    fn spot(&self, installation: &InstallationId) -> Option<Arc<Spot>> {
        let directory = self.relay.directory();
        let spots = directory.spots().into_iter();
        spots.filter(|spot| spot.place.session.installation.id == *installation).map(Arc::clone).next()
    }

    async fn picture(&self, spot: &Spot, user: &RemoteUser) -> Picture {
        let Ok(_turn) = self.fetches.try_acquire() else { return Picture::initials("", user, false) };
        let profile = self.relay.profile(spot, user).await.ok().flatten();
        let Some(profile) = profile else { return Picture::initials("", user, false) };
        match &profile.avatar_url {
            Some(url) => match picture::fetch(&self.http, url).await {
                Some(picture) => picture,
                None => Picture::initials(&profile.name, user, false),
            },
            None => Picture::initials(&profile.name, user, true),
        }
    }
}

fn show(picture: &Picture) -> Answer {
    let mut answer = respond(StatusCode::OK, picture.content_type, picture.bytes.clone());
    let age = if picture.lasting { "public, max-age=86400" } else { "public, max-age=300" };
    let fixed: [(HeaderName, &'static str); 3] = [
        (header::CACHE_CONTROL, age),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn signer(byte: u8) -> AvatarSigner {
        AvatarSigner::new(&Key32::take_from(&mut [byte; 32]), "https://gateway.example/")
    }

    fn token(signer: &AvatarSigner, now_ms: i64) -> String {
        let link = signer.link(&"inst".into(), &"U1".into(), now_ms).unwrap();
        link.strip_prefix("https://gateway.example/avatar/").unwrap().to_owned()
    }

    #[test]
    fn a_link_names_its_person_for_its_time_and_is_the_same_all_day() {
        let signer = signer(1);
        let token = token(&signer, NOW_MS);
        assert_eq!(signer.read(&token, NOW_MS), Some(("inst".into(), "U1".into())));
        assert!(signer.read(&token, NOW_MS + 89 * DAY_MS).is_some());
        assert_eq!(signer.read(&token, NOW_MS + 91 * DAY_MS), None);
        let start = NOW_MS / DAY_MS * DAY_MS;
        assert_eq!(self::token(&signer, start), self::token(&signer, start + DAY_MS - 1));
        assert_ne!(self::token(&signer, start), self::token(&signer, start + DAY_MS));
    }

    #[test]
    fn every_changed_character_makes_it_nobodys() {
        let signer = signer(1);
        let token = token(&signer, NOW_MS);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(signer.read(&changed, NOW_MS), None, "{changed}");
        }
        assert_eq!(self::signer(2).read(&token, NOW_MS), None);
        for nonsense in ["", ".", "a.b", "AAAA.", &token[..token.len() - 1]] {
            assert_eq!(signer.read(nonsense, NOW_MS), None, "{nonsense}");
        }
    }
}
