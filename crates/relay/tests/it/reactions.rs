//! Reactions: set by the app or in somebody's own name, told by notes, and what becomes of them when things go wrong.

use crate::bench::{check, check_three};

#[test]
fn a_reaction_goes_to_every_other_member_and_a_note_names_whose_it_is() {
    check_three(
        "A post 1 one
         run 1s
         B calls: post one
         C calls: post one
         A react 1 ana 👍
         run 1s
         B calls: react c0 👍
         C calls: react c0 👍
         A calls:
         A react 1 bo 👍
         B react c0 cy ❤️
         run 31s
         A calls: react 1 ❤️ | post >❤️ Cy (Fake)
         B calls: post >👍 Ana, Bo (Fake)
         C calls: react c0 ❤️ | post >👍 Ana, Bo · ❤️ Cy (Fake)
         A unreact 1 ana 👍
         run 31s
         B calls: edit >👍 Bo (Fake)
         C calls: edit >👍 Bo · ❤️ Cy (Fake)
         A unreact 1 bo 👍
         B unreact c0 cy ❤️
         run 31s
         A calls: unreact 1 ❤️ | delete
         B calls: unreact c0 👍 | delete
         C calls: unreact c0 👍 | unreact c0 ❤️ | delete
         A shows: nothing
         B shows: one
         C shows: one
         dead
         secrets 0",
    );
}

#[test]
fn many_changes_make_one_note() {
    check(
        "A post 1 one
         run 1s
         B calls: post one
         A react 1 ana 👍
         run 20s
         A react 1 bo 🎉
         run 11s
         B calls: react c0 👍 | react c0 🎉 | post >👍 Ana · 🎉 Bo (Fake)
         A react 1 cy 🎉
         run 5s
         A unreact 1 ana 👍
         run 23s
         B calls: unreact c0 👍
         run 3s
         B calls: edit >🎉 Bo, Cy (Fake)
         run 60s
         B calls:",
    );
}

#[test]
fn what_is_taken_back_while_it_waits_comes_to_nothing() {
    check(
        "A post 1 one
         run 1s
         B calls: post one
         B next slow-down
         A post 2 two
         A react 1 ana 👍
         A unreact 1 ana 👍
         run 60s
         B calls: post two | post two
         B shows: one | two
         dead",
    );
}

#[test]
fn a_late_delivery_of_what_was_taken_back_changes_nothing() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 1s
         again
         run 1s
         A unreact 1 ana 👍
         run 60s
         B calls: post one | react c0 👍 | unreact c0 👍
         dead",
    );
}

#[test]
fn a_reaction_waits_for_its_message_and_not_for_ever() {
    check(
        "A quiet post 1 one
         A react 1 ana 👍
         run 1s
         A hear 1
         run 40s
         B calls: post one | react c0 👍 | post >👍 Ana (Fake)
         A react 9 ana 👍
         run 10s
         dropped UNMAPPED 1
         B calls:
         dead",
    );
}

#[test]
fn reactions_to_what_is_deleted_are_dropped_and_their_notes_go_with_it() {
    check_three(
        "A post 1 one
         run 1s
         B react c0 bo 👍
         A react 1 ana 🎉
         run 40s
         A shows: >👍 Bo (Fake)
         B shows: one | >🎉 Ana (Fake)
         A delete 1
         run 1s
         A shows: nothing
         B shows: nothing
         C shows: nothing
         A react 1 cy 👍
         B react c0 cy 👍
         run 40s
         A shows: nothing
         B shows: nothing
         dead
         secrets 0",
    );
}

#[test]
fn what_is_deleted_before_its_note_gets_none() {
    check(
        "A post 1 one
         run 1s
         A react 1 ana 👍
         run 5s
         A delete 1
         run 60s
         B calls: post one | react c0 👍 | delete
         dead
         secrets 0",
    );
}

#[test]
fn where_no_reaction_can_be_set_the_note_tells() {
    check(
        "B cannot react
         A post 1 one
         A react 1 ana :party:
         run 31s
         B calls: post one | post >:party: Ana (Fake)
         A unreact 1 ana :party:
         run 31s
         B calls: delete
         dead",
    );
}

#[test]
fn what_a_target_refuses_is_told_and_not_tried_again() {
    check(
        "A post 1 one
         run 1s
         B next refuse
         A react 1 ana :party:
         run 1s
         A react 1 bo :party:
         run 40s
         B calls: post one | react c0 :party: | post >:party: Ana, Bo (Fake)
         notes
         dead",
    );
}

