//! Each rule against small invented trees: what it must find, and what it must leave alone.

use super::tree::{Finding, Tree};
use super::{
    checklist, codes, config_keys, connectors, dependencies, files, floor, layers, links, masks, places,
    readmes, shape,
};

/// Runs one rule; findings are compared as `path:line` with a piece of the message.
fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[(&str, &str)]) {
    let findings = rule(&Tree::of(files));
    let shown: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    for (place, piece) in expected {
        let found = shown.iter().any(|line| line.starts_with(place) && line.contains(piece));
        assert!(found, "no finding {place} with {piece:?} among {shown:#?}");
    }
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let text =
        "let a = \"x // y\"; // note 'a\nlet b = 'c'; /* one /* two */ */ fn f<'a>() {} r#\"raw \" \"# '\\''";
    let code = masks::code_only(text);
    assert_eq!(code.len(), text.len());
    assert_eq!(code.split_whitespace().collect::<String>(), "leta=;letb=;fnf<'a>(){}");
    assert!(masks::without_comments(text).contains("\"x // y\""));
    assert!(!masks::without_comments(text).contains("note"));
}

#[test]
fn unit_tests_are_cut_off() {
    let inline = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
    assert_eq!(masks::without_unit_tests(inline), "fn a() {}\n");
    let elsewhere = "mod a;\n#[cfg(test)]\nmod tests;\nfn a() {}\n";
    assert_eq!(masks::without_unit_tests(elsewhere), elsewhere);
}

#[test]
fn layers_go_down_only() {
    let fine = "[dependencies]\ndragoman-model.workspace = true\n[dev-dependencies]\ndragoman-testkit.workspace = true\n";
    check(layers::check, &[("crates/markup/Cargo.toml", fine)], &[]);
    let up = "[dependencies]\ndragoman-model.workspace = true\ndragoman-relay.workspace = true\n";
    check(
        layers::check,
        &[("crates/slack/Cargo.toml", up)],
        &[("crates/slack/Cargo.toml:3", "may not import relay")],
    );
    let sideways = "[dev-dependencies]\ndragoman-teams = { workspace = true }\n";
    check(layers::check, &[("crates/slack/Cargo.toml", sideways)], &[("crates/slack/Cargo.toml:2", "teams")]);
    let kit = "[dependencies]\ndragoman-testkit.workspace = true\n";
    check(layers::check, &[("crates/store/Cargo.toml", kit)], &[("crates/store/Cargo.toml:2", "testkit")]);
    let sim = "[dev-dependencies]\ndragoman-testkit.workspace = true\n";
    check(layers::check, &[("crates/sim/Cargo.toml", sim)], &[("crates/sim/Cargo.toml:2", "testkit")]);
    check(
        layers::check,
        &[("crates/fax/Cargo.toml", "")],
        &[("crates/fax/Cargo.toml", "no line in the table")],
    );
}

#[test]
fn dependencies_are_declared_once_and_explained() {
    let root = "[workspace.dependencies]\n# Ours.\ndragoman-model = { path = \"x\" }\n# Buffers.\nbytes = \"1\"\nhex = \"1\"\n[profile.dev]\ndebug = 1\n";
    let uses = (
        "crates/b/Cargo.toml",
        "[dependencies]\nbytes.workspace = true\nhex.workspace = true\n[lints]\nworkspace = true\n",
    );
    check(
        dependencies::check,
        &[("Cargo.toml", root), uses],
        &[("Cargo.toml:6", "hex"), ("Cargo.toml: ", "dragoman-model is declared and no package")],
    );
    let fine = "[dependencies]\nbytes.workspace = true\nhex = { workspace = true, features = [\"a\"] }\n[lints]\nworkspace = true\n";
    check(dependencies::check, &[("crates/a/Cargo.toml", fine)], &[]);
    let own = "[dev-dependencies]\ndragoman-a = { path = \".\", features = [\"testing\"] }\n[lints]\nworkspace = true\n";
    check(dependencies::check, &[("crates/a/Cargo.toml", own)], &[]);
    let local = "[dependencies]\nbytes = \"1\"\n";
    let expected = [("crates/a/Cargo.toml:2", "workspace = true"), ("crates/a/Cargo.toml:", "[lints]")];
    check(dependencies::check, &[("crates/a/Cargo.toml", local)], &expected);
}

