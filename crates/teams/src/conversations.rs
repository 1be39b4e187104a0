//! Channels and chats.

use std::collections::BTreeMap;

use dragoman_model::codes::{MALFORMED, NOT_JOINED};
use dragoman_model::{RemoteConversation, RemoteUser};
use dragoman_platform::{Conversation, ConversationKind, Facts, Failure, Page, Session};

use crate::connector::TeamsConnector;
use crate::errors::Trouble;
use crate::files::{FILES_FACT, files_fact};
use crate::ids::{is_channel, is_personal, segment};
use crate::memory::Place;
use crate::places;
use crate::wire::Collection;
use crate::wire::connector::{Channels, Members, ResourceAnswer, Team};
use crate::wire::directory::{Chat, Group};

impl TeamsConnector {
    pub(crate) async fn read_conversation(
        &self,
        session: &Session,
        remote: &RemoteConversation,
    ) -> Result<Conversation, Failure> {
        let id = remote.as_str();
        let mut found = Conversation {
            remote: remote.clone(),
            kind: kind_of(id),
            name: String::new(),
            external: false,
            joined: false,
            facts: Facts::new(),
        };
        if is_channel(id) {
            self.find_channel(session, &mut found).await?;
        }
        let place = self.place(session, id, None);
        let roster = format!("v3/conversations/{}/pagedMembers?pageSize=500", segment(id));
        let members: Result<Members, _> =
            self.client.bot_json(&session.app, &self.service_url(&place), &roster).await;
        let tenant = session.app.fact("tenant_id");
        match members {
            Ok(page) => {
                found.joined = true;
                found.external = page.members.iter().any(|member| {
                    let elsewhere = member.tenant_id.as_deref().unwrap_or_default();
                    // Guests have an account in this tenant; people of other tenants do not.
                    is_guid(elsewhere) && !elsewhere.eq_ignore_ascii_case(tenant)
                });
            }
            Err(trouble) if matches!(trouble.status(), Some(400 | 403 | 404)) => {}
            Err(trouble) => return Err(trouble.failure()),
        }
        self.describe(session, &mut found).await?;
        if !found.joined && found.name.is_empty() {
            return Err(Failure::Gone(dragoman_model::codes::CONVERSATION_GONE));
        }
        found.facts.extend(places::facts(&self.place(session, id, Some(&found.facts))));
        Ok(found)
    }

    /// The bot's chat with a person. Teams makes it only where the app was added for that person.
    pub(crate) async fn personal_conversation(
        &self,
        session: &Session,
        user: &RemoteUser,
        known: Option<&RemoteConversation>,
    ) -> Result<Conversation, Failure> {
        let app_id = session.app.fact("app_id");
        let mut facts = Facts::new();
        // A person of bot traffic only has no chat in Graph.
        let object = if is_guid(user.as_str()) {
            Some(user.to_string())
        } else {
            self.memory.object(app_id, user.as_str())
        };
        facts.extend(object.map(|object| ("user".to_owned(), object)));
        let remote = if let Some(known) = known {
            known.clone()
        } else {
            let tenant = session.app.fact("tenant_id");
            let body = serde_json::json!({
                "isGroup": false,
                "bot": { "id": format!("28:{app_id}") },
                "members": [{ "id": user.as_str() }],
                "tenantId": tenant,
                "channelData": { "tenant": { "id": tenant } },
            });
            let url = self.service_url(&self.place(session, "", None));
            let body = Some(body.to_string().into_bytes());
            let answer =
                self.client.bot(&session.app, &url, http::Method::POST, "v3/conversations", body).await;
            let answer = answer.map_err(|trouble| match trouble.status() {
                Some(403) => Failure::Refused(NOT_JOINED),
                _ => trouble.failure(),
            })?;
            let made: ResourceAnswer =
                serde_json::from_slice(answer.body.expose()).map_err(|_| Failure::Malformed(MALFORMED))?;
            if made.id.is_empty() {
                return Err(Failure::Malformed(MALFORMED));
            }
            RemoteConversation::from(made.id)
        };
        facts.extend(places::facts(&self.place(session, remote.as_str(), None)));
        facts.insert(FILES_FACT.to_owned(), files_fact(session));
        Ok(Conversation {
            remote,
            kind: ConversationKind::Direct,
            name: String::new(),
            external: false,
            joined: true,
            facts,
        })
    }

