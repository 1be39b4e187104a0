use crate::bench::{check, check_five, check_people, check_three};

#[test]
fn messages_arrive_in_order_and_once() {
    check(
        "A post 1 one
         A post 2 two
         again
         A post 3 three
         run 1s
         B calls: post one | post two | post three
         B echo
         run 1s
         A shows: nothing
         dead
         secrets 0",
    );
}

#[test]
fn a_platform_is_answered_before_the_work_begins() {
    check(
        "apart
         A post 1 one
         answered-after 0
         A post 2 two
         run 1s
         B calls: post one | post two",
    );
}

#[test]
fn edits_and_deletions_follow() {
    check(
        "A post 1 one
         run 1s
         A edit 1 uno
         run 1s
         B shows: uno
         A delete 1
         run 1s
         B shows: nothing",
    );
}

#[test]
fn a_lost_answer_is_settled_by_the_echo() {
    check(
        "B next unanswered
         A post 1 one
         run 1s
         B echo
         run 30s
         B calls: post one
         B shows: one",
    );
}

#[test]
fn a_lost_answer_is_looked_for() {
    check(
        "B next unanswered
         A post 1 one
         A post 2 two
         run 30s
         B calls: post one | find | post two
         B shows: one | two",
    );
}

#[test]
fn what_is_provably_absent_is_sent_again() {
    check(
        "B next lost
         A post 1 one
         A post 2 two
         run 30s
         B calls: post one | find | find | post one | post two
         B shows: one | two",
    );
}

#[test]
fn a_row_of_waiting_edits_is_one() {
    check_three(
        "A post 1 one
         run 1s
         B next slow-down
         A edit 1 two
         A edit 1 three
         run 1s
         A edit 1 four
         run 1s
         A edit 1 five
         run 30s
         B shows: five
         C shows: five
         B calls: post one | edit three | edit five
         dead",
    );
}

#[test]
fn what_cannot_be_known_is_decided_by_policy() {
    check(
        "B cannot read-back
         B next unanswered
         A post 1 one
         run 30s
         B shows: one | one
         notes MAYBE-TWICE
         policy unknown_outcome gap
         B next lost
         A post 2 two
         run 30s
         B shows: one | one
         dead MAYBE-LOST
         replay
         run 5s
         B shows: one | one | two
         dead",
    );
}

#[test]
fn a_crash_after_the_send_costs_no_copy() {
    check(
        "A post 0 zero
         run 1s
         B next done-and-hang
         A post 1 one
         A post 2 two
         run 1s
         crash
         start
         run 60s
         B shows: zero | one | two
         dead",
    );
}

#[test]
fn a_send_that_takes_effect_long_after_a_crash_costs_no_copy() {
    check(
        "A post 0 zero
         run 1s
         B next done-later-and-hang
         A post 1 one
         A post 2 two
         run 1s
         crash
         start
         run 60s
         B shows: zero | one | two
         B calls: post zero | post one | find | find | post two
         dead",
    );
}

#[test]
fn a_crash_while_others_wait_beside_the_lane_costs_no_copy() {
    check(
        "run 1s
         A quiet post 0 zero
         A edit 0 nought
         B next done-and-hang
         A post 1 one
         run 1s
         crash
         start
         run 60s
         B shows: one | nought
         dead",
    );
}

#[test]
fn a_crash_in_the_midst_of_parts_goes_on_with_the_rest() {
    check(
        "A post 0 zero
         run 1s
         B calls: post zero
         B next ok done-and-hang
         A post 1 one/two/three
         run 1s
         crash
         start
         run 60s
         B shows: zero | one | two | three",
    );
}

#[test]
fn a_full_disk_at_settlement_sends_nothing_twice() {
    check(
        "B next retry
         A post 1 one
         disk full
         run 20s
         B shows: one
         disk ok
         run 5s
         B shows: one
         B calls: post one | post one
         A edit 1 uno
         run 5s
         B shows: uno",
    );
}

#[test]
fn what_a_full_disk_refused_is_caught_up_with() {
    check(
        "run 1s
         disk full
         A post 1 one
         run 10s
         B shows: nothing
         disk ok
         run 60s
         B shows: one",
    );
}

