//! SQLite through rusqlite: one table, one table of realms, an index for each query.
//!
//! Totals are counted over the narrowest index; only the total of everything is kept by hand, because
//! SQLite walks a whole index for it.

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use annals_bench::{Arguments, Workload};
use annals_engine::{EventId, Field};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use crate::Outcome;
use crate::prepare::seq_of;
use crate::runner::{Found, Groups, Peer, Texts};

const DAY_US: i64 = 86_400_000_000;

const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -524288; PRAGMA mmap_size = 17179869184; PRAGMA wal_autocheckpoint = 16384;";

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL, created_at INTEGER NOT NULL, event_type TEXT NOT NULL,
    resource_type TEXT, resource_id TEXT, user_id TEXT, project_id TEXT, container_id TEXT,
    severity TEXT, status TEXT, source TEXT, realm_ids TEXT, message TEXT, payload TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS by_id ON events (id);
CREATE INDEX IF NOT EXISTS by_time ON events (created_at);
CREATE INDEX IF NOT EXISTS by_type ON events (event_type, created_at DESC, resource_type);
CREATE INDEX IF NOT EXISTS by_resource ON events (resource_id, created_at);
CREATE TABLE IF NOT EXISTS event_realms (
    realm TEXT NOT NULL, created_at INTEGER NOT NULL, seq INTEGER NOT NULL, event_type TEXT NOT NULL,
    resource_type TEXT, PRIMARY KEY (realm, created_at, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (events INTEGER NOT NULL);
INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);";

const INSERT: &str = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
const PAGE_COLUMNS: &str = "SELECT seq, id, created_at, event_type, resource_type, resource_id, user_id, project_id, \
    container_id, severity, status, source, realm_ids, message, payload FROM events";

/// A connection that writes and one that reads, as the log of SQLite allows.
pub(crate) struct Sqlite {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

fn locked(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().expect("no thread panics with a connection in hand")
}

impl Peer for Sqlite {
    const NAME: &'static str = "SQLite";
    const BATCH: usize = 10_000;
    // It has one writer at a time.
    const THREADS: usize = 1;

    fn version() -> String {
        rusqlite::version().to_owned()
    }

    fn settings() -> String {
        "WAL, synchronous NORMAL, transactions of 10,000 from 1 thread, 512 MiB cache, maps; ids as 16 bytes, unique; \
         settled: checkpoint; compacted: ANALYZE, no VACUUM"
            .to_owned()
    }

    fn open(directory: &Path) -> Outcome<Self> {
        let open = || -> Outcome<Connection> {
            let connection = Connection::open(directory.join("events.db"))?;
            connection.execute_batch(SETTINGS)?;
            connection.set_prepared_statement_cache_capacity(64);
            Ok(connection)
        };
        let writer = open()?;
        writer.execute_batch(SCHEMA)?;
        Ok(Self { writer: Mutex::new(writer), reader: Mutex::new(open()?) })
    }

    fn append(&self, workload: &Workload, positions: Range<usize>) -> Outcome<()> {
        let mut writer = locked(&self.writer);
        let transaction = writer.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            let mut into_realm = transaction.prepare_cached("INSERT INTO event_realms VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for position in positions.clone() {
                let seq = i64::try_from(seq_of(position))?;
                let pushed = workload.with_event(position, |event| -> Outcome<()> {
                    let id = event.id.unwrap_or(EventId::from_u128(0)).as_u128().to_be_bytes();
                    let time_us = event.created_at_us.unwrap_or(0);
                    let (event_type, kind) = (event.get(Field::EventType), event.get(Field::ResourceType));
                    let realms: Vec<&str> = event.realm_ids.iter().collect();
                    insert.execute(params![
                        seq,
                        id,
                        time_us,
                        event_type,
                        kind,
                        event.get(Field::ResourceId),
                        event.get(Field::UserId),
                        event.get(Field::ProjectId),
                        event.get(Field::ContainerId),
                        event.get(Field::Severity),
                        event.get(Field::Status),
                        event.get(Field::Source),
                        realms.join("\n"),
                        event.message,
                        event.payload
                    ])?;
                    for realm in realms {
                        into_realm.execute(params![realm, time_us, seq, event_type, kind])?;
                    }
                    Ok(())
                });
                pushed.unwrap_or(Ok(()))?;
            }
        }
        transaction.execute("UPDATE total SET events = events + ?1", [i64::try_from(positions.len())?])?;
        Ok(transaction.commit()?)
    }

    fn settle(&self) -> Outcome<()> {
        Ok(locked(&self.writer).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    fn compact(&self) -> Outcome<()> {
        Ok(locked(&self.writer)
            .execute_batch("PRAGMA analysis_limit = 1000; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")?)
    }

    fn ask(&self, name: &str, arguments: &Arguments, run: usize) -> Outcome<Option<Found>> {
        let reader = locked(&self.reader);
        let day = |start: i64| (start, start + DAY_US);
        Ok(match name {
            "Q1" => Some(page(&reader, "SELECT events FROM total", "ORDER BY created_at DESC LIMIT 100", [], [])?),
            "Q2" => match pick(&arguments.common_types, run) {
                None => None,
                Some(event_type) => {
                    let tail = "WHERE event_type = ?1 ORDER BY created_at DESC LIMIT 100";
                    Some(page(&reader, COUNT_TYPE, tail, [event_type], [event_type])?)
                }
            },
            "Q3" => match pick(&arguments.resources, run) {
                None => None,
                Some(resource) => {
                    let count = "SELECT count(*) FROM events WHERE resource_id = ?1";
                    let tail = "WHERE resource_id = ?1 ORDER BY created_at DESC LIMIT 100";
                    Some(page(&reader, count, tail, [resource], [resource])?)
                }
            },
            "Q4" => match pick(&arguments.realm_type_days, run) {
                None => None,
                Some((realm, event_type, start)) => {
                    let (from, to) = day(*start);
                    let values = params![realm, event_type, from, to];
                    Some(page(&reader, COUNT_REALM, REALM_PAGE, values, values)?)
                }
            },
            "Q5" => match pick(&arguments.deep_types, run) {
                None => None,
                Some(event_type) => {
                    // Walks the offset in the index alone, and takes the rows of the page only.
                    let tail = "WHERE seq IN (SELECT seq FROM events WHERE event_type = ?1 ORDER BY created_at DESC \
                        LIMIT 100 OFFSET ?2) ORDER BY created_at DESC";
                    let offset = i64::try_from(arguments.deep_offset)?;
                    Some(page(&reader, COUNT_TYPE, tail, [event_type], params![event_type, offset])?)
                }
            },
            "Q6" => {
                let tail = "ORDER BY event_type, created_at DESC LIMIT 100";
                Some(page(&reader, "SELECT events FROM total", tail, [], [])?)
            }
            "Q7" => Some(groups(&reader, "events", "", [])?),
            "Q8" => match pick(&arguments.realm_weeks, run) {
                None => None,
                Some((realm, start)) => {
                    let values = params![realm, start, start + 7 * DAY_US];
                    let condition = "WHERE realm = ?1 AND created_at >= ?2 AND created_at < ?3";
                    Some(groups(&reader, "event_realms", condition, values)?)
                }
            },
            "Q9" => match pick(&arguments.ids, run) {
                None => None,
                Some(id) => Some(get(&reader, id)?),
            },
            "Q10 frequent" => holding(&reader, arguments, pick(&arguments.frequent_words, run))?,
            "Q10 rare" => holding(&reader, arguments, pick(&arguments.rare_texts, run))?,
            "Q10 number" => holding(&reader, arguments, pick(&arguments.numbers, run))?,
            other => return Err(format!("there is no query {other}").into()),
        })
    }

    fn drop_oldest(&self, arguments: &Arguments) -> Outcome<u64> {
        self.delete("created_at < ?1", params![arguments.drop_before_us])
    }

    fn delete_matching(&self, arguments: &Arguments) -> Outcome<u64> {
        self.delete(
            "resource_type = ?1 AND created_at < ?2",
            params![arguments.delete_type, arguments.delete_before_us],
        )
    }
}

const COUNT_TYPE: &str = "SELECT count(*) FROM events WHERE event_type = ?1";
const COUNT_REALM: &str = "SELECT count(*) FROM event_realms \
    WHERE realm = ?1 AND event_type = ?2 AND created_at >= ?3 AND created_at < ?4";
const REALM_PAGE: &str = "WHERE seq IN (SELECT seq FROM event_realms \
    WHERE realm = ?1 AND event_type = ?2 AND created_at >= ?3 AND created_at < ?4 \
    ORDER BY created_at, seq LIMIT 100) ORDER BY created_at, seq";

impl Sqlite {
    fn delete(&self, condition: &str, values: impl Params + Copy) -> Outcome<u64> {
        let mut writer = locked(&self.writer);
        let transaction = writer.transaction()?;
        transaction.execute(&format!("DELETE FROM event_realms WHERE {condition}"), values)?;
        let deleted = transaction.execute(&format!("DELETE FROM events WHERE {condition}"), values)?;
        transaction.execute("UPDATE total SET events = events - ?1", [i64::try_from(deleted)?])?;
        transaction.commit()?;
        Ok(u64::try_from(deleted)?)
    }
}

/// Whether a search for a text must not tell upper from lower case: numbers have none.
pub(crate) fn has_case(arguments: &Arguments, text: &str) -> bool {
    arguments.any_case && text.chars().any(char::is_alphabetic)
}

pub(crate) fn pick<T>(list: &[T], run: usize) -> Option<&T> {
    list.get(run.checked_rem(list.len())?)
}

/// Reads every value of a row, its texts into those of the page, and returns its time.
fn take_row(row: &Row<'_>, texts: &mut Texts) -> rusqlite::Result<i64> {
    for column in 3..15 {
        texts.push(row.get_ref(column)?.as_bytes_or_null()?.unwrap_or_default());
    }
    let id: [u8; 16] = row.get(1)?;
    std::hint::black_box(id);
    row.get(2)
}

fn page(reader: &Connection, count: &str, tail: &str, of_count: impl Params, of_page: impl Params) -> Outcome<Found> {
    let total: i64 = reader.prepare_cached(count)?.query_row(of_count, |row| row.get(0))?;
    let mut found = Found { total: u64::try_from(total)?, ..Found::default() };
    let mut statement = reader.prepare_cached(&format!("{PAGE_COLUMNS} {tail}"))?;
    let mut texts = Texts::default();
    for time_us in statement.query_map(of_page, |row| take_row(row, &mut texts))? {
        found.rows += 1;
        found.times = found.times.wrapping_add(time_us?);
    }
    texts.read();
    Ok(found)
}

fn groups(reader: &Connection, table: &str, condition: &str, values: impl Params) -> Outcome<Found> {
    let mut statement = reader.prepare_cached(&format!(
        "SELECT event_type, resource_type, count(*), min(created_at), max(created_at) FROM {table} {condition} \
         GROUP BY event_type, resource_type"
    ))?;
    let mut groups = Groups::default();
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let count: i64 = row.get(2)?;
        groups.add(row.get(0)?, row.get(1)?, u64::try_from(count)?, row.get(3)?, row.get(4)?);
    }
    Ok(groups.found())
}

fn get(reader: &Connection, id: &str) -> Outcome<Found> {
    let id = id.parse::<EventId>()?.as_u128().to_be_bytes();
    let mut statement = reader.prepare_cached(&format!("{PAGE_COLUMNS} WHERE id = ?1"))?;
    let mut texts = Texts::default();
    let time_us = statement.query_row([id], |row| take_row(row, &mut texts)).optional()?;
    texts.read();
    let found = u64::from(time_us.is_some());
    Ok(Found { total: found, rows: found, times: time_us.unwrap_or(0) })
}

/// LIKE ignores the case of ASCII; `instr` is faster where no case is to be ignored. One walk over the
/// messages gives both the total and the rows of the page.
fn holding(reader: &Connection, arguments: &Arguments, text: Option<&String>) -> Outcome<Option<Found>> {
    let Some(text) = text else { return Ok(None) };
    let escaped = || text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let (condition, text) = if has_case(arguments, text) {
        ("message LIKE ?1 ESCAPE '\\'", format!("%{}%", escaped()))
    } else {
        ("instr(message, ?1) > 0", text.clone())
    };
    let mut statement = reader.prepare_cached(&format!("SELECT created_at, seq FROM events WHERE {condition}"))?;
    let matches = statement.query_map([&text], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut matches = matches.collect::<rusqlite::Result<Vec<(i64, i64)>>>()?;
    matches.sort_unstable_by(|a, b| b.cmp(a));
    let mut found = Found { total: u64::try_from(matches.len())?, ..Found::default() };
    let mut one = reader.prepare_cached(&format!("{PAGE_COLUMNS} WHERE seq = ?1"))?;
    let mut texts = Texts::default();
    for (_, seq) in matches.iter().take(50) {
        found.rows += 1;
        found.times = found.times.wrapping_add(one.query_row([seq], |row| take_row(row, &mut texts))?);
    }
    texts.read();
    Ok(Some(found))
}
