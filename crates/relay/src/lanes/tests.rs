use dragoman_store::EventRow;

use super::*;
use crate::leg::LiveEvent;
use crate::rows;

fn leg(order: i64, message: &str, kind: EventKind) -> Arc<Leg> {
    let row = EventRow {
        id: format!("e{order}").into(),
        bridge: Some("b1".into()),
        conversation: Some("c1".into()),
        message: Some(message.into()),
        at_ms: order,
        received_ms: order,
        ..rows::event(kind)
    };
    let event = Arc::new(LiveEvent::new(row, true, None));
    Arc::new(Leg::new(format!("l{order}").into(), lane(), (order, order), event))
}

fn lane() -> LaneId {
    LaneId::Conversation("c2".into())
}

fn next(lanes: &mut Lanes, now: i64) -> Option<String> {
    match lanes.next(&lane(), now, 0, &|_| None) {
        Next::Run { leg, .. } => Some(leg.id.to_string()),
        Next::Rest => None,
        Next::Refill => Some("refill".into()),
        Next::Claim => Some("claim".into()),
    }
}

#[test]
fn legs_run_in_order_and_an_idle_lane_is_forgotten() {
    let mut lanes = Lanes::default();
    let (first, second) = (leg(1, "a", EventKind::Created), leg(2, "b", EventKind::Created));
    assert!(lanes.push(Arc::clone(&second), Some(7)));
    assert!(!lanes.push(Arc::clone(&first), Some(7)));
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("l1"));
    lanes.settled(&first);
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("l2"));
    lanes.settled(&second);
    assert_eq!(next(&mut lanes, 0), None);
    assert!(!lanes.knows(&lane()));
}

#[test]
fn a_failure_holds_the_lane_until_its_time() {
    let mut lanes = Lanes::default();
    let first = leg(1, "a", EventKind::Created);
    lanes.push(Arc::clone(&first), Some(1));
    lanes.deferred(&first, 500);
    assert_eq!(next(&mut lanes, 100), None);
    assert_eq!(lanes.next_due(), Some(500));
    assert_eq!(lanes.due(499), []);
    assert_eq!(lanes.due(500), [lane()]);
    assert_eq!(next(&mut lanes, 500).as_deref(), Some("l1"));
}

#[test]
fn a_neighbour_that_comes_late_within_the_window_goes_first() {
    let mut lanes = Lanes::default();
    let swapped =
        |order| Arc::new(Arc::into_inner(leg(order, "m", EventKind::Created)).unwrap().ready_at(300));
    let (second, first) = (swapped(2), swapped(1));
    lanes.push(Arc::clone(&second), Some(1));
    assert_eq!(next(&mut lanes, 0), None);
    assert_eq!(lanes.next_due(), Some(300));
    lanes.push(Arc::clone(&first), Some(1));
    assert_eq!(next(&mut lanes, 299), None);
    assert_eq!(next(&mut lanes, 300).as_deref(), Some("l1"));
    lanes.settled(&first);
    assert_eq!(next(&mut lanes, 300).as_deref(), Some("l2"));
}

#[test]
fn what_waits_beside_lets_others_pass_and_returns_when_one_settles() {
    let mut lanes = Lanes::default();
    let (edit, create) = (leg(1, "a", EventKind::Changed), leg(2, "a", EventKind::Created));
    lanes.push(Arc::clone(&edit), Some(1));
    lanes.push(Arc::clone(&create), Some(1));
    lanes.aside(&edit, 60_000);
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("l2"));
    assert!(lanes.creates(&lane(), &("c1".into(), "a".into())));
    lanes.settled(&create);
    assert_eq!(next(&mut lanes, 1).as_deref(), Some("l1"));
}

#[test]
fn later_legs_about_the_same_message_are_found() {
    let mut lanes = Lanes::default();
    let create = leg(1, "a", EventKind::Created);
    lanes.push(Arc::clone(&create), Some(1));
    lanes.push(leg(2, "a", EventKind::Changed), Some(1));
    lanes.push(leg(3, "b", EventKind::Deleted), Some(1));
    let found = lanes.superseding(&create);
    assert!(!found.deleted);
    assert_eq!(found.changed.map(|leg| leg.place), Some((2, 2)));
    lanes.push(leg(4, "a", EventKind::Deleted), Some(1));
    assert!(lanes.superseding(&create).deleted);
}

