//! What people may say to the app. Pure. Holds words of people, so nothing here can be printed.

use dragoman_markup::plain;
use dragoman_model::{Block, Document, Inline, Mention};

/// The longest e-mail address there is (RFC 5321).
const LONGEST_ADDRESS: usize = 254;

/// Somebody, as people name them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// By e-mail address, in lower case.
    Email(String),
    /// By the number in their list, from 1.
    Number(usize),
}

/// A command.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// What can be said.
    Help,
    /// Whom they have to do with.
    List,
    /// Ask for a conversation, or go back to one.
    Ask {
        /// With whom.
        who: Who,
        /// The platform or workspace that was named behind `on`, in lower case.
        on: Option<String>,
        /// The first words; may be empty.
        words: String,
    },
    /// Ask several people for one conversation.
    Together {
        /// Addresses, each with the platform or workspace that was named behind `on`, in lower case; two at least.
        people: Vec<(String, Option<String>)>,
        /// The first words; may be empty.
        words: String,
    },
    /// Say yes; to the only one who asks, where nobody is named.
    Accept(Option<Who>),
    /// End what is open.
    Close,
    /// Hear no more of somebody; of the one who is written with or asks, where nobody is named.
    Block(Option<Who>),
    /// Take that back.
    Unblock(Who),
    /// Speak in one's own name here.
    Connect,
    /// Take that back.
    Disconnect,
}

/// Reads a command. `talking`: a conversation is open, so that only what begins with `dm` is meant for the app.
pub(crate) fn parse(body: &Document, talking: bool) -> Option<Command> {
    let [Block::Paragraph(inlines)] = body.blocks.as_slice() else { return None };
    let text = without_address(inlines);
    let text = text.trim();
    let (first, rest) = cut(text);
    let first = first.strip_prefix('/').unwrap_or(first).to_lowercase();
    if first != "dm" {
        return if talking { None } else { simple(&first, rest) };
    }
    let (second, rest) = cut(rest);
    if second.is_empty() {
        return Some(Command::Help);
    }
    if let Some(command) = simple(&second.to_lowercase(), rest) {
        return Some(command);
    }
    let who = who(second)?;
    let (on, words) = place(rest);
    let Who::Email(first) = who else { return Some(Command::Ask { who, on, words: words.to_owned() }) };
    let (mut people, mut words) = (vec![(first, on)], words);
    while let (next, rest) = cut(words)
        && let Some(Who::Email(address)) = self::who(next)
    {
        let (on, rest) = place(rest);
        people.push((address, on));
        words = rest;
    }
    let words = words.to_owned();
    Some(match <[_; 1]>::try_from(people) {
        Ok([(address, on)]) => Command::Ask { who: Who::Email(address), on, words },
        Err(people) => Command::Together { people, words },
    })
}

/// The platform or workspace behind `on`, and what follows it.
fn place(text: &str) -> (Option<String>, &str) {
    match cut(text) {
        (on, named) if on.eq_ignore_ascii_case("on") && !named.is_empty() => {
            let (place, words) = cut(named);
            (Some(place.trim_end_matches([':', ',']).to_lowercase()), words)
        }
        _ => (None, text),
    }
}

/// Reads what was given to the platform's own command, where `dm` may be left out.
pub(crate) fn parse_given(words: &Document) -> Option<Command> {
    if words.is_empty() {
        return Some(Command::Help);
    }
    parse(words, false).or_else(|| parse(&Document::plain(&format!("dm {}", plain(words))), true))
}

/// Commands that need no `dm` while nothing is open.
fn simple(word: &str, rest: &str) -> Option<Command> {
    let named = || if rest.is_empty() { Some(None) } else { who(rest).map(Some) };
    match word {
        "help" if rest.is_empty() => Some(Command::Help),
        "list" if rest.is_empty() => Some(Command::List),
        "close" if rest.is_empty() => Some(Command::Close),
        "connect" if rest.is_empty() => Some(Command::Connect),
        "disconnect" if rest.is_empty() => Some(Command::Disconnect),
        "accept" => named().map(Command::Accept),
        "block" => named().map(Command::Block),
        "unblock" => who(rest).map(Command::Unblock),
        _ => None,
    }
}

/// A name, if it is one and nothing else.
fn who(text: &str) -> Option<Who> {
    let text = text.trim_matches(|c: char| matches!(c, '<' | '>' | ',' | ';' | ':') || c.is_whitespace());
    if let Ok(number) = text.trim_start_matches('#').parse() {
        return Some(Who::Number(number));
    }
    let address = text.strip_prefix("mailto:").unwrap_or(text).trim_end_matches('.').to_lowercase();
    let (local, domain) = address.split_once('@')?;
    let sound = !local.is_empty()
        && address.len() <= LONGEST_ADDRESS
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.contains('@')
        && !address.chars().any(|c| c.is_whitespace() || c.is_control());
    sound.then_some(Who::Email(address))
}

