//! Sorting of many numbers.

use crate::codec::row_usize;

/// Numbers of a part that is sorted alone, about.
const PART_LEN: usize = 16;

/// Bits that are needed for `value`.
pub(crate) fn bits_of(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Sorts by dealing out into parts of a few numbers each first: what is compared then lies side by side. Numbers that
/// are spread unevenly make large parts, which are sorted as any others are. What is in `room` is lost: a caller who
/// sorts again lends the same memory.
pub(crate) fn sort(numbers: &mut Vec<u64>, room: &mut Vec<u64>) {
    let least = numbers.iter().copied().min().unwrap_or(0);
    let span = numbers.iter().copied().max().unwrap_or(0) - least;
    let parts = (numbers.len() / PART_LEN).next_power_of_two();
    if parts <= 2 || u32::try_from(numbers.len()).is_err() {
        return numbers.sort_unstable();
    }
    // As many high bits of the span as make no more parts than that.
    let shift = bits_of(span).saturating_sub(parts.ilog2());
    let part = |number: u64| usize::try_from((number - least) >> shift).unwrap_or(usize::MAX);
    // One slot in front: while numbers are dealt, `starts[part + 1]` is where its next one goes, and ends up as where
    // the part behind it starts.
    let mut starts = vec![0_u32; parts + 2];
    for number in numbers.iter() {
        if let Some(count) = starts.get_mut(part(*number) + 2) {
            *count += 1;
        }
    }
    let mut end = 0;
    for start in &mut starts {
        end += *start;
        *start = end;
    }
    room.resize(numbers.len(), 0);
    let dealt = room.as_mut_slice();
    for number in numbers.iter() {
        if let Some(next) = starts.get_mut(part(*number) + 1) {
            if let Some(slot) = dealt.get_mut(row_usize(*next)) {
                *slot = *number;
            }
            *next += 1;
        }
    }
    for (start, end) in starts.iter().zip(starts.iter().skip(1)) {
        if let Some(part @ [_, _, ..]) = dealt.get_mut(row_usize(*start)..row_usize(*end)) {
            part.sort_unstable();
        }
    }
    std::mem::swap(numbers, room);
}

/// Sorts rows by time, those of one time by their number.
pub(crate) fn sort_rows(rows: &mut [(i64, u32)]) {
    let least = rows.iter().map(|(time, _)| *time).min().unwrap_or(0);
    let most = rows.iter().map(|(time, _)| *time).max().unwrap_or(0);
    let highest = rows.iter().map(|(_, row)| *row).max().unwrap_or(0);
    let row_bits = bits_of(u64::from(highest));
    if bits_of(most.wrapping_sub(least).cast_unsigned()) + row_bits > u64::BITS {
        return rows.sort_unstable();
    }
    let number = |(time, row): &(i64, u32)| (time.wrapping_sub(least).cast_unsigned() << row_bits) | u64::from(*row);
    let mut numbers: Vec<u64> = rows.iter().map(number).collect();
    sort(&mut numbers, &mut Vec::new());
    let row_mask = (1 << row_bits) - 1;
    for (slot, number) in rows.iter_mut().zip(numbers) {
        let row = u32::try_from(number & row_mask).unwrap_or(u32::MAX);
        *slot = (least.wrapping_add((number >> row_bits).cast_signed()), row);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_sorted(
            seeds in proptest::collection::vec(any::<u64>(), 0..900),
            distinct in prop_oneof![1_u64..2_000, Just(u64::MAX)],
            high in 0_u32..64,
        ) {
            let mut numbers: Vec<u64> = seeds.iter().map(|seed| ((seed % distinct) << high) | (seed % 3)).collect();
            let mut expected = numbers.clone();
            expected.sort_unstable();
            sort(&mut numbers, &mut vec![7; seeds.len() / 2]);
            prop_assert_eq!(numbers, expected);
        }

        #[test]
        fn rows_are_sorted(
            times in proptest::collection::vec(any::<i64>(), 0..300),
            distinct in prop_oneof![Just(i64::MAX), 1_i64..1_000_000],
            first in 0_u32..1_000,
        ) {
            let mut rows: Vec<(i64, u32)> = times.iter().map(|time| time % distinct).zip(first..).collect();
            rows.reverse();
            let mut expected = rows.clone();
            expected.sort_unstable();
            sort_rows(&mut rows);
            prop_assert_eq!(rows, expected);
        }
    }

    #[test]
    fn the_widest_span_is_sorted() {
        let mut rows = vec![(i64::MAX, 3), (i64::MIN, 2), (0, 1), (0, 0)];
        sort_rows(&mut rows);
        assert_eq!(rows, [(i64::MIN, 2), (0, 0), (0, 1), (i64::MAX, 3)]);
    }
}
