//! What was written before a bridge or before somebody joined it, where an operator wants it relayed.

use std::collections::BTreeMap;

use dragoman_model::{ConversationId, codes};
use dragoman_relay::MOST_BACKFILLED;

use super::bridge::{Found, watch};
use super::desk::Desk;
use super::problem::Problem;

/// What a request asks for.
pub(super) struct Asked<'a> {
    /// The conversations that are linked now, as it names them.
    pub(super) names: &'a [String],
    /// So many of the last messages of each.
    pub(super) count: u32,
    /// Only of these, where it names any.
    pub(super) of: &'a [String],
}

/// From when on what was written in members is relayed, milliseconds since 1970. `members` are the ids of `joining`, in
/// the order in which the request names them.
pub(super) async fn earlier(
    desk: &Desk,
    asked: &Asked<'_>,
    joining: &[Found],
    members: &[ConversationId],
) -> Result<BTreeMap<ConversationId, i64>, Problem> {
    let Asked { names, count, of } = *asked;
    let mut earlier = BTreeMap::new();
    let unknown = of.iter().find(|name| !names.contains(name));
    if let Some(name) = unknown {
        let what = format!("'{name}' is not among the conversations to link");
        return Err(Problem::wrong(what, "name it as it is named there"));
    }
    if count > 0 && names.is_empty() {
        return Err(Problem::wrong("nothing is added that has earlier messages", "name it with --add"));
    }
    if count == 0 {
        if of.is_empty() {
            return Ok(earlier);
        }
        return Err(Problem::wrong("no earlier messages are asked for", "say how many with --backfill"));
    }
    if count > MOST_BACKFILLED {
        let what = format!("{count} earlier messages are too many");
        return Err(Problem::wrong(what, format!("ask for {MOST_BACKFILLED} at most")));
    }
    let named = names.iter().zip(joining).zip(members);
    let named = named.filter(|((name, _), _)| of.is_empty() || of.contains(name));
    let mut wanted = Vec::new();
    for ((name, (place, conversation)), id) in named {
        let capabilities = place.connector.capabilities(&place.session.installation, conversation);
        if !(capabilities.history && capabilities.reread) {
            let what = format!("what was written in {name} before cannot be read");
            let cure = "leave it out with --backfill-of, or grant the app what reading needs";
            return Err(Problem::new(codes::NOT_REREADABLE, what, cure));
        }
        wanted.push((place, conversation, id));
    }
    // Some platforms show a conversation only to those who are in it.
    desk.relay.reload().await?;
    let ids: Vec<ConversationId> = wanted.iter().map(|(.., id)| (*id).clone()).collect();
    watch(desk, &ids).await?;
    for (place, conversation, id) in wanted {
        let since_ms = desk.relay.last_messages_since(place, conversation, count).await;
        let since_ms = since_ms.map_err(|failure| {
            Problem::platform("reading what was written before", place.connector.display_name(), &failure)
        })?;
        if let Some(since_ms) = since_ms {
            earlier.insert(id.clone(), since_ms);
        }
    }
    Ok(earlier)
}