#[test]
fn long_files_are_found_without_their_tests() {
    let long = "fn a() {}\n".repeat(601);
    check(shape::check, &[("crates/a/src/b.rs", &long)], &[("crates/a/src/b.rs", "601 lines")]);
    let tested =
        format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "fn a() {}\n".repeat(600), "// x\n".repeat(50));
    check(shape::check, &[("crates/a/src/b.rs", &tested)], &[]);
    let generated = format!("// @generated from a table\n{long}");
    let exempt = [
        ("crates/a/src/b/tests.rs", long.as_str()),
        ("crates/a/tests/it/main.rs", &long),
        ("crates/a/src/table.rs", &generated),
    ];
    check(shape::check, &exempt, &[]);
}

#[test]
fn roots_only_declare() {
    let fine = "//! Says.\n#![expect(dead_code, reason = \"x\")]\n\nmod a;\n#[cfg(test)]\nmod tests;\n/// B.\npub mod b;\n\
                pub use a::{C,\n    D};\npub(crate) use b::E;\nextern crate alloc;\n";
    check(shape::check, &[("crates/a/src/lib.rs", fine), ("crates/a/src/b/mod.rs", fine)], &[]);
    let defines = "mod a;\npub struct B {\n    c: u8,\n}\nconst D: [u8; 2] = [1, 2];\nmod e {\n}\nfn f(g: u8) -> u8 { g }\n";
    let at = "crates/a/src/lib.rs:";
    check(
        shape::check,
        &[("crates/a/src/lib.rs", defines)],
        &[
            ("crates/a/src/lib.rs:4", "only declare"),
            ("crates/a/src/lib.rs:5", "only declare"),
            ("crates/a/src/lib.rs:7", "only declare"),
            (at, "only declare"),
        ],
    );
    check(shape::check, &[("crates/a/src/main.rs", defines)], &[]);
}

#[test]
fn test_binaries_are_one_per_crate() {
    check(shape::check, &[("crates/a/tests/it/main.rs", ""), ("crates/a/tests/it/b.rs", "")], &[]);
    check(shape::check, &[("crates/a/tests/b.rs", "")], &[("crates/a/tests/b.rs", "one test binary")]);
}

#[test]
fn words_stay_in_their_places() {
    let unsafe_ = "// unsafe\nlet a = \"unsafe\";\nunsafe { b() }\n";
    check(places::check, &[("crates/model/src/a.rs", unsafe_)], &[("crates/model/src/a.rs:3", "seal only")]);
    check(places::check, &[("crates/seal/src/a.rs", unsafe_)], &[]);
    let allow = "#[allow(dead_code)]\nfn a() {}\n#[expect(dead_code, reason = \"b\")]\n#[cfg_attr(test, allow(unused))]\n";
    let expected = [("crates/model/src/a.rs:1", "expect"), ("crates/model/src/a.rs:4", "expect")];
    check(places::check, &[("crates/model/src/a.rs", allow)], &expected);
}

/// A connector's package and the file by which it is known as one.
const FAX: [(&str, &str); 2] = [("crates/fax/Cargo.toml", ""), ("crates/fax/src/capabilities.rs", "")];

