//! Emoji between the platforms.

use dragoman_markup::emoji::{from_slack, from_teams_reaction, is_emoji, to_slack, to_teams_reaction};

#[test]
fn slack_names_both_ways() {
    for (name, unicode) in [
        ("+1", "\u{1f44d}"),
        ("wave::skin-tone-3", "\u{1f44b}\u{1f3fc}"),
        ("heart", "\u{2764}\u{fe0f}"),
        ("flag-de", "\u{1f1e9}\u{1f1ea}"),
        ("woman-running", "\u{1f3c3}\u{200d}\u{2640}\u{fe0f}"),
        ("woman-running::skin-tone-6", "\u{1f3c3}\u{1f3ff}\u{200d}\u{2640}\u{fe0f}"),
        ("v::skin-tone-2", "\u{270c}\u{1f3fb}"),
        ("hash", "#\u{fe0f}\u{20e3}"),
    ] {
        assert_eq!(from_slack(name).as_deref(), Some(unicode), "{name}");
        assert_eq!(to_slack(unicode).as_deref(), Some(name), "{name}");
    }
}

#[test]
fn aliases_are_understood() {
    assert_eq!(from_slack("thumbsup"), from_slack("+1"));
    assert_eq!(from_slack(":de:"), from_slack("flag-de"));
    assert_eq!(to_slack("\u{2764}").as_deref(), Some("heart"));
    assert_eq!(from_slack("party-parrot"), None);
    assert_eq!(from_slack("wave::skin-tone-9"), None);
    assert_eq!(to_slack("A"), None);
    assert_eq!(to_slack(""), None);
    assert!(is_emoji("\u{1f44d}\u{1f3fd}") && !is_emoji("\u{1f44d}!"));
}

#[test]
fn teams_reactions_both_ways() {
    for (kind, unicode) in [
        ("like", "\u{1f44d}"),
        ("heart", "\u{2764}\u{fe0f}"),
        ("laugh", "\u{1f606}"),
        ("surprised", "\u{1f62e}"),
        ("sad", "\u{1f622}"),
        ("angry", "\u{1f621}"),
        ("1f440_eyes", "\u{1f440}"),
        ("2705_whiteheavycheckmark", "\u{2705}"),
        ("274c_crossmark", "\u{274c}"),
        ("like-tone3", "\u{1f44d}\u{1f3fd}"),
    ] {
        assert_eq!(from_teams_reaction(kind).as_deref(), Some(unicode), "{kind}");
        assert_eq!(to_teams_reaction(unicode).as_deref(), Some(kind), "{kind}");
        assert_eq!(from_teams_reaction(unicode).as_deref(), Some(unicode), "{kind}");
    }
    assert_eq!(from_teams_reaction("custom"), None);
}

#[test]
fn every_slack_name_comes_back() {
    let table = include_str!("../../src/emoji/table.txt");
    let mut count = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('|');
        let (_, names, tones) = (fields.next().unwrap(), fields.next().unwrap(), fields.next().unwrap());
        let name = names.split(',').next().unwrap();
        let tone_names = if tones == "+" { 2..7 } else { 2..2 };
        let all = std::iter::once(name.to_owned())
            .chain(tone_names.map(|tone| format!("{name}::skin-tone-{tone}")));
        for name in all {
            let unicode = from_slack(&name).unwrap();
            assert_eq!(to_slack(&unicode).as_deref(), Some(name.as_str()));
            let kind = to_teams_reaction(&unicode).unwrap();
            assert_eq!(from_teams_reaction(&kind).as_deref(), Some(unicode.as_str()), "{kind}");
            count += 1;
        }
    }
    assert!(count > 3000);
}
