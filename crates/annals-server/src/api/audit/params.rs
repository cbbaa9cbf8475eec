//! What the list is given: every mistake in one answer, in the words of the vendor's framework.

use annals_engine::{Field, Filter, TenantScope};
use annals_query::{CursorKey, Order, Query, Total};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::integer::{self, NoInteger};
use crate::config::Limits;
use crate::error::{Answer, Failure};
use crate::params::Params;

pub(super) const LIMIT_DEFAULT: u32 = 50;
pub(super) const LIMIT_MAX: u32 = 200;
const LIMIT: &str = "limit";
const CURSOR: &str = "cursor";

/// The filters, all of them exact, in the document's order.
pub(super) const FILTERS: &[(&str, Field)] = &[
    ("event_group", Field::EventGroup),
    ("event_type", Field::EventType),
    ("status", Field::Status),
    ("user_id", Field::UserId),
    ("vm_id", Field::VmId),
    ("session_id", Field::SessionId),
];

/// The query of a list, newest first. What is not known is ignored; of a repeated parameter the last
/// counts.
///
/// # Errors
/// 422 with everything that is wrong, in the order of the document.
pub(super) fn list(params: &Params, limits: &Limits, tenant: &TenantScope, key: &CursorKey) -> Answer<Query> {
    let mut wrong = Vec::new();
    let mut filter = Filter::All;
    for (name, field) in FILTERS {
        let Some(text) = params.last(name) else { continue };
        let read = if *field == Field::UserId { number(name, text) } else { exact(name, *field, text, limits) };
        match read {
            Ok(one) => filter = filter.and(one),
            Err(error) => wrong.push(error),
        }
    }
    let mut query = Query::new(tenant).filter(filter).order(Order::CreatedAtDesc).total(Total::None);
    // A cursor is one of certain filters: with a wrong one nothing can be said about it.
    if let Some(text) = params.last(CURSOR).filter(|_| wrong.is_empty()) {
        match key.decode(text, &query) {
            Ok(position) => query = query.after(position),
            Err(_foreign) => wrong.push(bad_cursor(text)),
        }
    }
    let limit_max = LIMIT_MAX.min(limits.page_events_max);
    match params.last(LIMIT).map_or(Ok(LIMIT_DEFAULT.min(limit_max)), |text| limit(text, limit_max)) {
        Ok(limit) => query = query.limit(limit),
        Err(error) => wrong.push(error),
    }
    if wrong.is_empty() {
        return Ok(query);
    }
    let body = json!({"detail": wrong});
    Err(Failure::with_body(StatusCode::UNPROCESSABLE_ENTITY, "invalid_parameter", body))
}

fn exact(name: &str, field: Field, text: &str, limits: &Limits) -> Result<Filter, Value> {
    let max = limits.filter_value_size_max;
    if text.len() > max {
        let message = format!("String should have at most {max} bytes");
        return Err(bounded(error(name, "string_too_long", &message, text), "max_length", max));
    }
    Ok(Filter::term(field, text))
}

/// The events shown with this number; one beyond 64 bits is shown on none.
fn number(name: &str, text: &str) -> Result<Filter, Value> {
    let number = integer::parse(text).map_err(|why| no_integer(name, why, text))?;
    Ok(if integer::shown(&number).is_some() { Filter::term(Field::UserId, number) } else { Filter::none() })
}

fn limit(text: &str, limit_max: u32) -> Result<u32, Value> {
    let digits = integer::parse(text).map_err(|why| no_integer(LIMIT, why, text))?;
    let bound = |kind, word: &str, ctx: &str, bound: u32| {
        let message = format!("Input should be {word} than or equal to {bound}");
        bounded(error(LIMIT, kind, &message, text), ctx, bound)
    };
    match digits.parse::<u32>() {
        Ok(limit) if (1..=limit_max).contains(&limit) => Ok(limit),
        Ok(0) => Err(bound("greater_than_equal", "greater", "ge", 1)),
        Err(_below) if digits.starts_with('-') => Err(bound("greater_than_equal", "greater", "ge", 1)),
        Ok(_) | Err(_) => Err(bound("less_than_equal", "less", "le", limit_max)),
    }
}

fn no_integer(name: &str, why: NoInteger, text: &str) -> Value {
    let (kind, message) = match why {
        NoInteger::Unreadable => {
            ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
        }
        NoInteger::TooLong => ("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"),
    };
    error(name, kind, message, text)
}

fn bad_cursor(text: &str) -> Value {
    let message = "Value error, the cursor does not belong to this query: start from the first page";
    error(CURSOR, "value_error", message, text)
}

fn error(name: &str, kind: &str, message: &str, input: &str) -> Value {
    json!({"type": kind, "loc": ["query", name], "msg": message, "input": input})
}

/// The error with the bound that was passed.
fn bounded(mut error: Value, name: &str, bound: impl Into<Value>) -> Value {
    if let Some(members) = error.as_object_mut() {
        members.insert("ctx".to_owned(), json!({name: bound.into()}));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Answer<Query> {
        let params = Params::parse(Some(query)).unwrap();
        list(&params, &Limits::default(), &TenantScope::Unlimited, &CursorKey::new([1; 32]))
    }

    fn wrong(query: &str) -> Value {
        read(query).unwrap_err().body.unwrap()["detail"].clone()
    }

    #[test]
    fn a_list_has_defaults_and_exact_filters() {
        let query = |filter: Filter, limit: u32| {
            Query::new(&TenantScope::Unlimited)
                .filter(filter)
                .order(Order::CreatedAtDesc)
                .total(Total::None)
                .limit(limit)
        };
        assert_eq!(read("").unwrap(), query(Filter::All, LIMIT_DEFAULT));
        let asked = read("user_id=+07&vm_id=a&vm_id=b&limit=+2_0.0&unknown=1").unwrap();
        let expected = Filter::term(Field::UserId, "7").and(Filter::term(Field::VmId, "b"));
        assert_eq!(asked, query(expected, 20));
        assert_eq!(read("user_id=99999999999999999999").unwrap(), query(Filter::none(), LIMIT_DEFAULT));
    }

    #[test]
    fn every_mistake_is_in_the_answer_in_the_documents_order() {
        let message = "Input should be a valid integer, unable to parse string as an integer";
        let expected = json!([
            {"type": "int_parsing", "loc": ["query", "user_id"], "msg": message, "input": "ada"},
            {"type": "greater_than_equal", "loc": ["query", "limit"], "input": "0", "ctx": {"ge": 1},
             "msg": "Input should be greater than or equal to 1"},
        ]);
        assert_eq!(wrong("limit=0&user_id=ada&cursor=x"), expected, "a cursor belongs to filters that are known");
        assert_eq!(wrong("cursor=x&limit=201")[0]["loc"], json!(["query", "cursor"]));
        for (limit, kind) in [
            ("-1", "greater_than_equal"),
            ("-99999999999999999999", "greater_than_equal"),
            ("201", "less_than_equal"),
            ("99999999999999999999", "less_than_equal"),
            ("", "int_parsing"),
            ("1.5", "int_parsing"),
        ] {
            assert_eq!(wrong(&format!("limit={limit}"))[0]["type"], kind, "{limit}");
        }
    }
}
