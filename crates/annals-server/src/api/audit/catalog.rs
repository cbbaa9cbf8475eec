//! `GET /v1/audit/catalog`: which types there are of which group.

use std::collections::BTreeMap;

use annals_engine::{Field, Filter, TenantScope};
use annals_query::{Expired, Query, StatsRequest, View};
use axum::http::StatusCode;
use serde_json::json;

use crate::error::Answer;
use crate::face;
use crate::request::Request;

/// `GET /v1/audit/catalog`
pub(super) async fn catalog(request: Request) -> Answer {
    let tenant = request.caller.tenant;
    let body = request
        .state
        .read(move |state| {
            let catalog = read(&state.engine().snapshot(), &tenant, &*state.expiry())?;
            // Here and not in the handler: a large answer takes its time.
            Ok(json!({"catalog": catalog}).to_string())
        })
        .await?;
    Ok(face::json(StatusCode::OK, body))
}

/// Group to types, of the live events that the tenant sees; both in byte order.
fn read(view: &impl View, tenant: &TenantScope, expired: Expired<'_>) -> Answer<BTreeMap<String, Vec<String>>> {
    let mut catalog = BTreeMap::new();
    for group in values(view, &Query::new(tenant), Field::EventGroup, expired)? {
        let members = Query::new(tenant).filter(Filter::term(Field::EventGroup, group.as_str()));
        catalog.insert(group, values(view, &members, Field::EventType, expired)?);
    }
    Ok(catalog)
}

/// The values that a field has, in byte order.
fn values(view: &impl View, query: &Query, field: Field, expired: Expired<'_>) -> Answer<Vec<String>> {
    let asked = StatsRequest { by: vec![field], ..StatsRequest::default() };
    let found = annals_query::stats(view, query, &asked, expired)?;
    let mut values: Vec<String> = found.by.into_iter().flat_map(|(_, values)| values).map(|(value, _)| value).collect();
    values.sort_unstable();
    Ok(values)
}
