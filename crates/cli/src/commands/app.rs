//! `app`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_gateway::admin::api;
use serde::Serialize;

use super::Context;
use crate::args::App;
use crate::print;

pub(crate) async fn run(context: &Context, command: App) -> Result<()> {
    match command {
        App::Add { platform, org, values, features, name, out } => {
            let values = read_values(&values)?;
            let features = features.into_iter().collect();
            let app = context.ask(&api::AppAdd { org, platform, values, features }).await?;
            let package = context.ask(&api::AppPackage { app: app.id.clone(), name }).await?;
            if context.json {
                if let Some(out) = &out {
                    write_files(&package, out)?;
                }
                return print::json(&Added { app, package });
            }
            print_apps(std::slice::from_ref(&app));
            match &out {
                Some(out) => tell_written(&write_files(&package, out)?),
                None => print_files(&package, &app.platform)?,
            }
            print_package(&package);
            explain_missing(context, &app).await
        }
        App::Set { app, values, features } => {
            let values = read_values(&values)?;
            let features = features.map(|features| features.into_iter().collect());
            let app = context.ask(&api::AppSet { app, values, features }).await?;
            if context.json {
                return print::json(&app);
            }
            print_apps(std::slice::from_ref(&app));
            explain_missing(context, &app).await
        }
        App::List => {
            let apps = context.ask(&api::AppList {}).await?;
            if context.json {
                return print::json(&apps);
            }
            print_apps(&apps);
            Ok(())
        }
        App::Package { app, name, out } => {
            let package = context.ask(&api::AppPackage { app, name }).await?;
            if context.json {
                return print::json(&package);
            }
            tell_written(&write_files(&package, &out)?);
            print_package(&package);
            Ok(())
        }
    }
}

/// A new app, with what an admin uploads or copies.
#[derive(Serialize)]
struct Added {
    #[serde(flatten)]
    app: api::AppInfo,
    package: api::PackageInfo,
}

fn write_files(package: &api::PackageInfo, out: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let write = |file: &api::FileInfo| {
        let path = out.join(&file.name);
        let bytes = STANDARD.decode(&file.base64)?;
        std::fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(path)
    };
    package.files.iter().map(write).collect()
}

fn tell_written(paths: &[PathBuf]) {
    for path in paths {
        print::line(&format!("wrote {}", path.display()));
    }
}

/// Files that can be copied from a terminal; the others have to be written.
fn print_files(package: &api::PackageInfo, platform: &str) -> Result<()> {
    for file in &package.files {
        match String::from_utf8(STANDARD.decode(&file.base64)?) {
            Ok(text) => print::line(&format!("\n{}:\n\n{}", file.name, text.trim_end())),
            Err(_) => {
                print::hint(&format!("`dragoman app package {platform}` writes {}", file.name));
            }
        }
    }
    Ok(())
}

fn print_package(package: &api::PackageInfo) {
    let rows: Vec<Vec<String>> = package
        .scopes
        .iter()
        .map(|scope| vec![scope.name.clone(), scope.feature.clone(), scope.reason.clone()])
        .collect();
    print::line("");
    print::table(&["SCOPE", "FEATURE", "REASON"], &rows);
    print::line("");
    for (number, step) in (1..).zip(&package.steps) {
        print::line(&format!("{number}. {step}"));
    }
}

async fn explain_missing(context: &Context, app: &api::AppInfo) -> Result<()> {
    if app.missing.is_empty() {
        print::hint(&format!("next: dragoman install start {}", app.platform));
        return Ok(());
    }
    let platforms = context.ask(&api::PlatformList {}).await?;
    let fields =
        platforms.into_iter().find(|platform| platform.platform == app.platform).map(|found| found.fields);
    print::hint(&format!(
        "next: upload what `dragoman app package {}` writes, then bring back:",
        app.platform
    ));
    for field in fields.unwrap_or_default().into_iter().filter(|field| app.missing.contains(&field.key)) {
        print::hint(&format!("  {:<16} {}", field.key, field.help));
    }
    print::hint(&format!("and set it: dragoman app set {} --set KEY=@FILE", app.platform));
    Ok(())
}

fn print_apps(apps: &[api::AppInfo]) {
    let rows: Vec<Vec<String>> = apps
        .iter()
        .map(|app| {
            let missing = if app.missing.is_empty() {
                "complete".to_owned()
            } else {
                format!("lacks {}", app.missing.join(", "))
            };
            vec![
                app.platform.clone(),
                app.id.clone(),
                missing,
                app.hooks_url.clone(),
                app.redirect_url.clone(),
            ]
        })
        .collect();
    print::table(&["PLATFORM", "ID", "STATE", "EVENTS GO TO", "REDIRECT URL"], &rows);
}

/// Reads `KEY=VALUE`, `KEY=@FILE`, `KEY=$VARIABLE`.
fn read_values(values: &[String]) -> Result<BTreeMap<String, api::SecretText>> {
    values
        .iter()
        .map(|pair| {
            let Some((key, value)) = pair.split_once('=') else {
                bail!("--set takes KEY=VALUE; there is no = in what was given");
            };
            let value = if let Some(path) = value.strip_prefix('@') {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the value of {key} cannot be read from {path}"))?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            } else if let Some(variable) = value.strip_prefix('$') {
                std::env::var(variable)
                    .with_context(|| format!("the variable {variable}, for {key}, is not set"))?
            } else {
                value.to_owned()
            };
            Ok((key.to_owned(), api::SecretText(value)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_from_the_line_a_file_or_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "from a file\n").expect("a file");
        let values = read_values(&["a=b=c".to_owned(), format!("d=@{}", path.display())]).expect("values");
        assert_eq!(values["a"].0, "b=c");
        assert_eq!(values["d"].0, "from a file");
        assert!(read_values(&["nothing".to_owned()]).is_err());
        assert!(read_values(&["a=$DRAGOMAN_NO_SUCH_VARIABLE".to_owned()]).is_err());
    }
}
