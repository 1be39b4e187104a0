use dragoman_model::{Author, AuthorKind, Origin, TextLimit, TextUnit};

use super::*;
use crate::rows;

fn capabilities(levels: &[(Feature, Level)]) -> Capabilities {
    Capabilities {
        levels: levels.iter().copied().collect(),
        own_levels: BTreeMap::new(),
        text: TextLimit { max: 100, unit: TextUnit::Chars },
        reread: true,
        read_back: true,
        history: true,
        reorder_window_ms: 0,
        max_edits: None,
        unannounced_edits_ms: None,
        max_file_bytes: None,
        file_needs_length: false,
        send_interval_ms: 0,
    }
}

fn message(body: Document) -> Message {
    Message {
        id: "m1".into(),
        thread_root: None,
        broadcast: false,
        author: Author { user: Some("U1".into()), kind: AuthorKind::Person, name: None, avatar_url: None },
        body,
        files: vec![],
        sent_at_ms: 1,
        edited_at_ms: None,
        version: None,
        origin: Origin::default(),
    }
}

fn author() -> ShownAuthor {
    ShownAuthor { name: "Ines".into(), via: "Slack".into(), avatar_url: None }
}

fn copy(part: u32, message: &str) -> CopyRow {
    CopyRow { message: message.into(), ..rows::copy(part) }
}

fn composed(
    message: &Message,
    mentions: &Mentions,
    capabilities: &Capabilities,
    root: Root,
) -> (Post, Vec<Code>) {
    let (author, target) = (author(), "C2".into());
    let lines: Vec<_> = message.files.iter().map(|file| (file.clone(), codes::FILE_GONE)).collect();
    compose(&Scene {
        message,
        author: &author,
        mentions,
        links: &Links::new(),
        pointed: None,
        target: &target,
        capabilities,
        root,
        corrects: None,
        spokesman: Spokesman::App,
        lines: &lines,
    })
}

fn mention(id: &str, name: &str) -> Inline {
    Inline::Mention(Mention::Person { id: id.into(), name: name.into() })
}

#[test]
fn mentions_become_the_targets_own_or_text() {
    let body = Document { blocks: vec![Block::Paragraph(vec![mention("U1", ""), mention("U2", "Ben")])] };
    let known = Mentions::from([("p:U1".to_owned(), mention("29:a", "Ana"))]);
    let (post, _) = composed(&message(body), &known, &capabilities(&[]), Root::None);
    let expected = vec![Block::Paragraph(vec![mention("29:a", "Ana"), Inline::Text("@Ben".into())])];
    assert!(post.body.blocks == expected);
}

#[test]
fn a_reply_goes_into_its_thread_or_says_that_it_is_one() {
    let message = message(Document::plain("yes"));
    let threads = capabilities(&[(Feature::ThreadReply, Level::Native)]);
    let (post, notes) = composed(&message, &Mentions::new(), &threads, Root::At("r".into()));
    assert_eq!(post.thread_root, Some("r".into()));
    assert_eq!(notes, []);
    assert_eq!(pointed(&Root::At("r".into()), None, &threads), None);
    assert_eq!(pointed(&Root::At("r".into()), None, &capabilities(&[])), Some(&"r".into()));
    let (post, notes) = composed(&message, &Mentions::new(), &capabilities(&[]), Root::At("r".into()));
    assert_eq!(post.thread_root, None);
    assert_eq!(post.body.blocks.len(), 2);
    assert_eq!(notes, [codes::SIMPLIFIED]);
}

#[test]
fn a_file_becomes_a_line_with_name_size_and_link() {
    let mut message = message(Document::default());
    message.files.push(FileRef {
        id: "F1".into(),
        name: "plan.pdf".into(),
        media_type: None,
        size: Some(1_250_000),
        permalink: Some("https://files.example/1".into()),
    });
    let (post, notes) = composed(&message, &Mentions::new(), &capabilities(&[]), Root::None);
    let line = dragoman_markup::plain(&post.body);
    assert_eq!(line.trim(), "📎 plan.pdf (1.2 MB): could not be fetched");
    assert_eq!(notes, [codes::FILE_GONE]);
}

fn names(existing: &[CopyRow], first: u32, bodies: usize) -> Vec<(&'static str, u32)> {
    let message = message(Document::plain("x"));
    let (post, _) = composed(&message, &Mentions::new(), &capabilities(&[]), Root::None);
    steps(&post, vec![Document::plain("x"); bodies], existing, first, &|part| Marker::new(part.to_string()))
        .iter()
        .map(|step| (step.operation.name(), step.part))
        .collect()
}

#[test]
fn an_edit_touches_every_part() {
    assert_eq!(names(&[], 0, 2), [("post", 0), ("post", 1)]);
    assert_eq!(names(&[copy(0, "a"), copy(1, "b")], 0, 1), [("edit", 0), ("delete", 1)]);
    assert_eq!(names(&[copy(0, "a")], 0, 2), [("edit", 0), ("post", 1)]);
    assert_eq!(names(&[copy(1000, "a")], 1000, 2), [("edit", 1000), ("post", 1001)]);
    assert_eq!(names(&[], 2000, 1), [("post", 2000)]);
}

