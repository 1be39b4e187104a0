//! What every store does, each as one check that runs over each of them.

use dragoman_model::{RemoteMessage, SlotId, Version};
use dragoman_store::{
    Amendment, Appended, AppendedLeg, BridgePast, BridgeRow, BridgeState, ClaimedLane, Counts, DeadLetterRow,
    LaneId, Mutation, Notices, OriginalRow, ReactionKey, ReactionRow, Reply, Settled, Settlement as Settle,
    Standing, StoreError, TombstoneRow, WatchColumns,
};

use crate::bench::Bench;
use crate::rows::*;

macro_rules! conformance {
    ($($check:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $check() {
                super::$check(&mut crate::bench::Bench::sqlite()).await;
            })*
        }
        mod model {
            $(#[tokio::test]
            async fn $check() {
                super::$check(&mut crate::bench::Bench::model()).await;
            })*
        }
    };
}

conformance! {
    what_is_put_is_read
    what_is_put_again_is_replaced
    names_and_remote_ids_are_unique
    rows_stay_in_their_organisation
    tokens_go_one_by_one_or_all
    the_mark_of_a_conversation_moves_on_only
    amendments_leave_the_rest
    by_which_command_a_member_is_there_is_known_as_long_as_it_is
    what_people_end_frees_its_members_and_is_remembered
    a_conversation_is_in_one_living_bridge
    who_joins_brings_what_was_asked_for
    accounts_are_found_and_keep_their_person
    an_event_is_appended_with_its_legs
    a_redelivery_is_recognised_while_it_is_remembered
    a_batch_is_appended_whole_or_not_at_all
    legs_come_by_order_then_by_acceptance
    lanes_with_work_are_listed_page_by_page
    appending_claims_lanes_that_nobody_holds
    claims_end_and_fences_grow
    a_stale_owner_writes_nothing
    progress_and_deferral_are_kept_with_the_leg
    the_last_settlement_removes_the_event
    settling_twice_is_noticed
    the_map_ties_originals_and_copies
    a_copy_never_shows_an_older_state
    an_original_goes_with_its_last_copy
    a_copy_belongs_to_one_original
    the_latest_of_a_reaction_holds
    reactions_are_kept_for_a_time
    reactions_go_with_their_original
    tombstones_stand_until_their_time
    originals_are_found_by_time
    shredding_takes_payloads_only
    expiry_forgets_in_portions
    a_dead_letter_is_replayed_or_dropped
    operators_see_the_newest_first
    dropping_an_organisation_leaves_no_row
    everything_is_there_after_reopening
}

async fn what_is_put_is_read(bench: &mut Bench) {
    set_up(bench).await;
    let store = bench.store();
    assert_eq!(store.orgs().await.unwrap(), [org("o1"), org("o2")]);
    assert_eq!(store.apps().await.unwrap(), [app("a1", "o1"), app("a2", "o2")]);
    assert_eq!(store.app(&"a2".into()).await.unwrap(), Some(app("a2", "o2")));
    assert_eq!(store.app(&"a3".into()).await.unwrap(), None);
    let installations = [installation("i1", "o1", "a1"), installation("i2", "o2", "a2")];
    assert_eq!(store.installations().await.unwrap(), installations);
    assert_eq!(store.installation(&"i1".into()).await.unwrap().as_ref(), Some(&installations[0]));
    assert_eq!(store.conversations().await.unwrap().len(), 6);
    assert_eq!(store.conversation(&"d1".into()).await.unwrap(), Some(conversation("d1", "o2", "i2")));
    assert_eq!(store.bridges().await.unwrap(), [bridge("b1", "o1", &["c1", "c2", "c3"])]);
}

async fn what_is_put_again_is_replaced(bench: &mut Bench) {
    set_up(bench).await;
    let mut changed = org("o1");
    "Renamed".clone_into(&mut changed.name);
    changed.wrapped_keys.insert(11, vec![8]);
    bench.done(Mutation::PutOrg(changed.clone())).await;
    let mut moved = app("a1", "o1");
    moved.sealed_secrets.clear();
    bench.done(Mutation::PutApp(moved.clone())).await;
    let mut troubled = installation("i1", "o1", "a1");
    troubled.trouble = Some("signed out".to_owned());
    bench.done(Mutation::PutInstallation(troubled.clone())).await;
    let mut watched = conversation("c1", "o1", "i1");
    watched.watch_id = Some("sub".to_owned());
    watched.external = true;
    bench.done(Mutation::PutConversation(watched.clone())).await;

    let store = bench.store();
    assert_eq!(store.orgs().await.unwrap()[0], changed);
    assert_eq!(store.app(&"a1".into()).await.unwrap(), Some(moved));
    assert_eq!(store.installation(&"i1".into()).await.unwrap(), Some(troubled));
    assert_eq!(store.conversation(&"c1".into()).await.unwrap(), Some(watched));
}

async fn names_and_remote_ids_are_unique(bench: &mut Bench) {
    set_up(bench).await;
    let mut twin = org("o3");
    "Org o1".clone_into(&mut twin.name);
    assert_eq!(bench.refused(Mutation::PutOrg(twin)).await, "exists org Org o1");
    let mut twin = installation("i9", "o1", "a1");
    twin.workspace = "W-i1".into();
    assert_eq!(bench.refused(Mutation::PutInstallation(twin)).await, "exists installation W-i1");
    let mut twin = conversation("c9", "o1", "i1");
    twin.remote = "R-c1".into();
    assert_eq!(bench.refused(Mutation::PutConversation(twin)).await, "exists conversation R-c1");
}

async fn rows_stay_in_their_organisation(bench: &mut Bench) {
    set_up(bench).await;
    let foreign = [
        (Mutation::PutApp(app("a3", "o9")), "missing org o9"),
        (Mutation::PutApp(app("a1", "o2")), "exists app a1"),
        (Mutation::PutInstallation(installation("i3", "o1", "a2")), "missing app a2"),
        (Mutation::PutConversation(conversation("c9", "o1", "i2")), "missing installation i2"),
        (Mutation::PutConversation(conversation("c1", "o2", "i2")), "exists conversation c1"),
        (Mutation::PutToken(token("i9", "app")), "missing installation i9"),
        (Mutation::AddBridge(bridge("b2", "o1", &["c4", "d1"])), "missing conversation d1"),
        (Mutation::PutAccount(account("o1", "i2", "u")), "missing installation i2"),
        (Mutation::Audit(audit(Some("o9"), "x")), "missing org o9"),
        (append(vec![event("e", "o1", "i2", "c1", &["c2"])]), "missing installation i2"),
        (append(vec![event("e", "o1", "i1", "d1", &["c2"])]), "missing conversation d1"),
        (append(vec![event("e", "o1", "i1", "c1", &["c2", "d2"])]), "missing conversation d2"),
    ];
    for (mutation, why) in foreign {
        assert_eq!(bench.refused(mutation).await, why);
    }
    appended(bench, "e", &["c2"]).await;
    let settlements = [
        (
            Settle { original: Some(original("d1", "m")), ..settlement("e-c2", "c2", 1) },
            "missing conversation d1",
        ),
        (
            Settle {
                original: Some(original("c1", "m")),
                copies: vec![copy("d1", 0, "x")],
                ..settlement("e-c2", "c2", 1)
            },
            "missing conversation d1",
        ),
        (
            Settle { tombstone: Some(tombstone("d1", "m", 9)), ..settlement("e-c2", "c2", 1) },
            "missing conversation d1",
        ),
        (
            Settle { removed_copies: vec![key("d1", "x")], ..settlement("e-c2", "c2", 1) },
            "missing conversation d1",
        ),
        (
            Settle { receipt: receipt("o2", "e-c2", "dropped"), ..settlement("e-c2", "c2", 1) },
            "missing org o2",
        ),
    ];
    for (settlement, why) in settlements {
        assert_eq!(bench.refused(settle(settlement)).await, why);
    }
    let counts = bench.store().counts().await.unwrap();
    assert_eq!(counts, Counts { events: 1, payloads: 1, legs: 1, ..Counts::default() });
    assert_eq!(bench.store().receipts(None, None, 9).await.unwrap(), []);
}

