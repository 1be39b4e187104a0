//! The real binary as an operator drives it: commands, a gateway that runs, simulators as platforms.

mod demo;
mod doctor;
mod fidelity;
mod full_disk;
mod help;
mod http;
mod hygiene;
mod operator;
mod real_hosts;
mod refusals;
mod rig;
mod shutdown;
mod sims;
mod socket_mode;
mod tls;
mod world;
