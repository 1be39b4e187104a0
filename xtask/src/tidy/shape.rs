//! File sizes; `lib.rs` and `mod.rs` only declare; one integration test binary per crate.

use super::masks;
use super::tree::{Finding, Tree, is_test_path};

/// Lines that a file may have, its unit tests not counted.
const MAX_LINES: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        if is_stray_test_binary(path) {
            let message = "one test binary per crate: make this a module of tests/it/main.rs";
            findings.push(Finding::new(path, 0, message));
        }
        if is_test_path(path) {
            continue;
        }
        let lines = masks::without_unit_tests(text).lines().count();
        if lines > MAX_LINES && !text.starts_with("// @generated") {
            findings.push(Finding::new(
                path,
                0,
                format!("{lines} lines, at most {MAX_LINES}: split it by subject"),
            ));
        }
        if path.ends_with("/lib.rs") || path.ends_with("/mod.rs") {
            findings.extend(defines(path, text));
        }
    }
    findings
}

fn is_stray_test_binary(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("crates") && parts.nth(1) == Some("tests") && parts.count() == 1
}

/// Items of a `lib.rs` or `mod.rs` that are neither modules nor imports.
fn defines(path: &str, text: &str) -> Vec<Finding> {
    let code = masks::code_only(masks::without_unit_tests(text));
    let mut findings = Vec::new();
    let mut depth = 0_usize;
    let mut statement = String::new();
    for (index, line) in code.lines().enumerate() {
        for c in line.chars() {
            if depth == 0 && statement.trim().is_empty() && !c.is_whitespace() {
                statement.clear();
            }
            statement.push(c);
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            let ends_attribute = c == ']' && depth == 0 && statement.trim_start().starts_with('#');
            let ends_item = depth == 0 && (c == ';' || (c == '}' && !is_use(&statement)));
            if ends_attribute {
                statement.clear();
            } else if ends_item {
                if !declares(&statement) {
                    let message =
                        "lib.rs and mod.rs only declare and re-export: move this item to a file of its own";
                    findings.push(Finding::new(path, index + 1, message));
                }
                statement.clear();
            }
        }
        statement.push(' ');
    }
    findings
}

fn words(statement: &str) -> Vec<&str> {
    let words = statement.split_whitespace();
    words.skip_while(|word| word.starts_with("pub") || word.ends_with(')')).collect()
}

fn is_use(statement: &str) -> bool {
    words(statement).first() == Some(&"use")
}

fn declares(statement: &str) -> bool {
    let statement = statement.trim();
    match words(statement).as_slice() {
        ["use", ..] | ["extern", "crate", ..] => true,
        ["mod", ..] => statement.ends_with(';'),
        _ => false,
    }
}
