//! The whole product against the simulators; one binary, so that it is linked once.

mod backfill;
mod browser;
mod canary;
mod carriers;
mod chat_files;
mod direct;
mod doubts;
mod edits;
mod files;
mod kills;
mod own_files;
mod own_names;
mod payloads;
mod people;
mod reactions;
mod senders;
mod simulation;
mod webex;
mod zoom;
