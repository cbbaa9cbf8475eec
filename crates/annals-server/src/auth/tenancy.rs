//! What a limited key may write: its own realms and organisations, named or not.

use annals_engine::{Field, TenantScope};
use annals_json::{EventError, IncomingEvent};
use parking_lot::Mutex;

/// Places the events of one request and remembers the first that is not the caller's to write.
pub(crate) struct Guard<'t> {
    tenant: &'t TenantScope,
    first: Mutex<Option<(u64, String)>>,
}

impl<'t> Guard<'t> {
    pub(crate) fn new(tenant: &'t TenantScope) -> Self {
        Self { tenant, first: Mutex::new(None) }
    }

    /// [`place`] for the event of a line.
    ///
    /// # Errors
    /// The realm or organisation that is not the caller's, or that one must be named.
    pub(crate) fn place(&self, event: &mut IncomingEvent<'_>, line: u64) -> Result<(), EventError> {
        let Err(error) = place(self.tenant, event) else { return Ok(()) };
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

/// Puts an event that names neither realm nor organisation into the caller's, and refuses one that
/// names a foreign one, or would have neither. What the payload fills in counts as named.
///
/// # Errors
/// The realm or organisation that is not the caller's, or that one must be named.
pub(crate) fn place(tenant: &TenantScope, event: &mut IncomingEvent<'_>) -> Result<(), EventError> {
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
        let tenant = limited(&["a"], &[]);
        let guard = Guard::new(&tenant);
        for line in [7, 3, 9] {
            let mut event = in_realm("z");
            assert!(guard.place(&mut event, line).is_err());
        }
        assert!(guard.first().unwrap().starts_with("line 3: realm_ids holds \"z\""));
    }
}
