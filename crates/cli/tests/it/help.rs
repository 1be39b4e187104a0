//! What `--help` says.

use std::process::Command;

use crate::rig::{BINARY, text};

fn help(of: &[&str]) -> String {
    let output = Command::new(BINARY).args(of).arg("--help").output().expect("the binary runs");
    assert!(output.status.success(), "{of:?}");
    text(&output.stdout)
}

/// Commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_that_is_listed_is_there_and_described() {
    let top = help(&[]);
    let expected = [
        "demo",
        "init",
        "serve",
        "sim",
        "doctor",
        "org",
        "app",
        "install",
        "person",
        "bridge",
        "dm",
        "delivery",
        "dead-letter",
        "fidelity",
        "config",
    ];
    assert_eq!(commands(&top), expected);
    for command in expected {
        let text = help(&[command]);
        for inner in commands(&text) {
            let inner_text = help(&[command, &inner]);
            assert!(inner_text.contains("Usage: dragoman"), "{inner_text}");
            described(&inner_text);
        }
        described(&text);
    }
}

/// No option and no argument without a word on what it is.
fn described(help: &str) {
    let mut lines = help.lines().peekable();
    assert!(lines.peek().is_some_and(|first| first.len() > 7), "{help}");
    while let Some(line) = lines.next() {
        let word = line.trim_start();
        if line.starts_with("  ") && (word.starts_with("--") || word.starts_with('<') || is_argument(word)) {
            let on_the_line = word.split_once("  ").is_some_and(|(_, rest)| rest.trim().len() > 3);
            let below = lines.peek().is_some_and(|next| next.starts_with("          "));
            assert!(on_the_line || below, "nothing is said of {word}:\n{help}");
        }
    }
}

/// Not a remark such as `[default: …]`.
fn is_argument(word: &str) -> bool {
    word.strip_prefix('[').is_some_and(|name| name.starts_with(char::is_uppercase))
}

#[test]
fn a_mistyped_command_is_answered_with_the_right_one() {
    let output = Command::new(BINARY).arg("bridges").output().expect("the binary runs");
    assert!(!output.status.success() && text(&output.stderr).contains("'bridge'"));
}
