//! Control operations, deletes and marks of all kinds, and their bytes in the log. `docs/format.md`,
//! "Control frame".

use crate::amended::Amended;
use crate::codec::{Reader, len_u64, put_bytes, put_varint, row_usize, take_bytes};
use crate::error::{Error, Result};
use crate::filter::{Filter, wire};
use crate::frame::{FRAME_EVENTS_MAX, FRAME_PAYLOAD_MAX};
use crate::id::EventId;
use crate::requests::{READER_SIZE_MAX, ReadMark};

/// The most sequences and marks of one frame together, inclusive: bounds what replay holds in memory.
pub(crate) const CONTROL_ITEMS_MAX: usize = 4 << 20;
/// The most operations of one frame, inclusive.
pub(crate) const CONTROL_OPS_MAX: usize = FRAME_EVENTS_MAX;

mod tag {
    pub(super) const DELETE_SEQUENCES: u8 = 1;
    pub(super) const DELETE_MATCHING: u8 = 2;
    pub(super) const MARK: u8 = 3;
    pub(super) const AMEND: u8 = 4;
    pub(super) const READ: u8 = 5;
}

/// A change of events that are already stored. Takes no sequence; each has an ordinal of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlOp {
    /// The events with these sequences are deleted. Stored ascending and without repeats.
    DeleteSequences(Vec<u64>),
    /// Every event that matches and has at most this sequence is deleted.
    DeleteMatching {
        filter: Filter,
        /// Inclusive.
        upto_sequence: u64,
    },
    /// Marks of events, applied in this order.
    Mark {
        /// Sequence, and whether somebody has taken note of the event.
        marks: Vec<(u64, bool)>,
    },
    /// The event with this sequence has other values.
    Amend { sequence: u64, amended: Amended },
    /// Users have read events. Of an event and a user the first receipt stays.
    Read { marks: Vec<ReadMark> },
}

/// Appends the payload of a control frame to `out`; the header's `count` is the number of operations.
///
/// # Errors
/// `InvalidInput` naming the limit; `out` is as it was.
pub(crate) fn encode(operations: &[ControlOp], out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let result = put_all(operations, out).and_then(|()| {
        let size = out.len() - start;
        if size > FRAME_PAYLOAD_MAX {
            let message = format!("deletes and marks of {size} bytes, the limit is {FRAME_PAYLOAD_MAX}");
            return Err(Error::invalid_input(message));
        }
        Ok(())
    });
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn put_all(operations: &[ControlOp], out: &mut Vec<u8>) -> Result<()> {
    let items = operations.iter().map(ControlOp::items).fold(0, usize::saturating_add);
    if operations.len() > CONTROL_OPS_MAX || items > CONTROL_ITEMS_MAX {
        return Err(Error::invalid_input(format!(
            "{} operations on {items} events at once, the limits are {CONTROL_OPS_MAX} and {CONTROL_ITEMS_MAX}",
            operations.len()
        )));
    }
    operations.iter().try_for_each(|operation| operation.put(out))
}

impl ControlOp {
    fn items(&self) -> usize {
        match self {
            Self::DeleteSequences(sequences) => sequences.len(),
            Self::DeleteMatching { .. } => 0,
            Self::Mark { marks } => marks.len(),
            Self::Amend { .. } => 1,
            Self::Read { marks } => marks.len(),
        }
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::DeleteSequences(sequences) => {
                let mut sorted = sequences.clone();
                sorted.sort_unstable();
                sorted.dedup();
                out.push(tag::DELETE_SEQUENCES);
                put_varint(out, len_u64(sorted.len()));
                let mut previous = 0;
                for sequence in sorted {
                    put_varint(out, sequence - previous);
                    previous = sequence;
                }
                Ok(())
            }
            Self::DeleteMatching { filter, upto_sequence } => {
                out.push(tag::DELETE_MATCHING);
                out.extend_from_slice(&upto_sequence.to_le_bytes());
                wire::encode(filter, out)
            }
            Self::Mark { marks } => {
                out.push(tag::MARK);
                put_varint(out, len_u64(marks.len()));
                for (sequence, acknowledged) in marks {
                    put_varint(out, *sequence);
                    out.push(u8::from(*acknowledged));
                }
                Ok(())
            }
            Self::Amend { sequence, amended } => {
                out.push(tag::AMEND);
                put_varint(out, *sequence);
                amended.put(out);
                Ok(())
            }
            Self::Read { marks } => {
                out.push(tag::READ);
                put_varint(out, len_u64(marks.len()));
                for mark in marks {
                    put_varint(out, mark.sequence);
                    out.extend_from_slice(&mark.receipt.as_u128().to_le_bytes());
                    out.extend_from_slice(&mark.read_at_us.to_le_bytes());
                    put_bytes(out, mark.user_id.as_bytes());
                }
                Ok(())
            }
        }
    }
}

