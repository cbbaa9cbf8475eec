//! Random segments and a naive model of what they must answer.

#![expect(clippy::cast_possible_truncation, reason = "numbers of a test are small")]

mod damage;
mod format;
mod identifiers;
mod members;
mod model;
mod payload;
mod sizes;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::codec::{Reader, put_bytes};
use crate::event::{Event, StoredEvent, tag};
use crate::field::{FieldSet, Values};
use crate::overlay::Overlay;
use crate::record::{self, Record};
use crate::storage::OsStorage;

pub(super) const STORE: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;

/// `SplitMix64`: one seed, one segment, on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// A value of a field: few of them for low fields, nearly unique for some, with non-ASCII and prefixes of others.
pub(super) fn keyword_value(random: &mut Random, field: Field) -> String {
    let pool = match field {
        Field::EventType | Field::Severity | Field::Notification => 3,
        Field::ResourceId => 10_000,
        Field::RealmIds | Field::TargetUserIds => 6,
        _ => 12,
    };
    let number = random.below(pool);
    match field {
        // Terms that are packed: hex digits of one length, UUIDs; and nearly such terms.
        Field::UserId => return format!("{:024x}", u128::from(number) << 60),
        Field::SessionId => return EventId::from_u128(u128::from(number) << 90).to_string(),
        Field::TaskId => return format!("{number:02x}"),
        Field::RequestId => return format!("{:016X}", number << 40),
        _ => {}
    }
    match number {
        2 => "é\u{1F600}".to_owned(),
        5 => "v".to_owned(),
        _ => format!("v{number}"),
    }
}

fn text(random: &mut Random, name: &str) -> Option<String> {
    match random.below(12) {
        0..4 => None,
        4 => Some(String::new()),
        5 => Some(format!("Größe {} ÉTÉ", random.below(9))),
        6 if random.one_in(8) => {
            let len = 9000 + random.below(20_000);
            Some((0..len).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect())
        }
        _ => Some(format!("{name} user {} Logged in from host {}", random.below(50), random.below(7))),
    }
}

/// What the ids of a segment look like. Few distinct ones: repeats of an id are normal.
#[derive(Clone, Copy, Debug)]
enum Ids {
    Made,
    MadeOrGiven,
    Object,
    Hex24,
    TimeUuid,
    TimeUuidOrMade,
}

impl Ids {
    fn random(random: &mut Random) -> Self {
        let all = [Ids::Made, Ids::MadeOrGiven, Ids::Object, Ids::Hex24, Ids::TimeUuid, Ids::TimeUuidOrMade];
        all[random.below(all.len() as u64) as usize]
    }
}

fn random_id(random: &mut Random, created_at_us: i64, ids: Ids) -> Option<EventId> {
    let number = u128::from(random.below(40));
    let micros = created_at_us.cast_unsigned() + random.below(3_000_000);
    let time_uuid = (u128::from(micros / 1000) << 80) | (7 << 76) | (number << 70) | (2 << 62) | number;
    match ids {
        Ids::Made => None,
        Ids::MadeOrGiven => random.one_in(2).then(|| EventId::from_u128(number << 64)),
        Ids::Object => Some(EventId::from_hex24((u128::from(micros / 1_000_000) << 64) | (number % 3) << 24 | number)),
        Ids::Hex24 => Some(EventId::from_hex24(number << 30 | u128::from(random.below(1000)) << 60)),
        Ids::TimeUuid => Some(EventId::from_u128(time_uuid)),
        Ids::TimeUuidOrMade => random.one_in(2).then(|| EventId::from_u128(time_uuid)),
    }
}

