//! Which events: predicates as plain data. Evaluation is in [`evaluate`], the stored form in [`wire`].

pub(crate) mod evaluate;
pub(crate) mod text;
pub(crate) mod wire;

use crate::field::Field;

/// The deepest nesting of a filter, inclusive.
pub const FILTER_DEPTH_MAX: usize = 32;

/// A predicate over events.
///
/// ```
/// use annals_engine::{Field, Filter};
/// let filter = Filter::term(Field::EventType, "user.login").and(Filter::created_between(0, 1_000_000));
/// assert!(matches!(filter, Filter::And(parts) if parts.len() == 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Every event.
    All,
    /// A keyword field has this value (one of its values, for a multiple-valued field).
    Term(Field, String),
    /// A keyword field has one of these values. An empty list matches nothing.
    AnyOf(Field, Vec<String>),
    /// A keyword field has a value that starts with this. An empty prefix: has any value.
    Prefix(Field, String),
    /// A keyword field has at least one value and all of its values are among these.
    Within(Field, Vec<String>),
    /// `created_at` lies in `from_us..to_us`.
    CreatedBetween {
        /// UTC microseconds, inclusive.
        from_us: i64,
        /// UTC microseconds, exclusive.
        to_us: i64,
    },
    /// The sequence lies in `from..to`.
    SequenceBetween {
        /// Inclusive.
        from: u64,
        /// Exclusive.
        to: u64,
    },
    /// Somebody has taken note of the event, or nobody has.
    Acknowledged(bool),
    /// A text holds the needle.
    Contains(TextField, String),
    /// A text equals the needle, case counts.
    TextEquals(TextField, String),
    /// All of them.
    And(Vec<Filter>),
    /// At least one of them.
    Or(Vec<Filter>),
    /// Not this one.
    Not(Box<Filter>),
}

/// Which text a text predicate looks at. Upper and lower case are the same to [`Filter::Contains`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextField {
    /// The message.
    Message,
    /// The content.
    Content,
    /// Either of them.
    MessageOrContent,
}

impl Filter {
    /// A keyword field has this value.
    pub fn term(field: Field, value: impl Into<String>) -> Self {
        Filter::Term(field, value.into())
    }

    /// A keyword field has one of these values.
    pub fn any_of<T: Into<String>>(field: Field, values: impl IntoIterator<Item = T>) -> Self {
        Filter::AnyOf(field, values.into_iter().map(Into::into).collect())
    }

    /// `created_at` lies in `from_us..to_us`, UTC microseconds, half-open.
    pub fn created_between(from_us: i64, to_us: i64) -> Self {
        Filter::CreatedBetween { from_us, to_us }
    }

    /// No event.
    pub fn none() -> Self {
        Filter::Or(Vec::new())
    }

    /// Both; [`Filter::All`] disappears.
    #[must_use]
    pub fn and(self, other: Filter) -> Self {
        match (self, other) {
            (Filter::All, filter) | (filter, Filter::All) => filter,
            (Filter::And(mut parts), Filter::And(others)) => {
                parts.extend(others);
                Filter::And(parts)
            }
            (Filter::And(mut parts), filter) => {
                parts.push(filter);
                Filter::And(parts)
            }
            (first, second) => Filter::And(vec![first, second]),
        }
    }

    /// The opposite.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "it reads as the query it builds")]
    pub fn not(self) -> Self {
        Filter::Not(Box::new(self))
    }

    /// The one predicate that decides among rows created within `bounds_us`, both inclusive: times that
    /// hold for all of them say nothing. `None` if there is more than one.
    pub(crate) fn only_leaf(&self, bounds_us: (i64, i64)) -> Option<&Filter> {
        const EVERYTHING: &Filter = &Filter::All;
        match self {
            Filter::CreatedBetween { from_us, to_us } if *from_us <= bounds_us.0 && bounds_us.1 < *to_us => {
                Some(EVERYTHING)
            }
            Filter::And(parts) => {
                let mut only = EVERYTHING;
                for part in parts {
                    match (part.only_leaf(bounds_us)?, only) {
                        (Filter::All, _) => {}
                        (leaf, Filter::All) => only = leaf,
                        _ => return None,
                    }
                }
                Some(only)
            }
            Filter::Or(_) | Filter::Not(_) => None,
            leaf => Some(leaf),
        }
    }

    /// Whether marks decide, which change while an event is stored.
    pub(crate) fn is_about_marks(&self) -> bool {
        match self {
            Filter::Acknowledged(_) => true,
            Filter::And(parts) | Filter::Or(parts) => parts.iter().any(Filter::is_about_marks),
            Filter::Not(part) => part.is_about_marks(),
            _ => false,
        }
    }

