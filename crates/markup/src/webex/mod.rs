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
pub use render::{WebexText, render};

pub(crate) use canonical::degrade;

/// How many bytes of `markdown`, and of `text`, one message takes (Webex for Developers, "Create a Message").
pub const MAX_BYTES: usize = 7439;