/// A random event as the log would give it back.
fn random_event(random: &mut Random, created_at_us: i64, sequence: u64, ids: Ids) -> StoredEvent {
    let mut singles: BTreeMap<Field, String> = BTreeMap::new();
    for field in Field::ALL.iter().filter(|field| field.values() == Values::Single) {
        let odds = if *field == Field::EventType { 1 } else { u64::from(field.number() % 5) + 1 };
        // One field on no row at all, one on every row with one value.
        match field {
            Field::PatUuid => {}
            Field::Source => _ = singles.insert(*field, "only".to_owned()),
            _ if random.one_in(odds) => _ = singles.insert(*field, keyword_value(random, *field)),
            _ => {}
        }
    }
    // One field that repeats another wherever it is, one that does so in every row.
    let resource = singles.get(&Field::ResourceId).cloned().filter(|_| random.one_in(2));
    singles.remove(&Field::ContainerId);
    singles.extend(resource.map(|resource| (Field::ContainerId, resource)));
    singles.remove(&Field::ActorId);
    singles.extend(singles.get(&Field::UserId).cloned().map(|user| (Field::ActorId, user)));
    let mut lists: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    for (list, field) in lists.iter_mut().zip([Field::RealmIds, Field::TargetUserIds]) {
        for _ in 0..random.below(4) {
            list.push(keyword_value(random, field));
        }
    }
    let texts = [text(random, "message"), text(random, "content"), text(random, "{\"a\":1}")];
    let agent = random.one_in(9).then(|| "agent/1.0".to_owned());
    let mut numbers = FieldSet::default();
    let mut event = Event::default();
    event.created_at_us = Some(created_at_us);
    for (field, value) in &singles {
        event.set(*field, value);
    }
    if random.one_in(7) {
        numbers.insert(Field::HttpStatus);
        event.latency_ms = Some(1.25);
        event.updated_at_us = Some(created_at_us + 5);
    }
    event.numbers = numbers;
    event.realm_ids = lists[0].as_slice().into();
    event.target_user_ids = lists[1].as_slice().into();
    event.message = texts[0].as_deref();
    event.content = texts[1].as_deref();
    event.payload = texts[2].as_deref();
    event.user_agent = agent.as_deref();
    event.id = random_id(random, created_at_us, ids);
    let mut bytes = Vec::new();
    record::encode(&event, &mut bytes, &mut crate::batch_terms::Terms::default());
    Record::take(&mut Reader::new(&bytes)).unwrap().to_stored(sequence).unwrap()
}

/// Random events in segment order, their sequences starting behind `base_sequence`.
pub(super) fn random_events(seed: u64, rows: u64, base_sequence: u64) -> Vec<StoredEvent> {
    let mut random = Random(seed);
    let ids = Ids::random(&mut random);
    let unit = [1, 1000, 1_000_000][random.below(3) as usize];
    let in_order = random.one_in(2);
    let mut events: Vec<StoredEvent> = (1..=rows)
        .map(|number| {
            // Ties by the dozen; out of order by some hundred rows.
            let step = if in_order { number / 7 } else { (number + random.below(400)) / 7 };
            let created_at_us = 1_700_000_000_000_000 + i64::try_from(step).unwrap() * unit;
            random_event(&mut random, created_at_us, base_sequence + number, ids)
        })
        .collect();
    events.sort_by_key(|event| (event.created_at_us, event.sequence));
    events
}

/// Texts out of a list of events.
pub(super) struct EventTexts<'a>(pub(super) &'a [StoredEvent]);

impl TextSource for EventTexts<'_> {
    fn value(&mut self, stream: Stream, row: u32) -> Result<Option<Cow<'_, [u8]>>> {
        let values = &self.0[row as usize].values;
        let plain = |tag| values.first(tag).map(Cow::Borrowed);
        Ok(match stream {
            Stream::Message => plain(tag::MESSAGE),
            Stream::Content => plain(tag::CONTENT),
            Stream::Payload => plain(tag::PAYLOAD),
            Stream::Stored => {
                let mut out = Vec::new();
                for tag in tag::ERROR_MESSAGE..tag::END {
                    for value in values.all(tag) {
                        out.push(tag);
                        put_bytes(&mut out, value);
                    }
                }
                (!out.is_empty()).then_some(Cow::Owned(out))
            }
        })
    }
}

