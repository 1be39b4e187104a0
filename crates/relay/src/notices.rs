//! Who joined and left, names, topics, archives and calls: told to the other members of a bridge that wants it, at once
//! or gathered into one line.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use dragoman_markup::name::neutralise;
use dragoman_model::{ConversationId, Event, Notice, NoticeKind, OrgId, RemoteUser, codes};
use dragoman_platform::ConversationKind;
use dragoman_store::{LaneId, Notices};

use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;
use crate::leg::Leg;
use crate::notes::{Note, Occasion};
use crate::settle::Ending;
use crate::turn::Turn;

/// People who are named in one line; the others are counted.
const MOST_NAMES: usize = 3;
/// The longest name or topic that is told, in characters.
const LONGEST: usize = 200;
/// Pairs of conversations of one organisation that a digest is gathered for; what is more is told at once.
const MOST_DIGESTS: usize = 2_000;

/// What is being gathered, by organisation, where it happened and who is told. Ids and counts in memory only: what was gathered when
/// the gateway is killed is not told.
#[derive(Default)]
pub(crate) struct Digests(Mutex<BTreeMap<OrgId, BTreeMap<Pair, Gathered>>>);

/// Where it happened, and who is told.
type Pair = (ConversationId, ConversationId);

/// What happened in one conversation since it was told last.
#[derive(Clone, Default)]
struct Gathered {
    since_ms: i64,
    kinds: BTreeMap<NoticeKind, Told>,
}

#[derive(Clone, Default)]
struct Told {
    count: usize,
    people: Vec<RemoteUser>,
}

impl Digests {
    /// Adds a notice. `false`: there is no room.
    fn gather(&self, org: &OrgId, of: Pair, notice: &Notice, now_ms: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.entry(org.clone()).or_default();
        if all.len() >= MOST_DIGESTS && !all.contains_key(&of) {
            return false;
        }
        let gathered = all.entry(of).or_insert_with(|| Gathered { since_ms: now_ms, ..Gathered::default() });
        let told = gathered.kinds.entry(notice.kind).or_default();
        told.count += if is_of_people(notice.kind) { notice.people.len().max(1) } else { 1 };
        for user in &notice.people {
            if told.people.len() < MOST_NAMES && !told.people.contains(user) {
                told.people.push(user.clone());
            }
        }
        true
    }

    /// What is due: everything that began before then.
    fn due(&self, before_ms: i64) -> Vec<(Pair, Gathered)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        all.retain(|_, gathered| {
            due.extend(gathered.extract_if(.., |_, it| it.since_ms <= before_ms));
            !gathered.is_empty()
        });
        due
    }
}

fn is_of_people(kind: NoticeKind) -> bool {
    matches!(kind, NoticeKind::Joined | NoticeKind::Left)
}

/// `Ana, Ben and 3 others`; `Somebody` where nobody is known.
fn named(names: &[String], count: usize) -> String {
    let shown = &names[..names.len().min(MOST_NAMES)];
    let others = count.saturating_sub(shown.len());
    match (shown, others) {
        ([], 0 | 1) => "Somebody".to_owned(),
        ([], count) => format!("{count} people"),
        (shown, 0) => match shown.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, first)) => format!("{} and {last}", first.join(", ")),
            None => String::new(),
        },
        (shown, 1) => format!("{} and one more", shown.join(", ")),
        (shown, others) => format!("{} and {others} others", shown.join(", ")),
    }
}

fn shortened(text: &str) -> String {
    let text = neutralise(text);
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}

/// One notice as a sentence. `place`: `#general (Fjord)`.
fn sentence(kind: NoticeKind, names: &[String], count: usize, text: Option<&str>, place: &str) -> String {
    let who = named(names, count);
    let by = if names.is_empty() { String::new() } else { format!(" by {who}") };
    let text = text.map(shortened).filter(|text| !text.is_empty());
    match (kind, text) {
        (NoticeKind::Joined, _) => format!("{who} joined {place}"),
        (NoticeKind::Left, _) => format!("{who} left {place}"),
        (NoticeKind::Renamed, Some(name)) => format!("{place} was renamed to “{name}”{by}"),
        (NoticeKind::Renamed, None) => format!("{place} was renamed{by}"),
        (NoticeKind::Topic, Some(topic)) => format!("The topic of {place} was set to “{topic}”{by}"),
        (NoticeKind::Topic, None) => format!("The topic of {place} was removed{by}"),
        (NoticeKind::Archived, _) => format!("{place} was archived{by}"),
        (NoticeKind::Unarchived, _) => format!("{place} was opened again{by}"),
        (NoticeKind::Call, _) => format!("A call started in {place}"),
        (NoticeKind::CallEnded, _) => format!("A call ended in {place}"),
    }
}

