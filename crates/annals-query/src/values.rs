//! The values of a field, for whoever looks for one.

use annals_engine::{Field, Filter};

use crate::counts::SortedCounts;
use crate::error::Result;
use crate::plan::{Expired, View, select_all};
use crate::query::Query;
use crate::stats::{count_parts, most_frequent};
use crate::whole;

/// Values of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// The values and how many events hold each: most frequent first, then in byte order.
    pub values: Vec<(String, u64)>,
    /// How many values there are besides these.
    pub others: u64,
}

/// The `limit` most frequent values of `field` that hold the text `contains`, upper and lower case alike, with how many of
/// the events that match the query have each; the query's order, page and cursor play no part.
///
/// Costs O(values) where whole parts match, O(matches) elsewhere; values without the text are passed over and take no memory.
///
/// # Errors
/// `InvalidInput` if the filter nests too deep; `TooExpensive` if more than [`crate::DISTINCT_MAX`] values hold the text
/// or once `expired` says so; `Engine`.
pub fn values(
    view: &impl View,
    query: &Query,
    field: Field,
    contains: &str,
    limit: usize,
    expired: Expired<'_>,
) -> Result<Values> {
    let (parts, filter) = (view.parts(), query.scoped_filter()?);
    let needle = contains.to_lowercase();
    let mut folded = String::new();
    let mut holds = |value: &str| holds(value, &needle, &mut folded);
    let mut counts = SortedCounts::default();
    let kept = match parts.sealed().filter(|_| filter == Filter::All) {
        Some(list) => whole::counts(parts, list, field, expired)?,
        None => None,
    };
    if let Some(kept) = kept {
        counts.begin();
        for (value, count) in kept.iter().filter(|(value, _)| holds(value)) {
            counts.add(value, *count);
        }
    }
    let left = if kept.is_some() { parts.others() } else { parts };
    count_parts(&select_all(left, &filter, expired)?, field, &mut counts, &mut holds, expired)?;
    let counts = counts.finish();
    let found = u64::try_from(counts.len()).unwrap_or(u64::MAX);
    let values = most_frequent(counts, Some(limit));
    let others = found.saturating_sub(u64::try_from(values.len()).unwrap_or(u64::MAX));
    Ok(Values { values, others })
}

/// Whether a value holds a needle that is in lower case. `folded` is reused from call to call.
fn holds(value: &str, needle: &str, folded: &mut String) -> bool {
    if needle.is_empty() {
        return true;
    }
    folded.clear();
    if value.is_ascii() {
        folded.extend(value.chars().map(|letter| letter.to_ascii_lowercase()));
    } else {
        folded.push_str(&value.to_lowercase());
    }
    folded.contains(needle)
}
