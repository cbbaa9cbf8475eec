//! Legal holds: filters whose events stay, whatever deletes, cleans up or replaces, until the hold is released.
//!
//! The holds are kept in one blob; `docs/format.md`, "Holds". A delete by filter writes down what it spares, so that
//! doing it again at the next open spares the same.

use std::sync::Arc;

use crate::blob::read_blob;
use crate::catalog::Snapshot;
use crate::changes::ChosenRows;
use crate::codec::{Reader, len_u32, len_u64, put_bytes, take_bytes};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{FILTER_DEPTH_MAX, Filter, wire};
use crate::fold;
use crate::manifest::Manifest;
use crate::options::Options;
use crate::shared::Shared;
use crate::threading::RwLock;

/// The name under which holds are kept. Names of callers never start with a dot.
pub(crate) const HOLDS_BLOB: &str = ".holds";
/// The most holds of a store, inclusive.
pub const HOLDS_MAX: usize = 1000;
/// The longest name of a hold in bytes, inclusive.
pub const HOLD_NAME_SIZE_MAX: usize = 200;
/// The most bytes that all holds take in their stored form, inclusive: each delete by filter writes them down.
pub const HOLDS_SIZE_MAX: usize = 1 << 20;
/// Levels that sparing what is held adds to the filter of a delete.
const SPARING_DEPTH: usize = 4;

/// Events that nothing removes. Place one with [`Engine::place_hold`].
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// What it is called, 1 to [`HOLD_NAME_SIZE_MAX`] bytes, once in a store.
    pub name: String,
    /// The events it keeps: those that are there and those that come later.
    pub filter: Filter,
    /// Since when, UTC microseconds.
    pub placed_at_us: i64,
}

/// The holds in force. They change under the control lock.
#[derive(Debug, Default)]
pub(crate) struct Holds(RwLock<Arc<Vec<Hold>>>);

impl Holds {
    /// The holds that the manifest names.
    ///
    /// # Errors
    /// `Corrupt`, `NotFound`, `UnsupportedFormat`, `Io`.
    pub(crate) fn load(options: &Options, manifest: &Manifest) -> Result<Self> {
        let Some(blob) = manifest.blobs.iter().find(|blob| blob.name == HOLDS_BLOB) else { return Ok(Self::default()) };
        let bytes = read_blob(&*options.storage, &options.directory, manifest.store, blob)?;
        Ok(Self(RwLock::new(Arc::new(decode(&bytes)?))))
    }

    pub(crate) fn list(&self) -> Arc<Vec<Hold>> {
        Arc::clone(&self.0.read())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }

    /// What is held; nothing if there is no hold.
    fn filter(&self) -> Option<Filter> {
        let list = self.list();
        (!list.is_empty()).then(|| Filter::Or(list.iter().map(|hold| hold.filter.clone()).collect()))
    }

    /// The filter without what is held.
    pub(crate) fn spare(&self, filter: &Filter) -> Filter {
        match self.filter() {
            None => filter.clone(),
            Some(held) => filter.clone().and(held.not()),
        }
    }

    /// The rows of a snapshot that match and are held.
    pub(crate) fn rows(&self, snapshot: &Snapshot, filter: &Filter) -> Result<ChosenRows> {
        match self.filter() {
            None => Ok(ChosenRows::default()),
            Some(held) => ChosenRows::matching(snapshot, &filter.clone().and(held)),
        }
    }

    /// `Held`, naming a hold, if it keeps one of the rows, whose sequences are `sequences`.
    pub(crate) fn check(&self, snapshot: &Snapshot, rows: &ChosenRows, sequences: &[u64]) -> Result<()> {
        let (Some(from), Some(upto)) = (sequences.iter().min(), sequences.iter().max()) else { return Ok(()) };
        let about = Filter::SequenceBetween { from: *from, to: upto.saturating_add(1) };
        for hold in self.list().iter() {
            let held = ChosenRows::matching(snapshot, &about.clone().and(hold.filter.clone()))?.common(rows);
            if held > 0 {
                let message = format!("the hold {:?} keeps {held} of the events: release it first", hold.name);
                return Err(Error::new(ErrorKind::Held, message));
            }
        }
        Ok(())
    }
}

