//! Checks that every connector runs in its tests. A connector describes itself as a [`Kit`]; a check that
//! fails panics and says which rule was broken. Only with the feature `testing`.

mod door;
mod files;
mod kit;
mod script;
mod setup;
mod shape;
mod target;

pub use door::door;
pub use files::{FILE_TEXT, FileManner, Shared, files};
pub use kit::{Kit, all};
pub use script::{Script, ScriptedServer};
pub use setup::setup;
pub use shape::shape;
pub use target::target;
