//! The middle parts of ids of 24 hex digits, numbered.

use crate::codec::row_usize;

/// Distinct middle parts (machine and process) of ids of 24 hex digits, in a segment that keeps them apart.
const NODES_MAX: usize = 255;
/// Spreads the bits of a node over those of its hash: an odd number without a pattern.
const NODE_HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Distinct nodes in the order they are met.
pub(super) struct Nodes {
    met: Vec<u64>,
    /// By hash: codes plus one, 0 = free. Never more than half full.
    table: [u16; 2 * (NODES_MAX + 1)],
}

impl Nodes {
    pub(super) fn new() -> Self {
        Self { met: Vec::new(), table: [0; 2 * (NODES_MAX + 1)] }
    }

    /// The code of a node; `None` if it is one too many.
    #[inline]
    pub(super) fn code(&mut self, node: u64) -> Option<u32> {
        let Self { met, table } = self;
        let bits = table.len().ilog2();
        let mut at = usize::try_from(node.wrapping_mul(NODE_HASH) >> (u64::BITS - bits)).unwrap_or_default();
        loop {
            let slot = table.get_mut(at)?;
            let Some(code) = slot.checked_sub(1) else {
                if met.len() == NODES_MAX {
                    return None;
                }
                met.push(node);
                *slot = u16::try_from(met.len()).ok()?;
                return Some(u32::from(*slot - 1));
            };
            if met.get(usize::from(code)) == Some(&node) {
                return Some(u32::from(code));
            }
            at = (at + 1) & ((1 << bits) - 1);
        }
    }

    /// The nodes ascending; `codes` are changed to be theirs.
    pub(super) fn sort(self, codes: &mut [u32]) -> Vec<u64> {
        let mut nodes: Vec<(u64, usize)> = self.met.into_iter().zip(0..).collect();
        nodes.sort_unstable();
        let mut places = vec![0; nodes.len()];
        for (place, (_, code)) in (0..).zip(&nodes) {
            if let Some(slot) = places.get_mut(*code) {
                *slot = place;
            }
        }
        for code in codes {
            *code = places.get(row_usize(*code)).copied().unwrap_or_default();
        }
        nodes.into_iter().map(|(node, _)| node).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nodes_are_numbered_in_their_order(
            seeds in proptest::collection::vec(any::<u64>(), 0..600),
            distinct in 1_u64..300,
            step in prop_oneof![Just(1_u64), Just(1 << 31), any::<u64>()],
        ) {
            let given: Vec<u64> = seeds.iter().map(|seed| (seed % distinct).wrapping_mul(step) & ((1 << 40) - 1)).collect();
            let mut expected = given.clone();
            expected.sort_unstable();
            expected.dedup();
            let mut nodes = Nodes::new();
            let codes: Option<Vec<u32>> = given.iter().map(|node| nodes.code(*node)).collect();
            prop_assert_eq!(codes.is_some(), expected.len() <= NODES_MAX);
            if let Some(mut codes) = codes {
                prop_assert_eq!(nodes.sort(&mut codes), expected.clone());
                let back: Vec<u64> = codes.iter().map(|code| expected[*code as usize]).collect();
                prop_assert_eq!(back, given);
            }
        }
    }
}
