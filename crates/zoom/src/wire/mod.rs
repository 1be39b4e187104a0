//! Zoom's JSON. Every field is optional except those that identify; what is of an unexpected type is read as
//! missing where Zoom's own pages disagree about it.

#[expect(clippy::struct_field_names, reason = "Zoom's names")]
pub(crate) mod answers;
pub(crate) mod envelope;
#[expect(clippy::struct_field_names, reason = "Zoom's names")]
pub(crate) mod events;
pub(crate) mod lenient;
#[expect(clippy::struct_field_names, reason = "Zoom's names")]
pub(crate) mod message;
pub(crate) mod socket;
