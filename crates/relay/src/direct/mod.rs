//! Direct messages: people ask the app, in their own chat with it, for a conversation with somebody on another
//! platform. What they get is an ordinary bridge between the two chats with the app; what is kept of it are ids.

mod acquaint;
mod act;
mod command;
mod open;
mod stance;
mod words;

pub(crate) use act::{Desk, Heard, are_linked, meant_for_another};
