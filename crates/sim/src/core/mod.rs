//! What all simulators share: time, randomness, sockets, faults, deliveries, the call log and control.

pub mod authority;
pub mod blob;
pub mod client;
pub mod control;
pub mod delivery;
pub mod fault;
pub mod log;
pub mod multipart;
pub mod net;
pub mod page;
pub mod proxy;
pub mod server;
pub mod world;

pub use authority::Authority;
pub use blob::{Blob, BlobWriter};
pub use client::{Answer, CallError, HttpClient};
pub use control::ControlContext;
pub use delivery::{Delivery, DeliveryJob, Outbound, Verdict};
pub use fault::{CallInfo, CallMatch, DeliveryFaults, FaultBook, FaultKind, FaultOrder};
pub use log::{CallLog, LogEntry, LogKind};
pub use net::{BoxIo, Io, Net, NetListener, TokioNet};
pub use page::Changes;
pub use proxy::{HostTable, Proxy};
pub use server::{ConnControl, Server, ServerTls};
pub use world::{SimClock, Tasks, World};
