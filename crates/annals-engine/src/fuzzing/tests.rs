//! Every target over its seeds, over changed seeds and over noise.

use proptest::prelude::*;

use super::{Seed, TARGETS, Target, seeds};

fn target(seed: &Seed) -> Target {
    TARGETS.iter().find(|(name, _)| *name == seed.target).map(|(_, target)| *target).unwrap()
}

#[test]
fn every_target_accepts_its_seeds() {
    let seeds = seeds();
    for (name, target) in TARGETS {
        let own: Vec<&Seed> = seeds.iter().filter(|seed| seed.target == *name).collect();
        assert!(!own.is_empty(), "{name} has no seed");
        if *name != "store" {
            for seed in own {
                assert!(target(&seed.bytes), "{name} refuses {}", seed.name);
            }
        }
    }
}

#[test]
fn an_unchanged_store_verifies_and_a_changed_one_does_not() {
    assert!(super::store(&[0]));
    assert!(super::store(&[0, 0, 0, 0, 0, 0, 0]), "nothing is changed by a zero");
    let refused = seeds().iter().filter(|seed| seed.target == "store" && !super::store(&seed.bytes)).count();
    assert!(refused > 0);
}

/// What is compared without its amendments is what has some.
#[test]
fn the_sample_says_which_of_its_events_are_amended() {
    let storage: std::sync::Arc<dyn crate::storage::Storage> =
        std::sync::Arc::new(super::memory::MemoryStorage::with(super::seeds::sample_files()));
    let engine = crate::Engine::open(super::seeds::options(storage)).unwrap();
    let snapshot = engine.snapshot();
    let events = (1..=snapshot.visible_sequence()).filter_map(|sequence| snapshot.get_sequence(sequence).unwrap());
    let amended: Vec<u64> =
        events.filter(|event| event.updated_at_us().is_some()).map(|event| event.sequence).collect();
    assert_eq!(amended, super::seeds::AMENDED);
    for sequence in amended {
        assert!(snapshot.read_receipt(sequence, "bob").unwrap().is_some());
    }
}

#[test]
fn seeds_are_the_same_every_time() {
    assert!(seeds() == seeds());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn noise_is_never_a_panic(bytes: Vec<u8>) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn changed_seeds_are_never_a_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        for seed in seeds().iter().filter(|seed| seed.target != "store") {
            let mut bytes = seed.bytes.clone();
            for (position, byte) in &edits {
                let position = position.index(bytes.len());
                bytes[position] = *byte;
            }
            target(seed)(&bytes);
        }
    }
}
