//! What runs behind one tail: it reads the store whenever there is something new and its client has
//! taken what it was sent. The store keeps what a slow client has not read, so nobody waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use annals_engine::{ChangeFollower, Changes, News, TenantScope};
use annals_query::{Query, append_order, holes};
use axum::http::HeaderMap;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep};

use super::wire;
use crate::api::native;
use crate::auth::{self, Access, Scope};
use crate::error::{Answer, Failure};
use crate::state::AppState;

/// A pause before a read is tried again that found too many others at work.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What a tail shows.
pub(super) struct Asked {
    pub(super) query: Query,
    pub(super) selection: Option<annals_json::Selection>,
    pub(super) tenant: TenantScope,
}

/// One tail.
pub(super) struct Stream {
    pub(super) state: AppState,
    /// They hold the key, which may be revoked or expire.
    pub(super) headers: HeaderMap,
    pub(super) asked: Arc<Asked>,
    /// Everything up to this sequence was sent.
    pub(super) position: u64,
    pub(super) changes: Option<ChangeFollower>,
    pub(super) news: watch::Receiver<News>,
    pub(super) sender: mpsc::Sender<std::io::Result<Bytes>>,
}

/// A step of the way.
struct Step {
    bytes: Vec<u8>,
    position: u64,
    /// Whether the store had no more when it was read.
    at_end: bool,
}

/// The client has gone, or the store is closed.
struct Over;

impl Stream {
    /// Sends until the client goes, the key ends or the server stops.
    pub(super) async fn run(mut self, start: Vec<u8>) {
        let mut draining = self.state.draining();
        let sender = self.sender.clone();
        tokio::select! {
            _ = self.follow(start) => {}
            () = sender.closed() => {}
            _ = draining.wait_for(|draining| *draining) => {}
        }
    }

    async fn follow(&mut self, start: Vec<u8>) -> Result<(), Over> {
        self.send(start).await?;
        let mut silence = self.silence();
        loop {
            let news = *self.news.borrow_and_update();
            let step = match self.step().await {
                Err(failure) if failure.code == "busy" => {
                    sleep(BUSY_PAUSE).await;
                    continue;
                }
                Err(failure) => {
                    let mut bytes = Vec::new();
                    wire::end(&mut bytes, &failure);
                    return self.send(bytes).await;
                }
                Ok(step) => step,
            };
            self.position = step.position;
            if !step.bytes.is_empty() {
                self.send(step.bytes).await?;
                silence = self.silence();
            }
            if !step.at_end {
                continue;
            }
            if news.closed {
                return Err(Over);
            }
            tokio::select! {
                moved = self.news.changed() => moved.map_err(|_closed| Over)?,
                () = &mut silence => {
                    silence = self.silence();
                    self.keep_alive().await?;
                }
            }
        }
    }

    /// Over when the client must hear something again.
    fn silence(&self) -> Pin<Box<Sleep>> {
        Box::pin(sleep(self.state.limits().tail_keep_alive))
    }

    /// The position moves with events that do not match too: who comes back need not go through them again.
    async fn keep_alive(&self) -> Result<(), Over> {
        let mut bytes = Vec::new();
        wire::position(&mut bytes, self.position);
        self.send(bytes).await
    }

    async fn send(&self, bytes: Vec<u8>) -> Result<(), Over> {
        self.sender.send(Ok(bytes.into())).await.map_err(|_gone| Over)
    }

    /// Reads on from the position, for a key that is still good.
    async fn step(&mut self) -> Answer<Step> {
        let access = Access::Needs(Scope::EventsRead);
        let caller = auth::authorise(&self.state, &native::FACE, access, &self.headers, None)?;
        if caller.tenant != self.asked.tenant {
            return Err(Failure::forbidden("the caller sees other events than before: connect again"));
        }
        let (asked, from) = (Arc::clone(&self.asked), self.position.saturating_add(1));
        let mut step = self.state.read(move |state| read(state, &asked, from)).await?;
        // ORDER: behind the events. Of an event that was read as it was before a change, the change follows.
        if let Some(changes) = &mut self.changes {
            write_changes(&mut step.bytes, changes.take(), &self.asked.tenant);
        }
        Ok(step)
    }
}

/// The events from sequence `from` on.
fn read(state: &AppState, asked: &Asked, from: u64) -> Answer<Step> {
    let snapshot = state.engine().snapshot();
    let end = snapshot.visible_sequence().saturating_add(1);
    let tail = append_order(&snapshot, &asked.query, from, &*state.expiry())?;
    // If it did not move, no part has anything from here on.
    let next = if tail.next_sequence == from { end.max(from) } else { tail.next_sequence };
    let mut gone = holes(&snapshot, from..next).into_iter().peekable();
    let mut bytes = Vec::new();
    for event in &tail.events {
        while let Some(gap) = gone.next_if(|gap| gap.start < event.sequence) {
            wire::gap(&mut bytes, &gap);
        }
        wire::event(&mut bytes, event, asked.selection.as_ref());
    }
    for gap in gone {
        wire::gap(&mut bytes, &gap);
    }
    Ok(Step { bytes, position: next - 1, at_end: next >= end })
}

fn write_changes(out: &mut Vec<u8>, changes: Changes, tenant: &TenantScope) {
    match changes {
        Changes::Lost => wire::reset(out, "more changed than is told one by one"),
        Changes::All(entries) => {
            for change in entries.iter().flat_map(|entry| entry.iter()).filter(|change| change.is_seen_by(tenant)) {
                wire::change(out, change);
            }
        }
    }
}