async fn tokens_go_one_by_one_or_all(bench: &mut Bench) {
    set_up(bench).await;
    for slot in ["app", "p1", "p2"] {
        bench.done(Mutation::PutToken(token("i1", slot))).await;
    }
    let mut renewed = token("i1", "p1");
    renewed.sealed_access = vec![42];
    renewed.sealed_refresh = None;
    bench.done(Mutation::PutToken(renewed.clone())).await;
    let at = async |slot: &str| bench.store().token(&"i1".into(), slot).await.unwrap();
    assert_eq!(at("p1").await, Some(renewed));
    let drop = |slot: Option<&str>| Mutation::DropTokens {
        installation: "i1".into(),
        slot: slot.map(str::to_owned),
    };
    bench.done(drop(Some("p2"))).await;
    assert!(at("p2").await.is_none() && at("app").await.is_some());
    bench.done(drop(None)).await;
    assert!(at("p1").await.is_none() && at("app").await.is_none());
}

async fn the_mark_of_a_conversation_moves_on_only(bench: &mut Bench) {
    set_up(bench).await;
    let until = |ms| Mutation::SeenUntil { conversation: "c1".into(), seen_until_ms: ms };
    let mark = async || bench.store().conversation(&"c1".into()).await.unwrap().unwrap().seen_until_ms;
    bench.done(until(500)).await;
    bench.done(until(400)).await;
    assert_eq!(mark().await, 500);
    // A row that somebody read before the mark moved and writes after.
    bench.done(Mutation::PutConversation(conversation("c1", "o1", "i1"))).await;
    assert_eq!(mark().await, 500);
    let unknown = Mutation::SeenUntil { conversation: "c9".into(), seen_until_ms: 1 };
    assert_eq!(bench.refused(unknown).await, "missing conversation c9");
}

async fn amendments_leave_the_rest(bench: &mut Bench) {
    set_up(bench).await;
    let amend = |conversation: &str, amendment: Amendment| Mutation::Amend {
        conversation: conversation.into(),
        amendment,
    };
    let facts = |facts: &[(&str, Option<&str>)]| {
        facts.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
    };
    let mut wanted = conversation("c1", "o1", "i1");
    let watch = WatchColumns { id: Some("sub".to_owned()), renew_ms: Some(7), expires_ms: None };
    let renewed =
        Amendment { watch: Some(watch), facts: facts(&[("seen", Some("x"))]), ..Amendment::default() };
    bench.done(amend("c1", renewed)).await;
    let blocked =
        Amendment { facts: facts(&[("peer", Some("blocked")), ("none", None)]), ..Amendment::default() };
    bench.done(amend("c1", blocked)).await;
    wanted.watch_id = Some("sub".to_owned());
    (wanted.watch_renew_ms, wanted.watch_expires_ms) = (Some(7), None);
    wanted.facts.insert("seen".to_owned(), "x".to_owned());
    wanted.facts.insert("peer".to_owned(), "blocked".to_owned());
    assert_eq!(bench.store().conversation(&"c1".into()).await.unwrap(), Some(wanted.clone()));

    let moved = Amendment {
        remote: Some("R-new".into()),
        kind: Some("direct".to_owned()),
        sealed_name: Some(b"another".to_vec()),
        external: Some(true),
        facts: facts(&[("peer", None)]),
        watch: None,
    };
    bench.done(amend("c1", moved)).await;
    wanted.facts.remove("peer");
    "direct".clone_into(&mut wanted.kind);
    (wanted.remote, wanted.external) = ("R-new".into(), true);
    wanted.sealed_name = b"another".to_vec();
    assert_eq!(bench.store().conversation(&"c1".into()).await.unwrap(), Some(wanted));
    let taken = Amendment { remote: Some("R-new".into()), ..Amendment::default() };
    assert_eq!(bench.refused(amend("c2", taken)).await, "exists conversation R-new");
    assert_eq!(bench.refused(amend("c9", Amendment::default())).await, "missing conversation c9");
}

async fn by_which_command_a_member_is_there_is_known_as_long_as_it_is(bench: &mut Bench) {
    set_up(bench).await;
    for (members, by, left) in [
        (&["c1", "c2"][..], None, &[][..]),
        (&["c1", "c2", "c3"], Some("c3"), &["c3"]),
        (&["c1", "c3"], None, &["c3"]),
        (&["c1", "c3", "c2"], Some("c2"), &["c2", "c3"]),
        (&["c1", "c2"], None, &["c2"]),
        (&["c1", "c2", "c3"], None, &["c2"]),
        (&["c1", "c2", "c3"], Some("c4"), &["c2"]),
    ] {
        let mut set = set_members("b1", members, Some(30), &[]);
        if let Mutation::SetMembers { joined_by, .. } = &mut set {
            *joined_by = by.map(|who| (who.into(), "m2".into()));
        }
        bench.done(set).await;
        bench.reopen();
        let stored = bench.store().bridges().await.unwrap().into_iter().find(|row| row.id == "b1".into());
        let known = left.iter().map(|who| ((*who).into(), "m2".into())).collect();
        assert_eq!(stored.map(|row| row.past.joined_by), Some(known), "{members:?} by {by:?}");
    }
}

async fn what_people_end_frees_its_members_and_is_remembered(bench: &mut Bench) {
    set_up(bench).await;
    let mut talk = BridgeRow { talk: Some("t1".to_owned()), ..bridge("b2", "o1", &["c4"]) };
    talk.past.opened_by = Some(("c4".into(), "m1".into()));
    bench.done(Mutation::AddBridge(talk.clone())).await;
    bench.reopen();
    let stored = bench.store().bridges().await.unwrap().into_iter().find(|row| row.id == "b2".into());
    assert_eq!(stored, Some(talk.clone()));
    let by = Some(("c4".into(), 40));
    bench.done(Mutation::EndTalk { bridge: "b2".into(), by, at_ms: 50 }).await;
    let ended = bench.store().bridges().await.unwrap().into_iter().find(|row| row.id == "b2".into()).unwrap();
    assert_eq!((ended.state, ended.talk.as_deref()), (BridgeState::Ended, Some("t1")));
    assert_eq!((ended.ended_ms(), ended.past.left_ms.get(&"c4".into())), (Some(50), Some(&40)));
    assert_eq!(ended.past.opened_by, talk.past.opened_by);
    bench.done(Mutation::AddBridge(bridge("b3", "o1", &["c4"]))).await;
    let unknown = Mutation::EndTalk { bridge: "b9".into(), by: None, at_ms: 1 };
    assert_eq!(bench.refused(unknown).await, "missing bridge b9");
}

