//! A stream of texts made of words: a dictionary of tokens and a code per token. `docs/format.md`, "Tokens".
//!
//! A token is what lies between two spaces, so that a text is its tokens joined by spaces, whatever it holds. The most
//! frequent tokens have codes of a few bits, in bit planes ([`bits`]); the others share code 0, and which one it
//! is stands in a column of its own. A row costs its own codes, and a substring is searched for in the
//! dictionary and then among codes ([`search`]).

mod bits;
mod choice;
mod intern;
mod pattern;
mod rows;
mod scan;
mod search;
#[cfg(test)]
mod tests;
mod verify;
mod write;

pub(crate) use write::TokenCoder;

use std::sync::OnceLock;

use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::{Error, Result};

use super::Stream;
use super::ahead::{Ahead, Wave};
use super::checked::CheckedFile;
use super::layout::{Footer, Section, SectionKind};
use super::packed::{FrameColumn, PackedColumn};
use super::text::VALUE_SIZE_MAX;
use bits::{CODE_WIDTH_MAX, GROUP_CODES, PLANE_SIZE};

/// Codes of a group, for positions.
const GROUP: u64 = 128;
const _: () = assert!(GROUP_CODES == 128);

/// Places of so many tokens, the most frequent ones, are kept once a row was read.
const KEPT_TOKENS_MAX: u32 = 4096;

/// Groups of one row that are loaded ahead.
const TOUCHED_GROUPS_MAX: u64 = 2;
const CACHE_LINE: usize = 64;

/// A stream of tokens, read.
#[derive(Debug)]
pub(crate) struct TokenColumn {
    rows: u32,
    /// Distinct tokens.
    tokens: u32,
    /// The first tokens, which have a code of their own: their number plus one.
    common: u32,
    /// Codes of all rows.
    total: u64,
    width: usize,
    bytes: Section,
    starts: FrameColumn,
    codes: Section,
    row_starts: FrameColumn,
    rare_bases: FrameColumn,
    rare: PackedColumn,
    rare_len: u64,
    /// Where each of the first tokens starts in `bytes`, and the end of the last of them.
    kept: OnceLock<Box<[u32]>>,
}

/// The tokens and the text of a row, reused from row to row.
#[derive(Debug, Default)]
pub(crate) struct RowBuffer {
    tokens: Vec<u32>,
    text: Vec<u8>,
}

impl TokenColumn {
    /// The column a footer tells of; `None` if the stream has another form.
    pub(crate) fn new(footer: &Footer, stream: Stream) -> Result<Option<Self>> {
        let number = stream.number();
        let Some(codes) = footer.find(SectionKind::TokenCodes, number) else { return Ok(None) };
        let bytes = footer.require(SectionKind::TokenBytes, number)?;
        let rare = footer.require(SectionKind::RareTokens, number)?;
        let groups = codes.count.div_ceil(GROUP);
        let group_size = u64::from(codes.width) * len_u64(PLANE_SIZE);
        let tokens = u32::try_from(bytes.count).ok().filter(|_| bytes.count <= bytes.len);
        let (Some(tokens), 1..=CODE_WIDTH_MAX, true) =
            (tokens, codes.width, groups.checked_mul(group_size) == Some(codes.len) && rare.count <= codes.count)
        else {
            return Err(Error::corrupt(format!("the tokens of {stream:?} contradict each other")));
        };
        Ok(Some(Self {
            rows: footer.rows,
            tokens,
            common: tokens.min((1 << codes.width) - 1),
            total: codes.count,
            width: usize::from(codes.width),
            bytes,
            starts: FrameColumn::new(footer.require(SectionKind::TokenStarts, number)?, u64::from(tokens) + 1)?,
            codes,
            row_starts: FrameColumn::new(footer.require(SectionKind::RowTokens, number)?, u64::from(footer.rows) + 1)?,
            rare_bases: FrameColumn::new(footer.require(SectionKind::RareBases, number)?, groups + 1)?,
            rare: PackedColumn::new(rare, rare.count)?,
            rare_len: rare.count,
            kept: OnceLock::new(),
        }))
    }

    /// Loads what says where the codes of a row lie.
    #[inline]
    pub(crate) fn touch(&self, ahead: &mut Ahead<'_>, row: u32, wave: Wave) {
        match wave {
            Wave::First => self.row_starts.touch_directory(ahead, u64::from(row)),
            Wave::Second => self.row_starts.touch(ahead, u64::from(row)),
        }
    }

    /// Loads the codes of a row, once it is loaded where they lie.
    pub(crate) fn touch_codes(&self, file: &CheckedFile, ahead: &mut Ahead<'_>, row: u32) {
        // What is damaged is told when it is read.
        let Ok((start, end)) = self.span(file, row) else { return };
        let group_size = len_u64(self.group_size());
        let (first, last) = (start / GROUP, end.max(start + 1).div_ceil(GROUP));
        for group in first..last.min(first + TOUCHED_GROUPS_MAX) {
            self.rare_bases.touch_directory(ahead, group);
            for at in (0..group_size).step_by(CACHE_LINE) {
                ahead.touch(&self.codes, group * group_size + at);
            }
        }
    }

    fn group_size(&self) -> usize {
        self.width * PLANE_SIZE
    }

