//! From a request to its handler and back: limits, method, key, scope, in this order.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::any;
use hyper::body::Body as _;
use tracing::Instrument as _;

use crate::auth;
use crate::body::{self, OwnPlace, Sent};
use crate::error::{Answer, Failure};
use crate::face::{Face, Refused, Slash};
use crate::gap;
use crate::metrics::Class;
use crate::params::Params;
use crate::request::{self, Request};
use crate::routes::{Route, face_of, table};
use crate::state::AppState;
use crate::trace::Trace;
use crate::ui;
use crate::unread::{self, Reading};

/// The server's answers as a service, usable without a socket.
///
/// Put `axum::extract::ConnectInfo<SocketAddr>` into a request's extensions to have wrong keys
/// counted by address.
pub fn router(state: AppState) -> Router {
    let mut paths: BTreeMap<String, Vec<Found>> = BTreeMap::new();
    for (face, path, route) in table(&state.faces()) {
        let twin = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        let there = Found { face, path: path.clone(), route, redirect: false };
        let redirect = face.slash == Slash::Redirect;
        if !twin.is_empty() {
            paths.entry(twin).or_default().push(Found { redirect, ..there.clone() });
        }
        paths.entry(path).or_default().push(there);
    }
    let mut app = Router::new();
    for (path, found) in paths {
        let (shared, found): (_, Arc<[Found]>) = (state.clone(), found.into());
        let service = any(move |request: axum::extract::Request| answer(shared.clone(), Arc::clone(&found), request));
        app = app.route(&path, service);
    }
    app.fallback(move |request: axum::extract::Request| answer(state.clone(), Arc::from([]), request))
}

/// A route as the router found it for a path.
#[derive(Clone)]
struct Found {
    face: &'static Face,
    /// Its own whole path.
    path: String,
    route: &'static Route,
    /// Whether the path lacks the slash that it must have.
    redirect: bool,
}

/// Answers a request to a path with these routes; none: the path is unknown.
async fn answer(state: AppState, found: Arc<[Found]>, request: axum::extract::Request) -> Response {
    let started = state.clock().monotonic();
    let (parts, body) = request.into_parts();
    let (body, reading) = unread::watched(body);
    let known = found.first();
    let face = known.map_or_else(|| face_of(parts.uri.path()), |first| first.face);
    let method = parts.method.clone();
    let mut trace = Trace {
        request_id: request::request_id(&state, &parts.headers),
        face: face.name,
        class: Class::Unknown,
        route: known.map_or_else(|| "unknown".to_owned(), |first| first.path.clone()),
        method: known_method(&method),
        key_id: None,
        target: parts.uri.clone(),
    };
    // Every line that is logged within has the id.
    let span = tracing::error_span!("request", request_id = trace.request_id);
    let response = handle(&state, &found, parts, body, &mut trace).instrument(span).await;
    let request_id = &trace.request_id;
    let response = response.unwrap_or_else(|failure| {
        tracing::debug!(code = failure.code, request_id, "refused");
        state.metrics().refused(failure.code);
        if failure.code == "segment_damaged" && state.engine().set_damaged_aside() > 0 {
            tracing::warn!("a damaged segment is left out from now on, and nothing is written: the store is degraded");
        }
        let now_us = state.clock().now_us();
        let refused = Refused { method: method.as_str(), path: trace.target.path(), request_id, now_us };
        face.fail(&failure, &refused)
    });
    trace.answered(&state, &response, state.clock().monotonic().saturating_sub(started));
    let gap = gap::header(state.engine().snapshot().gaps());
    finish(response, &method, (request_id, gap), &reading)
}

async fn handle(state: &AppState, found: &[Found], mut parts: Parts, body: Body, trace: &mut Trace) -> Answer {
    request::within_limits(state, &parts)?;
    if found.is_empty() && ui::owns(parts.uri.path()) && ui::is_on(state) {
        (trace.class, trace.route) = (Class::Open, ui::ROOT.to_owned());
        let _place = state.request_place()?;
        return ui::answer(&parts);
    }
    if found.is_empty() {
        return Err(Failure::not_found("there is no such path"));
    }
    let Found { face, route, redirect, .. } = choose(found, &parts.method)?;
    if *redirect {
        return redirect_to_slash(&parts.uri);
    }
    trace.class = Class::of(route.access, &route.method);
    let place = state.request_place()?;
    let caller = auth::authorise(state, face, route.access, &parts.headers, request::peer(&parts))?;
    trace.key_id = Some(caller.key_id.clone());
    state.count_request(&caller)?;
    let params = Params::parse(parts.uri.query())?;
    let open_parts = open_parts(&mut parts).await?;
    let request = Request {
        state: state.clone(),
        caller,
        params,
        id: open_parts.first().map(|(_, value)| value.clone()).unwrap_or_default(),
        open_parts,
        host: request::host(&parts),
        origin: request::origin(&parts),
        peer: request::peer(&parts),
        uri: parts.uri,
        headers: parts.headers,
        request_id: trace.request_id.clone(),
        face,
        body,
    };
    let response = (route.handler)(request).await?;
    // Those who follow have places of their own, for longer than a request lasts.
    let follows = response.extensions().get::<OwnPlace>().is_some();
    Ok(if follows { response } else { response.map(|body| body::taken(body, place)) })
}

/// A method by a word of this program: a client may invent others.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// The same target with a slash at the end of its path.
fn redirect_to_slash(uri: &Uri) -> Answer {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    let location = HeaderValue::from_str(&format!("{}/{query}", uri.path()))
        .map_err(|_not_a_header| Failure::not_found("there is no such path"))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// The route of a method; HEAD is GET without the body. Without its slash only a GET leads on.
fn choose<'f>(found: &'f [Found], method: &Method) -> Answer<&'f Found> {
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let leads = |one: &&Found| !one.redirect || one.route.method == Method::GET;
    found.iter().filter(leads).find(|one| one.route.method == *wanted).ok_or_else(|| {
        let mut allow: Vec<&str> = Vec::new();
        for one in found.iter().filter(leads) {
            allow.push(one.route.method.as_str());
            if one.route.method == Method::GET {
                allow.push("HEAD");
            }
        }
        Failure::method_not_allowed(method.as_str(), allow.join(", "))
    })
}

/// What stands in the path where the route says `{name}`, in the order of the path.
async fn open_parts(parts: &mut Parts) -> Answer<Vec<(String, String)>> {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(params) => Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()),
        Err(_not_text) => Err(Failure { code: Failure::INVALID_PATH, ..Failure::invalid("id", "must be UTF-8") }),
    }
}

/// What every answer carries, and for HEAD the length without the body.
fn finish(
    mut response: Response,
    method: &Method,
    (request_id, gap): (&str, Option<HeaderValue>),
    reading: &Reading,
) -> Response {
    let headers = response.headers_mut();
    if let Some(gap) = gap {
        headers.insert(gap::HEADER, gap);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Only files of the page say something else.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", id);
    }
    let is_late = [StatusCode::REQUEST_TIMEOUT, StatusCode::PAYLOAD_TOO_LARGE].contains(&response.status());
    if is_late || reading.broke_off() {
        // The rest of the body is not read, so the connection cannot be used again.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if method == Method::HEAD {
        if let Some(size) = response.body().size_hint().exact() {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            *response.body_mut() = Body::empty();
        } else {
            // A body known to be empty would be announced as one of 0 bytes, which that of GET is not.
            *response.body_mut() = Body::new(Sent::nothing());
        }
    }
    response
}
