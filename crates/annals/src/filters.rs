//! Which events: flags that mean the same for a directory and for a server.

use annals_engine::{Field, Filter, TextField, Values};
use clap::Args;

use crate::client::push_parameter;
use crate::failure::{Failure, Result};

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct Filters {
    /// Events of this type; repeated: any of them
    #[arg(long, value_name = "TYPE")]
    event_type: Vec<String>,
    /// Events whose field has this value; repeated for one field: any of them
    #[arg(long, short, value_name = "FIELD=VALUE")]
    filter: Vec<String>,
    /// Events whose field does not have this value
    #[arg(long, value_name = "FIELD=VALUE")]
    not: Vec<String>,
    /// Events whose field begins with this
    #[arg(long, value_name = "FIELD=START")]
    prefix: Vec<String>,
    /// Events created at this time or later: 2026-01-31, 2026-01-31T12:00:00Z, or milliseconds since 1970
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Events created before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Events whose message or content holds this text, in any case
    #[arg(short, long = "query", value_name = "TEXT")]
    q: Option<String>,
}

/// One condition on a field, as the user wrote it.
struct Condition<'a> {
    /// The native API's name of the filter.
    name: &'a str,
    what: What,
    value: &'a str,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Keyword(Field),
    Acknowledged,
}

impl Filters {
    /// As the engine takes it.
    pub(crate) fn to_filter(&self) -> Result<Filter> {
        let mut all = Filter::All;
        let mut wanted: Vec<(Field, Vec<String>)> = Vec::new();
        for condition in self.wanted()? {
            match condition.what {
                What::Acknowledged => all = all.and(Filter::Acknowledged(flag(condition.value)?)),
                What::Keyword(field) => match wanted.iter_mut().find(|(held, _)| *held == field) {
                    Some((_, values)) => values.push(condition.value.to_owned()),
                    None => wanted.push((field, vec![condition.value.to_owned()])),
                },
            }
        }
        for (field, values) in wanted {
            all = all.and(Filter::AnyOf(field, values));
        }
        for condition in conditions(&self.not)? {
            all = all.and(match condition.what {
                What::Acknowledged => Filter::Acknowledged(!flag(condition.value)?),
                What::Keyword(field) => Filter::term(field, condition.value).not(),
            });
        }
        for condition in conditions(&self.prefix)? {
            let What::Keyword(field) = condition.what else {
                return Err(Failure::new("acknowledged is true or false and has no beginning"));
            };
            all = all.and(Filter::Prefix(field, condition.value.to_owned()));
        }
        let (from, to) = (self.from.as_deref(), self.to.as_deref());
        if from.is_some() || to.is_some() {
            let from_us = from.map_or(Ok(i64::MIN), |from| time_us("--from", from))?;
            let to_us = to.map_or(Ok(i64::MAX), |to| time_us("--to", to))?;
            all = all.and(Filter::created_between(from_us, to_us));
        }
        if let Some(text) = &self.q {
            all = all.and(Filter::Contains(TextField::MessageOrContent, text.clone()));
        }
        Ok(all)
    }

    /// Appends the same to the query of the native API.
    pub(crate) fn push_parameters(&self, query: &mut String) -> Result<()> {
        for condition in self.wanted()? {
            push_parameter(query, condition.name, condition.value);
        }
        for (start, list) in [("not.", &self.not), ("prefix.", &self.prefix)] {
            for condition in conditions(list)? {
                push_parameter(query, &format!("{start}{}", condition.name), condition.value);
            }
        }
        for (flag, name, time) in [("--from", "from", &self.from), ("--to", "to", &self.to)] {
            if let Some(time) = time {
                let mut shown = Vec::new();
                annals_json::write_micros(&mut shown, time_us(flag, time)?);
                push_parameter(query, name, &String::from_utf8_lossy(&shown));
            }
        }
        if let Some(text) = &self.q {
            push_parameter(query, "q", text);
        }
        Ok(())
    }

