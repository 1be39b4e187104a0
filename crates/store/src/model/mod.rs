//! The store in memory, with a journal: what simulations run on, and what other implementations are compared
//! with. One state, one pure function that changes it.

mod apply;
mod apply_setup;
mod state;
mod store;

pub use state::State;
pub use store::ModelStore;
