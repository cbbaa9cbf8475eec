//! Doing again, at open, what control operations of the log say.

use std::sync::Arc;

use crate::catalog::{Catalog, Place, SealedEntry, Snapshot};
use crate::changes::{ChosenRows, ReadRows, apply_amended, apply_marks, upto_sequence};
use crate::control::ControlOp;
use crate::error::{Error, ErrorKind, Result};
use crate::overlay::Overlay;

/// Does again, at open, what a control frame says. Segments that hold it already are left alone.
/// A segment in which the rows cannot be found is damaged and kept as such; the damages are given back.
pub(crate) fn replay(catalog: &mut Catalog, operation: &ControlOp, ordinal: u64, visible: u64) -> Result<Vec<Error>> {
    let concerns = |entry: &&SealedEntry| entry.entry.applied_control < ordinal && entry.segment.is_some();
    let mut view = Catalog {
        sealed: catalog.sealed.iter().filter(concerns).cloned().collect(),
        live: catalog.live.clone(),
        ..Catalog::default()
    };
    let mut damages = Vec::new();
    let chosen = match Replayed::choose(view.clone(), operation, visible) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            damages = set_damaged_aside(catalog, &mut view, operation, visible);
            Replayed::choose(view, operation, visible)?
        }
        chosen => chosen?,
    };
    chosen.delete.apply(catalog, ordinal, Overlay::delete);
    apply_marks(catalog, ordinal, &chosen.set, &chosen.unset);
    if let (ControlOp::Amend { amended, .. }, Some(place)) = (operation, chosen.amend) {
        apply_amended(catalog, ordinal, place, amended);
    }
    chosen.read.apply(catalog, ordinal);
    Ok(damages)
}

/// Takes the segments that fail the operation on their own out of the view.
fn set_damaged_aside(catalog: &mut Catalog, view: &mut Catalog, operation: &ControlOp, visible: u64) -> Vec<Error> {
    let mut damages = Vec::new();
    view.sealed.retain(|entry| {
        let alone = Catalog { sealed: vec![entry.clone()], ..Catalog::default() };
        let Err(damage) = Replayed::choose(alone, operation, visible) else { return true };
        if let Some(place) = catalog.sealed.iter_mut().find(|other| other.entry.id == entry.entry.id) {
            *place = SealedEntry::damaged(entry.entry.clone(), Arc::clone(&entry.overlay), &damage);
        }
        damages.push(damage);
        false
    });
    damages
}

/// The rows that an operation is about.
#[derive(Default)]
struct Replayed {
    delete: ChosenRows,
    set: ChosenRows,
    unset: ChosenRows,
    amend: Option<Place>,
    read: ReadRows,
}

impl Replayed {
    fn choose(view: Catalog, operation: &ControlOp, visible: u64) -> Result<Self> {
        let snapshot = Snapshot::new(Arc::new(view), visible);
        let mut chosen = Self::default();
        match operation {
            ControlOp::DeleteMatching { filter, upto_sequence: upto } => {
                chosen.delete = ChosenRows::matching(&snapshot, &upto_sequence(filter, *upto))?;
            }
            ControlOp::DeleteSequences(sequences) => {
                for sequence in sequences {
                    chosen.delete.add_sequence(&snapshot, *sequence)?;
                }
            }
            ControlOp::Mark { marks } => {
                for (sequence, acknowledged) in marks {
                    let rows = if *acknowledged { &mut chosen.set } else { &mut chosen.unset };
                    rows.add_sequence(&snapshot, *sequence)?;
                }
            }
            ControlOp::Amend { sequence, .. } => chosen.amend = snapshot.locate(*sequence)?,
            ControlOp::Read { marks } => {
                let mut places = Vec::with_capacity(marks.len());
                for mark in marks {
                    places.extend(snapshot.locate(mark.sequence)?.map(|place| (place, mark)));
                }
                chosen.read = ReadRows::of(places);
            }
        }
        Ok(chosen)
    }
}
