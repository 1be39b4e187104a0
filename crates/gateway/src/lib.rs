//! The gateway's surfaces: webhooks, installations, pictures, sockets to platforms, health, metrics, and the
//! socket that operators act through. It knows the relay and `dyn Connector`; no platform by name.

pub mod admin;
mod avatar;
mod door;
mod gateway;
mod hooks;
pub mod http;
mod installs;
mod metrics;
mod ops;
mod page;
mod sockets;
mod steer;

pub use avatar::AvatarSigner;
pub use gateway::{Gateway, GatewayError, Parts, Settings};
pub use hooks::HookRate;
pub use installs::{InstallDesk, Progress, Started};
pub use metrics::Metrics;
