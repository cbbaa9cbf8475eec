//! What readers and waiters may see while the writer goes on, in every order that the memory model allows: run by
//! `tests/concurrency/run.sh` under loom.

use std::sync::Arc;
use std::time::Duration;

use loom::thread;

use super::RwLock;
use crate::error::Error;
use crate::follow::News;
use crate::live::{BLOCK_ROWS, BlockRows};
use crate::queue::Backlog;
use crate::watermark::{DurablePoint, Watermarks, read_together};

const LONG: Duration = Duration::from_hours(1);

/// The time and the place of a row.
fn row(position: u32) -> (i64, u32) {
    (i64::from(position) + 100, position + 1_000)
}

#[test]
fn rows_below_the_watermark_are_complete() {
    loom::model(|| {
        let shared = Arc::new((BlockRows::new(), Watermarks::default()));
        let writer = Arc::clone(&shared);
        let writing = thread::spawn(move || {
            let (rows, watermarks) = &*writer;
            for position in 0..BLOCK_ROWS {
                let (time, place) = row(position);
                rows.put(position, time, place);
                rows.set_len(position + 1);
                watermarks.publish(u64::from(position) + 1);
            }
        });
        let (rows, watermarks) = &*shared;
        let visible = u32::try_from(watermarks.visible()).unwrap();
        assert!(rows.len() >= visible);
        for position in 0..visible {
            assert_eq!((rows.created_at_us(position), rows.offset(position)), {
                let (time, place) = row(position);
                (Some(time), Some(place))
            });
        }
        if visible > 0 {
            let (min, max) = rows.time_bounds_us();
            assert!(min <= row(0).0 && max >= row(visible - 1).0 && rows.is_in_order());
        }
        writing.join().unwrap();
    });
}

#[test]
fn rows_that_a_block_calls_complete_are() {
    loom::model(|| {
        let rows = Arc::new(BlockRows::new());
        let writer = Arc::clone(&rows);
        let writing = thread::spawn(move || {
            let (time, place) = row(0);
            writer.put(0, time, place);
            writer.set_len(1);
        });
        if rows.len() == 1 {
            let (time, place) = row(0);
            assert_eq!((rows.created_at_us(0), rows.offset(0)), (Some(time), Some(place)));
        }
        writing.join().unwrap();
    });
}

/// The catalog of the model says how far its logs reach, and from where on its sealed segments do not.
#[test]
fn a_snapshot_has_every_log_below_its_watermark_and_nothing_sealed_behind_it() {
    #[derive(Clone)]
    struct Catalog {
        logs_reach: u64,
        sealed_reach: u64,
    }
    loom::model(|| {
        let first = Arc::new(Catalog { logs_reach: 1, sealed_reach: 0 });
        let shared = Arc::new((RwLock::new(first), Watermarks::default()));
        let writer = Arc::clone(&shared);
        let writing = thread::spawn(move || {
            let (catalog, watermarks) = &*writer;
            let change = |change: fn(&mut Catalog)| {
                let mut current = catalog.write();
                let mut next = Catalog::clone(&current);
                change(&mut next);
                *current = Arc::new(next);
            };
            watermarks.publish(1);
            change(|catalog| catalog.logs_reach = 2);
            watermarks.publish(2);
            change(|catalog| catalog.sealed_reach = 1);
        });
        let (catalog, watermarks) = &*shared;
        let (seen, visible) = read_together(|| Arc::clone(&catalog.read()), || watermarks.visible());
        assert!(seen.logs_reach >= visible, "an event is in no log");
        assert!(seen.sealed_reach <= visible, "an event is sealed and not visible");
        writing.join().unwrap();
    });
}

#[test]
fn a_follower_misses_no_publication() {
    loom::model(|| {
        let watermarks = Arc::new(Watermarks::default());
        let writer = Arc::clone(&watermarks);
        let writing = thread::spawn(move || {
            writer.publish(1);
            writer.wake_followers(1);
        });
        let mut seen = News::default();
        while (seen.visible_sequence, seen.changes) != (1, 1) {
            seen = watermarks.wait_news(seen, LONG, || false);
        }
        writing.join().unwrap();
    });
}

#[test]
fn who_waits_for_the_disk_hears_of_it_or_of_the_failure() {
    loom::model(|| {
        let watermarks = Arc::new(Watermarks::default());
        let syncing = Arc::clone(&watermarks);
        let writing = thread::spawn(move || {
            syncing.advance_durable(DurablePoint { sequence: 1, log_id: 1, offset: 10 });
            syncing.poison(&Error::corrupt("the disk"));
        });
        watermarks.wait_durable(1).unwrap();
        assert!(watermarks.wait_durable(2).is_err());
        assert_eq!(watermarks.durable().sequence, 1);
        writing.join().unwrap();
    });
}

#[test]
fn room_given_back_is_found_by_who_waits_for_it() {
    loom::model(|| {
        let backlog = Arc::new(Backlog::new(10, 1));
        backlog.admit(10, || Duration::ZERO).unwrap();
        let other = Arc::clone(&backlog);
        let waiting = thread::spawn(move || other.admit(10, || Duration::ZERO).is_ok());
        backlog.release(10);
        backlog.set_unsealed_logs(1, Duration::ZERO);
        backlog.set_unsealed_logs(0, Duration::ZERO);
        assert!(waiting.join().unwrap());
    });
}

#[test]
fn nobody_sleeps_on_where_there_is_room_when_the_first_of_two_is_let_in() {
    loom::model(|| {
        let backlog = Arc::new(Backlog::new(10, 1));
        backlog.admit(10, || Duration::ZERO).unwrap();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let other = Arc::clone(&backlog);
                thread::spawn(move || other.admit(5, || Duration::ZERO).is_ok())
            })
            .collect();
        backlog.release(10);
        for waiting in waiting {
            assert!(waiting.join().unwrap());
        }
    });
}

#[test]
fn who_waits_for_room_is_sent_away_at_the_close() {
    loom::model(|| {
        let backlog = Arc::new(Backlog::new(10, 1));
        backlog.admit(10, || Duration::ZERO).unwrap();
        let other = Arc::clone(&backlog);
        let waiting = thread::spawn(move || other.admit(10, || Duration::ZERO).is_ok());
        backlog.close();
        assert!(!waiting.join().unwrap());
    });
}
