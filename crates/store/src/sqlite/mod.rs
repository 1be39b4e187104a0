//! The store in a SQLite file: one thread writes, in batches; a few connections read.

mod committer;
mod conn;
mod flush;
mod hot;
mod open;
mod overlay;
mod read;
mod row;
mod seen;
mod store;
mod write;
mod write_setup;

pub use store::SqliteStore;

#[cfg(test)]
mod tests;