    /// Finds the team of a channel among those that the app is in; else among all, where an admin granted the
    /// right to list them.
    async fn find_channel(&self, session: &Session, found: &mut Conversation) -> Result<(), Failure> {
        let id = found.remote.as_str().to_owned();
        let known = self.place(session, &id, None);
        let mut teams = self.known_teams(session);
        // A team has the id of its general channel.
        teams.entry(id.clone()).or_default();
        for (team, guid) in teams {
            if known.team_id.as_ref().is_some_and(|of| *of != team) {
                continue;
            }
            let Some(channels) = self.channels(session, &team).await? else { continue };
            if let Some((_, name)) = channels.into_iter().find(|(channel, _)| *channel == id) {
                found.name = name;
                let place = Place { team_id: Some(team), team_guid: guid, ..Place::default() };
                self.memory.learn_place(session.app.fact("tenant_id"), &id, place);
                return Ok(());
            }
        }
        if known.team_id.is_none() && known.team_guid.is_none() {
            self.graph_channels(session, &mut BTreeMap::new()).await?;
        }
        Ok(())
    }

    /// Name, kind and sharing as Graph tells, where the app may ask.
    async fn describe(&self, session: &Session, found: &mut Conversation) -> Result<(), Failure> {
        let Ok(path) = self.path_of(session, found).await else { return Ok(()) };
        let url = self.client.graph_url(&path);
        let told = if is_channel(found.remote.as_str()) {
            self.client.graph_json::<Group>(session, url).await.map(|channel| {
                found.external |= channel.membership_type.eq_ignore_ascii_case("shared");
                if channel.is_archived {
                    found.joined = false;
                }
                channel.display_name
            })
        } else {
            self.client.graph_json::<Chat>(session, url).await.map(|chat| {
                let home = chat.tenant_id.as_deref().unwrap_or_default();
                found.external |=
                    !home.is_empty() && !home.eq_ignore_ascii_case(session.app.fact("tenant_id"));
                if chat.chat_type == "oneOnOne" {
                    found.kind = ConversationKind::Direct;
                }
                chat.topic
            })
        };
        match told {
            Ok(name) => {
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    found.name = name;
                }
                Ok(())
            }
            // The bot's word is enough.
            Err(Trouble::Refused(refusal)) if refusal.status < 500 && refusal.status != 429 => Ok(()),
            Err(trouble) => Err(trouble.failure()),
        }
    }

    /// Teams that the app is in, `19:…` with the GUID where known: what was remembered and what traffic named.
    fn known_teams(&self, session: &Session) -> BTreeMap<String, Option<String>> {
        let mut teams = self.memory.teams(session.app.fact("tenant_id"));
        for (key, guid) in &session.installation.facts {
            if let Some(id) = key.strip_prefix("team:") {
                teams.insert(id.to_owned(), Some(guid.clone()).filter(|guid| !guid.is_empty()));
            }
        }
        teams
    }

    /// Channels of a team by the bot's word; `None` where the bot is not in it any more.
    async fn channels(
        &self,
        session: &Session,
        team: &str,
    ) -> Result<Option<Vec<(String, String)>>, Failure> {
        let place = self.place(session, team, None);
        let path = format!("v3/teams/{}/conversations", segment(team));
        let answer: Result<Channels, _> =
            self.client.bot_json(&session.app, &self.service_url(&place), &path).await;
        match answer {
            Ok(list) => Ok(Some(
                list.conversations
                    .into_iter()
                    // The general channel has no name in this list.
                    .map(|it| (it.id, it.name.unwrap_or_else(|| "General".to_owned())))
                    .collect(),
            )),
            Err(trouble) if matches!(trouble.status(), Some(400 | 403 | 404)) => Ok(None),
            Err(trouble) => Err(trouble.failure()),
        }
    }

    pub(crate) async fn list_conversations(
        &self,
        session: &Session,
        search: &str,
        cursor: Option<&str>,
    ) -> Result<Page<Conversation>, Failure> {
        let wanted = search.to_lowercase();
        let mut found: BTreeMap<String, Conversation> = BTreeMap::new();
        if cursor.is_none() {
            for (team, guid) in self.known_teams(session) {
                let Some(channels) = self.channels(session, &team).await? else { continue };
                let place = self.place(session, &team, None);
                let path = format!("v3/teams/{}", segment(&team));
                let details: Team = self
                    .client
                    .bot_json(&session.app, &self.service_url(&place), &path)
                    .await
                    .unwrap_or_default();
                let guid = guid.or(details.aad_group_id);
                let team_name = details.name.unwrap_or_default();
                for (id, name) in channels {
                    let learnt =
                        Place { team_id: Some(team.clone()), team_guid: guid.clone(), ..Place::default() };
                    self.memory.learn_place(session.app.fact("tenant_id"), &id, learnt);
                    let name = if team_name.is_empty() { name } else { format!("{team_name} / {name}") };
                    self.add(session, &mut found, &id, name, true);
                }
            }
            self.graph_channels(session, &mut found).await?;
        }
        let next = self.graph_chats(session, cursor, &mut found).await?;
        let items = found
            .into_values()
            .filter(|it| it.name.to_lowercase().contains(&wanted) || it.remote.as_str() == search)
            .collect();
        Ok(Page { items, next })
    }

    /// Channels of all teams, where an admin granted the right to list them.
    async fn graph_channels(
        &self,
        session: &Session,
        found: &mut BTreeMap<String, Conversation>,
    ) -> Result<(), Failure> {
        let url = self.client.graph_url("teams?$select=id,displayName&$top=100");
        let Some(teams) = self.allowed::<Collection<Group>>(session, url).await? else { return Ok(()) };
        for team in teams.value {
            let path = format!("teams/{}/channels?$select=id,displayName,membershipType", segment(&team.id));
            let Some(channels) =
                self.allowed::<Collection<Group>>(session, self.client.graph_url(&path)).await?
            else {
                continue;
            };
            for channel in channels.value {
                if found.contains_key(&channel.id) {
                    continue;
                }
                let learnt = Place { team_guid: Some(team.id.clone()), ..Place::default() };
                self.memory.learn_place(session.app.fact("tenant_id"), &channel.id, learnt);
                let [of, name] = [&team.display_name, &channel.display_name]
                    .map(|name| name.as_deref().unwrap_or_default().to_owned());
                self.add(session, found, &channel.id, format!("{of} / {name}"), false);
                if let Some(added) = found.get_mut(&channel.id) {
                    added.external = channel.membership_type.eq_ignore_ascii_case("shared");
                }
            }
        }
        Ok(())
    }

    async fn graph_chats(
        &self,
        session: &Session,
        cursor: Option<&str>,
        found: &mut BTreeMap<String, Conversation>,
    ) -> Result<Option<String>, Failure> {
        let url = cursor.map_or_else(|| self.client.graph_url("chats?$top=50"), str::to_owned);
        let Some(chats) = self.allowed::<Collection<Chat>>(session, url).await? else { return Ok(None) };
        for chat in chats.value {
            let home = chat.tenant_id.unwrap_or_default();
            self.add(session, found, &chat.id, chat.topic.unwrap_or_default(), false);
            if let Some(added) = found.get_mut(&chat.id) {
                added.external =
                    !home.is_empty() && !home.eq_ignore_ascii_case(session.app.fact("tenant_id"));
                if chat.chat_type == "oneOnOne" {
                    added.kind = ConversationKind::Direct;
                }
            }
        }
        Ok(chats.next)
    }

    /// A read that may be forbidden.
    async fn allowed<T: serde::de::DeserializeOwned>(
        &self,
        session: &Session,
        url: String,
    ) -> Result<Option<T>, Failure> {
        match self.client.graph_json(session, url).await {
            Ok(answer) => Ok(Some(answer)),
            Err(trouble) if matches!(trouble.status(), Some(400..=405 | 412)) => Ok(None),
            Err(trouble) => Err(trouble.failure()),
        }
    }

    fn add(
        &self,
        session: &Session,
        found: &mut BTreeMap<String, Conversation>,
        id: &str,
        name: String,
        joined: bool,
    ) {
        let facts = places::facts(&self.place(session, id, None));
        let conversation = Conversation {
            remote: RemoteConversation::from(id),
            kind: kind_of(id),
            name,
            external: false,
            joined,
            facts,
        };
        found.insert(id.to_owned(), conversation);
    }
}

fn kind_of(id: &str) -> ConversationKind {
    if is_channel(id) {
        ConversationKind::Channel
    } else if is_personal(id) || id.ends_with("@unq.gbl.spaces") {
        ConversationKind::Direct
    } else {
        ConversationKind::Group
    }
}

/// Whether a text is a GUID. Rosters put other ids where a tenant's belongs, for people without one.
fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
