//! Identifiers. Ours are time-ordered and unique across nodes; the platforms' are opaque text that only the
//! connector that made them looks inside. Rows, keys and legs share one text each: a clone copies nothing.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use crate::seams::Random;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the id as it is written.
            pub fn new(id: impl Into<Arc<str>>) -> Self {
                Self(id.into())
            }

            /// The id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }
    )*};
}

macro_rules! fresh {
    ($($name:ident),*) => {$(
        impl $name {
            /// A new id: 48 bits of time, 80 of randomness, as 32 hexadecimal digits that sort by time.
            pub fn fresh(now_ms: i64, random: &dyn Random) -> Self {
                Self(unique(now_ms, random).into())
            }
        }
    )*};
}

opaque! {
    /// A customer of the deployment. Nothing crosses between two of them.
    OrgId;
    /// An organisation's own app on a platform.
    AppId;
    /// An app installed in one workspace, tenant or account.
    InstallationId;
    /// A conversation that the gateway knows: one remote conversation seen through one installation.
    ConversationId;
    /// Two or more conversations linked into one.
    BridgeId;
    /// One event, from the door to its last settlement.
    EventId;
    /// One event on its way to one target conversation.
    LegId;
    /// One human.
    PersonId;
    /// A workspace, tenant or account by its platform's id. Unique per platform.
    RemoteWorkspace;
    /// A conversation by its platform's id. Unique per workspace.
    RemoteConversation;
    /// A message by its platform's id. Unique per conversation only.
    RemoteMessage;
    /// A user by the platform's id. Unique per workspace.
    RemoteUser;
    /// A platform's own key of one delivery; equal for redeliveries of the same event and only for these.
    DeliveryKey;
    /// What a copy carries, where the platform lets it, so that it is recognised as ours: a keyed digest
    /// of leg and part that tells nothing to anybody else.
    Marker;
}

fresh!(OrgId, AppId, InstallationId, ConversationId, BridgeId, EventId, LegId, PersonId);

fn unique(now_ms: i64, random: &dyn Random) -> String {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes[6..]);
    bytes[..6].copy_from_slice(&now_ms.max(0).to_be_bytes()[2..]);
    // Version and variant bits of RFC 9562, so that other tools read the id as a UUID of version 7.
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// The name of a platform: `slack`, `teams`. A connector brings its own; the core only compares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Platform(pub &'static str);

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Place of a message secret in the slot file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub u64);

/// The state of a message at its source: grows with every change there, comparable within one message
/// only. The connector chooses what it counts (microseconds, milliseconds).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Random for Ones {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn fresh_ids_sort_by_time_and_read_as_uuid_v7() {
        let early = EventId::fresh(1_700_000_000_000, &Ones);
        let late = EventId::fresh(1_700_000_000_001, &Ones);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 32);
        assert_eq!(&early.as_str()[12..13], "7");
    }
}