#[test]
fn neutral_crates_name_no_platform() {
    let text = "// Fax says so\nfn a() { b(\"fax:#hall\"); }\nstruct MyFaxThing;\nstruct FaxThing;\nlet parallax = entrance(faxes);\n#[cfg(test)]\nmod tests {\n    // fax\n    fn fax() {}\n}\n";
    let found = |line: usize| format!("crates/relay/src/a.rs:{line}");
    let expected = [found(1), found(2), found(3), found(4)];
    let expected: Vec<_> = expected.iter().map(|place| (place.as_str(), "fax")).collect();
    let mut files = FAX.to_vec();
    files.extend([
        ("crates/relay/src/a.rs", text),
        ("crates/cli/src/a.rs", text),
        ("crates/relay/tests/it/a.rs", text),
    ]);
    check(places::check, &files, &expected);
    // Without such a connector it is a word like others; some names are known without.
    check(places::check, &[("crates/relay/src/a.rs", text)], &[]);
    check(
        places::check,
        &[("crates/relay/src/a.rs", "/// Microsoft's.\n")],
        &[("crates/relay/src/a.rs:1", "microsoft")],
    );
    for path in ["crates/store/src/a.sql", "crates/gateway/README.md", "crates/store/Cargo.toml"] {
        let files = [&FAX[..], &[(path, "-- one\nfax_message\n")]].concat();
        check(places::check, &files, &[(format!("{path}:2").as_str(), "fax")]);
    }
}

#[test]
fn a_connector_has_what_all_have() {
    let none =
        connectors::check(&Tree::of(&[("crates/fax/Cargo.toml", ""), ("crates/fax/src/decode.rs", "")]));
    assert!(none.is_empty(), "a crate without capabilities is none: {none:?}");
    let mut files = FAX.to_vec();
    files.extend([
        ("crates/cli/src/runtime.rs", "use dragoman_fix::X;"),
        ("fuzz/targets/src/targets.rs", "(\"fax_page\", a)"),
    ]);
    let found: Vec<String> = connectors::check(&Tree::of(&files)).iter().map(ToString::to_string).collect();
    for path in [
        "crates/fax/src/verify.rs",
        "crates/sim/src/fax/mod.rs",
        "crates/markup/src/fax/mod.rs",
        "crates/fax/tests/it/conformance.rs",
    ] {
        assert!(found.iter().any(|line| line.starts_with(path)), "{path}: {found:?}");
    }
    assert!(found.iter().any(|line| line.contains("dragoman_fax::")), "{found:?}");
    assert!(
        !found.iter().any(|line| line.contains("targets.rs") || line.contains("capabilities.rs")),
        "{found:?}"
    );
}

#[test]
fn packages_have_readmes() {
    let fine = "# a\n\nFor this.\nNot that.\nStart there.\n";
    let files = [("crates/a/Cargo.toml", ""), ("crates/a/README.md", fine), ("crates/b/Cargo.toml", "")];
    check(readmes::check, &files, &[("crates/b/README.md", "missing")]);
    check(
        readmes::check,
        &[("xtask/Cargo.toml", ""), ("xtask/README.md", "# x\n")],
        &[("xtask/README.md", "too little")],
    );
}

const TABLE: &str = "codes! {\n    ECHO = \"DRG-ECHO\";\n    SEEN = \"DRG-SEEN\";\n}\n";
const ECHO: &str = "# DRG-ECHO: our own copy\n\nIt came back.\n\n**What to do.** Nothing.\n";
const SEEN: &str = "# DRG-SEEN: already relayed\n\nIt came back.\n\n**What to do.** Nothing.\n";

#[test]
fn codes_and_pages_belong_together() {
    let mut files = vec![
        ("crates/model/src/codes.rs", TABLE),
        ("docs/errors/DRG-ECHO.md", ECHO),
        ("docs/errors/DRG-SEEN.md", SEEN),
    ];
    let index = codes::index(&Tree::of(&files));
    assert!(index.contains("| [DRG-SEEN](DRG-SEEN.md) | already relayed |"), "{index}");
    files.push((codes::INDEX, &index));
    check(codes::check, &files, &[]);

    files.push(("docs/errors/DRG-OLD.md", "# DRG-OLD: gone\n"));
    files.push(("crates/relay/src/a.rs", "fn a() { b(\"DRG-NEW\") }\n"));
    check(
        codes::check,
        &files,
        &[
            ("docs/errors/DRG-OLD.md", "not in"),
            ("crates/relay/src/a.rs:1", "DRG-NEW"),
            (codes::INDEX, "tidy --write"),
        ],
    );
}

