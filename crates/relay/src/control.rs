//! Events for the gateway itself: what platforms tell about conversations, installations and people.

use std::sync::Arc;

use dragoman_model::{Code, Control, ConversationId, Event, Happening, LegId, RemoteConversation, codes};
use dragoman_platform::ALLOW_EXTERNAL;
use dragoman_seal::FieldRef;
use dragoman_store::{Amendment, AuditRow, BridgeState, ConversationRow, InstallationRow, Mutation};

use crate::core::Relay;
use crate::directory::{Place, Spot};
use crate::error::RelayError;

impl Relay {
    /// Does what a control event asks for. `Some(code)`: there was nothing to do, and why.
    pub(crate) async fn obey(&self, place: &Arc<Place>, event: &Event) -> Result<Option<Code>, RelayError> {
        match &event.happening {
            Happening::Control(control) => {
                self.obey_one(place, control).await?;
                Ok(None)
            }
            Happening::Notice(_) => Ok(Some(codes::NOTICE_OFF)),
            Happening::Ignored(code) => Ok(Some(*code)),
            _ => Ok(Some(codes::KIND)),
        }
    }

    async fn obey_one(&self, place: &Arc<Place>, control: &Control) -> Result<(), RelayError> {
        let installation = &place.session.installation.id;
        match control {
            Control::Several(controls) => {
                for control in controls {
                    Box::pin(self.obey_one(place, control)).await?;
                }
            }
            Control::Admitted { conversation } => {
                if let Some(spot) = self.directory().spot_at(installation, conversation).cloned()
                    && self.directory().route(&spot.id).is_some()
                {
                    self.watch_later(spot.id.clone());
                    self.catch_up_later(spot.id.clone());
                }
            }
            Control::Expelled { conversation } => {
                if let Some(spot) = self.directory().spot_at(installation, conversation) {
                    self.audit(place, "conversation.closed-to-the-app", spot.id.as_str()).await?;
                }
            }
            Control::Moved { from, to } => {
                if let Some(spot) = self.directory().spot_at(installation, from).cloned() {
                    let amendment = Amendment { remote: Some(to.clone()), ..Amendment::default() };
                    let conversation = spot.id.clone();
                    self.store().commit(Mutation::Amend { conversation, amendment }).await?;
                    self.audit(place, "conversation.moved", spot.id.as_str()).await?;
                    self.reload().await?;
                }
            }
            Control::Shared { conversation, external } => self.shared(place, conversation, *external).await?,
            Control::SignedOut => {
                let drop_tokens = Mutation::DropTokens { installation: installation.clone(), slot: None };
                self.store().commit(drop_tokens).await?;
                self.set_trouble(place, Some(codes::SIGN_IN)).await?;
            }
            Control::Uninstalled { receipt } => self.uninstall(place, receipt).await?,
            Control::HomeOpened { user } => self.show_home(place, user).await?,
            Control::Met { user, conversation } => self.welcome(place, user, conversation).await?,
            Control::PersonChanged { user } => {
                let forget = Mutation::DropAccount { installation: installation.clone(), user: user.clone() };
                self.store().commit(forget).await?;
                self.0.acquaintances.forget(installation, user);
            }
            Control::Missed { conversation } => {
                let directory = self.directory();
                let one = conversation.as_ref().and_then(|remote| directory.spot_at(installation, remote));
                match (conversation, one) {
                    (Some(_), Some(spot)) => self.catch_up_later(spot.id.clone()),
                    (Some(_), None) => {}
                    (None, _) => self.catch_up_installation(installation),
                }
            }
            Control::Subscription { id, lost } => {
                let directory = self.directory();
                let spots = directory.spots();
                if let Some(spot) = spots.iter().find(|spot| spot.row.watch_id.as_deref() == Some(id)) {
                    self.watch_later(spot.id.clone());
                    if *lost {
                        self.catch_up_later(spot.id.clone());
                    }
                }
            }
            Control::Fact { conversation: None, key, value } => {
                let learn = |row: &mut InstallationRow| {
                    row.facts.insert(key.clone(), value.clone());
                };
                if self.change_installation(installation, learn).await? {
                    self.reload().await?;
                }
            }
            Control::Fact { conversation: Some(remote), key, value } => {
                self.learn(place, remote, key, value).await?;
            }
        }
        Ok(())
    }