#[test]
fn a_note_is_posted_anew_before_it_can_be_edited_no_more() {
    check(
        "B cannot edit-often
         A post 1 one
         A react 1 a 👍
         run 40s
         A react 1 b 👍
         run 40s
         A react 1 c 👍
         run 40s
         A react 1 d 👍
         run 40s
         A react 1 e 👍
         run 40s
         B calls: post one | react c0 👍 | post >👍 A (Fake) | edit >👍 A, B (Fake) | edit >👍 A, B, C (Fake) | delete | post >👍 A, B, C, D (Fake) | edit >👍 A, B, C, D, E (Fake)
         B shows: one | >👍 A, B, C, D, E (Fake)
         dead",
    );
}

#[test]
fn a_note_that_takes_no_edit_is_posted_anew() {
    check(
        "A post 1 one
         A react 1 a 👍
         run 40s
         B calls: post one | react c0 👍 | post >👍 A (Fake)
         B next keep
         A react 1 b 👍
         run 40s
         B calls: edit >👍 A, B (Fake) | delete | post >👍 A, B (Fake)
         B shows: one | >👍 A, B (Fake)
         dead",
    );
}

#[test]
fn a_note_never_comes_back() {
    check_three(
        "A post 1 one
         A react 1 ana 👍
         run 40s
         B echo
         C echo
         run 40s
         A shows: nothing
         B shows: one | >👍 Ana (Fake)
         C shows: one | >👍 Ana (Fake)
         B react c1 bo ❤️
         run 40s
         C shows: one | >👍 Ana (Fake)
         A shows: nothing
         dead",
    );
}

#[test]
fn edits_leave_a_note_alone() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 40s
         A edit 1 uno/due
         run 1s
         A react 1 bo 👍
         run 40s
         A edit 1 uno
         run 1s
         B shows: uno | >👍 Ana, Bo (Fake)
         dead",
    );
}

#[test]
fn a_lost_answer_makes_no_second_note() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 20s
         B next unanswered
         run 60s
         B shows: one | >👍 Ana (Fake)
         B calls: post one | react c0 👍 | post >👍 Ana (Fake) | find
         dead",
    );
}

#[test]
fn a_crash_between_reaction_and_note_loses_neither() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 5s
         B calls: post one | react c0 👍
         crash
         start
         A react 1 bo 🎉
         run 60s
         B shows: one | >👍 Ana · 🎉 Bo (Fake)
         dead
         secrets 0",
    );
}

#[test]
fn a_crash_while_a_note_is_said_makes_no_second_one() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 20s
         B next done-and-hang
         run 20s
         crash
         start
         A react 1 bo 👍
         run 90s
         B shows: one | >👍 Ana, Bo (Fake)
         dead",
    );
}

/// The reaction is gone before anybody looked for its note.
#[test]
fn a_note_that_a_crash_left_goes_with_what_was_taken_back_meanwhile() {
    for marked in ["", "B cannot mark"] {
        check(&format!(
            "{marked}
             A post 1 one
             A react 1 ana 👍
             run 5s
             B next done-and-hang
             run 30s
             B shows: one | >👍 Ana (Fake)
             crash
             start
             A unreact 1 ana 👍
             run 90s
             B shows: one
             dead
             secrets 0",
        ));
    }
}

#[test]
fn a_crash_while_a_reaction_is_set_sets_it_again() {
    check(
        "A post 1 one
         run 1s
         B next hang
         A react 1 ana 👍
         run 1s
         crash
         start
         run 60s
         B calls: post one | react c0 👍 | react c0 👍 | find | post >👍 Ana (Fake)
         dead",
    );
}

#[test]
fn what_is_taken_back_while_it_is_still_being_set_does_not_stay() {
    check(
        "A post 1 one
         run 1s
         B next unanswered-later slow-down
         A react 1 ana 👍
         run 3s
         A unreact 1 ana 👍
         run 60s
         B wears:
         A react 1 bo 🎉
         run 1s
         B wears: c0 🎉
         B calls: post one | react c0 👍 | react c0 👍 | unreact c0 👍 | react c0 🎉
         dead",
    );
}

#[test]
fn what_is_taken_back_when_it_was_set_again_is_not_set_by_the_lost_call() {
    for crash in ["", "crash\n start"] {
        check(&format!(
            "A post 1 one
             run 1s
             B next unanswered-later
             A react 1 ana 👍
             run 3s
             B calls: post one | react c0 👍 | react c0 👍
             {crash}
             A unreact 1 ana 👍
             run 60s
             B wears:
             A react 1 bo 👍
             run 1s
             B wears: c0 👍
             A unreact 1 bo 👍
             run 1s
             B wears:
             B calls: unreact c0 👍 | react c0 👍 | unreact c0 👍
             dead"
        ));
    }
}

