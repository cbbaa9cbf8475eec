//! `GET /annals/v1/stats`: exact counts.

use annals_engine::Field;
use annals_query::{BUCKETS_MAX, Query, Stats, StatsRequest};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::query::{ACKNOWLEDGED, field_of, filters, number};
use crate::auth::grant::shown_time;
use crate::error::{Answer, Failure};
use crate::face;
use crate::gap;
use crate::params::Params;
use crate::request::Request;

const OWN: &[&str] = &["by", "limit", "interval", "split"];
const TOP_DEFAULT: u64 = 100;
const TOP_MAX: u64 = 10_000;
/// As many fields as filters.
const BY_MAX: usize = 16;

/// `GET /annals/v1/stats`
pub(crate) async fn stats(request: Request) -> Answer {
    let params = &request.params;
    let filter = filters(params, OWN, &request.state.limits())?.filter;
    let (by, names): (Vec<Field>, Vec<String>) = by(params)?.into_iter().unzip();
    let top = number(params, "limit", TOP_DEFAULT, 1, TOP_MAX)?;
    let interval_us = params.last("interval").map(interval_us).transpose()?;
    let split = params.last("split").map(|name| field("split", name)).transpose()?;
    if split.is_some() && interval_us.is_none() {
        return Err(Failure::invalid("split", "needs an interval: it is the histogram that is split"));
    }
    let asked = StatsRequest { by, top: usize::try_from(top).ok(), interval_us, split };
    let query = Query::new(&request.caller.tenant).filter(filter);
    let body = request
        .state
        .read(move |state| {
            let snapshot = state.engine().snapshot();
            let found = annals_query::stats(&snapshot, &query, &asked, &*state.expiry())
                .map_err(|error| refusal(error, interval_us.is_some()))?;
            // Here and not in the handler: a large answer takes its time.
            let mut body = shown(&found, &names, (interval_us.is_some(), split.is_some()));
            if let (Value::Object(body), false) = (&mut body, snapshot.gaps().is_empty()) {
                body.insert("gap".to_owned(), gap::shown(snapshot.gaps()));
            }
            Ok(body.to_string())
        })
        .await?;
    Ok(face::json(StatusCode::OK, body))
}

/// What a query of bounded filters and a positive interval can be wrong in is the number of buckets.
fn refusal(error: annals_query::Error, with_histogram: bool) -> Failure {
    if with_histogram && error.kind() == annals_query::ErrorKind::InvalidInput {
        let message =
            format!("gives more than {BUCKETS_MAX} buckets: choose a longer interval or a shorter time range");
        return Failure::invalid("interval", message);
    }
    error.into()
}

/// The fields to count by, under the names they were asked for.
fn by(params: &Params) -> Answer<Vec<(Field, String)>> {
    let mut fields: Vec<(Field, String)> = Vec::new();
    for name in params.all("by") {
        let field = field("by", name)?;
        if !fields.iter().any(|(held, _)| *held == field) {
            fields.push((field, name.to_owned()));
        }
    }
    if fields.len() > BY_MAX {
        return Err(Failure::invalid("by", format!("must be given at most {BY_MAX} times")));
    }
    Ok(fields)
}

/// The field that a parameter names.
pub(super) fn field(parameter: &str, name: &str) -> Answer<Field> {
    if name == ACKNOWLEDGED {
        let message = "cannot be acknowledged, which is no field: ask for total with acknowledged=true and =false";
        return Err(Failure::invalid(parameter, message));
    }
    field_of(name).ok_or_else(|| Failure::invalid(parameter, format!("must be a field, {name:?} is none")))
}

/// `90s`, `15m`, `1h`, `7d`, `1w`.
fn interval_us(text: &str) -> Answer<i64> {
    const US_PER_SECOND: i64 = 1_000_000;
    let wrong = || Failure::invalid("interval", "must be a whole number above 0 with s, m, h, d or w, such as 1h");
    let unit = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        Some(b'w') => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let digits = text.get(..text.len() - 1).unwrap_or_default();
    let count: i64 = if digits.starts_with('+') { None } else { digits.parse().ok() }.ok_or_else(wrong)?;
    count.checked_mul(unit * US_PER_SECOND).filter(|us| *us > 0).ok_or_else(wrong)
}

fn shown(stats: &Stats, names: &[String], (with_histogram, is_split): (bool, bool)) -> Value {
    let mut by = Map::new();
    for ((_, values), name) in stats.by.iter().zip(names) {
        let counts = values.iter().map(|(value, count)| (value.clone(), json!(count))).collect();
        by.insert(name.clone(), Value::Object(counts));
    }
    let mut body = Map::new();
    body.insert("total".to_owned(), json!(stats.total));
    body.insert("oldest".to_owned(), json!(stats.oldest_us.map(shown_time)));
    body.insert("newest".to_owned(), json!(stats.newest_us.map(shown_time)));
    body.insert("by".to_owned(), Value::Object(by));
    if with_histogram {
        let mut split = stats.split.buckets.iter();
        let buckets = stats.histogram.iter().map(|(at_us, count)| {
            let mut bucket = json!({"time": shown_time(*at_us), "count": count});
            if let (true, Some((counts, other)), Value::Object(bucket)) = (is_split, split.next(), &mut bucket) {
                let held = stats.split.values.iter().zip(counts).filter(|(_, count)| **count > 0);
                let by = held.map(|(value, count)| (value.clone(), json!(count))).collect();
                bucket.insert("by".to_owned(), Value::Object(by));
                bucket.insert("other".to_owned(), json!(other));
            }
            bucket
        });
        body.insert("histogram".to_owned(), buckets.collect());
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_a_unit() {
        assert_eq!(interval_us("1h").unwrap(), 3_600_000_000);
        assert_eq!(interval_us("90s").unwrap(), 90_000_000);
        assert_eq!(interval_us("2w").unwrap(), interval_us("14d").unwrap());
        for text in ["", "1", "h", "0h", "-1h", "+1h", "1.5h", "1y", "9999999999999999d", "é"] {
            assert!(interval_us(text).is_err(), "{text}");
        }
    }
}
