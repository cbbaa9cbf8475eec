//! The keys of a store: what is kept of each, and how a presented one is recognised.
//!
//! Only the SHA-256 of a secret is kept. Secrets have 256 random bits, so a fast hash is enough;
//! the administrator's key of the settings is compared in the same way and never kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Principal;
use super::grant::Grant;
use super::hex::{from_hex, to_hex};
use crate::error::{Error, Result};
use crate::rates::OwnRates;

/// Where the keys are kept in the store.
pub(crate) const BLOB: &str = "keys";
const PREFIX: &str = "ann_";
const SECRET_BYTES: usize = 32;
/// More keys than any installation needs; the file is written whole at each change.
pub(crate) const KEYS_MAX: usize = 10_000;

/// What is kept of a key.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    /// Public: it finds the record and names it in lists.
    pub(crate) id: String,
    /// Hex of the secret's SHA-256.
    secret_sha256: String,
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) grant: Grant,
    #[serde(flatten)]
    pub(crate) rates: OwnRates,
    pub(crate) created_at_us: i64,
}

/// What a new key is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewKey {
    pub(crate) name: String,
    pub(crate) grant: Grant,
    pub(crate) rates: OwnRates,
}

/// A key in memory.
#[derive(Debug)]
struct Held {
    record: KeyRecord,
    secret: [u8; 32],
    /// In memory only: writing it down would cost a sync per request. 0 is never.
    last_used_us: AtomicI64,
}

/// The keys of a store. A revoked key is refused from the next request on.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    held: RwLock<HashMap<String, Held>>,
    /// SHA-256 of the administrator's key of the settings.
    admin: RwLock<Option<[u8; 32]>>,
}

impl Keys {
    /// Reads what [`Keys::to_bytes_with`] and [`Keys::to_bytes_without`] wrote.
    ///
    /// # Errors
    /// The bytes are no list of keys.
    pub(crate) fn load(stored: Option<&[u8]>, admin_key: Option<&str>) -> Result<Self> {
        let records: Vec<KeyRecord> = match stored {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| Error::State(format!("the list of keys in the store cannot be read: {error}")))?,
            None => Vec::new(),
        };
        let mut held = HashMap::new();
        for record in records {
            let secret = from_hex::<32>(&record.secret_sha256)
                .ok_or_else(|| Error::State(format!("the hash of key {} in the store is no SHA-256", record.id)))?;
            held.insert(record.id.clone(), Held { record, secret, last_used_us: AtomicI64::new(0) });
        }
        Ok(Self { held: RwLock::new(held), admin: RwLock::new(admin_key.map(hashed)) })
    }

    /// Another administrator's key of the settings, or none, from the next request on.
    pub(crate) fn set_admin(&self, admin_key: Option<&str>) {
        *self.admin.write() = admin_key.map(hashed);
    }

    /// Whether the settings have an administrator's key.
    pub(crate) fn has_set_admin(&self) -> bool {
        self.admin.read().is_some()
    }

    /// Whether a stored key, one that is not limited, can administer this store.
    pub(crate) fn has_stored_admin(&self, now_us: i64) -> bool {
        self.held.read().values().any(|held| held.record.grant.administers(now_us))
    }

    /// Whose key this is. Takes as long for an unknown id as for a wrong secret.
    pub(crate) fn recognise(&self, key: &str, now_us: i64) -> Option<Principal> {
        let is_admin = self.admin.read().is_some_and(|hash| bool::from(hash.ct_eq(&sha256(key.as_bytes()))));
        if is_admin {
            return Some(Principal::admin());
        }
        let (id, secret) = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).unwrap_or(("", key));
        let presented = sha256(secret.as_bytes());
        let held = self.held.read();
        let found = held.get(id);
        let expected = found.map_or([0; 32], |held| held.secret);
        let equal = bool::from(expected.ct_eq(&presented));
        let held = found.filter(|held| equal && !held.record.grant.expired(now_us))?;
        held.last_used_us.store(now_us, Ordering::Relaxed);
        Some(held.principal())
    }

    /// Every key's record with the time of its last use since the start, by name and id.
    pub(crate) fn list(&self) -> Vec<(KeyRecord, Option<i64>)> {
        let held = self.held.read();
        let used = |held: &Held| Some(held.last_used_us.load(Ordering::Relaxed)).filter(|us| *us != 0);
        let mut list: Vec<_> = held.values().map(|held| (held.record.clone(), used(held))).collect();
        list.sort_by(|a, b| (&a.0.name, &a.0.id).cmp(&(&b.0.name, &b.0.id)));
        list
    }

    /// The record of the key `id`.
    pub(crate) fn record(&self, id: &str) -> Option<KeyRecord> {
        self.held.read().get(id).map(|held| held.record.clone())
    }

    pub(crate) fn len(&self) -> usize {
        self.held.read().len()
    }

    pub(crate) fn holds(&self, id: &str) -> bool {
        self.held.read().contains_key(id)
    }

    /// What to keep once `record` is added. The caller writes it down before it calls [`Keys::add`].
    pub(crate) fn to_bytes_with(&self, record: &KeyRecord) -> Result<Vec<u8>> {
        let mut records: Vec<_> = self.list().into_iter().map(|(record, _)| record).collect();
        records.push(record.clone());
        to_bytes(&records)
    }

    /// What to keep once the key `id` is gone.
    pub(crate) fn to_bytes_without(&self, id: &str) -> Result<Vec<u8>> {
        let records: Vec<_> = self.list().into_iter().map(|(record, _)| record).filter(|one| one.id != id).collect();
        to_bytes(&records)
    }

    pub(crate) fn add(&self, record: KeyRecord) {
        if let Some(secret) = from_hex::<32>(&record.secret_sha256) {
            let held = Held { secret, last_used_us: AtomicI64::new(0), record };
            self.held.write().insert(held.record.id.clone(), held);
        }
    }

    pub(crate) fn remove(&self, id: &str) {
        self.held.write().remove(id);
    }
}

