//! Webex's JSON. Every field is optional except those that identify; what is of an unexpected type is read as
//! missing.

pub(crate) mod answers;
pub(crate) mod envelope;
pub(crate) mod lenient;