async fn a_conversation_is_in_one_living_bridge(bench: &mut Bench) {
    set_up(bench).await;
    let set = |state| Mutation::SetBridge { bridge: "b1".into(), state, since_ms: None };
    let members = |bridge: &str, members: &[&str]| set_members(bridge, members, None, &[]);
    let second = Mutation::AddBridge(bridge("b2", "o1", &["c3", "c4"]));
    assert_eq!(bench.refused(second.clone()).await, "exists bridge_member c3");
    bench.done(set(BridgeState::Paused)).await;
    assert_eq!(bench.refused(second.clone()).await, "exists bridge_member c3");
    bench.done(set(BridgeState::Ended)).await;
    bench.done(second).await;
    assert_eq!(bench.refused(set(BridgeState::Active)).await, "exists bridge_member c3");
    bench.done(members("b1", &["c2", "c1"])).await;
    bench.done(set(BridgeState::Active)).await;
    assert_eq!(bench.refused(members("b1", &["c1", "c4"])).await, "exists bridge_member c4");
    assert_eq!(bench.refused(members("b1", &["c1", "c1"])).await, "exists bridge_member c1");
    assert_eq!(bench.refused(members("b9", &["c1"])).await, "missing bridge b9");
    assert_eq!(bench.refused(Mutation::AddBridge(bridge("b1", "o1", &[]))).await, "exists bridge b1");
    let bridges = bench.store().bridges().await.unwrap();
    assert_eq!(bridges, [bridge("b1", "o1", &["c2", "c1"]), bridge("b2", "o1", &["c3", "c4"])]);

    let notices = |bridge: &str, notices| Mutation::SetNotices { bridge: bridge.into(), notices };
    assert_eq!(bench.refused(notices("b9", Notices::On)).await, "missing bridge b9");
    bench.done(notices("b1", Notices::On)).await;
    bench.done(notices("b1", Notices::Digest)).await;
    bench.done(set(BridgeState::Active)).await;
    let bridges = bench.store().bridges().await.unwrap();
    assert_eq!(bridges.iter().map(|row| row.notices).collect::<Vec<_>>(), [Notices::Digest, Notices::Off]);
    bench.done(notices("b1", Notices::Off)).await;

    let resume = Mutation::SetBridge { bridge: "b1".into(), state: BridgeState::Active, since_ms: Some(20) };
    bench.done(resume).await;
    bench.done(set_members("b2", &["c4", "c3"], Some(30), &[])).await;
    let since = |bridge: &BridgeRow| (bridge.since_ms, bridge.past.clone());
    let bridges: Vec<_> = bench.store().bridges().await.unwrap().iter().map(since).collect();
    let joined = BridgePast {
        joined_ms: [("c1".into(), 25), ("c4".into(), 30)].into(),
        left_ms: [("c1".into(), 30)].into(),
        ..BridgePast::default()
    };
    // Both were there from the beginning.
    assert_eq!(bridges, [(20, BridgePast::default()), (8, BridgePast::default())]);
    bench.done(Mutation::SetBridge { bridge: "b1".into(), state: BridgeState::Ended, since_ms: None }).await;
    bench.done(set_members("b2", &["c3", "c1"], Some(25), &[])).await;
    bench.done(set_members("b2", &["c3", "c4"], Some(30), &[])).await;
    for (state, at_ms) in [(BridgeState::Paused, 40), (BridgeState::Paused, 41), (BridgeState::Active, 50)] {
        bench.done(Mutation::SetBridge { bridge: "b2".into(), state, since_ms: Some(at_ms) }).await;
    }
    let bridges = bench.store().bridges().await.unwrap();
    assert_eq!(since(&bridges[1]), (50, BridgePast { earlier: Some((8, 40)), ..joined }));
    let relays = |from: &str, to: &str, sent_ms| bridges[1].relays(&from.into(), &to.into(), sent_ms);
    assert!(!relays("c3", "c4", 29) && !relays("c4", "c3", 29));
    assert!(relays("c3", "c4", 30) && relays("c3", "c4", 39) && !relays("c3", "c4", 40));
    assert!(!relays("c3", "c4", 49) && relays("c3", "c4", 50));
    // Who left was not there before they came either.
    assert!(!relays("c1", "c3", 24) && relays("c1", "c3", 25));
    assert!(!relays("c3", "c3", 7) && relays("c3", "c3", 8));

    let mut late = bridge("b3", "o1", &["c1", "c2"]);
    late.created_ms = 60;
    late.since_ms = 60;
    late.past.backfill_ms = [("c1".into(), 20)].into();
    late.past.backfill_due = ["c1".into()].into();
    bench.done(Mutation::AddBridge(late.clone())).await;
    let stored = bench.store().bridges().await.unwrap().pop().unwrap();
    assert_eq!(stored, late);
    let relays = |from: &str, to: &str, sent_ms| stored.relays(&from.into(), &to.into(), sent_ms);
    assert!(!relays("c1", "c2", 19) && relays("c1", "c2", 20) && !relays("c2", "c1", 20));
    assert!(stored.is_backfilled(&"c1".into(), 59) && !stored.is_backfilled(&"c1".into(), 60));
    assert_eq!((stored.begins_ms(&"c1".into()), stored.begins_ms(&"c2".into())), (20, 60));
    let listed = |bridge: &str| Mutation::Backfilled { bridge: bridge.into(), conversation: "c1".into() };
    assert_eq!(bench.refused(listed("b9")).await, "missing bridge b9");
    bench.done(listed("b3")).await;
    bench.done(listed("b3")).await;
    late.past.backfill_due.clear();
    assert_eq!(bench.store().bridges().await.unwrap().pop().unwrap(), late);
}

async fn who_joins_brings_what_was_asked_for(bench: &mut Bench) {
    set_up(bench).await;
    bench.done(Mutation::SetBridge { bridge: "b1".into(), state: BridgeState::Ended, since_ms: None }).await;
    let mut row = bridge("b2", "o1", &["c1", "c2"]);
    (row.created_ms, row.since_ms) = (60, 60);
    bench.done(Mutation::AddBridge(row)).await;
    let set =
        |members: &[&str], at_ms, brought: &[(&str, i64)]| set_members("b2", members, Some(at_ms), brought);
    // Who is there already and who is not among them brings nothing.
    bench.done(set(&["c1", "c2", "c3"], 100, &[("c3", 30), ("c1", 5), ("c4", 5)])).await;
    let now = async |bench: &Bench| bench.store().bridges().await.unwrap().pop().unwrap();
    let joined = now(bench).await;
    assert_eq!(joined.past.backfill_ms, [("c3".into(), 30)].into());
    assert_eq!(joined.past.backfill_due, ["c3".into()].into());
    assert!(joined.is_backfilled(&"c3".into(), 30) && !joined.is_backfilled(&"c3".into(), 29));
    assert!(joined.is_backfilled(&"c3".into(), 99) && !joined.is_backfilled(&"c3".into(), 100));
    assert_eq!((joined.begins_ms(&"c3".into()), joined.begins_ms(&"c1".into())), (30, 60));
    let relays = |row: &BridgeRow, from: &str, to: &str, at| row.relays(&from.into(), &to.into(), at);
    for at in [30, 59, 60, 99, 100] {
        assert!(relays(&joined, "c3", "c1", at) && relays(&joined, "c3", "c2", at), "{at}");
        assert_eq!(relays(&joined, "c1", "c3", at), at >= 100, "{at}: theirs is not for who joined");
    }
    assert!(!relays(&joined, "c3", "c1", 29));

    // Who joins later gets nothing of it; who joins at the same time does.
    bench.done(set(&["c1", "c2", "c3", "c4"], 120, &[("c4", 90)])).await;
    let grown = now(bench).await;
    assert!(
        !relays(&grown, "c3", "c4", 99)
            && !relays(&grown, "c3", "c4", 119)
            && relays(&grown, "c3", "c4", 120)
    );
    assert!(
        relays(&grown, "c4", "c3", 90) && relays(&grown, "c4", "c1", 90) && relays(&grown, "c3", "c1", 40)
    );
    // A pause does not end it.
    for (state, at_ms) in [
        (BridgeState::Paused, 130),
        (BridgeState::Active, 140),
        (BridgeState::Paused, 150),
        (BridgeState::Active, 160),
    ] {
        bench.done(Mutation::SetBridge { bridge: "b2".into(), state, since_ms: Some(at_ms) }).await;
    }
    let resumed = now(bench).await;
    assert!(
        relays(&resumed, "c4", "c3", 90)
            && !relays(&resumed, "c4", "c3", 155)
            && !relays(&resumed, "c4", "c3", 89)
    );

    // Who comes back brings nothing, unless it is asked for again.
    bench.done(set(&["c1", "c2", "c4"], 170, &[])).await;
    bench.done(set(&["c1", "c2", "c3", "c4"], 180, &[])).await;
    let back = now(bench).await;
    assert!(
        !relays(&back, "c3", "c1", 99) && !relays(&back, "c3", "c1", 175) && relays(&back, "c3", "c1", 180)
    );
    assert_eq!(back.past.backfill_due, ["c4".into()].into());
    bench.done(set(&["c1", "c2", "c4"], 190, &[])).await;
    bench.done(set(&["c1", "c2", "c3"], 200, &[("c3", 175)])).await;
    let again = now(bench).await;
    assert_eq!(again.past.backfill_ms, [("c3".into(), 175)].into());
    assert_eq!(again.past.backfill_due, ["c3".into()].into());
    assert!(relays(&again, "c3", "c1", 175) && !relays(&again, "c3", "c1", 174));
}

