//! Small valid files, made by the writers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::memory::MemoryStorage;
use super::{LOG_ID, STORE, directory, fix_frame};
use crate::backup::BackupNote;
use crate::batch::Batch;
use crate::clock::ManualClock;
use crate::codec::{row_usize, to_usize};
use crate::engine::Engine;
use crate::envelope::{ENVELOPE_HEADER_SIZE, EnvelopePlace};
use crate::error::Result;
use crate::event::Event;
use crate::field::Field;
use crate::filter::{Filter, TextField, wire};
use crate::frame::{FRAME_HEADER_SIZE, FramePlace, frame_size};
use crate::id::EventId;
use crate::layout::{FileKind, FileName, MANIFEST_FILE};
use crate::log::LOG_HEADER_SIZE;
use crate::manifest::{Manifest, ManifestStore};
use crate::options::{Durability, LOG_SIZE_BYTES_MIN, Options};
use crate::requests::{Amendment, AppendOptions, Delete, Idempotency, Mark, ReadMark, Repeats};
use crate::storage::Storage;

/// When the seeds' events were created.
const NOW_US: i64 = 1_700_000_000_000_000;
const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// A valid input of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// A name of [`super::TARGETS`].
    pub target: &'static str,
    /// Which of its seeds.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The sequences amended in [`sample_files`].
pub(super) const AMENDED: [u64; 2] = [2, 11];

/// The files of a store.
pub(super) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The seeds of all targets. The same every time.
///
/// # Panics
/// If a store in memory cannot be written.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target: &'static str, name: String, bytes: Vec<u8>| seeds.push(Seed { target, name, bytes });
    let files = files_of(|engine| write_sealed(engine).and_then(|()| write_live(engine)));
    for (path, bytes) in &files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match path.parent().and_then(Path::file_name).and_then(|folder| folder.to_str()) {
            Some("segment") => add("segment", name, bytes.clone()),
            Some("overlay") => add("overlay", name, bytes.clone()),
            Some("blob") => {
                let value = bytes.get(ENVELOPE_HEADER_SIZE..).unwrap_or_default();
                if name != "00000000000000000001.blob" && value.len() > 40 {
                    add("idempotency", name.clone(), value.to_vec());
                }
                add("blob", name, bytes.clone());
            }
            Some("log") => add("log_header", name, bytes.get(..72).unwrap_or_default().to_vec()),
            _ => add("manifest", name, bytes.clone()),
        }
    }
    let note = BackupNote {
        cut_at_us: 1000,
        events: 2,
        last_sequence: 3,
        manifest_crc: 4,
        damaged_files: 1,
        included: vec!["internal".to_owned()],
    };
    let place = EnvelopePlace { store: STORE, id: 5 };
    add("backup", "note".to_owned(), note.encode(place).expect("a note is small"));
    for (path, bytes) in files_of(write_words) {
        if path.extension().is_some_and(|extension| extension == "segment") {
            add("segment", "words".to_owned(), bytes);
        }
    }
    for (path, bytes) in files_of(write_packed) {
        if path.extension().is_some_and(|extension| extension == "segment") {
            add("segment", "packed".to_owned(), bytes);
        }
    }
    let log = files_of(write_live).remove(&FileName::new(FileKind::Log, LOG_ID).path(&directory()));
    let frames = frames(&log.unwrap_or_default());
    add("log", "frames".to_owned(), frames.concat());
    for (index, mut frame) in frames.into_iter().enumerate() {
        let payload = frame.get(FRAME_HEADER_SIZE..).unwrap_or_default();
        match frame.get(3) {
            Some(1) => add("record", format!("records{index}"), without_padding(&frame, payload)),
            Some(2) => add("control", format!("operation{index}"), [&[1], &*without_padding(&frame, payload)].concat()),
            _ => {}
        }
        // The target reads every frame at the first place of a log.
        fix_frame(FramePlace { store: STORE, log_id: LOG_ID, offset: LOG_HEADER_SIZE }, &mut frame);
        add("frame", format!("frame{index}"), frame);
    }
    for (index, filter) in filters().iter().enumerate() {
        let mut bytes = Vec::new();
        wire::encode(filter, &mut bytes).expect("the filters are flat");
        add("filter", format!("filter{index}"), bytes);
    }
    for index in 0..files.len() {
        let file = u8::try_from(index).expect("a store of a few files");
        add("store", format!("file{index}"), vec![file & 7, file, 70, 0, 0, 0, 1]);
    }
    seeds
}

fn without_padding(frame: &[u8], payload: &[u8]) -> Vec<u8> {
    let len = frame.get(4..8).and_then(|len| len.try_into().ok()).map_or(0, u32::from_le_bytes);
    payload.get(..row_usize(len)).unwrap_or_default().to_vec()
}

