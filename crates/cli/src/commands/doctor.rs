//! `doctor`: what is missing in a deployment, each with its cure.

use std::path::Path;

use anyhow::{Result, bail};
use dragoman_gateway::admin::api::{self, Status};
use dragoman_platform::http::HttpRequest;
use dragoman_seal::Protection;
use http::Method;
use rustix::fs::statvfs;
use serde::Serialize;
use url::Url;

use super::Context;
use super::init::same_device;
use crate::config::{self, Config};
use crate::print;
use crate::runtime::{self, Shared};

/// Bytes below which a disk is nearly full.
const LITTLE_SPACE: u64 = 512 << 20;
/// Milliseconds that two clocks may differ.
const SKEW_MS: i64 = 30_000;

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Well,
    Warning,
    Broken,
}

#[derive(Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    text: String,
}

pub(crate) async fn run(path: &Path, json: bool) -> Result<()> {
    let config = config::load(path)?;
    let shared = Shared::new(&config)?;
    let mut findings =
        vec![finding("configuration", Verdict::Well, format!("{} is in order", path.display()))];
    findings.push(match runtime::open_keys(&config, &shared) {
        Ok(_) => finding("key file", Verdict::Well, "opens"),
        Err(error) => finding("key file", Verdict::Broken, format!("{error:#}")),
    });
    findings.push(folders(&config));
    findings.extend([&config.data_folder, &config.key_folder].into_iter().map(|folder| space(folder)));
    findings.push(memory());
    let context = Context { config: config.clone(), json };
    let status = context.ask(&api::StatusGet {}).await;
    match &status {
        Ok(status) => findings.extend(running(status, &shared)),
        Err(error) => findings.push(finding("gateway", Verdict::Broken, format!("{error:#}"))),
    }
    if status.is_ok() {
        match context.ask(&api::ScopeList {}).await {
            Ok(reports) => findings.extend(reports.iter().flat_map(scopes)),
            Err(error) => findings.push(finding("scopes", Verdict::Broken, format!("{error:#}"))),
        }
    }
    findings.push(reach_ourselves(&config, status.as_ref().ok()).await);
    let used = match &status {
        Ok(_) => context.ask(&api::AppList {}).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    for (platform, name, url) in [
        ("slack", "Slack", &config.slack.api_base),
        ("teams", "Entra", &config.teams.login_base),
        ("teams", "Graph", &config.teams.graph_base),
        ("teams", "Bot Framework", &config.teams.bot_openid_url),
        ("webex", "Webex", &config.webex.api_base),
        ("zoom", "Zoom", &config.zoom.api_base),
    ] {
        // A platform that nobody uses may be out of reach.
        if used.is_empty() || used.iter().any(|app| app.platform == platform) {
            findings.push(reach(name, url, &shared).await);
        }
    }
    let broken = findings.iter().filter(|finding| finding.verdict == Verdict::Broken).count();
    if json {
        print::json(&findings)?;
    } else {
        for finding in &findings {
            let sign = match finding.verdict {
                Verdict::Well => "✓",
                Verdict::Warning => "!",
                Verdict::Broken => "✗",
            };
            print::line(&format!("{sign} {:<14} {}", finding.check, finding.text));
        }
    }
    if broken > 0 {
        bail!("{broken} of {} checks failed", findings.len());
    }
    Ok(())
}

fn finding(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Finding {
    Finding { check, verdict, text: text.into() }
}

fn folders(config: &Config) -> Finding {
    if same_device(&config.data_folder, &config.key_folder) {
        let text = "data_folder and key_folder share a device: a copy of it holds both; put key_folder on another one";
        return finding("folders", Verdict::Warning, text);
    }
    finding("folders", Verdict::Well, "data and keys are on different devices")
}

fn space(folder: &Path) -> Finding {
    match statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail * found.f_frsize;
            let text = format!("{}: {} MiB free", folder.display(), free >> 20);
            finding("disk", if free < LITTLE_SPACE { Verdict::Warning } else { Verdict::Well }, text)
        }
        Err(error) => finding(
            "disk",
            Verdict::Broken,
            format!(
                "{}: {error}; make it and give it to the gateway's user, or mount its disk",
                folder.display()
            ),
        ),
    }
}

fn memory() -> Finding {
    let (verdict, text) = match dragoman_seal::protection() {
        Protection::Secret => (Verdict::Well, "keys are held where not even the kernel reads them"),
        Protection::Locked => (Verdict::Well, "keys are held in locked memory"),
        Protection::Plain => {
            (Verdict::Warning, "keys are held in ordinary memory; raise the memory lock limit (ulimit -l)")
        }
    };
    finding("key memory", verdict, text)
}

