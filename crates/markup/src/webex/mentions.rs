//! Mentions on their way out, in markdown.

use dragoman_model::Mention;

/// What breaks `<@` apart and shows nothing. The service looks for mentions in the raw markdown, also inside
/// code, so a sign has to stand between. Reading leaves it out again.
pub(super) const BREAKER: char = '\u{200b}';

/// The text with no mention in it.
pub(super) fn broken(text: &str) -> String {
    text.replace("<@", "<\u{200b}@")
}

/// The mention as Webex can have it; `None` where it has none such.
pub(super) fn kept(mention: &Mention) -> Option<Mention> {
    match mention {
        Mention::Person { id, name } if is_person_id(id.as_str()) => {
            Some(Mention::Person { id: id.clone(), name: mention_name(name) })
        }
        Mention::Everyone => Some(Mention::Everyone),
        _ => None,
    }
}

/// The mention as markdown, of what [`kept`] let through.
pub(super) fn markdown(mention: &Mention) -> Option<String> {
    match mention {
        Mention::Person { id, name } if name.is_empty() => Some(format!("<@personId:{}>", id.as_str())),
        Mention::Person { id, name } => Some(format!("<@personId:{}|{name}>", id.as_str())),
        Mention::Everyone => Some("<@all>".to_owned()),
        _ => None,
    }
}

/// Whether the text can be an id of a person: base64 of an address, or a bare UUID.
fn is_person_id(id: &str) -> bool {
    (1..=512).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '='))
}

/// A name that reads the same whether or not the service takes it for markdown and HTML.
fn mention_name(name: &str) -> String {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let chars: Vec<char> = name.chars().collect();
    let signless: String = chars
        .iter()
        .enumerate()
        .map(|(at, c)| match c {
            '&' | '\\' | '[' | ']' | '!' | '#' => ' ',
            '_' => {
                let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
                if inside(before) && inside(chars.get(at + 1).copied()) { '_' } else { ' ' }
            }
            c => *c,
        })
        .collect();
    crate::name::neutralise(&signless)
}
