//! What Teams sends and takes, one file per API family. Fields that nobody needs are skipped, unknown ones never
//! fail a parse, and `null` reads as absent.

pub(crate) mod activity;
pub(crate) mod auth;
pub(crate) mod connector;
pub(crate) mod directory;
pub(crate) mod drive;
mod lenient;
pub(crate) mod message;
pub(crate) mod notification;
pub(crate) mod subscription;

pub(crate) use lenient::{Collection, nullable};
