//! `GET /annals/v1/values`: the values of a field, for whoever looks for one.

use annals_query::{Query, Values};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::query::{filters, number};
use super::stats::field;
use crate::error::{Answer, Failure};
use crate::face;
use crate::gap;
use crate::request::Request;

const FIELD: &str = "field";
const CONTAINS: &str = "contains";
const OWN: &[&str] = &[FIELD, CONTAINS, "limit"];
const LIMIT_DEFAULT: u64 = 20;
const LIMIT_MAX: u64 = 1000;

/// `GET /annals/v1/values`
pub(crate) async fn values(request: Request) -> Answer {
    let (params, limits) = (&request.params, request.state.limits());
    let filter = filters(params, OWN, &limits)?.filter;
    let name = params.last(FIELD).ok_or_else(|| Failure::invalid(FIELD, "is required"))?.to_owned();
    let field = field(FIELD, &name)?;
    let contains = params.last(CONTAINS).unwrap_or_default().to_owned();
    if contains.len() > limits.filter_value_size_max {
        let message = format!("must have at most {} bytes", limits.filter_value_size_max);
        return Err(Failure::invalid(CONTAINS, message));
    }
    let limit = usize::try_from(number(params, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)?).unwrap_or(usize::MAX);
    let query = Query::new(&request.caller.tenant).filter(filter);
    let body = request
        .state
        .read(move |state| {
            let snapshot = state.engine().snapshot();
            let found = annals_query::values(&snapshot, &query, field, &contains, limit, &*state.expiry())?;
            let mut body = shown(&name, &found);
            if let (Value::Object(body), false) = (&mut body, snapshot.gaps().is_empty()) {
                body.insert("gap".to_owned(), gap::shown(snapshot.gaps()));
            }
            Ok(body.to_string())
        })
        .await?;
    Ok(face::json(StatusCode::OK, body))
}

fn shown(name: &str, found: &Values) -> Value {
    let one = |(value, count): &(String, u64)| json!({"value": value, "count": count});
    let values: Vec<Value> = found.values.iter().map(one).collect();
    json!({"field": name, "values": values, "more": found.others > 0})
}
