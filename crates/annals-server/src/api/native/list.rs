//! `GET` and `DELETE /annals/v1/events`: pages, and deletes by filter.

use annals_engine::Engine;
use annals_query::{CursorKey, DeleteMode, DeleteOutcome, Query, Total};
use axum::http::StatusCode;

use super::query::{filters, flag, number, order};
use crate::deed::Deed;
use crate::error::{Answer, Failure};
use crate::face;
use crate::gap;
use crate::request::Request;
use crate::state::AppState;
use crate::trace::Rows;

const LIST: &[&str] = &["sort", "limit", "offset", "cursor", "total", "fields"];
const LIMIT_DEFAULT: u64 = 100;

/// What a page is of.
pub(super) struct Source {
    pub(super) engine: Engine,
    pub(super) cursor_key: CursorKey,
}

/// `GET /annals/v1/events`
pub(crate) async fn list(request: Request) -> Answer {
    let (engine, cursor_key) = (request.state.engine().clone(), request.state.cursor_key().clone());
    page(request, Source { engine, cursor_key }).await
}

/// A page of what the caller sees of a source.
pub(super) async fn page(request: Request, source: Source) -> Answer {
    let (params, limits) = (&request.params, &request.state.limits());
    let filter = filters(params, LIST, limits)?.filter;
    let limit_max = u64::from(limits.page_events_max);
    let limit = number(params, "limit", LIMIT_DEFAULT.min(limit_max), 1, limit_max)?;
    let offset = number(params, "offset", 0, 0, u64::MAX)?;
    let total = match params.last("total") {
        None | Some("exact") => Total::Exact,
        Some("none") => Total::None,
        Some(_) => return Err(Failure::invalid("total", "must be exact or none")),
    };
    let selection = match params.last("fields") {
        None => None,
        Some(list) if list.split(',').all(|name| name.trim().is_empty()) => {
            return Err(Failure::invalid("fields", "must name at least one member of an event"));
        }
        Some(list) => Some(
            annals_json::Selection::parse(list)
                .map_err(|error| Failure::invalid("fields", format!("is wrong: {error}")))?,
        ),
    };
    let mut query = Query::new(&request.caller.tenant)
        .filter(filter)
        .order(order(params)?)
        .total(total)
        .limit(u32::try_from(limit).unwrap_or(u32::MAX))
        .offset(offset)
        .size_max_bytes(u64::try_from(limits.page_size_bytes_max).unwrap_or(u64::MAX));
    if let Some(cursor) = params.last("cursor") {
        if offset > 0 {
            return Err(Failure::invalid("cursor", "cannot be given together with an offset"));
        }
        query = query.clone().after(source.cursor_key.decode(cursor, &query)?);
    }
    let (body, rows) = request
        .state
        .read(move |state| {
            let snapshot = source.engine.snapshot();
            let page = annals_query::execute(&snapshot, &query, &*state.expiry())?;
            let next = page.next.as_ref().map(|position| source.cursor_key.encode(position, &query));
            let mut body = b"{\"events\":[".to_vec();
            for (index, event) in page.events.iter().enumerate() {
                if index > 0 {
                    body.push(b',');
                }
                annals_json::write_event(&mut body, event, selection.as_ref());
            }
            let total = serde_json::json!(page.total);
            let next = serde_json::json!(next);
            let gap = if snapshot.gaps().is_empty() {
                String::new()
            } else {
                format!(",\"gap\":{}", gap::shown(snapshot.gaps()))
            };
            let tail =
                format!("],\"total\":{total},\"limit\":{limit},\"offset\":{offset},\"next_cursor\":{next}{gap}}}");
            body.extend_from_slice(tail.as_bytes());
            Ok((body, Rows(page.events.len())))
        })
        .await?;
    let mut response = face::json(StatusCode::OK, body);
    response.extensions_mut().insert(rows);
    Ok(response)
}

/// `DELETE /annals/v1/events`
pub(crate) async fn delete(request: Request) -> Answer {
    const DRY_RUN: &str = "dry_run";
    let found = filters(&request.params, &[DRY_RUN], &request.state.limits())?;
    if found.count == 0 {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "invalid_parameter",
            "a delete needs at least one filter: to delete everything say from=1970-01-01",
        ));
    }
    // Of a variable that was never set; most events have most fields.
    if let Some((name, _)) = request.params.iter().find(|(name, value)| value.is_empty() && *name != DRY_RUN) {
        return Err(Failure::invalid(name, "must not be empty in a delete"));
    }
    let dry_run = request.params.last(DRY_RUN).map_or(Ok(false), |value| flag(DRY_RUN, value))?;
    let mode = if dry_run { DeleteMode::DryRun } else { DeleteMode::Delete };
    // A count of what would be deleted deletes nothing.
    let deed = (!dry_run).then(|| request.deed("events.deleted").filter(request.uri.query().unwrap_or_default()));
    let (tenant, filter) = (request.caller.tenant, found.filter);
    let delete = move |state: &AppState| {
        Ok(annals_query::delete_matching(state.engine(), &tenant, &filter, mode, &*state.expiry())?)
    };
    let told = |deed: Deed, outcome: &DeleteOutcome| deed.count(outcome.deleted);
    let outcome = request
        .state
        .write(move |state| match deed {
            Some(deed) => state.audited(deed, delete, told),
            None => delete(state),
        })
        .await?;
    let body = serde_json::json!({"deleted": outcome.deleted, "dry_run": dry_run});
    Ok(face::json(StatusCode::OK, body.to_string()))
}
