//! What hoody's calls are given: every mistake is named at once, as its validator does.

use annals_engine::{Field, Filter};
use annals_query::Order;
use serde_json::{Map, Value};

use super::US_PER_MS;
use crate::config::Limits;
use crate::error::{Answer, Detail, Failure};
use crate::params::{Params, whole};

const LIMIT_DEFAULT: u64 = 100;
const LIMIT_MAX: u64 = 500;
const RETENTION_DAYS_MAX: u64 = 365;
const ADDITIONAL: &str = "must NOT be an additional property";
const DATE: &str = "must match format \"date-time\"";

/// The filters that are a field's value.
const LIST_TERMS: &[(&str, Field)] = &[
    ("event_type", Field::EventType),
    ("resource_type", Field::ResourceType),
    ("resource_id", Field::ResourceId),
    ("project_id", Field::ProjectId),
    ("container_id", Field::ContainerId),
    ("realm_id", Field::RealmIds),
];
const STATS_TERMS: &[(&str, Field)] = &[("realm_id", Field::RealmIds)];
const DELETE_TERMS: &[(&str, Field)] = &[
    ("event_type", Field::EventType),
    ("resource_type", Field::ResourceType),
    ("resource_id", Field::ResourceId),
    ("realm_id", Field::RealmIds),
];
const BEFORE_DATE: &str = "before_date";

/// What a list asks for.
#[derive(Debug)]
pub(super) struct List {
    pub(super) filter: Filter,
    pub(super) order: Order,
    pub(super) limit: u32,
    pub(super) offset: u64,
}

/// Reads parameters and remembers what is wrong with them.
struct Reader<'a> {
    params: &'a Params,
    limits: &'a Limits,
    wrong: Vec<Detail>,
}

impl Reader<'_> {
    fn wrong(&mut self, place: &str, message: impl Into<String>) {
        self.wrong.push(Detail { place: place.to_owned(), message: message.into() });
    }

    fn whole(&mut self, name: &str, default: u64, min: u64, max: u64) -> u64 {
        let Some(text) = self.params.last(name) else { return default };
        whole(name, text, min, max).unwrap_or_else(|detail| {
            self.wrong.push(detail);
            default
        })
    }

    fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.params.last(name) else { return default };
        if let Some((_, value)) = choices.iter().find(|(choice, _)| *choice == text) {
            return *value;
        }
        let names: Vec<_> = choices.iter().map(|(choice, _)| *choice).collect();
        self.wrong(name, format!("must be equal to one of the allowed values: {}", names.join(", ")));
        default
    }

    fn date_us(&mut self, name: &str) -> Option<i64> {
        let parsed = annals_json::parse_time(self.params.last(name)?);
        if parsed.is_none() {
            self.wrong(name, DATE);
        }
        parsed
    }

    fn terms(&mut self, terms: &[(&str, Field)]) -> Filter {
        let mut filter = Filter::All;
        for (name, field) in terms {
            let Some(value) = self.params.last(name) else { continue };
            if let Some(detail) = too_long(name, value, self.limits) {
                self.wrong.push(detail);
            }
            filter = filter.and(Filter::term(*field, value));
        }
        filter
    }

    /// `start_date` and `end_date`, both inclusive: a millisecond is the finest this face shows.
    fn period(&mut self) -> Filter {
        let from_us = self.date_us("start_date");
        let to_us = self.date_us("end_date").map(|end_us| (end_us.div_euclid(US_PER_MS) + 1) * US_PER_MS);
        match (from_us, to_us) {
            (None, None) => Filter::All,
            (from_us, to_us) => Filter::created_between(from_us.unwrap_or(i64::MIN), to_us.unwrap_or(i64::MAX)),
        }
    }
}

fn too_long(name: &str, value: &str, limits: &Limits) -> Option<Detail> {
    let max = limits.filter_value_size_max;
    let message = || format!("must NOT have more than {max} bytes");
    (value.len() > max).then(|| Detail { place: name.to_owned(), message: message() })
}

fn checked<T>(wrong: Vec<Detail>, value: T) -> Answer<T> {
    Failure::invalid_all(wrong).map_or(Ok(value), Err)
}

/// The parameters of a list. What is not known is ignored.
///
/// # Errors
/// 400 with everything that is out of range.
pub(super) fn list(params: &Params, limits: &Limits) -> Answer<List> {
    let mut reader = Reader { params, limits, wrong: Vec::new() };
    let limit_max = LIMIT_MAX.min(limits.page_events_max.into());
    let limit = reader.whole("limit", LIMIT_DEFAULT.min(limit_max), 1, limit_max);
    let offset = reader.whole("offset", 0, 0, u64::MAX);
    let by_type = reader.choice("sort_by", &[("created_at", false), ("event_type", true)], false);
    let ascending = reader.choice("sort_order", &[("asc", true), ("desc", false)], false);
    let filter = reader.terms(LIST_TERMS).and(reader.period());
    let order = match (by_type, ascending) {
        (false, true) => Order::CreatedAtAsc,
        (false, false) => Order::CreatedAtDesc,
        (true, true) => Order::EventTypeAsc,
        (true, false) => Order::EventTypeDesc,
    };
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    checked(reader.wrong, List { filter, order, limit, offset })
}

/// The parameters of the statistics.
///
/// # Errors
/// 400 with everything that is no date.
pub(super) fn stats(params: &Params, limits: &Limits) -> Answer<Filter> {
    let mut reader = Reader { params, limits, wrong: Vec::new() };
    let filter = reader.terms(STATS_TERMS).and(reader.period());
    checked(reader.wrong, filter)
}

