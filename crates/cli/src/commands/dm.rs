//! `dm`

use anyhow::Result;
use dragoman_gateway::admin::api::{self, DirectMember, DirectStanding};

use super::Context;
use crate::args::Dm;
use crate::print;

pub(crate) async fn run(context: &Context, command: Dm) -> Result<()> {
    let (done, text) = match command {
        Dm::List => return list(context).await,
        Dm::Close { conversation } => {
            let done = context.ask(&api::DirectClose { bridge: conversation }).await?;
            (done, "It has ended; its people were told.")
        }
        Dm::Block { person } => {
            let done = context.ask(&api::DirectAllow { person, allowed: false }).await?;
            let text = if done.count == 0 {
                "They were kept out already."
            } else {
                "They are kept out from now on."
            };
            (done, text)
        }
        Dm::Allow { person } => {
            let done = context.ask(&api::DirectAllow { person, allowed: true }).await?;
            let text =
                if done.count == 0 { "Nobody kept them out." } else { "They may ask and be asked again." };
            (done, text)
        }
    };
    if context.json {
        return print::json(&done);
    }
    print::line(text);
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let all = context.ask(&api::DirectList {}).await?;
    if context.json {
        return print::json(&all);
    }
    let row = |bridge: &str, state: &str, person: &DirectMember| {
        [bridge, state, &person.platform, &person.workspace, &person.user].map(str::to_owned).to_vec()
    };
    let talks = all.talks.iter().flat_map(|talk| {
        let bridge = talk.bridge.as_deref().unwrap_or("-");
        talk.people.iter().map(move |person| row(bridge, word(talk.state), person))
    });
    let kept_out = all.kept_out.iter().map(|person| row("-", "kept out", person));
    let rows: Vec<Vec<String>> = talks.chain(kept_out).collect();
    print::table(&["CONVERSATION", "STATE", "PLATFORM", "WORKSPACE", "ACCOUNT"], &rows);
    Ok(())
}

fn word(state: DirectStanding) -> &'static str {
    match state {
        DirectStanding::Open => "open",
        DirectStanding::Paused => "paused",
        DirectStanding::Agreed => "agreed",
        DirectStanding::Asked => "asked",
        DirectStanding::Blocked => "blocked",
    }
}
