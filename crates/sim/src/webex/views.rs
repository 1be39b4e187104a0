//! How state looks through the API.

use serde_json::{Map, Value, json};

use super::config::WebexDoubts;
use super::ids;
use super::state::{CardAction, Kind, Message, Person, Room, RoomKind, State, Team};

/// State and what its look depends on.
pub struct Views<'a> {
    /// State.
    pub state: &'a State,
    /// Doubts.
    pub doubts: &'a WebexDoubts,
    /// The simulator's address.
    pub base: &'a str,
}

const CIPHERTEXT: &str =
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoia21zOi8vc2ltdWxhdGVkIn0..c2ltdWxhdGVk";

/// Puts ciphertext into fields that are there, and says so.
fn scramble(view: &mut Map<String, Value>, fields: &[&str]) {
    let mut errors = Map::new();
    for field in fields {
        if let Some(value) = view.get_mut(*field) {
            *value = json!(CIPHERTEXT);
            let error = json!({"code": "kms_failure",
                "reason": "Key management server failed to respond appropriately."});
            errors.insert((*field).to_owned(), error);
        }
    }
    view.insert("errors".to_owned(), Value::Object(errors));
}

impl Views<'_> {
    /// A message.
    pub fn message(&self, room: &Room, message: &Message) -> Value {
        let mut view = self.message_event(room, message);
        for (name, value) in
            [("text", &message.text), ("markdown", &message.markdown), ("html", &message.html)]
        {
            if let Some(value) = value {
                view.insert(name.to_owned(), json!(value));
            }
        }
        if !message.attachments.is_empty() {
            view.insert("attachments".to_owned(), json!(message.attachments));
        }
        if !message.files.is_empty() {
            view.insert("isVoiceClip".to_owned(), json!(false));
        }
        if self.state.undecryptable.contains(&message.uuid) {
            scramble(&mut view, &["text", "markdown", "html"]);
        }
        Value::Object(view)
    }

    /// What webhooks tell of a message: no content.
    pub fn message_event(&self, room: &Room, message: &Message) -> Map<String, Value> {
        let view = json!({
            "id": room.message_id(&message.uuid), "roomId": room.id(), "roomType": room.kind.name(),
            "personId": ids::person(&message.author), "personEmail": self.email(&message.author),
            "created": ids::iso(message.created),
        });
        let Value::Object(mut view) = view else { return Map::new() };
        if let Some(parent) = &message.parent {
            view.insert("parentId".to_owned(), json!(room.message_id(parent)));
        }
        if !message.mentioned.is_empty() {
            let ids: Vec<String> = message.mentioned.iter().map(|uuid| ids::person(uuid)).collect();
            view.insert("mentionedPeople".to_owned(), json!(ids));
        }
        if message.mentions_all {
            view.insert("mentionedGroups".to_owned(), json!(["all"]));
        }
        if !message.files.is_empty() {
            let urls: Vec<String> = (0..message.files.len())
                .map(|index| {
                    let id = ids::public(&room.cluster, "CONTENT", &format!("{}/{index}", message.uuid));
                    format!("{}/v1/contents/{id}", self.base)
                })
                .collect();
            view.insert("files".to_owned(), json!(urls));
        }
        if let Some(updated) = message.updated {
            view.insert("updated".to_owned(), json!(ids::iso(updated)));
        }
        view
    }

    fn email(&self, person: &str) -> &str {
        self.state.people.get(person).map_or("", |person| &person.email)
    }

    /// A space as somebody sees it.
    pub fn room(&self, room: &Room, viewer: &str) -> Value {
        let title = match room.kind {
            RoomKind::Group => room.title.clone(),
            RoomKind::Direct => room
                .members
                .keys()
                .find(|member| *member != viewer)
                .filter(|_| room.has(viewer))
                .and_then(|other| self.state.people.get(other))
                .map_or_else(|| "Empty Title".to_owned(), |other| other.display_name.clone()),
        };
        let view = json!({
            "id": room.id(), "title": title, "type": room.kind.name(), "isLocked": room.locked,
            "lastActivity": ids::iso(room.last_activity), "creatorId": ids::person(&room.creator),
            "created": ids::iso(room.created), "ownerId": ids::org(&room.org), "isPublic": room.public,
            "isReadOnly": room.read_only,
        });
        let Value::Object(mut view) = view else { return Value::Null };
        if room.announcement_only {
            view.insert("isAnnouncementOnly".to_owned(), json!(true));
        }
        if let Some(team) = room.team.as_ref().and_then(|uuid| self.state.teams.get(uuid)) {
            view.insert("teamId".to_owned(), json!(ids::public(&team.cluster, "TEAM", &team.uuid)));
        }
        if let Some(text) = &room.description {
            view.insert("description".to_owned(), json!(text));
        }
        if self.state.undecryptable.contains(&room.uuid) {
            scramble(&mut view, &["title"]);
        }
        Value::Object(view)
    }

    /// The id of somebody's membership.
    pub fn membership_id(&self, room: &Room, person: &str) -> String {
        let cluster = if self.doubts.memberships_in_us { ids::US } else { &room.cluster };
        ids::public(cluster, "MEMBERSHIP", &format!("{person}:{}", room.uuid))
    }

    /// A membership.
    pub fn membership(&self, room: &Room, person: &str) -> Value {
        let Some(member) = room.members.get(person) else { return Value::Null };
        let known = self.state.people.get(person);
        json!({
            "id": self.membership_id(room, person), "roomId": room.id(), "roomType": room.kind.name(),
            "personId": ids::person(person), "personEmail": self.email(person),
            "personDisplayName": known.map_or("", |person| &person.display_name),
            "personOrgId": ids::org(known.map_or("", |person| &person.org)),
            "isModerator": member.moderator, "isMonitor": member.moderator, "isRoomHidden": member.hidden,
            "created": ids::iso(member.created),
        })
    }

    /// A person as somebody of an organisation sees them.
    pub fn person(&self, person: &Person, viewer_org: &str, with_status: bool) -> Value {
        let mut names = person.display_name.splitn(2, ' ');
        let first = names.next().unwrap_or_default();
        let view = json!({
            "id": ids::person(&person.uuid), "emails": [person.email], "displayName": person.display_name,
            "nickName": if person.kind == Kind::Bot { &person.display_name } else { first },
            "userName": person.email, "avatar": format!("{}/avatars/{}~1600", self.base, person.uuid),
            "orgId": ids::org(&person.org), "created": ids::iso(person.created), "type": person.kind.name(),
        });
        let Value::Object(mut view) = view else { return Value::Null };
        if person.kind == Kind::Person {
            view.insert("firstName".to_owned(), json!(first));
            view.insert("lastName".to_owned(), json!(names.next().unwrap_or_default()));
        }
        if person.org == viewer_org {
            if with_status && person.kind == Kind::Person {
                view.insert("status".to_owned(), json!("active"));
                view.insert("lastActivity".to_owned(), json!(ids::iso(person.created)));
            }
            view.insert("loginEnabled".to_owned(), json!(person.active));
            view.insert("invitePending".to_owned(), json!(false));
        }
        Value::Object(view)
    }

    /// A click on a card; `inputs` only when fetched.
    pub fn action(&self, action: &CardAction, with_inputs: bool) -> Value {
        let Some(room) = self.state.rooms.get(&action.room) else { return Value::Null };
        let mut view = json!({
            "id": ids::public(&room.cluster, "ATTACHMENT_ACTION", &action.uuid), "type": "submit",
            "messageId": room.message_id(&action.message), "personId": ids::person(&action.person),
            "roomId": room.id(), "created": ids::iso(action.created),
        });
        if with_inputs {
            view["inputs"] = Value::Object(action.inputs.clone());
        }
        view
    }

    /// A team.
    pub fn team(&self, team: &Team) -> Value {
        json!({
            "id": ids::public(&team.cluster, "TEAM", &team.uuid), "name": team.name,
            "creatorId": ids::person(&team.creator), "created": ids::iso(team.created),
        })
    }
}
