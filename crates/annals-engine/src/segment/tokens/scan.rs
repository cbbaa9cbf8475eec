//! Walks over all codes: which positions hold the tokens wanted.

use std::ops::Range;

use super::super::checked::CheckedFile;
use super::bits::{self, PLANE_SIZE};
use super::pattern::TokenSet;
use super::{GROUP, TokenColumn};
use crate::codec::{len_u64, row_usize, to_usize};
use crate::error::Result;

/// Codes wanted at one of several consecutive positions; `None` = any.
pub(super) type Wanted = Option<Vec<u16>>;

/// Calls `emit` with each group of `groups` in which the last of `wanted` stands somewhere behind the others, and
/// with a bit for each such position. Code 0 stands for any rare token.
pub(super) fn scan(
    column: &TokenColumn,
    file: &CheckedFile,
    groups: Range<u64>,
    wanted: &[Wanted],
    emit: impl FnMut(u64, u128) -> Result<()>,
) -> Result<()> {
    let size = len_u64(column.group_size());
    let len = to_usize(groups.end.saturating_sub(groups.start).saturating_mul(size));
    let bytes = file.bytes(&column.codes, groups.start.saturating_mul(size), len)?;
    let first = groups.start;
    match column.width {
        1 => scan_width::<1>(bytes, first, wanted, emit),
        2 => scan_width::<2>(bytes, first, wanted, emit),
        3 => scan_width::<3>(bytes, first, wanted, emit),
        4 => scan_width::<4>(bytes, first, wanted, emit),
        5 => scan_width::<5>(bytes, first, wanted, emit),
        6 => scan_width::<6>(bytes, first, wanted, emit),
        7 => scan_width::<7>(bytes, first, wanted, emit),
        8 => scan_width::<8>(bytes, first, wanted, emit),
        9 => scan_width::<9>(bytes, first, wanted, emit),
        10 => scan_width::<10>(bytes, first, wanted, emit),
        11 => scan_width::<11>(bytes, first, wanted, emit),
        12 => scan_width::<12>(bytes, first, wanted, emit),
        13 => scan_width::<13>(bytes, first, wanted, emit),
        14 => scan_width::<14>(bytes, first, wanted, emit),
        15 => scan_width::<15>(bytes, first, wanted, emit),
        _ => scan_width::<16>(bytes, first, wanted, emit),
    }
}

fn scan_width<const WIDTH: usize>(
    bytes: &[u8],
    first: u64,
    wanted: &[Wanted],
    mut emit: impl FnMut(u64, u128) -> Result<()>,
) -> Result<()> {
    let groups = (first..).zip(bytes.as_chunks::<PLANE_SIZE>().0.as_chunks::<WIDTH>().0);
    let codes = |wanted: &Wanted| -> Option<Vec<[u128; WIDTH]>> {
        wanted.as_ref().map(|codes| codes.iter().map(|code| bits::inverted(*code)).collect())
    };
    let wanted: Vec<Option<Vec<[u128; WIDTH]>>> = wanted.iter().map(codes).collect();
    let here = |planes: &[[u8; PLANE_SIZE]; WIDTH], wanted: &Option<Vec<[u128; WIDTH]>>| match wanted {
        Some(wanted) => bits::equal(planes, wanted),
        None => u128::MAX,
    };
    let Some((head, tail)) = wanted.split_first() else { return Ok(()) };
    if let ([], Some([code])) = (tail, head.as_deref()) {
        let code = std::slice::from_ref(code);
        for (group, planes) in groups {
            let found = bits::equal(planes, code);
            if found != 0 {
                emit(group, found)?;
            }
        }
        return Ok(());
    }
    // Whether the pieces before stood up to the end of the group before.
    let mut carries = vec![0_u128; tail.len()];
    for (group, planes) in groups {
        let mut found = here(planes, head);
        for (carry, wanted) in carries.iter_mut().zip(tail) {
            let reached = found << 1 | *carry;
            *carry = found >> (u128::BITS - 1);
            found = if reached == 0 { 0 } else { reached & here(planes, wanted) };
        }
        if found != 0 {
            emit(group, found)?;
        }
    }
    Ok(())
}