#[test]
fn what_does_not_fit_into_memory_is_read_from_the_store_later() {
    let mut lanes = Lanes::default();
    for order in 0..300 {
        lanes.push(leg(order, "a", EventKind::Created), Some(1));
    }
    for _ in 0..WINDOW {
        let Next::Run { leg, .. } = lanes.next(&lane(), 0, 0, &|_| None) else { panic!("a leg is ready") };
        lanes.settled(&leg);
    }
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("refill"));
    lanes.refill(&lane(), vec![leg(256, "a", EventKind::Created)], false);
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("l256"));
}

#[test]
fn the_head_of_a_recovered_lane_is_uncertain() {
    let mut lanes = Lanes::default();
    assert!(lanes.recover(&lane()));
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("claim"));
    lanes.claimed(&lane(), Some(1), 0);
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("refill"));
    lanes.refill(&lane(), vec![leg(1, "a", EventKind::Created), leg(2, "b", EventKind::Created)], false);
    let Next::Run { leg, .. } = lanes.next(&lane(), 0, 0, &|_| None) else { panic!("a leg is ready") };
    assert!(leg.doubt() == Doubt::Grave);
    lanes.settled(&leg);
    let Next::Run { leg, .. } = lanes.next(&lane(), 0, 0, &|_| None) else { panic!("a leg is ready") };
    assert!(leg.doubt() == Doubt::None);
}

#[test]
fn legs_of_a_source_that_catches_up_wait() {
    let mut lanes = Lanes::default();
    lanes.push(leg(5, "a", EventKind::Created), Some(1));
    assert!(matches!(lanes.next(&lane(), 9, 0, &|_| Some(i64::MAX)), Next::Rest));
    assert_eq!(lanes.resting(), [lane()]);
    assert_eq!(next(&mut lanes, 9).as_deref(), Some("l5"));
}

#[test]
fn doubt_reaches_whatever_may_have_been_under_way() {
    // Per leg, in order: append number, thread root; and the doubt that is cast.
    let (none, slight, grave) = (Doubt::None, Doubt::Slight, Doubt::Grave);
    let tables: [&[(i64, Option<&str>, Doubt)]; 4] = [
        // The head only.
        &[(1, None, grave), (2, None, none), (3, None, none)],
        // Two came in later with earlier places: the third was under way.
        &[(3, None, grave), (4, None, slight), (1, None, slight), (2, None, none)],
        // The first waits beside the lane: the second was under way.
        &[(1, Some("r"), grave), (2, None, slight), (3, None, none)],
        // Both: a reply was under way.
        &[(3, None, grave), (1, Some("r"), slight), (2, Some("r"), slight), (4, None, none)],
    ];
    for table in tables {
        let legs: Vec<_> = (0..)
            .zip(table)
            .map(|(order, (appended, root, _))| {
                let plain = leg(order, &format!("m{order}"), EventKind::Created);
                let row = EventRow { thread_root: root.map(Into::into), ..plain.event.row.clone() };
                let event = Arc::new(LiveEvent::new(row, true, None));
                Arc::new(Leg::new(plain.id.clone(), lane(), (order, *appended), event))
            })
            .collect();
        cast_doubt(&legs, &mut Reaches::new());
        let doubts: Vec<_> = legs.iter().map(|leg| leg.doubt()).collect();
        let wanted: Vec<_> = table.iter().map(|(.., doubt)| *doubt).collect();
        assert_eq!(doubts, wanted);
    }
}

#[test]
fn doubt_reaches_into_what_is_read_later() {
    let created = |order: i64, appended: i64| {
        let plain = leg(order, &format!("m{order}"), EventKind::Created);
        Arc::new(Leg::new(plain.id.clone(), lane(), (order, appended), Arc::clone(&plain.event)))
    };
    let (first, second) = ([created(1, 5), created(2, 6)], [created(3, 1), created(4, 2), created(5, 7)]);
    let mut reaches = Reaches::new();
    cast_doubt(&first, &mut reaches);
    cast_doubt(&second, &mut reaches);
    assert_eq!(reaches.into_values().collect::<Vec<_>>(), [1]);
    let doubts: Vec<_> = first.iter().chain(&second).map(|leg| leg.doubt()).collect();
    assert_eq!(doubts, [Doubt::Grave, Doubt::None, Doubt::Slight, Doubt::None, Doubt::None]);
}

