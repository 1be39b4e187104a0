//! Files: bytes out of a message, and bytes into the folder of a channel with a message that names them.
//!
//! Sources: "driveItem: download content", "Access shared items by using shares", "driveItem: createUploadSession",
//! "Get filesFolder", "chatMessageHostedContent: get content", "Send and receive files through a bot". A bot cannot
//! attach a file: its message links to it; a person's message refers to it as Teams' own do. Files of chats lie in
//! people's own drives: see `onedrive`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dragoman_model::{
    Code, Done, FileRef, Outcome, Post, RemoteConversation, RemoteMessage, Spokesman, codes,
};
use dragoman_platform::http::{HttpError, HttpStreamed, Upload};
use dragoman_platform::{Chunks, Conversation, Failure, FileBytes, Session, Share};
use futures_util::StreamExt as _;
use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::json;
use url::Url;

use crate::client::{Call, Voice};
use crate::connector::TeamsConnector;
use crate::cutter::Cutter;
use crate::encode;
use crate::errors::{Doing, Trouble};
use crate::ids::{in_thread, is_channel, is_chat, is_personal, segment};
use crate::perform::finish;
use crate::tokens::Audience;
use crate::wire::drive::{Folder, Item, UploadSession};

/// Fact: whether the app may put files into the folder of a channel.
pub(crate) const FILES_FACT: &str = "files";

/// What follows the id of a file that a person sent to the bot, before its address.
pub(crate) const DOWNLOAD: &str = " download:";

/// What follows the id of a file that a person sent to a chat, before whose it is.
pub(crate) const SENT: &str = " sent:";

/// Files up to here go in one request: "for files larger than 10 MB use an upload session".
const SIMPLE: u64 = 10 * 1024 * 1024;
/// Parts of an upload session, a multiple of 320 KiB.
const PART: u64 = 32 * 320 * 1024;
/// The largest answer about a file, in bytes.
pub(crate) const ANSWER_CAP: usize = 256 * 1024;

