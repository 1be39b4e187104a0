//! Direct messages: people ask the app, in their own chat with it, for a conversation with somebody, or with several, on
//! other platforms. What they get is an ordinary bridge between the chats with the app; what is kept of it are ids.

mod acquaint;
mod act;
mod answer;
mod command;
mod desk;
mod entry;
mod group;
mod list;
mod office;
mod open;
mod pack;
mod stance;
mod words;

pub(crate) use act::{Heard, is_blocked, meant_for_another};
pub(crate) use desk::Desk;
pub(crate) use office::kept_out_in;
pub use office::{DirectPerson, DirectState, DirectTalk};
pub(crate) use pack::{pack, unpack};
pub(crate) use stance::group_of;
pub use stance::is_of_people;
