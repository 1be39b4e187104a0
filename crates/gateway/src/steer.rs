//! What the gateway asks the relay to do after something was set up.

use dragoman_model::{BridgeId, ConversationId, InstallationId};
use dragoman_relay::Relay;

/// Bridged conversations of one app or installation.
pub(crate) fn bridged_of(
    relay: &Relay,
    belongs: impl Fn(&dragoman_relay::Place) -> bool,
) -> Vec<ConversationId> {
    let directory = relay.directory();
    let bridged = directory.bridged().into_iter();
    bridged.filter(|id| directory.spot(id).is_some_and(|spot| belongs(&spot.place))).collect()
}

/// Takes up again what an installation could not do while it was in trouble.
pub(crate) fn refresh(relay: &Relay, installation: &InstallationId) {
    for conversation in bridged_of(relay, |place| place.session.installation.id == *installation) {
        relay.watch_later(conversation);
    }
    relay.catch_up_installation(installation);
}

/// Posts a line of ours into every conversation of a bridge.
pub(crate) async fn announce(relay: &Relay, bridge: &BridgeId, text: &str) {
    relay.announce(bridge, text).await;
}
