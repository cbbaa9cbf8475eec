//! A policy: which events, how long, and up to when they are gone for good.

use annals_engine::{Field, Filter};
use annals_json::IncomingEvent;
use serde::{Deserialize, Serialize};

/// More than any installation needs; a pass asks for each, and every appended event is held against each.
pub(crate) const POLICIES_MAX: usize = 100;
/// Bytes of a name.
pub(crate) const NAME_SIZE_MAX: usize = 200;
/// Bytes of a realm, as in an event.
pub(crate) const REALM_SIZE_MAX: usize = 1024;
/// Bytes of an event type, as in an event.
pub(crate) const EVENT_TYPE_SIZE_MAX: usize = 200;
/// A hundred years.
pub(crate) const KEEP_DAYS_MAX: u64 = 36_500;

pub(super) const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// Keeps some events for so many days.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) name: String,
    /// Events of this realm and no other; absent: whatever their realms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) realm: Option<String>,
    /// Events of this type; absent: of every type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event_type: Option<String>,
    pub(crate) keep_days: u32,
    /// UTC microseconds, exclusive: older ones are deleted and no longer taken. Only rises; absent until
    /// a pass has set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cutoff_us: Option<i64>,
}

/// Every policy, as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Policies {
    pub(crate) list: Vec<Policy>,
}

impl Policy {
    /// Whether it is about every event there is.
    pub(super) fn is_about_all(&self) -> bool {
        self.realm.is_none() && self.event_type.is_none()
    }

    /// What it deletes below `cutoff_us`.
    pub(super) fn doomed(&self, cutoff_us: i64) -> Filter {
        let mut filter = Filter::created_between(i64::MIN, cutoff_us);
        if let Some(realm) = &self.realm {
            filter = filter.and(Filter::Within(Field::RealmIds, vec![realm.clone()]));
        }
        if let Some(event_type) = &self.event_type {
            filter = filter.and(Filter::term(Field::EventType, event_type.clone()));
        }
        filter
    }

    /// The cutoff at a time: never below the one it has.
    pub(super) fn cutoff_at(&self, now_us: i64) -> i64 {
        let cutoff_us = now_us.saturating_sub(i64::from(self.keep_days).saturating_mul(DAY_US));
        self.cutoff_us.map_or(cutoff_us, |held| held.max(cutoff_us))
    }

    /// Whether an event on its way in lies below the cutoff.
    fn has_expired(&self, event: &IncomingEvent<'_>) -> bool {
        // One without a time gets that of its arrival.
        let (Some(created_at_us), Some(cutoff_us)) = (event.created_at_us, self.cutoff_us) else { return false };
        let only_realm = |realm: &String| {
            !event.realm_ids.is_empty() && event.realm_ids.iter().all(|held| held.as_ref() == realm.as_str())
        };
        created_at_us < cutoff_us
            && self.realm.as_ref().is_none_or(only_realm)
            && self.event_type.as_deref().is_none_or(|wanted| event.get(Field::EventType) == Some(wanted))
    }

    fn is_the_same_as(&self, other: &Self) -> bool {
        (&self.name, &self.realm, &self.event_type) == (&other.name, &other.realm, &other.event_type)
    }
}

impl Policies {
    /// The policy that no longer takes an event of this age.
    ///
    /// The realms that a limited key's events get must be in it already.
    pub(crate) fn refusing(&self, event: &IncomingEvent<'_>) -> Option<&Policy> {
        self.list.iter().find(|policy| policy.has_expired(event))
    }

    /// Whether any event can be refused.
    pub(super) fn refuse_any(&self) -> bool {
        self.list.iter().any(|policy| policy.cutoff_us.is_some())
    }

    /// Other policies in their place; one that is the same but for its days keeps its cutoff.
    pub(crate) fn replaced_by(&self, mut list: Vec<Policy>) -> Self {
        for policy in &mut list {
            policy.cutoff_us =
                self.list.iter().find(|held| held.is_the_same_as(policy)).and_then(|held| held.cutoff_us);
        }
        Self { list }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(realm: Option<&str>, event_type: Option<&str>, cutoff_us: Option<i64>) -> Policy {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Policy { name: "n".to_owned(), realm: owned(realm), event_type: owned(event_type), keep_days: 2, cutoff_us }
    }

    fn event(realms: &[&'static str], created_at_us: Option<i64>) -> IncomingEvent<'static> {
        let mut event = IncomingEvent::default();
        event.set(Field::EventType, "a");
        event.realm_ids.extend(realms.iter().map(|realm| (*realm).into()));
        event.created_at_us = created_at_us;
        event
    }

    #[test]
    fn an_event_is_refused_by_the_policies_that_would_delete_it() {
        let refuses =
            |policy: Policy, event: &IncomingEvent<'_>| Policies { list: vec![policy] }.refusing(event).is_some();
        let old = event(&["r"], Some(9));
        assert!(refuses(policy(None, None, Some(10)), &old));
        assert!(!refuses(policy(None, None, Some(9)), &old), "the cutoff is exclusive");
        assert!(!refuses(policy(None, None, None), &old), "no pass has run");
        assert!(!refuses(policy(None, None, Some(10)), &event(&["r"], None)));
        for (realm, event_type, expected) in [
            (Some("r"), None, true),
            (Some("s"), None, false),
            (Some("r"), Some("a"), true),
            (Some("r"), Some("b"), false),
            (None, Some("a"), true),
        ] {
            assert_eq!(refuses(policy(realm, event_type, Some(10)), &old), expected, "{realm:?} {event_type:?}");
        }
        assert!(!refuses(policy(Some("r"), None, Some(10)), &event(&["r", "s"], Some(9))), "shared with another realm");
        assert!(!refuses(policy(Some("r"), None, Some(10)), &event(&[], Some(9))));
    }

    #[test]
    fn cutoffs_only_rise() {
        let mut policy = policy(None, None, None);
        assert_eq!(policy.cutoff_at(10 * DAY_US), 8 * DAY_US);
        policy.cutoff_us = Some(9 * DAY_US);
        assert_eq!(policy.cutoff_at(10 * DAY_US), 9 * DAY_US);
        assert_eq!(policy.cutoff_at(12 * DAY_US), 10 * DAY_US);
    }

    #[test]
    fn a_policy_keeps_its_cutoff_when_its_days_change() {
        let held = Policies { list: vec![policy(Some("r"), None, Some(7))] };
        let mut longer = policy(Some("r"), None, None);
        longer.keep_days = 400;
        let next = held.replaced_by(vec![longer, policy(None, None, Some(99))]);
        assert_eq!(next.list.iter().map(|policy| policy.cutoff_us).collect::<Vec<_>>(), [Some(7), None]);
    }
}
