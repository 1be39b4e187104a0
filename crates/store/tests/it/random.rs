//! Random histories: whatever is written in whatever order, SQLite answers as the model does and holds the same rows.

use std::collections::BTreeMap;

use dragoman_model::{LegId, SlotId, Version};
use dragoman_store::{
    Appended, BridgeState, LaneId, Mutation, Notices, OrgRow, OriginalRow, ReactionRow, Reply, Settlement,
    Standing, Store, TombstoneRow,
};
use proptest::prelude::*;

use crate::bench::Bench;
use crate::rows::*;

/// One step of a history: a kind of write, and what to pick ids and values by.
type Step = (u8, [u8; 5]);

const EVENTS: usize = 32;

/// What a history knows of itself: legs that wait, and the newest fence of each lane.
#[derive(Default)]
struct Known {
    legs: Vec<(LegId, LaneId)>,
    fences: BTreeMap<LaneId, i64>,
    dead: Vec<LegId>,
}

fn event_id(n: u8) -> String {
    format!("e{}", usize::from(n) % EVENTS)
}

/// `c1` to `c4` and `d1`, `d2`, of which the former are likelier.
fn conversation_id(n: u8) -> &'static str {
    ["c1", "c2", "c3", "c4", "c1", "c2", "d1", "d2"][usize::from(n) % 8]
}

fn message_id(n: u8) -> String {
    format!("m{}", n % 4)
}

fn owner(n: u8) -> String {
    format!("w{}", n % 2)
}

/// A leg that was never appended, or is long gone.
fn leg_of(event: u8, to: u8) -> (LegId, LaneId) {
    let to = conversation_id(to);
    (format!("{}-{to}", event_id(event)).into(), lane(to))
}

impl Known {
    /// Mostly a leg that waits, in its lane, with the right fence.
    fn leg(&self, a: u8, b: u8, c: u8) -> (LegId, LaneId, i64) {
        let (leg, lane) = match self.legs.len() {
            0 => leg_of(a, b),
            _ if a % 16 == 15 => leg_of(a, b),
            some => self.legs[usize::from(a) % some].clone(),
        };
        let fence = self.fences.get(&lane).copied().unwrap_or(1);
        let lane = if b % 32 == 31 { super::rows::lane("c1") } else { lane };
        (leg, lane, fence - i64::from(c % 16 == 15))
    }

    fn dead(&self, a: u8) -> LegId {
        match self.dead.len() {
            0 => "none".into(),
            some => self.dead[usize::from(a) % some].clone(),
        }
    }

    /// Takes note of what a write did.
    async fn look(&mut self, store: &dyn Store, mutation: &Mutation, reply: &Reply) {
        self.legs.clear();
        for row in store.lanes(None, 1_000).await.unwrap() {
            for leg in store.legs(&row.id, None, 1_000).await.unwrap() {
                self.legs.push((leg.id, leg.lane));
            }
        }
        let dead = store.dead_letters(None, 1_000).await.unwrap();
        self.dead = dead.into_iter().map(|letter| letter.id).collect();
        match (mutation, reply) {
            (_, Reply::Claimed(claimed)) => {
                self.fences.extend(claimed.iter().map(|lane| (lane.id.clone(), lane.fence)));
            }
            (Mutation::Append { events, .. }, Reply::Appended(appended)) => {
                for (event, appended) in events.iter().zip(appended) {
                    let Appended::Fresh(legs) = appended else { continue };
                    let held = event
                        .legs
                        .iter()
                        .zip(legs)
                        .filter_map(|(new, leg)| Some((new.lane.clone(), leg.fence?)));
                    self.fences.extend(held);
                }
            }
            _ => {}
        }
    }
}