    fn wanted(&self) -> Result<Vec<Condition<'_>>> {
        let event_type = What::Keyword(Field::EventType);
        let mut all: Vec<_> =
            self.event_type.iter().map(|value| Condition { name: "event_type", what: event_type, value }).collect();
        all.extend(conditions(&self.filter)?);
        Ok(all)
    }
}

fn conditions(list: &[String]) -> Result<Vec<Condition<'_>>> {
    list.iter()
        .map(|text| {
            let Some((name, value)) = text.split_once('=') else {
                return Err(Failure::new(format_args!("{text:?} is no condition: write FIELD=VALUE")));
            };
            if name == "acknowledged" {
                return Ok(Condition { name: "acknowledged", what: What::Acknowledged, value });
            }
            let field = field(name)?;
            Ok(Condition { name: filter_name(field), what: What::Keyword(field), value })
        })
        .collect()
}

/// The field a user means; `realm_id` is one of `realm_ids`.
pub(crate) fn field(name: &str) -> Result<Field> {
    Field::from_name(name).or_else(|| Field::from_name(&format!("{name}s"))).ok_or_else(|| {
        let names: Vec<&str> = Field::ALL.iter().map(|field| filter_name(*field)).collect();
        Failure::new(format_args!("{name:?} is no field to filter by\nThere are: {}.", names.join(", ")))
    })
}

/// The name of a filter is that of one value.
pub(crate) fn filter_name(field: Field) -> &'static str {
    match field.values() {
        Values::Single => field.name(),
        Values::Multiple => field.name().trim_end_matches('s'),
    }
}

fn flag(value: &str) -> Result<bool> {
    value.parse().map_err(|_| Failure::new(format_args!("acknowledged is true or false, not {value:?}")))
}

fn time_us(flag: &str, text: &str) -> Result<i64> {
    annals_json::parse_time(text).or_else(|| annals_json::parse_millis(text)).ok_or_else(|| {
        Failure::new(format_args!(
            "{flag} {text:?} is no time: write 2026-01-31, 2026-01-31T12:00:00Z or milliseconds since 1970"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filters: Filters,
    }

    fn filters(line: &str) -> Filters {
        Line::parse_from(std::iter::once("x").chain(line.split_whitespace())).filters
    }

    #[test]
    fn flags_mean_the_same_for_a_directory_and_a_server() {
        let filters = filters(
            "--event-type a --event-type b --filter realm_id=r --not status=failure --prefix path=/v1 \
             --filter acknowledged=false --from 2026-01-31 --to 1769860800000 -q disk",
        );
        let expected = Filter::Acknowledged(false)
            .and(Filter::any_of(Field::EventType, ["a", "b"]))
            .and(Filter::any_of(Field::RealmIds, ["r"]))
            .and(Filter::term(Field::Status, "failure").not())
            .and(Filter::Prefix(Field::Path, "/v1".to_owned()))
            .and(Filter::created_between(1_769_817_600_000_000, 1_769_860_800_000_000))
            .and(Filter::Contains(TextField::MessageOrContent, "disk".to_owned()));
        assert_eq!(filters.to_filter().unwrap(), expected);
        let mut query = String::new();
        filters.push_parameters(&mut query).unwrap();
        assert_eq!(
            query,
            "?event%5Ftype=a&event%5Ftype=b&realm%5Fid=r&acknowledged=false&not%2Estatus=failure&prefix%2Epath=%2Fv1\
             &from=2026%2D01%2D31T00%3A00%3A00%2E000000Z&to=2026%2D01%2D31T12%3A00%3A00%2E000000Z&q=disk"
        );
    }

    #[test]
    fn no_flags_mean_every_event() {
        assert_eq!(filters("").to_filter().unwrap(), Filter::All);
    }

    #[test]
    fn mistakes_are_named() {
        for line in [
            "--filter status",
            "--filter colour=red",
            "--from yesterday",
            "--filter acknowledged=x",
            "--prefix acknowledged=t",
        ] {
            assert!(filters(line).to_filter().is_err(), "{line}");
        }
    }
}
