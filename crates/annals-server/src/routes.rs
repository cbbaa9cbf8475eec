//! The one table of routes: that of every face, with what each asks of its caller.
//!
//! A path that is in no face's routes is 404, a method that is not is 405, key or not; HEAD is answered
//! wherever GET is.

use std::future::Future;
use std::pin::Pin;

use axum::http::Method;

use crate::api;
use crate::auth::Access;
use crate::auth::Access::{AnyKey, Needs, NeedsWholeStore, Open};
use crate::config::FaceSettings;
use crate::error::Answer;
use crate::face::Face;
use crate::openapi::Operation;
use crate::request::Request;

/// Every face, the one that owns every remaining path last. A face is added here, and nowhere else.
#[rustfmt::skip]
pub(crate) static FACES: &[&Face] = &[
    &api::orgs::FACE,
    &api::hoody::FACE,
    &api::deltafi::FACE,
    &api::waldur::FACE,
    &api::audit::FACE,
    &api::native::FACE,
];

/// Answers one call.
pub(crate) type Handler = fn(Request) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One line of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Open parts in braces; the face's mounts come before it.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: Handler,
    /// What the route takes and answers, for its document.
    pub(crate) about: fn() -> Operation,
}

/// The routes of a face, a line each: method, path, access, handler, description.
macro_rules! route_table {
    ($($method:ident $path:literal $access:expr => $($handler:ident)::+, $($about:ident)::+;)+) => {
        &[$($crate::routes::Route {
            method: ::axum::http::Method::$method,
            path: $path,
            access: $access,
            handler: |request| Box::pin($($handler)::+(request)),
            about: $($about)::+,
        },)+]
    };
}
pub(crate) use route_table;

/// The face whose refusals an unknown path gets.
pub(crate) fn face_of(path: &str) -> &'static Face {
    FACES.iter().find(|face| (face.owns)(path)).copied().unwrap_or(&api::native::FACE)
}

/// Every route that is switched on, with its face and its whole path.
pub(crate) fn table(settings: &FaceSettings) -> impl Iterator<Item = (&'static Face, String, &'static Route)> {
    let on = FACES.iter().copied().filter(|face| !settings.off.iter().any(|name| name == face.name));
    on.flat_map(|face| {
        let mounted = |mount: &&str| {
            face.routes.iter().map(|route| (face, format!("{mount}{}", route.path), route)).collect::<Vec<_>>()
        };
        face.mounts.iter().flat_map(mounted).collect::<Vec<_>>()
    })
}

/// A line of the route table, for documents and tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// The face it belongs to.
    pub face: &'static str,
    /// The method; a GET is a HEAD too.
    pub method: &'static str,
    /// The path, open parts in braces.
    pub path: String,
    /// Whether it answers without a key.
    pub open: bool,
    /// The scope a key needs; `None` for an open route and for one that any key may call.
    pub scope: Option<&'static str>,
    /// Whether a key limited to realms or organisations is refused.
    pub whole_store: bool,
}

/// Every route of [`crate::router`] with all faces on.
pub fn routes() -> Vec<RouteInfo> {
    let info = |(face, path, route): (&Face, String, &'static Route)| RouteInfo {
        face: face.name,
        method: route.method.as_str(),
        path,
        open: route.access == Open,
        scope: match route.access {
            Open | AnyKey => None,
            Needs(scope) | NeedsWholeStore(scope) => Some(scope.name()),
        },
        whole_store: matches!(route.access, NeedsWholeStore(_)),
    };
    table(&FaceSettings::default()).map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scope;

    fn all() -> Vec<(&'static Face, String, &'static Route)> {
        table(&FaceSettings::default()).collect()
    }

    #[test]
    fn only_what_is_for_everybody_is_open() {
        let open: Vec<_> =
            all().into_iter().filter(|(_, _, route)| route.access == Open).map(|(_, path, _)| path).collect();
        let expected = [
            "/api/v1/notifications/public",
            "/v1/auth/token",
            "/healthz",
            "/readyz",
            "/",
            "/openapi/{document}",
            "/docs",
            "/docs/{face}",
        ];
        assert_eq!(open, expected);
    }

    #[test]
    fn what_an_administrator_alone_may_do_concerns_the_whole_store() {
        for (_, path, route) in all() {
            assert_ne!(route.access, Needs(Scope::Admin), "{} {path}", route.method);
        }
    }

    #[test]
    fn every_route_lies_in_its_faces_path_space() {
        for (face, path, _) in all() {
            assert_eq!(face_of(&path).name, face.name, "{path}");
        }
    }

    #[test]
    fn no_route_is_there_twice() {
        let all = all();
        for (index, (_, path, route)) in all.iter().enumerate() {
            let twin = all[..index].iter().find(|(_, other, held)| (other, &held.method) == (path, &route.method));
            assert!(twin.is_none(), "{} {path}", route.method);
        }
    }

    #[test]
    fn a_face_that_is_off_has_no_routes() {
        let settings = FaceSettings { off: vec!["hoody".to_owned()], ..FaceSettings::default() };
        assert!(table(&settings).all(|(face, _, _)| face.name != "hoody"));
        assert!(table(&settings).count() > 0);
    }
}
