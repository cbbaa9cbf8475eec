//! The caller as a proxy in front of the server names it, which has authenticated it: believed from the
//! addresses that the operator lists, and from nobody else.

use std::net::IpAddr;

use annals_engine::TenantScope;
use axum::http::HeaderMap;

use super::ACCESS_DENIED;
use crate::auth::{Principal, Scope, Scopes};
use crate::error::{Answer, Failure};
use crate::rates::OwnRates;
use crate::state::AppState;

const NAME: &str = "x-user-name";
const PERMISSIONS: &str = "x-user-permissions";

/// The vendor's permissions, of which `Admin` is every one.
const SCOPES: [(&str, Scope); 5] = [
    ("Admin", Scope::Admin),
    ("EventRead", Scope::EventsRead),
    ("EventCreate", Scope::EventsCreate),
    ("EventUpdate", Scope::EventsUpdate),
    ("EventDelete", Scope::EventsDelete),
];

/// The caller that a trusted proxy names. From any other address the headers say nothing, and the key
/// decides.
pub(super) fn caller(state: &AppState, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<Answer<Principal>> {
    let trusted = &state.faces().deltafi_trusted_proxies;
    peer.filter(|peer| trusted.iter().any(|proxy| proxy.to_canonical() == *peer)).map(|_| named(headers))
}

/// # Errors
/// 403 without a name.
fn named(headers: &HeaderMap) -> Answer<Principal> {
    let name = headers.get(NAME).and_then(|name| name.to_str().ok()).map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::forbidden(ACCESS_DENIED))?;
    let lists = headers.get_all(PERMISSIONS).iter().filter_map(|list| list.to_str().ok());
    let mut scopes = Scopes::default();
    for permission in lists.flat_map(|list| list.split(',')).map(str::trim) {
        if let Some((_, scope)) = SCOPES.iter().find(|(known, _)| *known == permission) {
            scopes.insert(*scope);
        }
    }
    Ok(Principal {
        user_id: name.to_owned(),
        // No key has a colon in its id: two callers never share an Idempotency-Key.
        key_id: format!("proxy:{name}"),
        scopes,
        tenant: TenantScope::Unlimited,
        rates: OwnRates::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn permissions_become_scopes_and_unknown_ones_nothing() {
        let principal =
            named(&headers(&[(NAME, "ada"), (PERMISSIONS, "EventRead, Nonsense"), (PERMISSIONS, "EventUpdate")]));
        let principal = principal.unwrap();
        assert_eq!(principal.user_id, "ada");
        assert_eq!(principal.scopes, Scopes::of(&[Scope::EventsRead, Scope::EventsUpdate]));
        assert_eq!(named(&headers(&[(NAME, "ada")])).unwrap().scopes, Scopes::default());
    }

    #[test]
    fn nobody_is_denied() {
        for pairs in [&[] as &[_], &[(NAME, " ")], &[(PERMISSIONS, "Admin")]] {
            assert_eq!(named(&headers(pairs)).unwrap_err().message, "Access Denied");
        }
    }
}
