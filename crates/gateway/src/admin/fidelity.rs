//! What passes between conversations, from their capabilities and nothing else.

use std::sync::Arc;

use async_trait::async_trait;
use dragoman_model::{Capabilities, Feature, TextUnit};
use dragoman_platform::{Connector, Conversation};
use dragoman_relay::{Directory, Place};

use super::api::{Carried, End, FidelityGet, Way};
use super::desk::Desk;
use super::problem::Problem;
use super::reference;
use super::route::Act;

/// An end of a way, with what it can carry.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is.
    pub end: End,
    /// What it can carry.
    pub capabilities: Capabilities,
}

#[async_trait]
impl Act for FidelityGet {
    async fn act(self, desk: &Desk) -> Result<Vec<Way>, Problem> {
        if self.members.len() < 2 {
            return Err(Problem::wrong("one conversation has nobody to speak with", "name two or more"));
        }
        let directory = desk.relay.directory();
        let mut sides = Vec::new();
        for member in &self.members {
            let (place, conversation) = reference::resolve(&directory, member).await?;
            sides.push(side(&directory, &place, &conversation));
        }
        Ok(ways(&sides))
    }
}

fn side(directory: &Directory, place: &Arc<Place>, conversation: &Conversation) -> Side {
    let session = &place.session;
    // What was learnt about a conversation since it was linked counts.
    let known = directory.spot_at(&session.installation.id, &conversation.remote);
    let capabilities = known.map_or_else(
        || place.connector.capabilities(&session.installation, conversation),
        |spot| spot.capabilities.clone(),
    );
    let called = if conversation.name.is_empty() { conversation.remote.as_str() } else { &conversation.name };
    let end = End {
        platform: session.app.platform.to_string(),
        name: format!("{} {called} ({})", place.connector.display_name(), place.name),
        reference: Some(reference::name_of(place, &conversation.remote)),
    };
    Side { end, capabilities }
}

/// The kinds of conversation of a platform, everything granted.
pub fn kinds(connector: &dyn Connector) -> Vec<Side> {
    let kind = |example: dragoman_platform::Example| {
        let name = format!("{} {}", connector.display_name(), example.name);
        let platform = connector.platform().0.to_owned();
        Side {
            end: End { platform, name: name.trim_end().to_owned(), reference: None },
            capabilities: connector.capabilities(&example.installation, &example.conversation),
        }
    };
    connector.examples().into_iter().map(kind).collect()
}

/// Every ordered pair of different sides.
pub fn ways(sides: &[Side]) -> Vec<Way> {
    let pairs = sides.iter().enumerate().flat_map(|(from_at, from)| {
        let others = sides.iter().enumerate().filter(move |(to_at, _)| *to_at != from_at);
        others.map(move |(_, to)| (from, to))
    });
    pairs.map(|(from, to)| way(from, to)).collect()
}

/// One direction.
pub fn way(from: &Side, to: &Side) -> Way {
    let carried = |feature: &Feature| Carried {
        feature: feature.as_str().to_owned(),
        level: to.capabilities.level(*feature).as_str().to_owned(),
    };
    let mut notes = as_source(&from.capabilities);
    notes.extend(as_target(&to.capabilities));
    Way {
        from: from.end.clone(),
        to: to.end.clone(),
        features: Feature::ALL.iter().map(carried).collect(),
        notes,
    }
}

/// What is known beforehand of everything that is written there.
pub fn as_source(source: &Capabilities) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(ms) = source.unannounced_edits_ms {
        notes.push(format!(
            "Edits are not announced by the source: the newest messages are read again for {} after the last activity.",
            span(ms)
        ));
    }
    if source.reorder_window_ms > 0 {
        notes.push(format!(
            "The source may swap neighbours: each message waits {} for those before it.",
            span(i64::try_from(source.reorder_window_ms).unwrap_or(i64::MAX))
        ));
    }
    if !source.reread {
        notes.push(
            "Messages cannot be read again at the source: what cannot be delivered within minutes is given up."
                .to_owned(),
        );
    }
    if !source.history {
        notes.push("What the source sends while the gateway is away is not caught up with.".to_owned());
    }
    notes
}

