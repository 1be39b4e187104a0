//! Calls every rule and prints what they found.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::tree::{Finding, Tree};
use super::{
    checklist, codes, config_keys, connectors, dependencies, files, floor, layers, links, places, readmes,
    shape,
};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Writes the index of docs/errors anew before checking
    #[arg(long)]
    write: bool,
}

type Rule = fn(&Tree) -> Vec<Finding>;

/// Every rule with the name it reports under.
const RULES: &[(&str, Rule)] = &[
    ("layers", layers::check),
    ("dependencies", dependencies::check),
    ("shape", shape::check),
    ("connectors", connectors::check),
    ("places", places::check),
    ("readmes", readmes::check),
    ("codes", codes::check),
    ("config-keys", config_keys::check),
    ("checklist", checklist::check),
    ("floor", floor::check),
    ("files", files::check),
    ("links", links::check),
];

pub(crate) fn run(root: &Path, args: &Args) -> anyhow::Result<()> {
    let mut tree = Tree::read(root)?;
    if args.write {
        let index = codes::index(&tree);
        let path = root.join(codes::INDEX);
        fs::write(&path, index).with_context(|| format!("cannot write {}", path.display()))?;
        tree = Tree::read(root)?;
    }
    let mut count = 0;
    for (name, rule) in RULES {
        for finding in rule(&tree) {
            println!("{finding} [{name}]");
            count += 1;
        }
    }
    if count > 0 {
        bail!("tidy: {count} findings");
    }
    println!("tidy: {} files, {} rules, nothing found", tree.len(), RULES.len());
    Ok(())
}
