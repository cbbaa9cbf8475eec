//! The latest changes of stored events, in memory, for those who follow a store as it changes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::catalog::Snapshot;
use crate::changes::ChosenRows;
use crate::error::Result;
use crate::event::StoredEvent;
use crate::field::Field;
use crate::filter::TenantScope;
use crate::id::EventId;
use crate::threading::Mutex;

/// The most events of one change that are told one by one: of more, reading them anew is cheaper.
pub(crate) const EVENTS_OF_A_CHANGE_MAX: u64 = 1_000;
/// The most events that are kept: several of the largest changes.
const EVENTS_MAX: usize = 4_096;
/// The most bytes of realms and organisations that are kept beside the ids.
const SIZE_BYTES_MAX: usize = 4 << 20;

/// What happened to a stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was marked as taken note of, or the mark was taken back.
    Acknowledged(bool),
    /// What a notification says about its showing was amended.
    Amended,
    /// It was deleted, or replaced: the event that took its place is another one with the same id.
    Deleted,
}

/// A change of one stored event. Who may hear of it was settled while the event was still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event's id. Others before or after it may have the same one.
    pub id: EventId,
    /// The event: of several with one id, this one.
    pub sequence: u64,
    /// What happened to it.
    pub kind: ChangeKind,
    realm_ids: Vec<String>,
    org_id: Option<String>,
}

impl Change {
    fn new(event: &StoredEvent, kind: ChangeKind) -> Self {
        let realm_ids = event.realm_ids().map(str::to_owned).collect();
        Self {
            id: event.id,
            sequence: event.sequence,
            kind,
            realm_ids,
            org_id: event.get(Field::OrgId).map(str::to_owned),
        }
    }

    /// Whether `scope` sees the event, or saw it before it was deleted.
    pub fn is_seen_by(&self, scope: &TenantScope) -> bool {
        scope.sees(self.realm_ids.iter().map(String::as_str), self.org_id.as_deref())
    }

    fn size_bytes(&self) -> usize {
        self.realm_ids.iter().chain(&self.org_id).map(String::len).sum()
    }
}

/// The events of one change; `None` if they were too many or could not be read.
type Entry = Option<Arc<[Change]>>;

/// The latest changes, as far back as they fit. Kept only while somebody follows.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    followers: usize,
    /// The number of the first entry; entries are numbered in the order of the changes.
    first: u64,
    entries: VecDeque<Entry>,
    events: usize,
    size_bytes: usize,
}

/// What a follower has not heard yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These, in the order they happened.
    All(Vec<Arc<[Change]>>),
    /// More than are kept: what the follower holds may be out of date anywhere.
    Lost,
}

impl Recent {
    /// Keeps changes from now on; gives the number of the first that is kept.
    pub(crate) fn begin(&self) -> u64 {
        let mut ring = self.0.lock();
        ring.followers += 1;
        ring.end()
    }

    /// One follower less; without any nothing is kept.
    pub(crate) fn end(&self) {
        let mut ring = self.0.lock();
        ring.followers = ring.followers.saturating_sub(1);
        if ring.followers == 0 {
            *ring = Ring { first: ring.end(), ..Ring::default() };
        }
    }

    /// Keeps a change whose effect is visible already; `before` is the view it was chosen from. Whether
    /// it was kept: without a follower it is not even read.
    ///
    /// The caller holds the control lock, so that entries come in the order of the changes.
    pub(crate) fn note(&self, before: &Snapshot, chosen: &ChosenRows, kind: ChangeKind) -> bool {
        // ORDER: asked behind the change of the catalog. Who begins to follow later reads the catalog later.
        if self.0.lock().followers == 0 {
            return false;
        }
        let few = chosen.len() <= EVENTS_OF_A_CHANGE_MAX;
        // What cannot be read cannot be told; the change itself stands.
        let changes = if few { read(before, chosen, kind).ok() } else { None };
        self.0.lock().push(changes.map(Arc::from));
        true
    }

    /// Keeps that more changed than can be told.
    pub(crate) fn note_many(&self) -> bool {
        let mut ring = self.0.lock();
        if ring.followers == 0 {
            return false;
        }
        ring.push(None);
        true
    }

    /// What happened from entry `next` on; moves `next` behind it.
    pub(crate) fn take(&self, next: &mut u64) -> Changes {
        let ring = self.0.lock();
        let from = std::mem::replace(next, ring.end());
        let Some(skip) = from.checked_sub(ring.first).and_then(|skip| usize::try_from(skip).ok()) else {
            return Changes::Lost;
        };
        let entries: Option<Vec<_>> = ring.entries.iter().skip(skip).cloned().collect();
        entries.map_or(Changes::Lost, Changes::All)
    }
}