#[test]
fn what_comes_in_while_the_store_is_read_is_not_forgotten() {
    let mut lanes = Lanes::default();
    lanes.recover(&lane());
    lanes.claimed(&lane(), Some(1), 0);
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("refill"));
    // Appended after the reading began: left to the store, and not in what was read.
    lanes.push(leg(2, "b", EventKind::Created), Some(1));
    let first = leg(1, "a", EventKind::Created);
    lanes.refill(&lane(), vec![Arc::clone(&first)], false);
    lanes.settled(&first);
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("refill"));
}

#[test]
fn a_lane_that_somebody_else_took_is_claimed_and_read_again() {
    let mut lanes = Lanes::default();
    lanes.push(leg(1, "a", EventKind::Created), Some(1));
    assert_eq!(next(&mut lanes, 0).as_deref(), Some("l1"));
    lanes.lost(&lane(), 500);
    assert_eq!(next(&mut lanes, 0), None);
    assert_eq!(lanes.due(500), [lane()]);
    assert_eq!(next(&mut lanes, 500).as_deref(), Some("claim"));
    lanes.claimed(&lane(), Some(3), 0);
    assert_eq!(next(&mut lanes, 500).as_deref(), Some("refill"));
}

#[test]
fn a_lane_whose_task_died_goes_on() {
    let mut lanes = Lanes::default();
    assert!(lanes.push(leg(1, "a", EventKind::Created), Some(1)));
    lanes.stumbled(&lane(), 500);
    assert_eq!(lanes.due(500), [lane()]);
    assert_eq!(next(&mut lanes, 500).as_deref(), Some("l1"));
}

fn from(source: &str, order: i64) -> Arc<Leg> {
    let plain = leg(order, &format!("m{order}"), EventKind::Created);
    let row = EventRow { conversation: Some(source.into()), ..plain.event.row.clone() };
    let event = Arc::new(LiveEvent::new(row, true, None));
    Arc::new(Leg::new(plain.id.clone(), lane(), (order, order), event))
}

#[test]
fn other_sources_wait_for_one_that_catches_up_but_not_for_ever() {
    let mut lanes = Lanes::default();
    let legs = [from("c1", 1), from("c3", 2), from("c1", 3), from("c3", 4)];
    for leg in &legs {
        lanes.push(Arc::clone(leg), Some(1));
    }
    let next = |lanes: &mut Lanes, now, busy: &[&str]| {
        let catching_up = |leg: &Leg| {
            let source = leg.event.row.conversation.as_ref()?;
            busy.contains(&source.as_str()).then_some(500)
        };
        match lanes.next(&lane(), now, 0, &catching_up) {
            Next::Run { leg, .. } => Some(leg.place.0),
            _ => None,
        }
    };
    assert_eq!(next(&mut lanes, 100, &["c1"]), None);
    assert_eq!(lanes.next_due(), Some(500));
    assert_eq!(lanes.due(500), [lane()]);
    assert_eq!(next(&mut lanes, 500, &["c1"]), Some(2));
    lanes.settled(&legs[1]);
    assert_eq!(next(&mut lanes, 500, &["c1", "c3"]), None);
    // The end of catching up wakes the lane, timer or not.
    assert_eq!(lanes.resting(), [lane()]);
    assert_eq!(next(&mut lanes, 600, &["c1"]), Some(4));
    lanes.settled(&legs[3]);
    assert_eq!(next(&mut lanes, 600, &["c1"]), None);
    assert_eq!(lanes.resting(), [lane()]);
    assert_eq!(next(&mut lanes, 600, &[]), Some(1));
}

#[test]
fn what_waits_for_its_source_does_not_hide_what_the_store_holds_behind_it() {
    let mut lanes = Lanes::default();
    lanes.recover(&lane());
    lanes.claimed(&lane(), Some(1), 0);
    let catching_up = |leg: &Leg| (leg.event.row.conversation == Some("c1".into())).then_some(0);
    let mut read = 0;
    // The store has 300 legs of one source, and then one of another.
    loop {
        match lanes.next(&lane(), 10, 0, &catching_up) {
            Next::Refill => {
                read += 1;
                let limit = i64::from(lanes.refill_limit(&lane()));
                let legs: Vec<_> =
                    (0..limit.min(301)).map(|n| from(if n < 300 { "c1" } else { "c3" }, n)).collect();
                lanes.refill(&lane(), legs, limit <= 301);
            }
            Next::Run { leg, .. } => {
                assert_eq!(leg.place.0, 300);
                break;
            }
            _ => panic!("it rests"),
        }
    }
    assert_eq!(read, 2);
}

