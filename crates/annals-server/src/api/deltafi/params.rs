//! What deltafi's lists are given: which page, and filters by name.

use annals_engine::{EventId, Field, Filter, TextField};

use crate::config::Limits;
use crate::error::{Answer, Detail, Failure};
use crate::params::{Params, iso_time, whole};

const SIZE_DEFAULT: u64 = 20;
const SIZE_MAX: u64 = 10_000;
/// What an id must be.
pub(super) const UUID: &str = "must be a UUID";

/// What a list asks for.
#[derive(Debug)]
pub(super) struct List {
    pub(super) filter: Filter,
    /// Whose sequences are still to be looked up.
    pub(super) id: Option<EventId>,
    pub(super) size: u32,
    pub(super) offset: u64,
}

/// Reads a list's parameters; names that are no filter are ignored. Without `start` and `end` a list
/// reaches back to behind `since_us`, if there is one.
///
/// # Errors
/// 400 with everything that is out of range, no time or no id.
pub(super) fn list(params: &Params, limits: &Limits, since_us: Option<i64>) -> Answer<List> {
    let mut wrong = Vec::new();
    let size_max = SIZE_MAX.min(limits.page_events_max.into());
    let size = number(params, "size", SIZE_DEFAULT.min(size_max), size_max, &mut wrong);
    let offset = number(params, "offset", 0, u64::MAX, &mut wrong);
    let id = params.last("id").and_then(|text| {
        let id = uuid(text);
        if id.is_none() {
            wrong.push(Detail { place: "id".to_owned(), message: UUID.to_owned() });
        }
        id
    });
    let filter = flags(params)
        .and(texts(params))
        .and(terms(params, limits, &mut wrong))
        .and(period(params, since_us, &mut wrong));
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    Failure::invalid_all(wrong).map_or(Ok(List { filter, id, size, offset }), Err)
}

fn number(params: &Params, name: &str, default: u64, max: u64, wrong: &mut Vec<Detail>) -> u64 {
    let Some(text) = params.last(name) else { return default };
    whole(name, text, 0, max).unwrap_or_else(|detail| {
        wrong.push(detail);
        default
    })
}

/// A flag is true if it is called so in any case, and else false.
fn flags(params: &Params) -> Filter {
    let asked = |name: &str| params.last(name).map(|text| text.eq_ignore_ascii_case("true"));
    let is_notification = Filter::term(Field::Notification, "true");
    let notification = match asked("notification") {
        None => Filter::All,
        Some(true) => is_notification,
        Some(false) => is_notification.not(),
    };
    asked("acknowledged").map_or(Filter::All, Filter::Acknowledged).and(notification)
}

fn texts(params: &Params) -> Filter {
    let equals = |name: &str, field: TextField| {
        params.last(name).map_or(Filter::All, |text| Filter::TextEquals(field, text.to_owned()))
    };
    equals("summary", TextField::Message).and(equals("content", TextField::Content))
}

fn terms(params: &Params, limits: &Limits, wrong: &mut Vec<Detail>) -> Filter {
    let mut filter = Filter::All;
    for (name, field) in [("severity", Field::Severity), ("source", Field::Source)] {
        let Some(value) = params.last(name) else { continue };
        let max = limits.filter_value_size_max;
        if value.len() > max {
            wrong.push(Detail { place: name.to_owned(), message: format!("must not have more than {max} bytes") });
        }
        filter = filter.and(Filter::term(field, value));
    }
    filter
}

/// Between `start` and `end`, of which neither belongs to it.
fn period(params: &Params, since_us: Option<i64>, wrong: &mut Vec<Detail>) -> Filter {
    let mut time_us = |name: &str| {
        let parsed = iso_time(params.last(name)?);
        if parsed.is_none() {
            wrong.push(Detail { place: name.to_owned(), message: "must be an RFC 3339 time".to_owned() });
        }
        parsed
    };
    let (start_us, end_us) = (time_us("start"), time_us("end"));
    let behind = |start_us: i64| start_us.saturating_add(1);
    match (start_us, end_us) {
        (None, None) => since_us.map_or(Filter::All, |since_us| Filter::created_between(behind(since_us), i64::MAX)),
        (start_us, end_us) => Filter::created_between(start_us.map_or(i64::MIN, behind), end_us.unwrap_or(i64::MAX)),
    }
}

/// The events with one of these sequences.
pub(super) fn any_sequence(sequences: &[u64]) -> Filter {
    let one = |sequence: &u64| Filter::SequenceBetween { from: *sequence, to: sequence.saturating_add(1) };
    Filter::Or(sequences.iter().map(one).collect())
}

/// A UUID in the one form that this face shows, in any case.
pub(super) fn uuid(text: &str) -> Option<EventId> {
    const HYPHENATED_LEN: usize = 36;
    (text.len() == HYPHENATED_LEN && text.contains('-')).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Answer<List> {
        list(&Params::parse(Some(query)).unwrap(), &Limits::default(), None)
    }

    #[test]
    fn a_list_has_defaults_and_bounds() {
        let list = asked("").unwrap();
        assert_eq!((list.size, list.offset, list.filter, list.id), (20, 0, Filter::All, None));
        assert_eq!(asked("size=0&offset=3&nonsense=1").unwrap().size, 0);
        let failure = asked("size=10001&offset=-1&id=x&start=soon&end=").unwrap_err();
        assert_eq!(
            failure.message,
            "size must be <= 10000; offset must be >= 0; id must be a UUID; start must be an RFC 3339 time; \
             end must be an RFC 3339 time"
        );
    }

    #[test]
    fn anything_but_true_is_false() {
        assert_eq!(asked("acknowledged=TRUE").unwrap().filter, Filter::Acknowledged(true));
        assert_eq!(asked("acknowledged=yes").unwrap().filter, Filter::Acknowledged(false));
        assert_eq!(asked("acknowledged=").unwrap().filter, Filter::Acknowledged(false));
        assert!(matches!(asked("notification=1").unwrap().filter, Filter::Not(_)));
    }

    #[test]
    fn neither_end_of_a_period_belongs_to_it() {
        let both = asked("start=1970-01-01T00:00:01Z&end=1970-01-01T00:00:02Z").unwrap().filter;
        assert_eq!(both, Filter::created_between(1_000_001, 2_000_000));
        let since = |query: &str| list(&Params::parse(Some(query)).unwrap(), &Limits::default(), Some(7)).unwrap();
        assert_eq!(since("").filter, Filter::created_between(8, i64::MAX));
        assert_eq!(since("end=1970-01-01T00:00:02Z").filter, Filter::created_between(i64::MIN, 2_000_000));
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        assert!(uuid("123E4567-e89b-12d3-a456-426614174000").is_some());
        for text in [
            "",
            "123e4567e89b12d3a456426614174000",
            "507f1f77bcf86cd799439044",
            "123e4567-e89b-12d3-a456-42661417400",
            "{123e4567e89b12d3a45642661417400-}12",
            "123e4567-e89b-12d3-a456-42661417400g",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }
}
