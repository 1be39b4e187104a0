//! `docs/FIDELITY.md`, from the same data. A test compares.

use std::fmt::Write as _;

use dragoman_gateway::admin::fidelity::{Side, as_source, as_target};
use dragoman_model::{Feature, Level};

const HEAD: &str = "# What arrives, and how well

Written by `dragoman fidelity --markdown` from the connectors' capability data; a test fails when it drifts. \
`dragoman fidelity A B` tells the same of two conversations of yours, with the scopes that they have.

| level | meaning |
| --- | --- |
| native | as the platform's own |
| partial | carried, with a difference |
| fallback | carried as something simpler: a line, a link, a note |
| dropped with notice | not carried, and the sender is told |
| refused | not carried, and said so beforehand |

Typing and presence are not carried: no two platforms offer both to an app.
";

/// The page, for kinds of conversation grouped by platform.
pub(crate) fn render(platforms: &[Vec<Side>]) -> String {
    let sides: Vec<&Side> = platforms.iter().flatten().collect();
    let mut page = HEAD.to_owned();
    into(&mut page, &sides);
    pairs(&mut page, &sides);
    known(&mut page, &sides);
    page
}

/// Writing to a String cannot fail.
fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text);
}

fn into(page: &mut String, sides: &[&Side]) {
    page.push_str(
        "\n## Into each\n\nWith every scope granted, from any platform that has the feature.\n\n| feature |",
    );
    for side in sides {
        put(page, format_args!(" {} |", side.end.name));
    }
    put(page, format_args!("\n| --- |{}\n", " --- |".repeat(sides.len())));
    for feature in Feature::ALL {
        let meaning = feature.meaning();
        put(page, format_args!("| {} |", lower(meaning)));
        for side in sides {
            put(page, format_args!(" {} |", side.capabilities.level(*feature).as_str()));
        }
        page.push('\n');
    }
}

fn pairs(page: &mut String, sides: &[&Side]) {
    page.push_str(
        "\n## Each pair\n\nWhat does not arrive as the target's own. What is not named arrives natively.\n\n\
         | from | to | partial | fallback | dropped with notice | refused |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for from in sides {
        for to in sides {
            put(page, format_args!("| {} | {} |", from.end.name, to.end.name));
            for level in [Level::Partial, Level::Fallback, Level::Dropped, Level::Refused] {
                let at = Feature::ALL.iter().filter(|feature| to.capabilities.level(**feature) == level);
                let names: Vec<&str> = at.map(|feature| feature.as_str()).collect();
                put(
                    page,
                    format_args!(" {} |", if names.is_empty() { "–".to_owned() } else { names.join(", ") }),
                );
            }
            page.push('\n');
        }
    }
}

fn known(page: &mut String, sides: &[&Side]) {
    page.push_str("\n## What else is known beforehand\n");
    for side in sides {
        put(page, format_args!("\n**{}**\n\n", side.end.name));
        for note in as_source(&side.capabilities) {
            put(page, format_args!("- As source: {note}\n"));
        }
        for note in as_target(&side.capabilities) {
            put(page, format_args!("- As target: {note}\n"));
        }
    }
}

/// The first letter small, for the middle of a table.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
