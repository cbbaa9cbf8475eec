//! Everybody there is: keys, users, and the tokens that users have for their passwords. One table behind
//! all schemes and faces.

use annals_engine::Engine;
use axum::http::StatusCode;
use parking_lot::Mutex;

use super::Principal;
use super::keys::{self, KEYS_MAX, KeyRecord, Keys, NewKey};
use super::tokens::{self, Tokens};
use super::users::{self, NewUser, USERS_MAX, UserRecord, Users};
use crate::error::{Answer, Failure, Result};
use crate::state::kept_secret;

/// Who may call. Every change is durable before it holds, and holds from the next request on.
pub(crate) struct Identities {
    pub(crate) keys: Keys,
    pub(crate) users: Users,
    pub(crate) tokens: Tokens,
    /// Held while a list is written: two changes at once would lose one.
    change: Mutex<()>,
}

impl Identities {
    /// Reads those of a store.
    ///
    /// # Errors
    /// A list cannot be read.
    pub(crate) fn load(engine: &Engine, admin_key: Option<&str>) -> Result<Self> {
        Ok(Self {
            keys: Keys::load(engine.get_blob(keys::BLOB)?.as_deref(), admin_key)?,
            users: Users::load(engine.get_blob(users::BLOB)?.as_deref())?,
            tokens: Tokens::new(kept_secret(engine, tokens::BLOB)?),
            change: Mutex::new(()),
        })
    }

    /// Whether somebody can administer this store.
    pub(crate) fn has_admin(&self, now_us: i64) -> bool {
        self.keys.has_set_admin() || self.stored_admin(now_us)
    }

    /// The same without the administrator's key of the settings.
    pub(crate) fn stored_admin(&self, now_us: i64) -> bool {
        self.keys.has_stored_admin(now_us) || self.users.has_admin(now_us)
    }

    /// Whose key or token this is.
    pub(crate) fn recognise(&self, credential: &str, now_us: i64) -> Option<Principal> {
        let by_token = || self.users.principal(&self.tokens.read(credential, now_us)?, now_us);
        self.keys.recognise(credential, now_us).or_else(by_token)
    }

    /// Makes a key: its record, and the key itself, to be shown once.
    ///
    /// # Errors
    /// 400 if there are too many; what the store says.
    pub(crate) fn add_key(&self, engine: &Engine, new: NewKey) -> Answer<(KeyRecord, String)> {
        let _one_change_at_a_time = self.change.lock();
        if self.keys.len() >= KEYS_MAX {
            return Err(Failure::bad_body(format!("there are {KEYS_MAX} keys already: revoke some")));
        }
        let made = keys::make(new, engine.options().clock.now_us());
        let (record, key) = made.map_err(|error| Failure::internal(&error))?;
        let bytes = self.keys.to_bytes_with(&record).map_err(|error| Failure::internal(&error))?;
        // ORDER: durable first, so that a key that was handed out survives a crash.
        engine.put_blob(keys::BLOB, &bytes)?;
        self.keys.add(record.clone());
        Ok((record, key))
    }

    /// # Errors
    /// 404 if there is no such key; what the store says.
    pub(crate) fn revoke_key(&self, engine: &Engine, id: &str) -> Answer<()> {
        let _one_change_at_a_time = self.change.lock();
        if !self.keys.holds(id) {
            return Err(Failure::not_found("there is no such key"));
        }
        let bytes = self.keys.to_bytes_without(id).map_err(|error| Failure::internal(&error))?;
        engine.put_blob(keys::BLOB, &bytes)?;
        self.keys.remove(id);
        Ok(())
    }

    /// Makes a user. Hashes the password: takes tens of milliseconds.
    ///
    /// # Errors
    /// 409 if there is one of that name, 400 if there are too many; what the store says.
    pub(crate) fn add_user(&self, engine: &Engine, new: NewUser) -> Answer<UserRecord> {
        let record = new.into_record(engine.options().clock.now_us()).map_err(|error| Failure::internal(&error))?;
        let _one_change_at_a_time = self.change.lock();
        if self.users.holds(&record.username) {
            let message = "there is a user of this name already: remove it first";
            return Err(Failure::new(StatusCode::CONFLICT, "user_exists", message));
        }
        if self.users.len() >= USERS_MAX {
            return Err(Failure::bad_body(format!("there are {USERS_MAX} users already: remove some")));
        }
        let bytes = self.users.to_bytes_with(&record).map_err(|error| Failure::internal(&error))?;
        engine.put_blob(users::BLOB, &bytes)?;
        self.users.add(record.clone()).map_err(|error| Failure::internal(&error))?;
        Ok(record)
    }

    /// Removes a user and with it every token it has.
    ///
    /// # Errors
    /// 404 if there is no such user; what the store says.
    pub(crate) fn remove_user(&self, engine: &Engine, username: &str) -> Answer<()> {
        let _one_change_at_a_time = self.change.lock();
        if !self.users.holds(username) {
            return Err(Failure::not_found("there is no such user"));
        }
        let bytes = self.users.to_bytes_without(username).map_err(|error| Failure::internal(&error))?;
        engine.put_blob(users::BLOB, &bytes)?;
        self.users.remove(username);
        Ok(())
    }
}
