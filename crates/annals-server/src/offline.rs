//! The users, keys and holds of a store that no server has open.

use std::path::Path;

use annals_engine::{Engine, Options};
use serde_json::{Map, Value, json};

use crate::api::native::{holds, keys};
use crate::auth::Identities;
use crate::auth::grant::shown_time;
use crate::auth::users::{NewUser, UserRecord};
use crate::config::Limits;
use crate::deed::Deed;
use crate::error::{Error, Failure, Result};
use crate::internal::Internal;
use crate::params::Params;

/// What a new user is to be; see `docs/api.md`, "Users", for what each may be.
#[derive(Clone, Debug, Default)]
pub struct UserSettings {
    /// The name to log in with.
    pub username: String,
    /// At least one.
    pub scopes: Vec<String>,
    /// The realms it is limited to.
    pub realms: Option<Vec<String>>,
    /// The organisations it is limited to.
    pub orgs: Option<Vec<String>>,
    /// Whom its events name; the username if absent.
    pub user_id: Option<String>,
    /// RFC 3339.
    pub expires_at: Option<String>,
}

/// A user as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    /// The name to log in with.
    pub username: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The realms it is limited to.
    pub realms: Option<Vec<String>>,
    /// The organisations it is limited to.
    pub orgs: Option<Vec<String>>,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
}

/// A store that this process has open, and no server. What is done here is in the internal store as what
/// a server does is.
struct Opened {
    engine: Engine,
    internal: Internal,
    identities: Identities,
}

impl Opened {
    fn open(directory: &Path) -> Result<Self> {
        let engine = Engine::open(Options { background: false, ..Options::new(directory) })?;
        let internal = Internal::open(&engine)?;
        let identities = Identities::load(&engine, None)?;
        Ok(Self { engine, internal, identities })
    }

    fn close(self) -> Result<()> {
        let closed = self.engine.close();
        self.internal.close()?;
        Ok(closed?)
    }
}

/// The users of a store that this process has open, and no server.
pub struct StoreUsers(Opened);

/// The keys of a store that this process has open, and no server.
pub struct StoreKeys(Opened);

impl StoreKeys {
    /// Opens the store in `directory`.
    ///
    /// # Errors
    /// As [`StoreUsers::open`].
    pub fn open(directory: &Path) -> Result<Self> {
        Opened::open(directory).map(Self)
    }

    /// What recovery did when the store was opened, a sentence each.
    pub fn recovery_notes(&self) -> &[String] {
        self.0.engine.recovery_notes()
    }

    /// Every key, as `GET /annals/v1/keys` answers.
    pub fn list(&self) -> Value {
        let list = self.0.identities.keys.list();
        json!({"keys": list.iter().map(|(record, used)| keys::shown(record, *used)).collect::<Vec<_>>()})
    }

    /// Makes a key as `POST /annals/v1/keys` does, with the same body and answer; durable on return. The
    /// answer's `key` is told this once.
    ///
    /// # Errors
    /// A setting is wrong, there are too many keys, or the store refuses.
    pub fn add(&self, body: &Map<String, Value>) -> Result<Value> {
        let Opened { engine, internal, identities } = &self.0;
        let new = keys::parse(body, engine.options().clock.now_us()).map_err(|failure| refused(&failure))?;
        let (record, key) = identities.add_key(engine, new).map_err(|failure| refused(&failure))?;
        internal.record(&keys::about(Deed::of_the_command_line("key.created"), &record));
        Ok(keys::with_secret(&record, key))
    }

    /// Revokes a key; durable on return.
    ///
    /// # Errors
    /// There is none of that id, or the store refuses.
    pub fn revoke(&self, id: &str) -> Result<()> {
        let Opened { engine, internal, identities } = &self.0;
        identities.revoke_key(engine, id).map_err(|failure| refused(&failure))?;
        internal.record(&Deed::of_the_command_line("key.revoked").on("key", id));
        Ok(())
    }

    /// Closes the store.
    ///
    /// # Errors
    /// A last sync fails: the next open recovers.
    pub fn close(self) -> Result<()> {
        self.0.close()
    }
}

/// The legal holds of a store that this process has open, and no server.
pub struct StoreHolds(Opened);

impl StoreHolds {
    /// Opens the store in `directory`.
    ///
    /// # Errors
    /// As [`StoreUsers::open`].
    pub fn open(directory: &Path) -> Result<Self> {
        Opened::open(directory).map(Self)
    }