#[test]
fn pages_are_complete() {
    let files =
        [("crates/model/src/codes.rs", TABLE), ("docs/errors/DRG-ECHO.md", "# Echo\n"), (codes::INDEX, "")];
    check(
        codes::check,
        &files,
        &[
            ("docs/errors/DRG-ECHO.md:1", "the first line"),
            ("docs/errors/DRG-ECHO.md:", "no paragraph"),
            ("docs/errors/DRG-ECHO.md:3", "the third line"),
            ("crates/model/src/codes.rs:3", "DRG-SEEN has no page"),
            (codes::INDEX, "not up to date"),
        ],
    );
}

#[test]
fn configuration_keys_are_documented() {
    let text = "#[derive(Deserialize)]\n#[serde(default)]\npub struct A {\n    /// Said.\n    #[serde(default)]\n    pub a: u8,\n    pub b: Option<u8>,\n}\n\
                #[derive(Debug)]\nstruct B {\n    c: u8,\n}\n";
    check(
        config_keys::check,
        &[("crates/cli/src/config/file.rs", text)],
        &[("crates/cli/src/config/file.rs:7", "`b`")],
    );
    check(
        config_keys::check,
        &[("crates/cli/src/config.rs", text)],
        &[("crates/cli/src/config.rs:7", "`b`")],
    );
    check(config_keys::check, &[("crates/cli/src/configure.rs", text)], &[]);
}

#[test]
fn checklist_names_existing_tests() {
    let tests = "#[tokio::test]\nasync fn posts_once() {}\n#[test]\nfn signs() {}\nfn helper() {}\n";
    let list = "# List\n\n- [slack §5] `chat.postMessage` posts once: `posts_once`\n- [slack §6] signs: `it::signs`\n\
                - [slack §7] nothing\n- [slack §8] helped: `helper`\n";
    check(
        checklist::check,
        &[("crates/sim/CHECKLIST.md", list), ("crates/sim/tests/it/a.rs", tests)],
        &[
            ("crates/sim/CHECKLIST.md:5", "without the name"),
            ("crates/sim/CHECKLIST.md:6", "no test `helper`"),
        ],
    );
    check(checklist::check, &[], &[("crates/sim/CHECKLIST.md", "missing")]);
}

#[test]
fn floor_is_there_and_used() {
    check(floor::check, &[], &[("crates/model/src/floor.rs", "missing")]);
    let table = ("crates/model/src/floor.rs", "pub const FLOOR: u8 = 1;\n");
    check(
        floor::check,
        &[table, ("crates/model/src/lib.rs", "pub use floor::FLOOR;\n")],
        &[(table.0, "no test")],
    );
    check(floor::check, &[table, ("crates/slack/tests/it/a.rs", "use dragoman_model::FLOOR;\n")], &[]);
}

#[test]
fn files_hold_no_hosts_and_no_bulk() {
    let host = concat!("see pypi", ".org\n");
    check(files::check, &[("docs/a.md", host)], &[("docs/a.md:1", "registry")]);
    check(files::check, &[("docs/a.md", concat!("/ro", "ot/x\n"))], &[("docs/a.md:1", "machine")]);
    check(files::check, &[("a.txt", &"x".repeat((1 << 20) + 1))], &[("a.txt", "1048577 bytes")]);
}

#[test]
fn links_lead_somewhere() {
    let a = "# A\n\n[b](b.md#its-own-heading) [up](../README.md) [here](#a) [web](https://x.example/) [dir](sub)\n\
             ```\n[code](nowhere)\n```\n[c](c.md) [b](b.md#other) [out](../../x)\n";
    let files = [
        ("docs/a.md", a),
        ("docs/b.md", "## Its *own* heading!\n"),
        ("docs/sub/x.txt", ""),
        ("README.md", ""),
    ];
    check(
        links::check,
        &files,
        &[
            ("docs/a.md:7", "c.md leads nowhere"),
            ("docs/a.md:7", "no heading #other"),
            ("docs/a.md:7", "out of the repository"),
        ],
    );
}
