//! Who is calling and what they may do and see.

mod credential;
pub(crate) mod grant;
pub(crate) mod hex;
mod identities;
pub(crate) mod keys;
pub(crate) mod password;
mod scope;
pub(crate) mod tenancy;
pub(crate) mod tokens;
pub(crate) mod users;
mod wrong_keys;

use std::net::IpAddr;

use annals_engine::TenantScope;
use axum::http::HeaderMap;

use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face::Face;
use crate::rates::OwnRates;
use crate::state::AppState;

pub(crate) use identities::Identities;
pub(crate) use scope::{Scope, Scopes};
pub(crate) use wrong_keys::WrongKeys;

/// The shortest administrator's key that is accepted from the environment.
pub(crate) const ADMIN_KEY_LEN_MIN: usize = 16;

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) user_id: String,
    /// The key's public part, `user:` and the name for the token of a user; empty for the administrator
    /// of the environment.
    pub(crate) key_id: String,
    pub(crate) scopes: Scopes,
    /// What it sees: a query cannot be built without it.
    pub(crate) tenant: TenantScope,
    /// What its key has instead of the settings' rates.
    pub(crate) rates: OwnRates,
}

impl Principal {
    pub(crate) fn admin() -> Self {
        Self {
            user_id: "admin".to_owned(),
            key_id: String::new(),
            scopes: Scopes::of(&[Scope::Admin]),
            tenant: TenantScope::Unlimited,
            rates: OwnRates::default(),
        }
    }

    /// What kind of caller it is.
    pub(crate) fn kind(&self) -> &'static str {
        kind_of(&self.user_id, &self.key_id)
    }

    /// The caller of an open route: may do nothing and sees nothing.
    pub(crate) fn nobody() -> Self {
        Self {
            user_id: String::new(),
            key_id: String::new(),
            scopes: Scopes::default(),
            tenant: TenantScope::Limited { realms: Vec::new(), orgs: Vec::new() },
            rates: OwnRates::default(),
        }
    }
}

/// What kind of caller has this user and key: `system` is nobody.
pub(crate) fn kind_of(user_id: &str, key_id: &str) -> &'static str {
    match key_id.split_once(':') {
        _ if user_id.is_empty() => "system",
        Some(("user", _)) => "user",
        Some(("proxy", _)) => "proxy",
        _ if key_id.is_empty() => "administrator",
        _ => "key",
    }
}

/// A key that names realms or organisations is limited to them; the other list then counts as empty.
pub(crate) fn tenant_of(realms: Option<&[String]>, orgs: Option<&[String]>) -> TenantScope {
    match (realms, orgs) {
        (None, None) => TenantScope::Unlimited,
        (realms, orgs) => TenantScope::Limited {
            realms: realms.unwrap_or_default().to_vec(),
            orgs: orgs.unwrap_or_default().to_vec(),
        },
    }
}

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A key or a token that is good, whatever it may do.
    AnyKey,
    /// A key with this scope, or with `admin`.
    Needs(Scope),
    /// A key with this scope that sees the whole store. A limited one could otherwise make itself an
    /// unlimited one, or learn what lies outside of its limits.
    NeedsWholeStore(Scope),
}

/// Decides who calls: 401 without a valid key, 403 without the scope or, for what concerns
/// the whole store, with a limited key, 429 after too many wrong keys.
pub(crate) fn authorise(
    state: &AppState,
    face: &Face,
    access: Access,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
) -> Answer<Principal> {
    let (scope, whole_store) = match access {
        Access::Open => return Ok(Principal::nobody()),
        Access::AnyKey => return identify(state, face, headers, peer),
        Access::Needs(scope) => (scope, false),
        Access::NeedsWholeStore(scope) => (scope, true),
    };
    let principal = identify(state, face, headers, peer)?;
    if !principal.scopes.allow(scope) {
        return Err(Failure::lacks(scope));
    }
    if whole_store && principal.tenant != TenantScope::Unlimited {
        return Err(Failure::forbidden("this needs a key that is not limited to realms or organisations"));
    }
    Ok(principal)
}

/// The caller as the face or the key tells it.
fn identify(state: &AppState, face: &Face, headers: &HeaderMap, peer: Option<IpAddr>) -> Answer<Principal> {
    match face.caller.and_then(|caller| caller(state, headers, peer)) {
        Some(told) => told,
        None => by_key(state, face, headers, peer),
    }
}

/// Until when the token that the headers carry is good; `None` if they carry none.
pub(crate) fn token_until_us(state: &AppState, headers: &HeaderMap) -> Option<i64> {
    let credential = credential::from_headers(headers)?;
    state.identities().tokens.read_until(&credential, state.clock().now_us()).map(|(_, until_us)| until_us)
}

/// The caller whose key the headers carry.
fn by_key(state: &AppState, face: &Face, headers: &HeaderMap, peer: Option<IpAddr>) -> Answer<Principal> {
    let key = credential::from_headers(headers).ok_or_else(Failure::no_key)?;
    let now = state.clock().monotonic();
    if let Some(wait_s) = peer.and_then(|address| state.wrong_keys().must_wait(address, now)) {
        return Err(Failure::rate_limited(wait_s));
    }
    let Some(principal) = state.identities().recognise(&key, state.clock().now_us()) else {
        count_wrong(state, face, peer);
        return Err(Failure::wrong_key());
    };
    Ok(principal)
}

/// Remembers a wrong key or password of an address, and writes down when it has had its last for now.
pub(crate) fn count_wrong(state: &AppState, face: &Face, peer: Option<IpAddr>) {
    let Some(address) = peer else { return };
    if let Some(count) = state.wrong_keys().count(address, state.clock().monotonic()) {
        state.record_later(Deed::wrong_keys(face.name, address, count));
    }
}

/// Remembers a wrong password of a name, from wherever, and writes down when it has had its last for now.
pub(crate) fn count_wrong_name(state: &AppState, face: &Face, peer: Option<IpAddr>, username: &str) {
    let Some(count) = state.wrong_keys().count_name(username, state.clock().monotonic()) else { return };
    // Not what is no user's: it may be a password in the wrong field.
    let user = state.identities().users.holds(username).then_some(username);
    state.record_later(Deed::wrong_passwords(face.name, peer, user, count));
}
