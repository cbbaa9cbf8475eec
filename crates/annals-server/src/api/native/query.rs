//! The parameters that the native calls share: filters, order, numbers.

use std::collections::BTreeMap;

use annals_engine::{Field, Filter, TextField};
use annals_query::Order;

use crate::config::Limits;
use crate::error::{Answer, Failure};
use crate::params::{Params, whole};

/// `realm_id` reads better in a filter than the list's own name.
const REALM: &str = "realm_id";
/// A mark, not a field: it has no index to count by.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
const NOT_ACKNOWLEDGED: &str = "not.acknowledged";
const FILTERS: &[&str] = &["from", "to", "q", ACKNOWLEDGED, NOT_ACKNOWLEDGED];

/// How a parameter compares a field with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Equal,
    Not,
    Prefix,
}

/// The parameters of a request as filters; `own` are the parameters that the call reads itself.
pub(super) struct Filters {
    pub(super) filter: Filter,
    /// Different filters given.
    pub(super) count: usize,
}

/// Reads every filter; repeated values of one are any of.
///
/// # Errors
/// 400 naming the parameter: unknown, ill-typed, too long, too many.
pub(super) fn filters(params: &Params, own: &[&str], limits: &Limits) -> Answer<Filters> {
    let mut groups: BTreeMap<(Test, Field), Vec<String>> = BTreeMap::new();
    let mut filter = Filter::All;
    let mut count = 0;
    for (name, value) in params.iter().filter(|(name, _)| !own.contains(name) && !FILTERS.contains(name)) {
        let key = field_test(name).ok_or_else(|| unknown(name, own))?;
        // An empty value is no value: it would match nothing, or with `not.` everything. An empty prefix
        // says that there is a value.
        if value.is_empty() && key.0 != Test::Prefix {
            return Err(Failure::invalid(name, "must not be empty"));
        }
        check_size(name, value, limits)?;
        groups.entry(key).or_default().push(value.to_owned());
    }
    for ((test, field), values) in groups {
        check_count(field.name(), values.len(), limits)?;
        filter = filter.and(predicate(test, field, values)?);
        count += 1;
    }
    let marked = acknowledged(params, ACKNOWLEDGED, limits)?;
    let not_marked = acknowledged(params, NOT_ACKNOWLEDGED, limits)?.map(Filter::not);
    for part in [texts(params, limits)?, marked, not_marked, period(params)?].into_iter().flatten() {
        filter = filter.and(part);
        count += 1;
    }
    if count > limits.filters_max {
        return Err(Failure::invalid("filters", format!("must be at most {}, these are {count}", limits.filters_max)));
    }
    Ok(Filters { filter, count })
}

fn check_size(name: &str, value: &str, limits: &Limits) -> Answer<()> {
    if value.len() <= limits.filter_value_size_max {
        return Ok(());
    }
    Err(Failure::invalid(name, format!("must have at most {} bytes", limits.filter_value_size_max)))
}

fn check_count(name: &str, count: usize, limits: &Limits) -> Answer<()> {
    if count <= limits.filter_values_max {
        return Ok(());
    }
    Err(Failure::invalid(name, format!("must be given at most {} times", limits.filter_values_max)))
}

fn field_test(name: &str) -> Option<(Test, Field)> {
    let (test, field) = match name.split_once('.') {
        Some(("not", field)) => (Test::Not, field),
        Some(("prefix", field)) => (Test::Prefix, field),
        Some(_) => return None,
        None => (Test::Equal, name),
    };
    Some((test, field_of(field)?))
}

/// The field of that name; realms go by the name of one of them too.
pub(super) fn field_of(name: &str) -> Option<Field> {
    if name == REALM { Some(Field::RealmIds) } else { Field::from_name(name) }
}