    /// Remembers a fact about a conversation, bridged or not.
    pub(crate) async fn learn(
        &self,
        place: &Place,
        remote: &RemoteConversation,
        key: &str,
        value: &str,
    ) -> Result<(), RelayError> {
        let installation = &place.session.installation;
        let row = match self.directory().spot_at(&installation.id, remote) {
            Some(spot) if spot.conversation.fact(key) == value => return Ok(()),
            Some(spot) => {
                let facts = [(key.to_owned(), Some(value.to_owned()))].into();
                self.amend(&spot.id, facts).await?;
                return self.reload().await;
            }
            None => {
                let id = ConversationId::fresh(self.now_ms(), &**self.random());
                let field =
                    FieldRef { org: &installation.org, purpose: "conversation-name", row: id.as_str() };
                let sealed_name = self.vault().seal_text(&field, "").await?;
                ConversationRow {
                    org: installation.org.clone(),
                    installation: installation.id.clone(),
                    remote: remote.clone(),
                    kind: "channel".to_owned(),
                    sealed_name,
                    external: false,
                    facts: [(key.to_owned(), value.to_owned())].into(),
                    watch_id: None,
                    watch_renew_ms: None,
                    watch_expires_ms: None,
                    seen_until_ms: 0,
                    id,
                }
            }
        };
        self.store().commit(Mutation::PutConversation(row)).await?;
        self.reload().await
    }

    async fn shared(
        &self,
        place: &Arc<Place>,
        conversation: &RemoteConversation,
        external: bool,
    ) -> Result<(), RelayError> {
        let directory = self.directory();
        let Some(spot) = directory.spot_at(&place.session.installation.id, conversation).cloned() else {
            return Ok(());
        };
        let amendment = Amendment { external: Some(external), ..Amendment::default() };
        self.store().commit(Mutation::Amend { conversation: spot.id.clone(), amendment }).await?;
        if external
            && spot.conversation.fact(ALLOW_EXTERNAL) != "yes"
            && let Some(route) = directory.route(&spot.id)
        {
            let pause = Mutation::SetBridge {
                bridge: route.bridge.clone(),
                state: BridgeState::Paused,
                since_ms: Some(self.now_ms()),
            };
            self.store().commit(pause).await?;
            self.audit(place, "bridge.paused-external", route.bridge.as_str()).await?;
            tracing::warn!(bridge = %route.bridge, code = %codes::EXTERNAL, "a conversation is now shared with another organisation; its bridge is paused");
        }
        self.reload().await
    }

    /// Marks an installation as needing a person, or as well again.
    pub(crate) async fn set_trouble(
        &self,
        place: &Arc<Place>,
        trouble: Option<Code>,
    ) -> Result<(), RelayError> {
        let trouble = trouble.map(|code| code.as_str().to_owned());
        if place.trouble == trouble {
            return Ok(());
        }
        let id = &place.session.installation.id;
        self.change_installation(id, |row| row.trouble.clone_from(&trouble)).await?;
        let act = if trouble.is_some() { "installation.needs-sign-in" } else { "installation.well-again" };
        self.audit(place, act, id.as_str()).await?;
        self.reload().await
    }

    pub(crate) async fn audit(&self, place: &Place, act: &str, subject: &str) -> Result<(), RelayError> {
        let row = AuditRow {
            org: Some(place.session.installation.org.clone()),
            at_ms: self.now_ms(),
            actor: "platform".to_owned(),
            act: act.to_owned(),
            subject: subject.to_owned(),
        };
        self.store().commit(Mutation::Audit(row)).await?;
        Ok(())
    }

    /// Posts a notice of our own into every member of a bridge; what cannot be posted is logged.
    pub async fn announce(&self, bridge: &dragoman_model::BridgeId, text: &str) {
        let directory = self.directory();
        let Some(bridge) = directory.bridge(bridge).cloned() else { return };
        for member in &bridge.row.members {
            if let Some(spot) = directory.spot(member) {
                self.announce_in(spot, text).await;
            }
        }
    }

    async fn announce_in(&self, spot: &Spot, text: &str) {
        let marker_key = LegId::fresh(self.now_ms(), &**self.random());
        let Ok(marker) = self.vault().marker(&spot.org, marker_key.as_str(), 0).await else { return };
        let post = dragoman_model::Post {
            conversation: spot.conversation.remote.clone(),
            thread_root: None,
            broadcast: false,
            author: dragoman_model::ShownAuthor {
                name: "Dragoman".to_owned(),
                via: String::new(),
                avatar_url: None,
            },
            spokesman: dragoman_model::Spokesman::App,
            body: dragoman_model::Document::plain(text),
            marker,
        };
        let operation = dragoman_model::Operation::Post(post);
        let outcome = spot.place.connector.perform(&spot.place.session, &spot.conversation, &operation).await;
        if !matches!(outcome, dragoman_model::Outcome::Done(_)) {
            tracing::warn!(conversation = %spot.id, "a notice could not be posted: {outcome:?}");
        }
    }
}
