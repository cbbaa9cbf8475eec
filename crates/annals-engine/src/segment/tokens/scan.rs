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

/// The same for one set that is too large to be compared with code by code: reads every code, rare ones too.
pub(super) fn walk(
    column: &TokenColumn,
    file: &CheckedFile,
    groups: Range<u64>,
    set: &TokenSet,
    mut emit: impl FnMut(u64, u128) -> Result<()>,
) -> Result<()> {
    // By code, a byte each; what stands at 0 is looked at below.
    let mut passes = vec![0_u8; row_usize(column.common) + 1];
    for token in &set.common {
        if let Some(slot) = passes.get_mut(row_usize(*token) + 1) {
            *slot = 1;
        }
    }
    let mut rare = if groups.is_empty() { 0 } else { column.rare_before(file, groups.start)? };
    for group in groups {
        let bytes = column.group(file, group)?;
        let mut found = [0_u8; PLANE_SIZE];
        for (octet, found) in found.iter_mut().enumerate() {
            for (bit, code) in bits::octet(bytes, octet).into_iter().enumerate() {
                *found |= passes.get(usize::from(code)).copied().unwrap_or_default() << bit;
            }
        }
        let mut found = u128::from_le_bytes(found);
        let mut zeroes = bits::zeroes(bytes) & column.in_group(group);
        if set.rare == 0 {
            zeroes = 0;
        }
        while zeroes != 0 {
            let token = column.rare_token(file, rare)?;
            rare += 1;
            let bit = zeroes & zeroes.wrapping_neg();
            if set.contains(token) {
                found |= bit;
            }
            zeroes ^= bit;
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
