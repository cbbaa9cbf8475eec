//! One event by any of its names.

use std::str::FromStr;

use annals_engine::{EventId, Field, Part, StoredEvent, TenantScope};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::View;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// hoody's derived id counts seconds with 8 hex digits.
const SECONDS_MASK: u64 = 0xffff_ffff;
const HEX24_LEN: usize = 24;
/// 18,446,744,073,709,551,615 has 20 digits; a longer run of digits is some other name.
const SEQUENCE_DIGITS_MAX: usize = 20;

/// A name of an event.
///
/// ```
/// use annals_engine::EventId;
/// use annals_query::EventRef;
/// assert_eq!("42".parse::<EventRef>()?, EventRef::Sequence(42));
/// assert!(matches!("507f1f77bcf86cd799439044".parse()?, EventRef::Hex24(_)));
/// assert!(matches!("507f1f77-bcf8-6cd7-9943-9044507f1f77".parse()?, EventRef::Id(_)));
/// assert!("events".parse::<EventRef>().is_err());
/// # Ok::<(), annals_query::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventRef {
    /// The identity; of several events with the same one, the one with the highest sequence.
    Id(EventId),
    /// The place in the append order.
    Sequence(u64),
    /// 24 hex digits, as 96 bits: hoody's derived id of an event, or else an id given in that form.
    Hex24(u128),
}

impl EventRef {
    /// The name in 24 hex digits; nothing if the text is anything else.
    pub fn from_hex24(text: &str) -> Option<Self> {
        let is_hex = text.len() == HEX24_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(EventRef::Hex24)
    }

    /// The name as a decimal sequence; nothing if the text is anything else.
    pub fn from_sequence(text: &str) -> Option<Self> {
        let is_decimal =
            (1..=SEQUENCE_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_decimal.then(|| text.parse().ok()).flatten().map(EventRef::Sequence)
    }
}

impl FromStr for EventRef {
    type Err = Error;

    /// Any rendering: a UUID in any form, 24 hex digits, or a decimal sequence of up to 20 digits.
    fn from_str(text: &str) -> Result<Self> {
        match EventRef::from_hex24(text).or_else(|| EventRef::from_sequence(text)) {
            Some(name) => Ok(name),
            None => Ok(EventRef::Id(text.parse()?)),
        }
    }
}

/// hoody's id of an event: the 24 hex digits it was given, or 8 of `created_at` in seconds (modulo 2^32)
/// and 16 of the sequence.
pub fn hoody_id(event: &StoredEvent) -> String {
    event.id.as_hex24().unwrap_or_else(|| format!("{:024x}", derived_bits(event.created_at_us, event.sequence)))
}

fn derived_bits(created_at_us: i64, sequence: u64) -> u128 {
    let seconds = created_at_us.div_euclid(MICROS_PER_SECOND).cast_unsigned() & SECONDS_MASK;
    (u128::from(seconds) << 64) | u128::from(sequence)
}

/// The event of that name, if `scope` sees it.
///
/// Costs O(parts) look-ups in their id tables.
///
/// # Errors
/// `NotFound`, also if the event is another tenant's; `Engine`.
pub fn get(view: &impl View, scope: &TenantScope, name: &EventRef) -> Result<StoredEvent> {
    get_among(view, scope, name, &|_| true)
}

/// The same among the events that count; the others are as good as absent.
///
/// # Errors
/// As for [`get`].
pub fn get_among(view: &impl View, scope: &TenantScope, name: &EventRef, counts: Counts<'_>) -> Result<StoredEvent> {
    let found = find_among(view, name, &|event| sees(scope, event) && counts(event))?;
    found.map(|found| found.event).ok_or_else(not_found)
}

pub(crate) fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such event")
}

/// An event and how it was named.
pub(crate) struct Found {
    pub(crate) event: StoredEvent,
    /// Whether the name is its identity, which other events may share.
    pub(crate) by_id: bool,
}

/// Whether an event counts for a look-up; one that does not is as good as absent.
pub type Counts<'c> = &'c dyn Fn(&StoredEvent) -> bool;

/// The event of that name among those that count.
pub(crate) fn find_among(view: &impl View, name: &EventRef, counts: Counts<'_>) -> Result<Option<Found>> {
    let one = |event| Found { event, by_id: false };
    match name {
        EventRef::Sequence(sequence) => Ok(by_sequence(view, *sequence, counts)?.map(one)),
        EventRef::Id(id) => by_id(view, *id, counts),
        EventRef::Hex24(bits) => match by_derived(view, *bits, counts)? {
            Some(event) => Ok(Some(one(event))),
            None => by_id(view, EventId::from_hex24(*bits), counts),
        },
    }
}

pub(crate) fn sees(scope: &TenantScope, event: &StoredEvent) -> bool {
    scope.sees(event.realm_ids(), event.get(Field::OrgId))
}

fn by_sequence(view: &impl View, sequence: u64, counts: Counts<'_>) -> Result<Option<StoredEvent>> {
    for part in view.parts() {
        let (first, last) = part.sequence_bounds();
        if part.row_count() == 0 || !(first..=last).contains(&sequence) {
            continue;
        }
        if let Some(row) = part.find_sequence(sequence)? {
            return Ok(Some(part.event(row)?).filter(|event| counts(event)));
        }
    }
    Ok(None)
}

/// The event whose derived id these bits are. An event that was given 24 digits has no derived id.
fn by_derived(view: &impl View, bits: u128, counts: Counts<'_>) -> Result<Option<StoredEvent>> {
    let Ok(sequence) = u64::try_from(bits & u128::from(u64::MAX)) else { return Ok(None) };
    let matches =
        |event: &StoredEvent| derived_bits(event.created_at_us, sequence) == bits && event.id.as_hex24().is_none();
    Ok(by_sequence(view, sequence, counts)?.filter(matches))
}

/// Every row with that id: its part, its row, its sequence; the latest first.
pub(crate) fn rows_with_id(view: &impl View, id: EventId) -> Result<Vec<(&dyn Part, u32, u64)>> {
    let mut rows = Vec::new();
    for part in view.parts().with_id(id) {
        for row in part.find_id(id)? {
            rows.push((part, row, part.key(row)?.sequence));
        }
    }
    rows.sort_unstable_by_key(|(_, _, sequence)| std::cmp::Reverse(*sequence));
    Ok(rows)
}

/// The sequences of every event with that identity, whosever they are, in no order: for a filter, which
/// a query narrows to what its caller sees.
///
/// # Errors
/// `Engine`.
pub fn sequences_with_id(view: &impl View, id: EventId) -> Result<Vec<u64>> {
    Ok(rows_with_id(view, id)?.into_iter().map(|(_, _, sequence)| sequence).collect())
}

fn by_id(view: &impl View, id: EventId, counts: Counts<'_>) -> Result<Option<Found>> {
    for (part, row, _) in rows_with_id(view, id)? {
        let event = part.event(row)?;
        if counts(&event) {
            return Ok(Some(Found { event, by_id: true }));
        }
    }
    Ok(None)
}

/// All events with that id that count, the latest first.
pub(crate) fn all_with_id(view: &impl View, id: EventId, counts: Counts<'_>) -> Result<Vec<StoredEvent>> {
    let mut events = Vec::new();
    for (part, row, _) in rows_with_id(view, id)? {
        let event = part.event(row)?;
        if counts(&event) {
            events.push(event);
        }
    }
    Ok(events)
}
