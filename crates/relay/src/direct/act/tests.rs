use dragoman_model::{Author, Origin};

use super::*;
use crate::admit::Grave;

fn said(words: &str) -> Message {
    Message {
        id: "m1".into(),
        thread_root: None,
        broadcast: false,
        author: Author { user: Some("U1".into()), kind: AuthorKind::Person, name: None, avatar_url: None },
        body: Document::plain(words),
        files: vec![],
        sent_at_ms: 1_000,
        edited_at_ms: None,
        version: None,
        origin: Origin::default(),
    }
}

fn event(happening: Happening) -> Event {
    Event { conversation: Some("D1".into()), at_ms: 2_000, happening }
}

#[test]
fn what_was_not_meant_for_the_one_who_is_there_now_stays_unsaid() {
    let posted = |words: &str| event(Happening::Posted(Box::new(said(words))));
    let changed = |words: &str| event(Happening::Changed { after: Box::new(said(words)), before: None });
    let known = Known::default();
    assert_eq!(meant_for_another(&posted("hello"), &known), None);
    assert_eq!(meant_for_another(&changed("hello"), &known), None);
    // To somebody with whom the chat was linked before.
    let earlier = Known { unlinked: true, ..known };
    assert_eq!(meant_for_another(&posted("hello"), &earlier), Some(codes::UNMAPPED));
    // A command that its author corrected.
    assert_eq!(meant_for_another(&changed("dm carol@harbor.example hi"), &known), Some(codes::COMMAND));
    let done = Known { grave: Some(Grave { died_ms: 1_000, revived_ms: 0 }), ..known };
    assert_eq!(meant_for_another(&changed("carol hi"), &done), Some(codes::COMMAND));
}
