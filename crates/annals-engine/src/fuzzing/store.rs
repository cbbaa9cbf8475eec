//! A whole store with bytes changed, opened and read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::memory::MemoryStorage;
use super::seeds::{AMENDED, options, sample_files};
use super::{fix_envelope, fix_frame};
use crate::amended::Amended;
use crate::codec::{len_u64, row_usize, to_usize};
use crate::engine::Engine;
use crate::error::Result;
use crate::event::{Marks, StoredEvent};
use crate::filter::Filter;
use crate::frame::FramePlace;
use crate::log::LOG_HEADER_SIZE;
use crate::requests::Amendment;
use crate::storage::Storage;

/// File, offset and what to XOR one byte with.
const EDIT_SIZE: usize = 6;
/// Behind the last byte in use: room that a log has not written yet.
const BEHIND: usize = 128;
const FLAG_DEGRADED: u8 = 1;
const FLAG_FIX: u8 = 2;
/// Sealing and compacting what opened takes most of the time, so it is not done every time.
const FLAG_REWRITE: u8 = 4;

struct Sample {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// Every event that is or was there, by sequence, without its marks.
    events: BTreeMap<u64, StoredEvent>,
}

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let files: Vec<_> = sample_files().into_iter().collect();
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::with(files.clone()));
        let engine = Engine::open(options(storage)).expect("the sample opens");
        let mut events = BTreeMap::new();
        read_all(&engine, true, &mut |event| {
            events.insert(event.sequence, event);
        })
        .expect("the sample is sound");
        Sample { files, events }
    })
}

/// Calls `visit` with every event, those deleted included if `deleted`.
fn read_all(engine: &Engine, deleted: bool, visit: &mut dyn FnMut(StoredEvent)) -> Result<()> {
    for part in engine.snapshot().parts() {
        let rows = if deleted {
            (0..part.row_count()).collect()
        } else {
            part.select(&Filter::All)?.iter().collect::<Vec<u32>>()
        };
        for row in rows {
            let mut event = part.event(row)?;
            event.marks = Marks::default();
            if AMENDED.contains(&event.sequence) {
                // The operation that amended it may be cut off with a torn tail.
                as_if_never_amended(&mut event);
            }
            visit(event);
        }
    }
    Ok(())
}

fn as_if_never_amended(event: &mut StoredEvent) {
    let nothing = Amendment {
        severity: Some(String::new()),
        is_public: Some(false),
        target_user_ids: Some(Vec::new()),
        expires_at_us: Some(None),
        ..Amendment::default()
    };
    Amended::new(&nothing).expect("nothing is within all limits").apply(event);
}

/// Flags, then edits: a store with these bytes changed is opened and read. Without [`FLAG_FIX`] no answer
/// may hold anything that was not stored; with it checksums are made right first, and nothing may panic.
/// Returns whether the store opened and verified.
pub fn store(bytes: &[u8]) -> bool {
    let Some((flags, edits)) = bytes.split_first() else { return false };
    let sample = sample();
    let mut files = sample.files.clone();
    let mut changed = vec![false; files.len()];
    for edit in edits.chunks_exact(EDIT_SIZE) {
        let [file, a, b, c, d, xor] = *edit else { continue };
        let index = usize::from(file) % files.len();
        if let (Some((_, bytes)), Some(changed)) = (files.get_mut(index), changed.get_mut(index)) {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            let offset = row_usize(u32::from_le_bytes([a, b, c, d])) % (used + BEHIND).min(bytes.len()).max(1);
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= xor;
                *changed |= xor != 0;
            }
        }
    }
    if flags & FLAG_FIX != 0 {
        files.iter_mut().zip(&changed).filter(|(_, changed)| **changed).for_each(|((path, bytes), _)| fix(path, bytes));
    }
    open_and_read(files, *flags)
}

fn fix(path: &std::path::Path, bytes: &mut [u8]) {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("log") => fix_log(bytes),
        Some("segment") => crate::segment::fuzzing::fix_checksums(bytes),
        _ => _ = fix_envelope(bytes),
    }
}

fn fix_log(bytes: &mut [u8]) {
    let (store, log_id) = (super::u128_at(bytes, 16), super::u64_at(bytes, 32));
    let crc = crc32fast::hash(bytes.get(..4092).unwrap_or_default());
    super::put_at(bytes, 4092, &crc.to_le_bytes());
    let mut offset = to_usize(LOG_HEADER_SIZE);
    while let Some(frame) = bytes.get_mut(offset..).filter(|rest| rest.first().is_some_and(|byte| *byte != 0)) {
        let Some(len) = fix_frame(FramePlace { store, log_id, offset: len_u64(offset) }, frame) else { break };
        offset += len;
    }
}

fn open_and_read(files: Vec<(PathBuf, Vec<u8>)>, flags: u8) -> bool {
    let checked = flags & FLAG_FIX == 0;
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::with(files));
    let mut options = options(storage);
    options.degraded = flags & FLAG_DEGRADED != 0;
    let Ok(engine) = Engine::open(options) else { return false };
    let known = &sample().events;
    _ = read_all(&engine, false, &mut |event| {
        assert!(!checked || known.get(&event.sequence) == Some(&event), "an event that was never stored: {event:?}");
    });
    let verified = engine.verify(&mut |_, _| ()).is_ok_and(|report| report.damages.is_empty());
    if flags & FLAG_REWRITE != 0 {
        _ = engine.seal_now();
        _ = engine.compact();
    }
    _ = engine.close();
    verified
}
