//! The one table of routes: face, method, path, what it asks of its caller, handler.
//!
//! A path answers with and without a trailing slash. A path that is not in the table is 404, a method
//! that is not is 405, key or not; HEAD is answered wherever GET is.

use std::future::Future;
use std::pin::Pin;

use axum::http::Method;

use crate::api::{hoody, native};
use crate::auth::Access::{self, Needs, NeedsWholeStore, Open};
use crate::auth::Scope;
use crate::error::Answer;
use crate::face::Face;
use crate::request::Request;

/// Answers one call.
pub(crate) type Handler = fn(Request) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One line of the table.
pub(crate) struct Route {
    pub(crate) face: &'static Face,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: Handler,
}

/// The faces, the one that owns every remaining path last.
pub(crate) static FACES: &[&Face] = &[&hoody::FACE, &native::FACE];

/// The face whose errors an unknown path gets.
pub(crate) fn face_of(path: &str) -> &'static Face {
    FACES.iter().find(|face| (face.owns)(path)).copied().unwrap_or(&native::FACE)
}

macro_rules! table {
    ($($face:ident $method:ident $path:literal $access:expr => $($handler:ident)::+;)+) => {
        /// Every route there is.
        pub(crate) static TABLE: &[Route] = &[$(Route {
            face: &$face::FACE,
            method: Method::$method,
            path: $path,
            access: $access,
            handler: |request| Box::pin($face::$($handler)::+(request)),
        },)+];
    };
}

table! {
    hoody GET    "/api/v1/events"                        Needs(Scope::EventsRead)      => list;
    hoody DELETE "/api/v1/events"                        Needs(Scope::EventsDelete)    => bulk_delete;
    hoody GET    "/api/v1/events/stats"                  Needs(Scope::EventsRead)      => stats;
    hoody POST   "/api/v1/events/cleanup"                Needs(Scope::EventsRetention) => cleanup;
    hoody GET    "/api/v1/events/{id}"                   Needs(Scope::EventsRead)      => get;
    hoody DELETE "/api/v1/events/{id}"                   Needs(Scope::EventsDelete)    => delete;

    native GET    "/annals/v1/events"                    Needs(Scope::EventsRead)      => list::list;
    native POST   "/annals/v1/events"                    Needs(Scope::EventsCreate)    => ingest::ingest;
    native DELETE "/annals/v1/events"                    Needs(Scope::EventsDelete)    => list::delete;
    native GET    "/annals/v1/events/{id}"               Needs(Scope::EventsRead)      => item::get;
    native DELETE "/annals/v1/events/{id}"               Needs(Scope::EventsDelete)    => item::delete;
    native POST   "/annals/v1/events/{id}/acknowledge"   Needs(Scope::EventsUpdate)    => item::acknowledge;
    native POST   "/annals/v1/events/{id}/unacknowledge" Needs(Scope::EventsUpdate)    => item::unacknowledge;
    native GET    "/annals/v1/stats"                     Needs(Scope::EventsRead)      => stats::stats;
    native GET    "/annals/v1/tail"                      Needs(Scope::EventsRead)      => tail::tail;
    native GET    "/annals/v1/keys"                      NeedsWholeStore(Scope::Admin) => keys::list;
    native POST   "/annals/v1/keys"                      NeedsWholeStore(Scope::Admin) => keys::create;
    native DELETE "/annals/v1/keys/{id}"                 NeedsWholeStore(Scope::Admin) => keys::delete;
    native POST   "/annals/v1/verify"                    NeedsWholeStore(Scope::Admin) => verify::verify;
    native GET    "/healthz"                             Open                          => health::alive;
    native GET    "/readyz"                              Open                          => health::ready;
}

/// A line of the route table, for documents and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// The face it belongs to.
    pub face: &'static str,
    /// The method; a GET is a HEAD too.
    pub method: &'static str,
    /// The path, open parts in braces.
    pub path: &'static str,
    /// The scope a key needs; `None` for an open route.
    pub scope: Option<&'static str>,
    /// Whether a key limited to realms or organisations is refused.
    pub whole_store: bool,
}

/// Every route of [`crate::router`].
pub fn routes() -> Vec<RouteInfo> {
    let info = |route: &'static Route| RouteInfo {
        face: route.face.name,
        method: route.method.as_str(),
        path: route.path,
        scope: match route.access {
            Open => None,
            Needs(scope) | NeedsWholeStore(scope) => Some(scope.name()),
        },
        whole_store: matches!(route.access, NeedsWholeStore(_)),
    };
    TABLE.iter().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_health_routes_are_open() {
        let open: Vec<_> = TABLE.iter().filter(|route| route.access == Open).map(|route| route.path).collect();
        assert_eq!(open, ["/healthz", "/readyz"]);
    }

    #[test]
    fn what_an_administrator_alone_may_do_concerns_the_whole_store() {
        for route in TABLE {
            assert_ne!(route.access, Needs(Scope::Admin), "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn every_route_lies_in_its_faces_path_space() {
        for route in TABLE {
            assert_eq!(face_of(route.path).name, route.face.name, "{}", route.path);
        }
    }

    #[test]
    fn no_route_is_there_twice() {
        for (index, route) in TABLE.iter().enumerate() {
            let twin = TABLE[..index].iter().find(|other| (other.path, &other.method) == (route.path, &route.method));
            assert!(twin.is_none(), "{} {}", route.method, route.path);
        }
    }
}
