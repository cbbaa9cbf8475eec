//! What is counted of requests and connections, and `/metrics`, which shows that and the store's figures.
//!
//! Labels hold words of this program only, never what clients send: a family has as many series as the code allows.

mod collect;
mod expose;
mod process;
mod sheet;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use annals_engine::{Histogram, HistogramFigures};
use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::auth::{Access, Scope};

pub use expose::metrics_router;

/// What kind of work a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Lists, single events, totals, statistics, tails.
    Query,
    /// Appends.
    Ingest,
    /// Marks, deletes, clean-ups, notifications.
    Change,
    /// Keys, users, backups and whatever else is for administrators.
    Admin,
    /// Health, documents, logins.
    Open,
    /// No route at all.
    Unknown,
}

impl Class {
    const ALL: [(Self, &str); 6] = [
        (Self::Query, "query"),
        (Self::Ingest, "ingest"),
        (Self::Change, "change"),
        (Self::Admin, "admin"),
        (Self::Open, "open"),
        (Self::Unknown, "unknown"),
    ];

    /// The class of a route, which follows from what it asks of its caller.
    pub(crate) fn of(access: Access, method: &Method) -> Self {
        let scope = match access {
            Access::Open => return Self::Open,
            Access::AnyKey => return Self::Query,
            Access::Needs(scope) | Access::NeedsWholeStore(scope) => scope,
        };
        match scope {
            Scope::Admin => Self::Admin,
            Scope::EventsCreate => Self::Ingest,
            Scope::EventsRead | Scope::NotificationsRead | Scope::AuditRead if method == Method::GET => Self::Query,
            _ => Self::Change,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("unknown", |(_, name)| name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    face: &'static str,
    class: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// What is counted outside of the engine, since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Family<Answered, Counter>,
    refused: Family<Refused, Counter>,
    /// By class, in the order of [`Class::ALL`].
    request_time: [Histogram; Class::ALL.len()],
    query_time: Histogram,
    slow_queries: AtomicU64,
    retention_deleted: AtomicU64,
    connections: AtomicU64,
    connections_opened: AtomicU64,
    connections_refused: AtomicU64,
}

/// A connection that is counted as open until it is dropped.
pub(crate) struct OpenConnection(crate::state::AppState);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.metrics().connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl OpenConnection {
    pub(crate) fn count(state: &crate::state::AppState) -> Self {
        let metrics = state.metrics();
        metrics.connections.fetch_add(1, Ordering::Relaxed);
        metrics.connections_opened.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }
}

impl Metrics {
    /// Counts a request that was answered.
    pub(crate) fn answered(&self, face: &'static str, class: Class, status: u16, took: Duration) {
        self.requests.get_or_create(&Answered { face, class: class.name(), status }).inc();
        let of_class = Class::ALL.iter().zip(&self.request_time).find(|((held, _), _)| *held == class);
        if let Some((_, histogram)) = of_class {
            histogram.observe(took);
        }
    }

    /// Counts a refusal by its code.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refused { reason }).inc();
    }

    pub(crate) fn query(&self, took: Duration) {
        self.query_time.observe(took);
    }

    pub(crate) fn slow_query(&self) {
        self.slow_queries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retention_deleted(&self, events: u64) {
        self.retention_deleted.fetch_add(events, Ordering::Relaxed);
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    fn request_times(&self) -> impl Iterator<Item = (&'static str, HistogramFigures)> {
        Class::ALL.iter().zip(&self.request_time).map(|((_, name), histogram)| (*name, histogram.figures()))
    }
}
