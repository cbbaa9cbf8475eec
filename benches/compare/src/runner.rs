//! The run of a store that Rust drives: the same steps as for Annals and as in peers.py.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use annals_bench::{Arguments, PAUSE_MS, QUERIES, RUNS, Stopwatch, Timings, Workload, disk_bytes, per, ratio};

use crate::Outcome;
use crate::result::{Answered, Deleted, Measured, Mixed};

/// What the round without a clock may take.
const WARMING_S_MAX: f64 = 10.0;

/// Total, rows, and the sum of their times; of statistics the groups, and oldest plus newest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) total: u64,
    pub(crate) rows: u64,
    pub(crate) times: i64,
}

/// Groups of event type and resource type, as statistics are made of them.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    total: u64,
    types: HashSet<String>,
    kinds: HashSet<String>,
    bounds: Option<(i64, i64)>,
}

impl Groups {
    pub(crate) fn add(&mut self, event_type: String, kind: Option<String>, count: u64, oldest: i64, newest: i64) {
        self.total += count;
        self.types.insert(event_type);
        self.kinds.extend(kind);
        let (low, high) = self.bounds.unwrap_or((oldest, newest));
        self.bounds = Some((low.min(oldest), high.max(newest)));
    }

    pub(crate) fn found(&self) -> Found {
        let groups = self.types.len() + self.kinds.len();
        let times = self.bounds.map_or(0, |(low, high)| low + high);
        Found { total: self.total, rows: u64::try_from(groups).unwrap_or(u64::MAX), times }
    }
}

/// The texts of a page as a caller gets them, in memory of its own: one buffer, as costs the least.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// The page is whole and has been looked at.
    pub(crate) fn read(self) {
        std::hint::black_box(self);
    }
}

/// What is asked of a store.
pub(crate) trait Peer: Sized + Sync {
    const NAME: &'static str;
    /// Batches that suit it.
    const BATCH: usize;
    const THREADS: usize;

    fn version() -> String;
    fn settings() -> String;
    fn open(directory: &Path) -> Outcome<Self>;
    /// Appends these events whole, checked for repeated ids; on return they are with the operating system.
    fn append(&self, workload: &Workload, positions: Range<usize>) -> Outcome<()>;
    /// Waits until nothing runs in the background.
    fn settle(&self) -> Outcome<()>;
    /// What a user can ask for to make files smaller or reading faster.
    fn compact(&self) -> Outcome<()>;
    /// One run of a query; none if there are no arguments.
    fn ask(&self, name: &str, arguments: &Arguments, run: usize) -> Outcome<Option<Found>>;
    fn drop_oldest(&self, arguments: &Arguments) -> Outcome<u64>;
    fn delete_matching(&self, arguments: &Arguments) -> Outcome<u64>;
}

/// An empty directory of that name.
pub(crate) fn empty(directory: &Path, name: &str) -> Outcome<PathBuf> {
    let path = directory.join(format!("store-{name}"));
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    fs::create_dir_all(&path)?;
    Ok(path)
}

pub(crate) fn run<P: Peer>(directory: &Path, workload: &Workload, arguments: &Arguments) -> Outcome<Measured> {
    let events = u64::try_from(workload.len())?;
    let mut measured = Measured {
        store: P::NAME.to_owned(),
        version: P::version(),
        settings: P::settings(),
        events,
        ..Measured::default()
    };
    let data = empty(directory, P::NAME)?;
    let peer = P::open(&data)?;
    let rate = |seconds: f64| 1.0 / per(seconds, events);
    let stopwatch = Stopwatch::start();
    append_all(&peer, workload)?;
    measured.acknowledged_per_s = rate(stopwatch.wall_s());
    measured.acknowledged_cpu_us = per(stopwatch.cpu_s() * 1e6, events);
    peer.settle()?;
    measured.settled_per_s = rate(stopwatch.wall_s());
    measured.settled_cpu_us = per(stopwatch.cpu_s() * 1e6, events);
    drop(peer);
    measured.disk_bytes = ratio(disk_bytes(&data)?, events);
    let peer = P::open(&data)?;
    let stopwatch = Stopwatch::start();
    peer.compact()?;
    measured.compacting_cpu_us = per(stopwatch.cpu_s() * 1e6, events);
    drop(peer);
    measured.compacted_disk_bytes = ratio(disk_bytes(&data)?, events);
    let peer = P::open(&data)?;
    for (name, _) in QUERIES {
        measured.answers.push(answer(&peer, name, arguments)?);
    }
    measured.d1 = delete(&data, || peer.drop_oldest(arguments))?;
    measured.d2 = delete(&data, || peer.delete_matching(arguments))?;
    drop(peer);
    fs::remove_dir_all(&data)?;
    let data = empty(directory, P::NAME)?;
    measured.mixed = mixed(&P::open(&data)?, workload, arguments)?;
    fs::remove_dir_all(&data)?;
    Ok(measured)
}

