//! `sim`: the simulators alone, for anybody's tests. Prints one JSON document with addresses and credentials,
//! then runs until standard input ends or Ctrl-C.

mod hosts;
mod run;
mod slack;
mod teams;
mod webex;
mod zoom;

pub(crate) use run::run;
