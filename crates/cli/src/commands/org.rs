//! `org`

use anyhow::Result;
use dragoman_gateway::admin::api;

use super::Context;
use crate::args::Org;
use crate::print;

pub(crate) async fn run(context: &Context, command: Org) -> Result<()> {
    let orgs = match command {
        Org::Add { name } => vec![context.ask(&api::OrgAdd { name }).await?],
        Org::List => context.ask(&api::OrgList {}).await?,
        Org::Policy { org, policy, value } => {
            vec![context.ask(&api::OrgPolicy { org, policy, value }).await?]
        }
    };
    if context.json {
        return print::json(&orgs);
    }
    let rows: Vec<Vec<String>> = orgs
        .into_iter()
        .map(|org| {
            let policy = org.policy.iter().map(|(name, word)| format!("{name}={word}")).collect::<Vec<_>>();
            vec![org.name, org.id, policy.join(" ")]
        })
        .collect();
    print::table(&["ORGANISATION", "ID", "POLICY"], &rows);
    Ok(())
}
