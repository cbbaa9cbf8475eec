//! The users of a store: who may have a token for a password.
//!
//! A user is a name, the hash of a password, and what a key has. Removing one and making one of the
//! same name makes another user: tokens name the id, which is never given again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Principal;
use super::grant::{Grant, only_known, text};
use super::hex::{from_hex, to_hex};
use super::keys::random;
use super::password::{self, PASSWORD_LEN_MAX, PASSWORD_LEN_MIN, PasswordHash};
use super::tokens::{Claim, USER_ID_LEN};
use crate::error::{Answer, Error, Failure, Result};

/// Where the users are kept in the store.
pub(crate) const BLOB: &str = "users";
/// More users than any installation needs; the file is written whole at each change.
pub(crate) const USERS_MAX: usize = 10_000;
const NAME_LEN_MAX: usize = 200;

/// What is kept of a user.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct UserRecord {
    /// Hex; named by tokens.
    id: String,
    pub(crate) username: String,
    password: PasswordHash,
    #[serde(flatten)]
    pub(crate) grant: Grant,
    pub(crate) created_at_us: i64,
}

/// What a new user is to be.
pub(crate) struct NewUser {
    pub(crate) username: String,
    password: String,
    grant: Grant,
}

/// A user in memory.
#[derive(Debug)]
struct Held {
    record: UserRecord,
    /// As of keys: in memory only, 0 is never.
    last_used_us: AtomicI64,
}

/// The users of a store. One that is removed is nobody from the next request on.
#[derive(Debug, Default)]
pub(crate) struct Users {
    table: RwLock<Table>,
}

/// Tokens come with ids, logins with names.
#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<[u8; USER_ID_LEN], Held>,
    ids: HashMap<String, [u8; USER_ID_LEN]>,
}

impl NewUser {
    /// Reads one from the body of a request.
    ///
    /// # Errors
    /// 400 naming what is missing or ill-typed.
    pub(crate) fn parse(body: &Map<String, Value>, now_us: i64) -> Answer<Self> {
        only_known(body, &["username", "password"])?;
        let username =
            text(body, "username", NAME_LEN_MAX)?.ok_or_else(|| Failure::invalid("username", "is required"))?;
        // A dot or two would be taken out of the path that removes the user.
        if username.chars().any(char::is_control) || username.trim() != username || [".", ".."].contains(&&*username) {
            let message = "must have no control characters, no blanks at its ends, and be neither . nor ..";
            return Err(Failure::invalid("username", message));
        }
        let password = match body.get("password") {
            None | Some(Value::Null) => return Err(Failure::invalid("password", "is required")),
            Some(Value::String(password)) if (PASSWORD_LEN_MIN..=PASSWORD_LEN_MAX).contains(&password.len()) => {
                password
            }
            Some(_) => {
                let message = format!("must be a text of {PASSWORD_LEN_MIN} to {PASSWORD_LEN_MAX} bytes");
                return Err(Failure::invalid("password", message));
            }
        };
        Ok(Self { username, password: password.clone(), grant: Grant::parse(body, now_us)? })
    }

    /// What to keep of it. Hashes the password: takes tens of milliseconds.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub(crate) fn into_record(self, now_us: i64) -> Result<UserRecord> {
        let mut id = [0; USER_ID_LEN];
        random(&mut id)?;
        Ok(UserRecord {
            id: to_hex(&id),
            username: self.username,
            password: PasswordHash::new(&self.password)?,
            grant: self.grant,
            created_at_us: now_us,
        })
    }
}

