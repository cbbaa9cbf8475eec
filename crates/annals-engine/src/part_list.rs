//! All sealed parts of a store beside each other: which of them a query has to ask is told from one short array, and
//! what all of them together answer again and again is kept with them.

use std::sync::{Arc, OnceLock};

use crate::field::{FIELD_SLOTS, Field};
use crate::id::EventId;
use crate::part::Part;
use crate::segment::{IdWindow, SealedSegment};

/// A field is one of few values if no segment has more of them: its counts take a few kilobytes.
const FEW_VALUES_MAX: u32 = 256;

/// A part and the times of its events, both inclusive.
#[derive(Clone, Copy)]
pub struct Bounded<'a> {
    /// The oldest.
    pub first_us: i64,
    /// The newest.
    pub last_us: i64,
    /// The part.
    pub part: &'a dyn Part,
}

/// What is known of a part without touching it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "a unit is part of a name")]
struct Known {
    first_us: i64,
    last_us: i64,
    /// The newest event of this part and all before it.
    latest_us: i64,
}

/// Figures of everything in the sealed parts that is not deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// Events.
    pub rows: u64,
    /// `created_at` of the oldest, if there is one.
    pub oldest_us: Option<i64>,
    /// `created_at` of the newest.
    pub newest_us: Option<i64>,
}

/// Values of a field and how many events have each, in byte order; `None` if there are too many to be kept.
pub type KeptCounts = Option<Box<[(String, u64)]>>;

/// The sealed parts of one catalog. Neither they nor their overlays ever change, so what queries compute of all of them
/// together stays right as long as the list lives: every seal, delete or mark makes another one.
pub struct PartList {
    /// Oldest first event first.
    parts: Vec<Arc<dyn Part>>,
    known: Vec<Known>,
    ids: Vec<IdWindow>,
    /// The places of the parts, newest last event first.
    newest_first: Vec<usize>,
    /// By field number: whether it has few values in every part.
    few: Vec<bool>,
    whole: OnceLock<Whole>,
    counts: Vec<OnceLock<KeptCounts>>,
}

/// What else is known of a part: which ids it may hold, and itself.
type Rest = (IdWindow, Arc<dyn Part>);

impl PartList {
    /// The list of these parts; a segment that cannot be read has none.
    pub(crate) fn new<'a>(entries: impl Iterator<Item = (&'a Arc<dyn Part>, Option<&'a SealedSegment>)>) -> Self {
        let mut few = vec![true; FIELD_SLOTS];
        let mut sorted: Vec<(Known, Rest)> = Vec::new();
        for (part, segment) in entries.filter(|(part, _)| part.row_count() > 0) {
            let (first_us, last_us) = part.time_bounds_us();
            let ids = segment.map_or(IdWindow::Any, SealedSegment::id_window);
            sorted.push((Known { first_us, last_us, latest_us: last_us }, (ids, Arc::clone(part))));
            for (slot, field) in segment.map(SealedSegment::field_sizes).into_iter().flatten() {
                if let Some(few) = few.get_mut(slot) {
                    *few &= field <= FEW_VALUES_MAX;
                }
            }
        }
        sorted.sort_by_key(|(known, _)| known.first_us);
        let mut latest_us = i64::MIN;
        for (known, _) in &mut sorted {
            latest_us = latest_us.max(known.last_us);
            known.latest_us = latest_us;
        }
        let mut newest: Vec<(i64, usize)> =
            sorted.iter().enumerate().map(|(at, (known, _))| (known.last_us, at)).collect();
        newest.sort_by_key(|(last_us, _)| std::cmp::Reverse(*last_us));
        let (known, rest): (_, Vec<_>) = sorted.into_iter().unzip();
        let (ids, parts) = rest.into_iter().unzip();
        Self {
            parts,
            known,
            ids,
            newest_first: newest.into_iter().map(|(_, at)| at).collect(),
            few,
            whole: OnceLock::new(),
            counts: (0..FIELD_SLOTS).map(|_| OnceLock::new()).collect(),
        }
    }

    fn bounded(&self, at: usize) -> Option<Bounded<'_>> {
        let (known, part) = self.known.get(at).zip(self.parts.get(at))?;
        Some(Bounded { first_us: known.first_us, last_us: known.last_us, part: part.as_ref() })
    }

    /// The parts, those with the oldest first event first.
    pub fn oldest_first(&self) -> impl Iterator<Item = Bounded<'_>> {
        (0..self.parts.len()).filter_map(|at| self.bounded(at))
    }

    /// The parts, those with the newest last event first.
    pub fn newest_first(&self) -> impl Iterator<Item = Bounded<'_>> {
        self.newest_first.iter().filter_map(|at| self.bounded(*at))
    }

    /// Whether no part has more than some hundred values of `field`.
    pub fn has_few_values(&self, field: Field) -> bool {
        self.few.get(field.index()).copied().unwrap_or(false)
    }

    /// Where figures of everything are kept, once somebody has computed them.
    pub fn whole(&self) -> &OnceLock<Whole> {
        &self.whole
    }

    /// Where the counts of a field over everything are kept, once somebody has computed them.
    pub fn counts(&self, field: Field) -> Option<&OnceLock<KeptCounts>> {
        self.counts.get(field.index())
    }
}

