//! The page at `/ui/`: the files of `ui/`, which are part of the binary, packed once and named by what is in them.
//!
//! They hold no data, so no key is asked for. Everything that the page shows it asks the native API for, with the key of
//! whoever signed in.

mod files;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use crate::error::{Answer, Failure};
use crate::state::AppState;
use files::{Coding, File};

/// Where the page is; `/ui` without its slash leads there.
pub(crate) const ROOT: &str = "/ui/";
/// The page without a name.
const INDEX: &str = "index.html";

/// Scripts, styles and data from this server alone, nothing inline, in no other site's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What every file is sent with, beside what every answer has.
const HEADERS: [(header::HeaderName, &str); 7] = [
    // Asked for again each time, which costs a 304: a new binary has a new page at once.
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::VARY, "accept-encoding"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Whether the server shows the page: it is on, and so is the API that it asks.
pub(crate) fn is_on(state: &AppState) -> bool {
    let faces = state.faces();
    !faces.without_page && !faces.off.iter().any(|name| name == "native")
}

/// Whether a path is one of the page's, known or not.
pub(crate) fn owns(path: &str) -> bool {
    path == ROOT.trim_end_matches('/') || path.starts_with(ROOT)
}

/// Whether somebody at `/` looks with a browser.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = |range: &str| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    accepted.split(',').any(|range| kind(range) == "text/html")
}

/// Answers a request to a path that [`owns`] says is the page's.
///
/// # Errors
/// 404 if there is no such file, 405 for a method that changes something.
pub(crate) fn answer(parts: &Parts) -> Answer {
    let path = parts.uri.path();
    let file = match path.strip_prefix(ROOT) {
        Some("") => files::find(INDEX),
        Some(name) => files::find(name),
        None => None,
    };
    if file.is_none() && path != ROOT.trim_end_matches('/') {
        return Err(Failure::not_found("there is no such file"));
    }
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Failure::method_not_allowed(parts.method.as_str(), "GET, HEAD".to_owned()));
    }
    Ok(match file {
        Some(file) => sent(file, &parts.headers),
        // Relative, so that it holds behind a proxy that serves this below a path of its own.
        None => redirect("ui/"),
    })
}

/// A redirect that nobody keeps.
pub(crate) fn redirect(location: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(location));
    response
}

fn sent(file: &'static File, asked: &HeaderMap) -> Response {
    let coding = file.coding(asked);
    let etag = file.etag(coding);
    let fresh = holds(asked, &etag);
    let mut response = Response::new(if fresh { Body::empty() } else { Body::from(file.bytes(coding)) });
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if fresh {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind()));
    if coding != Coding::Identity {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    response
}

/// Whether the client has the file as it is. What a proxy has weakened counts too: that is the rule for GET.
fn holds(asked: &HeaderMap, etag: &str) -> bool {
    let held = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    held.flat_map(|list| list.split(',')).map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn browsers_ask_for_html_and_others_for_anything() {
        for browser in ["text/html,application/xhtml+xml,*/*;q=0.8", "Text/HTML;q=0.9", "a/b , text/html"] {
            assert!(is_browser(&accepting(browser)), "{browser}");
        }
        for other in ["*/*", "", "application/json", "text/*", "application/text/html"] {
            assert!(!is_browser(&accepting(other)), "{other}");
        }
        assert!(!is_browser(&HeaderMap::new()));
    }

    #[test]
    fn only_what_lies_below_is_the_pages() {
        for path in ["/ui", "/ui/", "/ui/a/b.js", "/ui/../x"] {
            assert!(owns(path), "{path}");
        }
        for path in ["/", "/uix", "/annals/ui/", "/u"] {
            assert!(!owns(path), "{path}");
        }
    }
}