/// Reads the payload of a control frame with `count` operations, all of it.
///
/// # Errors
/// `Corrupt` if the bytes are no such payload.
pub(crate) fn decode(payload: &[u8], count: u32) -> Result<Vec<ControlOp>> {
    // An operation takes at least two bytes, so a count from a damaged header reserves no more than that.
    let mut operations = Vec::with_capacity(row_usize(count).min(payload.len() / 2));
    let mut reader = Reader::new(payload);
    let mut items_left = CONTROL_ITEMS_MAX;
    for _ in 0..count {
        operations.push(take(&mut reader, &mut items_left)?);
    }
    if !reader.is_empty() {
        let message = format!("{} bytes follow the {count} operations of a control frame", reader.remaining());
        return Err(Error::corrupt(message));
    }
    Ok(operations)
}

/// Reads operations to the end of the bytes, at most `count_max`.
///
/// # Errors
/// `Corrupt` if the bytes are no operations, or more of them.
pub(crate) fn decode_all(payload: &[u8], count_max: usize) -> Result<Vec<ControlOp>> {
    let mut operations = Vec::with_capacity(count_max);
    let mut reader = Reader::new(payload);
    let mut items_left = CONTROL_ITEMS_MAX;
    while !reader.is_empty() {
        if operations.len() >= count_max {
            return Err(Error::corrupt(format!("more than {count_max} operations where no more may be")));
        }
        operations.push(take(&mut reader, &mut items_left)?);
    }
    Ok(operations)
}

fn take(reader: &mut Reader<'_>, items_left: &mut usize) -> Result<ControlOp> {
    match reader.u8()? {
        tag::DELETE_SEQUENCES => {
            let count = take_count(reader, items_left)?;
            let mut sequences = Vec::with_capacity(count);
            let mut previous = 0_u64;
            for index in 0..count {
                let step = reader.varint()?;
                let sequence = previous.checked_add(step).filter(|_| index == 0 || step > 0);
                previous = sequence.ok_or_else(|| Error::corrupt("the sequences of a delete do not ascend"))?;
                sequences.push(previous);
            }
            Ok(ControlOp::DeleteSequences(sequences))
        }
        tag::DELETE_MATCHING => {
            let upto_sequence = reader.u64()?;
            Ok(ControlOp::DeleteMatching { filter: wire::decode(reader)?, upto_sequence })
        }
        tag::MARK => {
            let count = take_count(reader, items_left)?;
            let mut marks = Vec::with_capacity(count);
            for _ in 0..count {
                let sequence = reader.varint()?;
                let acknowledged = match reader.u8()? {
                    0 => false,
                    1 => true,
                    other => return Err(Error::corrupt(format!("a mark has state {other}"))),
                };
                marks.push((sequence, acknowledged));
            }
            Ok(ControlOp::Mark { marks })
        }
        tag::AMEND => {
            *items_left = items_left.checked_sub(1).ok_or_else(too_many_items)?;
            let sequence = reader.varint()?;
            Ok(ControlOp::Amend { sequence, amended: Amended::take(reader)? })
        }
        tag::READ => {
            let count = take_count(reader, items_left)?;
            // Each takes at least 27 bytes of those left.
            let mut marks = Vec::with_capacity(count.min(reader.remaining() / 27));
            for _ in 0..count {
                let sequence = reader.varint()?;
                let receipt = EventId::from_u128(reader.u128()?);
                let read_at_us = reader.i64()?;
                marks.push(ReadMark { sequence, receipt, read_at_us, user_id: take_reader_id(reader)? });
            }
            Ok(ControlOp::Read { marks })
        }
        other => Err(Error::corrupt(format!("unknown control operation {other}"))),
    }
}

