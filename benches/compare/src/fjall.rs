//! fjall, a store of keys and values: events in the order of time, and an index kept by hand for each query.
//!
//! Counts by event type and resource type are kept beside them and written with every batch: walking an
//! index is the only other way to a total.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use annals_bench::{Arguments, Workload};
use annals_engine::EventId;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use crate::Outcome;
use crate::prepare::seq_of;
use crate::runner::{Found, Groups, Peer, Texts};
use crate::sqlite::{has_case, pick};

mod record;

use record::{
    END, Held, KIND, MESSAGE, REALMS, RESOURCE, TYPE, decode, encode, key_of, place_behind, place_of, text_at, time_of,
};

const DAY_US: i64 = 86_400_000_000;
const DELETE_BATCH: usize = 10_000;

type Counts = BTreeMap<(String, String), u64>;

pub(crate) struct Fjall {
    database: Database,
    /// Time and sequence -> the event.
    events: Keyspace,
    /// Id -> time and sequence.
    ids: Keyspace,
    /// Event type, time and sequence.
    types: Keyspace,
    /// Resource, time and sequence.
    resources: Keyspace,
    /// Realm, time and sequence -> event type and resource type.
    realms: Keyspace,
    /// Event type and resource type -> how many.
    counts: Keyspace,
    kept: Mutex<Counts>,
    /// Held while a batch is written, so that counts are written in their order; readers never wait for it.
    writing: Mutex<()>,
}

impl Peer for Fjall {
    const NAME: &'static str = "fjall";
    const BATCH: usize = 1_000;
    const THREADS: usize = 2;

    fn version() -> String {
        "3.1".to_owned()
    }

    fn settings() -> String {
        "LZ4, journal with the operating system, batches of 1,000 from 2 threads, 1 GiB cache, 4 indexes and counts by hand; \
         settled: flushed and compactions ended; compacted: major compaction"
            .to_owned()
    }

    fn open(directory: &Path) -> Outcome<Self> {
        Self::open_with(directory, KeyspaceCreateOptions::default)
    }

    fn append(&self, workload: &Workload, positions: Range<usize>) -> Outcome<()> {
        let mut batch = self.database.batch();
        let mut counted = Counts::new();
        for position in positions {
            let pushed = workload.with_event(position, |event| -> Outcome<()> {
                let place = place_of(event.created_at_us.unwrap_or(0), seq_of(position));
                let mut value = Vec::with_capacity(512);
                encode(event, &mut value);
                let held = decode(&value)?;
                if self.ids.contains_key(held.id)? {
                    return Err("an id is repeated".into());
                }
                // ORDER: fjall applies a batch entry by entry, and the end of a flush or a compaction may make the part
                // that is there visible to snapshots (`upgrade_version` of lsm-tree publishes a later sequence number).
                // An event in front of its index entries is always found by them.
                batch.insert(&self.events, place, &value[..]);
                let (event_type, kind) = (held.texts[TYPE], held.texts[KIND]);
                batch.insert(&self.ids, held.id, place);
                batch.insert(&self.types, key_of(event_type, &place), []);
                if !held.texts[RESOURCE].is_empty() {
                    batch.insert(&self.resources, key_of(held.texts[RESOURCE], &place), []);
                }
                for realm in event.realm_ids.iter() {
                    batch.insert(&self.realms, key_of(realm, &place), format!("{event_type}\0{kind}"));
                }
                *counted.entry((event_type.to_owned(), kind.to_owned())).or_default() += 1;
                Ok(())
            });
            pushed.unwrap_or(Ok(()))?;
        }
        self.commit(batch, counted, true)
    }