impl Users {
    /// Reads what [`Users::to_bytes_with`] and [`Users::to_bytes_without`] wrote.
    ///
    /// # Errors
    /// The bytes are no list of users.
    pub(crate) fn load(stored: Option<&[u8]>) -> Result<Self> {
        let records: Vec<UserRecord> = match stored {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| Error::State(format!("the list of users in the store cannot be read: {error}")))?,
            None => Vec::new(),
        };
        let users = Self::default();
        for record in records {
            record.password.check()?;
            users.add(record)?;
        }
        Ok(users)
    }

    /// Whether one of them can administer this store.
    pub(crate) fn has_admin(&self, now_us: i64) -> bool {
        self.table.read().by_id.values().any(|held| held.record.grant.administers(now_us))
    }

    /// The user of that name, if this is the password. Takes as long for an unknown name and for an
    /// expired user as for a wrong password: tens of milliseconds.
    ///
    /// # Errors
    /// There is no memory for a hash.
    pub(crate) fn log_in(&self, username: &str, password: &str, now_us: i64) -> Result<Option<(Claim, Grant)>> {
        if password.len() > PASSWORD_LEN_MAX {
            return Ok(None);
        }
        let found = self.table.read().find(username);
        let Some((id, record)) = found else {
            password::pretend(password)?;
            return Ok(None);
        };
        let good = record.password.matches(password)? && !record.grant.expired(now_us);
        Ok(good.then(|| (Claim { user: id, scopes: record.grant.scopes() }, record.grant)))
    }

    /// The caller that a token names, if that user is still there.
    pub(crate) fn principal(&self, claim: &Claim, now_us: i64) -> Option<Principal> {
        let table = self.table.read();
        let Held { record, last_used_us } = table.by_id.get(&claim.user)?;
        if record.grant.expired(now_us) {
            return None;
        }
        last_used_us.store(now_us, Ordering::Relaxed);
        let principal = record.grant.principal(format!("user:{}", record.username), || record.username.clone());
        Some(Principal { scopes: principal.scopes.limit(claim.scopes), ..principal })
    }

    /// Every user's record with the time of its last use since the start, by name.
    pub(crate) fn list(&self) -> Vec<(UserRecord, Option<i64>)> {
        let table = self.table.read();
        let used = |held: &Held| Some(held.last_used_us.load(Ordering::Relaxed)).filter(|us| *us != 0);
        let mut list: Vec<_> = table.by_id.values().map(|held| (held.record.clone(), used(held))).collect();
        list.sort_by(|a, b| a.0.username.cmp(&b.0.username));
        list
    }

    pub(crate) fn len(&self) -> usize {
        self.table.read().by_id.len()
    }

    pub(crate) fn holds(&self, username: &str) -> bool {
        self.table.read().ids.contains_key(username)
    }

    /// What to keep once `record` is added. The caller writes it down before it calls [`Users::add`].
    pub(crate) fn to_bytes_with(&self, record: &UserRecord) -> Result<Vec<u8>> {
        let mut records: Vec<_> = self.list().into_iter().map(|(record, _)| record).collect();
        records.push(record.clone());
        to_bytes(&records)
    }

    /// What to keep once this user is gone.
    pub(crate) fn to_bytes_without(&self, username: &str) -> Result<Vec<u8>> {
        let records = self.list().into_iter().map(|(record, _)| record);
        to_bytes(&records.filter(|one| one.username != username).collect::<Vec<_>>())
    }

    /// # Errors
    /// The record's id is none.
    pub(crate) fn add(&self, record: UserRecord) -> Result<()> {
        let id = from_hex(&record.id)
            .ok_or_else(|| Error::State(format!("the id of user {:?} in the store is none", record.username)))?;
        let mut table = self.table.write();
        table.ids.insert(record.username.clone(), id);
        table.by_id.insert(id, Held { record, last_used_us: AtomicI64::new(0) });
        Ok(())
    }

    pub(crate) fn remove(&self, username: &str) {
        let mut table = self.table.write();
        if let Some(id) = table.ids.remove(username) {
            table.by_id.remove(&id);
        }
    }
}

impl Table {
    fn find(&self, username: &str) -> Option<([u8; USER_ID_LEN], UserRecord)> {
        let id = self.ids.get(username)?;
        self.by_id.get(id).map(|held| (*id, held.record.clone()))
    }
}

