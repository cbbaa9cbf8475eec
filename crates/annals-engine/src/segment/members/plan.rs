//! Chooses how payloads are written, by rows spread over the segment.

use std::borrow::Cow;

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::Result;

use super::super::{Stream, TextSource};
use super::block::OpenBlock;
use super::marks::{Origin, Shortener};
use super::write::{Assembler, Compressor, DICTIONARY_SIZE, RowValues, Texts};

/// Payloads of fewer bytes have no dictionary.
const DICTIONARY_PAYS: u64 = 8 << 20;
/// The form is chosen by stretches of so many rows, and so many of them.
const STRETCH_ROWS: usize = 256;
const STRETCHES: u32 = 12;
/// No more bytes are looked at for that.
const SAMPLE_SIZE_MAX: usize = 8 << 20;

/// What suits a segment's payloads.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) origins: Vec<Origin>,
    pub(super) by_type: bool,
    /// What 1,024 rows take, about.
    pub(crate) size_per_1024: u64,
    pub(super) dictionary_rows: u32,
}

impl Plan {
    /// Chooses by rows spread over the segment.
    pub(crate) fn new(rows: u32, source: &mut dyn TextSource, values: &mut RowValues<'_>) -> Result<Self> {
        let sample = Sample::new(rows, source)?;
        let mut texts = Texts { source, values, loaded: None };
        let present: Vec<(u32, &[u8])> =
            sample.rows.iter().filter_map(|(row, text)| Some((*row, text.as_deref()?))).collect();
        let origins = Shortener::learn(&present, &mut texts)?.origins;
        let average = len_u64(present.iter().map(|(_, text)| text.len()).sum::<usize>() / sample.rows.len().max(1));
        let dictionary_rows = wanted_for_dictionary(average, rows);
        let mut plan = Self { origins, by_type: false, size_per_1024: 0, dictionary_rows };
        let in_order = plan.weigh(&sample, &mut texts)?;
        plan.size_per_1024 = in_order;
        if texts.values.groups().is_some() {
            plan.by_type = true;
            plan.size_per_1024 = plan.weigh(&sample, &mut texts)?;
            if plan.size_per_1024 >= in_order {
                plan.by_type = false;
                plan.size_per_1024 = in_order;
            }
        }
        Ok(plan)
    }

    /// What a row of the sample takes on average. Where there is to be a dictionary, a quarter of the sample is it.
    fn weigh(&self, sample: &Sample, texts: &mut Texts<'_, '_, '_>) -> Result<u64> {
        let groups = texts.values.groups().filter(|_| self.by_type).unwrap_or_default();
        let mut assembler = Assembler::new(self.origins.clone(), groups.count());
        let has_dictionary = self.dictionary_rows > 0;
        let in_dictionary = |at: usize| has_dictionary && (at / STRETCH_ROWS).is_multiple_of(4);
        let mut common = OpenBlock::default();
        for (_, (row, text)) in sample.rows.iter().enumerate().filter(|(at, _)| in_dictionary(*at)) {
            assembler.push((*row, groups.of(*row)), text.as_deref(), texts, &mut |block| {
                common.append(&block);
                Ok(())
            })?;
        }
        let mut blocks = Compressor::new(&assembler.common(common))?;
        let (mut size, mut rows) = (0, 0_u32);
        let mut weigh = |mut block: OpenBlock| -> Result<()> {
            block.encode(&mut blocks.raw);
            size += blocks.compress()?.len();
            Ok(())
        };
        for (_, (row, text)) in sample.rows.iter().enumerate().filter(|(at, _)| !in_dictionary(*at)) {
            assembler.push((*row, groups.of(*row)), text.as_deref(), texts, &mut weigh)?;
            rows += 1;
        }
        for (_, block) in assembler.rest() {
            weigh(block)?;
        }
        Ok(len_u64(size) * 1024 / u64::from(rows.max(1)))
    }
}

/// Rows in stretches, spread over a segment.
struct Sample {
    rows: Vec<(u32, Option<Vec<u8>>)>,
}

impl Sample {
    fn new(rows: u32, source: &mut dyn TextSource) -> Result<Self> {
        let stretch = len_u32(STRETCH_ROWS);
        let step = (rows / STRETCHES).max(stretch);
        let mut sample = Vec::new();
        let mut size = 0;
        for first in (0..rows).step_by(row_usize(step)) {
            for row in first..rows.min(first + stretch) {
                let text = source.value(Stream::Payload, row)?.map(Cow::into_owned);
                size += text.as_ref().map_or(0, Vec::len);
                sample.push((row, text));
                if size > SAMPLE_SIZE_MAX {
                    return Ok(Self { rows: sample });
                }
            }
        }
        Ok(Self { rows: sample })
    }
}

/// How many rows make a dictionary; none where it does not pay.
fn wanted_for_dictionary(average: u64, rows: u32) -> u32 {
    if average.saturating_mul(u64::from(rows)) < DICTIONARY_PAYS {
        return 0;
    }
    u32::try_from(len_u64(2 * DICTIONARY_SIZE) / average.max(1)).unwrap_or(u32::MAX).max(1)
}
