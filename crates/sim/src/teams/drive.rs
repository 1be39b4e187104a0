//! SharePoint and OneDrive as far as chats need them: folders, files, upload sessions, addresses for a while.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ids::{digest, encode, guid, token};
use super::message::Conversation;
use crate::core::blob::{Blob, BlobWriter};

/// "Use a byte range size that is a multiple of 320 KiB".
pub(super) const FRAGMENT: u64 = 320 * 1024;
/// "The maximum bytes in any given request is less than 60 MiB".
pub(super) const FRAGMENT_MAX: u64 = 60 * 1024 * 1024;
/// The largest file of one `PUT …/content`.
pub(super) const SIMPLE_MAX: u64 = 250 * 1024 * 1024;
/// How long an address that needs no token works, in milliseconds.
const ADDRESS_MS: u64 = 3_600_000;

/// A folder of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    /// Its drive.
    pub drive: String,
    /// Its item.
    pub id: String,
    /// Path on the site, percent-encoded, with a leading slash.
    pub path: String,
    /// Who may look into it.
    pub whose: Whose,
}

/// Who may look into a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody in a channel.
    Channel(String),
    /// A person alone; what is in it may be shared with others.
    Person(String),
}

/// A file.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The item.
    pub id: String,
    /// Where.
    pub folder: Folder,
    /// Its name.
    pub name: String,
    /// What names it in `eTag` and in messages.
    pub guid: String,
    /// Who made it.
    pub by: Maker,
    /// The bytes.
    pub blob: Blob,
    /// With whom it is shared, where it is a person's.
    pub shared: BTreeSet<String>,
    /// Its owner let an app put it here, by a file consent card.
    pub consented: bool,
}

impl Item {
    /// Path on the site, percent-encoded.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.folder.path, encode(&self.name))
    }

    /// Whose drive it is in, where it is a person's.
    pub(super) fn owner(&self) -> Option<&str> {
        match &self.folder.whose {
            Whose::Channel(_) => None,
            Whose::Person(owner) => Some(owner),
        }
    }
}

/// Who made a file: a person, an app, or the one through the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Maker {
    pub person: Option<String>,
    pub app: Option<String>,
}

impl Maker {
    /// A person with Teams' own client.
    pub(super) fn person(oid: &str) -> Self {
        Self { person: Some(oid.to_owned()), app: None }
    }

    /// `createdBy`, an identitySet.
    pub(super) fn shown(&self) -> Value {
        let named = [("user", &self.person), ("application", &self.app)];
        named.into_iter().filter_map(|(key, id)| Some((key, json!({"id": id.as_ref()?})))).collect()
    }
}

/// What to do about a name that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    Fail,
    Replace,
    Rename,
}

impl Conflict {
    /// Reads `@microsoft.graph.conflictBehavior`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "fail" => Some(Self::Fail),
            "replace" => Some(Self::Replace),
            "rename" => Some(Self::Rename),
            _ => None,
        }
    }
}

/// An upload session.
#[derive(Debug)]
pub(super) struct Session {
    folder: Folder,
    name: String,
    by: Maker,
    conflict: Conflict,
    /// The size of the whole: promised, or from the first range.
    total: Option<u64>,
    written: BlobWriter,
    pub expires: u64,
    /// What will name the file, where that was promised.
    promised: Option<String>,
    /// Nobody else gets the name that was promised.
    held: bool,
}

/// A file that somebody may put into a place where it has its name and id already.
#[derive(Debug)]
pub(super) struct Promise {
    /// Names the session.
    pub key: String,
    /// The name; another than was asked for where that is taken.
    pub name: String,
    /// Path on the site, percent-encoded.
    pub path: String,
    /// What will name it.
    pub guid: String,
}

