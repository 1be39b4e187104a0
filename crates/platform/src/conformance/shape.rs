//! What fits and what is promised.

use dragoman_model::floor::floor;
use dragoman_model::{
    Block, Document, Feature, Inline, ListItem, Marker, Operation, Post, ShownAuthor, Spokesman,
};

use super::Kit;

/// Parts within the limit; capabilities at or above the floor.
pub fn shape(kit: &dyn Kit) {
    parts_fit(kit);
    floor_is_held(kit);
}

fn parts_fit(kit: &dyn Kit) {
    let conversation = kit.conversation();
    let capabilities = kit.connector().capabilities(&kit.installation(), &conversation);
    let limit = capabilities.text;
    let word = "Donaudampfschifffahrt ".to_owned();
    let paragraph = |times| Block::Paragraph(vec![Inline::Text(word.repeat(times))]);
    let item = || ListItem { blocks: vec![paragraph(20)] };
    let documents = [
        vec![],
        vec![paragraph(1)],
        vec![paragraph(3_000)],
        (0..400).map(|_| paragraph(5)).collect(),
        vec![Block::Paragraph(vec![Inline::Text("x".repeat(60_000))])],
        vec![Block::Paragraph(vec![Inline::Text("&<>\"\u{1f469}\u{200d}\u{1f467}".repeat(4_000))])],
        vec![Block::Code { language: Some("rust".to_owned()), text: "let x = 1;\n".repeat(5_000) }],
        vec![Block::List { start: Some(1), items: (0..200).map(|_| item()).collect() }],
        vec![Block::Quote((0..200).map(|_| paragraph(20)).collect())],
    ];
    for (index, blocks) in documents.into_iter().enumerate() {
        let post = Post {
            conversation: conversation.remote.clone(),
            thread_root: None,
            broadcast: false,
            author: ShownAuthor {
                name: "Ana Sample".repeat(20),
                via: "Elsewhere".to_owned(),
                avatar_url: None,
            },
            spokesman: Spokesman::App,
            body: Document { blocks },
            marker: Marker::from("marker"),
        };
        let parts = kit.connector().split(&post);
        assert!(!parts.is_empty(), "document {index} has no part");
        for part in &parts {
            let length = limit.unit.measure(&kit.rendered(part));
            assert!(length <= limit.max, "a part of document {index} has {length}, more than {}", limit.max);
        }
    }
}

fn floor_is_held(kit: &dyn Kit) {
    let capabilities = kit.connector().capabilities(&kit.installation(), &kit.conversation());
    for feature in Feature::ALL {
        let (level, least) = (capabilities.best_level(*feature), floor(*feature, kit.floor()));
        let excused = kit.not_yet().contains(feature);
        let name = feature.as_str();
        assert!(excused || level >= least, "{name} is {}, its floor is {}", level.as_str(), least.as_str());
        assert!(!excused || level < least, "{name} has reached its floor: take it from the list");
    }
    let named: Vec<&str> = kit.operations().iter().map(Operation::name).collect();
    assert_eq!(named, ["post", "edit", "delete"], "the kit's operations");
}
