//! What may be written: by a limited key its own realms and organisations, named or not; what everybody sees
//! by those who may publish; and by nobody what a retention policy has let go of.

use annals_engine::{Field, TenantScope};
use annals_json::{EventError, IncomingEvent};
use axum::http::StatusCode;
use parking_lot::Mutex;

use super::{Principal, Scope};
use crate::error::{Answer, Failure};
use crate::retention::EVENT_EXPIRED;
use crate::state::AppState;

/// Admits the events of one request and remembers the first that is not the caller's to write.
pub(crate) struct Guard<'c> {
    state: &'c AppState,
    caller: &'c Principal,
    first: Mutex<Option<(u64, String)>>,
}

impl<'c> Guard<'c> {
    pub(crate) fn new(state: &'c AppState, caller: &'c Principal) -> Self {
        Self { state, caller, first: Mutex::new(None) }
    }

    /// [`admit`] for the event of a line.
    ///
    /// # Errors
    /// The realm or organisation that is not the caller's, or that one must be named; that the caller may
    /// not publish; `event_expired`.
    pub(crate) fn admit(&self, event: &mut IncomingEvent<'_>, line: u64) -> Result<(), EventError> {
        let Err(error) = permit(self.caller, event) else { return self.state.retention().check(event) };
        let mut first = self.first.lock();
        if first.as_ref().is_none_or(|(held, _)| line < *held) {
            *first = Some((line, format!("line {line}: {error}")));
        }
        Err(error)
    }

    /// What is wrong with the first refused event, if there was one.
    pub(crate) fn first(&self) -> Option<String> {
        self.first.lock().as_ref().map(|(_, sentence)| sentence.clone())
    }
}

/// Puts an event into the caller's realms and organisations and refuses one that a retention policy no
/// longer keeps. Every face that writes single events asks this, those that write many a [`Guard`].
///
/// # Errors
/// 403 as for [`permit`], 400 `event_expired`.
pub(crate) fn admit(state: &AppState, caller: &Principal, event: &mut IncomingEvent<'_>) -> Answer<()> {
    permit(caller, event).map_err(|error| Failure::forbidden(error.message))?;
    check_age(state, event)
}

/// [`admit`] for an event of a face whose path says the one realm it belongs to.
///
/// # Errors
/// As for [`admit`].
pub(crate) fn admit_into(
    state: &AppState,
    caller: &Principal,
    event: &mut IncomingEvent<'_>,
    realm: &str,
) -> Answer<()> {
    permit(caller, event).map_err(|error| Failure::forbidden(error.message))?;
    // ORDER: policies are about realms, so they are asked once it has its last.
    event.realm_ids = vec![realm.to_owned().into()];
    check_age(state, event)
}

fn check_age(state: &AppState, event: &IncomingEvent<'_>) -> Answer<()> {
    let expired = |error: EventError| Failure::new(StatusCode::BAD_REQUEST, EVENT_EXPIRED, error.message);
    state.retention().check(event).map_err(expired)
}

/// [`place`], and refuses one that is open to everybody unless the caller may publish.
///
/// # Errors
/// As for [`place`]; that the caller lacks the scope.
fn permit(caller: &Principal, event: &mut IncomingEvent<'_>) -> Result<(), EventError> {
    // Also of what is no notification: some other way could make it one.
    if event.get(Field::IsPublic) == Some("true") && !caller.scopes.allow(Scope::NotificationsWrite) {
        return Err(EventError::new(format!("is_public: true needs the scope {}", Scope::NotificationsWrite)));
    }
    place(&caller.tenant, event)
}

/// Puts an event that names neither realm nor organisation into the caller's, and refuses one that
/// names a foreign one, or would have neither. What the payload fills in counts as named.
///
/// # Errors
/// The realm or organisation that is not the caller's, or that one must be named.
fn place(tenant: &TenantScope, event: &mut IncomingEvent<'_>) -> Result<(), EventError> {
    let TenantScope::Limited { realms, orgs } = tenant else {
        return Ok(());
    };
    let org = event.get(Field::OrgId);
    if let Some(org) = org.filter(|org| !orgs.iter().any(|own| own == org)) {
        return Err(EventError::new(format!("org_id {org:?} is not one of the key's organisations")));
    }
    if let Some(realm) = event.realm_ids.iter().find(|realm| !realms.iter().any(|own| own == *realm)) {
        return Err(EventError::new(format!("realm_ids holds {realm:?}, which is not one of the key's realms")));
    }
    if org.is_none() && event.realm_ids.is_empty() {
        event.realm_ids.extend(realms.iter().map(|realm| realm.clone().into()));
        if let [only] = orgs.as_slice() {
            event.set(Field::OrgId, only.clone());
        } else if realms.is_empty() {
            // Without either only unlimited keys would see it: it would be lost to its writer.
            return Err(EventError::new(if orgs.is_empty() {
                "the key has neither realms nor organisations to write into"
            } else {
                "name org_id or realm_ids: the key has several organisations"
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    fn limited(realms: &[&str], orgs: &[&str]) -> TenantScope {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        TenantScope::Limited { realms: owned(realms), orgs: owned(orgs) }
    }

    fn in_realm(realm: &'static str) -> IncomingEvent<'static> {
        let mut event = IncomingEvent::default();
        event.realm_ids.push(realm.into());
        event
    }

    #[test]
    fn an_event_without_a_home_gets_the_keys() {
        let mut event = IncomingEvent::default();
        place(&limited(&["a", "b"], &["o"]), &mut event).unwrap();
        assert_eq!(event.realm_ids, ["a", "b"]);
        assert_eq!(event.get(Field::OrgId), Some("o"));
        let mut event = IncomingEvent::default();
        place(&limited(&["a"], &["o", "p"]), &mut event).unwrap();
        assert_eq!(event.get(Field::OrgId), None);
    }

    #[test]
    fn an_event_that_would_have_no_home_is_refused() {
        for (orgs, message) in [(&["o", "p"] as &[_], "name org_id or realm_ids"), (&[], "the key has neither")] {
            let refused = place(&limited(&[], orgs), &mut IncomingEvent::default()).unwrap_err();
            assert!(refused.message.starts_with(message), "{refused}");
        }
    }

    #[test]
    fn named_homes_are_kept_if_they_are_the_keys() {
        let tenant = limited(&["a", "b"], &["o"]);
        let mut event = in_realm("a");
        place(&tenant, &mut event).unwrap();
        assert_eq!((event.realm_ids.len(), event.get(Field::OrgId)), (1, None));
        event.realm_ids.push("z".into());
        assert!(place(&tenant, &mut event).is_err());
        let mut event = IncomingEvent::default();
        event.set(Field::OrgId, "z");
        assert!(place(&tenant, &mut event).is_err());
        assert!(place(&TenantScope::Unlimited, &mut event).is_ok());
    }

    #[test]
    fn the_first_foreign_line_is_the_one_that_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let config = ServerConfig {
            log_size_bytes: annals_engine::LOG_SIZE_BYTES_MIN,
            admin_key: Some("the-administrators-key".to_owned()),
            ..ServerConfig::new(directory.path())
        };
        let state = AppState::open(&config).unwrap().state;
        let caller = Principal { tenant: limited(&["a"], &[]), ..Principal::nobody() };
        let guard = Guard::new(&state, &caller);
        for line in [7, 3, 9] {
            let mut event = in_realm("z");
            assert!(guard.admit(&mut event, line).is_err());
        }
        assert!(guard.first().unwrap().starts_with("line 3: realm_ids holds \"z\""));
    }
}
