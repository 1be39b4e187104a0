//! `fidelity`: what passes, and how well, from the connectors' own data.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use dragoman_gateway::admin::api::{FidelityGet, Way};
use dragoman_gateway::admin::fidelity::{Side, kinds, way};
use dragoman_platform::Connector;

use super::{Context, fidelity_page};
use crate::args::Fidelity;
use crate::config::{self, Config};
use crate::print;
use crate::runtime::{self, Shared};

/// More ways than these are not told one by one.
const FEW: usize = 6;

type Connectors = BTreeMap<&'static str, Arc<dyn Connector>>;

pub(crate) async fn run(path: &Path, options: Fidelity, json: bool) -> Result<()> {
    // What a platform can carry does not depend on how this deployment is set up.
    let settings = Config::default();
    let connectors = runtime::connectors(&settings, &Shared::new(&settings)?)?;
    if options.markdown {
        print::raw(&fidelity_page::render(&platforms(&connectors)));
        return Ok(());
    }
    let ways = match ask(&connectors, &options.ends)? {
        Asked::Everything => {
            let sides: Vec<Side> = platforms(&connectors).into_iter().flatten().collect();
            pairs(&sides, &sides)
        }
        Asked::Platforms(named) => between(&named),
        Asked::Conversations => {
            let context = Context { config: config::load(path)?, json };
            context.ask(&FidelityGet { members: options.ends }).await?
        }
    };
    if json {
        return print::json(&ways);
    }
    show(&ways);
    Ok(())
}

enum Asked {
    Everything,
    Platforms(Vec<Vec<Side>>),
    Conversations,
}

/// Platforms are words of ours; everything else is somebody's conversation.
fn ask(connectors: &Connectors, ends: &[String]) -> Result<Asked> {
    if ends.is_empty() {
        return Ok(Asked::Everything);
    }
    let known: Vec<&str> = connectors.keys().copied().collect();
    let named: Vec<Vec<Side>> =
        ends.iter().filter_map(|end| connectors.get(end.as_str())).map(|it| kinds(&**it)).collect();
    if let Some(odd) = ends.iter().find(|end| !end.contains(':') && !known.contains(&end.as_str())) {
        bail!(
            "'{odd}' is neither a platform ({}) nor a conversation; `dragoman install conversations` lists these",
            known.join(", ")
        );
    }
    match (named.len(), ends.len()) {
        (_, 1) => bail!("name two or more, such as `dragoman fidelity {} {}`", ends[0], known[0]),
        (0, _) => Ok(Asked::Conversations),
        (some, all) if some == all => Ok(Asked::Platforms(named)),
        _ => bail!("name platforms only or conversations only: scopes are known of conversations"),
    }
}

/// The kinds of conversation of every platform.
fn platforms(connectors: &Connectors) -> Vec<Vec<Side>> {
    connectors.values().map(|connector| kinds(&**connector)).collect()
}

fn pairs(from: &[Side], to: &[Side]) -> Vec<Way> {
    from.iter().flat_map(|from| to.iter().map(move |to| way(from, to))).collect()
}

/// Every platform to every other that was named.
fn between(named: &[Vec<Side>]) -> Vec<Way> {
    let mut ways = Vec::new();
    for (at, from) in named.iter().enumerate() {
        for (other, to) in named.iter().enumerate() {
            if at != other {
                ways.extend(pairs(from, to));
            }
        }
    }
    ways.dedup();
    ways
}

fn show(ways: &[Way]) {
    // A level is the target's: one column for each.
    let mut targets: Vec<&Way> = Vec::new();
    for way in ways {
        if !targets.iter().any(|shown| shown.to == way.to) {
            targets.push(way);
        }
    }
    let headings: Vec<String> = ["FEATURE".to_owned()]
        .into_iter()
        .chain(targets.iter().map(|way| format!("INTO {}", way.to.name)))
        .collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let features = targets.first().map_or(0, |way| way.features.len());
    let rows: Vec<Vec<String>> = (0..features)
        .map(|row| {
            let name = targets[0].features[row].feature.clone();
            [name].into_iter().chain(targets.iter().map(|way| way.features[row].level.clone())).collect()
        })
        .collect();
    print::table(&headings, &rows);
    if ways.len() > FEW {
        print::hint("name two platforms or conversations to be told what else is known of them");
        return;
    }
    for way in ways {
        print::line(&format!("\n{} → {}", way.from.name, way.to.name));
        for note in &way.notes {
            print::line(&format!("  {note}"));
        }
    }
}
