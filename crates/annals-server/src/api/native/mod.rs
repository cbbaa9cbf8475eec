//! The native API (`docs/api.md`, "Native"): everything the store can do, under its own names.

mod about;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod bell;
pub(crate) mod compact;
mod document;
pub(crate) mod health;
pub(crate) mod holds;
pub(crate) mod ingest;
pub(crate) mod item;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod me;
pub(crate) mod notifications;
mod query;
pub(crate) mod retention;
pub(crate) mod segments;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod tail;
pub(crate) mod users;
pub(crate) mod values;
pub(crate) mod verify;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::auth::Access::{AnyKey, Needs, NeedsWholeStore, Open};
use crate::auth::Scope;
use crate::error::Failure;
use crate::face::{Face, Refused, Slash};
use crate::routes::{Route, route_table};

/// Owns every path that no other face owns.
pub(crate) static FACE: Face = Face {
    name: "native",
    about: "Everything the store can do, under its own names.",
    owns: |_path| true,
    routes: ROUTES,
    mounts: &[""],
    slash: Slash::Either,
    challenge: "Bearer",
    caller: None,
    refusal,
    schemas: about::schemas,
};

static ROUTES: &[Route] = route_table! {
    GET    "/annals/v1/events"                    Needs(Scope::EventsRead)      => list::list, about::list;
    POST   "/annals/v1/events"                    Needs(Scope::EventsCreate)    => ingest::ingest, about::ingest;
    DELETE "/annals/v1/events"                    Needs(Scope::EventsDelete)    => list::delete, about::delete_matching;
    GET    "/annals/v1/events/{id}"               Needs(Scope::EventsRead)      => item::get, about::get;
    DELETE "/annals/v1/events/{id}"               Needs(Scope::EventsDelete)    => item::delete, about::delete;
    POST   "/annals/v1/events/{id}/acknowledge"   Needs(Scope::EventsUpdate)    => item::acknowledge, about::acknowledge;
    POST   "/annals/v1/events/{id}/unacknowledge" Needs(Scope::EventsUpdate)    => item::unacknowledge, about::unacknowledge;
    GET    "/annals/v1/stats"                     Needs(Scope::EventsRead)      => stats::stats, about::stats;
    GET    "/annals/v1/values"                    Needs(Scope::EventsRead)      => values::values, about::look::values;
    GET    "/annals/v1/me"                        AnyKey                        => me::me, about::look::me;
    GET    "/annals/v1/tail"                      Needs(Scope::EventsRead)      => tail::tail, about::follow::tail;
    GET    "/annals/v1/retention"                 NeedsWholeStore(Scope::EventsRetention) => retention::get, about::retention::get;
    PUT    "/annals/v1/retention"                 NeedsWholeStore(Scope::EventsRetention) => retention::put, about::retention::put;
    POST   "/annals/v1/retention/preview"         NeedsWholeStore(Scope::EventsRetention) => retention::preview, about::retention::preview;
    GET    "/annals/v1/holds"                     NeedsWholeStore(Scope::EventsRetention) => holds::list, about::holds::list;
    PUT    "/annals/v1/holds/{name}"              NeedsWholeStore(Scope::EventsRetention) => holds::place, about::holds::place;
    DELETE "/annals/v1/holds/{name}"              NeedsWholeStore(Scope::EventsRetention) => holds::release, about::holds::release;
    GET    "/annals/v1/notifications"             Needs(Scope::NotificationsRead) => bell::list, about::notifications::list;
    POST   "/annals/v1/notifications/read-all"    Needs(Scope::NotificationsRead) => bell::mark_all_read, about::notifications::mark_all_read;
    POST   "/annals/v1/notifications/{id}/read"   Needs(Scope::NotificationsRead) => bell::mark_read, about::notifications::mark_read;
    POST   "/annals/v1/notifications"             Needs(Scope::NotificationsWrite) => notifications::publish, about::notifications::publish;
    PATCH  "/annals/v1/notifications/{id}"        Needs(Scope::NotificationsWrite) => notifications::change, about::notifications::change;
    DELETE "/annals/v1/notifications/{id}"        Needs(Scope::NotificationsWrite) => notifications::withdraw, about::notifications::withdraw;
    GET    "/annals/v1/keys"                      NeedsWholeStore(Scope::Admin) => keys::list, about::admin::list_keys;
    POST   "/annals/v1/keys"                      NeedsWholeStore(Scope::Admin) => keys::create, about::admin::create_key;
    DELETE "/annals/v1/keys/{id}"                 NeedsWholeStore(Scope::Admin) => keys::delete, about::admin::delete_key;
    GET    "/annals/v1/users"                     NeedsWholeStore(Scope::Admin) => users::list, about::admin::list_users;
    POST   "/annals/v1/users"                     NeedsWholeStore(Scope::Admin) => users::create, about::admin::create_user;
    DELETE "/annals/v1/users/{username}"          NeedsWholeStore(Scope::Admin) => users::delete, about::admin::delete_user;
    GET    "/annals/v1/audit"                     NeedsWholeStore(Scope::AuditRead) => audit::list, about::audit;
    GET    "/annals/v1/store"                     NeedsWholeStore(Scope::Admin) => store::store, about::admin::store;
    GET    "/annals/v1/segments"                  NeedsWholeStore(Scope::Admin) => segments::segments, about::look::segments;
    POST   "/annals/v1/verify"                    NeedsWholeStore(Scope::Admin) => verify::verify, about::admin::verify;
    POST   "/annals/v1/admin/backup"              NeedsWholeStore(Scope::Admin) => backup::create, about::admin::backup;
    POST   "/annals/v1/admin/compact"             NeedsWholeStore(Scope::Admin) => compact::compact, about::admin::compact;
    GET    "/healthz"                             Open                          => health::alive, about::alive;
    GET    "/readyz"                              Open                          => health::ready, about::ready;
    GET    "/"                                    Open                          => document::start, about::start;
    GET    "/openapi/{document}"                  Open                          => document::openapi, about::openapi;
    GET    "/docs"                                Open                          => document::index, about::docs;
    GET    "/docs/{face}"                         Open                          => document::face, about::docs_of_face;
};

fn refusal(failure: &Failure, refused: &Refused<'_>) -> (StatusCode, Value) {
    let error = json!({"error": {
        "code": failure.code,
        "message": failure.message,
        "request_id": refused.request_id,
    }});
    (failure.status, error)
}
