use dragoman_model::{ShownAuthor, TextLimit, TextUnit};

use super::*;
use crate::rows;

fn file(id: &str, name: &str, size: Option<u64>) -> (FileRef, String) {
    let file = FileRef { id: id.into(), name: name.into(), media_type: None, size, permalink: None };
    (file, format!("k{id}"))
}

fn copy(part: u32, file: Option<&str>) -> CopyRow {
    CopyRow { file: file.map(str::to_owned), ..rows::copy(part) }
}

fn native(policy: &FilePolicy) -> Bounds<'_> {
    Bounds { level: Level::Native, max_bytes: Some(100), policy }
}

/// What is done, as words, and the lines of the text with their codes.
fn sorted(
    files: Vec<(FileRef, String)>,
    copies: &[CopyRow],
    bounds: &Bounds<'_>,
    barred: &[(&str, Code)],
) -> (Vec<String>, Vec<(String, Code)>) {
    let barred = barred.iter().map(|(key, code)| ((*key).to_owned(), *code)).collect();
    let cargo = sort(files, copies, bounds, &barred);
    let lines = cargo.lines.iter().map(|(file, code)| (file.id.clone(), *code)).collect();
    let post = Post {
        conversation: "C2".into(),
        thread_root: None,
        broadcast: true,
        author: ShownAuthor { name: "Ines".into(), via: "Slack".into(), avatar_url: None },
        spokesman: Spokesman::App,
        body: Document::plain("the text"),
        marker: Marker::new(""),
    };
    let steps = cargo.steps(&post, &Spokesman::App, &|part| Marker::new(part.to_string()));
    let words = steps.iter().map(|step| match &step.operation {
        Operation::Post(post) => {
            assert_eq!(post.marker.as_str(), step.part.to_string());
            assert!(!post.broadcast);
            let what = step.freight.as_ref().map_or_else(
                || dragoman_markup::plain(&post.body).trim().to_owned(),
                |file| format!("share {}{}", file.name, if post.body.is_empty() { "" } else { " with text" }),
            );
            format!("{} {} {what}", step.part, step.file.as_deref().unwrap_or("no file"))
        }
        Operation::Delete { message, .. } => format!("delete {message}"),
        other => other.name().to_owned(),
    });
    (words.collect(), lines)
}

#[test]
fn every_file_is_a_part_of_its_own_behind_the_text() {
    let policy = FilePolicy::default();
    let files = vec![file("1", "a.png", Some(7)), file("2", "b.png", None)];
    let (steps, lines) = sorted(files, &[copy(0, None)], &native(&policy), &[]);
    assert_eq!(steps, ["500 k1 share a.png", "501 k2 share b.png"]);
    assert_eq!(lines, []);
    assert_eq!([0, 499, 500, 999, 1_000, 1_500].map(is_file), [false, false, true, true, false, true]);
}

#[test]
fn an_edit_leaves_alone_what_stayed_and_replaces_the_rest() {
    let policy = FilePolicy::default();
    let there = [copy(0, None), copy(500, Some("k1")), copy(501, Some("k2")), copy(1_000, None)];
    let files = vec![file("2", "b.png", None), file("3", "c.png", None)];
    let (steps, _) = sorted(files, &there, &native(&policy), &[]);
    assert_eq!(steps, ["502 k3 share c.png", "delete m500"]);
    // The same file twice is two copies, and one of them can go.
    let twice = [copy(500, Some("k1")), copy(501, Some("k1"))];
    let (steps, _) = sorted(vec![file("1", "a.png", None)], &twice, &native(&policy), &[]);
    assert_eq!(steps, ["delete m501"]);
    let (steps, _) =
        sorted(vec![file("1", "a", None), file("1", "a", None)], &twice[..1], &native(&policy), &[]);
    assert_eq!(steps, ["501 k1 share a"]);
}