fn predicate(test: Test, field: Field, values: Vec<String>) -> Answer<Filter> {
    if field == Field::Notification && test != Test::Prefix {
        // An event that says nothing about it is no notification.
        let mut any = Vec::new();
        for value in &values {
            let yes = Filter::term(field, "true");
            any.push(if flag(field.name(), value)? { yes } else { yes.not() });
        }
        return Ok(if test == Test::Not { Filter::Or(any).not() } else { Filter::Or(any) });
    }
    Ok(match test {
        Test::Equal => any_of(field, values),
        Test::Not => any_of(field, values).not(),
        Test::Prefix => Filter::Or(values.into_iter().map(|value| Filter::Prefix(field, value)).collect()),
    })
}

fn any_of(field: Field, mut values: Vec<String>) -> Filter {
    match (values.pop(), values.is_empty()) {
        (Some(only), true) => Filter::Term(field, only),
        (Some(last), false) => {
            values.push(last);
            Filter::AnyOf(field, values)
        }
        (None, _) => Filter::none(),
    }
}

/// `q`: a part of the message or the content, upper and lower case alike.
fn texts(params: &Params, limits: &Limits) -> Answer<Option<Filter>> {
    let mut any = Vec::new();
    for needle in params.all("q") {
        check_size("q", needle, limits)?;
        if needle.is_empty() {
            return Err(Failure::invalid("q", "must not be empty"));
        }
        any.push(Filter::Contains(TextField::MessageOrContent, needle.to_owned()));
    }
    check_count("q", any.len(), limits)?;
    Ok((!any.is_empty()).then_some(Filter::Or(any)))
}

fn acknowledged(params: &Params, name: &str, limits: &Limits) -> Answer<Option<Filter>> {
    let any = params.all(name).map(|value| Ok(Filter::Acknowledged(flag(name, value)?)));
    let any = any.collect::<Answer<Vec<_>>>()?;
    check_count(name, any.len(), limits)?;
    Ok((!any.is_empty()).then_some(Filter::Or(any)))
}

/// `from` is inclusive, `to` exclusive.
fn period(params: &Params) -> Answer<Option<Filter>> {
    let (from_us, to_us) = (time(params, "from")?, time(params, "to")?);
    let given = from_us.is_some() || to_us.is_some();
    let filter = || Filter::created_between(from_us.unwrap_or(i64::MIN), to_us.unwrap_or(i64::MAX));
    Ok(given.then(filter))
}

/// A time as on input: RFC 3339 or epoch milliseconds.
fn time(params: &Params, name: &str) -> Answer<Option<i64>> {
    let Some(text) = params.last(name) else { return Ok(None) };
    let parsed = annals_json::parse_time(text).or_else(|| annals_json::parse_millis(text));
    let wrong = || Failure::invalid(name, "must be an RFC 3339 time or a number of epoch milliseconds");
    parsed.ok_or_else(wrong).map(Some)
}

/// `true` or `false`.
pub(super) fn flag(name: &str, value: &str) -> Answer<bool> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::invalid(name, "must be true or false")),
    }
}

/// A whole number of `min..=max`, or the default.
pub(super) fn number(params: &Params, name: &str, default: u64, min: u64, max: u64) -> Answer<u64> {
    let Some(text) = params.last(name) else { return Ok(default) };
    whole(name, text, min, max).map_err(|detail| Failure::invalid(detail.place, detail.message))
}

/// `sort`.
pub(super) fn order(params: &Params) -> Answer<Order> {
    match params.last("sort") {
        None | Some("-created_at") => Ok(Order::CreatedAtDesc),
        Some("created_at") => Ok(Order::CreatedAtAsc),
        Some("event_type") => Ok(Order::EventTypeAsc),
        Some("-event_type") => Ok(Order::EventTypeDesc),
        Some(_) => Err(Failure::invalid("sort", "must be created_at, -created_at, event_type or -event_type")),
    }
}

/// Refuses every parameter but these.
pub(super) fn only(params: &Params, own: &[&str]) -> Answer<()> {
    match params.iter().find(|(name, _)| !own.contains(name)) {
        None => Ok(()),
        Some((name, _)) if own.is_empty() => Err(Failure::invalid(name, "is not known; this call has no parameters")),
        Some((name, _)) => Err(Failure::invalid(name, format!("is not known; allowed are {}", own.join(", ")))),
    }
}

