use dragoman_model::{Author, Document, Origin};

use super::*;

fn message(text: &str, version: i64) -> Message {
    Message {
        id: "m1".into(),
        thread_root: None,
        broadcast: false,
        author: Author { user: Some("U1".into()), kind: AuthorKind::Person, name: None, avatar_url: None },
        body: Document::plain(text),
        files: vec![],
        sent_at_ms: 1000,
        edited_at_ms: None,
        version: Some(Version(version)),
        origin: Origin::default(),
    }
}

fn posted(message: Message) -> Event {
    Event { conversation: Some("C1".into()), at_ms: 1000, happening: Happening::Posted(Box::new(message)) }
}

fn changed(after: Message, before: Option<Message>) -> Event {
    let happening = Happening::Changed { after: Box::new(after), before: before.map(Box::new) };
    Event { conversation: Some("C1".into()), at_ms: 1000, happening }
}

fn deleted() -> Event {
    let happening = Happening::Deleted { message: "m1".into(), thread_root: None };
    Event { conversation: Some("C1".into()), at_ms: 1000, happening }
}

fn shown(version: i64) -> Known {
    Known { shown: true, shown_version: Some(Version(version)), ..Known::default() }
}

#[track_caller]
fn check(event: &Event, known: Known, expected: &Admission) {
    assert_eq!(&admit(event, &known, &Policy::default()), expected);
}

#[test]
fn a_new_message_is_created_and_the_same_one_again_is_not() {
    check(&posted(message("a", 1)), Known::default(), &Admission::Create);
    check(&posted(message("a", 1)), shown(1), &Admission::Drop(codes::SEEN));
    check(&posted(message("b", 2)), shown(1), &Admission::Edit);
}

#[test]
fn what_we_posted_is_never_relayed_back() {
    let mut ours = message("a", 1);
    ours.origin.ours = true;
    check(&posted(ours), Known::default(), &Admission::Drop(codes::ECHO));
    let mut marked = message("a", 1);
    marked.origin.marker = Some("abc".into());
    check(&changed(marked, None), Known::default(), &Admission::Drop(codes::ECHO));
    let copy = Known { is_copy: true, ..Known::default() };
    check(&posted(message("a", 1)), copy, &Admission::Drop(codes::ECHO));
    // Nor what another bridge takes from there.
    let round = Known { round: true, ..Known::default() };
    check(&posted(message("a", 1)), round, &Admission::Drop(codes::LOOP));
    let mut robbed = message("a", 1);
    robbed.origin.marker = Some("abc".into());
    robbed.author.kind = AuthorKind::Bot;
    check(&posted(robbed.clone()), Known::default(), &Admission::Drop(codes::LOOP));
    check(&posted(robbed), copy, &Admission::Drop(codes::ECHO));
    check(&deleted(), copy, &Admission::Drop(codes::ECHO));
}

#[test]
fn a_change_that_changed_nothing_is_not_an_edit() {
    let unfurled = changed(message("a", 2), Some(message("a", 1)));
    check(&unfurled, shown(1), &Admission::Drop(codes::UNCHANGED));
    let same_text = Known { same_text: Some(true), ..shown(1) };
    check(&changed(message("a", 2), None), same_text, &Admission::Drop(codes::UNCHANGED));
    check(&changed(message("b", 2), None), shown(2), &Admission::Drop(codes::SEEN));
    check(&changed(message("b", 3), Some(message("a", 1))), shown(2), &Admission::Edit);
}

#[test]
fn an_edit_before_its_create_waits_and_then_creates() {
    let edit = changed(message("b", 2), Some(message("a", 1)));
    check(&edit, Known { patient: true, ..Known::default() }, &Admission::Wait);
    check(&edit, Known::default(), &Admission::Create);
    let older = Known { unlinked: true, ..Known::default() };
    check(&edit, older, &Admission::Drop(codes::UNMAPPED));
}

#[test]
fn a_delete_before_its_create_buries_it() {
    check(&deleted(), Known::default(), &Admission::Bury("m1".into()));
    check(&deleted(), shown(1), &Admission::Delete("m1".into()));
}

#[test]
fn the_later_of_deletion_and_restoration_holds() {
    use Admission::{Bury, Create, Delete, Drop, Edit};
    let (stop, seen) = (Drop(codes::DELETED_MEANWHILE), Drop(codes::SEEN));
    let (bury, delete) = (Bury("m1".into()), Delete("m1".into()));
    let (create, edit, gone) = (posted(message("a", 1)), changed(message("b", 2), None), deleted());
    // When the event happened, deletion and restoration as known, whether the target shows it, and the verdict.
    let cases = [
        (&create, 1000, (2000, 0), false, &stop),
        (&edit, 1000, (2000, 0), false, &stop),
        (&edit, 2000, (2000, 0), false, &stop),
        (&edit, 2001, (2000, 0), false, &Create),
        (&create, 2001, (2000, 0), false, &Create),
        // Another target has restored it already.
        (&edit, 3000, (2000, 3000), false, &Create),
        (&create, 1000, (2000, 3000), false, &Create),
        (&edit, 1000, (2000, 3000), true, &Edit),
        (&gone, 2000, (2000, 3000), true, &seen),
        (&gone, 2500, (2000, 3000), false, &seen),
        (&gone, 3001, (2000, 3000), true, &delete),
        (&gone, 2000, (2000, 0), true, &delete),
        (&gone, 2000, (2000, 0), false, &bury),
        // Deleted once more after it was restored.
        (&edit, 3000, (4000, 3000), true, &stop),
    ];
    for (event, at_ms, (died_ms, revived_ms), is_shown, expected) in cases {
        let known = if is_shown { shown(1) } else { Known::default() };
        let known = Known { grave: Some(Grave { died_ms, revived_ms }), ..known };
        check(&Event { at_ms, ..event.clone() }, known, expected);
    }
}

#[test]
fn other_apps_are_relayed_only_by_policy() {
    let mut robot = message("a", 1);
    robot.author.kind = AuthorKind::Bot;
    check(&posted(robot.clone()), Known::default(), &Admission::Drop(codes::FOREIGN_BOT));
    let policy = Policy { relay_bots: true, ..Policy::default() };
    assert_eq!(admit(&posted(robot), &Known::default(), &policy), Admission::Create);
}

#[test]
fn an_empty_message_is_nothing_but_an_emptied_one_is_an_edit() {
    check(&posted(message("", 1)), Known::default(), &Admission::Drop(codes::EMPTY));
    check(&changed(message("", 2), Some(message("a", 1))), shown(1), &Admission::Edit);
}
