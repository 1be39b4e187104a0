//! People who ask the app for a conversation with somebody on another platform.

pub(crate) mod broken;
mod people;
mod stories;
mod told;