/// The body of a clean-up. An unknown key is refused: whoever sends one means less than everything.
///
/// # Errors
/// 400 unless `retention_days` is a whole number of 1 to 365, written as one.
pub(super) fn retention_days(body: &Map<String, Value>) -> Answer<u16> {
    const NAME: &str = "retention_days";
    let unknown = body.keys().filter(|name| *name != NAME);
    let detail = |name: &String| Detail { place: name.clone(), message: ADDITIONAL.to_owned() };
    checked(unknown.map(detail).collect(), ())?;
    let invalid = |message: String| Err(Failure::invalid(NAME, message));
    match body.get(NAME) {
        None => invalid("is required".to_owned()),
        Some(Value::Number(days)) => match days.as_u64() {
            Some(days @ 1..=RETENTION_DAYS_MAX) => Ok(u16::try_from(days).expect("365 fits")),
            Some(0) => invalid("must be >= 1".to_owned()),
            Some(_) => invalid(format!("must be <= {RETENTION_DAYS_MAX}")),
            None if days.is_i64() => invalid("must be >= 1".to_owned()),
            None => invalid("must be integer".to_owned()),
        },
        Some(_) => invalid("must be integer".to_owned()),
    }
}

/// The body of a delete by filter. An unknown key is refused: a slip must not widen a delete.
///
/// # Errors
/// 400 without a filter, with an unknown one, or with an ill-typed one.
pub(super) fn bulk_delete(body: &Map<String, Value>, limits: &Limits) -> Answer<Filter> {
    let mut wrong = Vec::new();
    let mut filter = Filter::All;
    for (name, value) in body {
        let field = DELETE_TERMS.iter().find(|(known, _)| known == name).map(|(_, field)| *field);
        let detail = |message: &str| Detail { place: name.clone(), message: message.to_owned() };
        if field.is_none() && name != BEFORE_DATE {
            wrong.push(detail(ADDITIONAL));
            continue;
        }
        let Value::String(text) = value else {
            wrong.push(detail("must be string"));
            continue;
        };
        wrong.extend(too_long(name, text, limits));
        match (field, annals_json::parse_time(text)) {
            (Some(field), _) => filter = filter.and(Filter::term(field, text)),
            (None, Some(before_us)) => filter = filter.and(Filter::created_between(i64::MIN, before_us)),
            (None, None) => wrong.push(detail(DATE)),
        }
    }
    let filter = checked(wrong, filter)?;
    if body.is_empty() {
        return Err(Failure::bad_body(
            "at least one of event_type, resource_type, resource_id, before_date, realm_id is required",
        ));
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong_places(query: &str) -> Vec<String> {
        let failure = list(&Params::parse(Some(query)).unwrap(), &Limits::default()).unwrap_err();
        failure.details.into_iter().map(|detail| detail.place).collect()
    }

    #[test]
    fn a_list_has_defaults_and_bounds() {
        let asked = list(&Params::default(), &Limits::default()).unwrap();
        assert_eq!((asked.limit, asked.offset, asked.order), (100, 0, Order::CreatedAtDesc));
        assert_eq!(asked.filter, Filter::All);
        for query in ["limit=0", "limit=501", "limit=x", "limit=", "limit=1.5"] {
            assert_eq!(wrong_places(query), ["limit"], "{query}");
        }
        assert_eq!(
            wrong_places("offset=-1&sort_by=id&sort_order=up&end_date=soon"),
            ["offset", "sort_by", "sort_order", "end_date"]
        );
        assert!(
            list(&Params::parse(Some("limit=500&offset=18446744073709551615&other=1")).unwrap(), &Limits::default())
                .is_ok()
        );
    }

    #[test]
    fn the_last_of_repeated_parameters_wins() {
        let params = Params::parse(Some("limit=0&limit=7&event_type=a&event_type=b")).unwrap();
        let asked = list(&params, &Limits::default()).unwrap();
        assert_eq!((asked.limit, asked.filter), (7, Filter::term(Field::EventType, "b")));
    }

    #[test]
    fn both_ends_of_a_period_are_in_it() {
        let params =
            Params::parse(Some("start_date=1970-01-01T00:00:01.000Z&end_date=1970-01-01T00:00:02.999Z")).unwrap();
        assert_eq!(stats(&params, &Limits::default()).unwrap(), Filter::created_between(1_000_000, 3_000_000));
    }

    #[test]
    fn retention_days_is_a_whole_number_of_1_to_365() {
        let days = |value: Value| retention_days(json!({"retention_days": value}).as_object().unwrap());
        assert_eq!((days(json!(1)).unwrap(), days(json!(365)).unwrap()), (1, 365));
        for value in [json!(0), json!(366), json!(-1), json!(1.5), json!("30"), json!(true), json!(null), json!([30])] {
            assert!(days(value.clone()).is_err(), "{value}");
        }
        assert!(retention_days(&Map::new()).is_err());
        assert!(retention_days(json!({"retention_days": 30, "realm_id": "r"}).as_object().unwrap()).is_err());
    }

    #[test]
    fn a_bulk_delete_needs_known_filters() {
        let delete = |body: Value| bulk_delete(body.as_object().unwrap(), &Limits::default());
        for body in [json!({}), json!({"evnt_type": "a"}), json!({"event_type": 1}), json!({"before_date": "soon"})] {
            assert!(delete(body.clone()).is_err(), "{body}");
        }
        let before = json!({"before_date": "1970-01-01T00:00:01.000Z"});
        assert_eq!(delete(before).unwrap(), Filter::created_between(i64::MIN, 1_000_000));
    }
}
