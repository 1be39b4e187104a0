//! People who ask the app for a conversation with somebody on another platform.

mod broken;
mod people;
mod stories;
mod told;
