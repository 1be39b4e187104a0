use dragoman_model::TextUnit;

use super::*;

/// `A ana 1 at 5`: in member A account ana with emoji 1 at time 5. Accounts of the same name are one person.
fn reactors(script: &[&str]) -> Vec<Reactor> {
    let read = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, user, emoji, "at", time] = words[..] else { panic!("{line}") };
        Reactor {
            at: at.into(),
            user: format!("{user}-{at}").as_str().into(),
            person: Some(user.into()),
            emoji: emoji.as_bytes().to_vec(),
            at_ms: time.parse().unwrap(),
        }
    };
    script.iter().map(read).collect()
}

/// `app 1 set`.
fn placed(script: &[&str]) -> Vec<Placed> {
    let read = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [who, emoji, standing] = words[..] else { panic!("{line}") };
        Placed {
            who: crate::plan::spokesman(who),
            emoji: emoji.as_bytes().to_vec(),
            standing: Standing::parse(standing).unwrap(),
        }
    };
    script.iter().map(read).collect()
}

/// What is done at T until nothing is left, every call succeeding unless it is refused; and what a note tells.
fn run(people: &[&str], ours: &[&str], voices: &[&str], app: bool, refuses: &str) -> (Vec<String>, String) {
    let (target, reactors, mut placed) = ("T".into(), reactors(people), placed(ours));
    let voices: BTreeSet<PersonId> = voices.iter().map(|it| (*it).into()).collect();
    let mut done = Vec::new();
    loop {
        let scene = Scene { target: &target, reactors: &reactors, placed: &placed, voices: &voices, app };
        let Some(step) = scene.next() else {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let told = scene.told().into_iter().map(|(emoji, people)| {
                let names: Vec<&str> = people.iter().map(|it| it.user.as_str()).collect();
                format!("{} {}", text(&emoji), names.join("+"))
            });
            return (done, told.collect::<Vec<_>>().join(" "));
        };
        let (verb, who, emoji) = match step {
            Step::Set(who, emoji) => ("set", who, emoji),
            Step::Take(who, emoji) => ("take", who, emoji),
            Step::Forget(who, emoji) => ("forget", who, emoji),
        };
        let word = crate::plan::spokesman_word(&who);
        let call = format!("{verb} {word} {}", String::from_utf8(emoji.clone()).unwrap());
        placed.retain(|it| it.who != who || it.emoji != emoji);
        if verb == "set" {
            let refused = refuses.split(',').any(|it| it == format!("{word} {}", emoji[0] - b'0'));
            let standing = if refused { Standing::Refused } else { Standing::Set };
            placed.push(Placed { who, emoji, standing });
        }
        done.push(call);
        assert!(done.len() < 20, "it comes to no end: {done:?}");
    }
}

/// What it shows, reactions, ours, voices, whether the app can react, what is refused; what is done and told.
type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], bool, &'a str, &'a [&'a str], &'a str);

#[test]
fn what_is_set_at_a_target() {
    #[rustfmt::skip]
    let table: &[Case] = &[
        ("the first of an emoji sets it", &["A ana 1 at 5"], &[], &[], true, "", &["set app 1"], "1 ana-A"),
        ("the second adds a name", &["A ana 1 at 5", "B bo 1 at 6"], &["app 1 set"], &[], true, "", &[], "1 ana-A+bo-B"),
        ("the last takes it back", &[], &["app 1 set"], &[], true, "", &["take app 1"], ""),
        ("what was meant to be set is set", &["A ana 1 at 5"], &["app 1 setting"], &[], true, "", &["set app 1"], "1 ana-A"),
        ("or taken back", &[], &["app 1 setting"], &[], true, "", &["take app 1"], ""),
        ("people of the target react themselves", &["T ana 1 at 5"], &[], &[], true, "", &[], ""),
        ("and once", &["A ana 1 at 5", "T ana 1 at 6"], &[], &[], true, "", &[], ""),
        ("but not for others", &["A bo 1 at 5", "T ana 1 at 6"], &[], &[], true, "", &["set app 1"], "1 bo-A"),
        ("where the app cannot, a note tells", &["A ana 1 at 5"], &[], &[], false, "", &[], "1 ana-A"),
        ("a voice of one's own needs no note", &["A ana 1 at 5"], &[], &["ana"], true, "", &["set ana 1"], ""),
        ("nor an app", &["A ana 1 at 5"], &[], &["ana"], false, "", &["set ana 1"], ""),
        ("one has it, another has not", &["A ana 1 at 5", "A bo 1 at 6"], &[], &["ana"], true, "",
            &["set ana 1", "set app 1"], "1 bo-A"),
        ("what its author may not, the app does", &["A ana 1 at 5"], &[], &["ana"], true, "ana 1",
            &["set ana 1", "set app 1"], "1 ana-A"),
        ("and is not tried again", &["A ana 1 at 5"], &["ana 1 refused", "app 1 set"], &["ana"], true, "", &[], "1 ana-A"),
        ("until it was taken back", &[], &["ana 1 refused", "app 1 set"], &["ana"], true, "",
            &["forget ana 1", "take app 1"], ""),
        ("what nobody may is told", &["A ana 1 at 5"], &[], &[], true, "app 1", &["set app 1"], "1 ana-A"),
        ("a dead token leaves what it set", &["A ana 1 at 5"], &["ana 1 set"], &[], true, "", &[], ""),
        ("for good", &[], &["ana 1 set"], &[], true, "", &["forget ana 1"], ""),
        ("a dead token before it was used", &["A ana 1 at 5"], &["ana 1 setting"], &[], true, "",
            &["forget ana 1", "set app 1"], "1 ana-A"),
        ("several emoji, first come first", &["A ana 2 at 7", "A bo 1 at 6", "A cy 2 at 5"], &[], &[], true, "",
            &["set app 2", "set app 1"], "2 cy-A+ana-A 1 bo-A"),
        ("one person in two members is one", &["A ana 1 at 5", "B ana 1 at 6"], &[], &[], true, "",
            &["set app 1"], "1 ana-A"),
    ];
    for (what, people, ours, voices, app, refuses, steps, told) in table {
        let (done, note) = run(people, ours, voices, *app, refuses);
        assert_eq!(
            (done.iter().map(String::as_str).collect::<Vec<_>>(), note.as_str()),
            (steps.to_vec(), *told),
            "{what}"
        );
    }
}

