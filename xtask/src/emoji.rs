//! `cargo xtask emoji PATH`: makes the emoji table of `markup` from `emoji.json` of the package emoji-datasource.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

const TABLE: &str = "crates/markup/src/emoji/table.txt";
const HEAD: &str = "\
# Made by `cargo xtask emoji` from emoji-datasource 16.0.0 (MIT, see NOTICE). Do not edit.
# code points | short names, the first is the one that is written | + where skin tones exist | squeezed name
";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `emoji.json` of an unpacked emoji-datasource
    path: PathBuf,
}

/// Writes the table.
pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    let text = fs::read_to_string(&args.path).with_context(|| {
        format!("{} cannot be read: name emoji.json of emoji-datasource", args.path.display())
    })?;
    let emoji: Vec<Value> = serde_json::from_str(&text)
        .with_context(|| format!("{} is not the JSON of emoji-datasource", args.path.display()))?;
    let table = table(&emoji)?;
    let target = root.join(TABLE);
    fs::write(&target, &table).with_context(|| format!("{} cannot be written", target.display()))?;
    println!("{} emoji in {TABLE}", emoji.len());
    Ok(())
}

fn table(emoji: &[Value]) -> anyhow::Result<String> {
    let mut rows: Vec<(u64, String, String)> = Vec::new();
    for entry in emoji {
        let order = entry["sort_order"].as_u64().context("an entry has no sort_order")?;
        let codes = entry["unified"].as_str().context("an entry has no unified")?.to_ascii_lowercase();
        let row = row(entry, &codes).with_context(|| format!("entry {codes}"))?;
        rows.push((order, codes, row));
    }
    rows.sort();
    let mut out = HEAD.to_owned();
    for (_, _, row) in rows {
        writeln!(out, "{row}")?;
    }
    Ok(out)
}

fn row(entry: &Value, codes: &str) -> anyhow::Result<String> {
    let first = entry["short_name"].as_str().context("it has no short_name")?;
    let mut names = vec![first];
    let others = entry["short_names"].as_array().map_or(&[][..], Vec::as_slice);
    names.extend(others.iter().filter_map(Value::as_str).filter(|name| *name != first));
    // Slack writes `flag-de` where the package also has `de`.
    names.sort_by_key(|name| !name.starts_with("flag-"));
    let mut tones = "";
    for (tone, variation) in entry["skin_variations"].as_object().into_iter().flatten() {
        // Two tones at once are pairs of people; no short name says them.
        if tone.contains('-') {
            continue;
        }
        tones = "+";
        let variation = variation["unified"].as_str().unwrap_or_default().to_ascii_lowercase();
        ensure!(
            variation == toned(codes, &tone.to_ascii_lowercase()),
            "its tone {tone} is not the second code point: the table needs a column for such"
        );
    }
    let squeezed: String = entry["name"]
        .as_str()
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Ok(format!("{codes}|{}|{tones}|{squeezed}", names.join(",")))
}

/// The rule that the reader of the table follows: the tone stands second and replaces a variation selector.
fn toned(codes: &str, tone: &str) -> String {
    let mut parts = codes.split('-');
    let mut out = vec![parts.next().unwrap_or_default(), tone];
    out.extend(parts.enumerate().filter(|(index, code)| *index > 0 || *code != "fe0f").map(|(_, code)| code));
    out.join("-")
}
