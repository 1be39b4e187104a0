//! What the app says to people about their conversations. Pure. Names are cleaned before they come here.

use dragoman_model::{Block, Document, Inline};

/// A piece of a line.
pub(crate) enum Say<'a> {
    /// Words of ours.
    Text(&'a str),
    /// Something to type.
    Type(&'a str),
    /// The name of somebody.
    Name(&'a str),
}

use Say::{Name, Text, Type};

/// One paragraph.
pub(crate) fn line(pieces: &[Say<'_>]) -> Block {
    let inlines = pieces.iter().map(|piece| match piece {
        Text(text) => Inline::Text((*text).to_owned()),
        Type(text) => Inline::Code((*text).to_owned()),
        Name(text) => Inline::Strong(vec![Inline::Text((*text).to_owned())]),
    });
    Block::Paragraph(inlines.collect())
}

/// A text of one paragraph.
pub(crate) fn text(pieces: &[Say<'_>]) -> Document {
    Document { blocks: vec![line(pieces)] }.normalise()
}

/// What can be said to the app.
pub(crate) fn help() -> Document {
    text(&[
        Text("Here you can write with people on other platforms. Ask somebody: "),
        Type("dm name@example.com"),
        Text(
            ", with your first words behind it if you like; name several people, and you write together. See whom you asked or are asked by: ",
        ),
        Type("dm list"),
        Text(". Answer: "),
        Type("dm accept"),
        Text(" or "),
        Type("dm block"),
        Text(". End the open conversation: "),
        Type("dm close"),
        Text(". Go to another: "),
        Type("dm 2"),
        Text(", with its number in the list. Let what you write elsewhere stand here in your own name: "),
        Type("connect"),
        Text(", and not any more: "),
        Type("disconnect"),
        Text(". One is open here at a time; while it is, everything else that you write here goes there."),
    ])
}

/// What the other person reads when somebody asks; `others` as [`crowd`] names them, where several are asked. `words`
/// may be empty.
pub(crate) fn invitation(
    who: &str,
    address: Option<&str>,
    on: &str,
    others: Option<&str>,
    words: &str,
) -> Document {
    let named = address.map(|address| format!(" ({address})")).unwrap_or_default();
    let together = others.map(|others| format!(", together with {others}")).unwrap_or_default();
    let asks = line(&[
        Name(who),
        Text(&format!("{named} on {on} wants to write with you here{together}. Answer ")),
        Type("accept"),
        Text(" or "),
        Type("block"),
        Text("; while another conversation is open here, "),
        Type("dm accept"),
        Text(" or "),
        Type("dm block"),
        Text("."),
    ]);
    let mut blocks = vec![asks];
    if !words.is_empty() {
        blocks.push(Block::Quote(Document::plain(words).blocks));
    }
    Document { blocks }.normalise()
}

/// `Ana (Fax) and Bo (Telex)`; `nobody`.
pub(crate) fn crowd(people: &[String]) -> String {
    match people.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

/// What everybody reads when a conversation of several begins or they join it.
pub(crate) fn opened_together(others: &str) -> Document {
    text(&[
        Text(&format!(
            "You are writing with {others}. What you write here goes to all of them, and what they write comes here. "
        )),
        Type("dm close"),
        Text(" leaves it, "),
        Type("dm help"),
        Text(" says what else there is."),
    ])
}

/// What both read when their conversation begins.
pub(crate) fn opened(who: &str, on: &str) -> Document {
    text(&[
        Text("You are writing with "),
        Name(who),
        Text(&format!(" on {on}. What you write here goes there, and what is written there comes here. ")),
        Type("dm close"),
        Text(" ends it, "),
        Type("dm help"),
        Text(" says what else there is."),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_first_words_stay_text() {
        let asks = invitation("Ana", Some("ana@harbor.example"), "Fax", None, "hello *you* <@all>");
        let read = dragoman_markup::plain(&asks);
        assert!(read.starts_with("Ana (ana@harbor.example) on Fax wants to write"), "{read}");
        assert!(matches!(&asks.blocks[1], Block::Quote(_)));
        let mut mentions = 0;
        asks.visit_inlines(&mut |inline| mentions += i32::from(matches!(inline, Inline::Mention(_))));
        assert_eq!(mentions, 0);
        assert_eq!(invitation("Ana", None, "Fax", None, "").blocks.len(), 1);
        assert!(help().is_normal() && opened("Bo", "Fax").is_normal() && opened_together("Bo").is_normal());
        let names = |names: &[&str]| crowd(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!([names(&[]), names(&["A"]), names(&["A", "B", "C"])], ["nobody", "A", "A, B and C"]);
    }
}
