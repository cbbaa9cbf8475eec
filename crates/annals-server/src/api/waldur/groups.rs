//! Event groups and scope types: what the live events that the key sees have, and what the operator
//! has named.

use std::collections::{BTreeMap, BTreeSet};

use annals_engine::{Field, Filter, Snapshot, TenantScope};
use annals_query::{Query, StatsRequest};
use serde_json::json;

use super::counted;
use super::params::Asked;
use crate::error::{Answer, Failure};
use crate::request::Request;
use crate::state::AppState;

/// The most types that the groups of one filter may have, inclusive: far more than a vendor has, and a
/// query of them is still answered at once.
const TYPES_MAX: usize = 10_000;

/// `GET /api/events/event_groups/`
pub(crate) async fn event_groups(request: Request) -> Answer {
    let tenant = request.caller.tenant;
    let (count, body) = request
        .state
        .read(move |state| {
            let snapshot = state.engine().snapshot();
            let expiry = state.expiry();
            let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for group in values(&snapshot, &tenant, Filter::All, Field::EventGroup, None, &*expiry)? {
                let of_group = Filter::term(Field::EventGroup, &group);
                let types = values(&snapshot, &tenant, of_group, Field::EventType, None, &*expiry)?;
                groups.entry(group).or_default().extend(types);
            }
            for (group, types) in &state.faces().waldur_event_groups {
                groups.entry(group.clone()).or_default().extend(types.iter().cloned());
            }
            // Here and not in the handler: a large answer takes its time.
            Ok((count(groups.len()), json!(groups).to_string()))
        })
        .await?;
    Ok(counted(count, body))
}

/// `GET /api/events/scope_types/`
pub(crate) async fn scope_types(request: Request) -> Answer {
    let tenant = request.caller.tenant;
    let (count, body) = request
        .state
        .read(move |state| {
            let (snapshot, expiry) = (state.engine().snapshot(), state.expiry());
            let mut types = values(&snapshot, &tenant, Filter::All, Field::ResourceType, None, &*expiry)?;
            types.sort_unstable();
            Ok((count(types.len()), json!(types).to_string()))
        })
        .await?;
    Ok(counted(count, body))
}

/// The whole filter of a request: features stand for the types of their groups.
///
/// # Errors
/// 400 if the groups have too many types.
pub(super) async fn resolve(state: &AppState, tenant: &TenantScope, asked: Asked) -> Answer<Filter> {
    let Asked { filter, features, excluded } = asked;
    if features.is_empty() && excluded.is_empty() {
        return Ok(filter);
    }
    let tenant = tenant.clone();
    state
        .read(move |state| {
            let (snapshot, expiry) = (state.engine().snapshot(), state.expiry());
            let types = |name: &str, groups: &[String]| types_of(state, &snapshot, &tenant, name, groups, &*expiry);
            let mut filter = filter;
            if !features.is_empty() {
                filter = filter.and(Filter::any_of(Field::EventType, types("feature", &features)?));
            }
            if !excluded.is_empty() {
                filter = filter.and(Filter::any_of(Field::EventType, types("exclude_features", &excluded)?).not());
            }
            Ok(filter)
        })
        .await
}

fn types_of(
    state: &AppState,
    snapshot: &Snapshot,
    tenant: &TenantScope,
    name: &str,
    groups: &[String],
    expired: &dyn Fn() -> bool,
) -> Answer<BTreeSet<String>> {
    let of_groups = Filter::any_of(Field::EventGroup, groups);
    let held = values(snapshot, tenant, of_groups, Field::EventType, Some(TYPES_MAX + 1), expired)?;
    let faces = state.faces();
    let named = groups.iter().filter_map(|group| faces.waldur_event_groups.get(group)).flatten().cloned();
    let types: BTreeSet<String> = held.into_iter().chain(named).collect();
    if types.len() > TYPES_MAX {
        return Err(Failure::invalid(name, format!("Ensure these groups have at most {TYPES_MAX} event types.")));
    }
    Ok(types)
}

/// The values of a field among the events that match, and only so many of them if `top` says so.
fn values(
    snapshot: &Snapshot,
    tenant: &TenantScope,
    filter: Filter,
    field: Field,
    top: Option<usize>,
    expired: &dyn Fn() -> bool,
) -> Answer<Vec<String>> {
    let asked = StatsRequest { by: vec![field], top, ..StatsRequest::default() };
    let found = annals_query::stats(snapshot, &Query::new(tenant).filter(filter), &asked, expired)?;
    Ok(found.by.into_iter().flat_map(|(_, values)| values).map(|(value, _)| value).collect())
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