#[test]
fn what_cannot_pass_is_a_line_with_its_reason() {
    let policy = FilePolicy { max_bytes: Some(50), denied: vec!["exe".to_owned()] };
    let capabilities = Capabilities {
        levels: [(Feature::File, Level::Native)].into(),
        own_levels: BTreeMap::new(),
        text: TextLimit { max: 100, unit: TextUnit::Chars },
        reread: true,
        read_back: true,
        history: true,
        reorder_window_ms: 0,
        max_edits: None,
        unannounced_edits_ms: None,
        max_file_bytes: Some(100),
        file_needs_length: false,
        send_interval_ms: 0,
    };
    let bounds = Bounds::of(&capabilities, &Spokesman::App, &policy);
    let files = || vec![file("1", "a.exe", Some(1)), file("2", "b", Some(51)), file("3", "c", Some(50))];
    let (steps, lines) = sorted(files(), &[], &bounds, &[]);
    assert_eq!(steps, ["500 k3 share c"]);
    let (forbidden, large) = (codes::FILE_FORBIDDEN, codes::FILE_TOO_LARGE);
    assert_eq!(lines, [("1".to_owned(), forbidden), ("2".to_owned(), large)]);
    // What only an attempt showed stands in its own part, where the next one does not look for it again.
    let (steps, _) = sorted(files(), &[], &bounds, &[("k3", codes::FILE_GONE)]);
    assert_eq!(steps, ["500 k3 📎 c (50 B): could not be fetched"]);
    let (steps, lines) = sorted(files(), &[copy(500, Some("k3"))], &bounds, &[]);
    assert_eq!((steps.len(), lines.len()), (0, 2));

    let none = Capabilities { levels: [(Feature::File, Level::Fallback)].into(), ..capabilities };
    let bounds = Bounds::of(&none, &Spokesman::App, &policy);
    let (steps, lines) = sorted(files(), &[], &bounds, &[]);
    assert_eq!(steps.len(), 0);
    assert!(lines.iter().all(|(_, code)| *code == codes::SIMPLIFIED));
}

#[test]
fn files_are_known_again_under_the_names_that_platforms_make_of_theirs() {
    for (found, name, alike) in [
        ("plan.pdf", "plan.pdf", true),
        ("Plan_A.PDF", "plan a.pdf", true),
        ("plan (2).pdf", "plan.pdf", true),
        ("plan 1.pdf", "plan.pdf", true),
        ("plan.pdf", "plan.png", false),
        ("plan B.pdf", "plan.pdf", false),
        ("", "plan.pdf", false),
        // Posted with the ending of its kind.
        ("image.png", "image", true),
        ("image 1.png", "image", true),
        ("Fig. 3.jpg", "Fig. 3", true),
        ("image.pdf", "image", false),
    ] {
        assert_eq!(is_alike(found, name), alike, "{found} for {name}");
    }
}

#[test]
fn pictures_without_an_ending_get_the_one_of_their_kind() {
    let png = Some("image/png; charset=binary");
    assert_eq!(shown_name("image", png), "image.png");
    assert_eq!(shown_name("Fig. 3", Some("IMAGE/JPEG")), "Fig. 3.jpg");
    assert_eq!(shown_name(".hidden", png), ".hidden.png");
    for (name, kind) in [("plan.png", png), ("plan.pdf", png), ("notes", Some("text/plain")), ("notes", None)]
    {
        assert_eq!(shown_name(name, kind), name);
    }
}

#[test]
fn a_name_is_cut_here_and_keeps_its_ending() {
    let long = |stem: usize, end: &str| format!("{}{end}", "a".repeat(stem));
    assert_eq!(shown_name(&long(200, ".pdf"), None), long(116, ".pdf"));
    assert_eq!(shown_name(&long(119, ""), Some("image/png")), long(116, ".png"));
    // What follows the last full stop is no ending when it is that long; nor is what the cut leaves of it.
    let disguised = shown_name(&format!("{}.bat{}", "a".repeat(116), "x".repeat(20)), None);
    assert_eq!(disguised, format!("{}.bat", "a".repeat(116)));
    let policy = FilePolicy { denied: vec!["bat".to_owned()], ..FilePolicy::default() };
    assert_eq!(native(&policy).objection(&disguised, &[], &[], None), Some(codes::FILE_FORBIDDEN));
    assert!(is_alike(&disguised, &format!("{}.bat{}", "a".repeat(116), "x".repeat(20))));
}

#[test]
fn the_app_carries_what_a_person_may_not_where_it_can() {
    let person = Spokesman::Person("p".into());
    for (level, voiceless, by_app) in [
        (Level::Native, false, false),
        (Level::Native, true, true),
        (Level::Partial, true, true),
        // A line stands better beside the text than in the app's name below it.
        (Level::Fallback, true, false),
    ] {
        assert_eq!(carrier(level, &person, voiceless) == Spokesman::App, by_app, "{level:?} {voiceless}");
        assert_eq!(carrier(level, &Spokesman::App, voiceless), Spokesman::App);
    }
}
