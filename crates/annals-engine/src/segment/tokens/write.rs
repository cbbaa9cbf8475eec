//! Texts -> a dictionary of tokens and codes. `docs/format.md`, "Tokens".

use std::cmp::Reverse;

use crate::codec::{len_u32, len_u64, row_usize};
use crate::error::Result;

use super::super::Stream;
use super::super::layout::{Section, SectionKind};
use super::super::packed::{self, width_of};
use super::super::writer::SegmentWriter;
use super::bits::{CODE_WIDTH_MAX, GROUP_CODES, put_group};
use super::intern::Interner;

/// Beyond this many distinct tokens a text is not made of words.
const DISTINCT_MAX: usize = 1 << 20;
/// Bytes of all distinct tokens.
const DISTINCT_SIZE_MAX: usize = 32 << 20;
/// Tokens of one stream; each takes four bytes of memory until it is written.
const TOKENS_MAX: usize = 1 << 26;
/// What the sections of a stream cost in the footer and in padding, about.
const SECTIONS_SIZE: u64 = 400;

/// The tokens of the rows so far.
pub(crate) struct TokenCoder {
    interner: Interner,
    ids: Vec<u32>,
    /// Where the tokens of each row start in `ids`, and the end.
    starts: Vec<i64>,
    /// How many rows have a text.
    texts: u32,
    /// Whether the first decision has fallen.
    pub(super) tried: bool,
}

/// How tokens become codes.
pub(crate) struct Plan {
    /// Tokens, the most frequent first.
    order: Vec<u32>,
    width: u8,
    /// Tokens that have a code of their own: the first ones.
    common: usize,
    /// How often the others occur.
    rare: u64,
}

impl TokenCoder {
    pub(crate) fn new() -> Self {
        Self { interner: Interner::new(), ids: Vec::new(), starts: vec![0], texts: 0, tried: false }
    }

    pub(crate) fn rows(&self) -> u32 {
        len_u32(self.starts.len() - 1)
    }

    /// How many of them have a text.
    pub(super) fn texts(&self) -> u32 {
        self.texts
    }

    /// Takes the text of the next row.
    pub(crate) fn push(&mut self, text: Option<&[u8]>) {
        if let Some(text) = text {
            self.interner.split(text, &mut self.ids);
            self.texts += 1;
        }
        self.starts.push(len_u64(self.ids.len()).cast_signed());
    }

    /// Whether there is no room for more: this is no text of words.
    pub(crate) fn is_full(&self) -> bool {
        self.interner.len() > DISTINCT_MAX
            || self.interner.size_bytes() > DISTINCT_SIZE_MAX
            || self.ids.len() > TOKENS_MAX
    }

    /// Replaces `out` by the text of a row that was pushed; `false` if it has none.
    pub(crate) fn text(&self, row: u32, out: &mut Vec<u8>) -> bool {
        out.clear();
        let at = row_usize(row);
        let span = self.starts.get(at).zip(self.starts.get(at + 1));
        let span = span.and_then(|(start, end)| Some(usize::try_from(*start).ok()?..usize::try_from(*end).ok()?));
        for id in span.and_then(|span| self.ids.get(span)).unwrap_or_default() {
            out.extend_from_slice(self.interner.token(*id));
        }
        // Every token brings a space, the last one is too many.
        out.pop().is_some()
    }

    /// About the bytes this would take as planned, and how many of them are its dictionary.
    pub(super) fn size(&self, plan: &Plan) -> (u64, u64) {
        let distinct = len_u64(plan.order.len());
        let codes = len_u64(self.ids.len()) * u64::from(plan.width)
            + plan.rare * u64::from(rare_width(plan.order.len(), plan.common));
        let dictionary = len_u64(self.interner.size_bytes()) + distinct + SECTIONS_SIZE;
        (codes.div_ceil(8) + u64::from(self.rows()) + dictionary, dictionary)
    }

