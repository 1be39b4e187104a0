//! Admission, lanes, planning, delivery, retry, catch-up.
