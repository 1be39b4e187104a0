//! `bridge`

use anyhow::Result;
use dragoman_gateway::admin::api::{self, NoticeMode, State};

use super::Context;
use crate::args::{Bridge, Notices};
use crate::print;

pub(crate) async fn run(context: &Context, command: Bridge) -> Result<()> {
    let set = |bridge: String, state: State| api::BridgeState { bridge, state };
    let bridges = match command {
        Bridge::Add { members, allow_external, backfill, backfill_of, test } => {
            let add = api::BridgeAdd { members, allow_external, backfill, backfill_of };
            let bridge = context.ask(&add).await?;
            if test {
                context.ask(&api::BridgeTest { bridge: bridge.id.clone() }).await?;
            }
            vec![bridge]
        }
        Bridge::List { ended } => context.ask(&api::BridgeList { ended }).await?,
        Bridge::Pause { bridge } => vec![context.ask(&set(bridge, State::Paused)).await?],
        Bridge::Resume { bridge } => vec![context.ask(&set(bridge, State::Active)).await?],
        Bridge::Remove { bridge } => vec![context.ask(&set(bridge, State::Ended)).await?],
        Bridge::Set { bridge, notices } => {
            let notices = notices.map(|mode| match mode {
                Notices::Off => NoticeMode::Off,
                Notices::Digest => NoticeMode::Digest,
                Notices::On => NoticeMode::On,
            });
            vec![context.ask(&api::BridgeSet { bridge, notices }).await?]
        }
        Bridge::Members { bridge, add, remove, allow_external, backfill, backfill_of } => {
            let change = api::BridgeMembers { bridge, add, remove, allow_external, backfill, backfill_of };
            vec![context.ask(&change).await?]
        }
    };
    if context.json {
        return print::json(&bridges);
    }
    let rows: Vec<Vec<String>> = bridges
        .iter()
        .flat_map(|bridge| {
            let state = match bridge.state {
                State::Active => "active",
                State::Paused => "paused",
                State::Ended => "ended",
            };
            bridge.members.iter().map(move |member| {
                let name = if member.name.is_empty() { member.remote.clone() } else { member.name.clone() };
                vec![
                    bridge.id.clone(),
                    state.to_owned(),
                    member.platform.clone(),
                    member.workspace.clone(),
                    name,
                ]
            })
        })
        .collect();
    print::table(&["BRIDGE", "STATE", "PLATFORM", "WORKSPACE", "CONVERSATION"], &rows);
    for warning in bridges.iter().flat_map(|bridge| &bridge.warnings) {
        print::hint(&format!("! {warning}"));
    }
    Ok(())
}
