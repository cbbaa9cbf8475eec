//! `/openapi/{face}.json` and `/docs`: what the server answers, for programs and for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::error::{Answer, Failure};
use crate::face::{Face, json};
use crate::openapi;
use crate::request::Request;
use crate::routes::FACES;
use crate::ui;

/// Nothing but the page itself and its own style.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

fn faces_on(request: &Request) -> impl Iterator<Item = &'static Face> {
    let off = request.state.faces().off.clone();
    FACES.iter().copied().filter(move |face| !off.iter().any(|name| name == face.name))
}

fn face_named(request: &Request, name: &str) -> Answer<&'static Face> {
    faces_on(request).find(|face| face.name == name).ok_or_else(|| Failure::not_found("there is no such API"))
}

/// `GET /openapi/{document}`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn openapi(request: Request) -> Answer {
    let name = request.id.strip_suffix(".json").unwrap_or_default();
    let face = face_named(&request, name)?;
    Ok(json(StatusCode::OK, openapi::document(face).to_string()))
}

/// `GET /`: leads people with a browser to the page and others to what they can read.
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn start(request: Request) -> Answer {
    let to_page = ui::is_on(&request.state) && ui::is_browser(&request.headers);
    let mut response = ui::redirect(if to_page { ui::ROOT } else { "/docs" });
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// `GET /docs`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn index(request: Request) -> Answer {
    Ok(page(openapi::index_page(faces_on(&request))))
}

/// `GET /docs/{face}`
#[expect(clippy::unused_async, reason = "handlers are async")]
pub(crate) async fn face(request: Request) -> Answer {
    let face = face_named(&request, &request.id)?;
    Ok(page(openapi::face_page(face)))
}

fn page(html: String) -> Response {
    let mut response = Response::new(html.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}