fn to_bytes(records: &[UserRecord]) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(records)
        .map_err(|error| Error::State(format!("the list of users cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::{Scope, Scopes};

    const PASSWORD: &str = "correct horse";

    fn ada() -> Value {
        json!({"username": "ada", "password": PASSWORD, "scopes": ["events:read", "events:create"]})
    }

    fn record(body: &Value) -> UserRecord {
        NewUser::parse(body.as_object().unwrap(), 1).map_err(|failure| failure.message).unwrap().into_record(1).unwrap()
    }

    #[test]
    fn a_user_logs_in_until_it_is_removed_and_after_a_restart() {
        let users = Users::load(None).unwrap();
        let record = record(&ada());
        let stored = users.to_bytes_with(&record).unwrap();
        assert!(!String::from_utf8_lossy(&stored).contains(PASSWORD));
        users.add(record).unwrap();
        for users in [&users, &Users::load(Some(&stored)).unwrap()] {
            let (claim, _) = users.log_in("ada", PASSWORD, 2).unwrap().unwrap();
            let principal = users.principal(&claim, 2).unwrap();
            assert_eq!((&*principal.user_id, &*principal.key_id), ("ada", "user:ada"));
            assert!(users.log_in("ada", "correct horsf", 2).unwrap().is_none());
            assert!(users.log_in("bob", PASSWORD, 2).unwrap().is_none());
            users.remove("ada");
            assert!(users.principal(&claim, 2).is_none() && users.log_in("ada", PASSWORD, 2).unwrap().is_none());
        }
        let without = Users::load(Some(&stored)).unwrap().to_bytes_without("ada").unwrap();
        assert_eq!(Users::load(Some(&without)).unwrap().len(), 0);
    }

    #[test]
    fn a_user_of_the_same_name_is_another_one() {
        let users = Users::default();
        users.add(record(&ada())).unwrap();
        let (claim, _) = users.log_in("ada", PASSWORD, 2).unwrap().unwrap();
        users.remove("ada");
        users.add(record(&ada())).unwrap();
        assert!(users.principal(&claim, 2).is_none());
    }

    #[test]
    fn a_token_allows_no_more_than_the_user_may_and_not_after_its_expiry() {
        let users = Users::default();
        let mut body = ada();
        body["expires_at"] = json!("1970-01-01T00:00:00.000010Z");
        users.add(record(&body)).unwrap();
        let (claim, _) = users.log_in("ada", PASSWORD, 9).unwrap().unwrap();
        let greedy = Claim { scopes: Scopes::of(&[Scope::EventsRead, Scope::Admin]), ..claim };
        assert_eq!(users.principal(&greedy, 9).unwrap().scopes, Scopes::of(&[Scope::EventsRead]));
        assert!(users.principal(&claim, 10).is_none() && users.log_in("ada", PASSWORD, 10).unwrap().is_none());
    }

    #[test]
    fn mistakes_are_named() {
        for (key, value, place) in [
            ("username", json!(null), "username is required"),
            ("username", json!("a\nb"), "username must have no control characters"),
            ("username", json!(" a"), "username must have no control characters"),
            ("username", json!(".."), "username must have no control characters"),
            ("username", json!("a".repeat(201)), "username must be a text of 1 to 200 bytes"),
            ("password", json!(null), "password is required"),
            ("password", json!("1234567"), "password must be a text of 8 to 1024 bytes"),
            ("password", json!("p".repeat(1025)), "password must be a text of 8 to 1024 bytes"),
            ("scopes", json!([]), "scopes must hold at least one scope"),
            ("role", json!("x"), "role is not known; allowed are username, password, scopes"),
        ] {
            let mut body = ada();
            body[key] = value;
            let refused = NewUser::parse(body.as_object().unwrap(), 1).err().unwrap().message;
            assert!(refused.starts_with(place), "{refused}");
            assert!(!refused.contains("1234567") && !refused.contains("ppp"));
        }
    }
}
