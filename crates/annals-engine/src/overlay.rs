//! What changed about the rows of a sealed segment or of the live rows: tombstones, marks, amendments, receipts.

use roaring::RoaringBitmap;

use crate::amended::Amendments;
use crate::error::{Error, Result};
use crate::receipts::Receipts;

/// The most bytes that amendments and receipts of one segment may grow to, inclusive: they are held in
/// memory and written whole at each seal.
pub(crate) const NOTICES_SIZE_MAX: usize = 64 << 20;

/// Changes of one segment's rows, immutable once published: a change makes a new one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overlay {
    /// Deleted rows. They have no other change.
    pub(crate) tombstones: RoaringBitmap,
    /// Rows somebody has taken note of.
    pub(crate) acknowledged: RoaringBitmap,
    /// Rows with other values than they were appended with.
    pub(crate) amendments: Amendments,
    /// Rows that users have read.
    pub(crate) receipts: Receipts,
    /// Every control operation up to this ordinal is folded in; later ones are replayed at open.
    pub(crate) applied_control: u64,
}

impl Overlay {
    /// Adds tombstones; every other change of the rows goes.
    pub(crate) fn delete(&mut self, rows: &RoaringBitmap) {
        self.tombstones |= rows;
        self.acknowledged -= rows;
        self.amendments.remove(rows);
        self.receipts.remove(rows);
    }

    /// Whether it says the same of its rows.
    pub(crate) fn same_changes(&self, other: &Self) -> bool {
        self.tombstones == other.tombstones
            && self.acknowledged == other.acknowledged
            && self.amendments == other.amendments
            && self.receipts == other.receipts
    }

    /// Bytes of amendments and receipts.
    pub(crate) fn notices_size(&self) -> usize {
        self.amendments.size_bytes() + self.receipts.size_bytes()
    }

    /// `InvalidInput` unless there is room for amendments and receipts of that size.
    pub(crate) fn check_room(&self, size_bytes: usize) -> Result<()> {
        let size = self.notices_size().saturating_add(size_bytes);
        if size <= NOTICES_SIZE_MAX {
            return Ok(());
        }
        Err(Error::invalid_input(format!(
            "amendments and read receipts of one segment would take {size} bytes, the limit is {NOTICES_SIZE_MAX}"
        )))
    }

    /// The rows with amendments or receipts.
    pub(crate) fn noticed(&self) -> RoaringBitmap {
        let amended = self.amendments.iter().map(|(row, _)| row);
        amended.chain(self.receipts.sorted().iter().map(|entry| entry.row)).collect()
    }

    /// Takes over amendments and receipts of rows that have other numbers here.
    pub(crate) fn take_notices(&mut self, from: &Self, to: impl Fn(u32) -> Option<u32>) {
        if !from.amendments.is_empty() {
            self.amendments.extend(&from.amendments.moved(&to));
        }
        if !from.receipts.is_empty() {
            self.receipts.insert(from.receipts.moved(&to).sorted().into_iter().cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amended::Amended;
    use crate::id::EventId;
    use crate::receipts::ReadEntry;
    use crate::requests::{Amendment, ReadReceipt};

    #[test]
    fn any_change_of_a_row_is_a_change() {
        let receipt = ReadReceipt { receipt: EventId::from_u128(1), read_at_us: 2 };
        let amendment = Amendment { severity: Some("warn".to_owned()), updated_at_us: 3, ..Amendment::default() };
        let changes: [fn(&mut Overlay, ReadReceipt, &Amended); 4] = [
            |overlay, _, _| _ = overlay.tombstones.insert(1),
            |overlay, _, _| _ = overlay.acknowledged.insert(1),
            |overlay, _, amended| overlay.amendments.amend(1, amended),
            |overlay, receipt, _| overlay.receipts.insert([ReadEntry { row: 1, user_id: "ada".into(), receipt }]),
        ];
        for change in changes {
            let mut overlay = Overlay::default();
            change(&mut overlay, receipt, &Amended::new(&amendment).unwrap());
            assert!(!overlay.same_changes(&Overlay::default()) && !Overlay::default().same_changes(&overlay));
            let folded = Overlay { applied_control: 9, ..overlay.clone() };
            assert!(overlay.same_changes(&folded), "how far it is folded is no change");
        }
    }

    #[test]
    fn a_deleted_row_has_no_other_change() {
        let mut overlay = Overlay { tombstones: [1].into_iter().collect(), ..Overlay::default() };
        overlay.acknowledged = [2, 3].into_iter().collect();
        let receipt = ReadReceipt { receipt: EventId::from_u128(1), read_at_us: 2 };
        overlay.receipts.insert([2, 4].map(|row| ReadEntry { row, user_id: "ada".into(), receipt }));
        overlay.delete(&[2, 5].into_iter().collect());
        assert_eq!(overlay.tombstones, [1, 2, 5].into_iter().collect());
        assert_eq!(overlay.acknowledged, [3].into_iter().collect());
        assert_eq!(overlay.noticed(), [4].into_iter().collect());
    }

    #[test]
    fn amendments_and_receipts_move_with_their_rows() {
        let mut from = Overlay::default();
        let amendment = Amendment { severity: Some("warn".to_owned()), updated_at_us: 3, ..Amendment::default() };
        from.amendments.amend(1, &Amended::new(&amendment).unwrap());
        let receipt = ReadReceipt { receipt: EventId::from_u128(1), read_at_us: 2 };
        from.receipts.insert([2, 3].map(|row| ReadEntry { row, user_id: "ada".into(), receipt }));
        let mut to = Overlay::default();
        to.take_notices(&from, |row| (row != 3).then_some(row + 10));
        assert_eq!(to.noticed(), [11, 12].into_iter().collect());
    }

    #[test]
    fn amendments_and_receipts_have_a_limit_together() {
        let mut overlay = Overlay::default();
        let receipt = ReadReceipt { receipt: EventId::from_u128(1), read_at_us: 2 };
        overlay.receipts.insert([ReadEntry { row: 7, user_id: "ada".into(), receipt }]);
        let amendment = Amendment { severity: Some("warn".to_owned()), updated_at_us: 3, ..Amendment::default() };
        overlay.amendments.amend(7, &Amended::new(&amendment).unwrap());
        let (amendments, receipts) = (overlay.amendments.size_bytes(), overlay.receipts.size_bytes());
        assert!(amendments > 2 && receipts > 2);
        let room = NOTICES_SIZE_MAX - amendments - receipts;
        assert!(overlay.check_room(room).is_ok());
        let error = overlay.check_room(room + 1).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidInput);
        overlay.delete(&[7].into_iter().collect());
        assert_eq!((overlay.notices_size(), overlay.noticed().len()), (0, 0));
    }
}
