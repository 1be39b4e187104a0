//! People who speak for themselves: in whose name copies stand, and what comes back of them without a marker.

use crate::bench::{check, check_three};

#[test]
fn a_copy_stands_in_its_authors_name_and_keeps_it() {
    check_three(
        "A post 1 one
         run 1s
         speaks B
         A post 2 two
         A reply 3 2 three
         run 1s
         B calls: post one | own post two | own post >three
         C calls: post one | post two | post >three
         A edit 1 uno
         A edit 2 due
         run 1s
         B calls: edit uno | own edit due
         B echo
         C echo
         run 20s
         A shows: nothing
         C shows: uno | due | >three
         A delete 2
         run 1s
         B calls: own delete
         B shows: uno | >three
         dead",
    );
}

#[test]
fn an_echo_before_its_answer_waits_for_it() {
    check(
        "speaks B
         B next late
         A post 1 one
         run 1s
         B echo
         B post 2 two
         run 1s
         A shows: nothing
         run 20s
         A calls: post two
         B calls: own post one
         dropped ECHO 1",
    );
}

#[test]
fn an_answer_that_does_not_come_holds_nobody_for_long() {
    check(
        "speaks B
         B next hang
         A post 1 one
         run 1s
         B post 2 two
         run 9s
         A shows: nothing
         run 3s
         A calls: post two",
    );
}

#[test]
fn whoever_has_no_token_does_not_wait() {
    check(
        "speaks
         B next hang
         A post 1 one
         run 1s
         B post 2 two
         run 1s
         A calls: post two",
    );
}

#[test]
fn an_echo_after_a_crash_is_none_of_the_persons_words() {
    check(
        "speaks A B
         B next done-and-hang
         A post 1 one
         settle
         B post 2 two
         run 1s
         crash
         start
         B echo
         A echo
         run 60s
         A shows: two
         B shows: one
         A calls: find | find | own post two
         B calls: own post one | find
         dead",
    );
}

#[test]
fn what_catching_up_finds_after_a_crash_is_none_of_the_persons_words() {
    // Both legs were accepted in the same millisecond, and both are in doubt.
    check(
        "speaks A B
         B next done-and-hang
         A post 1 one
         settle
         B post 2 two
         run 1s
         crash
         start
         run 60s
         A shows: two
         B shows: one
         A calls: find | find | own post two
         B calls: own post one | find
         dead",
    );
}

#[test]
fn what_is_listed_sooner_than_found_is_none_of_the_persons_words() {
    check(
        "speaks B
         B next done-later-and-hang
         A post 1 one
         settle
         crash
         start
         run 60s
         A calls:
         A shows: nothing
         B shows: one
         B calls: own post one | find | find
         dropped ECHO 1
         dead",
    );
}

#[test]
fn what_comes_while_it_is_looked_for_is_none_of_the_persons_words() {
    check(
        "speaks B
         B cannot history
         B next done-later-and-hang
         A post 1 one
         settle
         crash
         start
         run 12s
         B echo
         run 60s
         A calls:
         B shows: one
         B calls: own post one | find | find
         dropped ECHO 1
         dead",
    );
}

#[test]
fn what_was_said_before_does_not_wait_for_what_is_being_said() {
    check(
        "speaks B
         A next slow-down
         B post 2 two
         run 1s
         B next hang
         A post 1 one
         run 8s
         A calls: post two | post two
         B calls: own post one",
    );
}

#[test]
fn what_waits_lets_pass_what_is_waited_for() {
    // Found by catching up, what is said in B stands before what was accepted from there in the same millisecond.
    check(
        "speaks A B
         A next slow-down
         B post 2 two
         B next done-and-hang
         A post 1 one
         settle
         crash
         start
         run 60s
         A shows: two
         B shows: one
         dead",
    );
}

#[test]
fn what_waits_for_an_answer_holds_up_other_members_for_a_moment_only() {
    check_three(
        "speaks B
         B next hang
         A post 1 one
         run 1s
         B post 2 two
         B post 3 three
         C post 4 four
         run 4s
         A calls:
         run 2s
         A calls: post four
         C post 5 five
         run 1s
         A calls: post five
         run 4s
         A calls: post two
         C post 6 six
         run 1s
         A calls: post six
         run 10s
         A calls: post three",
    );
}

#[test]
fn what_the_app_said_for_somebody_before_a_crash_is_not_said_again() {
    for failure in ["refuse", "retry refuse", "sign-in"] {
        check(&format!(
            "speaks B
             B next refuse done-and-hang
             A post 1 one
             settle
             crash
             B next {failure}
             start
             run 60s
             B shows: one
             A delete 1
             run 5s
             B shows: nothing
             dead"
        ));
    }
}

#[test]
fn a_file_that_the_app_posted_for_somebody_before_a_crash_is_not_posted_again() {
    for failure in ["refuse", "retry refuse", "sign-in"] {
        check(&format!(
            "speaks B
             B next nothing refuse done-and-hang
             A file 1 a-10 look
             settle
             crash
             B next {failure}
             start
             run 60s
             B shows: look | [a-10]
             dead"
        ));
    }
}

#[test]
fn where_a_token_died_the_app_speaks_and_corrects() {
    check(
        "speaks B
         A post 1 one
         run 1s
         B next sign-in
         A post 2 two
         run 5s
         B calls: own post one | own post two | post two
         A edit 1 uno
         run 5s
         B shows: one | two | >corrected version:↵uno
         notes NOT-EDITABLE OWN-TOKEN
         A edit 1 eins
         run 5s
         B shows: one | two | >corrected version:↵eins
         A delete 1
         run 5s
         dead OWN-TOKEN
         speaks B
         replay
         run 5s
         B shows: two
         dead",
    );
}

#[test]
fn an_edit_finds_out_that_the_token_died() {
    check(
        "speaks B
         A post 1 one
         run 1s
         B next sign-in
         A edit 1 uno
         run 5s
         B calls: own post one | own edit uno | post >corrected version:↵uno
         dead",
    );
}

#[test]
fn what_somebody_may_not_say_there_the_app_says() {
    check(
        "speaks B
         B next gone
         A post 1 one
         A post 2 two
         run 5s
         B calls: own post one | post one | own post two
         B shows: one | two
         dead",
    );
}

#[test]
fn whose_token_died_is_told_once() {
    check(
        "policy tell_senders yes
         speaks B
         A post 1 one
         run 1s
         B next sign-in
         A post 2 two
         A post 3 three
         run 5s
         A edit 1 uno
         run 5s
         B calls: own post one | own post two | post two | post three | post >corrected version:↵uno
         A calls: whisper u1 Your Fake account is not connected any more: what you write goes there through the app (DRG-OWN-TOKEN).
         A shows: nothing
         dead",
    );
}

#[test]
fn whose_token_died_with_a_reaction_is_told_as_well() {
    check(
        "policy tell_senders yes
         speaks B
         A post 1 one
         run 1s
         B next sign-in
         A react 1 u1 👍
         run 5s
         A calls: whisper u1 Your Fake account is not connected any more: what you write goes there through the app (DRG-OWN-TOKEN).
         A react 1 u1 🎉
         run 60s
         A calls:
         dead",
    );
}

#[test]
fn what_is_taken_back_is_the_token_that_was_there_last() {
    check(
        "speaks B
         B revokes within 1s
         B ended new
         speaks B
         B next revoke-hangs
         B revokes within 3s
         B ended new",
    );
}
