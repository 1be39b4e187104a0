//! The demo's page in a real browser: a person writes, edits, replies and deletes in one client, and the other
//! client shows it. Pictures are left in `target/browser`.

mod chat;
mod conversation;
mod demo;
mod driver;
