//! `person`

use anyhow::Result;
use dragoman_gateway::admin::api;

use super::{Context, install};
use crate::args::Person;
use crate::print;

pub(crate) async fn run(context: &Context, command: Person) -> Result<()> {
    match command {
        Person::List => {
            let people = context.ask(&api::PersonList {}).await?;
            show(context, &people)
        }
        Person::Link { accounts } => {
            let person = context.ask(&api::PersonLink { accounts }).await?;
            show(context, &[person])?;
            print::hint("next: dragoman person token PERSON INSTALLATION, for copies in their own name");
            Ok(())
        }
        Person::Unlink { account } => {
            let done = context.ask(&api::PersonUnlink { account }).await?;
            if context.json {
                return print::json(&done);
            }
            print::line("The account belongs to nobody now; its token is forgotten.");
            Ok(())
        }
        Person::Token { person, installation, revoke: true, .. } => {
            let done = context.ask(&api::PersonRevoke { person, installation }).await?;
            if context.json {
                return print::json(&done);
            }
            print::line(if done.count == 0 {
                "There was no token."
            } else {
                "The token is forgotten; new copies go out through the app."
            });
            Ok(())
        }
        Person::Token { person, installation, no_wait, revoke: false } => {
            let started = context.ask(&api::PersonToken { person, installation }).await?;
            if no_wait {
                if context.json {
                    return print::json(&started);
                }
                print::line(&started.link);
                return Ok(());
            }
            print::hint(
                "Let the person open this link and sign in as themselves; it works once, for 15 minutes:",
            );
            print::hint(&format!("\n  {}\n", started.link));
            install::follow(context, &started.ticket).await?;
            let people = context.ask(&api::PersonList {}).await?;
            show(context, &people)
        }
    }
}

fn show(context: &Context, people: &[api::PersonInfo]) -> Result<()> {
    if context.json {
        return print::json(&people);
    }
    let rows: Vec<Vec<String>> = people
        .iter()
        .flat_map(|person| person.accounts.iter().map(move |account| (person, account)))
        .map(|(person, account)| {
            let voice = if account.own_token { "own token" } else { "through the app" };
            vec![
                person.id.clone(),
                account.platform.clone(),
                account.workspace.clone(),
                account.user.clone(),
                account.name.clone(),
                voice.to_owned(),
            ]
        })
        .collect();
    print::table(&["PERSON", "PLATFORM", "WORKSPACE", "ACCOUNT", "NAME", "SPEAKS"], &rows);
    Ok(())
}
