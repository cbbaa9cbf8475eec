//! Streams of bits, the lowest bit of each byte first.

use std::ops::Range;

use crate::codec::to_usize;

/// Bits that are taken from a word at once: what is left of eight bytes behind any bit of the first.
const STEP: u32 = 56;

/// Appends bits.
pub(super) struct BitWriter {
    out: Vec<u8>,
    pending: u64,
    /// How many bits of `pending` are filled, below 64.
    filled: u32,
}

impl BitWriter {
    /// With room for that many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), pending: 0, filled: 0 }
    }

    /// Bits written so far.
    pub(super) fn position(&self) -> u64 {
        crate::codec::len_u64(self.out.len()) * 8 + u64::from(self.filled)
    }

    /// Appends the low `width` bits of `value`, 1 to 64; the others are 0.
    #[inline]
    pub(super) fn push(&mut self, value: u64, width: u32) {
        self.pending |= value << self.filled;
        let filled = self.filled + width;
        if filled >= u64::BITS {
            self.out.extend_from_slice(&self.pending.to_le_bytes());
            // What did not fit: nothing if the word was empty, since it took the value whole.
            self.pending = value.checked_shr(u64::BITS - self.filled).unwrap_or(0);
            self.filled = filled - u64::BITS;
        } else {
            self.filled = filled;
        }
    }

    /// Appends `zeros` zeroes and a one.
    #[inline]
    pub(super) fn push_unary(&mut self, mut zeros: u32) {
        if zeros >= u64::BITS {
            self.push_zeros(zeros);
            zeros = 0;
        }
        self.push(1 << zeros, zeros + 1);
    }

    /// Appends zeroes.
    pub(super) fn push_zeros(&mut self, mut zeros: u32) {
        while zeros > 0 {
            let step = zeros.min(u64::BITS);
            self.push(0, step);
            zeros -= step;
        }
    }

    /// The bytes, with `padding` zeroes behind them; none at all if there is no bit.
    pub(super) fn finish(mut self, padding: usize) -> Vec<u8> {
        let rest = usize::try_from(self.filled.div_ceil(8)).unwrap_or_default();
        self.out.extend(self.pending.to_le_bytes().into_iter().take(rest));
        if !self.out.is_empty() {
            self.out.resize(self.out.len() + padding, 0);
        }
        self.out
    }
}

/// Reads bits of a slice; beyond its end, or less than a word before it, all are 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct BitReader<'a>(&'a [u8]);

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The `width` bits from `bit` on, at most 56.
    #[inline]
    pub(super) fn get(&self, bit: u64, width: u32) -> u64 {
        let start = to_usize(bit / 8);
        match self.0.get(start..).and_then(<[u8]>::first_chunk) {
            Some(word) => (u64::from_le_bytes(*word) >> (bit % 8)) & ((1 << width) - 1),
            None => 0,
        }
    }

    /// Calls `visit` with the place, counted from `range.start`, of each one in `range` that has `ranks.start` to
    /// `ranks.end` ones before it; `None` if there are not so many.
    #[inline]
    pub(super) fn ones(&self, range: Range<u64>, ranks: Range<u32>, mut visit: impl FnMut(u64)) -> Option<()> {
        let mut skip = ranks.start;
        let mut left = ranks.end.saturating_sub(ranks.start);
        let mut at = range.start;
        while left > 0 {
            let width = u32::try_from(range.end.checked_sub(at)?.min(u64::from(STEP))).ok()?;
            if width == 0 {
                return None;
            }
            let mut word = self.get(at, width);
            let ones = word.count_ones();
            if skip >= ones {
                skip -= ones;
            } else {
                for _ in 0..skip {
                    word &= word - 1;
                }
                skip = 0;
                while word != 0 && left > 0 {
                    visit(at - range.start + u64::from(word.trailing_zeros()));
                    word &= word - 1;
                    left -= 1;
                }
            }
            at += u64::from(width);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_back(values in proptest::collection::vec((any::<u64>(), 1_u32..=56, 0_u32..150), 0..60)) {
            let mut writer = BitWriter::with_capacity(0);
            let mut places = Vec::new();
            for (value, width, zeros) in &values {
                let value = value & ((1 << width) - 1);
                places.push((writer.position(), value));
                writer.push(value, *width);
                writer.push_unary(*zeros);
                writer.push_zeros(*zeros / 2);
            }
            let end = writer.position();
            let bytes = writer.finish(8);
            let reader = BitReader::new(&bytes);
            let mut ones = Vec::new();
            for ((at, value), (_, width, zeros)) in places.iter().zip(&values) {
                prop_assert_eq!(reader.get(*at, *width), *value);
                ones.extend((0..64).filter(|bit| value >> bit & 1 == 1).map(|bit| at + bit));
                ones.push(at + u64::from(width + zeros));
            }
            let mut seen = Vec::new();
            let count = u32::try_from(ones.len()).unwrap();
            prop_assert!(reader.ones(0..end, 0..count, |place| seen.push(place)).is_some());
            prop_assert_eq!(&seen, &ones);
            seen.clear();
            prop_assert!(reader.ones(0..end, count / 3..count / 2, |place| seen.push(place)).is_some());
            prop_assert_eq!(&seen[..], &ones[(count / 3) as usize..(count / 2).max(count / 3) as usize]);
            prop_assert!(reader.ones(0..end, 0..count + 1, |_| ()).is_none());
        }
    }
}
