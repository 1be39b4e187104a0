//! What people do with files: attach them, paste pictures, open what others attached.

use std::fmt::Write as _;

use serde_json::json;

use super::drive::{Conflict, Item, Maker, Whose, bad_name, folder};
use super::handle::TeamsSim;
use super::html::escape;
use super::ids::{one_on_one, opaque};
use super::model::{Conversation, Draft, Hosted, Place, Refusal};
use crate::core::blob::Blob;

impl TeamsSim {
    /// A person opens a chat with another; its id.
    ///
    /// # Errors
    /// When either is unknown, or both are the same.
    pub fn open_direct(&self, person: &str, other: &str) -> Result<String, Refusal> {
        let now = self.inner.now();
        let mut core = self.inner.core();
        let known = |who: &str| core.tenant.people.contains_key(who);
        if person == other || !known(person) || !known(other) {
            return Err(Refusal::NoConversation);
        }
        let id = one_on_one(person, other);
        core.tenant.conversations.entry(id.clone()).or_insert_with(|| {
            let mut chat = Conversation::new(&id, "oneOnOne", None, now);
            chat.members = vec![person.to_owned(), other.to_owned()];
            chat
        });
        Ok(id)
    }

    /// A person opens the chat with an app, which is added for them unless it was; the chat's id.
    ///
    /// # Errors
    /// When there is no such person or app.
    pub fn open_app(&self, person: &str, app: &str) -> Result<String, Refusal> {
        let id = self.personal_chat_in_graph(app, person);
        let is_there = self.inner.core().tenant.conversations.contains_key(&id);
        if is_there || self.install(app, &Place::Person(person.to_owned()), person) {
            return Ok(id);
        }
        Err(Refusal::NoConversation)
    }

    /// Attaches files to a draft, as Teams' own client does: they go into the channel's folder, or for chats into the
    /// sender's, where they are shared with the members; a number is added where the name is taken.
    ///
    /// # Errors
    /// When there is no such conversation, SharePoint takes no file of this name, or it is the chat with a bot that takes
    /// no files: there the client offers none.
    pub fn attaching(
        &self,
        person: &str,
        conversation: &str,
        mut draft: Draft,
        files: &[(&str, &[u8])],
    ) -> Result<Draft, Refusal> {
        let mut core = self.inner.core();
        let base = self.inner.site(&core);
        let found = core.tenant.conversations.get(conversation);
        let (place, members) =
            found.map(|c| (folder(c, person), c.members.clone())).ok_or(Refusal::NoConversation)?;
        let bot = found.and_then(|c| core.tenant.apps.get(c.bot.as_deref()?)?.seed.bot.as_ref());
        if bot.is_some_and(|bot| !bot.supports_files) {
            return Err(Refusal::Blocked);
        }
        if !draft.html {
            draft.content = format!("<p>{}</p>", escape(&draft.content));
            draft.html = true;
        }
        for (name, bytes) in files {
            if bad_name(name) {
                return Err(Refusal::BadName);
            }
            let put =
                core.drives.put(&place, name, Maker::person(person), Blob::from(*bytes), Conflict::Rename);
            let (item, _) = put.ok_or(Refusal::BadName)?;
            if matches!(place.whose, Whose::Person(_)) {
                core.drives.invite(&item.id, members.iter().filter(|it| *it != person).cloned());
            }
            attach(&mut draft, &base, &item);
        }
        Ok(draft)
    }

    /// Pastes a picture into a draft.
    #[must_use]
    pub fn pasting(&self, mut draft: Draft, content_type: &str, bytes: &[u8]) -> Draft {
        let random = self.inner.core().tenant.guid();
        let id = opaque(&["hosted", &random]).replace(['+', '/', '='], "");
        // Writing to a text cannot fail.
        let _ = write!(draft.content, "<p><img src=\"../hostedContents/{id}/$value\" alt=\"image\"></p>");
        draft.html = true;
        let hosted = Hosted { content_type: content_type.to_owned(), bytes: bytes.to_vec() };
        draft.hosted.insert(id, hosted);
        draft
    }

    /// The bytes behind the address of a file, as who may see it gets them.
    pub fn file_at(&self, address: &str) -> Option<Vec<u8>> {
        let path = url::Url::parse(address).ok()?.path().to_owned();
        self.inner.core().drives.by_path(&path).map(|item| item.blob.to_vec())
    }

    /// The names of all files that there are, whoever put them there.
    pub fn kept_files(&self) -> Vec<String> {
        self.inner.core().drives.names()
    }

    /// Deletes the file behind an address; the messages that name it stay.
    pub fn delete_file(&self, address: &str) -> bool {
        let Some(path) = url::Url::parse(address).ok().map(|url| url.path().to_owned()) else { return false };
        let mut core = self.inner.core();
        let found = core.drives.by_path(&path).map(|item| (item.folder.drive.clone(), item.id.clone()));
        found.is_some_and(|(drive, id)| core.drives.delete(&drive, &id))
    }

    /// Upload sessions and addresses without tokens end, as they do after a while.
    pub fn expire_addresses(&self) {
        self.inner.core().drives.expire();
    }
}

/// What stands in a text for a file.
pub(super) fn attachment_tag(id: &str) -> String {
    format!("<attachment id=\"{id}\"></attachment>")
}

fn attach(draft: &mut Draft, base: &str, item: &Item) {
    let id = item.guid.to_lowercase();
    draft.content.push_str(&attachment_tag(&id));
    draft.attachments.push(json!({
        "id": id, "contentType": "reference", "contentUrl": format!("{base}{}", item.path()), "content": null,
        "name": item.name, "thumbnailUrl": null, "teamsAppId": null,
    }));
}