/// The frames of a log file, padding included.
fn frames(log: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = log.get(to_usize(LOG_HEADER_SIZE)..).unwrap_or_default();
    let mut frames = Vec::new();
    while let Some(len) = rest.get(4..8).and_then(|len| len.try_into().ok()).map(u32::from_le_bytes) {
        let size = frame_size(row_usize(len));
        let Some((frame, behind)) = rest.split_at_checked(size).filter(|(frame, _)| frame.first() != Some(&0)) else {
            break;
        };
        frames.push(frame.to_vec());
        rest = behind;
    }
    frames
}

/// How a store in memory is opened: nothing runs by itself, so that the same calls give the same bytes.
pub(super) fn options(storage: Arc<dyn Storage>) -> Options {
    let mut options = Options::new(directory());
    options.storage = storage;
    options.clock = Arc::new(ManualClock::at(NOW_US));
    options.log_size_bytes = LOG_SIZE_BYTES_MIN;
    options.durability = Durability::Buffered;
    options.background = false;
    options
}

/// The files of the store that `write` writes.
fn files_of(write: impl Fn(&Engine) -> Result<()>) -> Files {
    let memory = Arc::new(MemoryStorage::default());
    let storage: Arc<dyn Storage> = Arc::clone(&memory) as Arc<dyn Storage>;
    let mut manifest = ManifestStore::new(&storage, &directory(), STORE);
    manifest.commit(&Manifest::new(STORE)).expect("memory has room");
    let written = Engine::open(options(storage)).and_then(|engine| {
        write(&engine)?;
        engine.close()
    });
    written.expect("a store in memory can be written");
    memory.contents()
}

/// A store with a manifest, sealed segments, an overlay, blobs and a log.
pub(super) fn sample_files() -> Files {
    let files = files_of(|engine| write_sealed(engine).and_then(|()| write_live(engine)));
    assert!(files.contains_key(&directory().join(MANIFEST_FILE)), "the manifest was committed");
    files
}