impl Held {
    fn principal(&self) -> Principal {
        let id = &self.record.id;
        let principal = self.record.grant.principal(id.clone(), || format!("key:{id}"));
        Principal { rates: self.record.rates, ..principal }
    }
}

/// Makes a key: what to keep of it, and the key itself, to be shown once.
///
/// # Errors
/// The operating system has no random bytes.
pub(crate) fn make(new: NewKey, now_us: i64) -> Result<(KeyRecord, String)> {
    let mut id = [0; 6];
    let mut secret = [0; SECRET_BYTES];
    random(&mut id)?;
    random(&mut secret)?;
    let (id, secret) = (to_hex(&id), URL_SAFE_NO_PAD.encode(secret));
    let record = KeyRecord {
        secret_sha256: to_hex(&sha256(secret.as_bytes())),
        name: new.name,
        grant: new.grant,
        rates: new.rates,
        created_at_us: now_us,
        id,
    };
    let key = format!("{PREFIX}{}_{secret}", record.id);
    Ok((record, key))
}

/// Fills `bytes` from the operating system.
///
/// # Errors
/// It has none.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::Io("read random bytes".to_owned(), std::io::Error::other(error)))
}

fn to_bytes(records: &[KeyRecord]) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(records)
        .map_err(|error| Error::State(format!("the list of keys cannot be written: {error}")))
}

fn hashed(admin_key: &str) -> [u8; 32] {
    sha256(admin_key.as_bytes())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scope;
    use annals_engine::TenantScope;

    fn new_key(scopes: &[Scope]) -> NewKey {
        let scopes = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        NewKey { name: "n".to_owned(), grant: Grant { scopes, ..Grant::default() }, ..NewKey::default() }
    }

    #[test]
    fn a_made_key_is_recognised_until_it_is_removed_and_after_a_restart() {
        let keys = Keys::load(None, None).unwrap();
        let (record, key) = make(new_key(&[Scope::EventsRead]), 1).unwrap();
        let stored = keys.to_bytes_with(&record).unwrap();
        assert!(!String::from_utf8(stored.clone()).unwrap().contains(key.rsplit('_').next().unwrap()));
        assert!(keys.recognise(&key, 2).is_none());
        keys.add(record.clone());
        assert_eq!(keys.recognise(&key, 2).unwrap().user_id, format!("key:{}", record.id));
        assert_eq!(keys.list().first().unwrap().1, Some(2));
        let reopened = Keys::load(Some(&stored), None).unwrap();
        assert_eq!(reopened.recognise(&key, 2).unwrap().tenant, TenantScope::Unlimited);
        keys.remove(&record.id);
        assert!(keys.recognise(&key, 2).is_none());
    }

    #[test]
    fn wrong_keys_are_nobody() {
        let keys = Keys::load(None, Some("the-administrators-key")).unwrap();
        let mut new = new_key(&[Scope::Admin]);
        new.grant.expires_at_us = Some(10);
        let (record, key) = make(new, 1).unwrap();
        keys.add(record);
        assert!(keys.recognise(&key, 9).is_some());
        assert!(keys.recognise(&key, 10).is_none(), "expired");
        let cut = key.get(..key.len() - 1).unwrap();
        for wrong in ["", "ann_", "ann__", "the-administrators-kez", cut, &format!("{key}x"), "ann_000000000000_x"] {
            assert!(keys.recognise(wrong, 2).is_none(), "{wrong}");
        }
        assert_eq!(keys.recognise("the-administrators-key", 2).unwrap().user_id, "admin");
    }

    #[test]
    fn a_limited_key_administers_no_store() {
        let keys = Keys::load(None, None).unwrap();
        for (orgs, has_admin) in [(Some(vec!["o".to_owned()]), false), (None, true)] {
            let mut new = new_key(&[Scope::Admin]);
            new.grant.orgs = orgs;
            keys.add(make(new, 1).unwrap().0);
            assert_eq!(keys.has_stored_admin(2), has_admin);
        }
    }

    #[test]
    fn a_list_of_an_earlier_version_is_read() {
        let stored =
            br#"[{"id":"a","secret_sha256":"SHA","name":"n","scopes":["events:read"],"orgs":["o"],"user_id":"u",
            "expires_at_us":9,"created_at_us":1}]"#;
        let stored = String::from_utf8_lossy(stored).replace("SHA", &"ab".repeat(32));
        let keys = Keys::load(Some(stored.as_bytes()), None).unwrap();
        let (record, _) = keys.list().remove(0);
        assert_eq!((record.grant.user_id.as_deref(), record.grant.expires_at_us), (Some("u"), Some(9)));
        assert_eq!(record.grant.orgs, Some(vec!["o".to_owned()]));
    }

    #[test]
    fn a_damaged_list_is_said_to_be_one() {
        assert!(Keys::load(Some(b"{"), None).is_err());
        let bad = br#"[{"id":"a","secret_sha256":"zz","name":"n","scopes":[],"created_at_us":1}]"#;
        assert!(Keys::load(Some(bad), None).is_err());
    }
}
