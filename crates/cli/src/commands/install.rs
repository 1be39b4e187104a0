//! `install`

use std::io::Read as _;

use anyhow::{Context as _, Result};
use dragoman_gateway::admin::api::{self, InstallState};

use super::Context;
use crate::args::Install;
use crate::print;

pub(crate) async fn run(context: &Context, command: Install) -> Result<()> {
    match command {
        Install::Start { app, no_wait } => start(context, app, no_wait).await,
        Install::Token { app, file } => {
            let mut token = String::new();
            if file.as_os_str() == "-" {
                std::io::stdin().read_to_string(&mut token)?;
            } else {
                token = std::fs::read_to_string(&file)
                    .with_context(|| format!("{} cannot be read", file.display()))?;
            }
            let token = api::SecretText(token.trim().to_owned());
            let installed = context.ask(&api::InstallToken { app, token }).await?;
            show(context, &[installed])
        }
        Install::List => {
            let installations = context.ask(&api::InstallList {}).await?;
            show(context, &installations)
        }
        Install::Conversations { search, scope } => {
            let found = context.ask(&api::ConversationSearch { scope, search, limit: 0 }).await?;
            if context.json {
                return print::json(&found);
            }
            let rows: Vec<Vec<String>> = found
                .into_iter()
                .map(|conversation| {
                    let joined = if conversation.joined { "yes" } else { "no: invite the app" };
                    let bridge = conversation.bridge.unwrap_or_default();
                    let shared = if conversation.external { "shared outside" } else { "" };
                    let kind = format!("{} {shared}", conversation.kind);
                    vec![conversation.reference, conversation.name, kind, joined.to_owned(), bridge]
                })
                .collect();
            print::table(&["REFERENCE", "NAME", "KIND", "APP IS IN", "BRIDGE"], &rows);
            Ok(())
        }
    }
}

async fn start(context: &Context, app: String, no_wait: bool) -> Result<()> {
    let started = context.ask(&api::InstallStart { app }).await?;
    if no_wait {
        if context.json {
            return print::json(&started);
        }
        print::line(&started.link);
        return Ok(());
    }
    print::hint("Open this link in the browser of somebody who may install apps there:");
    print::hint(&format!("\n  {}\n", started.link));
    let installed = follow(context, &started.ticket).await?;
    show(context, &[installed])?;
    print::hint("next: bring the app into a channel, then dragoman install conversations");
    Ok(())
}

/// Waits until a browser came back.
pub(crate) async fn follow(context: &Context, ticket: &str) -> Result<api::InstallInfo> {
    let spinner = indicatif::ProgressBar::new_spinner().with_message("waiting for the browser to come back");
    spinner.enable_steady_tick(std::time::Duration::from_millis(120));
    loop {
        let state = context.ask(&api::InstallWait { ticket: ticket.to_owned() }).await?;
        match state {
            InstallState::Waiting => {}
            InstallState::Done(installed) => {
                spinner.finish_and_clear();
                return Ok(installed);
            }
            InstallState::Failed(problem) => {
                spinner.finish_and_clear();
                return Err(problem.into());
            }
        }
    }
}

fn show(context: &Context, installations: &[api::InstallInfo]) -> Result<()> {
    if context.json {
        return print::json(&installations);
    }
    let rows: Vec<Vec<String>> = installations
        .iter()
        .map(|installation| {
            let trouble = installation.trouble.clone().unwrap_or_else(|| "well".to_owned());
            vec![
                installation.platform.clone(),
                installation.name.clone(),
                installation.workspace.clone(),
                installation.id.clone(),
                trouble,
            ]
        })
        .collect();
    print::table(&["PLATFORM", "WORKSPACE", "ITS ID", "INSTALLATION", "STATE"], &rows);
    Ok(())
}
