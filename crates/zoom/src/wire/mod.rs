//! Zoom's JSON. Every field is optional except those that identify; what is of an unexpected type is read as
//! missing where Zoom's own pages disagree about it.

pub(crate) mod answers;
pub(crate) mod envelope;
pub(crate) mod events;
pub(crate) mod lenient;
pub(crate) mod message;
pub(crate) mod socket;
