//! Reading: events, messages, people.

use std::collections::{BTreeMap, BTreeSet};

use dragoman_model::codes::{KEY_GONE, MALFORMED, RATE_LIMITED, TAMPERED};
use dragoman_model::{Event, Happening, Message, RemoteConversation, RemoteMessage, RemoteUser};
use dragoman_platform::{App, Conversation, Failure, Profile, Session};
use dragoman_seal::{Content, Token};

use crate::connector::TeamsConnector;
use crate::crypt::{self, Unreadable};
use crate::decode;
use crate::envelope::{self, BOT, GRAPH, LIFECYCLE};
use crate::errors::Trouble;
use crate::ids::{Resource, is_channel, is_personal, parse_resource, segment};
use crate::wire::activity::Activity;
use crate::wire::connector::{Channels, Member, Members};
use crate::wire::directory::User;
use crate::wire::message::ChatMessage;
use crate::wire::notification::Notification;

/// Pages of a roster that are searched for an address.
const ROSTER_PAGES: usize = 4;

/// Teams and chats in which somebody is looked for by address, where the directory may not be asked.
const MOST_ROSTERS: usize = 20;

/// The private key of a certificate by its name: the current one, or the one before it.
pub(crate) fn certificate_key<'a>(app: &'a App, id: &str) -> Option<&'a Token> {
    [("certificate_id", "certificate_key"), ("certificate_id_previous", "certificate_key_previous")]
        .into_iter()
        .find(|(name, _)| !id.is_empty() && app.fact(name) == id)
        .and_then(|(_, key)| app.secret(key))
}

impl TeamsConnector {
    pub(crate) async fn open_event(
        &self,
        session: &Session,
        feed: &str,
        payload: &Content,
    ) -> Result<Event, Failure> {
        let malformed = Failure::Malformed(MALFORMED);
        match feed {
            BOT => {
                let activity: Activity = serde_json::from_slice(payload.expose()).map_err(|_| malformed)?;
                self.open_activity(session, &activity).await
            }
            GRAPH => {
                let notification: Notification =
                    serde_json::from_slice(payload.expose()).map_err(|_| malformed)?;
                self.open_notification(session, &notification).await
            }
            LIFECYCLE => {
                let notification: Notification =
                    serde_json::from_slice(payload.expose()).map_err(|_| malformed)?;
                Ok(decode::lifecycle_event(&notification, self.client.clock.now_ms()))
            }
            _ => Err(malformed),
        }
    }

    async fn open_activity(&self, session: &Session, activity: &Activity) -> Result<Event, Failure> {
        let app = &session.app;
        self.learn(app, activity);
        let id = envelope::conversation(activity);
        let edited = activity.kind == "messageUpdate";
        let wanted = edited || (activity.kind == "message" && decode::is_incomplete(activity));
        let mut completed = None;
        if wanted {
            let root = envelope::thread_root(activity).filter(|_| is_channel(id));
            match self.read(session, id, None, root, &activity.id).await {
                Ok(message) => completed = message,
                // An edit says what it says without Graph, unless Graph only asks for a moment; files and quotes
                // wait until Graph is back.
                Err(failure @ Failure::Retry { code, .. }) if !edited || code == RATE_LIMITED => {
                    return Err(failure);
                }
                Err(_) => {}
            }
        }
        let mut objects = BTreeMap::new();
        if completed.is_none() {
            for account in decode::accounts(activity) {
                if let Some(object) = self.object_of(session, id, &account).await {
                    objects.insert(account, object);
                }
            }
        }
        let siblings = self.siblings(session, activity).await;
        Ok(decode::bot_event(activity, app.fact("app_id"), &objects, completed.as_ref(), &siblings))
    }

    /// The other channels of a team that the app came into or lost.
    async fn siblings(&self, session: &Session, activity: &Activity) -> Vec<String> {
        use envelope::Change;
        let Some(team) = activity.team_id() else { return Vec::new() };
        let of_team = activity.channel_data.channel.id.is_empty()
            || activity.kind == "installationUpdate"
            || activity.is_event("teamDeleted");
        match envelope::change(activity, session.app.fact("app_id")) {
            Some(change) if of_team && (change == Change::Admitted || change.is_of_team()) => {
                let path = format!("v3/teams/{}/conversations", segment(team));
                let channels: Result<Channels, _> =
                    self.client.bot_json(&session.app, &activity.service_url, &path).await;
                channels.map_or_else(
                    |_| Vec::new(),
                    |list| list.conversations.into_iter().map(|it| it.id).collect(),
                )
            }
            Some(Change::Expelled) if of_team => {
                let tenant = session.app.fact("tenant_id");
                let mut all = self.memory.channels_of(tenant, team);
                all.push(team.to_owned());
                all
            }
            _ => Vec::new(),
        }
    }