async fn accounts_are_found_and_keep_their_person(bench: &mut Bench) {
    set_up(bench).await;
    let store = bench.store();
    let mut linked = account("o1", "i1", "u1");
    linked.person = Some("p1".into());
    bench.done(Mutation::PutAccount(linked.clone())).await;
    bench.done(Mutation::PutAccount(account("o1", "i1", "u2"))).await;
    bench.done(Mutation::PutAccount(account("o2", "i2", "u1"))).await;
    let read_again = account("o1", "i1", "u1");
    bench.done(Mutation::PutAccount(read_again)).await;
    assert_eq!(store.account(&"i1".into(), &"u1".into()).await.unwrap(), Some(linked.clone()));
    let same_mail = store.accounts_by_email(&"i1".into(), &[6]).await.unwrap();
    assert_eq!(same_mail, [linked.clone(), account("o1", "i1", "u2")]);
    assert_eq!(store.accounts_of(&"o1".into(), &"p1".into()).await.unwrap(), [linked.clone()]);
    assert_eq!(store.accounts_of(&"o2".into(), &"p1".into()).await.unwrap(), []);

    assert_eq!(store.people(&"o1".into()).await.unwrap(), [(linked.clone(), false)]);
    for slot in ["app", "p2", "p1"] {
        assert!(!store.people(&"o1".into()).await.unwrap()[0].1, "no token of theirs yet");
        bench.done(Mutation::PutToken(token("i1", slot))).await;
    }
    assert_eq!(store.people(&"o1".into()).await.unwrap(), [(linked.clone(), true)]);

    let drop = |user: &str| Mutation::DropAccount { installation: "i1".into(), user: user.into() };
    bench.done(drop("u1")).await;
    bench.done(drop("u2")).await;
    bench.done(drop("u3")).await;
    let left = store.account(&"i1".into(), &"u1".into()).await.unwrap().unwrap();
    assert_eq!((left.sealed_profile.len(), left.email_digest, left.person), (0, None, Some("p1".into())));
    assert_eq!(store.account(&"i1".into(), &"u2".into()).await.unwrap(), None);
    assert!(store.account(&"i2".into(), &"u1".into()).await.unwrap().is_some());

    let unlink = Mutation::UnlinkAccount { installation: "i1".into(), user: "u1".into() };
    bench.done(unlink).await;
    let unlinked = store.account(&"i1".into(), &"u1".into()).await.unwrap();
    assert!(unlinked.is_some_and(|row| row.person.is_none()));
    assert_eq!(store.people(&"o1".into()).await.unwrap(), []);
}

async fn an_event_is_appended_with_its_legs(bench: &mut Bench) {
    set_up(bench).await;
    let store = bench.store();
    let legs = appended(bench, "e", &["c2", "c3"]).await;
    assert!(legs[0].seq < legs[1].seq);
    let legs = store.legs(&lane("c2"), None, 10).await.unwrap();
    assert_eq!(legs.len(), 1);
    let new = event("e", "o1", "i1", "c1", &[]);
    assert_eq!(legs[0].event, new.event);
    assert_eq!((legs[0].id.as_str(), legs[0].has_payload, legs[0].attempts), ("e-c2", true, 0));
    assert_eq!(store.payload(&"e".into()).await.unwrap(), new.payload);
    assert_eq!(store.payload(&"f".into()).await.unwrap(), None);
    assert_eq!(store.named_slots().await.unwrap(), [SlotId(1)]);

    let mut control = event("control", "o1", "i1", "c1", &["c1"]);
    control.event.conversation = None;
    control.event.bridge = None;
    control.event.message = None;
    control.payload = None;
    control.legs[0].lane = LaneId::Control("i1".into());
    bench.done(append(vec![control.clone()])).await;
    let legs = store.legs(&LaneId::Control("i1".into()), None, 10).await.unwrap();
    assert_eq!((&legs[0].event, legs[0].has_payload), (&control.event, false));
    assert_eq!(store.named_slots().await.unwrap(), [SlotId(1)]);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.events, counts.payloads, counts.legs), (2, 1, 3));
}

