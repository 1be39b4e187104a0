//! `delivery` and `dead-letter`

use anyhow::{Result, bail};
use dragoman_gateway::admin::api::{self, LetterAct};

use super::Context;
use crate::args::{DeadLetter, Delivery, Letters};
use crate::print;

pub(crate) async fn deliveries(context: &Context, command: Delivery) -> Result<()> {
    let request = match command {
        Delivery::List { org, limit } => api::DeliveryList { org, message: None, limit },
        Delivery::Show { message } => api::DeliveryList { org: None, message: Some(message), limit: 0 },
    };
    let found = context.ask(&request).await?;
    if context.json {
        return print::json(&found);
    }
    if let (Some(message), true) = (&request.message, found.is_empty()) {
        print::hint(&format!(
            "nothing is known of a message {message}: give its id at its source (Slack: its ts); one of a conversation that is not bridged leaves no trace"
        ));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|one| {
            vec![
                print::moment(one.received_ms),
                one.kind,
                one.message.unwrap_or_default(),
                one.outcome,
                one.code.unwrap_or_else(|| one.notes.join(" ")),
                format!("{} ms", one.settled_ms - one.received_ms),
                one.attempts.to_string(),
            ]
        })
        .collect();
    print::table(&["ACCEPTED (UTC)", "KIND", "MESSAGE", "OUTCOME", "CODE", "TOOK", "TRIES"], &rows);
    Ok(())
}

pub(crate) async fn dead_letters(context: &Context, command: DeadLetter) -> Result<()> {
    let (letters, act) = match command {
        DeadLetter::List { org, limit } => return list(context, org, limit).await,
        DeadLetter::Replay(letters) => (letters, LetterAct::Replay),
        DeadLetter::Drop(letters) => (letters, LetterAct::Drop),
    };
    let Letters { ids, all, org } = letters;
    if ids.is_empty() && !all {
        bail!("name the dead letters by id, or say --all; `dragoman dead-letter list` shows them");
    }
    let done = context.ask(&api::DeadLetterAct { ids, org, act }).await?;
    if context.json {
        return print::json(&done);
    }
    print::line(&format!("{} dead letters", done.count));
    Ok(())
}

async fn list(context: &Context, org: Option<String>, limit: u32) -> Result<()> {
    let found = context.ask(&api::DeadLetterList { org, limit }).await?;
    if context.json {
        return print::json(&found);
    }
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|one| {
            let message = one.message.unwrap_or_default();
            vec![one.id, print::moment(one.died_ms), one.kind, message, one.code, one.attempts.to_string()]
        })
        .collect();
    print::table(&["ID", "GIVEN UP (UTC)", "KIND", "MESSAGE", "CODE", "TRIES"], &rows);
    Ok(())
}