    /// What recovery did when the store was opened, a sentence each.
    pub fn recovery_notes(&self) -> &[String] {
        self.0.engine.recovery_notes()
    }

    /// Every hold, as `GET /annals/v1/holds` answers. Nobody waits for a server, so that it takes its time.
    ///
    /// # Errors
    /// A segment is damaged.
    pub fn list(&self) -> Result<Value> {
        holds::all(&self.0.engine, &|| false).map_err(|failure| refused(&failure))
    }

    /// Places a hold as `PUT /annals/v1/holds/{name}` does, `query` being that of its target, and gives its answer;
    /// durable on return.
    ///
    /// # Errors
    /// The filter or the name is wrong, the name has another filter, or the store refuses.
    pub fn place(&self, name: &str, query: &str) -> Result<Value> {
        let Opened { engine, internal, .. } = &self.0;
        let placed = || {
            let limits = Limits::default();
            let filter = holds::asked(&Params::parse(Some(query))?, &limits)?;
            holds::set(engine, name, &filter)?;
            internal.record(&Deed::of_the_command_line("hold.placed").filter(query).on("hold", name));
            holds::one(engine, name, &|| false)
        };
        placed().map_err(|failure| refused(&failure))
    }

    /// Ends a hold; durable on return.
    ///
    /// # Errors
    /// There is none of that name, or the store refuses.
    pub fn release(&self, name: &str) -> Result<()> {
        let Opened { engine, internal, .. } = &self.0;
        holds::end(engine, name).map_err(|failure| refused(&failure))?;
        internal.record(&Deed::of_the_command_line("hold.released").on("hold", name));
        Ok(())
    }

    /// Closes the store.
    ///
    /// # Errors
    /// A last sync fails: the next open recovers.
    pub fn close(self) -> Result<()> {
        self.0.close()
    }
}

impl StoreUsers {
    /// Opens the store in `directory`.
    ///
    /// # Errors
    /// [`Error::Engine`] of the kind `Locked` if a server has it open; it or its internal store cannot be
    /// opened.
    pub fn open(directory: &Path) -> Result<Self> {
        Opened::open(directory).map(Self)
    }

    /// What recovery did when the store was opened, a sentence each.
    pub fn recovery_notes(&self) -> &[String] {
        self.0.engine.recovery_notes()
    }

    /// Every user, by name.
    pub fn list(&self) -> Vec<UserInfo> {
        self.0.identities.users.list().into_iter().map(|(record, _)| record.into()).collect()
    }

    /// Makes a user; durable on return.
    ///
    /// # Errors
    /// A setting is wrong, there is a user of that name, or the store refuses.
    pub fn add(&self, settings: &UserSettings, password: &str) -> Result<UserInfo> {
        let UserSettings { username, scopes, realms, orgs, user_id, expires_at } = settings;
        let body = [
            ("username", json!(username)),
            ("password", json!(password)),
            ("scopes", json!(scopes)),
            ("realms", json!(realms)),
            ("orgs", json!(orgs)),
            ("user_id", json!(user_id)),
            ("expires_at", json!(expires_at)),
        ];
        let body: Map<_, _> = body.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let new = NewUser::parse(&body, self.0.engine.options().clock.now_us()).map_err(|failure| refused(&failure))?;
        let record = self.0.identities.add_user(&self.0.engine, new).map_err(|failure| refused(&failure))?;
        let deed = Deed::of_the_command_line("user.created").on("user", username.as_str());
        self.0.internal.record(&deed.detail("grant", record.grant.shown()));
        Ok(record.into())
    }

    /// Removes a user; durable on return.
    ///
    /// # Errors
    /// There is none of that name, or the store refuses.
    pub fn remove(&self, username: &str) -> Result<()> {
        self.0.identities.remove_user(&self.0.engine, username).map_err(|failure| refused(&failure))?;
        self.0.internal.record(&Deed::of_the_command_line("user.removed").on("user", username));
        Ok(())
    }

    /// Closes the store.
    ///
    /// # Errors
    /// A last sync fails: the next open recovers.
    pub fn close(self) -> Result<()> {
        self.0.close()
    }
}

impl From<UserRecord> for UserInfo {
    fn from(record: UserRecord) -> Self {
        let grant = record.grant;
        Self {
            username: record.username,
            scopes: grant.scopes,
            realms: grant.realms,
            orgs: grant.orgs,
            expires_at: grant.expires_at_us.map(shown_time),
            created_at: shown_time(record.created_at_us),
        }
    }
}

fn refused(failure: &Failure) -> Error {
    Error::config(failure.message.clone())
}