#[expect(clippy::many_single_char_names, reason = "five small numbers to pick by")]
fn mutation(known: &Known, (kind, [a, b, c, d, e]): Step, at: i64) -> Mutation {
    let org_of = |n: u8| if n % 4 == 3 { "o2" } else { "o1" };
    match kind % 30 {
        0..=5 => {
            let events = (0..=d % 2).map(|n| {
                let (org, installation, here) = if b % 8 == 7 {
                    ("o2", "i2", ["d1", "d2"])
                } else {
                    ("o1", "i1", [conversation_id(c % 4), "c2"])
                };
                let from = if e % 32 == 31 { conversation_id(b) } else { here[0] };
                let other = if d % 32 == 31 { "d1" } else { here[1] };
                let targets = [here[0], other];
                let targets = &targets[..=usize::from(e % 2)];
                let mut new = event(&event_id(a.wrapping_add(n)), org, installation, from, targets);
                new.event.received_ms = at;
                for leg in &mut new.legs {
                    leg.order = i64::from(e % 3);
                }
                if d % 3 == 0 {
                    new.payload = None;
                } else if let Some(payload) = &mut new.payload {
                    payload.slot = SlotId(u64::from(a % 8));
                }
                if e % 4 == 0 {
                    new.delivery_digest = Some(vec![a % 3]);
                    new.redelivery_until_ms = at + i64::from(b % 8);
                }
                new
            });
            let lease = lease(&owner(e), at, at + i64::from(d % 16));
            Mutation::Append { events: events.collect(), lease }
        }
        6..=12 => {
            let (leg, lane, fence) = known.leg(a, b, c);
            let to = match &lane {
                LaneId::Conversation(id) => id.as_str(),
                LaneId::Control(_) => conversation_id(b),
            };
            let mut row = Settlement { leg: leg.clone(), lane: lane.clone(), ..settlement("", to, fence) };
            row.receipt = receipt(if to.starts_with('d') { "o2" } else { "o1" }, leg.as_str(), "delivered");
            row.receipt.settled_ms = at;
            row.receipt.message = (e % 2 == 0).then(|| message_id(e).as_str().into());
            let home = if to.starts_with('d') { "d1" } else { conversation_id(b % 2) };
            let from = if d % 32 == 31 { conversation_id(b) } else { home };
            if d % 2 == 0 {
                row.original = Some(OriginalRow {
                    sent_ms: i64::from(e),
                    active_ms: i64::from(c),
                    thread_root: (e % 3 == 0).then(|| "r".into()),
                    ..original(from, &message_id(d))
                });
            } else if d % 3 == 0 {
                row.of = Some(key(from, &message_id(d)));
            }
            for part in 0..e % 3 {
                let mut new = copy(to, u32::from(part), &format!("x{}", (c.wrapping_add(part)) % 6));
                new.version = (a % 3 != 0).then_some(Version(i64::from(e % 4)));
                new.fingerprint = (a % 2 == 0).then(|| vec![c]);
                new.edits = u32::from(d % 3);
                row.copies.push(new);
            }
            if e % 5 == 4 {
                row.removed_copies = vec![key(to, &format!("x{}", c % 6)), key(to, &format!("x{}", a % 6))];
            }
            row.original_gone = e % 7 >= 5;
            row.tombstone = (e % 6 == 5).then(|| TombstoneRow {
                revived_ms: i64::from(d % 3) * at,
                ..tombstone(from, &message_id(a), at + i64::from(c % 9))
            });
            row.dead_letter = (c % 6 == 5).then(|| {
                let mut letter = dead(leg.as_str(), to);
                if a % 8 == 7 {
                    letter.event.org = "o2".into();
                }
                letter.died_ms = at / 3;
                letter
            });
            settle(row)
        }
        13 | 14 => {
            let (leg, lane, fence) = known.leg(a, b, c);
            let made = copy(conversation_id(b), u32::from(d % 3), &format!("x{}", e % 6));
            Mutation::Progress { leg, lane, fence, copy: made }
        }
        15 => {
            let (leg, lane, fence) = known.leg(a, b, c);
            let not_before_ms = i64::from(e);
            Mutation::Defer { leg, lane, fence, attempts: u32::from(d), not_before_ms, code: "X".to_owned() }
        }
        16 | 17 => Mutation::ClaimLanes {
            lease: lease(&owner(a), at, at + i64::from(b % 16)),
            lanes: (0..c % 3).map(|n| lane(conversation_id(d.wrapping_add(n)))).collect(),
            limit: u32::from(e % 4),
        },
        18 => Mutation::ReleaseLanes { owner: owner(a), lanes: vec![lane(conversation_id(b))] },
        19 => Mutation::Shred { received_before_ms: at - i64::from(a % 16), limit: u32::from(b % 4) },
        20 => Mutation::Expire {
            now_ms: at,
            receipts_before_ms: at - i64::from(a % 16),
            limit: u32::from(b % 4),
        },
        21 => Mutation::Replay {
            dead_letter: known.dead(a),
            event: event_id(c).as_str().into(),
            leg: leg_of(c, b).0,
            now_ms: at,
        },
        22 => Mutation::DropDeadLetter(known.dead(a)),
        23 => {
            let members = [conversation_id(b), conversation_id(c)];
            let id = format!("b{}", a % 3);
            match d % 4 {
                3 => Mutation::SetNotices {
                    bridge: id.as_str().into(),
                    notices: [Notices::Off, Notices::Digest, Notices::On][usize::from(e % 3)],
                },
                0 => Mutation::AddBridge(bridge(&id, org_of(e), &members)),
                1 => Mutation::SetMembers {
                    bridge: id.as_str().into(),
                    members: members.map(Into::into).into(),
                    since_ms: (d > 4).then_some(i64::from(e)),
                    backfill_ms: members
                        .map(|id| (id.into(), i64::from(e)))
                        .into_iter()
                        .take(usize::from(e % 3))
                        .collect(),
                    joined_by: (d > 4).then(|| (members[0].into(), "m1".into())),
                },
                _ => {
                    let states = [BridgeState::Active, BridgeState::Paused, BridgeState::Ended];
                    Mutation::SetBridge {
                        bridge: id.as_str().into(),
                        state: states[usize::from(e % 3)],
                        since_ms: (d > 4).then_some(i64::from(e)),
                    }
                }
            }
        }
        24 => {
            let mut row = account(org_of(a), ["i1", "i2"][usize::from(b % 2)], &format!("u{}", c % 3));
            row.person = (d % 2 == 0).then(|| "p".into());
            row.email_digest = (e % 3 != 0).then(|| vec![e % 3]);
            Mutation::PutAccount(row)
        }
        25 => Mutation::DropAccount {
            installation: ["i1", "i2"][usize::from(b % 2)].into(),
            user: format!("u{}", c % 3).as_str().into(),
        },
        26 => match a % 4 {
            0 => Mutation::SeenUntil { conversation: conversation_id(b).into(), seen_until_ms: i64::from(c) },
            1 => Mutation::PutToken(token(["i1", "i9"][usize::from(b % 2)], &owner(c))),
            2 => Mutation::DropTokens { installation: "i1".into(), slot: (b % 2 == 0).then(|| owner(c)) },
            _ => Mutation::Audit(audit([None, Some("o1"), Some("o9")][usize::from(b % 3)], &owner(c))),
        },
        27 => match a % 4 {
            0 => Mutation::PutOrg(OrgRow {
                name: format!("Org o{}", c % 4),
                ..org(&format!("o{}", 1 + b % 3))
            }),
            1 => Mutation::PutApp(app(&format!("a{}", 1 + b % 3), org_of(c))),
            2 => {
                let id = format!("i{}", 1 + b % 3);
                Mutation::PutInstallation(installation(&id, org_of(c), &format!("a{}", 1 + d % 3)))
            }
            _ => {
                let mut row = conversation(conversation_id(b), org_of(c), ["i1", "i2"][usize::from(d % 2)]);
                row.remote = format!("R-{}", conversation_id(e)).as_str().into();
                Mutation::PutConversation(row)
            }
        },
        28 => {
            let (leg, lane, fence) = known.leg(a, b, c);
            let home = match &lane {
                LaneId::Conversation(id) if id.as_str().starts_with('d') => "d1",
                _ => conversation_id(b % 2),
            };
            let at = if d % 32 == 31 { conversation_id(b) } else { home };
            let row = |n: u8| ReactionRow {
                standing: if n.is_multiple_of(2) { Standing::Set } else { Standing::Unset },
                at_ms: i64::from(n),
                until_ms: 1_000 + 40 * i64::from(n),
                ..reaction(at, n.is_multiple_of(3), &format!("u{}", n % 2), n % 2)
            };
            let rows: Vec<_> = (0..e % 3).map(|n| row(c.wrapping_add(n))).collect();
            let gone = (0..e % 2).map(|n| row(d.wrapping_add(n)).key).collect();
            let kept_until_ms = 1_000 + 50 * i64::from(e);
            Mutation::React { leg, lane, fence, of: key(home, &message_id(d)), rows, gone, kept_until_ms }
        }
        // Rare: what follows has little left to work on.
        _ if a % 32 == 0 => Mutation::DropOrg(org_of(b).into()),
        _ if a % 32 == 1 => Mutation::Forget(["i1", "i2"][usize::from(b % 2)].into()),
        _ => Mutation::ReleaseLanes { owner: owner(a), lanes: vec![lane(conversation_id(b))] },
    }
}