async fn a_redelivery_is_recognised_while_it_is_remembered(bench: &mut Bench) {
    set_up(bench).await;
    let delivery = |id: &str, received_ms: i64| {
        let mut new = event(id, "o1", "i1", "c1", &["c2"]);
        new.delivery_digest = Some(vec![1, 2, 3]);
        new.event.received_ms = received_ms;
        new.redelivery_until_ms = received_ms + 100;
        new
    };
    let outcome = async |events: Vec<_>| match bench.done(append(events)).await {
        Reply::Appended(appended) => {
            appended.into_iter().map(|one| matches!(one, Appended::Fresh(_))).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome(vec![delivery("e1", 1_000), delivery("e2", 1_000)]).await, [true, false]);
    assert_eq!(outcome(vec![delivery("e3", 1_099)]).await, [false]);
    assert_eq!(outcome(vec![delivery("e4", 1_100)]).await, [true]);
    let mut elsewhere = delivery("e5", 1_100);
    elsewhere.event = event("e5", "o2", "i2", "d1", &[]).event;
    elsewhere.legs[0].lane = lane("d2");
    assert_eq!(outcome(vec![elsewhere]).await, [true]);
    assert_eq!(bench.store().counts().await.unwrap().events, 3);
}

async fn a_batch_is_appended_whole_or_not_at_all(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2"]).await;
    let ours = |id: &str| event(id, "o1", "i1", "c1", &["c2"]);
    let mut remembered = ours("f");
    remembered.delivery_digest = Some(vec![1]);
    remembered.redelivery_until_ms = 99_999;
    let bad = append(vec![remembered.clone(), ours("e")]);
    assert_eq!(bench.refused(bad).await, "exists event e");
    let mut same_leg = ours("g");
    same_leg.legs[0].id = "e-c2".into();
    assert_eq!(bench.refused(append(vec![remembered.clone(), same_leg])).await, "exists leg e-c2");
    let legless = append(vec![remembered.clone(), event("g", "o1", "i1", "c1", &[])]);
    assert_eq!(bench.refused(legless).await, "missing leg g");
    assert_eq!(bench.store().counts().await.unwrap().events, 1);
    assert_eq!(bench.store().lanes(None, 9).await.unwrap()[0].depth, 1);
    let fresh = bench.done(append(vec![remembered])).await;
    assert_eq!(fresh, Reply::Appended(vec![Appended::Fresh(vec![AppendedLeg { seq: 2, fence: Some(1) }])]));
}

async fn legs_come_by_order_then_by_acceptance(bench: &mut Bench) {
    set_up(bench).await;
    for (id, order) in [("e1", 50), ("e2", 70), ("e3", 50), ("e4", 10)] {
        let mut new = event(id, "o1", "i1", "c1", &["c2"]);
        new.legs[0].order = order;
        bench.done(append(vec![new])).await;
    }
    let store = bench.store();
    let legs = store.legs(&lane("c2"), None, 10).await.unwrap();
    let ids: Vec<_> = legs.iter().map(|leg| leg.event.id.as_str()).collect();
    assert_eq!(ids, ["e4", "e1", "e3", "e2"]);
    let after = Some((legs[1].order, legs[1].seq));
    assert_eq!(store.legs(&lane("c2"), after, 1).await.unwrap(), legs[2..3]);
    assert_eq!(store.legs(&lane("c9"), None, 1).await.unwrap(), []);
}

async fn lanes_with_work_are_listed_page_by_page(bench: &mut Bench) {
    set_up(bench).await;
    let fence = appended(bench, "e1", &["c2", "c3"]).await[0].fence.unwrap();
    appended(bench, "e2", &["c2"]).await;
    let mut control = event("e3", "o1", "i1", "c1", &["c1"]);
    control.legs[0].lane = LaneId::Control("i1".into());
    bench.done(append(vec![control])).await;
    let defer = |leg: &str, not_before_ms| Mutation::Defer {
        leg: leg.into(),
        lane: lane("c2"),
        fence,
        attempts: 1,
        not_before_ms,
        code: "X".to_owned(),
    };
    bench.done(defer("e1-c2", 900)).await;
    bench.done(defer("e2-c2", 300)).await;
    let lanes = bench.store().lanes(None, 2).await.unwrap();
    let seen: Vec<_> = lanes.iter().map(|lane| (lane.id.to_text(), lane.depth, lane.not_before_ms)).collect();
    assert_eq!(seen, [("c:c2".to_owned(), 2, 300), ("c:c3".to_owned(), 1, 0)]);
    let rest = bench.store().lanes(Some(&lanes[1].id), 2).await.unwrap();
    assert_eq!(rest.iter().map(|lane| lane.id.to_text()).collect::<Vec<_>>(), ["i:i1"]);
    settled(bench, settlement("e1-c3", "c3", 1)).await;
    assert_eq!(bench.store().lanes(None, 9).await.unwrap().len(), 2);
}

async fn appending_claims_lanes_that_nobody_holds(bench: &mut Bench) {
    set_up(bench).await;
    let fence = async |id: &str, owner: &str, now_ms: i64, until_ms: i64| {
        let events = vec![event(id, "o1", "i1", "c1", &["c2"])];
        match bench.done(Mutation::Append { events, lease: lease(owner, now_ms, until_ms) }).await {
            Reply::Appended(appended) => match &appended[0] {
                Appended::Fresh(legs) => legs[0].fence,
                Appended::Redelivery => panic!("{id} is new"),
            },
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fence("e1", "w1", 0, 100).await, Some(1));
    assert_eq!(fence("e2", "w2", 50, 150).await, None);
    assert_eq!(fence("e3", "w1", 90, 190).await, Some(1));
    assert_eq!(fence("e4", "w2", 120, 200).await, None, "the lease was prolonged");
    assert_eq!(fence("e5", "w2", 190, 300).await, Some(2));
    let stale = bench.refused(settle(settlement("e1-c2", "c2", 1))).await;
    assert_eq!(stale, "fenced c:c2");
    bench.done(Mutation::ReleaseLanes { owner: "w2".to_owned(), lanes: vec![lane("c2")] }).await;
    assert_eq!(fence("e6", "w1", 195, 300).await, Some(3));
}

async fn claims_end_and_fences_grow(bench: &mut Bench) {
    set_up(bench).await;
    for (id, to) in [("e1", "c2"), ("e2", "c3"), ("e3", "c4")] {
        bench
            .done(Mutation::Append {
                events: vec![event(id, "o1", "i1", "c1", &[to])],
                lease: lease("old", 0, 100),
            })
            .await;
    }
    let claim = async |owner: &str, lanes: &[&str], now_ms: i64, until_ms: i64, limit: u32| {
        let lanes = lanes.iter().map(|id| lane(id)).collect();
        let claim = Mutation::ClaimLanes { lease: lease(owner, now_ms, until_ms), lanes, limit };
        match bench.done(claim).await {
            Reply::Claimed(claimed) => {
                claimed.into_iter().map(|ClaimedLane { id, fence }| (id.to_text(), fence)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let named = |lanes: &[(&str, i64)]| {
        lanes.iter().map(|(id, fence)| (format!("c:{id}"), *fence)).collect::<Vec<_>>()
    };
    assert_eq!(claim("new", &[], 50, 150, 9).await, named(&[]));
    assert_eq!(claim("new", &[], 100, 200, 2).await, named(&[("c2", 2), ("c3", 2)]));
    assert_eq!(claim("new", &[], 110, 210, 9).await, named(&[("c4", 2), ("c2", 2), ("c3", 2)]));
    assert_eq!(claim("third", &["c2"], 150, 250, 9).await, named(&[]));
    assert_eq!(claim("new", &["c3", "c9", "c2", "c3"], 150, 250, 9).await, named(&[("c3", 2), ("c2", 2)]));
    bench.done(Mutation::ReleaseLanes { owner: "third".to_owned(), lanes: vec![lane("c2")] }).await;
    assert_eq!(claim("third", &["c2"], 160, 260, 9).await, named(&[]), "only the owner gives a lane back");
    bench.done(Mutation::ReleaseLanes { owner: "new".to_owned(), lanes: vec![lane("c2")] }).await;
    assert_eq!(claim("third", &["c2"], 160, 260, 9).await, named(&[("c2", 3)]));
    // An owner keeps an empty lane; for others there is nothing to claim in it.
    settled(bench, settlement("e1-c2", "c2", 3)).await;
    assert_eq!(claim("third", &["c2"], 200, 300, 9).await, named(&[("c2", 3)]));
    assert_eq!(claim("new", &["c2"], 400, 500, 9).await, named(&[]));
    appended(bench, "e4", &["c2"]).await;
    assert_eq!(claim("w", &["c2"], 2_000, 3_000, 9).await, named(&[("c2", 4)]));
}

async fn a_stale_owner_writes_nothing(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2", "c3"]).await;
    let takeover =
        Mutation::ClaimLanes { lease: lease("other", 60_000, 70_000), lanes: vec![lane("c2")], limit: 1 };
    bench.done(takeover).await;
    let mut full = settlement("e-c2", "c2", 1);
    full.original = Some(original("c1", "m-e"));
    full.copies = vec![copy("c2", 0, "x")];
    assert_eq!(bench.refused(settle(full)).await, "fenced c:c2");
    let progress = |leg: &str, to: &str, fence| Mutation::Progress {
        leg: leg.into(),
        lane: lane(to),
        fence,
        copy: copy("c2", 0, "x"),
    };
    let defer = Mutation::Defer {
        leg: "e-c2".into(),
        lane: lane("c2"),
        fence: 1,
        attempts: 5,
        not_before_ms: 5,
        code: "X".to_owned(),
    };
    assert_eq!(bench.refused(progress("e-c2", "c2", 1)).await, "fenced c:c2");
    assert_eq!(bench.refused(defer).await, "fenced c:c2");
    // The fence of one lane opens no other.
    assert_eq!(bench.refused(progress("e-c2", "c3", 1)).await, "fenced c:c3");
    assert_eq!(bench.refused(settle(settlement("e-c2", "c3", 1))).await, "fenced c:c3");
    assert_eq!(bench.refused(progress("e-c2", "c9", 0)).await, "fenced c:c9");
    assert_eq!(bench.refused(progress("f-c2", "c2", 2)).await, "missing leg f-c2");
    let legs = bench.store().legs(&lane("c2"), None, 9).await.unwrap();
    assert_eq!((legs[0].attempts, legs[0].parts.len()), (0, 0));
    let counts = bench.store().counts().await.unwrap();
    assert_eq!((counts.legs, counts.originals, counts.copies), (2, 0, 0));
    bench.done(progress("e-c2", "c2", 2)).await;
}

async fn progress_and_deferral_are_kept_with_the_leg(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2"]).await;
    let progress = |part, message: &str| Mutation::Progress {
        leg: "e-c2".into(),
        lane: lane("c2"),
        fence: 1,
        copy: copy("c2", part, message),
    };
    bench.done(progress(1, "y")).await;
    bench.done(progress(0, "x")).await;
    bench.done(progress(1, "z")).await;
    bench
        .done(Mutation::Defer {
            leg: "e-c2".into(),
            lane: lane("c2"),
            fence: 1,
            attempts: 4,
            not_before_ms: 77,
            code: "X-1".to_owned(),
        })
        .await;
    bench.reopen();
    let leg = bench.store().legs(&lane("c2"), None, 1).await.unwrap().remove(0);
    assert_eq!(leg.parts, [copy("c2", 0, "x"), copy("c2", 1, "z")]);
    assert_eq!((leg.attempts, leg.not_before_ms, leg.code.as_deref()), (4, 77, Some("X-1")));
}

async fn the_last_settlement_removes_the_event(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2", "c3"]).await;
    assert_eq!(settled(bench, settlement("e-c2", "c2", 1)).await, Settled::default());
    assert!(bench.store().payload(&"e".into()).await.unwrap().is_some());
    let last = settled(bench, settlement("e-c3", "c3", 1)).await;
    assert_eq!(last, Settled { erase: Some(SlotId(1)), already: false });
    assert_eq!(bench.store().counts().await.unwrap(), Counts::default());
    assert_eq!(bench.store().named_slots().await.unwrap(), []);
    assert_eq!(bench.store().receipts(None, None, 9).await.unwrap().len(), 2);
}

async fn settling_twice_is_noticed(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2"]).await;
    settled(bench, settlement("e-c2", "c2", 1)).await;
    let mut again = settlement("e-c2", "c2", 1);
    again.original = Some(original("c1", "m-e"));
    again.tombstone = Some(tombstone("c1", "m-e", 9));
    assert_eq!(settled(bench, again).await, Settled { erase: None, already: true });
    assert_eq!(bench.store().counts().await.unwrap(), Counts::default());
    assert_eq!(bench.store().receipts(None, None, 9).await.unwrap().len(), 1);
    assert!(bench.store().tombstone(&"c1".into(), &"m-e".into()).await.unwrap().is_none());
}

/// Two events about message `m` of `c1`: one is settled with two parts in `c2` and one in `c3`.
async fn mapped(bench: &Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2", "c3"]).await;
    let mut first = settlement("e-c2", "c2", 1);
    first.original = Some(original("c1", "m"));
    first.copies = vec![copy("c2", 1, "y"), copy("c2", 0, "x")];
    settled(bench, first).await;
    let mut second = settlement("e-c3", "c3", 1);
    second.of = Some(key("c1", "m"));
    second.copies = vec![copy("c3", 0, "z")];
    settled(bench, second).await;
}

async fn the_map_ties_originals_and_copies(bench: &mut Bench) {
    mapped(bench).await;
    let store = bench.store();
    assert_eq!(store.original(&"c1".into(), &"m".into()).await.unwrap(), Some(original("c1", "m")));
    assert_eq!(store.original(&"c2".into(), &"m".into()).await.unwrap(), None);
    let of = key("c1", "m");
    let copies = store.copies((&of.0, &of.1), &"c2".into()).await.unwrap();
    assert_eq!(copies, [copy("c2", 0, "x"), copy("c2", 1, "y")]);
    let found = store.original_of_copy(&"c3".into(), &"z".into()).await.unwrap();
    assert_eq!(found, Some((original("c1", "m"), copy("c3", 0, "z"))));
    assert_eq!(store.original_of_copy(&"c3".into(), &"x".into()).await.unwrap(), None);
    for (conversation, message, known) in
        [("c1", "m", true), ("c2", "y", true), ("c3", "x", false), ("c2", "m", false)]
    {
        assert_eq!(store.is_known(&conversation.into(), &message.into()).await.unwrap(), known, "{message}");
    }

    appended(bench, "f", &["c2"]).await;
    let mut active = settlement("f-c2", "c2", 1);
    active.original = Some(OriginalRow {
        active_ms: 9_000,
        sent_ms: 5,
        thread_root: Some("root".into()),
        ..original("c1", "m")
    });
    settled(bench, active).await;
    let expected = OriginalRow { active_ms: 9_000, thread_root: Some("root".into()), ..original("c1", "m") };
    assert_eq!(store.original(&"c1".into(), &"m".into()).await.unwrap(), Some(expected));
    appended(bench, "g", &["c2"]).await;
    let mut nowhere = settlement("g-c2", "c2", 1);
    nowhere.copies = vec![copy("c2", 0, "w")];
    assert_eq!(bench.refused(settle(nowhere.clone())).await, "missing original w");
    nowhere.of = Some(key("c1", "n"));
    assert_eq!(bench.refused(settle(nowhere)).await, "missing original n");
}

async fn a_copy_never_shows_an_older_state(bench: &mut Bench) {
    mapped(bench).await;
    let with = |version, fingerprint: u8, edits| {
        let mut row = copy("c2", 0, "x");
        row.version = Some(Version(version));
        row.fingerprint = Some(vec![fingerprint]);
        row.edits = edits;
        row
    };
    let shown = async || {
        let of = key("c1", "m");
        let row = bench.store().copies((&of.0, &of.1), &"c2".into()).await.unwrap().remove(0);
        (row.version, row.fingerprint, row.edits)
    };
    for (id, row) in [("f1", with(5, 50, 1)), ("f2", with(4, 40, 2))] {
        appended(bench, id, &["c2"]).await;
        let mut edit = settlement(&format!("{id}-c2"), "c2", 1);
        edit.of = Some(key("c1", "m"));
        edit.copies = vec![row];
        settled(bench, edit).await;
    }
    assert_eq!(shown().await, (Some(Version(5)), Some(vec![50]), 2));
}

async fn an_original_goes_with_its_last_copy(bench: &mut Bench) {
    mapped(bench).await;
    let store = bench.store();
    let there = async || store.original(&"c1".into(), &"m".into()).await.unwrap().is_some();
    appended(bench, "f", &["c2", "c3"]).await;
    let mut first = settlement("f-c2", "c2", 1);
    first.of = Some(key("c1", "m"));
    first.original_gone = true;
    first.removed_copies = vec![key("c2", "x"), key("c2", "y"), key("c2", "unknown")];
    settled(bench, first).await;
    assert!(there().await, "one copy is left");
    assert_eq!(store.counts().await.unwrap().copies, 1);
    let mut second = settlement("f-c3", "c3", 1);
    second.removed_copies = vec![key("c3", "z")];
    settled(bench, second).await;
    assert!(!there().await);

    // Without copies it goes at once; a copy that goes alone takes nothing with it.
    appended(bench, "g", &["c2", "c3"]).await;
    let mut put = settlement("g-c2", "c2", 1);
    put.original = Some(original("c1", "n"));
    put.copies = vec![copy("c2", 0, "v")];
    settled(bench, put).await;
    let mut alone = settlement("g-c3", "c3", 1);
    alone.removed_copies = vec![key("c2", "v")];
    settled(bench, alone).await;
    assert!(store.original(&"c1".into(), &"n".into()).await.unwrap().is_some());
    appended(bench, "h", &["c2"]).await;
    let mut gone = settlement("h-c2", "c2", 1);
    gone.of = Some(key("c1", "n"));
    gone.original_gone = true;
    settled(bench, gone).await;
    assert_eq!(store.counts().await.unwrap().originals, 0);
}

async fn a_copy_belongs_to_one_original(bench: &mut Bench) {
    mapped(bench).await;
    appended(bench, "f", &["c2"]).await;
    let mut thief = settlement("f-c2", "c2", 1);
    thief.original = Some(original("c1", "other"));
    thief.copies = vec![copy("c2", 0, "x")];
    assert_eq!(bench.refused(settle(thief)).await, "exists copy x");
    assert_eq!(bench.store().original(&"c1".into(), &"other".into()).await.unwrap(), None);
    // A part that was posted anew stands in its place.
    let mut anew = settlement("f-c2", "c2", 1);
    anew.of = Some(key("c1", "m"));
    anew.copies = vec![copy("c2", 0, "x2")];
    settled(bench, anew).await;
    assert_eq!(bench.store().original_of_copy(&"c2".into(), &"x".into()).await.unwrap(), None);
    assert!(bench.store().original_of_copy(&"c2".into(), &"x2".into()).await.unwrap().is_some());
}

fn react(leg: &str, fence: i64, of: &str, rows: Vec<ReactionRow>, gone: Vec<ReactionKey>) -> Mutation {
    Mutation::React {
        leg: leg.into(),
        lane: lane("c2"),
        fence,
        of: key("c1", of),
        rows,
        gone,
        kept_until_ms: 0,
    }
}

async fn the_latest_of_a_reaction_holds(bench: &mut Bench) {
    mapped(bench).await;
    appended(bench, "f", &["c2"]).await;
    let told = async || {
        let rows = bench.store().reactions((&"c1".into(), &"m".into())).await.unwrap();
        rows.into_iter().map(|row| (row.key.who, row.standing, row.at_ms)).collect::<Vec<_>>()
    };
    let (ana, ours) = (reaction("c1", false, "U1", 1), reaction("c2", true, "app", 1));
    bench.done(react("f-c2", 1, "m", vec![ana.clone(), ours.clone()], vec![])).await;
    let kind = bench.store().legs(&lane("c2"), None, 9).await.unwrap().pop().unwrap().event.kind;
    assert_eq!(kind, "reaction", "whatever the door took it for");
    // Taken back before it was set, as a late delivery tells: nothing changes. Of equal times the later word holds.
    for (at_ms, holds) in [(99, (Standing::Set, 100)), (100, (Standing::Unset, 100))] {
        let row = ReactionRow { at_ms, standing: Standing::Unset, ..ana.clone() };
        bench.done(react("f-c2", 1, "m", vec![row], vec![])).await;
        assert_eq!(told().await[0], ("U1".to_owned(), holds.0, holds.1), "{at_ms}");
    }
    // What we set follows our own word, whatever the time.
    let refused = ReactionRow { at_ms: 1, standing: Standing::Refused, ..ours.clone() };
    bench.done(react("f-c2", 1, "m", vec![refused], vec![])).await;
    assert_eq!(told().await[1], ("app".to_owned(), Standing::Refused, 1));
    bench.done(react("f-c2", 1, "m", vec![], vec![ours.key.clone()])).await;
    assert_eq!(told().await.len(), 1);
    // Of another organisation, of a lost lane, to a message that nobody knows.
    let foreign = reaction("d1", false, "U1", 1);
    assert_eq!(bench.refused(react("f-c2", 1, "m", vec![foreign], vec![])).await, "missing conversation d1");
    assert_eq!(bench.refused(react("f-c2", 9, "m", vec![ana.clone()], vec![])).await, "fenced c:c2");
    bench.done(react("f-c2", 1, "unknown", vec![ana], vec![])).await;
    assert!(bench.store().reactions((&"c1".into(), &"unknown".into())).await.unwrap().is_empty());
}

async fn reactions_are_kept_for_a_time(bench: &mut Bench) {
    mapped(bench).await;
    appended(bench, "f", &["c2"]).await;
    let (ana, bo) = (reaction("c1", false, "U1", 1), reaction("c1", false, "U2", 1));
    let taken_back = ReactionRow { standing: Standing::Unset, until_ms: 500, ..bo };
    let rows = vec![ReactionRow { until_ms: 400, ..ana }, taken_back];
    bench.done(react("f-c2", 1, "m", rows, vec![])).await;
    let there = async || {
        let rows = bench.store().reactions((&"c1".into(), &"m".into())).await.unwrap();
        rows.into_iter().map(|row| (row.key.who, row.until_ms)).collect::<Vec<_>>()
    };
    // What stands is kept on as long as anything changes, and no shorter than before; what was taken back is not.
    for (kept_until_ms, ana_until_ms) in [(900, 900), (300, 900)] {
        let renew = Mutation::React {
            leg: "f-c2".into(),
            lane: lane("c2"),
            fence: 1,
            of: key("c1", "m"),
            rows: vec![],
            gone: vec![],
            kept_until_ms,
        };
        bench.done(renew).await;
        assert_eq!(there().await, [("U1".to_owned(), ana_until_ms), ("U2".to_owned(), 500)]);
    }
    let expire = |now_ms, limit| Mutation::Expire { now_ms, receipts_before_ms: 0, limit };
    for (now_ms, limit, left) in [(499, 9, 2), (900, 1, 1), (899, 9, 1), (900, 9, 0)] {
        bench.done(expire(now_ms, limit)).await;
        assert_eq!(there().await.len(), left, "{now_ms}");
    }
}

async fn reactions_go_with_their_original(bench: &mut Bench) {
    mapped(bench).await;
    appended(bench, "f", &["c2", "c3"]).await;
    let rows = vec![reaction("c1", false, "U1", 1), reaction("c2", true, "app", 1)];
    bench.done(react("f-c2", 1, "m", rows, vec![])).await;
    let there = async || bench.store().reactions((&"c1".into(), &"m".into())).await.unwrap().len();
    let mut last = settlement("f-c2", "c2", 1);
    last.of = Some(key("c1", "m"));
    last.original_gone = true;
    last.removed_copies = vec![key("c2", "x"), key("c2", "y")];
    settled(bench, last).await;
    assert_eq!(there().await, 2, "a copy is left");
    let mut last = settlement("f-c3", "c3", 1);
    last.removed_copies = vec![key("c3", "z")];
    settled(bench, last).await;
    assert_eq!(there().await, 0);

    // What is kept for an installation goes with it.
    appended(bench, "g", &["c2"]).await;
    let mut put = settlement("g-c2", "c2", 1);
    put.original = Some(original("c1", "n"));
    put.copies = vec![copy("c2", 0, "v")];
    settled(bench, put).await;
    appended(bench, "h", &["c2"]).await;
    bench.done(react("h-c2", 1, "n", vec![reaction("c2", false, "U2", 1)], vec![])).await;
    bench.done(Mutation::Forget("i1".into())).await;
    assert!(bench.store().reactions((&"c1".into(), &"n".into())).await.unwrap().is_empty());
}

async fn tombstones_stand_until_their_time(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2", "c3"]).await;
    for (leg, to, until) in [("e-c2", "c2", 500), ("e-c3", "c3", 300)] {
        let mut grave = settlement(leg, to, 1);
        let row = tombstone("c1", "m", until);
        grave.tombstone = Some(TombstoneRow { died_ms: until + 1, revived_ms: 1_000 - until, ..row });
        settled(bench, grave).await;
    }
    let stands = async || bench.store().tombstone(&"c1".into(), &"m".into()).await.unwrap();
    let row = tombstone("c1", "m", 500);
    // The latest of each time.
    assert_eq!(stands().await, Some(TombstoneRow { died_ms: 501, revived_ms: 700, ..row }));
    let expire = |now_ms| Mutation::Expire { now_ms, receipts_before_ms: 0, limit: 9 };
    bench.done(expire(499)).await;
    assert!(stands().await.is_some());
    assert!(bench.store().is_known(&"c1".into(), &"m".into()).await.unwrap());
    assert!(bench.store().tombstone(&"c2".into(), &"m".into()).await.unwrap().is_none());
    bench.done(expire(500)).await;
    assert!(stands().await.is_none());
}

async fn originals_are_found_by_time(bench: &mut Bench) {
    set_up(bench).await;
    for (n, (sent_ms, active_ms)) in [(100, 0), (200, 0), (50, 300), (10, 20)].into_iter().enumerate() {
        appended(bench, &format!("e{n}"), &["c2"]).await;
        let mut put = settlement(&format!("e{n}-c2"), "c2", 1);
        put.original = Some(OriginalRow { sent_ms, active_ms, ..original("c1", &format!("m{n}")) });
        settled(bench, put).await;
    }
    let since = async |ms, limit| {
        let found = bench.store().originals_since(&"c1".into(), ms, limit).await.unwrap();
        found.into_iter().map(|row| row.message).collect::<Vec<RemoteMessage>>()
    };
    assert_eq!(since(100, 9).await, ["m2", "m1", "m0"].map(RemoteMessage::from));
    assert_eq!(since(0, 2).await, ["m2", "m1"].map(RemoteMessage::from));
    assert!(bench.store().originals_since(&"c2".into(), 0, 9).await.unwrap().is_empty());
}

async fn shredding_takes_payloads_only(bench: &mut Bench) {
    set_up(bench).await;
    for (id, received_ms) in [("e", 300), ("ee", 100), ("eee", 200), ("eeee", 900)] {
        let mut new = event(id, "o1", "i1", "c1", &["c2"]);
        new.event.received_ms = received_ms;
        bench.done(append(vec![new])).await;
    }
    let shred =
        async |before, limit| match bench.done(Mutation::Shred { received_before_ms: before, limit }).await {
            Reply::Shredded(found) => {
                found.into_iter().map(|(id, slot)| (id.to_string(), slot.0)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
    assert_eq!(shred(900, 2).await, [("ee".to_owned(), 2), ("eee".to_owned(), 3)]);
    assert_eq!(shred(900, 2).await, [("e".to_owned(), 1)]);
    assert_eq!(shred(900, 2).await, []);
    assert_eq!(bench.store().payload(&"e".into()).await.unwrap(), None);
    let legs = bench.store().legs(&lane("c2"), None, 9).await.unwrap();
    assert_eq!(legs.iter().map(|leg| leg.has_payload).collect::<Vec<_>>(), [false, false, false, true]);
    let last = settled(bench, settlement("e-c2", "c2", 1)).await;
    assert_eq!(last, Settled { erase: None, already: false });
}

async fn expiry_forgets_in_portions(bench: &mut Bench) {
    set_up(bench).await;
    for n in 0..4 {
        let mut new = event(&format!("e{n}"), "o1", "i1", "c1", &["c2"]);
        new.delivery_digest = Some(vec![n]);
        new.redelivery_until_ms = 5_000 + i64::from(n);
        bench.done(append(vec![new])).await;
        let mut done = settlement(&format!("e{n}-c2"), "c2", 1);
        done.receipt.settled_ms = 100 + i64::from(n);
        settled(bench, done).await;
    }
    let expire = |limit| Mutation::Expire { now_ms: 5_002, receipts_before_ms: 102, limit };
    let left = async || {
        let found = bench.store().receipts(None, None, 9).await.unwrap();
        found.into_iter().map(|receipt| receipt.settled_ms).collect::<Vec<_>>()
    };
    bench.done(expire(1)).await;
    assert_eq!(left().await, [103, 102, 101]);
    bench.done(expire(1)).await;
    bench.done(expire(1)).await;
    assert_eq!(left().await, [103, 102]);
    // Digests 0 to 2 are forgotten, 3 is not.
    for (n, fresh) in [(2, true), (3, false)] {
        let mut again = event(&format!("again{n}"), "o1", "i1", "c1", &["c2"]);
        again.delivery_digest = Some(vec![n]);
        let reply = bench.done(append(vec![again])).await;
        let Reply::Appended(appended) = reply else { panic!("{reply:?}") };
        assert_eq!(matches!(appended[0], Appended::Fresh(_)), fresh, "digest {n}");
    }
}

async fn a_dead_letter_is_replayed_or_dropped(bench: &mut Bench) {
    set_up(bench).await;
    appended(bench, "e", &["c2", "c3"]).await;
    for to in ["c2", "c3"] {
        let leg = format!("e-{to}");
        let mut died = settlement(&leg, to, 1);
        died.dead_letter = Some(dead(&leg, to));
        died.receipt = receipt("o1", &leg, "dead");
        settled(bench, died).await;
    }
    let store = bench.store();
    assert_eq!(store.counts().await.unwrap(), Counts { dead_letters: 2, ..Counts::default() });
    appended(bench, "f", &["c2"]).await;
    let mut mixed = settlement("f-c2", "c2", 1);
    mixed.dead_letter = Some(DeadLetterRow { event: dead("x", "d1").event, ..dead("f-c2", "c2") });
    assert!(
        matches!(bench.commit(settle(mixed.clone())).await, Err(StoreError::Rows { .. })),
        "of another one"
    );
    mixed.dead_letter = None;
    settled(bench, mixed).await;
    let replay = |letter: &str| Mutation::Replay {
        dead_letter: letter.into(),
        event: "e2".into(),
        leg: "e2-c2".into(),
        now_ms: 5_000,
    };
    let reply = bench.done(replay("e-c2")).await;
    assert_eq!(reply, Reply::Appended(vec![Appended::Fresh(vec![AppendedLeg { seq: 4, fence: None }])]));
    let leg = store.legs(&lane("c2"), None, 9).await.unwrap().remove(0);
    let mut expected = dead("e-c2", "c2").event;
    expected.id = "e2".into();
    expected.received_ms = 5_000;
    assert_eq!((leg.id.as_str(), leg.event, leg.has_payload), ("e2-c2", expected, false));
    assert_eq!(leg.order, 5_000_000);
    assert_eq!(bench.refused(replay("e-c2")).await, "missing dead_letter e-c2");
    assert_eq!(bench.refused(replay("e-c3")).await, "exists event e2");
    bench.done(Mutation::DropDeadLetter("e-c3".into())).await;
    let again = bench.refused(Mutation::DropDeadLetter("e-c3".into())).await;
    assert_eq!(again, "missing dead_letter e-c3");
    assert_eq!(store.dead_letters(None, 9).await.unwrap(), []);
}

async fn operators_see_the_newest_first(bench: &mut Bench) {
    set_up(bench).await;
    for n in 0..3_i64 {
        appended(bench, &format!("e{n}"), &["c2"]).await;
        let leg = format!("e{n}-c2");
        let mut died = settlement(&leg, "c2", 1);
        died.receipt.message = (n != 1).then(|| "m".into());
        died.dead_letter = Some(dead(&leg, "c2"));
        died.dead_letter.as_mut().unwrap().died_ms = 10 - n;
        settled(bench, died).await;
        bench.done(Mutation::Audit(audit(None, &format!("act {n}")))).await;
    }
    let store = bench.store();
    let (o1, o2, m) = ("o1".into(), "o2".into(), "m".into());
    let legs = async |org, message, limit| {
        let found = store.receipts(org, message, limit).await.unwrap();
        found.into_iter().map(|receipt| receipt.leg.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(legs(None, None, 2).await, ["e2-c2", "e1-c2"]);
    assert_eq!(legs(Some(&o1), None, 9).await, ["e2-c2", "e1-c2", "e0-c2"]);
    assert_eq!(legs(None, Some(&m), 9).await, ["e2-c2", "e0-c2"]);
    assert_eq!(legs(Some(&o1), Some(&m), 1).await, ["e2-c2"]);
    assert_eq!(legs(Some(&o2), Some(&m), 9).await, Vec::<String>::new());
    let letters = store.dead_letters(Some(&o1), 2).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.died_ms).collect::<Vec<_>>(), [10, 9]);
    assert_eq!(store.dead_letters(None, 9).await.unwrap().len(), 3);
    assert_eq!(store.dead_letters(Some(&o2), 9).await.unwrap(), []);
    let acts = store.audit(2).await.unwrap();
    assert_eq!(acts, [audit(None, "act 2"), audit(None, "act 1")]);
}

async fn dropping_an_organisation_leaves_no_row(bench: &mut Bench) {
    mapped(bench).await;
    for (o, i, from, to, id) in [("o1", "i1", "c1", "c2", "f"), ("o2", "i2", "d1", "d2", "ff")] {
        bench.done(Mutation::PutToken(token(i, "app"))).await;
        bench.done(Mutation::PutAccount(account(o, i, "u"))).await;
        bench.done(Mutation::Audit(audit(Some(o), "x"))).await;
        let mut new = event(id, o, i, from, &[to, from]);
        new.delivery_digest = Some(vec![1]);
        new.redelivery_until_ms = 99_999;
        bench.done(append(vec![new])).await;
        let leg = format!("{id}-{to}");
        let mut died = settlement(&leg, to, 1);
        died.receipt = receipt(o, &leg, "dead");
        died.dead_letter = Some(dead(&leg, to));
        died.original = Some(original(from, "n"));
        died.copies = vec![copy(to, 0, "n-copy")];
        died.tombstone = Some(tombstone(from, "t", 99_999));
        settled(bench, died).await;
    }
    let store = bench.store();
    let reply = bench.done(Mutation::DropOrg("o1".into())).await;
    assert_eq!(reply, Reply::Shredded(vec![("f".into(), SlotId(1))]));
    let expected = Counts { events: 1, payloads: 1, legs: 1, originals: 1, copies: 1, dead_letters: 1 };
    assert_eq!(store.counts().await.unwrap(), expected);
    assert_eq!(store.orgs().await.unwrap(), [org("o2")]);
    assert_eq!(store.apps().await.unwrap().len(), 1);
    assert_eq!(store.installations().await.unwrap().len(), 1);
    assert_eq!(store.conversations().await.unwrap().len(), 2);
    assert_eq!(store.bridges().await.unwrap(), []);
    assert_eq!(store.token(&"i1".into(), "app").await.unwrap(), None);
    assert!(store.token(&"i2".into(), "app").await.unwrap().is_some());
    assert_eq!(store.account(&"i1".into(), &"u".into()).await.unwrap(), None);
    assert!(store.tombstone(&"c1".into(), &"t".into()).await.unwrap().is_none());
    assert!(store.tombstone(&"d1".into(), &"t".into()).await.unwrap().is_some());
    assert_eq!(store.original(&"c1".into(), &"m".into()).await.unwrap(), None);
    assert_eq!(store.receipts(None, None, 9).await.unwrap().len(), 1);
    assert_eq!(store.audit(9).await.unwrap(), [audit(Some("o2"), "x")]);
    assert_eq!(store.lanes(None, 9).await.unwrap().len(), 1);
    // Whoever was at work for it is told that nothing is left to do, and nothing comes back.
    assert_eq!(settled(bench, settlement("f-c1", "c1", 1)).await, Settled { erase: None, already: true });
    let late = append(vec![event("late", "o1", "i1", "c1", &["c2"])]);
    assert_eq!(bench.refused(late).await, "missing installation i1");
    bench.done(Mutation::DropOrg("o1".into())).await;

    // A new organisation under the old ids starts from nothing: first fence, no digest.
    set_up_again(bench).await;
    let mut new = event("f", "o1", "i1", "c1", &["c2"]);
    new.delivery_digest = Some(vec![1]);
    let reply = bench.done(append(vec![new])).await;
    let Reply::Appended(appended) = reply else { panic!("{reply:?}") };
    let Appended::Fresh(legs) = &appended[0] else { panic!("a digest was left") };
    assert_eq!(legs[0].fence, Some(1));
}

async fn set_up_again(bench: &Bench) {
    bench.done(Mutation::PutOrg(org("o1"))).await;
    bench.done(Mutation::PutApp(app("a1", "o1"))).await;
    bench.done(Mutation::PutInstallation(installation("i1", "o1", "a1"))).await;
    for id in ["c1", "c2"] {
        bench.done(Mutation::PutConversation(conversation(id, "o1", "i1"))).await;
    }
}

async fn everything_is_there_after_reopening(bench: &mut Bench) {
    mapped(bench).await;
    appended(bench, "f", &["c2"]).await;
    bench.done(Mutation::PutToken(token("i1", "app"))).await;
    let before = crate::random::dump(bench.store()).await;
    bench.store().checkpoint().await.unwrap();
    bench.reopen();
    assert_eq!(crate::random::dump(bench.store()).await, before);
    // Numbers go on where they were, whatever is gone meanwhile.
    let seq = appended(bench, "g", &["c2"]).await[0].seq;
    settled(bench, settlement("g-c2", "c2", 1)).await;
    bench.reopen();
    assert!(appended(bench, "h", &["c2"]).await[0].seq > seq);
}