impl Engine {
    /// Keeps every event that matches, now and later, until [`Engine::release_hold`]: deletes by filter, clean-ups and
    /// retention leave it out; deletes by sequence, amendments and batches that replace it are refused with `Held`.
    /// Durable on return. The same name and filter again change nothing.
    ///
    /// While there are holds, a clean-up looks for what they keep and drops whole those segments that hold none of it.
    ///
    /// # Errors
    /// `InvalidInput` if the name or the filter is beyond its limits, or the filter is about marks, which change;
    /// `Conflict` if the name has another filter; `DiskFull`, `Io`, `Poisoned`.
    pub fn place_hold(&self, name: &str, filter: &Filter) -> Result<()> {
        check(name, filter)?;
        let shared = self.shared();
        shared.check_writable()?;
        let _no_delete_runs = shared.control.lock();
        let list = shared.holds.list();
        if let Some(same) = list.iter().find(|hold| hold.name == name) {
            if same.filter == *filter {
                return Ok(());
            }
            let message = format!("there is a hold {name:?} with another filter: release it first");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let placed_at_us = shared.options.clock.now_us();
        let mut next = Vec::clone(&list);
        next.push(Hold { name: name.to_owned(), filter: filter.clone(), placed_at_us });
        keep(shared, next)
    }

    /// Ends a hold and says whether there was one. Durable on return; nothing is deleted by it.
    ///
    /// # Errors
    /// `DiskFull`, `Io`, `Poisoned`; the hold is then still there.
    pub fn release_hold(&self, name: &str) -> Result<bool> {
        let shared = self.shared();
        shared.check_writable()?;
        let _no_delete_runs = shared.control.lock();
        let mut next = Vec::clone(&shared.holds.list());
        let before = next.len();
        next.retain(|hold| hold.name != name);
        if next.len() == before {
            return Ok(false);
        }
        keep(shared, next).map(|()| true)
    }

    /// The holds in force, in the order they were placed.
    pub fn holds(&self) -> Vec<Hold> {
        Vec::clone(&self.shared().holds.list())
    }

    /// What a delete by this filter would delete: the filter without what is held.
    pub fn deletable(&self, filter: &Filter) -> Filter {
        self.shared().holds.spare(filter)
    }
}

fn check(name: &str, filter: &Filter) -> Result<()> {
    if !(1..=HOLD_NAME_SIZE_MAX).contains(&name.len()) {
        let size = name.len();
        return Err(Error::invalid_input(format!(
            "the name of a hold has {size} bytes, the range is 1 to {HOLD_NAME_SIZE_MAX}"
        )));
    }
    if filter.depth() + SPARING_DEPTH > FILTER_DEPTH_MAX {
        let most = FILTER_DEPTH_MAX - SPARING_DEPTH;
        return Err(Error::invalid_input(format!("the filter of a hold nests at most {most} levels deep")));
    }
    if filter.is_about_marks() {
        return Err(Error::invalid_input("the filter of a hold is about marks, which change: leave them out"));
    }
    Ok(())
}

/// Writes the holds down, then puts them in force. The caller holds the control lock.
fn keep(shared: &Shared, next: Vec<Hold>) -> Result<()> {
    if next.len() > HOLDS_MAX {
        return Err(Error::invalid_input(format!("a store has at most {HOLDS_MAX} holds")));
    }
    let bytes = encode(&next)?;
    if bytes.len() > HOLDS_SIZE_MAX {
        let size = bytes.len();
        return Err(Error::invalid_input(format!("all holds would take {size} bytes, the limit is {HOLDS_SIZE_MAX}")));
    }
    let blob = fold::new_blob(shared, HOLDS_BLOB, &bytes)?;
    if let Err(error) = shared.update_manifest(|manifest| blob.commit(manifest)) {
        blob.discard(shared);
        return Err(error);
    }
    *shared.holds.0.write() = Arc::new(next);
    shared.remove_dropped()
}

fn encode(holds: &[Hold]) -> Result<Vec<u8>> {
    let mut out = len_u32(holds.len()).to_le_bytes().to_vec();
    for hold in holds {
        put_bytes(&mut out, hold.name.as_bytes());
        out.extend_from_slice(&hold.placed_at_us.to_le_bytes());
        wire::encode(&hold.filter, &mut out)?;
    }
    Ok(out)
}

/// Reads what [`encode`] has written.
///
/// # Errors
/// `Corrupt`.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Hold>> {
    let mut reader = Reader::new(bytes);
    let count = reader.u32()?;
    let mut holds: Vec<Hold> = Vec::new();
    if u64::from(count) > len_u64(HOLDS_MAX) {
        return Err(Error::corrupt(format!("{count} holds, the limit is {HOLDS_MAX}")));
    }
    for _ in 0..count {
        let name = String::from_utf8(take_bytes(&mut reader)?.to_vec())
            .map_err(|source| Error::corrupt("the name of a hold is no UTF-8").with_source(source))?;
        let placed_at_us = reader.i64()?;
        let filter = wire::decode(&mut reader)?;
        check(&name, &filter).map_err(|error| Error::corrupt(error.message().to_owned()))?;
        if holds.iter().any(|hold| hold.name == name) {
            return Err(Error::corrupt(format!("there are two holds {name:?}")));
        }
        holds.push(Hold { name, filter, placed_at_us });
    }
    if !reader.is_empty() {
        return Err(Error::corrupt(format!("{} bytes follow the holds", reader.remaining())));
    }
    Ok(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Field;

    fn hold(name: &str) -> Hold {
        Hold { name: name.to_owned(), filter: Filter::term(Field::EventType, "a.b"), placed_at_us: -7 }
    }

    #[test]
    fn holds_come_back_and_cuts_are_corrupt() {
        let holds = [hold("case 1"), Hold { filter: Filter::All, ..hold("case 2") }];
        let bytes = encode(&holds).unwrap();
        assert_eq!(decode(&bytes).unwrap(), holds);
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]).unwrap_err().kind(), ErrorKind::Corrupt, "{cut}");
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err(), "bytes are left");
        assert!(decode(&encode(&[hold("x"), hold("x")]).unwrap()).is_err(), "a name comes once");
    }

    #[test]
    fn names_and_filters_have_limits() {
        let good = Filter::All;
        assert!(check(&"x".repeat(HOLD_NAME_SIZE_MAX), &good).is_ok() && check("", &good).is_err());
        assert!(check(&"x".repeat(HOLD_NAME_SIZE_MAX + 1), &good).is_err());
        let nested = |levels: usize| (1..levels).fold(Filter::All, |filter, _| filter.not());
        assert!(check("x", &nested(FILTER_DEPTH_MAX - SPARING_DEPTH)).is_ok());
        assert!(check("x", &nested(FILTER_DEPTH_MAX - SPARING_DEPTH + 1)).is_err());
        assert!(check("x", &Filter::Or(vec![Filter::All, Filter::Acknowledged(true).not()])).is_err());
    }
}