/// What reads tell of the message map.
async fn map(store: &dyn Store) -> Vec<String> {
    let mut out = Vec::new();
    for n in 0..8 {
        let id = conversation_id(n).into();
        for m in 0..6 {
            let (message, made) = (message_id(m).as_str().into(), format!("x{m}").as_str().into());
            out.push(format!("{:?}", store.original(&id, &message).await.unwrap()));
            out.push(format!("{:?}", store.tombstone(&id, &message).await.unwrap()));
            out.push(format!("{:?}", store.original_of_copy(&id, &made).await.unwrap()));
            for to in 0..4 {
                let to = conversation_id(to).into();
                out.push(format!("{:?}", store.copies((&id, &message), &to).await.unwrap()));
            }
        }
    }
    out
}

/// Everything that reads tell.
pub(crate) async fn dump(store: &dyn Store) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    macro_rules! note {
        ($($read:expr),* $(,)?) => {$(
            writeln!(out, "{} {:?}", stringify!($read), $read.await.unwrap()).unwrap();
        )*};
    }
    note!(
        store.orgs(),
        store.apps(),
        store.installations(),
        store.conversations(),
        store.bridges(),
        store.named_slots(),
        store.counts(),
        store.dead_letters(None, 1_000),
        store.dead_letters(Some(&"o1".into()), 2),
        store.receipts(None, None, 1_000),
        store.receipts(Some(&"o2".into()), None, 3),
        store.receipts(Some(&"o1".into()), Some(&"m2".into()), 3),
        store.audit(1_000),
        store.lanes(None, 1_000),
        store.lanes(Some(&lane("c2")), 1),
        store.accounts_of(&"o1".into(), &"p".into()),
    );
    for n in 0..8 {
        let id = conversation_id(n).into();
        note!(store.legs(&lane(conversation_id(n)), None, 1_000), store.originals_since(&id, 0, 1_000));
        note!(store.originals_since(&id, 50, 2), store.legs(&lane(conversation_id(n)), Some((1, 3)), 2));
        for m in 0..6 {
            let (message, made) = (message_id(m).as_str().into(), format!("x{m}").as_str().into());
            note!(store.original(&id, &message), store.tombstone(&id, &message));
            note!(store.original_of_copy(&id, &made), store.reactions((&id, &message)));
            note!(store.is_known(&id, &message), store.is_known(&id, &made));
            for to in 0..4 {
                note!(store.copies((&id, &message), &conversation_id(to).into()));
            }
        }
    }
    for n in 0..EVENTS {
        note!(store.payload(&format!("e{n}").as_str().into()));
    }
    for installation in ["i1", "i2"] {
        let id = installation.into();
        note!(store.accounts_by_email(&id, &[1]), store.token(&id, "w0"), store.token(&id, "w1"));
        for user in ["u0", "u1", "u2"] {
            note!(store.account(&id, &user.into()));
        }
    }
    out
}