#[test]
fn what_is_set_anew_before_it_was_taken_back_again_stays() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 1s
         B wears: c0 👍
         B next unanswered-later
         A unreact 1 ana 👍
         settle
         A react 1 ana 👍
         run 60s
         B wears: c0 👍
         B calls: post one | react c0 👍 | unreact c0 👍 | post >👍 Ana (Fake) | react c0 👍
         dead",
    );
}

#[test]
fn what_is_set_anew_is_not_taken_back_by_a_lost_call() {
    for (trick, crash, look) in [
        ("unanswered-later", "", ""),
        ("unanswered-later", "crash\n start", "find | "),
        ("done-later-and-hang", "crash\n start\n run 1s", ""),
    ] {
        check(&format!(
            "A post 1 one
             A react 1 ana 👍
             run 1s
             B wears: c0 👍
             B next {trick}
             A unreact 1 ana 👍
             run 3s
             {crash}
             A react 1 ana 👍
             run 60s
             B wears: c0 👍
             B calls: post one | react c0 👍 | unreact c0 👍 | unreact c0 👍 | react c0 👍 | {look}post >👍 Ana (Fake)
             A unreact 1 ana 👍
             run 1s
             A react 1 ana 👍
             run 1s
             B calls: unreact c0 👍 | react c0 👍
             dead"
        ));
    }
}

#[test]
fn what_is_taken_back_while_a_crash_left_it_under_way_does_not_stay() {
    check(
        "A post 1 one
         run 1s
         B next done-later-and-hang
         A react 1 ana 👍
         run 1s
         crash
         B next slow-down
         start
         run 3s
         A unreact 1 ana 👍
         run 60s
         B wears:
         dead",
    );
}

#[test]
fn a_reaction_whose_payload_is_gone_is_done_as_far_as_it_is_recorded() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 5s
         crash
         lose-secrets
         start
         run 60s
         B shows: one | >👍 Ana (Fake)
         dead",
    );
}

#[test]
fn whoever_granted_a_token_reacts_in_their_own_name_and_needs_no_note() {
    check_three(
        "speaks B
         A post 1 one
         run 1s
         B calls: own post one
         C calls: post one
         A react 1 u1 👍
         run 1s
         B calls: own react c0 👍
         C calls: react c0 👍
         B react c0 u1 👍
         run 40s
         A calls:
         B calls:
         C calls: post >👍 somebody (Fake)
         A react 1 bo 👍
         run 40s
         B calls: react c0 👍 | post >👍 Bo (Fake)
         C calls: edit >👍 somebody, Bo (Fake)
         A unreact 1 u1 👍
         run 1s
         B calls: own unreact c0 👍
         B unreact c0 u1 👍
         run 40s
         A calls:
         B calls:
         C calls: edit >👍 Bo (Fake)
         dead",
    );
}

#[test]
fn a_dead_token_lets_the_app_react() {
    check(
        "speaks B
         A post 1 one
         run 1s
         B next sign-in
         A react 1 u1 👍
         run 40s
         B calls: own post one | own react c0 👍 | react c0 👍 | post >👍 somebody (Fake)
         dead",
    );
}

#[test]
fn what_people_did_while_nobody_listened_is_caught_up_with() {
    check(
        "A lists
         B lists
         A post 1 one
         A react 1 ana 👍
         run 40s
         B calls: post one | react c0 👍 | post >👍 Ana (Fake)
         stop
         A quiet unreact 1 ana 👍
         A quiet react 1 bo 🎉
         B quiet react c0 cy ❤️
         A quiet post 2 two
         A quiet react 2 ana 👍
         start
         run 60s
         A shows: >❤️ Cy (Fake)
         B shows: one | >🎉 Bo (Fake) | two | >👍 Ana (Fake)
         A calls: react 1 ❤️ | reactions | reactions | post >❤️ Cy (Fake)
         B calls: reactions | post two | react c2 👍 | unreact c0 👍 | react c0 🎉 | post >👍 Ana (Fake) | edit >🎉 Bo (Fake)
         stop
         start
         run 60s
         A calls:
         B calls:
         dead
         secrets 0",
    );
}

#[test]
fn what_was_taken_back_at_once_while_nobody_listened_is_looked_for_again() {
    check(
        "A lists
         A post 1 one
         A react 1 ana 👍
         run 1s
         B calls: post one | react c0 👍
         crash
         A quiet unreact 1 ana 👍
         start
         run 60s
         B calls: unreact c0 👍
         B shows: one
         dead
         secrets 0",
    );
}