#[test]
fn a_target_that_asks_for_a_pause_gets_it() {
    check(
        "B next slow-down
         A post 1 one
         A post 2 two
         run 6s
         B calls: post one
         run 3s
         B calls: post one | post two",
    );
}

#[test]
fn reads_that_fail_are_tried_more_and_more_seldom() {
    check(
        "A next unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable
         A post 1 one
         run 8s
         B shows: nothing
         run 120s
         B shows: one",
    );
}

#[test]
fn a_refusal_is_a_dead_letter_and_can_be_replayed() {
    check(
        "B next refuse
         A post 1 one
         A post 2 two
         run 5s
         B shows: two
         dead REFUSED
         replay
         run 5s
         B shows: two | one
         dead",
    );
}

#[test]
fn a_refused_part_leaves_parts_that_edits_and_deletions_find() {
    check(
        "B next ok refuse
         A post 1 one/two
         run 5s
         B shows: one
         dead REFUSED
         replay
         run 5s
         B shows: one | two
         A delete 1
         run 5s
         B shows: nothing",
    );
}

#[test]
fn a_signed_out_target_waits_for_a_person() {
    check(
        "B next sign-in
         A post 1 one
         run 30s
         B shows: nothing
         run 120s
         B shows: one
         dead",
    );
}

#[test]
fn a_reply_brings_its_root_along() {
    check(
        "A quiet post 1 root
         run 1s
         A reply 2 1 answer
         run 10s
         B shows: root | >answer",
    );
}

#[test]
fn a_reply_and_its_root_come_before_what_was_written_later() {
    check(
        "A quiet post 1 root
         B next slow-down
         A reply 2 1 answer
         run 1s
         A post 3 other
         run 20s
         B shows: root | >answer | other",
    );
}

#[test]
fn a_reply_waits_for_a_root_that_is_under_way() {
    check(
        "A quiet post 1 root
         run 1s
         A reply 2 1 answer
         B next slow-down
         A hear 1
         run 20s
         B calls: post root | post root | post >answer",
    );
}

#[test]
fn a_reply_to_a_copy_that_a_crash_left_in_doubt_stays_in_its_thread() {
    check(
        "B next done-later-and-hang
         A post 1 root
         settle
         crash
         start
         run 15s
         B shows: root
         B reply 2 c0 answer
         run 60s
         B shows: root
         A shows: >answer
         dead",
    );
}

#[test]
fn a_reply_to_a_copy_that_is_not_all_there_stays_in_its_thread() {
    check(
        "B next ok slow-down
         A post 1 root/more
         run 1s
         B reply 2 c0 answer
         run 5s
         A shows: >answer
         B shows: root
         run 5s
         B shows: root | more
         dead",
    );
}

#[test]
fn a_root_that_is_gone_at_the_target_costs_the_thread_only() {
    check(
        "A post 1 root
         run 1s
         B next no-root
         A reply 2 1 answer
         run 10s
         dead
         B calls: post root | post >answer | post in reply to an earlier message:↵answer",
    );
}

#[test]
fn an_edit_before_its_create_is_one_message() {
    check(
        "run 1s
         A quiet post 1 one
         A edit 1 uno
         run 10s
         B shows: uno",
    );
}

#[test]
fn an_edit_that_comes_while_a_later_one_is_in_doubt_looks_for_what_that_posted() {
    check(
        "B cannot mark
         A quiet post 1 one
         run 1s
         B next unanswered unreadable unreadable unreadable unreadable
         A edit 1 two
         run 5s
         A hear-edit 1 uno
         run 60s
         B shows: two
         B calls: post two | find | find | find | find | find | edit uno | edit two
         dead",
    );
}

#[test]
fn a_copy_removed_at_the_target_stays_removed() {
    check(
        "A post 1 one
         run 1s
         B removes one
         A edit 1 uno
         run 10s
         A edit 1 due
         run 10s
         B shows: nothing
         dead",
    );
}

#[test]
fn the_third_edit_of_two_is_a_correction_in_the_thread() {
    check(
        "B cannot edit-often
         A post 1 one
         A reply 9 1 well
         run 5s
         A edit 1 two
         run 1s
         A edit 1 three
         run 1s
         B shows: three | >well
         A edit 1 four
         run 1s
         B shows: three | >well | >corrected version:↵four
         A edit 1 five
         run 1s
         A edit 1 six/seven
         run 1s
         A edit 1 eight
         run 1s
         B shows: three | >well | >corrected version:↵six | >seven | >corrected version:↵eight
         crash
         start
         run 30s
         A delete 1
         run 1s
         B shows: >well
         dead",
    );
}