#[test]
fn doubt_reaches_into_what_overtook_a_source_that_was_catching_up() {
    let legs = [from("c1", 1), from("c1", 2), from("c3", 3), from("c3", 4)];
    cast_doubt(&legs, &mut Reaches::new());
    let doubts: Vec<_> = legs.iter().map(|leg| leg.doubt()).collect();
    assert_eq!(doubts, [Doubt::Grave, Doubt::None, Doubt::Slight, Doubt::None]);
}

#[test]
fn of_two_legs_in_doubt_the_later_one_waits_for_the_other() {
    let mut lanes = Lanes::default();
    let (first, second) = (from("c1", 1), from("c1", 2));
    lanes.push(Arc::clone(&first), Some(1));
    lanes.push(Arc::clone(&second), Some(1));
    assert!(!lanes.may_be_sent(&lane(), 9));
    first.set_doubt(Doubt::Grave);
    second.set_doubt(Doubt::Slight);
    // By append number, whenever they were accepted: never itself, nor what is later.
    let found: Vec<_> = (1..=3).map(|before| lanes.may_be_sent(&lane(), before)).collect();
    assert_eq!(found, [false, true, true]);
    assert_eq!(lanes.awaiting(&lane(), 3), None);
    first.awaits.store(true, Ordering::Relaxed);
    assert_eq!(lanes.awaiting(&lane(), 3), Some(1));
    first.set_doubt(Doubt::None);
    assert_eq!(lanes.awaiting(&lane(), 3), None);
}

#[test]
fn what_waits_for_an_answer_holds_its_source_and_others_for_a_while() {
    let mut lanes = Lanes::default();
    let legs = [from("c1", 5), from("c1", 6), from("c3", 7), from("c1", 8)];
    for leg in &legs {
        lanes.push(Arc::clone(leg), Some(1));
    }
    lanes.awaits(&legs[0], 100, 150, 0);
    assert_eq!(next(&mut lanes, 100), None);
    assert_eq!(lanes.next_due(), Some(150));
    assert_eq!(lanes.due(150), [lane()]);
    assert_eq!(next(&mut lanes, 150).as_deref(), Some("l5"));
    // It waits on, and after five seconds what others say goes on.
    let mut now_ms = 150;
    while now_ms < 5_100 {
        lanes.awaits(&legs[0], now_ms, now_ms + 500, 0);
        assert_eq!(next(&mut lanes, now_ms), None);
        assert_eq!(lanes.due(now_ms + 500).len(), 1);
        now_ms += 500;
    }
    lanes.awaits(&legs[0], now_ms, now_ms + 500, 0);
    assert_eq!(next(&mut lanes, now_ms).as_deref(), Some("l7"));
    lanes.settled(&legs[2]);
    assert_eq!(next(&mut lanes, now_ms), None);
    assert_eq!(lanes.due(now_ms + 500), [lane()]);
    assert_eq!(next(&mut lanes, now_ms + 500).as_deref(), Some("l5"));
}

#[test]
fn what_waits_lets_pass_what_is_in_doubt_and_waited_for() {
    let mut lanes = Lanes::default();
    let legs = [from("c1", 5), from("c1", 6), from("c1", 7)];
    let placed = |leg: &Arc<Leg>, seq| {
        Arc::new(Leg::new(leg.id.clone(), lane(), (leg.place.0, seq), Arc::clone(&leg.event)))
    };
    // The first was found by catching up, and appended last.
    let (found, doubtful, plain) = (placed(&legs[0], 9), placed(&legs[1], 1), placed(&legs[2], 2));
    doubtful.set_doubt(Doubt::Grave);
    for leg in [&found, &doubtful, &plain] {
        lanes.push(Arc::clone(leg), Some(1));
    }
    lanes.awaits(&found, 100, 6_000, 3);
    assert_eq!(next(&mut lanes, 5_099), None);
    assert_eq!(next(&mut lanes, 5_100).as_deref(), Some("l6"));
    // What waits itself does not go before itself, and what is not in doubt not at all.
    lanes.awaits(&doubtful, 5_100, 6_000, 3);
    assert_eq!(next(&mut lanes, 5_101), None);
    lanes.awaits(&found, 5_102, 6_000, 3);
    lanes.settled(&doubtful);
    assert_eq!(next(&mut lanes, 5_103), None);
    assert_eq!(next(&mut lanes, 6_000).as_deref(), Some("l5"));
}
