//! Webex messaging: markdown out, HTML in.
//!
//! Only `text` and `markdown` can be sent; `html` is the service's own (Webex for Developers, "Formatting
//! Messages" and "Create a Message").

mod canonical;
mod input;
mod lines;
mod mentions;
mod parse;
mod render;

pub use input::WebexInput;
pub use parse::parse;
pub use render::{MAX_BYTES, WebexText, render};

pub(crate) use canonical::degrade;
