//! Following a store: waiting for what becomes visible and for what changes.

use std::sync::Arc;
use std::time::Duration;

use crate::recent::Changes;
use crate::shared::Shared;

/// How far a store is. What a [`Follower`] waits to see move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The last sequence a query sees.
    pub visible_sequence: u64,
    /// Changes kept for [`ChangeFollower`]s so far.
    pub changes: u64,
    /// Whether the store is closed: nothing moves any more.
    pub closed: bool,
}

/// Waits for a store to move. Does not keep it open: when the store is closed, waits end.
///
/// The writer does no more for any number of them than to wake those that wait.
pub struct Follower {
    shared: Arc<Shared>,
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// How far the store is, as soon as that differs from `seen`, or after `timeout`.
    pub fn wait(&self, seen: News, timeout: Duration) -> News {
        self.shared.watermarks.wait_news(seen, timeout, || self.shared.is_closing())
    }
}

/// Hears of every mark and every delete from its making on. Does not keep the store open.
///
/// Events of an append are not among them; a snapshot taken after [`Engine::follow_changes`] and what
/// it hears together leave nothing out.
///
/// [`Engine::follow_changes`]: crate::Engine::follow_changes
pub struct ChangeFollower {
    shared: Arc<Shared>,
    next: u64,
}

impl ChangeFollower {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let next = shared.recent.begin();
        Self { shared, next }
    }

    /// What happened since the last call, without waiting. Of a change of more than 1,000 events, and when
    /// this was not called for some thousands of them, it says only that something was lost.
    pub fn take(&mut self) -> Changes {
        self.shared.recent.take(&mut self.next)
    }
}

impl Drop for ChangeFollower {
    fn drop(&mut self) {
        self.shared.recent.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AppendOptions, Batch, ChangeKind, Delete, Engine, Event, EventId, Mark, Options, Repeats};

    const LONG: Duration = Duration::from_mins(1);

    fn open(directory: &std::path::Path) -> Engine {
        let mut options = Options::new(directory);
        options.log_size_bytes = crate::LOG_SIZE_BYTES_MIN;
        Engine::open(options).unwrap()
    }

    fn append(engine: &Engine, count: usize) {
        let mut batch = Batch::new();
        for _ in 0..count {
            batch.push(&Event::new("a")).unwrap();
        }
        engine.append(batch, &AppendOptions::default()).unwrap();
    }

    #[test]
    fn a_follower_wakes_at_an_append_and_at_the_close() {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path());
        let follower = &engine.follow();
        let seen = follower.wait(News { visible_sequence: 9, ..News::default() }, LONG);
        assert_eq!(seen, News::default());
        assert_eq!(follower.wait(seen, Duration::from_millis(1)), seen, "nothing happens");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(move || follower.wait(seen, LONG));
            append(&engine, 3);
            assert_eq!(waiting.join().unwrap().visible_sequence, 3);
            let seen = follower.wait(seen, LONG);
            let waiting = scope.spawn(move || follower.wait(seen, LONG));
            engine.close().unwrap();
            assert!(waiting.join().unwrap().closed);
        });
    }

    #[test]
    fn marks_and_deletes_are_heard_in_their_order_live_and_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path());
        append(&engine, 2);
        engine.seal_now().unwrap();
        append(&engine, 2);
        let ids: Vec<_> =
            (1..=4).map(|sequence| engine.snapshot().get_sequence(sequence).unwrap().unwrap().id).collect();
        engine.mark(&[Mark { sequence: 1, acknowledged: true }]).unwrap();
        let mut changes = engine.follow_changes();
        let before = engine.follow().wait(News { closed: true, ..News::default() }, LONG);
        engine.mark(&[Mark { sequence: 3, acknowledged: true }, Mark { sequence: 2, acknowledged: false }]).unwrap();
        engine.delete(&Delete::Sequences(vec![4, 1, 77])).unwrap();
        engine.delete(&Delete::Matching(crate::Filter::All)).unwrap();
        assert_ne!(engine.follow().wait(before, LONG).changes, before.changes);
        let Changes::All(entries) = changes.take() else { panic!("few changes") };
        let heard: Vec<_> = entries.iter().flat_map(|entry| entry.iter()).map(|one| (one.id, one.kind)).collect();
        let (on, off, deleted) = (ChangeKind::Acknowledged(true), ChangeKind::Acknowledged(false), ChangeKind::Deleted);
        assert_eq!(
            heard,
            [(ids[2], on), (ids[1], off), (ids[0], deleted), (ids[3], deleted), (ids[1], deleted), (ids[2], deleted)]
        );
        assert_eq!(changes.take(), Changes::All(Vec::new()));
    }

    fn append_one(engine: &Engine, repeats: Repeats) -> u64 {
        let mut event = Event::new("a");
        event.id = Some(EventId::from_u128(9));
        let mut batch = Batch::new();
        batch.push(&event).unwrap();
        engine.append(batch, &AppendOptions { repeats, ..AppendOptions::default() }).unwrap().sequences.start
    }

    #[test]
    fn a_change_names_the_one_event_of_several_with_its_id() {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path());
        let mut changes = engine.follow_changes();
        // Deleted and there again before anybody looks.
        append_one(&engine, Repeats::Skip);
        engine.delete(&Delete::Sequences(vec![1])).unwrap();
        assert_eq!(append_one(&engine, Repeats::Skip), 2);
        // Replaced live, then sealed.
        assert_eq!(append_one(&engine, Repeats::Replace), 3);
        engine.seal_now().unwrap();
        assert_eq!(append_one(&engine, Repeats::Replace), 4);
        engine.mark(&[Mark { sequence: 4, acknowledged: true }]).unwrap();
        let Changes::All(entries) = changes.take() else { panic!("few changes") };
        let heard: Vec<_> = entries.iter().flat_map(|entry| entry.iter()).collect();
        assert!(heard.iter().all(|one| one.id == EventId::from_u128(9)));
        let heard: Vec<_> = heard.iter().map(|one| (one.sequence, one.kind)).collect();
        let deleted = ChangeKind::Deleted;
        assert_eq!(heard, [(1, deleted), (2, deleted), (3, deleted), (4, ChangeKind::Acknowledged(true))]);
    }

    #[test]
    fn a_change_of_very_many_events_is_not_told_one_by_one() {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path());
        let mut changes = engine.follow_changes();
        append(&engine, 1_000);
        engine.delete(&Delete::Matching(crate::Filter::All)).unwrap();
        assert!(
            matches!(changes.take(), Changes::All(entries) if entries.iter().map(|one| one.len()).sum::<usize>() == 1_000)
        );
        append(&engine, 1_001);
        engine.delete(&Delete::Matching(crate::Filter::All)).unwrap();
        assert_eq!(changes.take(), Changes::Lost);
    }
}