/// Where the bytes of a file are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source<'a> {
    /// In SharePoint or OneDrive, at an address that a message names.
    Shared(&'a str),
    /// Pasted into a message: with Graph.
    Hosted(&'a str),
    /// Shown to the bot: with the Bot Connector.
    Bot(&'a str),
    /// At an address that needs no token.
    Open(&'a str),
}

/// What [`FILES_FACT`] is of chats, where people put files themselves or are asked first: it is done where files are
/// carried at all.
pub(crate) fn files_fact(session: &Session) -> String {
    if session.app.features.contains("files") { "yes" } else { "no" }.to_owned()
}

/// Whether a message may call one of its files by this id: some ids tell where bytes are, and those are made here.
pub(crate) fn is_only_a_name(id: &str) -> bool {
    !id.starts_with("http") && !id.contains(' ')
}

/// Who sent a file to a chat, by the directory's id.
fn sender(file: &FileRef) -> Option<&str> {
    let (_, sender) = file.id.split_once(SENT)?;
    Some(sender).filter(|sender| !sender.is_empty())
}

fn source(file: &FileRef) -> Option<Source<'_>> {
    let id = file.id.as_str();
    let link = file.permalink.as_deref().filter(|link| !link.is_empty());
    if !id.starts_with("http") {
        let open = id.split_once(DOWNLOAD).map(|(_, address)| Source::Open(address));
        return open.or_else(|| link.map(Source::Shared));
    }
    Some(if id.contains("/hostedContents/") { Source::Hosted(id) } else { Source::Bot(id) })
}

/// Whether an address leads to what was pasted into this very message: authors write such addresses themselves, and the
/// app may read more than they. `messages`: the address of the conversation's messages.
fn is_pasted_into(address: &Url, messages: &Url, message: &str) -> bool {
    let segments = |url: &Url| -> Vec<String> {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        url.path_segments().into_iter().flatten().map(decoded).collect()
    };
    let (address, messages, bare) = (segments(address), segments(messages), address.query().is_none());
    // Graph writes addresses of its beta version, too.
    let alike = |(one, other): (&String, &String)| one == other || other == "v1.0" && one == "beta";
    let Some((front, rest)) = address.split_at_checked(messages.len()) else { return false };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let names = match rest.as_slice() {
        [id, "hostedContents", hosted, "$value"] | [_, "replies", id, "hostedContents", hosted, "$value"] => {
            *id == message && !hosted.is_empty()
        }
        _ => false,
    };
    bare && names && front.iter().zip(&messages).all(alike)
}

/// Whether an address of the Bot Connector is one of a file's bytes: authors write addresses, and the bot may read more
/// than they.
fn is_view(address: &Url) -> bool {
    let path: Vec<&str> = address.path_segments().into_iter().flatten().collect();
    // What is escaped may be a path again once it is read.
    let plain = |part: &str| !part.is_empty() && !part.contains('%');
    let version = path.iter().position(|part| *part == "v3").unwrap_or_default();
    let named =
        matches!(&path[version..], ["v3", "attachments", id, "views", view] if plain(id) && plain(view));
    named && address.query().is_none()
}

/// `u!` and the address in base64url, as `/shares` takes it.
fn sharing_token(address: &str) -> String {
    format!("u!{}", URL_SAFE_NO_PAD.encode(address))
}

/// A name that SharePoint takes: without the characters it reserves, without spaces and full stops at the ends.
pub(crate) fn file_name(name: &str) -> String {
    let clean: String = name
        .chars()
        .filter(|sign| !sign.is_control())
        .map(|sign| if "\"*:<>?/\\|#%".contains(sign) { '_' } else { sign })
        .collect();
    let clean = clean.trim().trim_end_matches(['.', ' ']).trim_start_matches("~$");
    if clean.is_empty() { "file".to_owned() } else { clean.to_owned() }
}

/// With whose token a file is written and deleted: in a channel's library the app's, in a chat that of the person in
/// whose drive it lies. `None`: it cannot be. The app has no drive of its own, and nobody else's is for it to fill.
fn owner(conversation: &RemoteConversation, spokesman: &Spokesman) -> Option<Voice> {
    match spokesman {
        _ if is_channel(conversation.as_str()) => Some(Voice::App),
        Spokesman::Person(person) if is_chat(conversation.as_str()) => Some(Voice::Person(person.clone())),
        _ => None,
    }
}

/// Who is told to sign in again where a file could not be written or deleted: not somebody in whose name the app did it.
/// `instead`: what it is for them.
fn blamed(outcome: Outcome, owner: &Voice, spokesman: &Spokesman, instead: fn(Code) -> Outcome) -> Outcome {
    match outcome {
        Outcome::SignIn(code) if matches!(owner, Voice::App) && *spokesman != Spokesman::App => instead(code),
        outcome => outcome,
    }
}

/// What a failed step of an upload means: nobody can see anything of it yet.
pub(crate) fn upload_outcome(trouble: Trouble) -> Outcome {
    let refusal = match trouble {
        Trouble::Refused(refusal) => refusal,
        // What the next step needs is not known, so the file is not posted.
        Trouble::Garbled => return Outcome::retry(codes::TARGET_FAILED),
        trouble => return trouble.outcome(Doing::Edit),
    };
    let retry = |code| Outcome::Retry { after_ms: refusal.after_ms, code, whole_installation: refusal.wide };
    match refusal.status {
        401 => Outcome::SignIn(codes::SIGN_IN),
        // Of the site, not of the conversation: texts go on.
        402 | 403 => Outcome::Refused(codes::SCOPE),
        413 => Outcome::Refused(codes::FILE_TOO_LARGE),
        // The quota of the site.
        507 => Outcome::Refused(codes::FILE_FORBIDDEN),
        429 => retry(codes::RATE_LIMITED),
        // 404, 410: the session or the folder is gone; 409, 412, 416, 423: somebody else is there. Start over.
        404 | 409 | 410 | 412 | 416 | 423 | 500.. => retry(codes::TARGET_FAILED),
        _ => Outcome::Refused(codes::REFUSED),
    }
}

/// What a refused download means.
fn download_failure(trouble: Trouble) -> Failure {
    match trouble.status() {
        Some(404 | 410) => Failure::Refused(codes::FILE_GONE),
        // A permission that is missing, or somebody's file that the app may not see: this file's own matter.
        Some(401..=403) => Failure::Refused(codes::SCOPE),
        _ => trouble.failure(),
    }
}

impl TeamsConnector {
    pub(crate) async fn download_file(
        &self,
        session: &Session,
        conversation: &Conversation,
        message: &RemoteMessage,
        file: &FileRef,
    ) -> Result<FileBytes, Failure> {
        let source = source(file).ok_or(Failure::Refused(codes::FILE_GONE))?;
        let parse = |text: &str| Url::parse(text).map_err(|_| Failure::Malformed(codes::MALFORMED));
        let client = &self.client;
        let answer = match source {
            Source::Shared(address) => {
                let remote = conversation.remote.as_str();
                let item = match sender(file) {
                    Some(sender) if !is_channel(remote) => {
                        self.item_of_sender(session, sender, address).await
                    }
                    _ => self.own_item(session, conversation, address).await,
                };
                let item = item.map_err(download_failure)?;
                let item = item.ok_or(Failure::Refused(codes::FILE_FORBIDDEN))?;
                let url = parse(&client.graph_url(&format!("{}/content", item.path())))?;
                client.fetch(&session.app, Audience::Graph, url).await
            }
            Source::Hosted(address) => {
                let url = parse(address)?;
                let base = self.path_of(session, conversation).await?;
                let place = client.graph_url(&format!("{base}/messages"));
                let messages = parse(&place)?;
                if !client.is_graph(&url) || !is_pasted_into(&url, &messages, message.as_str()) {
                    return Err(Failure::Refused(codes::ADDRESS_BLOCKED));
                }
                // The message's own address may be spelt otherwise: reading it and its pictures share one turn.
                client.turn(&place).await;
                client.fetch(&session.app, Audience::Graph, url).await
            }
            Source::Bot(address) => {
                let url = parse(address)?;
                if !client.is_service(&url) || !is_view(&url) {
                    return Err(Failure::Refused(codes::ADDRESS_BLOCKED));
                }
                client.fetch(&session.app, Audience::Bot, url).await
            }
            Source::Open(address) => client.fetch_open(parse(address)?).await,
        };
        Ok(answer.map_err(download_failure)?.into_file())
    }

    /// A file that a message refers to, if it lies in the document library of its channel's team. The app may read more
    /// than the author: what lies elsewhere may be somebody else's.
    async fn own_item(
        &self,
        session: &Session,
        conversation: &Conversation,
        address: &str,
    ) -> Result<Option<Item>, Trouble> {
        if !is_channel(conversation.remote.as_str()) {
            return Ok(None);
        }
        let folder = self.files_folder(session, conversation).await?;
        let item = self.shared_item(session, &Voice::App, address).await?;
        Ok(Some(item).filter(|item| item.parent_reference.drive_id == folder.parent_reference.drive_id))
    }

    /// What an address of SharePoint leads to.
    pub(crate) async fn shared_item(
        &self,
        session: &Session,
        voice: &Voice,
        address: &str,
    ) -> Result<Item, Trouble> {
        let url = self.client.graph_url(&format!("shares/{}/driveItem", sharing_token(address)));
        self.client.json_as(session, voice, &Call::get(url)).await
    }

    /// Posts a file: into a channel for anybody, into a chat for people who do it themselves.
    pub(crate) async fn share_file(
        &self,
        session: &Session,
        conversation: &Conversation,
        share: &Share,
        bytes: FileBytes,
    ) -> Outcome {
        if is_personal(share.post.conversation.as_str()) {
            return self.hand_over(session, conversation, share, bytes).await;
        }
        let Some(owner) = owner(&share.post.conversation, &share.post.spokesman) else {
            return Outcome::Refused(codes::NOT_CARRIED);
        };
        if let Some(path) = self.memory.take_lost(&share.post.marker) {
            // It is posted anew: its message was not found, or the organisation takes two.
            self.remove_item(session, &owner, &path).await;
        }
        // The app may say it with a line.
        let failed = |outcome| blamed(outcome, &owner, &share.post.spokesman, Outcome::Refused);
        // Parts are parts of a stated whole.
        let Some(size) = bytes.size else { return Outcome::Refused(codes::BAD_REQUEST) };
        let folder = match &owner {
            Voice::App => self.files_folder(session, conversation).await,
            Voice::Person(_) => self.chat_folder(session, &owner).await,
        };
        let folder = match folder {
            Ok(folder) => folder,
            Err(trouble) if trouble.status() == Some(404) => return Outcome::Refused(codes::NOT_CARRIED),
            Err(trouble) => return failed(upload_outcome(trouble)),
        };
        let target = format!(
            "drives/{}/items/{}:/{}:",
            segment(&folder.parent_reference.drive_id),
            segment(&folder.id),
            segment(&file_name(&share.name))
        );
        let put = if size <= SIMPLE {
            self.put_whole(session, &owner, &target, bytes).await
        } else {
            self.put_parts(session, &owner, &target, size, bytes.chunks).await
        };
        let item = match put {
            Ok(item) => item,
            Err(outcome) => return failed(outcome),
        };
        let admitted = match &owner {
            Voice::App => Ok(()),
            Voice::Person(_) => self.admit_members(session, conversation, &owner, &item).await,
        };
        let outcome = match admitted {
            Ok(()) => self.announce(session, conversation, share, &item).await,
            Err(trouble) => upload_outcome(trouble),
        };
        match outcome {
            Outcome::Done(done) => Outcome::Done(Done { beside: Some(item.path()), ..done }),
            // Where nobody knows whether the message is there, it may need its file.
            Outcome::Unknown(code) => {
                self.memory.learn_lost(&share.post.marker, item.path());
                Outcome::Unknown(code)
            }
            outcome => {
                self.remove_item(session, &owner, &item.path()).await;
                outcome
            }
        }
    }

    /// The message of a file that is there.
    async fn announce(
        &self,
        session: &Session,
        conversation: &Conversation,
        share: &Share,
        item: &Item,
    ) -> Outcome {
        let post = &share.post;
        let remote = post.conversation.as_str();
        // Chats have no threads.
        let root = post.thread_root.as_ref().map(RemoteMessage::as_str).filter(|_| is_channel(remote));
        match &post.spokesman {
            Spokesman::App => {
                let body = encode::file_activity(post, &item.name, &item.web_url);
                self.post_activity(session, conversation, post, root, body).await
            }
            Spokesman::Person(person) => {
                let base = match self.path_of(session, conversation).await {
                    Ok(base) => base,
                    Err(failure) => return failure.into_outcome(),
                };
                let path = match root {
                    Some(root) => format!("{base}/messages/{}/replies", segment(root)),
                    None => format!("{base}/messages"),
                };
                let Some(guid) = item.guid() else { return Outcome::retry(codes::TARGET_FAILED) };
                let body = encode::file_message(post, &item.name, &item.web_url, guid);
                let call = Call::new(Method::POST, self.client.graph_url(&path)).json(body);
                finish(self.client.graph(session, &Voice::Person(person.clone()), &call).await, Doing::Post)
            }
        }
    }

    /// Posts an activity of the bot's.
    pub(crate) async fn post_activity(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        root: Option<&str>,
        body: Vec<u8>,
    ) -> Outcome {
        let remote = post.conversation.as_str();
        let url = self.service_url(&self.place(session, remote, Some(&conversation.facts)));
        let path = format!("v3/conversations/{}/activities", segment(&in_thread(remote, root)));
        finish(self.client.bot(&session.app, &url, Method::POST, &path, Some(body)).await, Doing::Post)
    }

    async fn files_folder(&self, session: &Session, conversation: &Conversation) -> Result<Folder, Trouble> {
        let base = self.path_of(session, conversation).await.map_err(Trouble::Token)?;
        let url = self.client.graph_url(&format!("{base}/filesFolder"));
        self.client.graph_json(session, url).await
    }

    async fn put_whole(
        &self,
        session: &Session,
        owner: &Voice,
        target: &str,
        bytes: FileBytes,
    ) -> Result<Item, Outcome> {
        let url =
            self.client.graph_url(&format!("{target}/content?@microsoft.graph.conflictBehavior=rename"));
        let answer = self.client.put(session, owner, &url, Upload::raw(bytes)).await;
        item_of(answer.map_err(upload_outcome)?).await
    }

    async fn put_parts(
        &self,
        session: &Session,
        owner: &Voice,
        target: &str,
        size: u64,
        chunks: Chunks,
    ) -> Result<Item, Outcome> {
        let opened = self.open_session(session, owner, target).await.map_err(upload_outcome)?;
        let url = Url::parse(opened.upload_url.expose()).map_err(|_| Outcome::retry(codes::TARGET_FAILED))?;
        match self.fill(&url, (0, size), chunks).await {
            Ok(answer) => item_of(answer).await,
            Err(trouble) => {
                self.client.close_session(url).await;
                Err(upload_outcome(trouble))
            }
        }
    }

    /// Writes what a session has not yet, from a byte on, of a file of so many; `chunks` are all of it. The answer to the
    /// last part.
    pub(crate) async fn fill(
        &self,
        url: &Url,
        (begin, size): (u64, u64),
        chunks: Chunks,
    ) -> Result<HttpStreamed, Trouble> {
        let cutter = Cutter::new(chunks);
        let mut passed = cutter.piece(begin);
        while let Some(chunk) = passed.next().await {
            chunk.map_err(Trouble::Token)?;
        }
        let mut at = begin;
        loop {
            let length = PART.min(size - at);
            let part = FileBytes { size: Some(length), media_type: None, chunks: cutter.piece(length) };
            let range = format!("bytes {at}-{}/{size}", at + length - 1);
            match self.client.put_part(url.clone(), &range, Upload::raw(part)).await {
                Ok(answer) if answer.status == http::StatusCode::ACCEPTED => {
                    drop(answer.read(ANSWER_CAP).await);
                    at += length;
                    if at >= size {
                        return Err(Trouble::Garbled);
                    }
                }
                Ok(answer) => return Ok(answer),
                // Taken, though nobody said so.
                Err(Trouble::Http(HttpError::Lost { .. }))
                    if at + length < size && self.resumes_at(url).await.ok() == Some(at + length) =>
                {
                    at += length;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    async fn open_session(
        &self,
        session: &Session,
        owner: &Voice,
        target: &str,
    ) -> Result<UploadSession, Trouble> {
        let body = json!({ "item": { "@microsoft.graph.conflictBehavior": "rename" } });
        let url = self.client.graph_url(&format!("{target}/createUploadSession"));
        let call = Call::new(Method::POST, url).json(body.to_string().into_bytes());
        self.client.json_as(session, owner, &call).await
    }

    /// From which byte on a session wants more.
    pub(crate) async fn resumes_at(&self, url: &Url) -> Result<u64, Trouble> {
        let answer =
            self.client.fetch_open(url.clone()).await?.read(ANSWER_CAP).await.map_err(Trouble::Http)?;
        let state: UploadSession =
            serde_json::from_slice(answer.body.expose()).map_err(|_| Trouble::Garbled)?;
        let begin =
            state.next_expected_ranges.first().and_then(|range| range.split('-').next()?.parse().ok());
        begin.ok_or(Trouble::Garbled)
    }

    /// Whether the app may put files into the folder of a channel, as Graph itself tells: a session is opened and closed
    /// again without a byte. `None`: it cannot be told now.
    pub(crate) async fn may_share(&self, session: &Session, conversation: &Conversation) -> Option<bool> {
        let certain = |trouble: &Trouble| matches!(trouble.status(), Some(400..=404));
        let folder = match self.files_folder(session, conversation).await {
            Ok(folder) => folder,
            Err(trouble) => return certain(&trouble).then_some(false),
        };
        let drive = segment(&folder.parent_reference.drive_id);
        let target = format!("drives/{drive}/items/{}:/{}:", segment(&folder.id), segment("dragoman.tmp"));
        match self.open_session(session, &Voice::App, &target).await {
            Ok(opened) => {
                if let Ok(url) = Url::parse(opened.upload_url.expose()) {
                    self.client.close_session(url).await;
                }
                Some(true)
            }
            Err(trouble) => certain(&trouble).then_some(false),
        }
    }

    /// The file that a message of ours names: its path in Graph, where the app made it and it lies in the channel's
    /// library or in the drive of whoever sent it to the chat. What an author linked to is somebody's own document.
    pub(crate) async fn linked_item(
        &self,
        session: &Session,
        conversation: &Conversation,
        post: &Post,
        address: &str,
    ) -> Option<String> {
        if let Some(path) = self.memory.lost(&post.marker) {
            return Some(path);
        }
        let item = match owner(&post.conversation, &post.spokesman)? {
            Voice::App => self.own_item(session, conversation, address).await,
            person @ Voice::Person(_) => self.item_of_speaker(session, &person, address).await,
        };
        let app_id = session.app.fact("app_id");
        item.ok().flatten().filter(|item| item.is_made_by(app_id)).map(|item| item.path())
    }

    /// Deletes the file beside a copy.
    pub(crate) async fn discard_file(
        &self,
        session: &Session,
        conversation: &Conversation,
        spokesman: &Spokesman,
        path: &str,
    ) -> Outcome {
        // The app could delete from anybody's drive: what it put nowhere is not its to delete.
        let Some(owner) = owner(&conversation.remote, spokesman) else {
            return Outcome::Refused(codes::NOT_CARRIED);
        };
        let outcome = self.remove_item(session, &owner, path).await;
        blamed(outcome, &owner, spokesman, Outcome::retry)
    }

    /// Deletes a file by its path in Graph.
    async fn remove_item(&self, session: &Session, owner: &Voice, path: &str) -> Outcome {
        let call = Call::new(Method::DELETE, self.client.graph_url(path));
        match self.client.graph(session, owner, &call).await {
            Ok(_) => Outcome::done(),
            Err(trouble) if trouble.status() == Some(404) => Outcome::done(),
            // Somebody has it open, perhaps for days: the message does not wait.
            Err(trouble) if trouble.status() == Some(423) => Outcome::Refused(codes::FILE_REFUSED),
            Err(trouble) => trouble.outcome(Doing::Delete),
        }
    }
}

/// The file that an upload made.
async fn item_of(answer: HttpStreamed) -> Result<Item, Outcome> {
    let answer = answer.read(ANSWER_CAP).await.map_err(HttpError::into_repeatable_outcome)?;
    let item: Item = serde_json::from_slice(answer.body.expose()).unwrap_or_default();
    if item.id.is_empty() || item.web_url.is_empty() {
        return Err(Outcome::retry(codes::TARGET_FAILED));
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: &str, link: Option<&str>) -> FileRef {
        let name = "a".to_owned();
        FileRef { id: id.to_owned(), name, media_type: None, size: None, permalink: link.map(str::to_owned) }
    }

    #[test]
    fn a_file_tells_where_its_bytes_are() {
        let site = "https://x.sharepoint.com/a.txt";
        let hosted = "https://graph.microsoft.com/v1.0/chats/c/messages/1/hostedContents/h/$value";
        let shown = "https://smba.trafficmanager.net/v3/attachments/1/views/original";
        for (id, link, expected) in [
            ("guid", Some(site), Some(Source::Shared(site))),
            ("guid", None, None),
            (hosted, Some("https://teams.microsoft.com/l"), Some(Source::Hosted(hosted))),
            (shown, None, Some(Source::Bot(shown))),
            ("guid download:https://x.sharepoint.com/a.txt", Some("https://y"), Some(Source::Open(site))),
            ("guid sent:ana", Some(site), Some(Source::Shared(site))),
            (site, Some(site), Some(Source::Bot(site))),
        ] {
            assert!(source(&file(id, link)) == expected, "{id} {link:?}");
        }
    }

    #[test]
    fn sharing_tokens_are_as_published() {
        assert_eq!(
            sharing_token("https://onedrive.live.com/redir?resid=1"),
            "u!aHR0cHM6Ly9vbmVkcml2ZS5saXZlLmNvbS9yZWRpcj9yZXNpZD0x"
        );
    }

    #[test]
    fn names_become_names_of_files() {
        assert_eq!(file_name("a:b/c?.txt"), "a_b_c_.txt");
        assert_eq!(file_name(" ..Größe\u{7} (1). "), "..Größe (1)");
        assert_eq!(file_name("~$doc.docx"), "doc.docx");
        for empty in ["", " ", "...", "\u{0}"] {
            assert_eq!(file_name(empty), "file", "{empty:?}");
        }
    }
}
