//! The documentation pages: plain HTML made from the same descriptions, without script, without
//! anything from elsewhere.

use std::fmt::Write as _;

use serde_json::Value;

use super::document::{parameters, refusals};
use super::words::words;
use super::{Operation, Parameter};
use crate::auth::Access;
use crate::face::Face;
use crate::routes::Route;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#222;background:#fff}h2{margin-top:2.5rem;border-top:1px solid #ccc;padding-top:1rem}\
code,pre{font-family:ui-monospace,monospace;background:#f4f4f4;padding:.1em .3em}pre{padding:.6em;overflow-x:auto}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem;\
border-bottom:1px solid #ddd}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}\
code,pre{background:#2a2a2a}td,th,h2{border-color:#444}a{color:#8ab4f8}}";

/// How a request says who sends it, the same on every face.
const KEYS: &str = "<p>A key goes into a header, in any of these forms: <code>Authorization: Bearer KEY</code>, \
<code>Authorization: Token KEY</code>, <code>Authorization: KEY</code>, <code>X-API-Key: KEY</code>, or Basic with the key as \
the password. A token from <code>POST /v1/auth/token</code> is used like a key.</p>";

/// The page that leads to those of the faces.
pub(crate) fn index_page<'f>(faces: impl Iterator<Item = &'f Face>) -> String {
    let mut list = String::new();
    for face in faces {
        let name = face.name;
        let about = escaped(face.about);
        let _ = write!(
            list,
            "<tr><td><a href=\"/docs/{name}\">{name}</a></td><td>{about}</td>\
             <td><a href=\"/openapi/{name}.json\">OpenAPI</a></td></tr>"
        );
    }
    let text = "<p>One store, several documented APIs. What is written through one is read through all of them.</p>";
    page("Annals: APIs", &format!("{text}<table>{list}</table>"))
}

/// The page of a face.
pub(crate) fn face_page(face: &Face) -> String {
    let name = face.name;
    let mut body = format!(
        "<p><a href=\"/docs\">All APIs</a> &middot; <a href=\"/openapi/{name}.json\">OpenAPI document</a></p><p>{}</p>",
        escaped(face.about)
    );
    body.push_str(KEYS);
    if face.mounts.iter().any(|mount| !mount.is_empty()) {
        let mounts: Vec<String> = face.mounts.iter().map(|mount| format!("<code>{}/</code>", escaped(mount))).collect();
        let _ = write!(body, "<p>Every path is there below {}.</p>", mounts.join(" and "));
    }
    for route in face.routes {
        operation(&mut body, route, &(route.about)());
    }
    schemas(&mut body, face);
    page(&format!("Annals: {name}"), &body)
}

fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    )
}

fn operation(body: &mut String, route: &Route, operation: &Operation) {
    let (method, path) = (route.method.as_str(), escaped(route.path));
    let _ = write!(body, "<h2><code>{method} {path}</code></h2><p>{}</p>", escaped(operation.summary));
    if !operation.description.is_empty() {
        let _ = write!(body, "<p>{}</p>", escaped(operation.description));
    }
    let _ = match route.access {
        Access::Open => write!(body, "<p>Open to everybody.</p>"),
        Access::AnyKey => write!(body, "<p>Any key</p>"),
        Access::Needs(scope) => write!(body, "<p>Scope: <code>{scope}</code></p>"),
        Access::NeedsWholeStore(scope) => {
            write!(body, "<p>Scope: <code>{scope}</code>, with a key that is not limited</p>")
        }
    };
    let parameters = parameters(operation, route.path);
    if !parameters.is_empty() {
        body.push_str("<table><tr><th>Parameter</th><th>In</th><th>Value</th><th>Meaning</th></tr>");
        for one in &parameters {
            parameter(body, one);
        }
        body.push_str("</table>");
    }
    for (media, schema) in operation.body.iter().flat_map(|body| &body.content) {
        let _ = write!(body, "<p>Body, <code>{media}</code>:</p><pre>{}</pre>", pretty(schema));
    }
    for reply in &operation.answers {
        let _ = write!(body, "<p>{}: {}</p>", reply.status, escaped(reply.about));
        if let Some((media, schema)) = &reply.content {
            let _ = write!(body, "<p><code>{media}</code></p><pre>{}</pre>", pretty(schema));
        }
    }
    let refused: Vec<String> = refusals(route, operation).iter().map(u16::to_string).collect();
    let _ = write!(body, "<p>Refusals: {}</p>", refused.join(", "));
}

fn parameter(body: &mut String, parameter: &Parameter) {
    let need = if parameter.required { " (required)" } else { "" };
    let _ = write!(
        body,
        "<tr><td><code>{}</code>{need}</td><td>{}</td><td><code>{}</code></td><td>{}</td></tr>",
        escaped(&parameter.name),
        parameter.place,
        escaped(&words(&parameter.schema, 0)),
        escaped(&parameter.about)
    );
}

fn pretty(schema: &Value) -> String {
    escaped(&words(schema, 0))
}

/// What the names in the answers stand for.
fn schemas(body: &mut String, face: &Face) {
    let _ = write!(body, "<h2>What the answers are made of</h2>");
    if let Value::Object(named) = (face.schemas)() {
        for (name, schema) in &named {
            let _ = write!(body, "<h3><code>{}</code></h3><pre>{}</pre>", escaped(name), pretty(schema));
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