/// What a part of an upload brought.
#[derive(Debug)]
pub(super) enum Part {
    /// More is wanted.
    Accepted,
    /// The file is there.
    Done(Box<Item>),
    /// The part is there already, or not the next one.
    Range,
    /// The request is wrong.
    Bad(&'static str),
    /// No such session.
    Gone,
    /// The name is taken.
    Conflict,
}

/// All drives of the tenant.
#[derive(Debug, Default)]
pub(super) struct Drives {
    items: BTreeMap<String, Item>,
    sessions: BTreeMap<String, Session>,
    /// Addresses that need no token: the item, and until when.
    addresses: BTreeMap<String, (String, u64)>,
    /// Ids of the folders that there are.
    folders: BTreeSet<String>,
    serial: u64,
}

/// The folder of a person's drive that holds what they sent to chats.
pub(super) const CHAT_FILES: &str = "Microsoft Teams Chat Files";
/// The folder of a person's drive that holds what bots gave them.
const APPLICATIONS: &str = "Applications";

fn short(parts: &[&str]) -> String {
    token(&digest(parts)[..15])
}

/// A person's drive.
pub(super) fn drive_of(person: &str) -> String {
    format!("b!{}", short(&["drive", person]))
}

/// Where a person's files are on the site, percent-encoded.
pub(super) fn documents_of(person: &str) -> String {
    format!("/personal/{person}/Documents")
}

/// The folder of what a person sent to chats.
pub(super) fn chat_folder(person: &str) -> Folder {
    personal(person, CHAT_FILES)
}

/// The folder of what bots gave a person.
pub(super) fn applications(person: &str) -> Folder {
    personal(person, APPLICATIONS)
}

fn personal(person: &str, name: &str) -> Folder {
    let (drive, path) = (drive_of(person), format!("{}/{}", documents_of(person), encode(name)));
    let id = format!("01{}", short(&["folder", &drive, &path]));
    Folder { drive, id, path, whose: Whose::Person(person.to_owned()) }
}

/// The folder of a conversation's files: of a channel its own on the team's site, of a chat its sender's.
pub(super) fn folder(c: &Conversation, sender: &str) -> Folder {
    let Some(team) = &c.team else { return chat_folder(sender) };
    // Private and shared channels have sites of their own.
    let site = if c.membership == "standard" { team.clone() } else { format!("{team}-{}", short(&[&c.id])) };
    let name = encode(c.name.as_deref().unwrap_or("General"));
    let (drive, path) = (short(&["drive", &site]), format!("/sites/{site}/Shared%20Documents/{name}"));
    let id = format!("01{}", short(&["folder", &drive, &path]));
    Folder { drive: format!("b!{drive}"), id, path, whose: Whose::Channel(c.id.clone()) }
}

/// Why a name cannot be one of a file: characters that SharePoint reserves, spaces or a full stop at an end.
pub(super) fn bad_name(name: &str) -> bool {
    name.is_empty()
        || name.chars().any(|sign| "\"*:<>?/\\|".contains(sign) || sign.is_control())
        || name.starts_with(' ')
        || name.ends_with([' ', '.'])
        || name.chars().count() > 255
}

impl Drives {
    /// The names of all files.
    pub(super) fn names(&self) -> Vec<String> {
        self.items.values().map(|item| item.name.clone()).collect()
    }

    fn next(&mut self, what: &str) -> Vec<u8> {
        self.serial += 1;
        digest(&[what, &self.serial.to_string()])
    }

    /// An item of a drive.
    pub(super) fn item(&self, drive: &str, id: &str) -> Option<&Item> {
        self.items.get(id).filter(|item| item.folder.drive == drive)
    }

    /// An item by its path on the site.
    pub(super) fn by_path(&self, path: &str) -> Option<&Item> {
        self.items.values().find(|item| item.path() == path)
    }

    /// Whether a folder is there: made, or written to.
    pub(super) fn is_provisioned(&self, folder: &Folder) -> bool {
        self.folders.contains(&folder.id)
    }

    /// Makes a folder. `false`: it is there.
    pub(super) fn make(&mut self, folder: &Folder) -> bool {
        self.folders.insert(folder.id.clone())
    }