/// The parts of a view: sealed ones, and those that come and go.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    sealed: Option<&'a PartList>,
    others: &'a [Arc<dyn Part>],
}

impl<'a> Parts<'a> {
    pub(crate) fn new(sealed: &'a PartList, others: &'a [Arc<dyn Part>]) -> Self {
        Self { sealed: Some(sealed), others }
    }

    /// The sealed parts, if the view keeps them as a list.
    pub fn sealed(self) -> Option<&'a PartList> {
        self.sealed
    }

    /// All parts but those of [`Parts::sealed`].
    #[must_use]
    pub fn others(self) -> Parts<'a> {
        Parts { sealed: None, others: self.others }
    }

    /// Only [`Parts::sealed`].
    #[must_use]
    pub fn without_others(self) -> Parts<'a> {
        Parts { others: &[], ..self }
    }

    /// The parts, in no order. No two hold the same sequence.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = &'a Arc<dyn Part>> {
        self.sealed.map_or(&[][..], |sealed| &sealed.parts).iter().chain(self.others)
    }

    /// The parts that may hold events of `from_us..to_us`; the largest number as the end leaves nothing out. Costs two
    /// searches, not a look at every part.
    pub fn within(self, from_us: i64, to_us: i64) -> impl Iterator<Item = &'a dyn Part> {
        let begins = move |first_us: i64| first_us < to_us || to_us == i64::MAX;
        let sealed = self.sealed.map(|sealed| {
            let end = sealed.known.partition_point(|known| begins(known.first_us));
            let start = sealed.known.partition_point(|known| known.latest_us < from_us).min(end);
            let known = sealed.known.get(start..end).unwrap_or_default();
            known.iter().zip(sealed.parts.get(start..end).unwrap_or_default())
        });
        let sealed = sealed.into_iter().flatten().filter(move |(known, _)| known.last_us >= from_us);
        let others = self.others.iter().filter(move |part| {
            let (first_us, last_us) = part.time_bounds_us();
            part.row_count() > 0 && last_us >= from_us && begins(first_us)
        });
        sealed.map(|(_, part)| part.as_ref()).chain(others.map(AsRef::as_ref))
    }

    /// The parts that may hold an event with this id: of ids that carry a time, those of that time.
    pub fn with_id(self, id: EventId) -> impl Iterator<Item = &'a dyn Part> {
        let carried = id.carried();
        let sealed = self.sealed.into_iter().flat_map(|sealed| sealed.ids.iter().zip(&sealed.parts));
        let sealed = sealed.filter(move |(ids, _)| ids.may_hold(&carried));
        sealed.map(|(_, part)| part.as_ref()).chain(self.others.iter().map(AsRef::as_ref))
    }
}

impl<'a> From<&'a [Arc<dyn Part>]> for Parts<'a> {
    fn from(others: &'a [Arc<dyn Part>]) -> Self {
        Self { sealed: None, others }
    }
}

impl<'a> IntoIterator for Parts<'a> {
    type Item = &'a Arc<dyn Part>;
    type IntoIter = std::iter::Chain<std::slice::Iter<'a, Arc<dyn Part>>, std::slice::Iter<'a, Arc<dyn Part>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.sealed.map_or(&[][..], |sealed| &sealed.parts).iter().chain(self.others)
    }
}