#[test]
fn an_edit_that_is_refused_is_a_correction_in_the_thread() {
    check(
        "A post 1 one
         run 1s
         B next keep ok done-and-hang
         A edit 1 uno/due
         run 1s
         B shows: one | >corrected version:↵uno | >due
         crash
         start
         run 60s
         B shows: one | >corrected version:↵uno | >due
         A edit 1 tre
         run 1s
         B shows: one | >corrected version:↵tre
         A delete 1
         run 1s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_copy_removed_at_the_target_is_not_corrected() {
    check(
        "A post 1 one
         run 1s
         B removes one
         B next keep no-root
         A edit 1 uno
         run 5s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_deletion_overtakes_its_create() {
    check(
        "run 1s
         A quiet post 1 one
         A delete 1
         run 1s
         B shows: nothing",
    );
}

#[test]
fn a_message_that_its_author_restores_is_there_again() {
    check_three(
        "A post 1 one
         run 1s
         A delete 1
         run 1s
         B shows: nothing
         A restore 1
         run 1s
         B shows: one
         C shows: one
         A edit 1 uno
         run 1s
         B shows: uno
         A delete 1
         run 1s
         B shows: nothing
         C shows: nothing
         dead",
    );
}

#[test]
fn what_is_from_before_a_deletion_stays_away() {
    check(
        "run 1s
         A quiet post 1 one
         run 1s
         A quiet edit 1 uno
         run 1s
         A delete 1
         run 1s
         A hear 1
         run 5s
         B shows: nothing
         dead",
    );
}

#[test]
fn a_restoration_in_a_gap_is_found() {
    check(
        "A post 1 one
         run 1s
         A delete 1
         run 1s
         B shows: nothing
         stop
         run 60s
         A quiet restore 1
         run 60s
         start
         run 30s
         B shows: one",
    );
}

#[test]
fn a_target_that_slept_through_deletion_and_restoration_keeps_its_copy() {
    check_three(
        "A post 1 one
         run 1s
         B next slow-down slow-down
         A post 2 two
         A delete 1
         run 1s
         C shows: two
         A restore 1
         run 60s
         C shows: two | one
         B shows: one | two
         dead",
    );
}

#[test]
fn a_message_deleted_while_it_waits_is_not_sent() {
    check(
        "B next retry slow-down
         A post 1 one
         run 1s
         A post 2 two
         A delete 2
         run 30s
         B calls: post one | post one | post one
         B shows: one",
    );
}

#[test]
fn a_message_deleted_while_its_send_is_in_doubt_is_deleted_there() {
    check(
        "B next unanswered unreadable
         A post 1 one
         run 1s
         A delete 1
         run 60s
         B shows: nothing",
    );
}

#[test]
fn a_dead_member_holds_up_nobody() {
    check_three(
        "B next gone gone
         A post 1 one
         A post 2 two
         run 5s
         C shows: one | two
         B shows: nothing
         dead CONVERSATION-GONE CONVERSATION-GONE",
    );
}

#[test]
fn five_members_of_which_three_are_in_one_workspace() {
    check_five(
        "A post 1 one
         D post 2 two
         run 1s
         E reply 3 c1 three
         run 5s
         E echo
         D echo
         A echo
         run 5s
         A shows: two | >three
         B shows: one | two | >three
         C shows: one | two | >three
         D shows: one | >three
         E shows: one | two
         D edit 2 due
         A delete 1
         run 5s
         A shows: due | >three
         B shows: due | >three
         E shows: due
         dead",
    );
}

#[test]
fn what_people_wrote_before_one_left_still_reaches_them() {
    // Found by catching up, or told late.
    for (cannot, heard) in [("", ""), ("A cannot history", "A hear 1")] {
        check_people(&format!(
            "{cannot}
             A quiet post 1 before
             run 1s
             leave C
             {heard}
             run 5s
             A post 2 after
             run 5s
             B shows: before | after
             C shows: before
             dead"
        ));
    }
}

#[test]
fn what_is_found_deleted_goes_from_those_too_who_left() {
    check_people(
        "A post 1 one
         run 1s
         leave C
         run 1s
         A quiet delete 1
         crash
         start
         run 60s
         B shows: nothing
         C shows: nothing
         dead",
    );
}

#[test]
fn members_come_go_and_pause_while_fifty_messages_a_second_flow() {
    check_three(
        "flow 3s
         join D
         flow 3s
         join E
         flow 2s
         pause
         flow 2s
         resume
         flow 3s
         leave D
         flow 2s
         leave B
         flow 2s
         join D
         flow 3s
         flowed
         dead",
    );
}

#[test]
fn a_flow_between_five_members_survives_crashes_and_pauses_of_a_target() {
    check_five(
        "flow 2s
         B next slow-down done-and-hang
         flow 2s
         crash
         start
         flow 2s
         C next unanswered retry lost slow-down
         pause
         flow 1s
         crash
         start
         flow 1s
         resume
         flow 2s
         run 1s
         leave E
         crash
         start
         flow 2s
         flowed
         dead",
    );
}

#[test]
fn a_member_that_hangs_delays_nobody() {
    check_five(
        "B next hang
         A post 1 one
         D post 2 two
         run 1s
         A edit 1 uno
         C post 3 three
         run 1s
         A shows: two | three
         C shows: uno | two
         D shows: uno | three
         E shows: uno | two | three
         B shows: nothing",
    );
}

#[test]
fn a_source_that_cannot_be_read_holds_up_the_others_for_five_seconds() {
    check_three(
        "A post 1 one
         run 5s
         stop
         A quiet post 2 two
         run 60s
         A next unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable
         start
         A post 3 three
         C post 4 four
         run 3s
         B shows: one
         run 5s
         B shows: one | four
         B next done-and-hang
         C post 5 five
         run 3s
         crash
         start
         run 10m
         B shows: one | four | five | two | three
         C shows: one | two | three
         dead",
    );
}

#[test]
fn a_loop_through_another_bridge_is_cut() {
    check_three(
        "policy relay_bots yes
         A post 1 hello world
         run 1s
         B shows: hello world
         A bot 2 Ana (Fake): hello world
         B bot 3 [x] Ana (Fake) hello *world*
         A bot 4 something else
         run 5s
         A shows: nothing
         B shows: hello world | something else
         C shows: hello world | something else
         dropped LOOP 4",
    );
}

#[test]
fn a_gap_is_closed_in_order_and_decided_messages_stay_decided() {
    check_three(
        "A post 1 one
         run 1s
         B next refuse
         A post 2 two
         run 5s
         dead REFUSED
         stop
         A quiet post 3 three
         run 120s
         A quiet post 4 four
         A quiet edit 1 uno
         start
         A post 5 five
         run 30s
         B shows: uno | three | four | five
         C shows: uno | two | three | four | five
         dead REFUSED",
    );
}

#[test]
fn an_edit_that_nobody_announces_is_seen_in_twenty_seconds_until_five_minutes_after_the_last_activity() {
    check_three(
        "A cannot announce
         A post 1 one
         A post 2 two
         run 4m
         A quiet edit 1 uno
         run 20s
         B shows: uno | two
         C shows: uno | two
         run 35s
         A quiet delete 2
         A quiet edit 1 eins
         run 20s
         B shows: eins
         B calls: post one | post two | edit uno | edit eins | delete
         run 10m
         A quiet edit 1 un
         run 60s
         B shows: eins
         B echo
         run 60s
         B shows: eins
         B post 7 hello
         run 60s
         A shows: hello
         B shows: eins",
    );
}

#[test]
fn an_unannounced_edit_reaches_a_slow_target_once() {
    check_three(
        "A cannot announce
         B next slow-down slow-down slow-down slow-down slow-down slow-down slow-down slow-down
         A post 1 one
         run 30s
         A quiet edit 1 uno
         run 90s
         B shows: uno
         C calls: post one | edit uno
         B calls: post one | post one | post one | post one | post one | post one | post uno | post uno | post uno
         dead",
    );
}

#[test]
fn unannounced_edits_are_looked_for_after_a_restart_too() {
    check(
        "A cannot announce
         A post 1 one
         run 5s
         stop
         start
         run 60s
         A quiet edit 1 uno
         run 20s
         B shows: uno",
    );
}

#[test]
fn a_deletion_in_a_gap_is_found() {
    check(
        "A post 1 one
         run 5s
         stop
         A quiet delete 1
         run 120s
         start
         run 30s
         B shows: nothing",
    );
}

#[test]
fn a_gap_is_closed_later_where_the_source_cannot_be_read_now() {
    check(
        "A post 1 one
         run 5s
         stop
         A quiet post 2 two
         run 120s
         A next unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable unreadable
         start
         run 10m
         B shows: one | two",
    );
}

#[test]
fn what_is_written_during_a_pause_stays_where_it_is() {
    check(
        "A post 1 one
         run 5s
         pause
         A post 2 two
         A edit 1 uno
         run 5s
         resume
         run 30s
         A post 3 three
         run 5s
         B shows: uno | three
         crash
         start
         run 60s
         B shows: uno | three",
    );
}

#[test]
fn after_a_quarter_of_an_hour_only_the_current_state_is_relayed() {
    check(
        "B next sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in
         A post 1 one
         A post 2 two
         A post 3 three
         run 16m
         secrets 0
         A quiet edit 1 uno
         A quiet delete 2
         run 15m
         B shows: uno | three
         dead",
    );
}

#[test]
fn what_cannot_be_read_again_after_a_quarter_of_an_hour_is_a_dead_letter() {
    check(
        "A cannot reread
         B next sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in sign-in
         A post 1 one
         run 30m
         B shows: nothing
         dead NOT-REREADABLE",
    );
}

#[test]
fn a_message_that_crashes_its_conversion_stops_itself_only() {
    check(
        "A post 1 CRASH
         A post 2 two
         run 30s
         B shows: two
         dead POISON",
    );
}

#[test]
fn a_lane_that_another_worker_took_is_left_and_taken_up_again() {
    check(
        "B next retry slow-down
         A post 1 one
         run 2s
         stolen B
         run 5m
         B shows: one
         dead",
    );
}

#[test]
fn stopping_finishes_what_is_under_way() {
    check(
        "A post 1 one
         B next unanswered
         A post 2 two
         stop
         start
         run 60s
         B shows: one | two",
    );
}

#[test]
fn an_event_whose_secret_is_lost_counts_when_it_comes_again() {
    check(
        "A cannot reread
         A cannot history
         B next hang
         A post 1 one
         run 1s
         crash
         lose-secrets
         start
         run 10s
         B shows: nothing
         dead NOT-REREADABLE
         again
         again
         run 5s
         B shows: one",
    );
}

#[test]
fn whoever_asks_for_a_name_in_vain_keeps_the_answer_all_the_same() {
    check(
        "A next profile-late
         A post 1 one says-ana
         run 1s
         B calls:
         run 2s
         B calls: post one says-ana
         A post 2 two says-ana
         run 1s
         B calls: post two says-ana
         run 5s
         A knows ana",
    );
}

#[test]
fn addresses_that_cannot_be_had_hold_a_message_up_once() {
    check(
        "A post 1 one
         A post 2 two
         run 1s
         B calls: post one | post two
         B next link-hangs
         A post 3 fake://A.1 fake://A.2
         run 1s
         B calls:
         run 2s
         B calls: post fake://A.1 fake://A.2
         A post 4 fake://A.2
         run 1s
         B calls: post linked message",
    );
}

#[test]
fn what_was_held_for_nothing_goes_on() {
    check(
        "hold A
         A post 1 one
         B post 2 two
         run 60s
         B calls:
         let-go
         run 1s
         B calls: post one
         A calls: post two",
    );
}

#[test]
fn what_comes_late_is_what_it_is_by_then() {
    check(
        "A quiet post 1 one
         A quiet post 2 two
         A quiet delete 1
         run 2m
         A hear 1
         A hear 2
         run 1s
         B shows: two
         dropped DELETED-MEANWHILE 1
         dead
         secrets 0",
    );
    // Where its source cannot be asked, it is what was told.
    check(
        "A quiet post 1 one
         run 2m
         A next unreadable unreadable unreadable
         A hear 1
         run 1m
         B shows: one",
    );
}
