//! The demo's page in a real browser: a person writes, edits, replies, deletes, sends pictures and files, reacts, and
//! writes to one other person in each of the clients, and the others show it. Pictures are left in
//! `target/browser`; those of `docs` are from there.

mod chat;
mod conversation;
mod demo;
mod driver;
mod exchange;
