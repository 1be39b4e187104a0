//! What `cargo metadata` says about the packages that we build from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::process::Run;

/// One package.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: Option<String>,
    /// `None` for packages of this workspace.
    pub(super) source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    /// `None` for a normal dependency.
    kind: Option<String>,
}

/// The packages that the workspace is built from.
#[derive(Debug)]
pub(super) struct Graph {
    packages: BTreeMap<String, Package>,
    members: Vec<String>,
    /// Imports of a package, each with whether it is a normal one.
    edges: BTreeMap<String, Vec<(String, bool)>>,
}

impl Graph {
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let text = Run::cargo(root).args(["metadata", "--format-version=1", "--locked"]).read()?;
        let tree = ["tree", "--workspace", "--locked", "--target=all", "--edges=normal,build,dev"];
        let tree = Run::cargo(root).args(tree).args(["--prefix=none", "--format={p}"]).read()?;
        Self::parse(&text, &tree).context("cargo answered in a form that xtask does not know")
    }

    /// Reads both answers. `cargo metadata` also lists optional packages that nothing switches on (through
    /// weak features such as `ring?/std`); those that `cargo tree` does not print are left out.
    pub(super) fn parse(text: &str, tree: &str) -> anyhow::Result<Self> {
        let mut metadata: Metadata = serde_json::from_str(text)?;
        let built: BTreeSet<(&str, &str)> = tree.lines().filter_map(name_and_version).collect();
        metadata.packages.retain(|package| built.contains(&(&*package.name, &*package.version)));
        let packages = metadata.packages.into_iter().map(|package| (package.id.clone(), package)).collect();
        let edges = metadata.resolve.nodes.into_iter().map(|node| {
            let is_normal = |edge: &Edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none());
            (node.id, node.deps.iter().map(|edge| (edge.pkg.clone(), is_normal(edge))).collect())
        });
        Ok(Self { packages, members: metadata.workspace_members, edges: edges.collect() })
    }

    /// Packages from elsewhere that any member needs, for any purpose.
    pub(super) fn foreign(&self) -> Vec<&Package> {
        let reached = self.reach(self.members.iter().map(String::as_str), false);
        reached.into_iter().filter(|package| package.source.is_some()).collect()
    }

    /// Packages from elsewhere that become part of the member named `name`.
    pub(super) fn shipped_in(&self, name: &str) -> Vec<&Package> {
        let is_named = |id: &&String| self.packages.get(*id).is_some_and(|package| package.name == name);
        let reached = self.reach(self.members.iter().filter(is_named).map(String::as_str), true);
        reached.into_iter().filter(|package| package.source.is_some()).collect()
    }

    /// The shortest chain of imports from a member to `id`, as names.
    pub(super) fn chain(&self, id: &str) -> String {
        let mut queue: std::collections::VecDeque<Vec<&str>> =
            self.members.iter().map(|member| vec![member.as_str()]).collect();
        let mut seen = BTreeSet::new();
        while let Some(path) = queue.pop_front() {
            let Some(last) = path.last().copied() else { continue };
            if last == id {
                let names = path.iter().filter_map(|id| self.packages.get(*id));
                return names.map(|package| package.name.as_str()).collect::<Vec<_>>().join(" > ");
            }
            if seen.insert(last) {
                let next = self.edges.get(last).into_iter().flatten();
                queue.extend(next.map(|(id, _)| path.iter().copied().chain([id.as_str()]).collect()));
            }
        }
        String::new()
    }

    fn reach<'a>(&'a self, from: impl Iterator<Item = &'a str>, normal_only: bool) -> Vec<&'a Package> {
        let mut seen = BTreeSet::new();
        let mut stack: Vec<&str> = from.collect();
        while let Some(id) = stack.pop() {
            if seen.insert(id) {
                let next = self.edges.get(id).into_iter().flatten();
                stack.extend(next.filter(|(_, normal)| *normal || !normal_only).map(|(id, _)| id.as_str()));
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).collect()
    }
}

/// Reads `name v1.2.3 (…)`.
fn name_and_version(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?.strip_prefix('v')?))
}