    fn settle(&self) -> Outcome<()> {
        for keyspace in self.keyspaces() {
            keyspace.rotate_memtable_and_wait()?;
        }
        let mut quiet = 0;
        while quiet < 10 {
            let is_busy = self.database.outstanding_flushes() > 0 || self.database.active_compactions() > 0;
            quiet = if is_busy { 0 } else { quiet + 1 };
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    fn compact(&self) -> Outcome<()> {
        for keyspace in self.keyspaces() {
            keyspace.major_compact()?;
        }
        self.settle()
    }

    fn ask(&self, name: &str, arguments: &Arguments, run: usize) -> Outcome<Option<Found>> {
        // One view for indexes and events; see `append` for what it may show of a batch that is being written.
        let view = self.database.snapshot();
        let view = &view;
        Ok(match name {
            "Q1" => {
                let places = view.iter(&self.events).rev().take(100).map(|pair| Ok(pair.key()?.to_vec()));
                Some(self.page(view, self.count(|_, _| true), places)?)
            }
            "Q2" => match pick(&arguments.common_types, run) {
                None => None,
                Some(event_type) => Some(self.typed_page(view, event_type, 0)?),
            },
            "Q3" => match pick(&arguments.resources, run) {
                None => None,
                Some(resource) => {
                    let keys = view.prefix(&self.resources, key_of(resource, &[])).rev();
                    let keys = keys.map(|pair| Ok(pair.key()?.to_vec())).collect::<Outcome<Vec<_>>>()?;
                    let places = keys.iter().take(100).map(|key| Ok(place_behind(key).to_vec()));
                    Some(self.page(view, u64::try_from(keys.len())?, places)?)
                }
            },
            "Q4" => match pick(&arguments.realm_type_days, run) {
                None => None,
                Some((realm, event_type, start)) => {
                    let mut places = Vec::new();
                    for pair in self.realm_between(view, realm, *start, start + DAY_US) {
                        let (key, value) = pair.into_inner()?;
                        if value.starts_with(event_type.as_bytes()) && value.get(event_type.len()) == Some(&END) {
                            places.push(place_behind(&key).to_vec());
                        }
                    }
                    let total = u64::try_from(places.len())?;
                    Some(self.page(view, total, places.into_iter().take(100).map(Ok))?)
                }
            },
            "Q5" => match pick(&arguments.deep_types, run) {
                None => None,
                Some(event_type) => Some(self.typed_page(view, event_type, usize::try_from(arguments.deep_offset)?)?),
            },
            "Q6" => Some(self.first_types(view)?),
            "Q7" => Some(self.statistics(view)?),
            "Q8" => match pick(&arguments.realm_weeks, run) {
                None => None,
                Some((realm, start)) => Some(self.realm_statistics(view, realm, *start)?),
            },
            "Q9" => match pick(&arguments.ids, run) {
                None => None,
                Some(id) => {
                    let place = view.get(&self.ids, id.parse::<EventId>()?.as_u128().to_be_bytes())?;
                    let total = u64::from(place.is_some());
                    Some(self.page(view, total, place.into_iter().map(|place| Ok(place.to_vec())))?)
                }
            },
            "Q10 frequent" => self.holding(view, arguments, pick(&arguments.frequent_words, run))?,
            "Q10 rare" => self.holding(view, arguments, pick(&arguments.rare_texts, run))?,
            "Q10 number" => self.holding(view, arguments, pick(&arguments.numbers, run))?,
            other => return Err(format!("there is no query {other}").into()),
        })
    }

    fn drop_oldest(&self, arguments: &Arguments) -> Outcome<u64> {
        self.delete(arguments.drop_before_us, |_| true)
    }

    fn delete_matching(&self, arguments: &Arguments) -> Outcome<u64> {
        self.delete(arguments.delete_before_us, |held| held.texts[KIND] == arguments.delete_type)
    }
}

impl Fjall {
    fn open_with(directory: &Path, options: fn() -> KeyspaceCreateOptions) -> Outcome<Self> {
        let database = Database::builder(directory).cache_size(1 << 30).worker_threads(2).open()?;
        let keyspace = |name: &str| database.keyspace(name, options);
        let counts = keyspace("counts")?;
        let mut kept = Counts::new();
        for pair in counts.iter() {
            let (key, value) = pair.into_inner()?;
            let (event_type, kind) = std::str::from_utf8(&key)?.split_once('\0').unwrap_or_default();
            let count = value.first_chunk::<8>().map_or(0, |count| u64::from_le_bytes(*count));
            kept.insert((event_type.to_owned(), kind.to_owned()), count);
        }
        Ok(Self {
            events: keyspace("events")?,
            ids: keyspace("ids")?,
            types: keyspace("types")?,
            resources: keyspace("resources")?,
            realms: keyspace("realms")?,
            counts,
            kept: Mutex::new(kept),
            writing: Mutex::new(()),
            database,
        })
    }

    fn keyspaces(&self) -> [&Keyspace; 6] {
        [&self.events, &self.ids, &self.types, &self.resources, &self.realms, &self.counts]
    }

    /// Writes a batch and the counts that it changes, in one.
    fn commit(&self, mut batch: fjall::OwnedWriteBatch, counted: Counts, is_insert: bool) -> Outcome<()> {
        let _written_in_order = self.writing.lock().expect("no thread panics while it writes");
        let mut kept = self.kept.lock().expect("no thread panics with the counts in hand");
        for (what, count) in counted {
            let key = format!("{}\0{}", what.0, what.1);
            let sum = kept.entry(what).or_default();
            *sum = if is_insert { *sum + count } else { *sum - count };
            batch.insert(&self.counts, key, sum.to_le_bytes());
        }
        drop(kept);
        Ok(batch.commit()?)
    }

    fn count(&self, wanted: impl Fn(&str, &str) -> bool) -> u64 {
        let kept = self.kept.lock().expect("no thread panics with the counts in hand");
        kept.iter().filter(|((event_type, kind), _)| wanted(event_type, kind)).map(|(_, count)| count).sum()
    }

    fn page(&self, view: &Snapshot, total: u64, places: impl Iterator<Item = Outcome<Vec<u8>>>) -> Outcome<Found> {
        let (mut found, mut texts) = (Found { total, ..Found::default() }, Texts::default());
        for place in places {
            let place = place?;
            let value = view.get(&self.events, &place)?.ok_or("an index of fjall names an event that is not there")?;
            let held = decode(&value)?;
            held.texts.iter().for_each(|text| texts.push(text.as_bytes()));
            found.rows += 1;
            found.times = found.times.wrapping_add(time_of(&place));
        }
        texts.read();
        Ok(found)
    }

    fn typed_page(&self, view: &Snapshot, event_type: &str, offset: usize) -> Outcome<Found> {
        let keys = view.prefix(&self.types, key_of(event_type, &[])).rev().skip(offset).take(100);
        let places = keys.map(|pair| Ok(place_behind(&pair.key()?).to_vec()));
        self.page(view, self.count(|own, _| own == event_type), places)
    }

    fn first_types(&self, view: &Snapshot) -> Outcome<Found> {
        let kept: Vec<String> = {
            let kept = self.kept.lock().expect("no thread panics with the counts in hand");
            kept.iter().filter(|(_, count)| **count > 0).map(|((event_type, _), _)| event_type.clone()).collect()
        };
        let (mut places, mut last) = (Vec::new(), String::new());
        for event_type in kept {
            if places.len() < 100 && event_type != last {
                let room = 100 - places.len();
                for pair in view.prefix(&self.types, key_of(&event_type, &[])).rev().take(room) {
                    places.push(place_behind(&pair.key()?).to_vec());
                }
                last = event_type;
            }
        }
        self.page(view, self.count(|_, _| true), places.into_iter().map(Ok))
    }

    fn statistics(&self, view: &Snapshot) -> Outcome<Found> {
        let bound = |guard: Option<fjall::Guard>| -> Outcome<i64> {
            Ok(guard.map(|pair| pair.key()).transpose()?.map_or(0, |key| time_of(&key)))
        };
        let (oldest, newest) = (bound(view.first_key_value(&self.events))?, bound(view.last_key_value(&self.events))?);
        let mut groups = Groups::default();
        let kept = self.kept.lock().expect("no thread panics with the counts in hand");
        for ((event_type, kind), count) in kept.iter().filter(|(_, count)| **count > 0) {
            groups.add(event_type.clone(), Some(kind.clone()).filter(|kind| !kind.is_empty()), *count, oldest, newest);
        }
        Ok(groups.found())
    }

    fn realm_between(&self, view: &Snapshot, realm: &str, from_us: i64, to_us: i64) -> fjall::Iter {
        let bound = |time_us: i64| key_of(realm, &place_of(time_us, 0));
        view.range(&self.realms, (Bound::Included(bound(from_us)), Bound::Excluded(bound(to_us))))
    }

    fn realm_statistics(&self, view: &Snapshot, realm: &str, start: i64) -> Outcome<Found> {
        let mut groups: BTreeMap<Vec<u8>, (u64, i64, i64)> = BTreeMap::new();
        for pair in self.realm_between(view, realm, start, start + 7 * DAY_US) {
            let (key, value) = pair.into_inner()?;
            let time_us = time_of(place_behind(&key));
            match groups.get_mut(&value[..]) {
                Some((count, _, newest)) => (*count, *newest) = (*count + 1, time_us),
                None => _ = groups.insert(value.to_vec(), (1, time_us, time_us)),
            }
        }
        let mut sums = Groups::default();
        for (what, (count, oldest, newest)) in groups {
            let (event_type, kind) = std::str::from_utf8(&what)?.split_once('\0').unwrap_or_default();
            let kind = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
            sums.add(event_type.to_owned(), kind, count, oldest, newest);
        }
        Ok(sums.found())
    }

    fn holding(&self, view: &Snapshot, arguments: &Arguments, text: Option<&String>) -> Outcome<Option<Found>> {
        let Some(text) = text else { return Ok(None) };
        let has_case = has_case(arguments, text);
        let needle = if has_case { text.to_ascii_lowercase() } else { text.clone() };
        let finder = memchr::memmem::Finder::new(&needle);
        let (mut total, mut places, mut lower) = (0, Vec::new(), Vec::new());
        for pair in view.iter(&self.events).rev() {
            let (key, value) = pair.into_inner()?;
            let mut message = text_at(&value, MESSAGE).ok_or("an event of fjall is cut short")?;
            if has_case {
                lower.clear();
                lower.extend(message.iter().map(u8::to_ascii_lowercase));
                message = &lower;
            }
            if finder.find(message).is_some() {
                total += 1;
                if places.len() < 50 {
                    places.push(key.to_vec());
                }
            }
        }
        self.page(view, total, places.into_iter().map(Ok)).map(Some)
    }

    fn delete(&self, before_us: i64, wanted: impl Fn(&Held<'_>) -> bool) -> Outcome<u64> {
        let (mut deleted, mut in_batch) = (0, 0);
        let (mut batch, mut counted) = (self.database.batch(), Counts::new());
        for pair in self.events.range(..place_of(before_us, 0)) {
            let (place, value) = pair.into_inner()?;
            let held = decode(&value)?;
            if !wanted(&held) {
                continue;
            }
            batch.remove(&self.ids, held.id);
            batch.remove(&self.types, key_of(held.texts[TYPE], &place));
            if !held.texts[RESOURCE].is_empty() {
                batch.remove(&self.resources, key_of(held.texts[RESOURCE], &place));
            }
            for realm in held.texts[REALMS].split('\n').filter(|realm| !realm.is_empty()) {
                batch.remove(&self.realms, key_of(realm, &place));
            }
            batch.remove(&self.events, place);
            *counted.entry((held.texts[TYPE].to_owned(), held.texts[KIND].to_owned())).or_default() += 1;
            (deleted, in_batch) = (deleted + 1, in_batch + 1);
            if in_batch == DELETE_BATCH {
                let full = std::mem::replace(&mut batch, self.database.batch());
                self.commit(full, std::mem::take(&mut counted), false)?;
                in_batch = 0;
            }
        }
        self.commit(batch, counted, false)?;
        self.database.persist(PersistMode::SyncData)?;
        Ok(deleted)
    }
}

#[cfg(test)]
mod tests;
