//! What people write, and who they are, is found nowhere: not in a file, a log line, a metric or an answer.

mod carried;
mod marks;
mod scan;
mod unbridged;
mod watch;
mod words;