fn append(engine: &Engine, events: &[Event<'_>], how: &AppendOptions) -> Result<()> {
    let mut batch = Batch::new();
    for event in events {
        batch.push(event)?;
    }
    engine.append(batch, how).map(|_| ())
}

/// Two segments, one of them with an overlay, and the keys of a request.
fn write_sealed(engine: &Engine) -> Result<()> {
    let types = ["user.login", "user.logout", "container.running"];
    for number in 0..6_u8 {
        let user = format!("user{}", number % 2);
        let message = format!("a needle in message {number}");
        let mut event = Event::new(types.get(usize::from(number % 3)).copied().unwrap_or("other"));
        event.created_at_us = Some(NOW_US - i64::from(number % 2) * DAY_US - i64::from(number));
        event.id = (number % 2 == 0).then(|| EventId::from_u128(u128::from(number) << 64 | 1));
        event.set(Field::UserId, &user).set(Field::HttpStatus, "404").set(Field::Severity, "info");
        event.numbers.insert(Field::HttpStatus);
        event.realm_ids = (&["eu", "us"]).into();
        event.message = Some(&message);
        event.content = (number > 3).then_some("content");
        event.payload = Some(r#"{"a":[1,2,3]}"#);
        event.user_agent = Some("agent/1.0");
        event.latency_ms = Some(1.5);
        let idempotency = Some(Idempotency { key: u128::from(number) + 7, body: 8 });
        append(engine, &[event], &AppendOptions { idempotency, ..AppendOptions::default() })?;
    }
    engine.put_blob("name", b"value")?;
    engine.seal_now()?;
    engine.mark(&[Mark { sequence: 2, acknowledged: true }, Mark { sequence: 3, acknowledged: true }])?;
    engine.delete(&Delete::Sequences(vec![1, 3]))?;
    amend_and_read(engine, 2)?;
    append(engine, &[with_id(4 << 64 | 1)], &replacing())?;
    append(engine, &[Event::new("late")], &AppendOptions::default())?;
    engine.seal_now()
}

/// One segment of rows enough for its messages to be kept as tokens, frequent and rare ones.
fn write_words(engine: &Engine) -> Result<()> {
    let messages: Vec<String> =
        (0..300_u32).map(|number| format!("a needle in message {} of {}", number % 90, number % 3)).collect();
    let events: Vec<Event<'_>> = messages
        .iter()
        .map(|message| {
            let mut event = Event::new("words");
            event.created_at_us = Some(NOW_US);
            event.message = Some(message);
            event
        })
        .collect();
    append(engine, &events, &AppendOptions::default())?;
    engine.seal_now()
}

/// One packed segment, whose payloads have more shapes than a fresh one keeps as such and repeat what the row says.
fn write_packed(engine: &Engine) -> Result<()> {
    let payload = |number: u32| {
        let mut members = vec![
            format!(r#""path":"host {}""#, number % 7),
            format!(r#""text":"a needle in message {}""#, number % 9),
            // Payloads that compress well are left as they are.
            format!(
                r#""n":"{:032x}""#,
                (u128::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            ),
            r#""list":["eu",{"us":null}]"#.to_owned(),
            r#""state":"running""#.to_owned(),
        ];
        members.rotate_left(crate::codec::row_usize(number % 5));
        members.swap(crate::codec::row_usize(number % 4), crate::codec::row_usize(number / 4 % 5));
        members.truncate(3 + crate::codec::row_usize(number / 20 % 3));
        if number.is_multiple_of(50) { format!("[{number}]") } else { format!("{{{}}}", members.join(",")) }
    };
    let rows: Vec<[String; 3]> = (0..300_u32)
        .map(|number| [payload(number), format!("a needle in message {}", number % 9), format!("host {}", number % 7)])
        .collect();
    let events: Vec<Event<'_>> = rows
        .iter()
        .zip(0_i64..)
        .map(|([payload, message, host], number)| {
            let mut event = Event::new(if number % 3 == 0 { "user.login" } else { "words" });
            event.created_at_us = Some(NOW_US + number);
            event.set(Field::ResourceId, host);
            event.realm_ids = (&["eu", "us"]).into();
            event.message = Some(message);
            event.payload = Some(payload).filter(|_| number % 40 != 0).map(String::as_str);
            event
        })
        .collect();
    append(engine, &events, &AppendOptions::default())?;
    engine.seal_now()?;
    engine.compact().map(|_| ())
}

/// Frames of every kind in the log.
fn write_live(engine: &Engine) -> Result<()> {
    let mut full = Event::new("user.login");
    full.created_at_us = Some(NOW_US);
    full.id = Some(EventId::from_u128(99));
    full.set(Field::UserId, "ada").set(Field::ResourceId, "web-1");
    full.realm_ids = (&["eu"]).into();
    full.message = Some("hello");
    full.payload = Some("{}");
    full.expires_at_us = Some(NOW_US + DAY_US);
    append(engine, &[Event::new("a"), full, Event::new("b")], &AppendOptions::default())?;
    let first = engine.snapshot().visible_sequence() - 2;
    engine.mark(&[Mark { sequence: first, acknowledged: true }, Mark { sequence: first + 1, acknowledged: false }])?;
    engine.delete(&Delete::Sequences(vec![first]))?;
    engine.delete(&Delete::Matching(Filter::term(Field::UserId, "ada")))?;
    amend_and_read(engine, first + 2)?;
    append(engine, &[with_id(98)], &replacing())?;
    let mut acknowledged = with_id(98);
    acknowledged.acknowledged = true;
    append(engine, &[acknowledged], &replacing())?;
    let idempotency = Some(Idempotency { key: 5, body: 6 });
    append(engine, &[Event::new("c")], &AppendOptions { idempotency, ..AppendOptions::default() })
}

fn with_id(id: u128) -> Event<'static> {
    let mut event = Event::new("replaced");
    event.id = Some(EventId::from_u128(id));
    event
}

fn replacing() -> AppendOptions {
    AppendOptions { repeats: Repeats::Replace, ..AppendOptions::default() }
}

fn amend_and_read(engine: &Engine, sequence: u64) -> Result<()> {
    engine.amend(&Amendment {
        sequence,
        severity: Some("warn".to_owned()),
        is_public: Some(true),
        target_user_ids: Some(vec!["ada".to_owned(), "bob".to_owned()]),
        expires_at_us: Some(Some(NOW_US + DAY_US)),
        updated_at_us: NOW_US,
        ..Amendment::default()
    })?;
    let mark = |user: &str| ReadMark {
        sequence,
        user_id: user.to_owned(),
        receipt: EventId::from_u128(77),
        read_at_us: NOW_US,
    };
    engine.mark_read(&[mark("ada"), mark("bob")]).map(|_| ())
}

fn filters() -> Vec<Filter> {
    vec![
        Filter::All,
        Filter::term(Field::UserId, "ada").and(Filter::created_between(1, 2)),
        Filter::any_of(Field::RealmIds, ["eu", "us"]).not(),
        Filter::Prefix(Field::EventType, "user.".to_owned()),
        Filter::Within(Field::RealmIds, vec!["eu".to_owned()]),
        Filter::SequenceBetween { from: 3, to: 300 },
        Filter::Or(vec![Filter::Acknowledged(true), Filter::Contains(TextField::MessageOrContent, "x".to_owned())]),
        Filter::TextEquals(TextField::Content, "y".to_owned()),
    ]
}