/// Everything gathered as one line. New names and topics are content, and not kept for so long.
fn digest(kinds: &[(NoticeKind, usize, Vec<String>)], place: &str) -> String {
    let part = |(kind, count, names): &(NoticeKind, usize, Vec<String>)| {
        let who = if names.is_empty() { String::new() } else { format!(" ({})", named(names, *count)) };
        let times = if *count > 1 { format!(" {count} times") } else { String::new() };
        let calls = if *count > 1 { "calls" } else { "call" };
        match kind {
            NoticeKind::Joined => format!("{count} joined{who}"),
            NoticeKind::Left => format!("{count} left{who}"),
            NoticeKind::Renamed => format!("renamed{times}"),
            NoticeKind::Topic => format!("topic changed{times}"),
            NoticeKind::Archived => format!("archived{times}"),
            NoticeKind::Unarchived => format!("opened again{times}"),
            NoticeKind::Call => format!("{count} {calls} started"),
            NoticeKind::CallEnded => format!("{count} {calls} ended"),
        }
    };
    let parts: Vec<String> = kinds.iter().map(part).collect();
    format!("In {place}: {}", parts.join("; "))
}

/// `#general (Fjord)`.
pub(crate) fn place_of(spot: &Spot) -> String {
    let platform = spot.place.connector.display_name();
    let name = neutralise(&spot.conversation.name);
    let name = name.trim_start_matches('#');
    match spot.conversation.kind {
        _ if name.is_empty() => format!("the linked conversation ({platform})"),
        ConversationKind::Channel => format!("#{name} ({platform})"),
        _ => format!("{name} ({platform})"),
    }
}

impl Relay {
    /// Tells the members of a bridge what happened in another one, where the bridge wants it.
    pub(crate) async fn notice_turn(
        &self,
        leg: &Arc<Leg>,
        fence: i64,
        place: &Place,
        event: &Event,
        notice: &Notice,
    ) -> Result<Turn, RelayError> {
        let directory = self.directory();
        let installation = &place.session.installation.id;
        let mut told = false;
        for remote in event.conversation.iter().chain(&notice.also) {
            let Some(spot) = directory.spot_at(installation, remote) else { continue };
            let Some(route) = directory.route(&spot.id) else { continue };
            let mode = directory.bridge(&route.bridge).map(|bridge| bridge.row.notices).unwrap_or_default();
            let targets: Vec<ConversationId> = match &leg.lane {
                LaneId::Conversation(target) => vec![target.clone()],
                LaneId::Control(_) => route.targets.clone(),
            };
            told |= self.tell_notice(leg, spot, mode, targets, notice).await?;
        }
        let ending = if told { Ending::delivered() } else { Ending::dropped(codes::NOTICE_OFF) };
        self.end(leg, fence, ending).await
    }

    async fn tell_notice(
        &self,
        leg: &Leg,
        spot: &Spot,
        mode: Notices,
        targets: Vec<ConversationId>,
        notice: &Notice,
    ) -> Result<bool, RelayError> {
        let now_ms = self.now_ms();
        let at_once: Vec<ConversationId> = match mode {
            Notices::Off => return Ok(false),
            Notices::On => targets,
            Notices::Digest => {
                let gather = |target: &ConversationId| {
                    self.0.digests.gather(&spot.org, (spot.id.clone(), target.clone()), notice, now_ms)
                };
                targets.into_iter().filter(|target| !gather(target)).collect()
            }
        };
        if at_once.is_empty() {
            return Ok(true);
        }
        let names = self.names(spot, &notice.people).await?;
        let count = if is_of_people(notice.kind) { notice.people.len().max(1) } else { names.len() };
        let text = sentence(notice.kind, &names, count, notice.text.as_deref(), &place_of(spot));
        let lanes = at_once.into_iter().map(LaneId::Conversation).collect();
        // Taken up again after a crash, the same notice has the same leg.
        let key = format!("notice/{}/{}", leg.id, spot.id);
        let once_for_ms = self.timing().redelivery_ms;
        let note = Note { text, ..Note::default() };
        self.note(Occasion { about: spot, lanes, key: &key, once_for_ms }, &note).await?;
        Ok(true)
    }