/// Shows the first line that differs.
fn same(found: &str, expected: &str, what: &str) {
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "{what}");
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "{what}");
}

async fn compare(steps: Vec<Step>) {
    let (mut sqlite, mut model) = (Bench::sqlite(), Bench::model());
    set_up(&sqlite).await;
    set_up(&model).await;
    let mut known = Known::default();
    for (at, step) in (1_000_i64..).zip(steps) {
        let mutation = mutation(&known, step, at);
        let answers = (sqlite.commit(mutation.clone()).await, model.commit(mutation.clone()).await);
        let (ours, theirs) = (format!("{:?}", answers.0), format!("{:?}", answers.1));
        assert_eq!(ours, theirs, "{mutation:?}");
        if let Ok(reply) = answers.0 {
            known.look(model.store(), &mutation, &reply).await;
        }
    }
    // Nothing of this waits until the tables hold everything.
    assert_eq!(map(sqlite.store()).await, map(model.store()).await);
    let held = dump(model.store()).await;
    let killed = sqlite.as_if_killed();
    same(&dump(killed.store()).await, &held, "SQLite, from what was on the disk");
    same(&dump(sqlite.store()).await, &held, "SQLite");
    sqlite.reopen();
    model.reopen();
    same(&dump(sqlite.store()).await, &held, "SQLite, reopened");
    same(&dump(model.store()).await, &held, "the model, reopened");
}

/// `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(200), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sqlite_and_the_model_agree(steps in proptest::collection::vec(any::<Step>(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps));
    }
}
