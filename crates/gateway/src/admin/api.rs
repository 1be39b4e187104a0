//! What can be asked of a running gateway, and its answers: plain data, shared with the command line.

mod bridges;
mod direct;
mod fidelity;
mod people;
mod setup;
mod watch;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use bridges::*;
pub use direct::*;
pub use fidelity::*;
pub use people::*;
pub use setup::*;
pub use watch::*;

/// A request with the type of its answer.
pub trait Ask: Serialize + DeserializeOwned + Send + Sync {
    /// Its name, the last part of the path.
    const NAME: &'static str;
    /// What comes back.
    type Answer: Serialize + DeserializeOwned + Send;
}

macro_rules! asks {
    ($($request:ty = $name:literal => $answer:ty;)*) => {$(
        impl Ask for $request {
            const NAME: &'static str = $name;
            type Answer = $answer;
        }
    )*};
}

asks! {
    OrgAdd = "org.add" => Org;
    OrgList = "org.list" => Vec<Org>;
    OrgPolicy = "org.policy" => Org;
    PlatformList = "platform.list" => Vec<PlatformInfo>;
    AppAdd = "app.add" => AppInfo;
    AppSet = "app.set" => AppInfo;
    AppList = "app.list" => Vec<AppInfo>;
    AppPackage = "app.package" => PackageInfo;
    InstallStart = "install.start" => InstallLink;
    InstallWait = "install.wait" => InstallState;
    InstallToken = "install.token" => InstallInfo;
    InstallList = "install.list" => Vec<InstallInfo>;
    ScopeList = "install.scopes" => Vec<ScopeReport>;
    PersonList = "person.list" => Vec<PersonInfo>;
    PersonLink = "person.link" => PersonInfo;
    PersonUnlink = "person.unlink" => Done;
    PersonToken = "person.token" => InstallLink;
    PersonRevoke = "person.revoke" => Done;
    ConversationSearch = "conversation.search" => Vec<ConversationInfo>;
    BridgeAdd = "bridge.add" => BridgeInfo;
    BridgeList = "bridge.list" => Vec<BridgeInfo>;
    BridgeState = "bridge.state" => BridgeInfo;
    BridgeMembers = "bridge.members" => BridgeInfo;
    BridgeSet = "bridge.set" => BridgeInfo;
    BridgeTest = "bridge.test" => Done;
    DirectList = "direct.list" => DirectOverview;
    DirectClose = "direct.close" => Done;
    DirectAllow = "direct.allow" => Done;
    FidelityGet = "fidelity.get" => Vec<Way>;
    DeliveryList = "delivery.list" => Vec<DeliveryInfo>;
    DeadLetterList = "dead-letter.list" => Vec<DeadLetterInfo>;
    DeadLetterAct = "dead-letter.act" => Done;
    AuditList = "audit.list" => Vec<AuditInfo>;
    StatusGet = "status.get" => Status;
    Shutdown = "shutdown" => Done;
}