    /// The width for which codes and rare tokens together take the fewest bits.
    pub(super) fn plan(&self) -> Plan {
        let mut counts = vec![0_u32; self.interner.len()];
        for id in &self.ids {
            if let Some(count) = counts.get_mut(row_usize(*id)) {
                *count += 1;
            }
        }
        let count = |id: &u32| counts.get(row_usize(*id)).copied().unwrap_or_default();
        let mut order: Vec<u32> = (0..len_u32(counts.len())).collect();
        order.sort_unstable_by_key(|id| (Reverse(count(id)), *id));
        let total = len_u64(self.ids.len());
        let mut best: Option<(u64, Plan)> = None;
        let (mut covered, mut common) = (0, 0);
        for width in 1..=CODE_WIDTH_MAX {
            let next = ((1 << width) - 1).min(order.len());
            covered += order.get(common..next).into_iter().flatten().map(|id| u64::from(count(id))).sum::<u64>();
            common = next;
            let plan = Plan { order: Vec::new(), width, common, rare: total - covered };
            let bits = total * u64::from(width) + plan.rare * u64::from(rare_width(order.len(), common));
            if best.as_ref().is_none_or(|(least, _)| bits < *least) {
                best = Some((bits, plan));
            }
        }
        let plan = best.map(|(_, plan)| plan);
        let Plan { width, common, rare, .. } =
            plan.unwrap_or(Plan { order: Vec::new(), width: 1, common: 0, rare: total });
        Plan { order, width, common, rare }
    }

    /// Writes the stream.
    pub(crate) fn write(self, plan: &Plan, writer: &mut SegmentWriter, stream: Stream) -> Result<()> {
        let number = stream.number();
        self.write_dictionary(writer, number, &plan.order)?;
        let mut ranks = vec![0_u32; plan.order.len()];
        for (rank, id) in (0..).zip(&plan.order) {
            if let Some(slot) = ranks.get_mut(row_usize(*id)) {
                *slot = rank;
            }
        }
        let offset = writer.begin();
        let common = len_u32(plan.common);
        let mut rare = Vec::new();
        let mut bases = vec![0_i64];
        let mut bytes = Vec::new();
        for group in self.ids.chunks(GROUP_CODES) {
            let mut codes = [0_u16; GROUP_CODES];
            for (code, id) in codes.iter_mut().zip(group) {
                let rank = ranks.get(row_usize(*id)).copied().unwrap_or_default();
                match rank.checked_sub(common) {
                    Some(beyond) => rare.push(beyond),
                    None => *code = u16::try_from(rank + 1).expect("a common token has a code of at most 16 bits"),
                }
            }
            bases.push(len_u64(rare.len()).cast_signed());
            bytes.clear();
            put_group(&codes, usize::from(plan.width), &mut bytes);
            writer.write(&bytes)?;
        }
        let codes = Section::new(SectionKind::TokenCodes, number, len_u64(self.ids.len()));
        writer.end(offset, Section { width: plan.width, ..codes });
        let mut framed = |kind, values: &[i64]| {
            let mut section = Section::new(kind, number, 0);
            let bytes = packed::frame(&mut section, values);
            writer.section(section, &bytes)
        };
        framed(SectionKind::RowTokens, &self.starts)?;
        framed(SectionKind::RareBases, &bases)?;
        let mut section = Section::new(SectionKind::RareTokens, number, 0);
        let bytes = packed::pack(&mut section, &rare);
        writer.section(section, &bytes)
    }

    fn write_dictionary(&self, writer: &mut SegmentWriter, number: u8, order: &[u32]) -> Result<()> {
        let mut starts = Vec::with_capacity(order.len() + 1);
        let mut start = 0;
        starts.push(0_i64);
        let offset = writer.begin();
        for id in order {
            let token = self.interner.token(*id);
            writer.write(token)?;
            start += len_u64(token.len());
            starts.push(start.cast_signed());
        }
        writer.end(offset, Section::new(SectionKind::TokenBytes, number, len_u64(order.len())));
        let mut section = Section::new(SectionKind::TokenStarts, number, 0);
        let bytes = packed::frame(&mut section, &starts);
        writer.section(section, &bytes)
    }
}

/// The bits of a rare token, if the first `common` of `distinct` ones are not rare: as many as packing them takes.
fn rare_width(distinct: usize, common: usize) -> u8 {
    width_of(len_u64((distinct - common).saturating_sub(1)))
}
