//! What waldur's calls are given. An empty value counts as not given, as in the vendor's forms; every
//! mistake is named at once.

use annals_engine::{EventId, Field, Filter, TextField};
use annals_query::Order;

use super::{scope, seconds, uuid};
use crate::config::Limits;
use crate::error::{Answer, Detail, Failure};
use crate::params::Params;

/// The filters that any list, count or statistics takes.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    /// Groups whose types an event must have one of; none: any.
    pub(super) features: Vec<String>,
    /// Groups whose types an event must not have.
    pub(super) excluded: Vec<String>,
}

/// The filters of which the last value counts.
pub(super) const SINGLE: &[&str] = &[
    "created_from",
    "created_to",
    "message",
    "customer_uuid",
    "project_uuid",
    "user_uuid",
    "related_user_uuid",
    "pat_uuid",
    "auth_method",
    "scope",
];
/// The filters of which every value counts.
pub(super) const SEVERAL: &[&str] = &["event_type", "feature", "exclude_features"];

/// Where what is wrong with all parameters together is told.
const ALL_TOGETHER: &str = "non_field_errors";

/// Reads parameters and remembers what is wrong with them.
struct Reader<'a> {
    params: &'a Params,
    limits: &'a Limits,
    wrong: Vec<Detail>,
    filter: Filter,
    count: usize,
}

impl<'a> Reader<'a> {
    fn new(params: &'a Params, limits: &'a Limits) -> Self {
        Self { params, limits, wrong: Vec::new(), filter: Filter::All, count: 0 }
    }

    fn wrong(&mut self, place: &str, message: impl Into<String>) {
        self.wrong.push(Detail { place: place.to_owned(), message: message.into() });
    }

    fn add(&mut self, filter: Filter) {
        self.count += 1;
        self.filter = std::mem::replace(&mut self.filter, Filter::All).and(filter);
    }

    /// The last value of a name, unless it is empty.
    fn given(&self, name: &str) -> Option<&'a str> {
        self.params.last(name).filter(|value| !value.is_empty())
    }

    /// Whether a value may be looked for.
    fn check(&mut self, name: &str, value: &str) -> bool {
        let size_max = self.limits.filter_value_size_max;
        if value.contains('\0') {
            self.wrong(name, "Null characters are not allowed.");
        } else if value.len() > size_max {
            self.wrong(name, format!("Ensure this value has at most {size_max} bytes (it has {}).", value.len()));
        } else {
            return true;
        }
        false
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.given(name)?;
        self.check(name, value).then_some(value)
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let values: Vec<&str> = self.params.iter().filter(|(held, _)| *held == name).map(|(_, value)| value).collect();
        let values: Vec<&str> = values.into_iter().filter(|value| !value.is_empty()).collect();
        let count_max = self.limits.filter_values_max;
        if values.len() > count_max {
            self.wrong(name, format!("Ensure this field has no more than {count_max} elements."));
            return Vec::new();
        }
        let good = values.iter().all(|value| self.check(name, value));
        if good { values.into_iter().map(str::to_owned).collect() } else { Vec::new() }
    }

    fn uuid(&mut self, name: &str) -> Option<EventId> {
        let parsed = uuid::parse(self.given(name)?);
        if parsed.is_none() {
            self.wrong(name, "Enter a valid UUID.");
        }
        parsed
    }

    fn seconds_us(&mut self, name: &str) -> Option<i64> {
        let parsed = seconds::parse_us(self.given(name)?);
        if parsed.is_none() {
            self.wrong(name, "Enter a number.");
        }
        parsed
    }

    /// `created_from` inclusive, `created_to` exclusive.
    fn period(&mut self) {
        let (from_us, to_us) = (self.seconds_us("created_from"), self.seconds_us("created_to"));
        self.count += usize::from(from_us.is_some() && to_us.is_some());
        if from_us.is_some() || to_us.is_some() {
            self.add(Filter::created_between(from_us.unwrap_or(i64::MIN), to_us.unwrap_or(i64::MAX)));
        }
    }

    fn people_and_owners(&mut self) {
        let owners =
            [("customer_uuid", Field::OrgId), ("project_uuid", Field::ProjectId), ("user_uuid", Field::UserId)];
        for (name, field) in owners {
            if let Some(uuid) = self.uuid(name) {
                self.add(uuid::held(field, uuid));
            }
        }
        if let Some(uuid) = self.uuid("related_user_uuid") {
            let held = [Field::UserId, Field::AffectedUserUuid].map(|field| uuid::held(field, uuid));
            self.add(Filter::Or(held.into()));
        }
        if let Some(token) = self.text("pat_uuid") {
            self.add(match uuid::parse(token) {
                Some(uuid) => uuid::held(Field::PatUuid, uuid),
                None => Filter::term(Field::PatUuid, token),
            });
        }
    }

    fn filters(&mut self) -> Asked {
        self.period();
        if let Some(part) = self.text("message") {
            self.add(Filter::Contains(TextField::Message, part.to_owned()));
        }
        self.people_and_owners();
        let types = self.texts("event_type");
        if !types.is_empty() {
            self.add(Filter::AnyOf(Field::EventType, types));
        }
        if let Some(method) = self.text("auth_method") {
            self.add(Filter::term(Field::AuthMethod, method));
        }
        if let Some(url) = self.text("scope") {
            match scope::filter(url) {
                Some(filter) => self.add(filter),
                None => self.wrong("scope", "Invalid hyperlink - No URL match."),
            }
        }
        let (features, excluded) = (self.texts("feature"), self.texts("exclude_features"));
        self.count += usize::from(!features.is_empty()) + usize::from(!excluded.is_empty());
        if self.count > self.limits.filters_max {
            let message =
                format!("Ensure there are at most {} filters (there are {}).", self.limits.filters_max, self.count);
            self.wrong(ALL_TOGETHER, message);
        }
        let filter = std::mem::replace(&mut self.filter, Filter::All);
        Asked { filter, features, excluded }
    }

    /// `o`: the last one given; of a list parted by commas the first entry decides.
    fn order(&mut self) -> Order {
        let mut chosen = None;
        for choice in self.given("o").unwrap_or_default().split(',').filter(|choice| !choice.is_empty()) {
            let order = match choice {
                "created" => Order::CreatedAtAsc,
                "-created" => Order::CreatedAtDesc,
                _ => {
                    if self.check("o", choice) {
                        let message = format!("Select a valid choice. {choice} is not one of the available choices.");
                        self.wrong("o", message);
                    }
                    break;
                }
            };
            chosen = chosen.or(Some(order));
        }
        chosen.unwrap_or(Order::CreatedAtDesc)
    }

    fn checked<T>(self, value: T) -> Answer<T> {
        Failure::invalid_all(self.wrong).map_or(Ok(value), Err)
    }
}