fn append_all<P: Peer>(peer: &P, workload: &Workload) -> Outcome<()> {
    let next = AtomicUsize::new(0);
    let append = || -> Outcome<()> {
        loop {
            let start = next.fetch_add(P::BATCH, Ordering::Relaxed);
            if start >= workload.len() {
                return Ok(());
            }
            peer.append(workload, start..(start + P::BATCH).min(workload.len()))?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..P::THREADS).map(|_| scope.spawn(append)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread that appends does not panic"))
    })
}

fn answer<P: Peer>(peer: &P, name: &str, arguments: &Arguments) -> Outcome<Answered> {
    let mut answered = Answered { name: name.to_owned(), ..Answered::default() };
    let mut times = Vec::new();
    // A round without a clock first, with other arguments where there are enough: warm medians are wanted, but not
    // of what was answered before. It may end early: who reads everything for an answer is warm by then.
    let warming = Stopwatch::start();
    for is_timed in [false, true] {
        for run in 0..RUNS {
            if !is_timed && warming.wall_s() > WARMING_S_MAX {
                break;
            }
            let stopwatch = Stopwatch::start();
            let Some(found) = peer.ask(name, arguments, if is_timed { run } else { RUNS + run })? else {
                return Ok(answered);
            };
            if is_timed {
                times.push(stopwatch.wall_ms());
                answered.totals += found.total;
                answered.rows += found.rows;
                answered.times = answered.times.wrapping_add(found.times);
            }
        }
    }
    let timings = Timings::new(times);
    (answered.runs, answered.median_ms, answered.p99_ms) = (timings.len(), timings.median(), timings.percentile(99));
    Ok(answered)
}

fn delete(data: &Path, delete: impl FnOnce() -> Outcome<u64>) -> Outcome<Deleted> {
    let before = disk_bytes(data)?;
    let stopwatch = Stopwatch::start();
    let deleted = delete()?;
    let returned_ms = stopwatch.wall_ms();
    std::thread::sleep(Duration::from_secs(1));
    Ok(Deleted { deleted, returned_ms, freed_part: ratio(before.saturating_sub(disk_bytes(data)?), before) })
}

fn mixed<P: Peer>(peer: &P, workload: &Workload, arguments: &Arguments) -> Outcome<Mixed> {
    let ended = AtomicBool::new(false);
    let ask = || -> Outcome<Vec<f64>> {
        let mut times = Vec::new();
        for run in 0.. {
            if ended.load(Ordering::Relaxed) {
                break;
            }
            let stopwatch = Stopwatch::start();
            peer.ask("Q2", arguments, run)?;
            times.push(stopwatch.wall_ms());
            std::thread::sleep(Duration::from_millis(PAUSE_MS));
        }
        Ok(times)
    };
    let (appended, wall_s, times) = std::thread::scope(|scope| {
        let asking = scope.spawn(ask);
        let stopwatch = Stopwatch::start();
        let appended = append_all(peer, workload);
        let wall_s = stopwatch.wall_s();
        ended.store(true, Ordering::Relaxed);
        (appended, wall_s, asking.join().expect("a thread that asks does not panic"))
    });
    appended?;
    let timings = Timings::new(times?);
    let acknowledged_per_s = 1.0 / per(wall_s, u64::try_from(workload.len())?);
    Ok(Mixed { acknowledged_per_s, median_ms: timings.median(), p99_ms: timings.percentile(99) })
}
