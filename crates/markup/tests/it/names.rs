//! Names of authors.

use dragoman_markup::name::neutralise;
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

#[test]
fn tricks_are_taken_out() {
    assert_eq!(neutralise("  Ana   Souza \n"), "Ana Souza");
    assert_eq!(neutralise("\u{202e}nimdA\u{202c}"), "nimdA");
    assert_eq!(neutralise("A\u{200b}dmin\u{feff}"), "Admin");
    assert_eq!(neutralise("<!channel>"), "!channel");
    assert_eq!(neutralise("<at>Bo</at>"), "at Bo /at");
    assert_eq!(neutralise("\u{ff20}here *x* `y`"), "here x y");
    assert_eq!(neutralise("Zo\u{eb} O'Hara-\u{738b}"), "Zo\u{eb} O'Hara-\u{738b}");
    assert_eq!(neutralise("\u{0}\u{7}\u{1b}[31m"), "[31m");
    assert_eq!(neutralise("\u{3164}\u{200b}"), "");
}

#[test]
fn long_and_stacked_names_are_cut() {
    assert_eq!(neutralise(&"x".repeat(500)).graphemes(true).count(), 80);
    let stacked = format!("a{}", "\u{301}".repeat(500));
    assert!(neutralise(&stacked).chars().count() <= 9);
}

proptest! {
    #[test]
    fn nothing_more_to_take_out(name in "\\PC{0,100}") {
        let once = neutralise(&name);
        prop_assert_eq!(neutralise(&once), once.clone());
        prop_assert!(once.graphemes(true).count() <= 80);
        let odd = once.contains(['<', '>', '@', '\u{202e}', '\u{200b}']);
        prop_assert!(!odd);
    }
}