    /// Lets people see a file of somebody's drive.
    pub(super) fn invite(&mut self, id: &str, people: impl IntoIterator<Item = String>) {
        if let Some(item) = self.items.get_mut(id) {
            item.shared.extend(people);
        }
    }

    fn named(&self, folder: &Folder, name: &str) -> Option<String> {
        let same = |item: &&Item| item.folder.id == folder.id && item.name.eq_ignore_ascii_case(name);
        self.items.values().find(same).map(|item| item.id.clone())
    }

    /// Writes a file. `None`: the name is taken. Tells whether it is new.
    pub(super) fn put(
        &mut self,
        folder: &Folder,
        name: &str,
        by: Maker,
        blob: Blob,
        conflict: Conflict,
    ) -> Option<(Item, bool)> {
        let mut name = name.to_owned();
        if let Some(old) = self.named(folder, &name) {
            match conflict {
                Conflict::Fail => return None,
                Conflict::Replace => {
                    let item = self.items.get_mut(&old)?;
                    item.blob = blob;
                    return Some((item.clone(), false));
                }
                Conflict::Rename => name = self.free(folder, &name)?,
            }
        }
        Some((self.add(folder, name, by, blob, None), true))
    }

    /// The name, or the first with a number, that nobody has or was promised.
    fn free(&self, folder: &Folder, name: &str) -> Option<String> {
        let (stem, ending) = name
            .rsplit_once('.')
            .map_or((name, String::new()), |(stem, ending)| (stem, format!(".{ending}")));
        let promised = |name: &str| {
            let mut sessions = self.sessions.values().filter(|it| it.held);
            sessions.any(|it| it.folder.id == folder.id && it.name.eq_ignore_ascii_case(name))
        };
        std::iter::once(name.to_owned())
            .chain((1..10_000).map(|n| format!("{stem} {n}{ending}")))
            .find(|name| self.named(folder, name).is_none() && !promised(name))
    }

    fn add(
        &mut self,
        folder: &Folder,
        name: String,
        by: Maker,
        blob: Blob,
        promised: Option<String>,
    ) -> Item {
        self.make(folder);
        let random = self.next("item");
        let id = format!("01{}", hex::encode_upper(&random[..16]));
        let consented = promised.is_some();
        let guid = promised.unwrap_or_else(|| naming(&random));
        let (folder, shared) = (folder.clone(), BTreeSet::new());
        let item = Item { id: id.clone(), folder, name, guid, by, blob, shared, consented };
        self.items.insert(id, item.clone());
        item
    }

    /// Deletes a file.
    pub(super) fn delete(&mut self, drive: &str, id: &str) -> bool {
        self.item(drive, id).is_some() && self.items.remove(id).is_some()
    }

    /// Opens a session; its key.
    pub(super) fn open(
        &mut self,
        folder: &Folder,
        name: &str,
        by: Maker,
        conflict: Conflict,
        now: u64,
    ) -> String {
        let key = hex::encode(self.next("session"));
        let session = Session {
            folder: folder.clone(),
            name: name.to_owned(),
            by,
            conflict,
            total: None,
            written: BlobWriter::default(),
            expires: now + ADDRESS_MS,
            promised: None,
            held: false,
        };
        self.sessions.insert(key.clone(), session);
        key
    }

    /// Opens a session for a file of this size, whose name and id are settled now. `None`: no name is left.
    pub(super) fn promise(
        &mut self,
        folder: &Folder,
        name: &str,
        by: Maker,
        size: u64,
        now: u64,
    ) -> Option<Promise> {
        let name = self.free(folder, name)?;
        let key = self.open(folder, &name, by, Conflict::Fail, now);
        let guid = naming(&self.next("promise"));
        let session = self.sessions.get_mut(&key)?;
        (session.total, session.promised, session.held) = (Some(size), Some(guid.clone()), true);
        let path = format!("{}/{}", folder.path, encode(&name));
        Some(Promise { key, name, path, guid })
    }