    /// Levels of nesting, 1 for a plain predicate.
    pub fn depth(&self) -> usize {
        match self {
            Filter::And(parts) | Filter::Or(parts) => 1 + parts.iter().map(Filter::depth).max().unwrap_or(0),
            Filter::Not(part) => 1 + part.depth(),
            _ => 1,
        }
    }

    /// The range of `created_at` outside of which nothing can match: `from_us..to_us`.
    pub fn time_bounds_us(&self) -> (i64, i64) {
        const EVERYTHING: (i64, i64) = (i64::MIN, i64::MAX);
        match self {
            Filter::CreatedBetween { from_us, to_us } => (*from_us, *to_us),
            Filter::And(parts) => parts
                .iter()
                .map(Filter::time_bounds_us)
                .fold(EVERYTHING, |all, one| (all.0.max(one.0), all.1.min(one.1))),
            Filter::Or(parts) if !parts.is_empty() => parts
                .iter()
                .map(Filter::time_bounds_us)
                .fold((i64::MAX, i64::MIN), |all, one| (all.0.min(one.0), all.1.max(one.1))),
            _ => EVERYTHING,
        }
    }
}

/// Which events a caller may see: all, or those of its realms and organisations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TenantScope {
    /// Every event.
    Unlimited,
    /// Events with one of these realms, or of one of these organisations. Both empty: none.
    Limited {
        /// The realms.
        realms: Vec<String>,
        /// The organisations.
        orgs: Vec<String>,
    },
}

impl TenantScope {
    /// What the caller may see.
    pub fn visible(&self) -> Filter {
        match self {
            TenantScope::Unlimited => Filter::All,
            TenantScope::Limited { realms, orgs } => Filter::Or(vec![
                Filter::AnyOf(Field::RealmIds, realms.clone()),
                Filter::AnyOf(Field::OrgId, orgs.clone()),
            ]),
        }
    }

    /// What the caller may delete or mark: all realms of the event must be its own. A realm named like one
    /// of its organisations is: events logged for an organisation are put into a realm of that name.
    pub fn writable(&self) -> Filter {
        match self {
            TenantScope::Unlimited => Filter::All,
            TenantScope::Limited { realms, orgs } => {
                let no_realm = Filter::Prefix(Field::RealmIds, String::new()).not();
                let own = realms.iter().chain(orgs).cloned().collect();
                self.visible().and(Filter::Or(vec![Filter::Within(Field::RealmIds, own), no_realm]))
            }
        }
    }

    /// Whether an event with these realms and this organisation is visible.
    pub fn sees<'a>(&self, event_realms: impl IntoIterator<Item = &'a str>, event_org: Option<&str>) -> bool {
        match self {
            TenantScope::Unlimited => true,
            TenantScope::Limited { realms, orgs } => {
                event_org.is_some_and(|org| orgs.iter().any(|own| own == org))
                    || event_realms.into_iter().any(|realm| realms.iter().any(|own| own == realm))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_holds_for_all_rows_leaves_the_other_predicate() {
        let term = Filter::term(Field::EventType, "a");
        let day = Filter::created_between(0, 100);
        assert_eq!(term.clone().and(day.clone()).only_leaf((0, 99)), Some(&term));
        assert_eq!(day.only_leaf((0, 99)), Some(&Filter::All));
        assert_eq!(day.only_leaf((0, 100)), Some(&day));
        assert_eq!(term.clone().and(day.clone()).only_leaf((-1, 99)), None);
        assert_eq!(term.clone().and(term.clone()).only_leaf((0, 9)), None);
        assert_eq!(term.clone().not().only_leaf((0, 9)), None);
        assert_eq!(Filter::And(Vec::new()).only_leaf((0, 9)), Some(&Filter::All));
        assert_eq!(Filter::none().only_leaf((0, 9)), None);
    }

    #[test]
    fn time_bounds_narrow_under_and_widen_under_or() {
        let early = Filter::created_between(0, 10);
        let late = Filter::created_between(5, 20);
        assert_eq!(early.clone().and(late.clone()).time_bounds_us(), (5, 10));
        assert_eq!(Filter::Or(vec![early.clone(), late]).time_bounds_us(), (0, 20));
        assert_eq!(Filter::Or(vec![early.clone(), Filter::All]).time_bounds_us(), (i64::MIN, i64::MAX));
        assert_eq!(early.not().time_bounds_us(), (i64::MIN, i64::MAX));
    }
}