/// What is known beforehand of everything that arrives there.
pub fn as_target(target: &Capabilities) -> Vec<String> {
    let unit = match target.text.unit {
        TextUnit::Chars => "characters",
        TextUnit::Bytes => "bytes",
        TextUnit::Utf16 => "UTF-16 units",
    };
    let mut notes = vec![format!(
        "A text of more than {} {unit} becomes several messages at the target.",
        thousands(target.text.max)
    )];
    if let Some(edits) = target.max_edits {
        notes.push(format!(
            "A copy can be edited {edits} times; later edits are added as corrections in its thread."
        ));
    }
    for feature in Feature::ALL.iter().filter(|it| target.own_level(**it) > target.level(**it)) {
        notes.push(format!(
            "Of people who granted a token of their own there, {} is {}.",
            feature.as_str(),
            target.own_level(*feature).as_str()
        ));
    }
    if !target.read_back {
        notes.push(
            "A message whose sending was not answered cannot be looked for at the target: the policy unknown_outcome decides."
                .to_owned(),
        );
    }
    notes
}

fn span(ms: i64) -> String {
    match ms {
        ms if ms % 60_000 == 0 => format!("{} minutes", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{} seconds", ms / 1_000),
        ms => format!("{ms} ms"),
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dragoman_model::{Level, TextLimit};

    use super::*;

    fn side(name: &str, level: Level) -> Side {
        Side {
            end: End { platform: name.to_owned(), name: name.to_owned(), reference: None },
            capabilities: Capabilities {
                levels: BTreeMap::from([(Feature::Text, level)]),
                own_levels: BTreeMap::new(),
                text: TextLimit { max: 12_345, unit: TextUnit::Bytes },
                reread: true,
                read_back: true,
                history: true,
                reorder_window_ms: 0,
                max_edits: None,
                unannounced_edits_ms: None,
                max_file_bytes: None,
                file_needs_length: false,
                send_interval_ms: 0,
            },
        }
    }

    #[test]
    fn a_way_has_the_levels_of_its_target() {
        let ways = ways(&[side("alpha", Level::Native), side("beta", Level::Partial)]);
        let named: Vec<_> =
            ways.iter().map(|way| (way.from.name.as_str(), way.to.name.as_str(), &way.features)).collect();
        assert_eq!((named[0].0, named[0].1, named[1].0, named[1].1), ("alpha", "beta", "beta", "alpha"));
        assert_eq!(named[0].2.len(), Feature::ALL.len());
        assert_eq!((named[0].2[0].feature.as_str(), named[0].2[0].level.as_str()), ("text", "partial"));
        assert_eq!(named[1].2[0].level, "native");
        assert_eq!(named[1].2[1].level, "refused", "what the data does not name is not carried");
    }

    #[test]
    fn what_the_source_lacks_and_what_the_target_limits_is_said() {
        let (plain, mut odd) = (side("alpha", Level::Native), side("beta", Level::Native));
        let limit = "A text of more than 12,345 bytes becomes several messages at the target.";
        assert_eq!(way(&plain, &plain).notes, [limit]);
        odd.capabilities.reread = false;
        odd.capabilities.history = false;
        odd.capabilities.unannounced_edits_ms = Some(300_000);
        odd.capabilities.reorder_window_ms = 300;
        let from = way(&odd, &plain).notes;
        for word in ["for 5 minutes after", "waits 300 ms", "read again at the source", "not caught up"] {
            assert!(from.iter().any(|note| note.contains(word)), "{word}: {from:?}");
        }
        odd.capabilities.max_edits = Some(10);
        odd.capabilities.read_back = false;
        let into = way(&plain, &odd).notes;
        assert!(into.iter().any(|note| note.contains("edited 10 times")), "{into:?}");
        assert!(into.iter().any(|note| note.contains("unknown_outcome")), "{into:?}");
        assert_eq!(into.len(), 3);
    }
}
