//! Power cuts as a disk without write order may leave them: every unsynced sector is kept, lost or torn.

use proptest::prelude::*;

use super::tests::{Disk, EPOCH, Writer, is_prefix};
use crate::codec::{len_u64, to_usize};
use crate::error::ErrorKind;
use crate::frame::FrameKind;

const SECTOR: usize = 512;

/// One step of a writer.
#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Control(usize),
    Sync,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0_usize..900).prop_map(Step::Append),
        1 => (0_usize..90).prop_map(Step::Control),
        3 => Just(Step::Sync),
    ];
    proptest::collection::vec(step, 1..14)
}

/// The written file, the file as the last sync left it, and the offset up to which it was synced.
struct Run {
    writer: Writer,
    written: Vec<u8>,
    durable: Vec<u8>,
    durable_upto: u64,
}

fn run(disk: &Disk, steps: &[Step], marker: bool) -> Run {
    let mut writer = Writer::new(disk.create());
    let (mut durable, mut durable_upto) = (disk.bytes(), writer.offset);
    for step in steps {
        match step {
            Step::Append(len) => writer.append(FrameKind::Events, 1, durable_upto, &vec![7; *len]),
            Step::Control(len) => writer.append(FrameKind::Control, 1, durable_upto, &vec![8; *len]),
            Step::Sync => (durable, durable_upto) = (disk.bytes(), writer.offset),
        }
    }
    if marker {
        durable_upto = writer.offset;
        writer.append(FrameKind::SyncMarker, 0, durable_upto, b"");
        durable = disk.bytes();
    }
    Run { written: disk.bytes(), writer, durable, durable_upto }
}

/// The device after a power cut: `fate` decides for each sector that the last sync did not cover.
fn cut(run: &Run, fate: &[u8]) -> Vec<u8> {
    let mut device = run.durable.clone();
    for (index, (old, new)) in device.chunks_mut(SECTOR).zip(run.written.chunks(SECTOR)).enumerate() {
        let fate = fate[index % fate.len()];
        let kept = match fate % 3 {
            0 => 0,
            1 => new.len(),
            _ => (usize::from(fate) / 3 * 8) % new.len(),
        };
        old[..kept].copy_from_slice(&new[..kept]);
    }
    device
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_power_cut_loses_nothing_that_was_synced_and_is_never_taken_for_damage(
        steps in steps(),
        fate in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let disk = Disk::sized(16 << 10);
        let run = run(&disk, &steps, false);
        disk.put(&cut(&run, &fate));
        let (recovered, seen) = disk.recover(|_| {});
        let recovered = recovered.unwrap();
        prop_assert!(is_prefix(&seen, &run.writer.seen));
        prop_assert!(recovered.end_offset >= run.durable_upto);
        prop_assert!(disk.bytes()[to_usize(recovered.end_offset)..].iter().all(|byte| *byte == 0));

        // The next life of the store writes on, and another cut changes nothing of this one.
        let mut next = Writer::new(disk.open().unwrap());
        (next.offset, next.sequence, next.epoch) = (recovered.end_offset, recovered.next_sequence, EPOCH + 1);
        next.append(FrameKind::Events, 1, recovered.end_offset, b"next");
        let (again, seen_again) = disk.recover(|context| context.epoch = EPOCH + 1);
        prop_assert_eq!(again.unwrap().next_sequence, recovered.next_sequence + 1);
        prop_assert!(seen_again.starts_with(&seen));
        prop_assert_eq!(seen_again.len(), seen.len() + 1);
    }

    #[test]
    fn with_a_sync_marker_every_flipped_bit_of_synced_frames_is_damage(
        steps in steps(),
        position: prop::sample::Index,
        bit in 0_u32..8,
    ) {
        let disk = Disk::sized(16 << 10);
        let run = run(&disk, &steps, true);
        let start = to_usize(super::LOG_HEADER_SIZE);
        let len = to_usize(run.durable_upto) - start;
        prop_assume!(len > 0);
        let mut bytes = run.written.clone();
        let position = start + position.index(len);
        bytes[position] ^= 1 << bit;
        disk.put(&bytes);
        let (recovered, seen) = disk.recover(|_| {});
        prop_assert!(is_prefix(&seen, &run.writer.seen));
        match recovered {
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
            // Padding is no part of any frame.
            Ok(recovered) => {
                prop_assert_eq!(recovered.end_offset, run.writer.offset);
                let in_padding = run.writer.seen.iter().zip(run.writer.seen.iter().skip(1)).any(|(frame, next)| {
                    let end = frame.0 + len_u64(crate::frame::FRAME_HEADER_SIZE + frame.3.len());
                    (end..next.0).contains(&len_u64(position))
                });
                prop_assert!(in_padding);
            }
        }
        prop_assert!(disk.bytes() == bytes);
    }
}
