//! Chromium, driven through its driver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{eventually, free_port};
use fantoccini::actions::{InputSource as _, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take to be shown; the gateway paces itself as the platforms ask.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A browser window.
pub(super) struct Browser {
    pub(super) client: Client,
    pictures: PathBuf,
    driver: Driver,
}

/// The driver's process, and the browser's profile.
struct Driver {
    child: Child,
    profile: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A failed test leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where Chromium and its driver are, as `cargo xtask test` names them or on the search path.
pub(super) fn programs() -> Option<(PathBuf, PathBuf)> {
    Some((program("DRAGOMAN_CHROMIUM", "chromium")?, program("DRAGOMAN_CHROMEDRIVER", "chromedriver")?))
}

fn program(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = || std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    named.or_else(found)
}

impl Browser {
    /// Opens a window; `pictures` is where its pictures go.
    pub(super) async fn open(chromium: &Path, driver: &Path, pictures: &Path) -> Result<Self> {
        fs::create_dir_all(pictures)?;
        let profile = TempDir::with_prefix("dragoman-browser-")?;
        let port = free_port()?;
        let log = fs::File::create(pictures.join("driver.log"))?;
        let child = Command::new(driver)
            .arg(format!("--port={port}"))
            .env("LANG", "C.UTF-8")
            .env("LANGUAGE", "en_GB")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} could not be started", driver.display()))?;
        let driver = Driver { child, profile };
        let address = format!("http://127.0.0.1:{port}");
        let options = capabilities(chromium, driver.profile.path());
        let client = eventually("a window", PATIENCE, || async {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(options.clone());
            builder.connect(&address).await.map_err(|error| error.to_string())
        })
        .await?;
        Ok(Self { client, pictures: pictures.to_owned(), driver })
    }

    /// Goes to a page.
    pub(super) async fn goto(&self, address: &str) -> Result<()> {
        Ok(self.client.goto(address).await?)
    }

    /// Makes what is inside of the window this large, in CSS pixels.
    pub(super) async fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.client.enter_parent_frame().await?;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        eventually("the window's size", PATIENCE, || async {
            let size = self.run("return [innerWidth, innerHeight]").await?;
            if size == json!([width, height]) { Ok(()) } else { Err(format!("the window is {size}")) }
        })
        .await
    }

    /// From now on the pages are for somebody who prefers dark ones.
    pub(super) async fn dark(&self) -> Result<()> {
        let feature = json!({"name": "prefers-color-scheme", "value": "dark"});
        self.devtools("Emulation.setEmulatedMedia", json!({"features": [feature]})).await?;
        Ok(())
    }

    /// Goes into the frame with this `data-test`.
    pub(super) async fn enter(&self, frame: &str) -> Result<(), String> {
        let go = async {
            self.client.enter_parent_frame().await?;
            self.client.find(Locator::Css(&hook(frame))).await?.enter_frame().await
        };
        go.await.map_err(|error| error.to_string())
    }

    /// Leaves the frame.
    pub(super) async fn leave(&self) -> Result<(), String> {
        self.client.enter_parent_frame().await.map_err(|error| error.to_string())
    }

    /// What a script returns in the frame where we are.
    pub(super) async fn run(&self, script: &str) -> Result<Value, String> {
        self.client.execute(script, Vec::new()).await.map_err(|error| error.to_string())
    }

    /// Moves the mouse over an element.
    pub(super) async fn hover(&self, element: &Element) -> Result<(), String> {
        let (duration, x, y) = (Some(Duration::ZERO), 0.0, 0.0);
        let target = element.clone();
        let over = PointerAction::MoveToElement { element: target, duration, x, y };
        let actions = MouseActions::new("mouse".to_owned()).then(over);
        self.client.perform_actions(actions).await.map_err(|error| error.to_string())
    }

    /// Takes a picture of the whole window, once nothing moves in it any more.
    pub(super) async fn picture(&self, name: &str) -> Result<()> {
        self.leave().await.map_err(anyhow::Error::msg)?;
        let mut last = Vec::new();
        for _ in 0..40 {
            let next = self.client.screenshot().await?;
            let still = next == last;
            last = next;
            if still {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ensure!(last.starts_with(b"\x89PNG"), "the browser took no picture");
        fs::write(self.pictures.join(name).with_extension("png"), last)?;
        Ok(())
    }

    /// Ends the browser, then its driver.
    pub(super) async fn close(self) -> Result<()> {
        self.client.close().await?;
        drop(self.driver);
        Ok(())
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let command = DevTools { command: command.to_owned(), parameters };
        Ok(self.client.issue_cmd(command).await?)
    }
}

/// The selector of a hook in the pages.
pub(super) fn hook(name: &str) -> String {
    format!("[data-test=\"{name}\"]")
}

/// A command of the browser's own protocol, through the driver's extension for it.
#[derive(Debug)]
struct DevTools {
    command: String,
    parameters: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({"cmd": self.command, "params": self.parameters});
        (http::Method::POST, Some(body.to_string()))
    }
}

/// A browser that talks to this machine only.
fn capabilities(chromium: &Path, profile: &Path) -> serde_json::Map<String, Value> {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        &*profile,
        "--headless",
        // The sandbox refuses to run as root.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
        "--disable-sync",
        "--no-first-run",
        "--no-proxy-server",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--hide-scrollbars",
        "--font-render-hinting=none",
        "--lang=en-GB",
        "--window-size=1440,900",
    ];
    let options = json!({"binary": chromium, "args": arguments});
    let mut capabilities = serde_json::Map::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities
}