    async fn open_notification(
        &self,
        session: &Session,
        notification: &Notification,
    ) -> Result<Event, Failure> {
        let resource = parse_resource(&notification.resource).ok_or(Failure::Malformed(MALFORMED))?;
        let app_id = session.app.fact("app_id");
        let created = notification.change_type.eq_ignore_ascii_case("created");
        let message = match &notification.encrypted_content {
            Some(content) => {
                let key = certificate_key(&session.app, &content.encryption_certificate_id)
                    .ok_or(Failure::Refused(KEY_GONE))?;
                let plain =
                    crypt::authenticate(content, key).and_then(crypt::Authentic::open).map_err(|why| {
                        match why {
                            Unreadable::Key => Failure::Refused(KEY_GONE),
                            Unreadable::Forged => Failure::Malformed(TAMPERED),
                            Unreadable::Malformed => Failure::Malformed(MALFORMED),
                        }
                    })?;
                let message: ChatMessage =
                    serde_json::from_slice(plain.expose()).map_err(|_| Failure::Malformed(MALFORMED))?;
                if message.id != resource.message {
                    return Err(Failure::Malformed(TAMPERED));
                }
                Some(message)
            }
            None => self.read_resource(session, &resource).await?,
        };
        let Some(message) = message else {
            return Ok(Event {
                conversation: Some(RemoteConversation::from(resource.conversation)),
                at_ms: self.client.clock.now_ms(),
                happening: Happening::Deleted {
                    message: RemoteMessage::from(resource.message),
                    thread_root: resource.root.map(RemoteMessage::from),
                },
            });
        };
        Ok(decode::graph_event(&message, created, &resource.conversation, app_id))
    }

    async fn read_resource(
        &self,
        session: &Session,
        resource: &Resource,
    ) -> Result<Option<ChatMessage>, Failure> {
        let base = match &resource.team {
            Some(team) => format!("teams/{}/channels/{}", segment(team), segment(&resource.conversation)),
            None => format!("chats/{}", segment(&resource.conversation)),
        };
        self.get_message(session, &base, resource.root.as_deref(), &resource.message).await
    }

    pub(crate) async fn read(
        &self,
        session: &Session,
        conversation: &str,
        facts: Option<&dragoman_platform::Facts>,
        root: Option<&str>,
        message: &str,
    ) -> Result<Option<ChatMessage>, Failure> {
        let base = self.graph_path(session, conversation, facts).await?;
        self.get_message(session, &base, root, message).await
    }

    async fn get_message(
        &self,
        session: &Session,
        base: &str,
        root: Option<&str>,
        message: &str,
    ) -> Result<Option<ChatMessage>, Failure> {
        let path = match root {
            Some(root) => format!("{base}/messages/{}/replies/{}", segment(root), segment(message)),
            None => format!("{base}/messages/{}", segment(message)),
        };
        let url = self.client.graph_url(&path);
        match self.client.graph_json::<ChatMessage>(session, url).await {
            Ok(message) => Ok(Some(message)),
            Err(trouble) if trouble.status() == Some(404) => Ok(None),
            Err(trouble) => Err(trouble.failure()),
        }
    }

    pub(crate) async fn read_message(
        &self,
        session: &Session,
        conversation: &Conversation,
        root: Option<&RemoteMessage>,
        message: &RemoteMessage,
    ) -> Result<Option<Message>, Failure> {
        let root = root.map(RemoteMessage::as_str).filter(|_| is_channel(conversation.remote.as_str()));
        let found = self
            .read(session, conversation.remote.as_str(), Some(&conversation.facts), root, message.as_str())
            .await?;
        Ok(found
            .filter(|message| !decode::is_gone(message))
            .map(|message| decode::graph_message(&message, session.app.fact("app_id"))))
    }

    /// The directory's id of an account of bot traffic, by memory or by the roster.
    async fn object_of(&self, session: &Session, conversation: &str, account: &str) -> Option<String> {
        let app_id = session.app.fact("app_id");
        if let Some(object) = self.memory.object(app_id, account) {
            return Some(object);
        }
        self.member(session, conversation, None, account).await.ok()?.aad_object_id
    }

    /// Somebody on the roster, by either id; both are remembered.
    pub(crate) async fn member(
        &self,
        session: &Session,
        conversation: &str,
        facts: Option<&dragoman_platform::Facts>,
        who: &str,
    ) -> Result<Member, Trouble> {
        let place = self.place(session, conversation, facts);
        let path = format!("v3/conversations/{}/members/{}", segment(conversation), segment(who));
        let member: Member = self.client.bot_json(&session.app, &self.service_url(&place), &path).await?;
        if let Some(object) = &member.aad_object_id {
            self.memory.learn_person(session.app.fact("app_id"), &member.id, object);
        }
        Ok(member)
    }

    pub(crate) async fn read_profile(
        &self,
        session: &Session,
        conversation: &Conversation,
        user: &RemoteUser,
    ) -> Result<Option<Profile>, Failure> {
        let remote = conversation.remote.as_str();
        let roster = self.member(session, remote, Some(&conversation.facts), user.as_str()).await;
        let trouble = match roster {
            Ok(member) => return Ok(member_profile(member, session.app.fact("tenant_id"))),
            Err(trouble) => trouble,
        };
        if !matches!(trouble.status(), Some(403 | 404 | 400)) {
            return Err(trouble.failure());
        }
        // Not on the roster: somebody who left, or a conversation without the bot.
        if user.as_str().contains(':') {
            return Ok(None);
        }
        let url = self.client.graph_url(&format!("users/{}?$select={USER_FIELDS}", segment(user.as_str())));
        match self.client.graph_json::<User>(session, url).await {
            Ok(user) => Ok(Some(user_profile(user))),
            Err(trouble) if matches!(trouble.status(), Some(403 | 404)) => Ok(None),
            Err(trouble) => Err(trouble.failure()),
        }
    }

