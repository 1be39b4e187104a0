//! What the app says, as bytes to be sealed and back. Pure. A few signs say what is what; no text has them.

use dragoman_markup::plain;
use dragoman_model::{Block, Document, Inline};

const BLOCKS: char = '\u{1d}';
const PIECES: char = '\u{1e}';

/// Packs what [`super::words`] makes: paragraphs and quotes of text, code, bold and breaks. Everything else becomes text.
pub(crate) fn pack(words: &Document) -> String {
    let mut blocks = Vec::new();
    for block in &words.blocks {
        match block {
            Block::Quote(inner) => blocks.extend(inner.iter().map(|block| packed('q', block))),
            block => blocks.push(packed('p', block)),
        }
    }
    blocks.join("\u{1d}")
}

/// What was packed.
pub(crate) fn unpack(text: &str) -> Document {
    let mut words = Document::default();
    for block in text.split(BLOCKS) {
        let mut pieces = block.split(PIECES);
        let kind = pieces.next();
        let line = Block::Paragraph(pieces.filter_map(piece).collect());
        match (kind, words.blocks.last_mut()) {
            (Some("q"), Some(Block::Quote(quoted))) => quoted.push(line),
            (Some("q"), _) => words.blocks.push(Block::Quote(vec![line])),
            (Some("p"), _) => words.blocks.push(line),
            _ => {}
        }
    }
    words.normalise()
}

fn packed(kind: char, block: &Block) -> String {
    let mut line = kind.to_string();
    let mut add = |sign: char, text: &str| {
        line.push(PIECES);
        line.push(sign);
        line.extend(text.chars().filter(|sign| !('\u{1c}'..='\u{1f}').contains(sign)));
    };
    match block {
        Block::Paragraph(inlines) => {
            for inline in inlines {
                match inline {
                    Inline::Text(text) => add('t', text),
                    Inline::Code(text) => add('c', text),
                    Inline::Break => add('b', ""),
                    Inline::Strong(inner) => add('s', &text_of(inner)),
                    // No address has a space.
                    Inline::Link { url, text } => add('l', &format!("{url} {}", text_of(text))),
                    other => add('t', &text_of(std::slice::from_ref(other))),
                }
            }
        }
        other => add('t', &plain(&Document { blocks: vec![other.clone()] })),
    }
    line
}

fn text_of(inlines: &[Inline]) -> String {
    plain(&Document { blocks: vec![Block::Paragraph(inlines.to_vec())] })
}

fn piece(piece: &str) -> Option<Inline> {
    let sign = piece.chars().next()?;
    let text = piece[sign.len_utf8()..].to_owned();
    match sign {
        't' => Some(Inline::Text(text)),
        'c' => Some(Inline::Code(text)),
        's' => Some(Inline::Strong(vec![Inline::Text(text)])),
        'b' => Some(Inline::Break),
        'l' => {
            let (url, shown) = text.split_once(' ')?;
            Some(Inline::Link { url: url.to_owned(), text: vec![Inline::Text(shown.to_owned())] })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;

    #[test]
    fn what_the_app_says_survives_packing() {
        let first = "two\nlines *here*\n\nand a paragraph";
        let asks = words::invitation("Ana", Some("ana@harbor.example"), "Fax", None, first);
        for words in [words::help(), words::opened("Bo \u{1e}", "Fax"), asks] {
            let back = unpack(&pack(&words));
            assert_eq!(plain(&back).replace('\u{1e}', ""), plain(&words).replace('\u{1e}', ""));
            let strong = |document: &Document| {
                let mut count = 0;
                document.visit_inlines(&mut |inline| {
                    count += i32::from(matches!(inline, Inline::Strong(_) | Inline::Code(_)));
                });
                count
            };
            assert_eq!((back.blocks.len(), strong(&back)), (words.blocks.len(), strong(&words)));
        }
    }

    #[test]
    fn a_link_leads_where_it_led() {
        let text = vec![Inline::Text("Open this link".to_owned())];
        let link = Inline::Link { url: "https://gateway.example/link/1?a=b".to_owned(), text };
        let words = Document { blocks: vec![Block::Paragraph(vec![link, Inline::Text(" now".to_owned())])] };
        assert!(unpack(&pack(&words)) == words);
    }
}