fn running(status: &Status, shared: &Shared) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = format!(
        "version {}, up {} s, {} bridges, {} legs waiting",
        status.version,
        status.up_ms / 1000,
        status.bridges,
        status.legs
    );
    findings.push(finding("gateway", if status.ready { Verdict::Well } else { Verdict::Broken }, text));
    let skew_ms = (status.now_ms - shared.clock.now_ms()).abs();
    if skew_ms > SKEW_MS {
        findings.push(finding(
            "clock",
            Verdict::Broken,
            format!("the gateway's clock is {} s off; set it", skew_ms / 1000),
        ));
    }
    if status.dead_letters > 0 {
        let text = format!("{}; `dragoman dead-letter list` shows them", status.dead_letters);
        findings.push(finding("dead letters", Verdict::Warning, text));
    }
    findings.extend(
        status.troubles.iter().map(|trouble| finding("trouble", Verdict::Broken, trouble.to_string())),
    );
    findings
}

/// Scopes that are granted and needed by nothing, and the other way round.
fn scopes(report: &api::ScopeReport) -> Vec<Finding> {
    let at = format!("{} {}", report.display_name, report.name);
    let mut findings = Vec::new();
    if !report.missing.is_empty() {
        let lacks: Vec<String> =
            report.missing.iter().map(|scope| format!("{} ({})", scope.name, scope.feature)).collect();
        let text = format!(
            "{at} lacks {}: upload what `dragoman app package {}` writes and run `dragoman install start {}`, or \
             switch the feature off with `dragoman app set`",
            lacks.join(", "),
            report.platform,
            report.platform
        );
        findings.push(finding("scopes", Verdict::Warning, text));
    }
    if !report.needless.is_empty() {
        let text = format!(
            "{at} granted {}, which no feature that is switched on needs: take it out of the app there and run \
             `dragoman install start {}`, or switch the feature on with `dragoman app set`",
            report.needless.join(", "),
            report.platform
        );
        findings.push(finding("scopes", Verdict::Warning, text));
    }
    if findings.is_empty() {
        let text = if report.told {
            format!("{at}: granted is what the features need, no more and no less")
        } else {
            format!(
                "{at}: the platform does not tell what was granted; `dragoman app package {}` lists what is needed",
                report.platform
            )
        };
        findings.push(finding("scopes", Verdict::Well, text));
    }
    findings
}

/// Goes the way the platforms go. A name that leads to a private address from here is no fault.
async fn reach_ourselves(config: &Config, status: Option<&Status>) -> Finding {
    let mut config = config.clone();
    config.outbound.allow_private = true;
    let (verdict, text) = match ask_instance(&config).await {
        Ok(instance) if status.is_none_or(|status| status.instance == instance) => {
            (Verdict::Well, format!("{} leads here", config.public_url))
        }
        Ok(_) => (
            Verdict::Broken,
            format!(
                "{} answers, but not from this gateway; check where the name leads, and the proxy in front",
                config.public_url
            ),
        ),
        Err(error) => (
            Verdict::Broken,
            format!(
                "{}: {error:#}; platforms reach the gateway there: check name, port, certificate and the proxy in front",
                config.public_url
            ),
        ),
    };
    finding("public_url", verdict, text)
}

async fn ask_instance(config: &Config) -> Result<String> {
    let url = Url::parse(&format!("{}/instance", config.public_url))?;
    let answer = Shared::new(config)?.http.send(HttpRequest::new(Method::GET, url)).await?;
    if !answer.status.is_success() {
        bail!("it answers {}", answer.status);
    }
    Ok(String::from_utf8_lossy(answer.body.expose()).into_owned())
}

async fn reach(name: &'static str, url: &str, shared: &Shared) -> Finding {
    let Ok(url) = Url::parse(url) else { return finding(name, Verdict::Broken, "its address is not a URL") };
    let host = url.host_str().unwrap_or_default().to_owned();
    match shared.http.send(HttpRequest::new(Method::GET, url)).await {
        Ok(answer) => {
            let skew = answer
                .headers
                .get(http::header::DATE)
                .and_then(|date| date.to_str().ok())
                .and_then(|date| jiff::fmt::rfc2822::parse(date).ok())
                .map_or(0, |date| (date.timestamp().as_millisecond() - shared.clock.now_ms()).abs());
            if skew > SKEW_MS {
                let text =
                    format!("{host} answers, but its clock and ours differ by {} s; set ours", skew / 1000);
                return finding(name, Verdict::Broken, text);
            }
            finding(name, Verdict::Well, format!("{host} answers"))
        }
        Err(error) => {
            finding(name, Verdict::Broken, format!("{host}: {error}; check the network and outbound.proxy"))
        }
    }
}