    fn group<'a>(&self, file: &'a CheckedFile, group: u64) -> Result<&'a [u8]> {
        file.bytes(&self.codes, group * len_u64(self.group_size()), self.group_size())
    }

    /// How many rare tokens lie before a group.
    fn rare_before(&self, file: &CheckedFile, group: u64) -> Result<u64> {
        let base = self.rare_bases.get(file, group)?;
        u64::try_from(base)
            .map_err(|_| file.contradicts(self.rare_bases.section(), &format!("has {base} rare tokens before a group")))
    }

    /// The token that stands at `index` in the column of rare ones.
    fn rare_token(&self, file: &CheckedFile, index: u64) -> Result<u32> {
        let beyond = self.rare.get(file, index)?;
        self.common
            .checked_add(beyond)
            .filter(|token| *token < self.tokens)
            .ok_or_else(|| file.contradicts(&self.bytes, &format!("lacks the rare token {beyond}")))
    }

    /// The token of a code that is not 0.
    fn common_token(&self, file: &CheckedFile, code: u16) -> Result<u32> {
        let token = u32::from(code).wrapping_sub(1);
        if token < self.common { Ok(token) } else { Err(file.contradicts(&self.codes, &format!("has code {code}"))) }
    }

    /// Where the codes of a row lie.
    fn span(&self, file: &CheckedFile, row: u32) -> Result<(u64, u64)> {
        let (start, end) = self.row_starts.get_pair(file, u64::from(row))?;
        match (u64::try_from(start), u64::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end && end <= self.total => Ok((start, end)),
            _ => Err(file.contradicts(self.row_starts.section(), &format!("has row {row} from {start} to {end}"))),
        }
    }

    /// Replaces `out` by the tokens at the positions from `start` to `end`, which lie within the column.
    fn tokens_between(&self, file: &CheckedFile, start: u64, end: u64, out: &mut Vec<u32>) -> Result<()> {
        out.clear();
        let mut at = start;
        while at < end {
            let group = at / GROUP;
            let group_end = end.min((group + 1) * GROUP);
            let bytes = self.group(file, group)?;
            // The index of the next rare token, once one is met.
            let mut rare: Option<u64> = None;
            while at < group_end {
                let first = at / 8 * 8;
                let octet_end = group_end.min(first + 8);
                let octet = bits::octet(bytes, to_usize(first % GROUP / 8));
                let codes = octet.iter().zip(first..octet_end).filter(|(_, position)| *position >= at);
                for (code, position) in codes {
                    if *code > 0 {
                        out.push(self.common_token(file, *code)?);
                        continue;
                    }
                    let index = if let Some(index) = rare {
                        index
                    } else {
                        let before = bits::zeroes(bytes) & bits::low_bits(position % GROUP);
                        self.rare_before(file, group)?.saturating_add(u64::from(before.count_ones()))
                    };
                    out.push(self.rare_token(file, index)?);
                    rare = Some(index + 1);
                }
                at = octet_end;
            }
        }
        Ok(())
    }

    /// The text of a row; `None` if it has none.
    pub(crate) fn text<'b>(&self, file: &CheckedFile, row: u32, buffer: &'b mut RowBuffer) -> Result<Option<&'b [u8]>> {
        let (start, end) = self.span(file, row)?;
        if start == end {
            return Ok(None);
        }
        // Every token but the last takes a byte at least.
        let too_long = || file.contradicts(&self.codes, &format!("has a text of more than {VALUE_SIZE_MAX} bytes"));
        if end - start > len_u64(VALUE_SIZE_MAX) + 1 {
            return Err(too_long());
        }
        self.tokens_between(file, start, end, &mut buffer.tokens)?;
        buffer.text.clear();
        let kept = self.kept(file)?;
        let kept_bytes = file.bytes(&self.bytes, 0, row_usize(kept.last().copied().unwrap_or_default()))?;
        for token in &buffer.tokens {
            let at = row_usize(*token);
            let place = kept.get(at).zip(kept.get(at + 1)).map(|(start, end)| row_usize(*start)..row_usize(*end));
            buffer.text.extend_from_slice(match place.and_then(|place| kept_bytes.get(place)) {
                Some(token) => token,
                None => self.token(file, *token)?,
            });
            if buffer.text.len() > VALUE_SIZE_MAX + 1 {
                return Err(too_long());
            }
        }
        // Every token brought a space, the last one is too many.
        buffer.text.pop();
        Ok(Some(&buffer.text))
    }

    fn kept(&self, file: &CheckedFile) -> Result<&[u32]> {
        if let Some(kept) = self.kept.get() {
            return Ok(kept);
        }
        let mut kept: Vec<u32> = vec![0];
        for token in 0..self.common.min(KEPT_TOKENS_MAX) {
            // Checked to lie in the section, one behind the other.
            let len = self.token(file, token)?.len();
            let (start, _) = self.starts.get_pair(file, u64::from(token))?;
            let last = kept.last().copied().unwrap_or_default();
            match u32::try_from(len).ok().and_then(|len| last.checked_add(len)) {
                Some(end) if start == i64::from(last) => kept.push(end),
                _ => return Err(file.contradicts(self.starts.section(), &format!("has a gap before token {token}"))),
            }
        }
        Ok(self.kept.get_or_init(|| kept.into_boxed_slice()))
    }

    /// A token and the space behind it.
    fn token<'a>(&self, file: &'a CheckedFile, token: u32) -> Result<&'a [u8]> {
        let (start, end) = self.starts.get_pair(file, u64::from(token))?;
        match (u64::try_from(start), end.checked_sub(start).and_then(|len| usize::try_from(len).ok())) {
            (Ok(start), Some(len)) if len > 0 => file.bytes(&self.bytes, start, len),
            _ => Err(file.contradicts(&self.bytes, &format!("has a token from {start} to {end}"))),
        }
    }
}