    async fn names(&self, spot: &Spot, people: &[RemoteUser]) -> Result<Vec<String>, RelayError> {
        let mut names = Vec::new();
        for user in people.iter().take(MOST_NAMES) {
            let profile = self.profile(spot, user).await?;
            names.extend(profile.map(|it| neutralise(&it.name)).filter(|name| !name.is_empty()));
        }
        Ok(names)
    }

    /// Tells what was gathered long enough; `all`: everything, because the gateway stops.
    pub(crate) async fn tell_digests(&self, all: bool) -> Result<(), RelayError> {
        let before_ms = if all { i64::MAX } else { self.now_ms() - self.timing().digest_ms };
        let directory = self.directory();
        for ((source, target), gathered) in self.0.digests.due(before_ms) {
            let Some(spot) = directory.spot(&source) else { continue };
            // The bridge may have changed meanwhile.
            if !directory.route(&source).is_some_and(|route| route.targets.contains(&target)) {
                continue;
            }
            let mut kinds = Vec::new();
            for (kind, told) in gathered.kinds {
                // One that cannot be looked up now is counted still, and the other digests are told.
                let names = self.names(spot, &told.people).await.unwrap_or_default();
                kinds.push((kind, told.count, names));
            }
            let text = digest(&kinds, &place_of(spot));
            let key = format!("digest/{source}/{target}/{}", gathered.since_ms);
            let occasion = Occasion {
                about: spot,
                lanes: vec![LaneId::Conversation(target)],
                key: &key,
                once_for_ms: self.timing().redelivery_ms,
            };
            self.note(occasion, &Note { text, ..Note::default() }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_kind_is_a_sentence() {
        use NoticeKind::{Archived, Call, Joined, Left, Renamed, Topic};
        let ana = names(&["Ana"]);
        let place = "#general (Slack)";
        let cases = [
            (Joined, &ana[..], 1, None, "Ana joined #general (Slack)"),
            (Joined, &[], 1, None, "Somebody joined #general (Slack)"),
            (Joined, &ana[..], 2, None, "Ana and one more joined #general (Slack)"),
            (Left, &ana[..], 9, None, "Ana and 8 others left #general (Slack)"),
            (Renamed, &ana[..], 1, Some("boats"), "#general (Slack) was renamed to “boats” by Ana"),
            (Topic, &[], 0, Some("tides"), "The topic of #general (Slack) was set to “tides”"),
            (Topic, &ana[..], 1, Some(""), "The topic of #general (Slack) was removed by Ana"),
            (Archived, &ana[..], 1, None, "#general (Slack) was archived by Ana"),
            (Call, &[], 0, None, "A call started in #general (Slack)"),
        ];
        for (kind, names, count, text, wanted) in cases {
            assert_eq!(sentence(kind, names, count, text, place), wanted);
        }
        assert_eq!(named(&names(&["Ana", "Ben", "Cy"]), 3), "Ana, Ben and Cy");
    }

    #[test]
    fn a_long_topic_is_shortened_and_stays_one_line() {
        let said = sentence(NoticeKind::Topic, &[], 0, Some(&"long\n".repeat(200)), "#a (B)");
        assert!(said.chars().count() < LONGEST + 60 && !said.contains('\n'), "{said}");
    }

    #[test]
    fn a_digest_counts_and_names_some() {
        let digests = Digests::default();
        let of = || ("a".into(), "b".into());
        let joined = |user: &str| Notice::new(NoticeKind::Joined, [RemoteUser::from(user)], None);
        for (at, user) in ["u1", "u2", "u3", "u4", "u1"].iter().enumerate() {
            assert!(digests.gather(&"o".into(), of(), &joined(user), 10 + i64::try_from(at).unwrap()));
        }
        let topic = |text: &str| Notice::new(NoticeKind::Topic, None, Some(text.to_owned()));
        digests.gather(&"o".into(), of(), &topic("old"), 20);
        digests.gather(&"o".into(), of(), &topic("new"), 21);
        assert!(digests.due(9).is_empty());
        let due = digests.due(10);
        let [(_, gathered)] = &due[..] else { panic!("one pair") };
        let told: Vec<_> = gathered
            .kinds
            .iter()
            .map(|(kind, told)| {
                let names = told.people.iter().map(|user| user.as_str().to_owned()).collect();
                (*kind, told.count, names)
            })
            .collect();
        assert_eq!(
            digest(&told, "#a (B)"),
            "In #a (B): 5 joined (u1, u2, u3 and 2 others); topic changed 2 times"
        );
        assert!(digests.due(i64::MAX).is_empty(), "told once");
    }
}