    /// Others may have the name that was promised; who comes first gets it.
    pub(super) fn let_go(&mut self, key: &str) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.held = false;
        }
    }

    /// A session that lives.
    pub(super) fn session(&self, key: &str, now: u64) -> Option<&Session> {
        self.sessions.get(key).filter(|session| session.expires > now)
    }

    /// Ends a session.
    pub(super) fn cancel(&mut self, key: &str) -> bool {
        self.sessions.remove(key).is_some()
    }

    /// Ends every session and every address, as time does.
    pub(super) fn expire(&mut self) {
        self.sessions.clear();
        self.addresses.clear();
    }

    /// Takes a part: bytes `first` to `last` of `total`.
    pub(super) fn part(&mut self, key: &str, range: (u64, u64, u64), bytes: &[u8], now: u64) -> Part {
        let (first, last, total) = range;
        let Some(session) = self.sessions.get_mut(key).filter(|session| session.expires > now) else {
            return Part::Gone;
        };
        let length = bytes.len() as u64;
        if last < first || last >= total || last - first + 1 != length {
            return Part::Bad("The Content-Range header does not fit the length of the body.");
        }
        if length >= FRAGMENT_MAX {
            return Part::Bad("The fragment is too large.");
        }
        if last + 1 != total && !length.is_multiple_of(FRAGMENT) {
            return Part::Bad("The fragment is no multiple of 320 KiB.");
        }
        if session.total.is_some_and(|known| known != total) {
            return Part::Bad("The total size differs from that of the fragments before.");
        }
        if first != session.written.size() {
            return Part::Range;
        }
        session.total = Some(total);
        if session.written.push(bytes).is_err() {
            return Part::Bad("The disk of the simulator is full.");
        }
        if session.written.size() < total {
            return Part::Accepted;
        }
        let Some(session) = self.sessions.remove(key) else { return Part::Gone };
        let blob = session.written.finish();
        let made = match session.promised {
            Some(_) if self.named(&session.folder, &session.name).is_some() => None,
            Some(_) => Some(self.add(&session.folder, session.name, session.by, blob, session.promised)),
            None => self
                .put(&session.folder, &session.name, session.by, blob, session.conflict)
                .map(|(item, _)| item),
        };
        made.map_or(Part::Conflict, |item| Part::Done(Box::new(item)))
    }

    /// An address that gives an item's bytes without a token, for a while; its key.
    pub(super) fn address(&mut self, id: &str, now: u64) -> String {
        let key = hex::encode(self.next("address"));
        self.addresses.insert(key.clone(), (id.to_owned(), now + ADDRESS_MS));
        key
    }

    /// What is at such an address.
    pub(super) fn at(&self, key: &str, now: u64) -> Option<&Item> {
        let (id, until) = self.addresses.get(key)?;
        self.items.get(id).filter(|_| *until > now)
    }
}

impl Session {
    /// From which byte on more is wanted.
    pub(super) fn wanted(&self) -> u64 {
        self.written.size()
    }
}

/// What names a file in `eTag` and in messages, from 32 random bytes.
fn naming(random: &[u8]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random[16..32]);
    guid(bytes).to_uppercase()
}

