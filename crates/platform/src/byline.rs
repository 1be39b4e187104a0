//! How an author is named in a text where the platform shows the app's name above it.

use dragoman_model::{Block, Document, Emoji, Inline, Post, ShownAuthor};

/// The longest name that is shown, platform included, in characters.
pub const LONGEST: usize = 80;

/// `Ana (Slack)`.
pub fn label(author: &ShownAuthor) -> String {
    ended(author, &format!(" ({})", author.via))
}

/// Whether an author is named: notices of our own need no name but the app's.
pub fn is_named(author: &ShownAuthor) -> bool {
    !author.name.is_empty() && !author.via.is_empty()
}

/// `**Ana (Slack):**` before the text, in its first line where that is a paragraph.
pub fn inline(body: &Document, author: &ShownAuthor) -> Document {
    let name = Inline::Strong(vec![Inline::Text(ended(author, &format!(" ({}):", author.via)))]);
    let mut blocks = body.blocks.clone();
    match blocks.first_mut() {
        Some(Block::Paragraph(text)) => {
            text.splice(0..0, [name, Inline::Text(" ".to_owned())]).for_each(drop);
        }
        _ => blocks.insert(0, Block::Paragraph(vec![name])),
    }
    Document { blocks }
}

/// `**Ana (Slack)**` as a line of its own before the text.
pub fn above(body: &Document, author: &ShownAuthor) -> Document {
    let mut blocks = vec![Block::Paragraph(vec![Inline::Strong(vec![Inline::Text(label(author))])])];
    blocks.extend(body.blocks.iter().cloned());
    Document { blocks }
}

/// Whether a text begins as those that name an author do.
pub fn is_signed(body: &Document) -> bool {
    matches!(body.blocks.first(), Some(Block::Paragraph(text)) if matches!(text.first(), Some(Inline::Strong(_))))
}

/// Whether a text may be an earlier form of a post of the app: it begins as those that name an author do; or, where the
/// post names none and begins with a sign that is no word (who reacts with what), it begins with the same sign.
pub fn may_be(found: &Document, post: &Post) -> bool {
    is_signed(found) || begins_alike(found, post)
}

/// Whether a text and a post that names no author begin with the same sign that is no word.
pub fn begins_alike(found: &Document, post: &Post) -> bool {
    post.author.name.is_empty() && sign(found).is_some_and(|first| sign(&post.body) == Some(first))
}

/// What a text begins with, where that is no word.
fn sign(body: &Document) -> Option<char> {
    let Some(Block::Paragraph(text)) = body.blocks.first() else { return None };
    let first = match text.first()? {
        Inline::Text(text) | Inline::Emoji(Emoji::Unicode(text)) => text.trim_start().chars().next()?,
        _ => return None,
    };
    Some(first).filter(|first| !first.is_alphanumeric())
}

fn ended(author: &ShownAuthor, end: &str) -> String {
    let room = LONGEST.saturating_sub(end.chars().count());
    let mut name: String = author.name.chars().take(room).collect();
    name.push_str(end);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn author(name: &str) -> ShownAuthor {
        ShownAuthor { name: name.to_owned(), via: "Slack".to_owned(), avatar_url: None }
    }

    #[test]
    fn a_long_name_leaves_room_for_its_platform() {
        assert_eq!(label(&author("Ana")), "Ana (Slack)");
        let long = label(&author(&"n".repeat(200)));
        assert_eq!(long.chars().count(), LONGEST);
        assert!(long.ends_with("n (Slack)"));
    }

    #[test]
    fn a_note_of_who_reacts_is_recognised_by_what_it_begins_with() {
        let post = |name: &str, body: Document| Post {
            conversation: "room".into(),
            thread_root: None,
            broadcast: false,
            author: author(name),
            spokesman: dragoman_model::Spokesman::App,
            body,
            marker: dragoman_model::Marker::new("m"),
        };
        let emoji = Inline::Emoji(Emoji::Unicode("🚀".to_owned()));
        let note = Document { blocks: vec![Block::Paragraph(vec![emoji, Inline::Text(" Ana".to_owned())])] };
        let found = Document::plain("🚀 somebody (Teams)");
        assert!(may_be(&found, &post("", note.clone())));
        assert!(may_be(&note, &post("", found.clone())));
        assert!(!may_be(&Document::plain("🎉 somebody (Teams)"), &post("", note.clone())));
        assert!(!may_be(&found, &post("Ana", note)), "what names its author looks otherwise");
        assert!(!may_be(&Document::plain("hello"), &post("", Document::plain("hello"))), "words are no sign");
    }

    #[test]
    fn what_names_an_author_is_recognised() {
        let body = Document::plain("hello");
        assert!(!is_signed(&body));
        assert!(is_signed(&inline(&body, &author("Ana"))));
        assert!(is_signed(&above(&body, &author("Ana"))));
        let rule = Document { blocks: vec![Block::Rule] };
        assert!(is_signed(&inline(&rule, &author("Ana"))));
    }
}
