//! `GET /api/events-stats/`: events by month, which the document does not have and both clients ask for.

use annals_query::Query;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::paging::{self, Links};
use super::{groups, params};
use crate::error::Answer;
use crate::face;
use crate::pages::{Start, last_page};
use crate::request::Request;

/// `GET /api/events-stats/`
pub(crate) async fn stats(request: Request) -> Answer {
    let asked = params::filters(&request.params, &request.state.limits())?;
    let paging = paging::parse(&request.params, &request.state.limits())?;
    let links = Links::of(&request, &[], &[]);
    let tenant = &request.caller.tenant;
    let query = Query::new(tenant).filter(groups::resolve(&request.state, tenant, asked).await?);
    let months = request
        .state
        .read(move |state| {
            let month = |time_us| annals_json::month_of(time_us).range_us;
            let snapshot = state.engine().snapshot();
            Ok(annals_query::count_in_buckets(&snapshot, &query, &month, &*state.expiry())?)
        })
        .await?;
    let total = u64::try_from(months.len()).unwrap_or(u64::MAX);
    let offset = match paging.start {
        Start::Offset(offset) => offset,
        Start::LastPage => last_page(total, paging.size),
    };
    let headers = links.headers(total, offset, paging.size)?;
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let size = usize::try_from(paging.size).unwrap_or(usize::MAX);
    let shown: Vec<Value> = months.into_iter().rev().skip(skipped).take(size).map(month).collect();
    let mut response = face::json(StatusCode::OK, Value::Array(shown).to_string());
    response.headers_mut().extend(headers);
    Ok(response)
}

fn month((start_us, count): (i64, u64)) -> Value {
    let month = annals_json::month_of(start_us);
    json!({"year": month.year, "month": month.month, "count": count})
}
