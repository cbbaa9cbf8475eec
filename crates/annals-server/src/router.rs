//! From a request to its handler and back: limits, method, key, scope, in this order.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use hyper::body::Body as _;

use crate::auth;
use crate::error::{Answer, Failure};
use crate::params::Params;
use crate::request::{self, Request};
use crate::routes::{Route, TABLE, face_of};
use crate::state::AppState;

/// The server's answers as a service, usable without a socket.
///
/// Put `axum::extract::ConnectInfo<SocketAddr>` into a request's extensions to have wrong keys
/// counted by address.
pub fn router(state: AppState) -> Router {
    let mut app = Router::new();
    let mut paths: Vec<&'static str> = TABLE.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        let routes: Arc<[&'static Route]> = TABLE.iter().filter(|route| route.path == path).collect();
        let shared = state.clone();
        let service = any(move |request: axum::extract::Request| answer(shared.clone(), Arc::clone(&routes), request));
        app = app.route(path, service.clone()).route(&format!("{path}/"), service);
    }
    app.fallback(move |request: axum::extract::Request| answer(state.clone(), Arc::from([]), request))
}

/// Answers a request to a path with these routes; none: the path is unknown.
async fn answer(state: AppState, routes: Arc<[&'static Route]>, request: axum::extract::Request) -> Response {
    let started = state.clock().monotonic();
    let (parts, body) = request.into_parts();
    let request_id = request::request_id(&state, &parts.headers);
    let method = parts.method.clone();
    let known = routes.first();
    let face = known.map_or_else(|| face_of(parts.uri.path()), |route| route.face);
    let answer = handle(&state, &routes, parts, body).await;
    let response = answer.unwrap_or_else(|failure| {
        tracing::debug!(code = failure.code, request_id, "refused");
        face.fail(&failure, &request_id)
    });
    let elapsed_us = state.clock().monotonic().saturating_sub(started).as_micros();
    let path = known.map_or("unknown", |route| route.path);
    let face = face.name;
    tracing::info!(face, method = ?method.as_str(), path, status = response.status().as_u16(), elapsed_us, request_id, "answered");
    finish(response, &method, &request_id)
}

async fn handle(state: &AppState, routes: &[&'static Route], mut parts: Parts, body: Body) -> Answer {
    request::within_limits(state, &parts)?;
    if routes.is_empty() {
        return Err(Failure::not_found("there is no such path"));
    }
    let route = choose(routes, &parts.method)?;
    let busy = |_full| Failure::unavailable("busy", "too many requests at once: retry later");
    let _slot = state.requests().try_acquire().map_err(busy)?;
    let caller = auth::authorise(state, route.access, &parts.headers, request::peer(&parts))?;
    let params = Params::parse(parts.uri.query())?;
    let id = path_id(&mut parts).await?;
    let host = request::host(&parts);
    let request = Request { state: state.clone(), caller, params, headers: parts.headers, id, host, body };
    (route.handler)(request).await
}

/// The route of a method; HEAD is GET without the body.
fn choose(routes: &[&'static Route], method: &Method) -> Answer<&'static Route> {
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    routes.iter().find(|route| route.method == *wanted).copied().ok_or_else(|| {
        let mut allow: Vec<&str> = Vec::new();
        for route in routes {
            allow.push(route.method.as_str());
            if route.method == Method::GET {
                allow.push("HEAD");
            }
        }
        Failure::method_not_allowed(method.as_str(), allow.join(", "))
    })
}

/// What stands in the path where the route says `{id}`.
async fn path_id(parts: &mut Parts) -> Answer<String> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => Ok(params.iter().next().map(|(_, value)| value.to_owned()).unwrap_or_default()),
        Err(_not_text) => Err(Failure::invalid("id", "must be UTF-8")),
    }
}

/// What every answer carries, and for HEAD the length without the body.
fn finish(mut response: Response, method: &Method, request_id: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", id);
    }
    if response.status() == StatusCode::REQUEST_TIMEOUT || response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body is not read, so the connection cannot be used again.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if method == Method::HEAD {
        if let Some(size) = response.body().size_hint().exact() {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        }
        *response.body_mut() = Body::empty();
    }
    response
}
