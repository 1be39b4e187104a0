//! Grants and tokens: what the consent page and the token address do to the state.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::config::{AppKind, SeedApp};
use super::desk::{Desk, iso};
use super::error::ApiError;
use super::events::Outgoing;
use super::state::{Code, Grant, Refresh, Token, TokenKind};

/// Why no token was given: status, `reason`, `error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenError {
    /// HTTP status.
    pub status: u16,
    /// `reason`.
    pub reason: String,
    /// `error`.
    pub error: &'static str,
}

/// A refusal of the token address.
pub fn denied(status: u16, reason: &str, error: &'static str) -> TokenError {
    TokenError { status, reason: reason.to_owned(), error }
}

fn invalid_grant() -> TokenError {
    denied(400, "Invalid Token!", "invalid_grant")
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn token_text(desk: &Desk<'_>, what: &str) -> String {
    // Their form is that of Zoom's: a long text in three parts.
    format!(
        "eyJzdiI6IjAwMDAwMSIsImFsZyI6IkhTNTEyIn0.{}.{what}{}",
        desk.world.alnum(180),
        desk.world.alnum(80)
    )
}

fn words(scopes: &BTreeSet<String>) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

impl Desk<'_> {
    fn api_url(&self) -> String {
        self.config.api_url.clone().unwrap_or_else(|| self.base.to_owned())
    }

    fn access(&mut self, token: Token) -> Value {
        let life = self.config.timing.token_life.as_secs();
        let answer = json!({"access_token": token.text, "token_type": "bearer", "expires_in": life,
            "scope": words(&token.scopes), "api_url": self.api_url()});
        self.state.tokens.insert(token.text.clone(), token);
        answer
    }

    fn pair(&mut self, app: &SeedApp, user: &str, fixed: Option<(&str, &str)>) -> Result<Value, TokenError> {
        let grant = self
            .state
            .grants
            .iter()
            .find(|grant| grant.app_id == app.app_id && grant.user == user)
            .ok_or_else(invalid_grant)?
            .clone();
        let (access, refresh) = match fixed {
            Some((access, refresh)) => (access.to_owned(), refresh.to_owned()),
            None => (token_text(self, "a"), token_text(self, "r")),
        };
        let expires = self.now + millis(self.config.timing.refresh_life);
        self.state.refreshes.insert(
            refresh.clone(),
            Refresh { app_id: app.app_id.clone(), user: user.to_owned(), expires, dead_from: None },
        );
        let mut answer = self.access(Token {
            text: access,
            kind: TokenKind::User,
            app_id: app.app_id.clone(),
            account: grant.account,
            user: user.to_owned(),
            scopes: grant.scopes,
            expires: self.now + millis(self.config.timing.token_life),
            revoked: false,
        });
        answer["refresh_token"] = json!(refresh);
        Ok(answer)
    }

    /// Somebody authorises an app: older tokens of the same person for the same app die.
    ///
    /// # Errors
    /// When the person is unknown.
    pub fn grant(&mut self, app: &SeedApp, user: &str) -> Result<(), ApiError> {
        let account = self.state.person(user)?.account.clone();
        let new = !self.state.is_installed(&app.app_id, &account);
        self.forget(&app.app_id, user);
        self.state.grants.push(Grant {
            app_id: app.app_id.clone(),
            account: account.clone(),
            user: user.to_owned(),
            scopes: app.scopes.iter().cloned().collect(),
        });
        if let Some(robot) = app.robot_jid.as_ref().filter(|_| new) {
            let person = self.state.person(user)?;
            let payload = json!({"accountId": account, "robotJid": robot, "timestamp": self.now,
                "userId": person.id, "userJid": person.jid(), "userName": person.display_name});
            self.tell_bot(&app.app_id, "bot_installed", "", payload);
        }
        Ok(())
    }

    /// The tokens of an installation that exists from the start.
    ///
    /// # Errors
    /// When the person is unknown.
    pub fn grant_with(
        &mut self,
        app: &SeedApp,
        user: &str,
        access: &str,
        refresh: &str,
    ) -> Result<(), ApiError> {
        self.grant(app, user)?;
        // The grant was made just now, so the pair can be.
        drop(self.pair(app, user, Some((access, refresh))));
        Ok(())
    }

    fn forget(&mut self, app_id: &str, user: &str) {
        self.state.grants.retain(|grant| grant.app_id != app_id || grant.user != user);
        self.state.refreshes.retain(|_, refresh| refresh.app_id != app_id || refresh.user != user);
        for token in self.state.tokens.values_mut() {
            if token.app_id == app_id && token.user == user && token.kind == TokenKind::User {
                token.revoked = true;
            }
        }
    }

    /// `authorization_code`.
    ///
    /// # Errors
    /// When the code is unknown, used, five minutes old, or was asked for otherwise.
    pub fn redeem(
        &mut self,
        app: &SeedApp,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
    ) -> Result<Value, TokenError> {
        let Some(code) = self.state.codes.shift_remove(code) else {
            return Err(denied(400, "Invalid authorization code", "invalid_grant"));
        };
        let Code { app_id, user, redirect_uri: asked, challenge, expires } = code;
        if app_id != app.app_id || expires <= self.now {
            return Err(denied(400, "Invalid authorization code", "invalid_grant"));
        }
        if redirect_uri != asked {
            return Err(denied(400, "Redirect URI mismatch.", "invalid_request"));
        }
        match (challenge, verifier) {
            (None, _) => {}
            (Some((challenge, hashed)), Some(verifier))
                if super::oauth::proves(&challenge, hashed, verifier) => {}
            (Some(_), _) => return Err(denied(400, "Code verifier does not match.", "invalid_grant")),
        }
        self.grant(app, &user).map_err(|_| denied(400, "User does not exist.", "invalid_grant"))?;
        self.pair(app, &user, None)
    }

    /// `refresh_token`: the old one is dead afterwards.
    ///
    /// # Errors
    /// When it is unknown, dead, too old, or the grant is gone.
    pub fn refresh(&mut self, app: &SeedApp, text: &str) -> Result<Value, TokenError> {
        let now = self.now;
        let grace = millis(self.config.doubts.refresh_grace);
        let known = self.state.refreshes.get_mut(text).ok_or_else(invalid_grant)?;
        let dead = known.dead_from.is_some_and(|from| from <= now);
        if known.app_id != app.app_id || dead || known.expires <= now {
            return Err(invalid_grant());
        }
        known.dead_from.get_or_insert(now + grace);
        let user = known.user.clone();
        self.pair(app, &user, None)
    }

    /// `client_credentials`: the app itself.
    ///
    /// # Errors
    /// For server-to-server apps, which cannot have a bot.
    pub fn client_token(&mut self, app: &SeedApp) -> Result<Value, TokenError> {
        if app.kind == AppKind::ServerToServer {
            return Err(denied(400, "unsupported grant type", "unsupported_grant_type"));
        }
        let scopes =
            app.scopes.iter().filter(|scope| *scope == "imchat:bot").cloned().collect::<BTreeSet<_>>();
        let text = token_text(self, "c");
        Ok(self.access(Token {
            text,
            kind: TokenKind::Client,
            app_id: app.app_id.clone(),
            account: String::new(),
            user: String::new(),
            scopes,
            expires: self.now + millis(self.config.timing.token_life),
            revoked: false,
        }))
    }

    /// `account_credentials`: a server-to-server app in its own account.
    ///
    /// # Errors
    /// For other apps and other accounts.
    pub fn account_token(&mut self, app: &SeedApp, account: &str) -> Result<Value, TokenError> {
        if app.kind != AppKind::ServerToServer {
            return Err(denied(400, "unsupported grant type", "unsupported_grant_type"));
        }
        if app.account.as_deref() != Some(account) {
            return Err(denied(400, "Bad Request", "invalid_request"));
        }
        let text = token_text(self, "s");
        Ok(self.access(Token {
            text,
            kind: TokenKind::Account,
            app_id: app.app_id.clone(),
            account: account.to_owned(),
            user: String::new(),
            scopes: app.scopes.iter().cloned().collect(),
            expires: self.now + millis(self.config.timing.token_life),
            revoked: false,
        }))
    }

    /// Revokes an access or a refresh token of the app, and the grant with it.
    ///
    /// # Errors
    /// When the token is unknown.
    pub fn revoke(&mut self, app: &SeedApp, text: &str) -> Result<(), TokenError> {
        let access = self.state.tokens.get(text).filter(|token| !token.revoked);
        let user = access
            .filter(|token| token.app_id == app.app_id)
            .map(|token| token.user.clone())
            .or_else(|| {
                let refresh = self.state.refreshes.get(text)?;
                (refresh.app_id == app.app_id).then(|| refresh.user.clone())
            })
            .ok_or_else(invalid_grant)?;
        if user.is_empty() {
            if let Some(token) = self.state.tokens.get_mut(text) {
                token.revoked = true;
            }
        } else {
            self.forget(&app.app_id, &user);
        }
        Ok(())
    }

    /// Somebody removes an app: tokens are dead at once, the app is told.
    pub fn deauthorize(&mut self, app: &SeedApp, user: &str) {
        let Some(grant) =
            self.state.grants.iter().find(|grant| grant.app_id == app.app_id && grant.user == user).cloned()
        else {
            return;
        };
        self.forget(&app.app_id, user);
        if !self.config.doubts.deauthorization_sent {
            return;
        }
        let stamp = iso(self.now);
        let words = stamp.replace('T', " ").replace('Z', "");
        // The example of this event has no `event_ts` on top, but one inside, as a text.
        let body = json!({"event": "app_deauthorized", "payload": {"account_id": grant.account, "user_id": user,
            "signature": self.world.hex(64), "deauthorization_time": stamp, "client_id": app.client_id,
            "event_ts": words}});
        self.state.outbox.push(Outgoing::Deauthorized { app_id: app.app_id.clone(), body });
    }
}
