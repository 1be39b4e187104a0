//! A person's list: everybody they have to do with, by number.

use dragoman_model::Document;
use dragoman_platform::Facts;

use super::acquaint::Party;
use super::act::{Hitch, stands};
use super::answer::Request;
use super::command::{Command, Who};
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

/// Whether a command came late that names somebody by a number of the list, or as the only one who asks, and others have
/// come or answered since: whoever it would mean now may be somebody to whom its author said nothing.
pub(crate) fn means_another(
    command: &Command,
    facts: &Facts,
    request: &Request,
    is_open: bool,
    now_ms: i64,
) -> bool {
    let by_list = match command {
        // It names whom they write with.
        Command::Block(None) => !is_open,
        Command::Accept(who) | Command::Block(who) => !matches!(who, Some(Who::Email(_))),
        Command::Unblock(who) | Command::Ask { who, .. } => matches!(who, Who::Number(_)),
        _ => false,
    };
    by_list && request.is_late(now_ms) && stance::began_after(facts, request.at_ms)
}

fn asks(number: usize) -> String {
    format!("asks you: dm accept {number} or dm block {number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_said_yes_to_one_does_not_say_it_to_whoever_asks_when_it_is_heard() {
        let with = |id: &str| With::Peer(id.into());
        let facts = |all: &[(&str, Stance)]| -> Facts {
            let changes = all.iter().flat_map(|(id, stance)| stance::change(&with(id), Some(*stance)));
            changes.filter_map(|(key, value)| Some((key, value?))).collect()
        };
        let request = |at_ms| Request { id: "m1".into(), at_ms, given: false, answer_at: None };
        let heard = |command: &Command, facts: &Facts, said_ms, now_ms| {
            means_another(command, facts, &request(said_ms), false, now_ms)
        };
        let accept = Command::Accept(None);
        // Bo asked, was told yes, and was told yes again by what comes late; Cy asked meanwhile.
        let since = facts(&[("bo", Stance::Willing(62_000)), ("cy", Stance::Asked(84_000))]);
        assert!(heard(&accept, &since, 37_000, 97_000));
        assert!(!heard(&accept, &since, 90_000, 97_000), "it was said when Cy had asked");
        assert!(!heard(&accept, &since, 84_000, 184_000), "and nobody came since");
        assert!(!heard(&accept, &since, 0, 97_000), "nobody knows when that was");
        // A clock that is a little behind must not keep people apart.
        let quick = facts(&[("cy", Stance::Asked(96_000))]);
        assert!(!heard(&accept, &quick, 95_000, 97_000));
        assert!(heard(&accept, &quick, 80_000, 97_000), "Cy alone asks now");
        // Whom they do not want to hear of changes nothing for them.
        assert!(!heard(&accept, &facts(&[("di", Stance::Blocked(96_000))]), 37_000, 97_000));

        let second = || Who::Number(2);
        let ask = |who| Command::Ask { who, on: None, words: String::new() };
        for command in [
            Command::Accept(Some(second())),
            Command::Block(Some(second())),
            Command::Block(None),
            Command::Unblock(second()),
            ask(second()),
        ] {
            assert!(heard(&command, &since, 37_000, 97_000));
        }
        let address = || Who::Email("cy@harbor.example".to_owned());
        for command in [
            Command::Accept(Some(address())),
            Command::Block(Some(address())),
            Command::Unblock(address()),
            ask(address()),
            Command::Close,
            Command::List,
        ] {
            assert!(!heard(&command, &since, 37_000, 97_000), "it names them");
        }
        assert!(!means_another(&Command::Block(None), &since, &request(37_000), true, 97_000));
    }
}
