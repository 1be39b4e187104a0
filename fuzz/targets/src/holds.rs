//! What must hold of every tree that a parser made.

use std::collections::BTreeSet;

use dragoman_markup::teams::{Flavour, TeamsInput, TeamsMention};
use dragoman_markup::zoom::{End, Offsets, Unit, ZoomInput};
use dragoman_markup::{Budget, canonical, degrade, plain, slack, teams, webex, zoom};
use dragoman_model::{Document, Inline, Mention};

/// Renders the tree for every platform, reads that again, and compares.
///
/// # Panics
/// When something does not hold.
pub(crate) fn everything(document: &Document) {
    let _ = (plain(document), canonical(document));
    let made = mentions(document);

    let rendered = slack::render(document);
    let read = slack::parse(Some(&rendered.blocks), &rendered.text, Budget::default());
    assert!(mentions(&read).is_subset(&made), "Slack blocks mention somebody new");
    let wanted = degrade::slack(document.clone());
    assert!(canonical(&read) == canonical(&wanted), "Slack blocks changed on the round trip");
    let fallback = slack::parse_mrkdwn(&rendered.text, Budget::default());
    assert!(mentions(&fallback).is_subset(&made), "Slack's text mentions somebody new");

    for flavour in [Flavour::Graph, Flavour::Bot] {
        let rendered = teams::render(document, flavour);
        let entries: Vec<TeamsMention> = rendered
            .mentions
            .iter()
            .map(|mention| TeamsMention {
                index: mention.index,
                id: mention.id.clone(),
                name: mention.name.clone(),
                kind: mention.kind,
            })
            .collect();
        let input = TeamsInput { html: &rendered.html, mentions: &entries, attachments: &[] };
        let read = teams::parse(input, Budget::default());
        assert!(mentions(&read).is_subset(&made), "Teams HTML mentions somebody new");
        let wanted = degrade::teams_for(document.clone(), flavour);
        assert!(canonical(&read) == canonical(&wanted), "Teams HTML changed on the round trip");
    }

    // Only Webex itself makes HTML of markdown, so what is read back is in the crate's own tests.
    let wanted = degrade::webex(document.clone());
    assert!(mentions(&wanted).is_subset(&made), "Webex mentions somebody new");
    assert!(canonical(&degrade::webex(wanted.clone())) == canonical(&wanted), "Webex degrades twice");
    let rendered = webex::render(document);
    let mut count = 0;
    wanted.visit_inlines(&mut |inline| count += usize::from(matches!(inline, Inline::Mention(_))));
    assert!(rendered.markdown.matches("<@").count() == count, "Webex markdown mentions somebody new");
    assert!(!rendered.text.contains("<@"), "Webex text mentions somebody");

    let wanted = degrade::zoom(document.clone());
    for unit in [Unit::Utf16, Unit::Chars] {
        for end in [End::Inclusive, End::Exclusive] {
            let offsets = Offsets { unit, end };
            let rendered = zoom::render(document, offsets);
            let input = ZoomInput {
                message: &rendered.message,
                rich_text: &rendered.rich_text,
                at_items: &rendered.at_items,
                offsets,
            };
            let read = zoom::parse(input, Budget::default());
            assert!(mentions(&read).is_subset(&made), "a Zoom message mentions somebody new");
            assert!(canonical(&read) == canonical(&wanted), "a Zoom message changed on the round trip");
        }
    }
}

/// Whom the tree mentions; names may change on the way.
fn mentions(document: &Document) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    document.visit_inlines(&mut |inline| {
        if let Inline::Mention(mention) = inline {
            found.insert(match mention {
                Mention::Person { id, .. } => format!("person {}", id.as_str()),
                Mention::Conversation { id, .. } => format!("conversation {}", id.as_str()),
                Mention::Group { id, .. } => format!("group {id}"),
                // Where a platform has one word for both, it stands for the other.
                Mention::Everyone | Mention::Here => "everyone".to_owned(),
            });
        }
    });
    found
}
