//! Installing what tests need, through the machine's own package clients.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::process::{Run, on_path};

/// A browser and the program that drives it.
#[derive(Debug)]
pub(super) struct Browser {
    pub(super) chromium: PathBuf,
    pub(super) driver: PathBuf,
}

/// Finds Chromium and its driver, or installs them.
pub(super) fn browser(root: &Path) -> anyhow::Result<Browser> {
    if !on_path("chromium") || !on_path("chromedriver") {
        debian(root, &["chromium", "chromium-driver"])?;
    }
    Ok(Browser { chromium: find("chromium")?, driver: find("chromedriver")? })
}

/// The Python interpreter of a virtual environment that holds the pinned clients.
pub(super) fn python(root: &Path) -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(root.join("tests/foreign/python/requirements.txt"))
        .context("cannot read the list of Python clients")?;
    let venv = root.join("target/foreign/venv");
    let python = venv.join("bin/python");
    let stamp = venv.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && python.exists() {
        return Ok(python);
    }
    if !on_path("python3") {
        debian(root, &["python3", "python3-venv"])?;
    }
    let create = || Run::new(root, "python3").args(["-m", "venv", "--clear"]).args([&venv]).go();
    if create().is_err() {
        debian(root, &["python3-venv"])?;
        create()?;
    }
    let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--requirement"];
    Run::new(root, &python).args(pip).args(["tests/foreign/python/requirements.txt"]).go()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(python)
}

/// The folder whose `node_modules` holds the pinned clients.
pub(super) fn node(root: &Path) -> anyhow::Result<PathBuf> {
    let source = root.join("tests/foreign/node");
    let folder = root.join("target/foreign/node");
    let lock = source.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).context("cannot read the list of Node clients")?;
    let stamp = folder.join("installed.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    if !on_path("node") || !on_path("npm") {
        debian(root, &["nodejs", "npm"])?;
    }
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
    }
    // Peers that nobody here uses stay out: one client would bring a whole mobile framework.
    let options =
        ["ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    Run::new(root, "npm").args(["--prefix"]).args([&folder]).args(options).go()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(folder)
}

/// Installs Debian packages, or says how.
fn debian(root: &Path, packages: &[&str]) -> anyhow::Result<()> {
    let names = packages.join(" ");
    if !on_path("apt-get") {
        bail!("this needs {names}: install them with your system's package manager and run again");
    }
    if !is_root(root)? {
        bail!("this needs {names}: run `sudo apt-get install --yes {names}` and try again");
    }
    Run::new(root, "apt-get").args(["update", "--quiet=2"]).go()?;
    Run::new(root, "apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "--yes", "--quiet=2", "--no-install-recommends"])
        .args(packages)
        .go()
}

fn is_root(root: &Path) -> anyhow::Result<bool> {
    Ok(Run::new(root, "id").args(["-u"]).read()?.trim() == "0")
}

fn find(program: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.with_context(|| format!("{program} was installed and is still not on the search path"))
}
