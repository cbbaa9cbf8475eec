//! What all sealed parts together answer, computed once for as long as they stay what they are.

use annals_engine::{Field, Filter, KeptCounts, PartList, Parts, Whole};

use crate::counts::SortedCounts;
use crate::error::Result;
use crate::plan::{Expired, check_allowed, select_all};
use crate::stats::{newest_us, oldest_us};

/// Counts of a field are kept up to so many different values over all parts.
const KEPT_VALUES_MAX: usize = 4096;

/// Figures of everything in the sealed parts of `parts`.
pub(crate) fn whole(parts: Parts<'_>, list: &PartList, expired: Expired<'_>) -> Result<Whole> {
    if let Some(whole) = list.whole().get() {
        return Ok(*whole);
    }
    let selected = select_all(parts.without_others(), &Filter::All, expired)?;
    let whole = Whole {
        rows: selected.iter().map(|(_, rows)| u64::from(rows.len())).sum(),
        oldest_us: oldest_us(&selected)?,
        newest_us: newest_us(&selected)?,
    };
    Ok(*list.whole().get_or_init(|| whole))
}

/// How many events in the sealed parts hold which value of a field, in byte order; `None` if there are too many values.
pub(crate) fn counts<'v>(
    parts: Parts<'v>,
    list: &'v PartList,
    field: Field,
    expired: Expired<'_>,
) -> Result<Option<&'v [(String, u64)]>> {
    let Some(slot) = list.counts(field).filter(|_| list.has_few_values(field)) else { return Ok(None) };
    if let Some(kept) = slot.get() {
        return Ok(kept.as_deref());
    }
    let mut counts = SortedCounts::default();
    for (part, rows) in &select_all(parts.without_others(), &Filter::All, expired)? {
        check_allowed(expired)?;
        counts.begin();
        part.count_by(field, rows, &mut |value, count| counts.add(value, u64::from(count)))?;
    }
    check_allowed(expired)?;
    let counts: KeptCounts = Some(counts.finish().into_boxed_slice()).filter(|counts| counts.len() <= KEPT_VALUES_MAX);
    Ok(slot.get_or_init(|| counts).as_deref())
}

/// How many events in the sealed parts match, if that is known of all of them together.
pub(crate) fn total(parts: Parts<'_>, list: &PartList, filter: &Filter, expired: Expired<'_>) -> Result<Option<u64>> {
    match filter {
        Filter::All => whole(parts, list, expired).map(|whole| Some(whole.rows)),
        Filter::Term(field, value) => Ok(counts(parts, list, *field, expired)?.map(|counts| {
            let at = counts.binary_search_by(|(held, _)| held.as_str().cmp(value));
            at.ok().and_then(|at| counts.get(at)).map_or(0, |(_, count)| *count)
        })),
        _ => Ok(None),
    }
}
