//! How an author is named in a text where the platform shows the app's name above it.

use dragoman_model::{Block, Document, Inline, ShownAuthor};

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
    fn what_names_an_author_is_recognised() {
        let body = Document::plain("hello");
        assert!(!is_signed(&body));
        assert!(is_signed(&inline(&body, &author("Ana"))));
        assert!(is_signed(&above(&body, &author("Ana"))));
        let rule = Document { blocks: vec![Block::Rule] };
        assert!(is_signed(&inline(&rule, &author("Ana"))));
    }
}
