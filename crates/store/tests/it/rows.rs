//! Rows to play with: two organisations, each with an app, an installation, and conversations.

use dragoman_model::{ConversationId, RemoteMessage, SlotId, Version};
use dragoman_store::{
    AccountRow, AppRow, Appended, AppendedLeg, AuditRow, BridgePast, BridgeRow, BridgeState, ConversationRow,
    CopyRow, DeadLetterRow, EventRow, InstallationRow, LaneId, Lease, Mutation, NewEvent, NewLeg, OrgRow,
    OriginalRow, ReactionKey, ReactionRow, Receipt, Reply, SealedPayload, Settled, Settlement, Standing,
    TokenRow, TombstoneRow,
};

use crate::bench::Bench;

pub(crate) fn org(id: &str) -> OrgRow {
    OrgRow {
        id: id.into(),
        name: format!("Org {id}"),
        wrapped_keys: [(1, vec![1, 2, 3]), (10, vec![4])].into(),
        policy: [("unknown_outcome".to_owned(), "gap".to_owned())].into(),
        created_ms: 7,
    }
}

pub(crate) fn app(id: &str, org: &str) -> AppRow {
    AppRow {
        id: id.into(),
        org: org.into(),
        platform: "post".to_owned(),
        facts: [("client".to_owned(), "C-1".to_owned())].into(),
        sealed_secrets: [("signing".to_owned(), vec![0, 255])].into(),
        features: ["files".to_owned()].into(),
        created_ms: 7,
    }
}

pub(crate) fn installation(id: &str, org: &str, app: &str) -> InstallationRow {
    InstallationRow {
        id: id.into(),
        org: org.into(),
        app: app.into(),
        workspace: format!("W-{id}").into(),
        name: "A workspace".to_owned(),
        facts: [("bot".to_owned(), "B-1".to_owned())].into(),
        scopes: ["read".to_owned(), "write".to_owned()].into(),
        trouble: None,
        created_ms: 7,
    }
}

pub(crate) fn conversation(id: &str, org: &str, installation: &str) -> ConversationRow {
    ConversationRow {
        id: id.into(),
        org: org.into(),
        installation: installation.into(),
        remote: format!("R-{id}").into(),
        kind: "channel".to_owned(),
        sealed_name: vec![9, 9],
        external: false,
        facts: [("team".to_owned(), "T".to_owned())].into(),
        watch_id: None,
        watch_renew_ms: None,
        watch_expires_ms: Some(5),
        seen_until_ms: 100,
    }
}

pub(crate) fn token(installation: &str, slot: &str) -> TokenRow {
    TokenRow {
        installation: installation.into(),
        slot: slot.to_owned(),
        sealed_access: vec![1],
        sealed_refresh: Some(vec![2]),
        expires_at_ms: Some(3),
    }
}

pub(crate) fn set_members(
    bridge: &str,
    members: &[&str],
    since_ms: Option<i64>,
    brought: &[(&str, i64)],
) -> Mutation {
    Mutation::SetMembers {
        bridge: bridge.into(),
        members: members.iter().map(|id| (*id).into()).collect(),
        since_ms,
        backfill_ms: brought.iter().map(|(id, since_ms)| ((*id).into(), *since_ms)).collect(),
        joined_by: None,
    }
}

pub(crate) fn bridge(id: &str, org: &str, members: &[&str]) -> BridgeRow {
    BridgeRow {
        id: id.into(),
        org: org.into(),
        state: BridgeState::Active,
        members: members.iter().map(|id| (*id).into()).collect(),
        created_ms: 8,
        since_ms: 8,
        past: BridgePast::default(),
        notices: dragoman_store::Notices::Off,
        talk: None,
    }
}

pub(crate) fn account(org: &str, installation: &str, user: &str) -> AccountRow {
    AccountRow {
        org: org.into(),
        installation: installation.into(),
        user: user.into(),
        sealed_profile: vec![5],
        email_digest: Some(vec![6]),
        person: None,
        refreshed_ms: 9,
    }
}

pub(crate) fn audit(org: Option<&str>, act: &str) -> AuditRow {
    AuditRow {
        org: org.map(Into::into),
        at_ms: 10,
        actor: "operator".to_owned(),
        act: act.to_owned(),
        subject: "s".to_owned(),
    }
}

pub(crate) fn lane(conversation: &str) -> LaneId {
    LaneId::Conversation(conversation.into())
}

pub(crate) fn lease(owner: &str, now_ms: i64, until_ms: i64) -> Lease {
    Lease { owner: owner.to_owned(), now_ms, until_ms }
}

/// An event `id` about message `m-id`, from `c1`, with legs `id-lane` into conversations.
pub(crate) fn event(id: &str, org: &str, installation: &str, from: &str, into: &[&str]) -> NewEvent {
    NewEvent {
        event: EventRow {
            id: id.into(),
            org: org.into(),
            installation: installation.into(),
            bridge: Some("b1".into()),
            conversation: Some(from.into()),
            message: Some(format!("m-{id}").into()),
            thread_root: None,
            kind: "create".to_owned(),
            feed: "events".to_owned(),
            at_ms: 1_000,
            received_ms: 1_001,
        },
        payload: Some(SealedPayload { record: vec![0xaa, 0xbb], slot: SlotId(id.len() as u64) }),
        legs: into
            .iter()
            .map(|to| NewLeg { id: format!("{id}-{to}").into(), lane: lane(to), order: 1_000 })
            .collect(),
        delivery_digest: None,
        redelivery_until_ms: 0,
    }
}