/// The filters. What is not known is ignored.
///
/// # Errors
/// 400 with everything that is wrong.
pub(super) fn filters(params: &Params, limits: &Limits) -> Answer<Asked> {
    let mut reader = Reader::new(params, limits);
    let asked = reader.filters();
    reader.checked(asked)
}

/// The filters and the order of a list.
///
/// # Errors
/// 400 with everything that is wrong.
pub(super) fn list(params: &Params, limits: &Limits) -> Answer<(Asked, Order)> {
    let mut reader = Reader::new(params, limits);
    let asked = (reader.filters(), reader.order());
    reader.checked(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> Vec<String> {
        let failure = list(&Params::parse(Some(query)).unwrap(), &Limits::default()).unwrap_err();
        failure.details.into_iter().map(|detail| detail.place).collect()
    }

    fn read(query: &str) -> (Asked, Order) {
        list(&Params::parse(Some(query)).unwrap(), &Limits::default()).unwrap()
    }

    #[test]
    fn empty_values_count_as_not_given() {
        let (asked, order) = read("created_from=&message=&user_uuid=&o=&event_type=&feature=&scope=&o=,&other=1");
        assert_eq!((asked.filter, order), (Filter::All, Order::CreatedAtDesc));
        assert!(asked.features.is_empty());
    }

    #[test]
    fn the_period_is_half_open_and_cut_to_seconds() {
        let (asked, _) = read("created_from=1.9&created_to=2.9");
        assert_eq!(asked.filter, Filter::created_between(1_000_000, 2_000_000));
    }

    #[test]
    fn the_last_order_counts_and_the_first_of_its_list() {
        assert_eq!(read("o=-created&o=created").1, Order::CreatedAtAsc);
        assert_eq!(read("o=-created,created").1, Order::CreatedAtDesc);
        assert_eq!(read("o=,created").1, Order::CreatedAtAsc);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let query = "created_from=x&customer_uuid=1&o=up&scope=y&message=%00";
        assert_eq!(wrong(query), ["created_from", "message", "customer_uuid", "scope", "o"]);
        let many = "event_type=a&".repeat(101);
        assert_eq!(wrong(&many), ["event_type"]);
    }

    #[test]
    fn the_number_of_filters_is_bounded() {
        let limits = Limits { filters_max: 3, ..Limits::default() };
        let read = |query: &str| filters(&Params::parse(Some(query)).unwrap(), &limits);
        assert!(read("created_from=1&created_to=2&feature=a").is_ok());
        let failure = read("created_from=1&created_to=2&feature=a&exclude_features=b").unwrap_err();
        assert_eq!(failure.details[0].message, "Ensure there are at most 3 filters (there are 4).");
    }
}
