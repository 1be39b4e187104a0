//! Mentions on their way out: names that can stand between tags, one entry each.

use dragoman_model::Mention;

use super::input::MentionKind;
use super::render::{Flavour, RenderedMention};

/// The name of the mention of a whole conversation.
const EVERYONE: &str = "Everyone";

/// The mentions of one text, in order.
pub(crate) struct Roster {
    flavour: Flavour,
    mentions: Vec<RenderedMention>,
}

impl Roster {
    pub(crate) fn new(flavour: Flavour) -> Self {
        Self { flavour, mentions: Vec::new() }
    }

    /// Registers a mention and answers its index and its name; `None` where Teams has no such mention.
    ///
    /// A bot's mentions are found by their text alone, so there two people of one name get different names,
    /// and one person mentioned twice is one entry.
    pub(crate) fn add(&mut self, mention: &Mention) -> Option<(u32, String)> {
        let (id, name, kind) = match mention {
            Mention::Person { id, name } => (id.as_str(), name.as_str(), MentionKind::Person),
            Mention::Group { id, name } => (id.as_str(), name.as_str(), MentionKind::Group),
            Mention::Everyone => ("", EVERYONE, MentionKind::Everyone),
            Mention::Here | Mention::Conversation { .. } => return None,
        };
        let name = mention_name(name)?;
        if id.is_empty() && kind != MentionKind::Everyone {
            return None;
        }
        if self.flavour == Flavour::Bot {
            let same = self.mentions.iter().find(|known| known.id == id && known.kind == kind);
            if let Some(known) = same {
                return Some((known.index, known.name.clone()));
            }
        }
        let name = if self.flavour == Flavour::Bot { self.unique(name) } else { name };
        let index = u32::try_from(self.mentions.len()).unwrap_or(u32::MAX);
        self.mentions.push(RenderedMention { index, id: id.to_owned(), name: name.clone(), kind });
        Some((index, name))
    }

    fn unique(&self, name: String) -> String {
        let taken = |name: &str| self.mentions.iter().any(|known| known.name == name);
        if !taken(&name) {
            return name;
        }
        (2..=u32::MAX).map(|number| format!("{name} ({number})")).find(|name| !taken(name)).unwrap_or(name)
    }

    pub(crate) fn finish(self) -> Vec<RenderedMention> {
        self.mentions
    }
}

/// A name as it can stand between tags and in JSON alike: no markup signs, single spaces.
fn mention_name(name: &str) -> Option<String> {
    let signless: String =
        name.chars().map(|c| if matches!(c, '<' | '>' | '&' | '"' | '\'' | '@') { ' ' } else { c }).collect();
    let name = crate::name::neutralise(&signless);
    (!name.is_empty()).then_some(name)
}