pub(crate) fn append(events: Vec<NewEvent>) -> Mutation {
    Mutation::Append { events, lease: lease("w", 2_000, 60_000) }
}

pub(crate) fn original(conversation: &str, message: &str) -> OriginalRow {
    OriginalRow {
        bridge: "b1".into(),
        conversation: conversation.into(),
        message: message.into(),
        thread_root: None,
        sent_ms: 1_000,
        active_ms: 0,
    }
}

pub(crate) fn copy(conversation: &str, part: u32, message: &str) -> CopyRow {
    CopyRow {
        conversation: conversation.into(),
        part,
        message: message.into(),
        thread_root: None,
        spokesman: "app".to_owned(),
        edits: 0,
        version: Some(Version(1)),
        fingerprint: Some(vec![7, 7]),
        epoch: Some("e1".to_owned()),
        // Second parts are files.
        file: (part == 1).then(|| "f1".to_owned()),
        beside: (part == 1).then(|| "drives/1/items/2".to_owned()),
    }
}

pub(crate) fn receipt(org: &str, leg: &str, outcome: &str) -> Receipt {
    Receipt {
        org: org.into(),
        leg: leg.into(),
        bridge: Some("b1".into()),
        kind: "create".to_owned(),
        from: Some("c1".into()),
        message: Some("m-e".into()),
        to: Some("c2".into()),
        outcome: outcome.to_owned(),
        code: None,
        notes: vec!["note".to_owned()],
        received_ms: 1_001,
        settled_ms: 1_500,
        attempts: 1,
    }
}

/// Settles leg `event-to`, with nothing else to say.
pub(crate) fn settlement(leg: &str, to: &str, fence: i64) -> Settlement {
    Settlement {
        leg: leg.into(),
        lane: lane(to),
        fence,
        original: None,
        copies: Vec::new(),
        of: None,
        removed_copies: Vec::new(),
        original_gone: false,
        tombstone: None,
        receipt: receipt("o1", leg, "delivered"),
        dead_letter: None,
    }
}

pub(crate) fn tombstone(conversation: &str, message: &str, until_ms: i64) -> TombstoneRow {
    let (conversation, message) = (conversation.into(), message.into());
    TombstoneRow { conversation, message, died_ms: until_ms / 2, revived_ms: 0, until_ms }
}

pub(crate) fn reaction(conversation: &str, ours: bool, who: &str, emoji: u8) -> ReactionRow {
    ReactionRow {
        key: ReactionKey { conversation: conversation.into(), ours, who: who.to_owned(), emoji: vec![emoji] },
        sealed_emoji: vec![7, emoji],
        standing: Standing::Set,
        at_ms: 100,
        until_ms: 10_000,
    }
}

pub(crate) fn settle(settlement: Settlement) -> Mutation {
    Mutation::Settle(Box::new(settlement))
}

pub(crate) fn dead(leg: &str, to: &str) -> DeadLetterRow {
    let (org, installation, from) = if to.starts_with('d') { ("o2", "i2", "d1") } else { ("o1", "i1", "c1") };
    DeadLetterRow {
        id: leg.into(),
        org: org.into(),
        event: event("e", org, installation, from, &[]).event,
        lane: lane(to),
        code: "X".to_owned(),
        attempts: 3,
        died_ms: 2_000,
    }
}

pub(crate) fn key(conversation: &str, message: &str) -> (ConversationId, RemoteMessage) {
    (conversation.into(), message.into())
}

/// Organisations `o1` (app `a1`, installation `i1`, conversations `c1` to `c4`) and `o2` (`a2`, `i2`, `d1`, `d2`),
/// and a bridge `b1` of `c1` to `c3`.
pub(crate) async fn set_up(bench: &Bench) {
    for (n, conversations) in [("1", ["c1", "c2", "c3", "c4"].as_slice()), ("2", &["d1", "d2"])] {
        let (o, a, i) = (format!("o{n}"), format!("a{n}"), format!("i{n}"));
        bench.done(Mutation::PutOrg(org(&o))).await;
        bench.done(Mutation::PutApp(app(&a, &o))).await;
        bench.done(Mutation::PutInstallation(installation(&i, &o, &a))).await;
        for id in conversations {
            bench.done(Mutation::PutConversation(conversation(id, &o, &i))).await;
        }
    }
    bench.done(Mutation::AddBridge(bridge("b1", "o1", &["c1", "c2", "c3"]))).await;
}

/// Appends one event of `o1` from `c1`; its legs.
pub(crate) async fn appended(bench: &Bench, id: &str, into: &[&str]) -> Vec<AppendedLeg> {
    match bench.done(append(vec![event(id, "o1", "i1", "c1", into)])).await {
        Reply::Appended(mut appended) => match appended.remove(0) {
            Appended::Fresh(legs) => legs,
            Appended::Redelivery => panic!("{id} is new"),
        },
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn settled(bench: &Bench, settlement: Settlement) -> Settled {
    match bench.done(settle(settlement)).await {
        Reply::Settled(settled) => settled,
        other => panic!("{other:?}"),
    }
}
