//! Files: stored, shared, deleted, downloaded from the file host.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::extract::{Path, Query, State as Extract};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use super::desk::Desk;
use super::engine::Engine;
use super::error::{ApiError, refuse};
use super::events::Audience;
use super::state::File;
use crate::core::Blob;
use crate::core::world::lock;

/// What proves that the simulator made a download address.
pub fn proof(file: &str, expires: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"simulated download addresses");
    hex::encode(hmac::sign(&key, format!("{file} {expires}").as_bytes()))
}

impl Desk<'_> {
    /// Whether the person's account lets files be sent.
    ///
    /// # Errors
    /// When it does not.
    pub fn files_allowed(&self, user: &str) -> Result<(), ApiError> {
        let account = &self.state.person(user)?.account;
        if self.state.accounts.get(account).is_none_or(|account| account.files_allowed) {
            return Ok(());
        }
        Err(refuse(400, 5_403, "Account settings do not allow files to be sent."))
    }

    /// Keeps a file; its id.
    pub fn store_file(&mut self, owner: &str, name: &str, bytes: Blob) -> String {
        let id = self.world.alnum(22);
        let file = File {
            id: id.clone(),
            name: name.to_owned(),
            bytes,
            owner: owner.to_owned(),
            created: self.now,
            deleted: false,
        };
        self.state.files.insert(id.clone(), file);
        let files = self.views().event_files(std::slice::from_ref(&id));
        self.emit_to(
            "team_chat.file_uploaded",
            "",
            owner,
            json!({"files": files}),
            Audience::People(vec![owner.to_owned()]),
        );
        id
    }

    /// A file is deleted; messages keep their text.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_file(&mut self, id: &str) -> Result<(), ApiError> {
        let gone = || refuse(404, 404, "Resource not found.");
        let files = self.views().event_files(&[id.to_owned()]);
        let file = self.state.files.get_mut(id).filter(|file| !file.deleted).ok_or_else(gone)?;
        file.deleted = true;
        let owner = file.owner.clone();
        let object = json!({"files": files});
        self.emit_to("team_chat.file_deleted", "", &owner, object, Audience::People(vec![owner.clone()]));
        Ok(())
    }

    /// A custom emoji is made; its file id.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn add_emoji(&mut self, user: &str, name: &str) -> Result<String, ApiError> {
        let account = self.state.person(user)?.account.clone();
        let id = self.world.alnum(22);
        if let Some(account) = self.state.accounts.get_mut(&account) {
            if account.emoji.values().any(|known| known == name) {
                return Err(refuse(409, 30_010, "Duplicate custom emoji name."));
            }
            account.emoji.insert(id.clone(), name.to_owned());
        }
        self.emoji_event("team_chat.emoji_added", user, name, &id);
        Ok(id)
    }

    /// A custom emoji is removed.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove_emoji(&mut self, user: &str, id: &str) -> Result<(), ApiError> {
        let account = self.state.person(user)?.account.clone();
        let name = self.state.accounts.get_mut(&account).and_then(|account| account.emoji.shift_remove(id));
        let name = name.ok_or_else(|| refuse(404, 5_404, "Custom emoji does not exist."))?;
        self.emoji_event("team_chat.emoji_removed", user, &name, id);
        Ok(())
    }

    fn emoji_event(&mut self, event: &'static str, user: &str, name: &str, id: &str) {
        let object = json!({"name": name, "file_id": id});
        self.emit_to(event, "", user, object, Audience::People(vec![user.to_owned()]));
    }
}

/// `GET /file/download/{id}` on the file host: the signed part of the address is what lets one in.
pub async fn download(
    Extract(engine): Extract<Arc<Engine>>,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let token = query.get("jwt").map(String::as_str).unwrap_or_default();
    let Some((expires, given)) = token.split_once('.') else { return StatusCode::FORBIDDEN.into_response() };
    let expires: i64 = expires.parse().unwrap_or(0);
    if given != proof(&id, expires) || expires <= engine.world.clock.seconds() {
        return StatusCode::FORBIDDEN.into_response();
    }
    if engine.config.doubts.download_needs_bearer {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let now = engine.world.clock.millis();
        let state = lock(&engine.state);
        if state.tokens.get(text).is_none_or(|token| token.revoked || token.expires <= now) {
            return StatusCode::UNAUTHORIZED.into_response();
        }
    }
    serve(&engine, &id)
}

/// A file's content.
pub fn serve(engine: &Engine, id: &str) -> Response {
    let state = lock(&engine.state);
    let Some(file) = state.files.get(id).filter(|file| !file.deleted) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match file.extension().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "txt" => "text/plain; charset=utf-8",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind)], file.bytes.body()).into_response()
}