impl Ring {
    /// The number of the entry that comes next.
    fn end(&self) -> u64 {
        self.first + crate::codec::len_u64(self.entries.len())
    }

    fn push(&mut self, entry: Entry) {
        let (events, size_bytes) = weight(&entry);
        self.events += events;
        self.size_bytes += size_bytes;
        self.entries.push_back(entry);
        while self.events > EVENTS_MAX || self.size_bytes > SIZE_BYTES_MAX || self.entries.len() > EVENTS_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            let (events, size_bytes) = weight(&oldest);
            self.events -= events;
            self.size_bytes -= size_bytes;
            self.first += 1;
        }
    }
}

fn weight(entry: &Entry) -> (usize, usize) {
    entry.as_ref().map_or((0, 0), |changes| (changes.len(), changes.iter().map(Change::size_bytes).sum()))
}

/// The chosen events as they were before the change.
fn read(before: &Snapshot, chosen: &ChosenRows, kind: ChangeKind) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for entry in &before.catalog.sealed {
        for row in chosen.sealed.get(&entry.entry.id).into_iter().flatten() {
            changes.push(Change::new(&entry.part.event(row)?, kind));
        }
    }
    for entry in &before.catalog.live {
        for row in chosen.live.get(&entry.segment.log_id).into_iter().flatten() {
            let found = before.get_sequence(entry.segment.sequence_of(row))?;
            changes.extend(found.map(|event| Change::new(&event, kind)));
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: u128, realm: &str) -> Change {
        let realm_ids = vec![realm.to_owned()];
        Change { id: EventId::from_u128(number), sequence: 1, kind: ChangeKind::Deleted, realm_ids, org_id: None }
    }

    fn push(recent: &Recent, changes: Vec<Change>) {
        recent.0.lock().push(Some(changes.into()));
    }

    fn taken(recent: &Recent, next: &mut u64) -> usize {
        match recent.take(next) {
            Changes::All(entries) => entries.iter().map(|entry| entry.len()).sum(),
            Changes::Lost => usize::MAX,
        }
    }

    #[test]
    fn a_follower_hears_each_change_once() {
        let recent = Recent::default();
        let mut next = recent.begin();
        assert_eq!(taken(&recent, &mut next), 0);
        push(&recent, vec![change(1, "r"), change(2, "r")]);
        push(&recent, vec![change(3, "r")]);
        assert_eq!((taken(&recent, &mut next), taken(&recent, &mut next)), (3, 0));
        let mut later = recent.begin();
        push(&recent, vec![change(4, "r")]);
        assert_eq!((taken(&recent, &mut next), taken(&recent, &mut later)), (1, 1));
    }

    #[test]
    fn who_falls_behind_is_told_and_goes_on() {
        let recent = Recent::default();
        let mut next = recent.begin();
        for number in 0..=EVENTS_MAX {
            push(&recent, vec![change(u128::try_from(number).unwrap(), "r")]);
        }
        assert_eq!(recent.take(&mut next), Changes::Lost);
        push(&recent, vec![change(7, "r")]);
        assert_eq!(taken(&recent, &mut next), 1);
        push(&recent, vec![change(8, &"r".repeat(SIZE_BYTES_MAX + 1))]);
        assert_eq!(recent.take(&mut next), Changes::Lost);
        assert!(recent.note_many());
        assert_eq!(recent.take(&mut next), Changes::Lost);
        assert_eq!(taken(&recent, &mut next), 0);
    }

    #[test]
    fn without_followers_nothing_is_kept() {
        let recent = Recent::default();
        assert!(!recent.note_many());
        let mut next = recent.begin();
        push(&recent, vec![change(1, "r")]);
        recent.end();
        assert!(recent.0.lock().entries.is_empty());
        assert_eq!(recent.take(&mut next), Changes::Lost, "it was not followed all the time");
    }

    #[test]
    fn realms_and_organisations_decide_who_hears() {
        let mut seen = change(1, "r");
        seen.org_id = Some("o".to_owned());
        let scope =
            |realm: &str, org: &str| TenantScope::Limited { realms: vec![realm.into()], orgs: vec![org.into()] };
        assert!(seen.is_seen_by(&TenantScope::Unlimited));
        assert!(seen.is_seen_by(&scope("r", "x")) && seen.is_seen_by(&scope("x", "o")));
        assert!(!seen.is_seen_by(&scope("o", "r")));
    }
}