/// The first word and what follows it.
fn cut(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// The text without the name of the app in front, which some clients put there.
fn without_address(inlines: &[Inline]) -> String {
    let inlines = match inlines {
        [Inline::Mention(Mention::Person { .. }), rest @ ..] => rest,
        all => all,
    };
    plain(&Document { blocks: vec![Block::Paragraph(inlines.to_vec())] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Command> {
        parse(&Document::plain(text), false)
    }

    fn email(text: &str) -> Who {
        Who::Email(text.to_owned())
    }

    fn ask(who: Who, on: Option<&str>, words: &str) -> Command {
        Command::Ask { who, on: on.map(str::to_owned), words: words.to_owned() }
    }

    #[test]
    fn commands_are_read() {
        let bo = || email("bo@harbor.example");
        for (text, wanted) in [
            ("help", Some(Command::Help)),
            (" DM ", Some(Command::Help)),
            ("/dm help", Some(Command::Help)),
            ("dm list", Some(Command::List)),
            ("List", Some(Command::List)),
            ("dm close", Some(Command::Close)),
            ("connect", Some(Command::Connect)),
            ("/dm Disconnect", Some(Command::Disconnect)),
            ("accept", Some(Command::Accept(None))),
            ("dm accept 2", Some(Command::Accept(Some(Who::Number(2))))),
            ("block Bo@Harbor.example", Some(Command::Block(Some(bo())))),
            ("unblock #3", Some(Command::Unblock(Who::Number(3)))),
            ("dm bo@harbor.example", Some(ask(bo(), None, ""))),
            ("dm mailto:bo@harbor.example", Some(ask(bo(), None, ""))),
            ("dm <bo@harbor.example>: hello  there\nyou", Some(ask(bo(), None, "hello  there\nyou"))),
            ("dm bo@harbor.example on Fax hi", Some(ask(bo(), Some("fax"), "hi"))),
            ("dm bo@harbor.example on", Some(ask(bo(), None, "on"))),
            ("dm 2", Some(ask(Who::Number(2), None, ""))),
            (
                "dm bo@harbor.example, cy@quay.example: hi",
                Some(together(&[("bo", None), ("cy", None)], "hi")),
            ),
            (
                "dm bo@harbor.example on fax cy@quay.example on Telex hello",
                Some(together(&[("bo", Some("fax")), ("cy", Some("telex"))], "hello")),
            ),
            ("dm bo@harbor.example mail cy@quay.example", Some(ask(bo(), None, "mail cy@quay.example"))),
            ("dm bo@harbor.example cy@quay.example hi", Some(together(&[("bo", None), ("cy", None)], "hi"))),
            ("dm bo@harbor.example 2 apples", Some(ask(bo(), None, "2 apples"))),
        ] {
            assert!(read(text) == wanted, "{text}");
        }
    }

    fn together(people: &[(&str, Option<&str>)], words: &str) -> Command {
        let at = |name: &str| format!("{name}@{}.example", if name == "bo" { "harbor" } else { "quay" });
        let people = people.iter().map(|(name, on)| (at(name), on.map(str::to_owned))).collect();
        Command::Together { people, words: words.to_owned() }
    }

    #[test]
    fn what_is_given_to_the_platforms_command_needs_no_dm() {
        let given = |text: &str| parse_given(&Document::plain(text));
        assert!(given("") == Some(Command::Help) && given("list") == Some(Command::List));
        assert!(given("dm list") == Some(Command::List));
        assert!(given("bo@harbor.example hi") == Some(ask(email("bo@harbor.example"), None, "hi")));
        assert!(given("2") == Some(ask(Who::Number(2), None, "")));
        assert!(given("hello there").is_none());
    }

    #[test]
    fn what_is_said_to_people_is_no_command() {
        for text in [
            "",
            "hello",
            "help me",
            "list of things",
            "close the window",
            "connect me to her",
            "accept it",
            "block nobody",
            "unblock",
            "dm me later",
            "dm bo@harbor",
            "dm @harbor.example",
            "dm bo@x@harbor.example",
            "dms",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        for text in ["help", "close", "accept", "list", "block"] {
            assert!(parse(&Document::plain(text), true).is_none(), "{text}");
            assert!(parse(&Document::plain(&format!("dm {text}")), true).is_some(), "{text}");
        }
        let long = format!("dm {}@harbor.example", "a".repeat(300));
        assert!(read(&long).is_none());
    }

    #[test]
    fn links_and_the_name_of_the_app_are_let_be() {
        let address = Inline::Link {
            url: "mailto:bo@harbor.example".to_owned(),
            text: vec![Inline::Text("bo@harbor.example".to_owned())],
        };
        let app = Inline::Mention(Mention::Person { id: "app".into(), name: "Bridge".to_owned() });
        let line = vec![app, Inline::Text(" dm ".to_owned()), address];
        let one = Document { blocks: vec![Block::Paragraph(line.clone())] };
        assert!(parse(&one, false) == Some(ask(email("bo@harbor.example"), None, "")));
        let two = Document { blocks: vec![Block::Paragraph(line.clone()), Block::Paragraph(line)] };
        assert!(parse(&two, false).is_none(), "what has several paragraphs is a message");
    }
}