/// The type that the service finds, by the name's ending.
pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("pdf") => "application/pdf",
        Some("txt" | "md" | "csv" | "log") => "text/plain",
        Some("json") => "application/json",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Folder {
        let mut c = Conversation::new("19:x@thread.tacv2", "channel", Some("Launch".into()), 1);
        c.team = Some("T".into());
        folder(&c, "")
    }

    #[test]
    fn names_that_are_taken_fail_or_give_way() {
        let (mut drives, place) = (Drives::default(), place());
        let put = |drives: &mut Drives, conflict| {
            drives
                .put(&place, "a.txt", Maker::default(), Blob::from(&b"x"[..]), conflict)
                .map(|(item, new)| (item.name, new))
        };
        assert_eq!(put(&mut drives, Conflict::Fail), Some(("a.txt".into(), true)));
        assert_eq!(put(&mut drives, Conflict::Fail), None);
        assert_eq!(put(&mut drives, Conflict::Replace), Some(("a.txt".into(), false)));
        assert_eq!(put(&mut drives, Conflict::Rename), Some(("a 1.txt".into(), true)));
        assert_eq!(put(&mut drives, Conflict::Rename), Some(("a 2.txt".into(), true)));
        assert!(drives.by_path("/sites/T/Shared%20Documents/Launch/a%201.txt").is_some());
    }

    #[test]
    fn a_session_takes_parts_in_order_and_of_the_right_size() {
        let (mut drives, place) = (Drives::default(), place());
        let key = drives.open(&place, "a.bin", Maker::default(), Conflict::Rename, 5);
        let part = vec![7_u8; usize::try_from(FRAGMENT).unwrap()];
        let total = FRAGMENT + 3;
        assert!(matches!(drives.part(&key, (0, 2, total), b"abc", 5), Part::Bad(_)), "no multiple");
        assert!(matches!(drives.part(&key, (0, 9, total), b"abc", 5), Part::Bad(_)), "length");
        assert!(
            matches!(drives.part(&key, (FRAGMENT, total - 1, total), b"abc", 5), Part::Range),
            "too early"
        );
        assert!(matches!(drives.part(&key, (0, FRAGMENT - 1, total), &part, 5), Part::Accepted));
        assert!(matches!(drives.part(&key, (0, FRAGMENT - 1, total), &part, 5), Part::Range), "again");
        assert!(
            matches!(drives.part(&key, (FRAGMENT, total, total + 1), b"abcd", 5), Part::Bad(_)),
            "another total"
        );
        let Part::Done(item) = drives.part(&key, (FRAGMENT, total - 1, total), b"abc", 5) else { panic!() };
        assert_eq!(item.blob.size(), total);
        assert!(matches!(drives.part(&key, (FRAGMENT, total - 1, total), b"abc", 5), Part::Gone));
        let late = drives.open(&place, "b.bin", Maker::default(), Conflict::Fail, 5);
        assert!(matches!(drives.part(&late, (0, 2, 3), b"abc", 5 + ADDRESS_MS), Part::Gone));
    }

    #[test]
    fn what_is_promised_keeps_its_name_and_id() {
        let (mut drives, place) = (Drives::default(), applications("P"));
        let promise = |drives: &mut Drives| drives.promise(&place, "a.txt", Maker::default(), 3, 5).unwrap();
        let (first, second) = (promise(&mut drives), promise(&mut drives));
        assert_eq!((&*first.name, &*second.name), ("a.txt", "a 1.txt"));
        assert_eq!(second.path, "/personal/P/Documents/Applications/a%201.txt");
        assert!(matches!(drives.part(&second.key, (0, 3, 4), b"abcd", 5), Part::Bad(_)), "another size");
        let Part::Done(item) = drives.part(&second.key, (0, 2, 3), b"abc", 5) else { panic!() };
        assert_eq!((item.path(), &item.guid, item.consented), (second.path, &second.guid, true));
        let blob = || Blob::from(&b"x"[..]);
        let other = drives.put(&place, "a.txt", Maker::default(), blob(), Conflict::Rename).unwrap().0;
        assert_eq!((&*other.name, other.consented), ("a.txt", false), "nobody has it yet");
        assert!(matches!(drives.part(&first.key, (0, 2, 3), b"abc", 5), Part::Conflict));
        let third = drives.promise(&place, "b.txt", Maker::default(), 3, 5).unwrap();
        drives.let_go(&third.key);
        let fourth = drives.promise(&place, "b.txt", Maker::default(), 3, 5).unwrap();
        assert_eq!(fourth.name, "b.txt");
        assert!(matches!(drives.part(&third.key, (0, 2, 3), b"abc", 5), Part::Done(_)), "it still works");
    }

    #[test]
    fn reserved_names() {
        for name in ["", "a:b", "a/b", "a?", " a", "a ", "a.", "a\u{1}", "\"", "a|b"] {
            assert!(bad_name(name), "{name:?}");
        }
        assert!(!bad_name("Größe & 100% #1 ~ (2).docx"));
    }
}
