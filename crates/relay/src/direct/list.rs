//! A person's list: everybody they have to do with, by number.

use dragoman_model::Document;

use super::acquaint::Party;
use super::act::{Hitch, stands};
use super::command::Who;
use super::stance::{self, Stance, With};
use super::words::{self, Say, crowd, text};
use crate::core::Relay;
use crate::error::RelayError;

impl Relay {
    /// The list, as the person reads it.
    pub(crate) async fn list_people(&self, here: &Party) -> Result<Document, Hitch> {
        let open = self.open_in(here.id()).map(|open| open.with);
        let mut lines = Vec::new();
        for (at, (with, mine)) in stance::list(here.facts()).into_iter().enumerate() {
            let number = at + 1;
            let is_open = open.as_ref() == Some(&with);
            lines.extend(match &with {
                With::Peer(_) => self.line_of_peer(here, number, &with, mine, is_open).await?,
                With::Group(group) => Some(self.line_of_group(here, number, group, mine, is_open).await?),
            });
        }
        if lines.is_empty() {
            return Ok(text(&[
                Say::Text("There is nobody yet. "),
                Say::Type("dm name@example.com"),
                Say::Text(" asks somebody for a conversation."),
            ]));
        }
        Ok(Document { blocks: lines }.normalise())
    }

    async fn line_of_peer(
        &self,
        here: &Party,
        number: usize,
        with: &With,
        mine: Stance,
        is_open: bool,
    ) -> Result<Option<dragoman_model::Block>, RelayError> {
        let With::Peer(peer) = with else { return Ok(None) };
        let Some(there) = self.party(peer).await? else { return Ok(None) };
        let state = match (mine, stands(&there.spot, here).and_then(Stance::shown)) {
            _ if is_open => "open".to_owned(),
            (Stance::Blocked(_), _) => "blocked by you".to_owned(),
            (Stance::Asked(_), _) => asks(number),
            (_, Some(Stance::Willing(_))) => format!("not open: dm {number} opens it"),
            (_, Some(_)) => "asked by you, no answer yet".to_owned(),
            (_, None) => format!("not open: dm {number} asks again"),
        };
        let address = there.email.as_ref().map(|email| format!(", {email}")).unwrap_or_default();
        Ok(Some(words::line(&[
            Say::Text(&format!("{number}. ")),
            Say::Name(&there.name),
            Say::Text(&format!(" ({}{address}): {state}", there.on())),
        ])))
    }

    async fn line_of_group(
        &self,
        here: &Party,
        number: usize,
        group: &str,
        mine: Stance,
        is_open: bool,
    ) -> Result<dragoman_model::Block, RelayError> {
        let others = crowd(&self.others_of(here, group).await?);
        let state = match mine {
            _ if is_open => {
                let there = self.there_now(here, group).await?;
                format!("open, with {}", crowd(&there))
            }
            Stance::Blocked(_) => "blocked by you".to_owned(),
            Stance::Asked(_) => asks(number),
            Stance::Willing(_) | Stance::Left(_) => format!("not open: dm {number} opens it"),
        };
        Ok(words::line(&[Say::Text(&format!("{number}. Together with {others}: {state}"))]))
    }

    /// The entry of a person's list that is meant.
    pub(crate) async fn listed(&self, here: &Party, who: &Who) -> Result<Option<With>, RelayError> {
        let list = stance::list(here.facts());
        match who {
            Who::Number(number) => {
                let at = number.checked_sub(1);
                Ok(at.and_then(|at| list.into_iter().nth(at)).map(|(with, _)| with))
            }
            Who::Email(email) => {
                for (with, _) in list {
                    let With::Peer(peer) = &with else { continue };
                    let there = self.party(peer).await?.and_then(|there| there.email);
                    if there.is_some_and(|known| known.eq_ignore_ascii_case(email)) {
                        return Ok(Some(with));
                    }
                }
                Ok(None)
            }
        }
    }
}

fn asks(number: usize) -> String {
    format!("asks you: dm accept {number} or dm block {number}")
}