#[test]
fn a_call_to_everybody_that_nobody_hears_is_noted() {
    let call = |mention| Document { blocks: vec![Block::Paragraph(vec![Inline::Mention(mention)])] };
    let kept = Mentions::from([("e".to_owned(), Inline::Mention(Mention::Everyone))]);
    let noted = |mentions: &Mentions, level| {
        let capabilities = capabilities(&[(Feature::MentionEveryone, level)]);
        composed(&message(call(Mention::Everyone)), mentions, &capabilities, Root::None).1
    };
    assert_eq!(noted(&kept, Level::Native), []);
    assert_eq!(noted(&kept, Level::Fallback), [codes::SIMPLIFIED]);
    // The organisation wants it so.
    assert_eq!(noted(&Mentions::new(), Level::Native), []);
    let mut mixed =
        capabilities(&[(Feature::MentionEveryone, Level::Fallback), (Feature::OwnToken, Level::Native)]);
    mixed.own_levels.insert(Feature::MentionEveryone, Level::Native);
    let body = call(Mention::Everyone);
    assert_eq!(degradations(&body, &mixed, &Spokesman::App), [codes::SIMPLIFIED]);
    assert_eq!(degradations(&body, &mixed, &Spokesman::Person("p".into())), [], "a person can call them");
}

type Case<'a> = (&'a [CopyRow], &'a [CopyRow], Option<u32>, bool, u32);

#[test]
fn what_takes_no_edit_is_corrected() {
    let edited = |part: u32, edits: u32| CopyRow { edits, ..copy(part, &part.to_string()) };
    // What is mapped, what this leg did, the limit, whether an edit was refused, and which correction comes of it.
    let cases: &[Case<'_>] = &[
        (&[], &[], Some(10), false, 0),
        (&[edited(0, 99)], &[], None, false, 0),
        (&[edited(0, 9)], &[], Some(10), false, 0),
        (&[edited(0, 10)], &[], Some(10), false, 1),
        (&[edited(0, 0)], &[], None, true, 1),
        // One part of several is enough: a text is not torn apart.
        (&[edited(0, 1), edited(1, 10)], &[], Some(10), false, 1),
        // The last edit that is allowed was made by this leg.
        (&[edited(0, 9)], &[edited(0, 10)], Some(10), false, 0),
        (&[edited(0, 9), edited(1, 9)], &[edited(0, 10)], Some(10), true, 1),
        // The correction itself is edited, then corrected.
        (&[edited(0, 10), edited(1000, 9)], &[], Some(10), false, 1),
        (&[edited(0, 10), edited(1000, 10)], &[], Some(10), false, 2),
        (&[edited(0, 0), edited(1000, 0)], &[], None, true, 2),
        // A correction in two parts of which one was posted goes on.
        (&[edited(0, 10)], &[edited(1000, 0)], Some(10), false, 1),
        (&[edited(0, 0)], &[edited(1000, 0)], None, true, 1),
        // So does a first copy.
        (&[], &[edited(0, 0)], Some(0), false, 0),
        (&[edited(0, 0)], &[], Some(0), false, 1),
    ];
    for (number, (existing, done, max_edits, refused, expected)) in cases.iter().enumerate() {
        assert_eq!(revision(existing, done, *max_edits, *refused), *expected, "case {number}");
    }
}

#[test]
fn a_correction_says_so_and_stands_in_the_thread_of_its_copy() {
    let message = Message { broadcast: true, ..message(Document::plain("yes")) };
    let (author, target) = (author(), "C2".into());
    let scene = |capabilities, copies: &[CopyRow]| {
        let corrects = corrected(copies);
        let mentions = Mentions::new();
        let scene = Scene {
            message: &message,
            author: &author,
            mentions: &mentions,
            links: &Links::new(),
            pointed: pointed(&Root::Lost, corrects.as_ref(), capabilities)
                .map(|it| format!("https://x/{it}")),
            target: &target,
            capabilities,
            root: Root::Lost,
            corrects,
            lines: &[],
            spokesman: Spokesman::App,
        };
        let (post, notes) = compose(&scene);
        (post.thread_root, dragoman_markup::plain(&post.body), notes)
    };
    let threads = capabilities(&[(Feature::ThreadReply, Level::Native)]);
    let said = "corrected version:\nyes".to_owned();
    assert_eq!(scene(&threads, &[copy(0, "a")]), (Some("a".into()), said.clone(), vec![codes::NOT_EDITABLE]));
    let reply = CopyRow { thread_root: Some("r".into()), ..copy(0, "a") };
    assert_eq!(scene(&threads, &[reply]), (Some("r".into()), said, vec![codes::NOT_EDITABLE]));
    let said = "corrected version of an earlier message:\nyes".to_owned();
    assert_eq!(scene(&capabilities(&[]), &[copy(0, "a")]), (None, said, vec![codes::NOT_EDITABLE]));
}

#[test]
fn an_edit_that_loses_its_formats_is_told_where_the_target_takes_bare_text() {
    let partial = capabilities(&[(Feature::Edit, Level::Partial)]);
    let text = |text: &str| Inline::Text(text.to_owned());
    let body = |inlines| Document { blocks: vec![Block::Paragraph(inlines)] };
    let step = |body: Document, existing: &[CopyRow]| {
        let (post, _) = composed(&message(body.clone()), &Mentions::new(), &partial, Root::None);
        steps(&post, vec![body], existing, 0, &|_| Marker::new(""))
    };
    let bold = || body(vec![Inline::Strong(vec![text("x")])]);
    let edit = step(bold(), &[copy(0, "a")]);
    assert_eq!(lost_by_edits(&edit, &partial), Some(codes::SIMPLIFIED));
    assert_eq!(lost_by_edits(&edit, &capabilities(&[(Feature::Edit, Level::Native)])), None);
    assert_eq!(lost_by_edits(&step(bold(), &[]), &partial), None, "a post has them");
    assert_eq!(lost_by_edits(&step(body(vec![text("x")]), &[copy(0, "a")]), &partial), None);
    let quote = Document { blocks: vec![Block::Quote(body(vec![text("x")]).blocks)] };
    assert_eq!(lost_by_edits(&step(quote, &[copy(0, "a")]), &partial), Some(codes::SIMPLIFIED));
}
