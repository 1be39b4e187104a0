//! How a row that comes in meets the one that is there; the same for every implementation.

use std::collections::BTreeMap;

use dragoman_model::{ConversationId, PersonId, RemoteMessage};

use crate::amend::Amendment;
use crate::reactions::ReactionRow;
use crate::rows::{AccountRow, BridgeRow, BridgeState, ConversationRow, CopyRow, OriginalRow, TombstoneRow};

/// An original brought up to date. When it was sent stays what it was first.
pub(crate) fn original(old: OriginalRow, new: &OriginalRow) -> OriginalRow {
    OriginalRow {
        bridge: new.bridge.clone(),
        thread_root: new.thread_root.clone().or(old.thread_root),
        active_ms: old.active_ms.max(new.active_ms),
        ..old
    }
}

/// A copy brought up to date. The state it shows never goes back to an older one, whatever the order in which
/// answers come.
pub(crate) fn copy(old: CopyRow, new: &CopyRow) -> CopyRow {
    let mut row = CopyRow { edits: old.edits.max(new.edits), ..new.clone() };
    if row.message == old.message {
        row.beside = row.beside.or(old.beside);
    }
    // `None` is older than any version.
    let older = new.version < old.version;
    if older || (new.version == old.version && new.fingerprint.is_none()) {
        row.version = old.version;
        row.fingerprint = old.fingerprint;
        row.epoch = old.epoch;
    }
    row
}

/// A bridge that is paused, resumed or ended then.
pub(crate) fn bridge_state(row: &mut BridgeRow, state: BridgeState, at_ms: Option<i64>) {
    match (at_ms, state) {
        (Some(at_ms), BridgeState::Active) => row.since_ms = at_ms,
        (Some(at_ms), _) if row.state == BridgeState::Active => {
            row.past.earlier = Some((row.since_ms, at_ms));
        }
        _ => {}
    }
    row.state = state;
}

/// A bridge that people asked for and end.
pub(crate) fn bridge_over(row: &mut BridgeRow, by: Option<&(ConversationId, i64)>, at_ms: i64) {
    bridge_state(row, BridgeState::Ended, Some(at_ms));
    row.past.left_ms.extend(by.cloned());
}

/// A conversation of which some changes.
pub(crate) fn amend(row: &mut ConversationRow, amendment: &Amendment) {
    let Amendment { remote, kind, sealed_name, external, facts, watch } = amendment;
    if let Some(remote) = remote {
        row.remote = remote.clone();
    }
    if let Some(kind) = kind {
        row.kind.clone_from(kind);
    }
    if let Some(sealed_name) = sealed_name {
        row.sealed_name.clone_from(sealed_name);
    }
    row.external = external.unwrap_or(row.external);
    for (key, value) in facts {
        match value {
            Some(value) => row.facts.insert(key.clone(), value.clone()),
            None => row.facts.remove(key),
        };
    }
    if let Some(watch) = watch {
        row.watch_id.clone_from(&watch.id);
        row.watch_renew_ms = watch.renew_ms;
        row.watch_expires_ms = watch.expires_ms;
    }
}

/// A bridge that conversations join and leave then. What who left had brought from before is not theirs to bring when
/// they come back, unless it is asked for again.
pub(crate) fn bridge_members(
    row: &mut BridgeRow,
    members: &[ConversationId],
    at_ms: Option<i64>,
    backfill_ms: &BTreeMap<ConversationId, i64>,
    joined_by: Option<&(ConversationId, RemoteMessage)>,
) {
    let stays = |member: &ConversationId| row.members.contains(member) && members.contains(member);
    row.past.backfill_ms.retain(|member, _| stays(member));
    row.past.backfill_due.retain(stays);
    let brings =
        |(member, _): &(&ConversationId, &i64)| members.contains(*member) && !row.members.contains(*member);
    for (member, since_ms) in backfill_ms.iter().filter(brings) {
        row.past.backfill_ms.insert(member.clone(), *since_ms);
        row.past.backfill_due.insert(member.clone());
    }
    for member in members.iter().filter(|member| !row.members.contains(member)) {
        match at_ms {
            Some(at_ms) => row.past.joined_ms.insert(member.clone(), at_ms),
            None => row.past.joined_ms.remove(member),
        };
    }
    let leaving = row.members.iter().filter(|member| !members.contains(member));
    row.past.left_ms.extend(leaving.filter_map(|member| Some((member.clone(), at_ms?))));
    row.past.left_ms.retain(|member, _| !members.contains(member));
    row.past.joined_by.retain(|member, _| stays(member));
    let joins = |(member, _): &&(ConversationId, RemoteMessage)| members.contains(member);
    row.past.joined_by.extend(joined_by.filter(joins).cloned());
    row.members = members.to_vec();
}

