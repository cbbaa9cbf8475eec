//! What is damaged, what of it is lost, and what a repair does about it.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use crate::manifest::SegmentEntry;

/// What kind of file is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DamageKind {
    /// The list of files.
    Manifest,
    /// A log of events that are not sealed yet.
    Log,
    /// A sealed segment.
    Segment,
    /// Deletes and marks of a sealed segment.
    Overlay,
    /// A named value.
    Blob,
}

impl DamageKind {
    /// One word, as reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Log => "log",
            Self::Segment => "segment",
            Self::Overlay => "overlay",
            Self::Blob => "blob",
        }
    }
}

/// What a repair does about a damage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The file is made anew from what it holds: nothing is lost.
    Rebuild,
    /// What can be read is kept in a new file.
    Salvage,
    /// The log ends before its first bad frame; the bytes from there are kept in `quarantine/`.
    Cut,
    /// The file is taken out of the store and kept in `quarantine/`, in `orphans/` if no manifest knew it.
    TakeOut,
}

impl Remedy {
    /// One word, as reports have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Salvage => "salvage",
            Self::Cut => "cut",
            Self::TakeOut => "take_out",
        }
    }
}

/// What a damage costs, if nothing but a repair is done about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// The most events that are gone; `None` if nothing tells how many.
    pub events: Option<u64>,
    /// Where their sequences lie.
    pub sequences: Option<Range<u64>>,
    /// Where their `created_at` lie, UTC microseconds.
    pub times_us: Option<RangeInclusive<i64>>,
    /// What else is gone, a sentence part; empty if nothing.
    pub besides: String,
}

impl Loss {
    /// Every event of a segment.
    pub(crate) fn of_segment(entry: &SegmentEntry) -> Self {
        Self {
            events: Some(u64::from(entry.rows)),
            sequences: Some(entry.min_sequence..entry.max_sequence.saturating_add(1)),
            times_us: Some(entry.min_created_at_us..=entry.max_created_at_us),
            besides: String::new(),
        }
    }

    /// Nothing.
    pub(crate) fn none() -> Self {
        Self { events: Some(0), ..Self::default() }
    }

    /// No events, but this.
    pub(crate) fn only(besides: impl Into<String>) -> Self {
        Self { besides: besides.into(), ..Self::none() }
    }

    /// Whether anything is lost.
    pub fn is_none(&self) -> bool {
        self.events == Some(0) && self.besides.is_empty()
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("nothing is lost");
        }
        match self.events {
            Some(0) => return write!(f, "lost: {}", self.besides),
            Some(events) => write!(f, "lost: up to {events} events")?,
            None => f.write_str("lost: events, how many is not known")?,
        }
        if let Some(sequences) = self.sequences.as_ref().filter(|sequences| !sequences.is_empty()) {
            write!(f, ", sequences {} to {}", sequences.start, sequences.end - 1)?;
        }
        if let Some(times) = &self.times_us {
            write!(f, ", created_at {} to {} (us)", times.start(), times.end())?;
        }
        if !self.besides.is_empty() {
            write!(f, "; {}", self.besides)?;
        }
        Ok(())
    }
}

/// One damaged or missing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file, named from within the store.
    pub file: String,
    /// The first damaged byte, where one is known.
    pub offset: Option<u64>,
    /// What kind of file it is.
    pub kind: DamageKind,
    /// What is wrong, one sentence.
    pub reason: String,
    /// What a repair cannot bring back.
    pub loss: Loss,
    /// What a repair does; `None` where only a look at the closed store tells, and in a backup, which is not repaired.
    pub remedy: Option<Remedy>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, ": {}; {}", self.reason, self.loss)
    }
}
