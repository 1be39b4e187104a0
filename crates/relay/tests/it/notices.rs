//! Lines of our own: notices.

use crate::bench::{check, check_three};

#[test]
fn notices_are_off_until_a_bridge_wants_them() {
    check_three(
        "A notice n1 joined called-Ana
         run 5s
         dropped NOTICE-OFF 1
         B shows: nothing
         notices on
         A notice n2 joined called-Ana called-Ben u3
         A notice n3 topic low tide
         A post 1 one
         run 5s
         A shows: nothing
         B shows: Ana, Ben and one more joined #A (Fake) | The topic of #A (Fake) was set to “low tide” | one
         C shows: Ana, Ben and one more joined #A (Fake) | The topic of #A (Fake) was set to “low tide” | one
         dead
         notices off
         A notice n4 left called-Ana
         run 5s
         dropped NOTICE-OFF 2",
    );
}

#[test]
fn a_notice_is_told_once_whatever_happens_and_never_relayed_on() {
    check(
        "notices on
         B next retry lost unanswered
         A notice n1 joined called-Ana
         again
         run 60s
         B shows: Ana joined #A (Fake)
         B echo
         run 5s
         crash
         start
         again
         run 60s
         B shows: Ana joined #A (Fake)
         A shows: nothing
         dead",
    );
}

#[test]
fn a_notice_that_is_lost_is_not_taken_for_an_earlier_one_that_says_the_same() {
    check(
        "notices on
         B cannot mark
         A notice n1 topic low tide
         run 30s
         B next lost
         A notice n2 topic low tide
         run 60s
         B shows: The topic of #A (Fake) was set to “low tide” | The topic of #A (Fake) was set to “low tide”
         B next unanswered
         A notice n3 topic high tide
         run 60s
         B shows: The topic of #A (Fake) was set to “low tide” | The topic of #A (Fake) was set to “low tide” | The topic of #A (Fake) was set to “high tide”
         dead",
    );
}

#[test]
fn a_notice_that_is_refused_is_no_dead_letter() {
    check(
        "notices on
         B next refuse
         A notice n1 joined called-Ana
         run 5s
         A post 1 one
         run 5s
         B shows: one
         dropped REFUSED 1
         dead",
    );
}

#[test]
fn a_digest_tells_an_hour_in_one_line() {
    check(
        "notices digest
         A notice n1 joined called-Ana
         A notice n2 joined called-Ben
         A notice n3 left u3
         run 30m
         B shows: nothing
         A notice n4 joined called-Cy
         run 31m
         B shows: In #A (Fake): 3 joined (Ana, Ben and Cy); 1 left
         run 3h
         B calls: post In #A (Fake): 3 joined (Ana, Ben and Cy); 1 left
         dead",
    );
}

#[test]
fn what_was_gathered_is_told_when_the_gateway_stops() {
    check(
        "notices digest
         A notice n1 joined called-Ana
         run 5m
         stop
         start
         run 1m
         B shows: In #A (Fake): 1 joined (Ana)
         run 2h
         B calls: find | find | post In #A (Fake): 1 joined (Ana)
         dead",
    );
}

#[test]
fn who_wrote_what_did_not_arrive_is_told_once_an_hour() {
    check(
        "policy tell_senders yes
         B next refuse refuse refuse
         A post 1 one
         run 5s
         A calls: whisper u1 Your message did not reach #B (Fake) (DRG-REFUSED).
         A post 2 two
         run 5s
         crash
         start
         run 5s
         A reply 3 1 three
         run 30m
         A calls:
         run 31m
         B next refuse
         A post 4 four
         run 5s
         A calls: whisper u1 Your message did not reach #B (Fake) (DRG-REFUSED).
         A shows: nothing
         dead REFUSED REFUSED REFUSED REFUSED",
    );
}

#[test]
fn where_nobody_can_be_told_alone_it_stands_in_the_thread_and_is_not_relayed() {
    check(
        "policy tell_senders yes
         A cannot whisper
         B next refuse
         A post 1 one
         run 5s
         A shows: >Your message did not reach #B (Fake) (DRG-REFUSED).
         A echo
         run 5s
         B shows: nothing
         dead REFUSED",
    );
}

#[test]
fn a_late_message_is_told_and_a_switched_off_policy_is_heeded() {
    check(
        "policy tell_senders yes
         B next slow-down slow-down slow-down slow-down slow-down slow-down slow-down slow-down slow-down slow-down
         A post 1 one
         run 2m
         B shows: one
         A calls: whisper u1 Your message reached #B (Fake) a minute late (DRG-LATE).
         policy tell_senders no
         B next refuse
         A post 2 two
         run 5s
         A calls:
         dead REFUSED",
    );
}

#[test]
fn who_wrote_what_was_found_late_is_told_that_it_came_late() {
    check(
        "policy tell_senders yes
         A post 0 zero
         run 5s
         stop
         A quiet post 1 one
         run 10m
         start
         run 60s
         B shows: zero | one
         A calls: whisper u1 Your message reached #B (Fake) 10 minutes late (DRG-LATE).
         dead",
    );
}

#[test]
fn everybody_who_misses_something_is_told_once() {
    check(
        "policy tell_senders yes
         B next refuse refuse refuse refuse
         A post 1 one
         A post 2 two says-u2
         A post 3 three
         A post 4 four says-u2
         run 5s
         A calls: whisper u1 Your message did not reach #B (Fake) (DRG-REFUSED). | whisper u2 Your message did not reach #B (Fake) (DRG-REFUSED).
         crash
         start
         B next refuse refuse
         A post 5 five
         A post 6 six says-u2
         run 5s
         A calls:
         dead REFUSED REFUSED REFUSED REFUSED REFUSED REFUSED",
    );
}