    pub(crate) async fn read_profile_by_email(
        &self,
        session: &Session,
        conversation: &Conversation,
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        match self.member_by_email(session, conversation, email).await? {
            Some(profile) => Ok(Some(profile)),
            None => self.user_by_email(session, email).await,
        }
    }

    /// Somebody by address, in the directory, where it may be asked, and on the rosters of these conversations.
    pub(crate) async fn read_person_by_email(
        &self,
        session: &Session,
        known: &[Conversation],
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        if let Some(profile) = self.user_by_email(session, email).await? {
            return Ok(Some(profile));
        }
        // All channels of a team have its people.
        let mut teams = BTreeSet::new();
        let rosters = known.iter().filter(|it| {
            let (id, team) = (it.remote.as_str(), it.fact("team_id"));
            let roster = if is_channel(id) && !team.is_empty() { team } else { id };
            !id.is_empty() && !is_personal(id) && teams.insert(roster.to_owned())
        });
        for conversation in rosters.take(MOST_ROSTERS) {
            if let Some(profile) = self.member_by_email(session, conversation, email).await? {
                return Ok(Some(profile));
            }
        }
        Ok(None)
    }

    async fn member_by_email(
        &self,
        session: &Session,
        conversation: &Conversation,
        email: &str,
    ) -> Result<Option<Profile>, Failure> {
        let app = &session.app;
        let remote = conversation.remote.as_str();
        let place = self.place(session, remote, Some(&conversation.facts));
        let base = format!("v3/conversations/{}/pagedMembers?pageSize=500", segment(remote));
        let mut token: Option<String> = None;
        for _ in 0..ROSTER_PAGES {
            let path = match &token {
                Some(token) => format!("{base}&continuationToken={}", segment(token)),
                None => base.clone(),
            };
            let page: Members = match self.client.bot_json(app, &self.service_url(&place), &path).await {
                Ok(page) => page,
                Err(trouble) if matches!(trouble.status(), Some(403 | 404 | 400)) => break,
                Err(trouble) => return Err(trouble.failure()),
            };
            for member in page.members {
                if let Some(object) = &member.aad_object_id {
                    self.memory.learn_person(app.fact("app_id"), &member.id, object);
                }
                // The mail address is the directory's; a sign-in name of a guest is not one.
                if member.email.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(email)) {
                    return Ok(member_profile(member, app.fact("tenant_id")));
                }
            }
            token = page.continuation_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn user_by_email(&self, session: &Session, email: &str) -> Result<Option<Profile>, Failure> {
        let quoted = email.replace('\'', "''");
        let filter = segment(&format!("mail eq '{quoted}' or userPrincipalName eq '{quoted}'"));
        let url = self.client.graph_url(&format!("users?$filter={filter}&$select={USER_FIELDS}"));
        match self.client.graph_json::<crate::wire::Collection<User>>(session, url).await {
            Ok(mut found) if found.value.len() == 1 => Ok(found.value.pop().map(user_profile)),
            Ok(_) => Ok(None),
            Err(trouble) if matches!(trouble.status(), Some(400 | 403 | 404)) => Ok(None),
            Err(trouble) => Err(trouble.failure()),
        }
    }
}

const USER_FIELDS: &str = "id,displayName,mail,userPrincipalName,accountEnabled,userType";

fn member_profile(member: Member, tenant: &str) -> Option<Profile> {
    let joined = [member.given_name, member.surname].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let id = member.aad_object_id.filter(|id| !id.is_empty()).unwrap_or(member.id);
    if id.is_empty() {
        return None;
    }
    let guest = member.user_role == "guest" || member.user_role == "anonymous";
    let elsewhere =
        member.tenant_id.as_deref().is_some_and(|id| !id.is_empty() && !id.eq_ignore_ascii_case(tenant));
    Some(Profile {
        bot: id.starts_with("28:"),
        user: RemoteUser::from(id),
        name: member.name.filter(|name| !name.is_empty()).unwrap_or(joined),
        avatar_url: None,
        email: member.email.filter(|email| email.contains('@')),
        deleted: false,
        external: guest || elsewhere,
        guest,
    })
}

fn user_profile(user: User) -> Profile {
    let external = user.user_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("guest"));
    let upn = user.user_principal_name.filter(|upn| !upn.contains("#EXT#"));
    Profile {
        user: RemoteUser::from(user.id),
        name: user.display_name.unwrap_or_default(),
        avatar_url: None,
        email: user.mail.or(upn).filter(|email| email.contains('@')),
        bot: false,
        deleted: user.account_enabled == Some(false),
        external,
        guest: external,
    }
}