#[test]
fn a_reaction_that_waited_too_long_is_read_again() {
    check(
        "A lists
         A post 1 one
         run 1s
         B calls: post one
         pause
         A react 1 ana 👍
         A react 1 bo 🎉
         A unreact 1 bo 🎉
         run 20m
         resume
         run 60s
         B shows: one | >👍 Ana (Fake)
         dead
         secrets 0",
    );
}

#[test]
fn what_is_told_is_not_told_anew() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 40s
         B calls: post one | react c0 👍 | post >👍 Ana (Fake)
         A unreact 1 ana 👍
         run 5s
         A react 1 ana 👍
         run 60s
         B calls: unreact c0 👍 | react c0 👍
         dead",
    );
}

#[test]
fn what_says_nothing_any_more_is_forgotten() {
    check(
        "A post 1 one
         A react 1 ana 👍
         A react 1 bo 🎉
         run 40s
         A keeps 1 4
         A unreact 1 bo 🎉
         run 40s
         A keeps 1 3
         run 27h
         A keeps 1 2
         B shows: one | >👍 Ana (Fake)
         dead",
    );
}

#[test]
fn reactions_are_forgotten_together_a_month_after_the_last_of_them() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 40s
         stop
         run 480h
         start
         A react 1 bo 🎉
         run 2m
         stop
         run 480h
         start
         run 2m
         A keeps 1 4
         stop
         run 288h
         start
         run 2m
         A keeps 1 0
         B calls: post one | react c0 👍 | post >👍 Ana (Fake) | react c0 🎉 | edit >👍 Ana · 🎉 Bo (Fake)
         A react 1 cy 🎉
         run 60s
         B calls: react c0 🎉 | post >🎉 Cy (Fake)
         A delete 1
         run 5s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_reaction_to_what_still_waits_is_caught_up_with() {
    check(
        "A lists
         B next slow-down
         A post 1 one
         run 1s
         A quiet react 1 ana 👍
         crash
         start
         run 60s
         B shows: one | >👍 Ana (Fake)
         dead
         secrets 0",
    );
}

#[test]
fn a_reaction_to_what_still_waits_is_caught_up_with_once() {
    check(
        "A lists
         B next hang
         A post 1 one
         A quiet react 1 ana 👍
         run 1s
         B awaits 1
         pause
         resume
         run 1s
         B awaits 2
         A quiet react 1 bo 👍
         pause
         resume
         run 1s
         B awaits 2
         crash
         start
         run 1s
         run 60s
         B shows: one | >👍 Ana, Bo (Fake)
         dead
         secrets 0",
    );
}

#[test]
fn what_is_read_again_too_early_is_looked_at_once_more() {
    check_three(
        "A lists
         A post 1 one
         run 10s
         stop
         A quiet post 2 two
         A quiet react 1 bo 🎉
         B next slow-down
         start
         run 3s
         A react 1 ana 👍
         A quiet unreact 1 ana 👍
         run 60s
         B shows: one | two | >🎉 Bo (Fake)
         C shows: one | two | >🎉 Bo (Fake)
         dead
         secrets 0",
    );
}

#[test]
fn a_note_counts_as_long_as_what_it_tells_is_kept() {
    check(
        "A post 1 one
         A react 1 ana 👍
         run 40s
         stop
         run 721h
         start
         A keeps 1 2
         A react 1 bo 🎉
         run 60s
         B calls: post one | react c0 👍 | post >👍 Ana (Fake) | react c0 🎉 | edit >👍 Ana · 🎉 Bo (Fake)
         dead",
    );
}

#[test]
fn a_reaction_to_what_comes_only_later_is_read_again() {
    // The reaction was told of at once, its message only a minute later.
    check(
        "A lists
         A quiet post 1 one
         A react 1 ana 👍
         run 1m
         B calls:
         dropped UNMAPPED 1
         A hear 1
         run 40s
         B calls: post one | react c0 👍 | post >👍 Ana (Fake)
         dead
         secrets 0",
    );
    // B hears of both, but is shut while C shows them.
    check_three(
        "A lists
         B next slow-down slow-down slow-down slow-down slow-down slow-down
         A post 1 one
         run 1s
         A react 1 ana 👍
         run 40s
         C calls: post one | react c0 👍 | post >👍 Ana (Fake)
         run 5m
         B shows: one | >👍 Ana (Fake)
         dead
         secrets 0",
    );
}
