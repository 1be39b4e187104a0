//! The journal's bodies do not name their parts, so that a change of a row changes what an older journal says.

use crate::rows::*;

#[test]
fn what_the_journal_says_has_not_changed() {
    let mut everything = settlement("e-c2", "c2", 1);
    everything.original = Some(original("c1", "m"));
    everything.copies = vec![copy("c2", 0, "x"), copy("c2", 1, "y")];
    everything.of = Some(key("c1", "m"));
    everything.removed_copies = vec![key("c2", "z")];
    everything.tombstone = Some(tombstone("c1", "t", 9));
    everything.dead_letter = Some(dead("e-c2", "c2"));
    let said = [append(vec![event("e", "o1", "i1", "c1", &["c2"])]), settle(everything)];
    let bytes = postcard::to_extend(&said, Vec::new()).unwrap();
    let sum = crc32fast::hash(&bytes);
    assert_eq!(
        sum,
        0xa399_4b4d,
        "raise FORMAT in src/journal.rs, then put this here: {sum:#010x}, of {} bytes",
        bytes.len()
    );
}
