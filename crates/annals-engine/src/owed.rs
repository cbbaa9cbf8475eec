//! Deletes and marks that a damaged segment has not taken: kept beyond their log until its file is
//! restored, so that a restored file brings back nothing that was deleted. `docs/format.md`, "Owed operations".

use std::collections::BTreeMap;

use crate::codec::{Reader, len_u32, len_u64, put_varint, take_bytes};
use crate::control::{self, ControlOp};
use crate::error::{Error, Result};

/// Operations by ordinal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    operations: BTreeMap<u64, Vec<ControlOp>>,
}

impl Owed {
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Notes the operations of one frame.
    pub(crate) fn insert(&mut self, ordinal: u64, operations: Vec<ControlOp>) {
        self.operations.insert(ordinal, operations);
    }

    /// Operations in the order they were made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &ControlOp)> {
        self.operations.iter().flat_map(|(ordinal, operations)| operations.iter().map(|one| (*ordinal, one)))
    }

    /// Forgets what every segment holds: all up to `applied`, or everything if nobody is owed anything.
    pub(crate) fn keep_after(&mut self, applied: Option<u64>) {
        match applied {
            None => self.operations.clear(),
            Some(applied) => self.operations.retain(|ordinal, _| *ordinal > applied),
        }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for (ordinal, operations) in &self.operations {
            let mut payload = Vec::new();
            control::encode(operations, &mut payload)?;
            out.extend_from_slice(&ordinal.to_le_bytes());
            out.extend_from_slice(&len_u32(operations.len()).to_le_bytes());
            put_varint(&mut out, len_u64(payload.len()));
            out.extend_from_slice(&payload);
        }
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let mut owed = Self::default();
        while !reader.is_empty() {
            let (ordinal, count) = (reader.u64()?, reader.u32()?);
            let operations = control::decode(take_bytes(&mut reader)?, count)?;
            if owed.operations.insert(ordinal, operations).is_some() {
                return Err(Error::corrupt(format!("operation {ordinal} is owed twice")));
            }
        }
        Ok(owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_back_and_cuts_are_corrupt() {
        let mut owed = Owed::default();
        owed.insert(4, vec![ControlOp::DeleteSequences(vec![1, 2])]);
        owed.insert(9, vec![ControlOp::Mark { marks: vec![(3, true)] }]);
        let bytes = owed.encode().unwrap();
        assert_eq!(Owed::decode(&bytes).unwrap(), owed);
        assert!((1..bytes.len()).all(|cut| Owed::decode(&bytes[..cut]).map_or(true, |shorter| shorter != owed)));
        owed.keep_after(Some(4));
        assert_eq!(owed.iter().map(|(ordinal, _)| ordinal).collect::<Vec<_>>(), [9]);
        owed.keep_after(None);
        assert!(owed.is_empty());
    }
}