/// The codes of a field over all events, its terms in order of first use and one nobody uses.
pub(super) fn keyword_input(events: &[StoredEvent], field: Field) -> KeywordInput<'_> {
    let mut terms: Vec<&[u8]> = vec![b"unused"];
    let mut known: BTreeMap<&[u8], u32> = BTreeMap::from([(&b"unused"[..], 1)]);
    let (mut ends, mut codes) = (Vec::new(), Vec::new());
    for event in events {
        let mut found = false;
        for value in event.values.all(field.number()) {
            let code = *known.entry(value).or_insert_with(|| {
                terms.push(value);
                terms.len() as u32
            });
            codes.push(code);
            found = true;
        }
        if !found && field.values() == Values::Single {
            codes.push(0);
        }
        ends.push(codes.len() as u32);
    }
    let codes = match field.values() {
        Values::Single => KeywordCodes::Single(codes),
        Values::Multiple => KeywordCodes::Multiple { ends, codes },
    };
    KeywordInput { field, terms, codes }
}

pub(super) fn meta(segment_id: u64) -> SegmentMeta {
    SegmentMeta { store: STORE, segment_id, created_at_us: 1_700_000_000_000_000 }
}

pub(super) fn write_segment(path: &Path, segment_id: u64, events: &[StoredEvent]) -> SegmentSummary {
    write_as(path, segment_id, events, SegmentForm::Fresh)
}

/// The same as compaction writes it.
pub(super) fn rewrite_segment(path: &Path, segment_id: u64, events: &[StoredEvent]) -> SegmentSummary {
    write_as(path, segment_id, events, SegmentForm::Packed)
}

fn write_as(path: &Path, segment_id: u64, events: &[StoredEvent], form: SegmentForm) -> SegmentSummary {
    build_segment(&OsStorage::new(), path, &meta(segment_id), input_of(events, &mut EventTexts(events)), form).unwrap()
}

fn input_of<'a>(events: &'a [StoredEvent], texts: &'a mut EventTexts<'_>) -> SegmentInput<'a> {
    SegmentInput {
        created_at_us: events.iter().map(|event| event.created_at_us).collect(),
        sequences: events.iter().map(|event| event.sequence).collect(),
        ids: events.iter().map(|event| event.id).collect(),
        keywords: Field::ALL.iter().map(|field| keyword_input(events, *field)).collect(),
        texts,
    }
}

pub(super) fn open(path: &Path, segment_id: u64) -> Result<SealedSegment> {
    SealedSegment::open(&OsStorage::new(), path, STORE, segment_id, None)
}

/// A folder with one segment of random events in it.
pub(super) struct Written {
    pub(super) folder: tempfile::TempDir,
    pub(super) path: PathBuf,
    pub(super) events: Vec<StoredEvent>,
    pub(super) segment: Arc<SealedSegment>,
    pub(super) summary: SegmentSummary,
}

pub(super) fn written(events: Vec<StoredEvent>) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.seg");
    let summary = write_segment(&path, 1, &events);
    let opened = SealedSegment::open(&OsStorage::new(), &path, STORE, 1, Some(summary.footer_crc)).unwrap();
    Written { folder, path, events, segment: Arc::new(opened), summary }
}

/// Tombstones and marks on about one row in `odds`; none if it is 0.
pub(super) fn random_overlay(random: &mut Random, rows: usize, odds: u64) -> Arc<Overlay> {
    let mut overlay = Overlay::default();
    for row in 0..rows as u32 {
        if odds > 0 && random.one_in(odds) {
            overlay.tombstones.insert(row);
        }
        if odds > 0 && random.one_in(3) {
            overlay.acknowledged.insert(row);
        }
    }
    Arc::new(overlay)
}
