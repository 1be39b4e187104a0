//! Everything that `dragoman-seal` offers, from outside.

mod alloc;
mod disk;
mod events;
mod hygiene;
mod keyring;
mod local;
mod slots;
mod support;
mod timing;

#[global_allocator]
static GLOBAL: dragoman_seal::ZeroingAlloc = dragoman_seal::ZeroingAlloc::new();
