//! Numbers that look random and come back with their seed. Not for secrets.

/// Spreads the bits of a number (the finaliser of splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// splitmix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        let bits = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        bits
    }

    /// A number below `bound`, which is not 0; uneven by less than one in a thousand million.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (self.next() >> 32) * u64::from(bound);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// A number from 0, inclusive, to 1, exclusive.
    fn fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or(0);
        f64::from(bits) / 4_294_967_296.0
    }

    /// A position in a table of shares in a thousand.
    pub(crate) fn share(&mut self, shares: &[(&str, u32)]) -> u8 {
        let mut drawn = self.below(1000);
        for ((_, share), position) in shares.iter().zip(0..) {
            match drawn.checked_sub(*share) {
                None => return position,
                Some(rest) => drawn = rest,
            }
        }
        0
    }

    pub(crate) fn pick<'t>(&mut self, table: &[&'t str]) -> &'t str {
        let bound = u32::try_from(table.len()).unwrap_or(u32::MAX);
        let position = usize::try_from(self.below(bound)).unwrap_or(0);
        table.get(position).copied().unwrap_or_default()
    }
}

/// Ranks from 0 whose frequency falls as `1 / (rank + 1)^exponent`.
#[derive(Clone, Debug)]
pub(crate) struct Zipf(Shares);

impl Zipf {
    pub(crate) fn new(count: u32, exponent: f64) -> Self {
        Self(Shares::new(&Self::weights(count, exponent)))
    }

    pub(crate) fn weights(count: u32, exponent: f64) -> Vec<f64> {
        (1..=count).map(|rank| f64::from(rank).powf(-exponent)).collect()
    }

    pub(crate) fn next(&self, random: &mut Random) -> u32 {
        self.0.next(random)
    }
}

/// Positions of a table of weights, each as often as its weight says, drawn in constant time (Vose's
/// alias method).
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    /// For each column: how much of it is its own, and whose the rest is.
    columns: Vec<(f64, u32)>,
}

impl Shares {
    pub(crate) fn new(weights: &[f64]) -> Self {
        let count = u32::try_from(weights.len()).unwrap_or(u32::MAX);
        let scale = f64::from(count) / weights.iter().sum::<f64>();
        let mut columns: Vec<(f64, u32)> =
            weights.iter().zip(0..).map(|(weight, rank)| (weight * scale, rank)).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..count).partition(|rank| column(&columns, *rank).0 < 1.0);
        while let (Some(poor), Some(rich)) = (small.pop(), large.pop()) {
            let share = column(&columns, poor).0;
            let mut rest = 0.0;
            if let Some((own, _)) = columns.get_mut(index(rich)) {
                *own -= 1.0 - share;
                rest = *own;
            }
            if let Some((_, other)) = columns.get_mut(index(poor)) {
                *other = rich;
            }
            if rest < 1.0 { small.push(rich) } else { large.push(rich) }
        }
        Self { columns }
    }

    pub(crate) fn next(&self, random: &mut Random) -> u32 {
        let count = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let position = random.below(count);
        let (own, other) = column(&self.columns, position);
        if random.fraction() < own { position } else { other }
    }
}

fn index(rank: u32) -> usize {
    usize::try_from(rank).unwrap_or(usize::MAX)
}

fn column(columns: &[(f64, u32)], rank: u32) -> (f64, u32) {
    columns.get(index(rank)).copied().unwrap_or((1.0, rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_frequencies_fall_as_they_should() {
        let (zipf, mut random) = (Zipf::new(64, 1.1), Random::new(7));
        let mut counts = vec![0_u32; 64];
        for _ in 0..400_000 {
            counts[index(zipf.next(&mut random))] += 1;
        }
        let sum: f64 = (1..=64).map(|rank| f64::from(rank).powf(-1.1)).sum();
        for rank in [0_u32, 1, 7, 63] {
            let expected = 400_000.0 * f64::from(rank + 1).powf(-1.1) / sum;
            let error = (f64::from(counts[index(rank)]) - expected).abs() / expected;
            assert!(error < 0.08, "rank {rank}: {} instead of {expected:.0}", counts[index(rank)]);
        }
    }

    #[test]
    fn numbers_below_a_bound_reach_both_ends() {
        let mut random = Random::new(1);
        let mut seen = [false; 12];
        for _ in 0..1000 {
            seen[index(random.below(12))] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(random.below(1), 0);
    }
}
