//! Files: one part each behind the text, carried as streams, once, and never at the cost of the rest.

use crate::bench::{check, check_three};

#[test]
fn files_follow_their_text() {
    check(
        "A file 1 a-10+b-700 look
         A post 2 two
         run 1s
         A calls: download a-10 | download b-700
         B calls: post look | share a-10 | share b-700 | post two
         B shows: look | [a-10] | [b-700] | two
         B echo
         again
         run 1s
         A shows: nothing
         B calls:
         dead
         secrets 0",
    );
}

#[test]
fn a_file_alone_has_no_empty_text_above_it() {
    check(
        "A file 1 a-10
         A file-reply 2 1 b-10
         A reply 3 1 three
         run 1s
         B shows: [a-10] | >[b-10] | >three
         A edit-files 1 a-10 now with words
         run 1s
         B calls: share a-10 | share >b-10 | post >three | post now with words
         A delete 1
         run 1s
         B shows: >[b-10] | >three
         dead",
    );
}

#[test]
fn each_target_gets_the_file_in_its_turn() {
    check_three(
        "A file 1 a-10 look
         run 1s
         A calls: download a-10 | download a-10
         B shows: look | [a-10]
         C shows: look | [a-10]",
    );
}

#[test]
fn an_edit_changes_the_files_that_changed() {
    check(
        "A file 1 a-10+b-20 look
         run 1s
         B calls: post look | share a-10 | share b-20
         A edit-files 1 b-20+c-30 look here
         run 1s
         B calls: edit look here | share c-30 | delete
         B shows: look here | [b-20] | [c-30]
         A edit-files 1 none only words
         run 1s
         B shows: only words
         A delete 1
         run 1s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_file_message_that_is_read_again_is_known() {
    check(
        "A file 1 a-10
         run 1s
         B calls: share a-10
         A hear 1
         run 1s
         stop
         start
         run 60s
         B calls:
         A edit-files 1 a-10+b-10
         run 1s
         B calls: share b-10
         A hear 1
         run 1s
         B calls:
         B shows: [a-10] | [b-10]",
    );
}

#[test]
fn what_the_target_cannot_carry_is_a_line() {
    check(
        "B cannot files
         A file 1 a-10 look
         run 1s
         notes SIMPLIFIED
         A calls:
         B shows: look↵📎 a-10 (10 B)",
    );
}

#[test]
fn what_is_too_large_or_forbidden_is_a_line_and_the_rest_arrives() {
    check(
        "policy file_denied exe
         A file 1 a-1001+b-10+c.exe look
         run 1s
         notes FILE-FORBIDDEN FILE-TOO-LARGE
         A calls: download b-10
         B calls: post look↵📎 a-1001 (1.0 kB): too large to be posted here↵📎 c.exe: kept back by a rule | share b-10
         policy file_max_mb 0
         A file 2 b-10
         run 1s
         B calls: post 📎 b-10 (10 B): too large to be posted here
         A file 3 unknown
         run 1s
         B calls: post 📎 unknown: too large to be posted here
         dead",
    );
}

#[test]
fn what_the_source_does_not_give_is_a_line_in_its_place() {
    check(
        "A next file-gone
         A file 1 a-10+b-20 look
         A post 2 two
         run 5s
         notes
         B shows: look | 📎 a-10 (10 B): could not be fetched | [b-20] | two
         A calls: download a-10 | download b-20
         A edit-files 1 a-10+b-20 look here
         run 1s
         A calls:
         B shows: look here | 📎 a-10 (10 B): could not be fetched | [b-20] | two
         A edit-files 1 b-20 look here
         run 1s
         B shows: look here | [b-20] | two
         dead",
    );
}

#[test]
fn a_source_that_stutters_is_asked_again_but_not_for_ever() {
    check(
        "A next file-late file-breaks
         A file 1 a-100
         run 30s
         B calls: share a-100 | share a-100
         B shows: [a-100]
         A next file-late file-late file-late file-late file-late file-late file-late file-late file-late file-late
         A file 2 b-100
         A post 3 three
         run 10m
         B shows: [a-100] | 📎 b-100 (100 B): could not be fetched | three
         dead",
    );
}

#[test]
fn what_the_target_refuses_for_good_is_a_line_in_its_place() {
    check(
        "B next ok refuse
         A file 1 a-10 look
         run 5s
         notes FILE-REFUSED
         B calls: post look | share a-10 | post 📎 a-10 (10 B): not accepted here
         dead",
    );
}

#[test]
fn a_target_that_fails_gets_the_file_later() {
    check(
        "B next ok retry slow-down
         A file 1 a-10 look
         run 30s
         B calls: post look | share a-10 | share a-10 | share a-10
         B shows: look | [a-10]
         dead",
    );
}

#[test]
fn a_lost_answer_to_a_file_is_looked_for_and_nothing_is_converted() {
    check(
        "B next ok unanswered
         A file 1 a-10 look
         A post 2 two
         run 60s
         B calls: post look | share a-10 | find | post two
         B shows: look | [a-10] | two
         B next lost
         A file 3 b-10
         run 60s
         B calls: share b-10 | find | find | share b-10
         B next lost
         A post 4 four
         run 60s
         B shows: look | [a-10] | two | [b-10] | four
         dead",
    );
}

#[test]
fn a_crash_while_a_file_is_posted_costs_no_copy() {
    check(
        "A post 0 zero
         run 1s
         B next ok ok done-and-hang
         A file 1 a-10+b-10+c-10 look
         A post 2 two
         run 1s
         crash
         start
         run 60s
         B shows: zero | look | [a-10] | [b-10] | [c-10] | two
         dead",
    );
}

#[test]
fn a_file_that_may_have_gone_out_goes_with_its_message() {
    check(
        "A post 0 zero
         run 1s
         B next ok done-and-hang
         A file 1 a-10 look
         run 1s
         crash
         A quiet delete 1
         start
         run 60s
         B shows: zero",
    );
}

#[test]
fn a_process_that_ends_does_not_wait_for_a_file_that_does_not_move() {
    check(
        "A post 0 zero
         run 1s
         B next hang
         A file 1 a-10
         run 1s
         stop
         start
         run 60s
         B shows: zero | [a-10]
         dead",
    );
}

#[test]
fn a_target_that_needs_the_length_gets_it_from_the_spool() {
    check(
        "B cannot guess-length
         A next file-breaks
         A file 1 unknown look
         A file 2 other
         run 30s
         B shows: look | [unknown] | [other]
         A calls: download unknown | download unknown | download other
         B calls: post look | share unknown | share other
         dead",
    );
}

#[test]
fn a_file_of_unknown_length_is_cut_off_where_it_grows_too_large() {
    check(
        "policy file_max_mb 0
         A file 1 unknown look
         run 30s
         notes FILE-TOO-LARGE
         B shows: look | 📎 unknown: too large to be posted here
         dead",
    );
}

#[test]
fn a_correction_leaves_the_files_where_they_are() {
    check(
        "B cannot edit-often
         A file 1 a-10 one
         run 1s
         A edit 1 two
         run 1s
         A edit 1 three
         run 1s
         A edit 1 four
         run 1s
         B calls: post one | share a-10 | edit two | edit three | post >corrected version:↵four
         A edit-files 1 b-10 five
         run 1s
         B calls: edit >corrected version:↵five | share >b-10 | delete
         A delete 1
         run 1s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_file_in_its_authors_name_falls_back_to_the_app() {
    check(
        "speaks B
         A file 1 a-10 look
         run 1s
         B shows: look | [a-10]
         B next ok refuse
         A file 2 b-10 see
         run 30s
         B shows: look | [a-10] | see | [b-10]
         dead",
    );
}

#[test]
fn a_file_that_may_not_stand_in_its_authors_name_becomes_a_line_and_holds_nobody_up() {
    check(
        "speaks B
         B next nothing
         B next refuse
         B next refuse
         A file 1 a-10 look
         A post 2 two
         run 5s
         B calls: own post look | share a-10 | share a-10 | own post 📎 a-10 (10 B): not accepted here | own post two
         B shows: look | 📎 a-10 (10 B): not accepted here | two
         dead",
    );
}

#[test]
fn files_that_cannot_be_read_share_their_attempts() {
    check(
        "A next file-late file-late file-late file-late file-late file-late file-late file-late file-late file-late
         A next file-late
         A file 1 a-10+b-10+c-10 look
         A post 2 two
         run 10m
         A calls: download a-10 | download a-10 | download a-10 | download a-10 | download a-10 | download a-10 | download a-10 | download a-10 | download a-10 | download a-10 | download b-10 | download c-10
         B shows: look | 📎 a-10 (10 B): could not be fetched | 📎 b-10 (10 B): could not be fetched | [c-10] | two
         dead",
    );
}

#[test]
fn a_source_that_trickles_is_given_up() {
    check(
        "A next file-trickles file-trickles
         A file 1 a-900 look
         A post 2 two
         run 50s
         B shows: look
         run 4m
         A calls: download a-900 | download a-900 | download a-900
         B shows: look | [a-900] | two
         A next file-trickles file-trickles file-trickles file-trickles file-trickles file-trickles file-trickles
         A next file-trickles file-trickles file-trickles file-trickles file-trickles file-trickles file-trickles
         A file 3 b-900
         A post 4 four
         run 25m
         B shows: look | [a-900] | two | 📎 b-900 (900 B): could not be fetched | four
         dead",
    );
}

#[test]
fn a_process_that_ends_does_not_wait_for_a_source_that_does_not_answer() {
    check(
        "A post 0 zero
         run 1s
         A next file-hangs
         A file 1 a-10
         run 1s
         stop
         start
         run 60s
         B shows: zero | [a-10]
         dead",
    );
}

#[test]
fn what_is_more_than_the_spool_ever_takes_is_a_line() {
    check(
        "B cannot guess-length
         A file 1 vast look
         A post 2 two
         run 30s
         B shows: look | 📎 vast: too large to be posted here | two
         A calls: download vast
         dead",
    );
}

#[test]
fn files_wait_for_room_in_the_spool() {
    check_three(
        "B cannot guess-length
         C cannot guess-length
         B next ok late
         C next ok late
         A file 1 unknown look
         run 60s
         B shows: look | [unknown]
         C shows: look | [unknown]
         dead",
    );
}

#[test]
fn what_lies_beside_a_copy_goes_with_it_also_after_a_restart() {
    check(
        "B cannot tidy
         A file 1 a-10+b-10 look
         run 1s
         B calls: post look | share a-10 | share b-10
         A edit-files 1 b-10 look
         run 1s
         B calls: edit look | discard item of a-10 | delete
         stop
         start
         run 60s
         B calls:
         B next untidy
         A delete 1
         run 10s
         B calls: discard item of b-10 | discard item of b-10 | delete | delete
         B shows: nothing
         dead",
    );
}

#[test]
fn what_lies_beside_a_copy_whose_answer_was_lost_goes_with_it() {
    check(
        "B cannot tidy
         B next ok unanswered
         A file 1 a-10 look
         run 60s
         B calls: post look | share a-10 | find
         A delete 1
         run 10s
         B calls: discard item of a-10 | delete | delete
         dead",
    );
}

#[test]
fn a_text_that_was_taken_out_of_its_message_goes_even_where_nothing_can_be_edited() {
    check(
        "B cannot edit-often
         A file 1 a-10 one
         run 1s
         A edit 1 two
         run 1s
         A edit 1 three
         run 1s
         A edit 1 four
         run 1s
         B shows: three | [a-10] | >corrected version:↵four
         A edit-files 1 a-10
         run 1s
         B shows: [a-10]
         A edit-files 1 a-10 five
         run 1s
         B shows: [a-10] | five
         A delete 1
         run 1s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_file_is_judged_by_how_it_begins_too() {
    check(
        "policy file_denied exe
         A file 1 MZ-10+b-10 look
         run 1s
         B shows: look | 📎 MZ-10 (10 B): kept back by a rule | [b-10]
         A calls: download MZ-10 | download b-10
         dead",
    );
}

#[test]
fn a_file_that_its_reader_was_asked_about_comes_once_they_accept() {
    check(
        "B cannot put-files
         A file 1 a-10+b-20 look
         run 1s
         A calls: download a-10 | download b-20
         B calls: post look | offer a-10 | offer b-20
         B shows: look | [a-10?] | [b-20?]
         B accept c1
         A post 2 two
         run 1s
         A calls: download a-10
         B calls: share a-10 | delete | post two
         B shows: look | [b-20?] | [a-10] | two
         B accept c1
         run 1s
         B decline c2
         run 1s
         B calls:
         A edit-files 1 a-10 only one
         run 1s
         B shows: only one | [a-10] | two
         A delete 1
         run 1s
         B shows: two
         dead
         secrets 0",
    );
}

#[test]
fn what_was_accepted_and_is_gone_meanwhile_is_not_put_anywhere() {
    check(
        "B cannot put-files
         A file 1 a-10 look
         A file 2 b-20
         run 1s
         B calls: post look | offer a-10 | offer b-20
         A delete 1
         B accept c1
         A quiet edit-files 2 none
         B accept c2
         run 1s
         A calls: download a-10 | download b-20
         B calls: delete | delete
         B shows: [b-20?]
         dropped UNMAPPED 1
         dropped FILE-GONE 1
         dead
         secrets 0",
    );
}

#[test]
fn a_file_that_was_accepted_comes_once_whatever_happens() {
    check(
        "B cannot put-files
         A file 1 a-10
         run 1s
         B calls: offer a-10
         B next retry
         B accept c0
         run 3s
         B calls: share a-10 | share a-10 | delete
         B shows: [a-10]
         A file 2 b-20
         run 1s
         B next unanswered
         B accept c2
         run 30s
         B shows: [a-10] | [b-20]
         again
         run 1s
         B shows: [a-10] | [b-20]
         dead
         secrets 0",
    );
}

/// Where they said that they want it is not kept for long.
#[test]
fn whoever_accepted_too_long_ago_is_asked_again() {
    check(
        "B cannot put-files
         A file 1 a-10
         run 1s
         B calls: offer a-10
         B next hang
         B accept c0
         run 1s
         crash
         lose-secrets
         start
         run 60s
         B calls: share a-10 | find | find | offer a-10 | delete
         B shows: [a-10?]
         B accept c1
         run 1s
         B calls: share a-10 | delete
         B shows: [a-10]
         dead
         secrets 0",
    );
}
