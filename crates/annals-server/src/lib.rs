//! The HTTP server of the Annals event store: documented APIs ("faces") over one store, and its own.
//!
//! [`router`] gives the answers as a service without a socket, [`serve`] puts it on one. The crate
//! holds no rule about segments and no query of its own: it parses, authorises, calls
//! `annals-query` or `annals-engine` off the async threads, and shapes. `docs/api.md` lists every
//! route with its source.
#![forbid(unsafe_code)]

mod api;
mod append;
mod auth;
mod body;
mod config;
mod damage;
mod deed;
mod error;
mod face;
mod gap;
mod heads;
mod hub;
mod idempotency;
mod inline;
mod internal;
mod members;
mod metrics;
mod offline;
mod openapi;
mod pages;
mod params;
mod patience;
mod pieces;
mod rates;
mod readings;
mod reload;
mod request;
mod retention;
mod router;
mod routes;
mod serve;
pub mod settings;
mod state;
mod tls;
mod trace;
mod ui;
mod unread;

pub use config::{
    Build, DIRECTORY_DEFAULT, EngineSettings, FaceSettings, LISTEN_DEFAULT, Limits, LogSettings, ServerConfig,
    TlsSettings,
};
pub use damage::report_json;
pub use error::{Error, Result};
pub use inline::runtime;
pub use internal::FOLDER as INTERNAL_FOLDER;
pub use metrics::metrics_router;
pub use offline::{StoreHolds, StoreKeys, StoreUsers, UserInfo, UserSettings};
pub use router::router;
pub use routes::{RouteInfo, routes};
pub use serve::{run, serve, serve_tls};
pub use state::{AppState, Setup};
pub use tls::Tls;