/// The user of a receipt: 1 to [`READER_SIZE_MAX`] bytes of UTF-8.
pub(crate) fn take_reader_id(reader: &mut Reader<'_>) -> Result<String> {
    let bytes = take_bytes(reader)?;
    if !(1..=READER_SIZE_MAX).contains(&bytes.len()) {
        return Err(Error::corrupt(format!("the user of a receipt has {} bytes", bytes.len())));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|source| Error::corrupt("the user of a receipt is not UTF-8").with_source(source))?;
    Ok(text.to_owned())
}

/// A count of items, each of which takes at least one of the bytes left.
fn take_count(reader: &mut Reader<'_>, items_left: &mut usize) -> Result<usize> {
    let count = reader.varint_len()?;
    *items_left = items_left.checked_sub(count).ok_or_else(too_many_items)?;
    Ok(count)
}

fn too_many_items() -> Error {
    Error::corrupt(format!("a control frame names more than {CONTROL_ITEMS_MAX} events"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::field::Field;
    use crate::requests::Amendment;
    use proptest::prelude::*;

    fn sample() -> Vec<ControlOp> {
        vec![
            ControlOp::DeleteSequences(vec![1, 2, 300, u64::MAX]),
            ControlOp::DeleteMatching { filter: Filter::term(Field::EventType, "a.b"), upto_sequence: 9 },
            ControlOp::Mark { marks: vec![(7, true), (7, false), (u64::MAX, true)] },
            ControlOp::DeleteSequences(Vec::new()),
            ControlOp::Amend { sequence: 300, amended: amended() },
            ControlOp::Read { marks: vec![read(1, "ada"), read(u64::MAX, &"x".repeat(READER_SIZE_MAX))] },
        ]
    }

    fn amended() -> Amended {
        let amendment = Amendment {
            severity: Some("error".to_owned()),
            is_public: Some(false),
            target_user_ids: Some(vec!["ada".to_owned(), "bob".to_owned()]),
            expires_at_us: Some(Some(9)),
            updated_at_us: 8,
            ..Amendment::default()
        };
        Amended::new(&amendment).unwrap()
    }

    fn read(sequence: u64, user_id: &str) -> ReadMark {
        ReadMark { sequence, user_id: user_id.to_owned(), receipt: EventId::from_u128(5), read_at_us: -6 }
    }

    #[test]
    fn limits_hold_at_n_and_break_at_one_more() {
        let deletes = |count: usize| [ControlOp::DeleteSequences((1..).take(count).collect())];
        let mut bytes = Vec::new();
        encode(&deletes(CONTROL_ITEMS_MAX), &mut bytes).unwrap();
        bytes.truncate(2);
        let error = encode(&deletes(CONTROL_ITEMS_MAX + 1), &mut bytes).unwrap_err();
        assert_eq!((error.kind(), bytes.len()), (ErrorKind::InvalidInput, 2));
        let mut empty = vec![ControlOp::DeleteSequences(Vec::new()); CONTROL_OPS_MAX];
        encode(&empty, &mut bytes).unwrap();
        empty.push(ControlOp::DeleteSequences(Vec::new()));
        assert_eq!(encode(&empty, &mut bytes).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_payload_is_as_large_as_a_frame_at_most_wherever_it_begins() {
        let user = "x".repeat(READER_SIZE_MAX);
        let reads = |size: usize| {
            let count = u64::try_from(size / READER_SIZE_MAX).unwrap();
            [ControlOp::Read { marks: (1..=count).map(|sequence| read(sequence, &user)).collect() }]
        };
        let mut bytes = vec![0; FRAME_PAYLOAD_MAX / 2];
        encode(&reads(FRAME_PAYLOAD_MAX / 4 * 3), &mut bytes).unwrap();
        bytes.truncate(5);
        let error = encode(&reads(FRAME_PAYLOAD_MAX), &mut bytes).unwrap_err();
        assert_eq!((error.kind(), bytes.len()), (ErrorKind::InvalidInput, 5));
    }

    #[test]
    fn a_payload_fills_a_frame_to_the_last_byte() {
        let sized = |user_len: usize| ControlOp::Read { marks: vec![read(1, &"x".repeat(user_len))] };
        let size_of = |operation: &ControlOp| {
            let mut bytes = Vec::new();
            encode(std::slice::from_ref(operation), &mut bytes).unwrap();
            bytes.len()
        };
        let full = sized(READER_SIZE_MAX);
        let mut operations = vec![full.clone(); FRAME_PAYLOAD_MAX / size_of(&full) - 1];
        let mut left = FRAME_PAYLOAD_MAX - operations.len() * size_of(&full);
        let half = sized(READER_SIZE_MAX / 2);
        left -= size_of(&half);
        operations.push(half);
        let overhead = size_of(&full) - READER_SIZE_MAX;
        let last = left - overhead;
        operations.push(sized(last));
        let mut bytes = Vec::new();
        encode(&operations, &mut bytes).unwrap();
        assert_eq!(bytes.len(), FRAME_PAYLOAD_MAX);
        operations.pop();
        operations.push(sized(last + 1));
        assert_eq!(encode(&operations, &mut bytes).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn operations_come_back() {
        let mut bytes = vec![9; 3];
        encode(&sample(), &mut bytes).unwrap();
        assert_eq!(decode(&bytes[3..], 6).unwrap(), sample());
        for cut in 3..bytes.len() {
            assert_eq!(decode(&bytes[3..cut], 6).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        assert!(decode(&bytes[3..], 5).is_err(), "bytes are left");
        assert_eq!(decode_all(&bytes[3..], 6).unwrap(), sample());
        assert!(decode_all(&bytes[3..], 5).is_err() && decode_all(&[], 0).unwrap().is_empty());
        assert!(decode(&bytes[3..], u32::MAX).is_err());
    }

    #[test]
    fn deletes_are_stored_ascending_without_repeats() {
        let mut bytes = Vec::new();
        encode(&[ControlOp::DeleteSequences(vec![5, 1, 5, 3])], &mut bytes).unwrap();
        assert_eq!(bytes, [1, 3, 1, 2, 2]);
        assert_eq!(decode(&bytes, 1).unwrap(), [ControlOp::DeleteSequences(vec![1, 3, 5])]);
        assert!(decode(&[1, 2, 5, 0], 1).is_err(), "a repeat");
    }

    #[test]
    fn users_of_receipts_have_a_size() {
        for user_id in [String::new(), "x".repeat(READER_SIZE_MAX + 1)] {
            let mut bytes = Vec::new();
            encode(&[ControlOp::Read { marks: vec![read(1, &user_id)] }], &mut bytes).unwrap();
            assert_eq!(decode(&bytes, 1).unwrap_err().kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let marks = vec![(1, true); CONTROL_ITEMS_MAX + 1];
        let mut out = vec![1];
        let error = encode(&[ControlOp::Mark { marks }], &mut out).unwrap_err();
        assert_eq!((error.kind(), out), (ErrorKind::InvalidInput, vec![1]));
        let mut bytes = vec![tag::DELETE_SEQUENCES];
        put_varint(&mut bytes, len_u64(CONTROL_ITEMS_MAX) + 1);
        bytes.resize(CONTROL_ITEMS_MAX + 100, 1);
        assert!(decode(&bytes, 1).unwrap_err().message().contains("more than"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(payload: Vec<u8>, count in 0_u32..10) {
            if let Ok(operations) = decode(&payload, count) {
                let mut again = Vec::new();
                encode(&operations, &mut again).unwrap();
                prop_assert_eq!(decode(&again, count).unwrap(), operations);
            }
        }
    }
}
