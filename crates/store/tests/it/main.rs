//! One suite over every implementation of the store.

mod bench;
mod conformance;
mod crashes;
mod random;
mod rows;