fn told(script: &[(&str, &[(&str, &str)])]) -> Vec<Told> {
    let people =
        |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let one = |(emoji, list): &(&str, &[(&str, &str)])| Told {
        emoji: unpacked(emoji).unwrap(),
        people: people(list),
        others: BTreeMap::new(),
    };
    script.iter().map(one).collect()
}

#[test]
fn people_whom_nobody_looked_up_are_counted_with_the_others() {
    let mut told = told(&[("u:👍", &[("Ana", "Fjord"), ("Bo", "Fjord")])]);
    told[0].others.insert("Fjord".to_owned(), 3);
    assert_eq!(text(&told, false), "👍 Ana, Bo and 3 more (Fjord)");
    told[0].others.insert("Harbor".to_owned(), 1);
    assert_eq!(text(&told, false), "👍 Ana (Fjord), Bo (Fjord) and 4 more");
}

const LIMIT: TextLimit = TextLimit { max: 400, unit: TextUnit::Chars };

fn text(told: &[Told], detached: bool) -> String {
    dragoman_markup::plain(&note(told, detached, LIMIT)).trim().to_owned()
}

#[test]
fn what_notes_say() {
    let one = told(&[("u:👍", &[("Ana", "Slack"), ("Bo", "Slack")]), ("u:❤️", &[("Cy", "Slack")])]);
    assert_eq!(text(&one, false), "👍 Ana, Bo · ❤️ Cy (Slack)");
    assert_eq!(text(&one, true), "reactions to an earlier message: 👍 Ana, Bo · ❤️ Cy (Slack)");
    let two = told(&[("c:party_parrot", &[("Ana", "Slack"), ("Bo", "Zoom")])]);
    assert_eq!(text(&two, false), ":party_parrot: Ana (Slack), Bo (Zoom)");
    // What a name could be mistaken for.
    let odd = told(&[("c:a](http://x) <!channel>", &[("Ana", "Slack")])]);
    assert_eq!(text(&odd, false), ":ahttpxchannel: Ana (Slack)");
}

#[test]
fn many_reactions_make_no_long_note() {
    let name = "N".repeat(LONGEST_NAME);
    let people: Vec<(&str, &str)> = std::iter::repeat_n((name.as_str(), "Slack"), 50).collect();
    let shown = text(&told(&[("u:👍", &people)]), false);
    assert_eq!(shown.matches(&name).count(), 2, "{shown}");
    assert!(shown.ends_with(" and 48 more (Slack)"), "{shown}");
    let many: Vec<(String, &[(&str, &str)])> =
        (0..99).map(|n| (format!("c:emoji{n}"), &people[..])).collect();
    let many: Vec<(&str, &[(&str, &str)])> = many.iter().map(|(emoji, it)| (emoji.as_str(), *it)).collect();
    let shown = text(&told(&many), false);
    assert!(shown.chars().count() <= 200 && shown.ends_with(":emoji9: 50 … (Slack)"), "{shown}");
}

#[test]
fn names_and_emoji_have_one_form() {
    assert_eq!(shown_name(Some("Ana\u{202e}\n*Bo*")), "Ana Bo");
    assert_eq!((shown_name(None), shown_name(Some(" "))), ("somebody".to_owned(), "somebody".to_owned()));
    let heart = |text: &str| emoji_key(&Emoji::Unicode(text.to_owned()));
    assert_eq!(heart("❤"), heart("❤\u{fe0f}"));
    assert_ne!(heart("👍"), heart("👍🏽"), "skin tones are others");
    assert_ne!(heart("party"), emoji_key(&Emoji::Custom { name: "party".to_owned(), url: None }));
    for emoji in ["u:👍🏽", "c:party"] {
        assert_eq!(packed(&unpacked(emoji).unwrap()), emoji);
    }
    assert!(unpacked("x:1").is_none() && unpacked("").is_none());
}