/// Which entries of the column of rare tokens are wanted.
#[derive(Debug, Default)]
pub(super) struct RareHits {
    bits: Vec<u64>,
    pub(super) count: u64,
}

impl RareHits {
    /// Those that are in `set`.
    pub(super) fn new(column: &TokenColumn, file: &CheckedFile, set: &TokenSet) -> Result<Self> {
        let mut hits = Self { bits: Vec::with_capacity(to_usize(column.rare_len / 64 + 1)), count: 0 };
        let (mut word, mut filled) = (0, 0);
        column.rare.scan(file, |beyond| {
            let hit = u64::from(set.contains(column.common.saturating_add(beyond)));
            hits.count += hit;
            word |= hit << filled;
            filled += 1;
            if filled == u64::BITS {
                hits.bits.push(std::mem::take(&mut word));
                filled = 0;
            }
        })?;
        hits.bits.push(word);
        Ok(hits)
    }

    #[inline]
    fn contains(&self, index: u64) -> bool {
        self.bits.get(to_usize(index / 64)).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// The entries, ascending.
    pub(super) fn indexes(&self) -> impl Iterator<Item = u64> {
        (0_u64..).zip(&self.bits).flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(at * 64 + u64::from(bit))
            })
        })
    }

    /// The positions of a group whose rare tokens are wanted; `next` counts the rare tokens passed.
    fn of_group(&self, mut zeroes: u128, next: &mut u64) -> u128 {
        let mut found = 0;
        while zeroes != 0 {
            let bit = zeroes & zeroes.wrapping_neg();
            if self.contains(*next) {
                found |= bit;
            }
            *next += 1;
            zeroes ^= bit;
        }
        found
    }
}

/// [`scan`] for one set, with the rare tokens found put where they stand.
pub(super) fn add_rare(
    column: &TokenColumn,
    file: &CheckedFile,
    groups: Range<u64>,
    wanted: &[Wanted; 1],
    rare: &RareHits,
    mut emit: impl FnMut(u64, u128) -> Result<()>,
) -> Result<()> {
    let mut next = if groups.is_empty() { 0 } else { column.rare_before(file, groups.start)? };
    let codes = wanted.iter().flatten().flatten();
    let codes: Vec<u16> = codes.copied().collect();
    for group in groups {
        let bytes = column.group(file, group)?;
        let mut found = rare.of_group(bits::zeroes(bytes) & column.in_group(group), &mut next);
        for code in &codes {
            found |= bits::equal_to(bytes, *code);
        }
        if found != 0 {
            emit(group, found)?;
        }
    }
    Ok(())
}

/// The same for a set that is too large to be compared with code by code: reads every code.
pub(super) fn walk(
    column: &TokenColumn,
    file: &CheckedFile,
    groups: Range<u64>,
    set: &TokenSet,
    rare: &RareHits,
    mut emit: impl FnMut(u64, u128) -> Result<()>,
) -> Result<()> {
    // By code, a byte each; what stands at 0 is looked at below.
    let mut passes = vec![0_u8; row_usize(column.common) + 1];
    for token in &set.common {
        if let Some(slot) = passes.get_mut(row_usize(*token) + 1) {
            *slot = 1;
        }
    }
    let mut next = if groups.is_empty() { 0 } else { column.rare_before(file, groups.start)? };
    for group in groups {
        let bytes = column.group(file, group)?;
        let mut found = [0_u8; PLANE_SIZE];
        for (octet, found) in found.iter_mut().enumerate() {
            for (bit, code) in bits::octet(bytes, octet).into_iter().enumerate() {
                *found |= passes.get(usize::from(code)).copied().unwrap_or_default() << bit;
            }
        }
        let mut found = u128::from_le_bytes(found);
        if rare.count > 0 {
            found |= rare.of_group(bits::zeroes(bytes) & column.in_group(group), &mut next);
        }
        if found != 0 {
            emit(group, found)?;
        }
    }
    Ok(())
}

impl TokenColumn {
    /// The bits of the positions that a group has: the last one may be shorter.
    pub(super) fn in_group(&self, group: u64) -> u128 {
        bits::low_bits(self.total.saturating_sub(group.saturating_mul(GROUP)))
    }
}