fn unknown(name: &str, own: &[&str]) -> Failure {
    let fields = Field::ALL.iter().map(|field| if *field == Field::RealmIds { REALM } else { field.name() });
    let allowed: Vec<&str> = own.iter().copied().chain(FILTERS.iter().copied()).chain(fields).collect();
    Failure::invalid(name, format!("is not known; allowed are {}, and not.FIELD and prefix.FIELD", allowed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Answer<Filter> {
        Ok(filters(&Params::parse(Some(query)).unwrap(), &["limit"], &Limits::default())?.filter)
    }

    #[test]
    fn repeated_values_are_any_of_and_names_are_anded() {
        let filter = read("event_type=a&limit=5&event_type=b&realm_id=r").unwrap();
        let expected = Filter::any_of(Field::EventType, ["a", "b"]).and(Filter::term(Field::RealmIds, "r"));
        assert_eq!(filter, expected);
        assert_eq!(read("").unwrap(), Filter::All);
    }

    #[test]
    fn fields_can_be_negated_and_cut_short() {
        assert_eq!(read("not.user_id=u").unwrap(), Filter::term(Field::UserId, "u").not());
        assert_eq!(read("prefix.path=/a").unwrap(), Filter::Or(vec![Filter::Prefix(Field::Path, "/a".to_owned())]));
        assert_eq!(
            read("notification=false").unwrap(),
            Filter::Or(vec![Filter::term(Field::Notification, "true").not()])
        );
    }

    #[test]
    fn acknowledged_goes_both_ways() {
        let marked = |yes| Filter::Or(vec![Filter::Acknowledged(yes)]);
        assert_eq!(read("acknowledged=false").unwrap(), marked(false));
        assert_eq!(read("not.acknowledged=true").unwrap(), marked(true).not());
        assert_eq!(read("not.acknowledged=x").unwrap_err().message, "not.acknowledged must be true or false");
    }

    #[test]
    fn times_are_rfc_3339_or_milliseconds() {
        let expected = Filter::created_between(1_000_000, 2_000_000);
        assert_eq!(read("from=1970-01-01T00:00:01Z&to=2000").unwrap(), expected);
        assert_eq!(read("to=1&from=soon&from=1000&to=2000").unwrap(), expected, "of a repeated one the last counts");
    }

    #[test]
    fn mistakes_are_named() {
        for (query, place) in [
            ("evnt_type=a", "evnt_type"),
            ("near.user_id=a", "near.user_id"),
            ("not.limit=a", "not.limit"),
            ("event_type=", "event_type"),
            ("not.event_type=", "not.event_type"),
            ("from=soon", "from"),
            ("q=", "q"),
            ("acknowledged=1", "acknowledged"),
            ("notification=yes", "notification"),
        ] {
            let failure = read(query).unwrap_err();
            assert_eq!(failure.details[0].place, place, "{query}");
        }
        assert!(read("evnt_type=a").unwrap_err().message.contains("allowed are limit, from, to, q"));
    }

    #[test]
    fn filters_values_and_lengths_are_bounded() {
        let limits = Limits::default();
        let many = Field::ALL.iter().take(limits.filters_max).map(|field| format!("not.{field}=true&"));
        let many = many.collect::<Vec<_>>().concat();
        assert!(read(&many).is_ok());
        assert!(read(&format!("{many}q=x")).is_err());
        let values = "user_id=u&".repeat(limits.filter_values_max);
        assert!(read(&values).is_ok());
        assert!(read(&format!("{values}user_id=u")).is_err());
        let long = "x".repeat(limits.filter_value_size_max);
        assert!(read(&format!("user_id={long}")).is_ok());
        assert!(read(&format!("user_id={long}x")).is_err());
    }
}
