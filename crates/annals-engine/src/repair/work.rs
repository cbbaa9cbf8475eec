//! What a repair is to do, as plain data: found by looking, done later or never.

use std::ops::Range;
use std::path::PathBuf;

use roaring::RoaringBitmap;

use crate::layout::FileName;
use crate::manifest::{Manifest, SegmentEntry};
use crate::overlay::Overlay;

/// Everything that a repair changes.
#[derive(Debug)]
pub(super) struct Work {
    /// The manifest as it is to be, but for files that are still to be made.
    pub(super) manifest: Manifest,
    /// Whether it differs from the one on the disk, or that one cannot be read.
    pub(super) commits: bool,
    /// The manifest stands in for one that cannot be read.
    pub(super) replaces_manifest: bool,
    /// Damaged segments of which rows are kept.
    pub(super) rewritten: Vec<Rewritten>,
    /// Sequences that no log holds any more, besides those already known.
    pub(super) lost: Vec<Range<u64>>,
    /// Logs to be cut, given a header or lengthened.
    pub(super) logs: Vec<LogWork>,
    /// Files that leave the store, as far as they are there.
    pub(super) taken_out: Vec<FileName>,
    /// Files that the manifest does not know.
    pub(super) orphans: Vec<PathBuf>,
}

/// A segment that is written anew.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) entry: SegmentEntry,
    /// The rows that are kept.
    pub(super) rows: RoaringBitmap,
    /// Absent if there is none, or it is damaged too.
    pub(super) overlay: Option<Overlay>,
}

/// What is done to one log file.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogWork {
    pub(super) id: u64,
    pub(super) size_bytes: u64,
    /// Its header is written anew.
    pub(super) header: bool,
    /// Everything from here on is kept elsewhere and overwritten with zeroes.
    pub(super) cut_at: Option<u64>,
    /// It is reserved in full again.
    pub(super) extend: bool,
}

impl Work {
    pub(super) fn new(manifest: Manifest, replaces_manifest: bool) -> Self {
        Self {
            manifest,
            commits: replaces_manifest,
            replaces_manifest,
            rewritten: Vec::new(),
            lost: Vec::new(),
            logs: Vec::new(),
            taken_out: Vec::new(),
            orphans: Vec::new(),
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        !self.commits && self.logs.is_empty() && self.orphans.is_empty()
    }
}