/// A tombstone brought up to date: the latest of each time.
pub(crate) fn tombstone(old: TombstoneRow, new: &TombstoneRow) -> TombstoneRow {
    TombstoneRow {
        died_ms: old.died_ms.max(new.died_ms),
        revived_ms: old.revived_ms.max(new.revived_ms),
        until_ms: old.until_ms.max(new.until_ms),
        ..old
    }
}

/// Whether what is told of a reaction holds against what is known of it.
pub(crate) fn reaction_holds(known_ms: Option<i64>, new: &ReactionRow) -> bool {
    new.key.ours || known_ms.is_none_or(|known_ms| new.at_ms >= known_ms)
}

/// The parts of a leg with one more, or with one replaced, in their order.
pub(crate) fn parts(parts: &mut Vec<CopyRow>, copy: CopyRow) {
    parts.retain(|part| (part.part, &part.conversation) != (copy.part, &copy.conversation));
    parts.push(copy);
    parts.sort_by(|a, b| (a.part, &a.conversation).cmp(&(b.part, &b.conversation)));
}

/// What is kept of a cached account: nothing, or who it is.
pub(crate) fn forgotten(account: AccountRow) -> Option<AccountRow> {
    account.person.clone().map(|person: PersonId| AccountRow {
        sealed_profile: Vec::new(),
        email_digest: None,
        person: Some(person),
        refreshed_ms: 0,
        ..account
    })
}

#[cfg(test)]
mod tests {
    use dragoman_model::Version;

    use super::*;

    fn row(version: Option<i64>, fingerprint: Option<u8>) -> CopyRow {
        CopyRow {
            conversation: "c".into(),
            part: 0,
            message: "m".into(),
            thread_root: None,
            spokesman: "app".to_owned(),
            edits: 0,
            version: version.map(Version),
            fingerprint: fingerprint.map(|byte| vec![byte]),
            epoch: fingerprint.map(|byte| byte.to_string()),
            file: None,
            beside: None,
        }
    }

    #[test]
    fn what_lies_beside_a_copy_is_known_as_long_as_the_copy_is_there() {
        let beside = |message: &str, beside: Option<&str>| CopyRow {
            message: message.into(),
            beside: beside.map(str::to_owned),
            ..row(None, None)
        };
        for (old, new, left) in [
            (("m", Some("a")), ("m", None), Some("a")),
            (("m", Some("a")), ("m", Some("b")), Some("b")),
            (("m", Some("a")), ("n", None), None),
            (("m", None), ("m", Some("b")), Some("b")),
        ] {
            let merged = copy(beside(old.0, old.1), &beside(new.0, new.1));
            assert_eq!(merged.beside.as_deref(), left, "{old:?} then {new:?}");
        }
    }

    #[test]
    fn a_version_never_goes_back() {
        // Old version and fingerprint, new ones, and what is left.
        let cases = [
            ((Some(2), Some(1)), (Some(1), Some(9)), (Some(2), Some(1))),
            ((Some(2), Some(1)), (None, Some(9)), (Some(2), Some(1))),
            ((Some(2), Some(1)), (Some(3), Some(9)), (Some(3), Some(9))),
            ((Some(2), Some(1)), (Some(3), None), (Some(3), None)),
            ((Some(2), Some(1)), (Some(2), None), (Some(2), Some(1))),
            ((Some(2), Some(1)), (Some(2), Some(9)), (Some(2), Some(9))),
            ((None, None), (Some(1), Some(9)), (Some(1), Some(9))),
            ((None, Some(1)), (None, Some(9)), (None, Some(9))),
        ];
        for (old, new, left) in cases {
            let merged = copy(row(old.0, old.1), &row(new.0, new.1));
            assert_eq!(merged, row(left.0, left.1), "{old:?} then {new:?}");
        }
    }
}
