//! Answers to appends, first ones and repeated ones.

use crate::codec::{len_u32, len_u64};
use crate::error::{Error, ErrorKind, Result};
use crate::idempotency::Answer;
use crate::requests::{DurabilityTicket, Receipt};
use crate::stage::Staged;

/// What an append did.
pub(super) fn receipt(staged: &Staged, first_sequence: u64, replaced: u32) -> Receipt {
    let records = &staged.batch.records;
    let end = first_sequence + len_u64(records.len());
    let ids = (first_sequence..end).zip(records).map(|(sequence, record)| record.id_at(sequence)).collect();
    Receipt {
        sequences: first_sequence..end,
        ids,
        duplicate_count: len_u32(staged.duplicates.len()),
        duplicates: staged.duplicates.clone(),
        replaced,
        replayed: false,
        ticket: DurabilityTicket(end - 1),
    }
}

/// What an idempotency key remembers of it.
pub(super) fn answer(receipt: &Receipt, body: u64, at_us: i64) -> Answer {
    let stored = u32::try_from(receipt.sequences.end - receipt.sequences.start).unwrap_or(u32::MAX);
    Answer { body, first_sequence: receipt.sequences.start, stored, duplicates: receipt.duplicate_count, at_us }
}

/// The stored answer, if the body is the same.
pub(super) fn replay(answer: Answer, body: u64) -> Result<Receipt> {
    if answer.body != body {
        return Err(Error::new(ErrorKind::Conflict, "this idempotency key was used with another body"));
    }
    let end = answer.first_sequence + u64::from(answer.stored);
    Ok(Receipt {
        sequences: answer.first_sequence..end,
        ids: Vec::new(),
        duplicates: Vec::new(),
        duplicate_count: answer.duplicates,
        replaced: 0,
        replayed: true,
        ticket: DurabilityTicket(end.saturating_sub(1)),
    })
}
