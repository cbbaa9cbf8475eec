//! A face's OpenAPI 3.1 document, made from its routes.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::schema::{named, text};
use super::{JSON, Operation, Parameter, Reply};
use crate::auth::Access;
use crate::face::Face;
use crate::routes::Route;

/// Statuses that any route may refuse with.
const ALWAYS: &[u16] = &[414, 431, 500, 503];
/// Those of a route that asks for a key.
const WITH_KEY: &[u16] = &[401, 403, 429];
/// Those of a route that reads a body.
const WITH_BODY: &[u16] = &[400, 408, 413, 415];

/// The document of a face; its paths are those that the router serves, mounts included.
pub(crate) fn document(face: &Face) -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for mount in face.mounts {
        for route in face.routes {
            let path = format!("{mount}{}", route.path);
            let operation = (route.about)();
            let item = paths.entry(path.clone()).or_default();
            if operation.with_head && route.method == Method::GET {
                item.insert("head".to_owned(), head(shown(face, route, &operation, &path)));
            }
            item.insert(route.method.as_str().to_ascii_lowercase(), shown(face, route, &operation, &path));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": format!("Annals: {}", face.name), "description": face.about, "version": env!("CARGO_PKG_VERSION")},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": (face.schemas)(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "authorization": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "The key alone, or as `Token KEY`",
                },
                "password": {
                    "type": "oauth2",
                    "description": "A token for a user's password, used as a bearer token",
                    "flows": {"password": {"tokenUrl": "/v1/auth/token", "scopes": {}}},
                },
                "basic": {"type": "http", "scheme": "basic", "description": "Any user, the key as the password"},
            },
        },
    })
}

fn shown(face: &Face, route: &Route, operation: &Operation, path: &str) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| _ = shown.insert(name.to_owned(), value);
    put("operationId", json!(operation_id(face, &route.method, path)));
    put("summary", json!(operation.summary));
    put("tags", json!([face.name]));
    let scope = match route.access {
        Access::Open => "Open to everybody.".to_owned(),
        Access::AnyKey => "Needs a key, with any scope.".to_owned(),
        Access::Needs(scope) => format!("Needs the scope `{scope}`."),
        Access::NeedsWholeStore(scope) => {
            format!("Needs the scope `{scope}` and a key that is not limited to realms or organisations.")
        }
    };
    put("description", json!(format!("{} {scope}", operation.description).trim_start()));
    let parameters: Vec<Value> = parameters(operation, path).iter().map(parameter).collect();
    put("parameters", json!(parameters));
    if let Some(body) = &operation.body {
        let content: Map<String, Value> =
            body.content.iter().map(|(media, schema)| ((*media).to_owned(), json!({"schema": schema}))).collect();
        put("requestBody", json!({"required": body.required, "content": content}));
    }
    put("responses", responses(route, operation));
    if route.access == Access::Open {
        put("security", json!([]));
    } else {
        put("security", json!([{"key": []}, {"header": []}, {"authorization": []}, {"basic": []}, {"password": []}]));
    }
    Value::Object(shown)
}

/// Those that the operation names, and the open parts of the path that it does not.
pub(super) fn parameters(operation: &Operation, path: &str) -> Vec<Parameter> {
    let mut parameters = operation.parameters.clone();
    for name in open_parts(path) {
        if !parameters.iter().any(|held| held.place == "path" && held.name == name) {
            let (name, about) = (name.to_owned(), String::new());
            parameters.push(Parameter { name, place: "path", required: true, about, schema: text() });
        }
    }
    parameters
}

/// The names in braces of a path.
fn open_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.about,
        "schema": parameter.schema,
    })
}

/// Every status that the route refuses with.
pub(super) fn refusals(route: &Route, operation: &Operation) -> Vec<u16> {
    let mut statuses = operation.refusals.clone();
    statuses.extend_from_slice(ALWAYS);
    if route.access != Access::Open {
        statuses.extend_from_slice(WITH_KEY);
    }
    if operation.body.is_some() {
        statuses.extend_from_slice(WITH_BODY);
    }
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

fn responses(route: &Route, operation: &Operation) -> Value {
    let mut responses = Map::new();
    for status in refusals(route, operation) {
        let about = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let content = json!({JSON: {"schema": named("Error")}});
        responses.insert(status.to_string(), json!({"description": about.unwrap_or("Refused"), "content": content}));
    }
    for reply in &operation.answers {
        responses.insert(reply.status.to_string(), answer(reply));
    }
    Value::Object(responses)
}

fn answer(reply: &Reply) -> Value {
    let mut shown = json!({"description": reply.about});
    let Some(fields) = shown.as_object_mut() else { return shown };
    if let Some((media, schema)) = &reply.content {
        fields.insert("content".to_owned(), json!({*media: {"schema": schema}}));
    }
    if !reply.headers.is_empty() {
        let header = |(name, about, schema): &(&str, &str, Value)| {
            ((*name).to_owned(), json!({"description": about, "schema": schema}))
        };
        let headers: Map<String, Value> = reply.headers.iter().map(header).collect();
        fields.insert("headers".to_owned(), Value::Object(headers));
    }
    shown
}

/// The same operation without the bodies of its answers.
fn head(mut operation: Value) -> Value {
    let Some(fields) = operation.as_object_mut() else { return operation };
    if let Some(Value::String(id)) = fields.get_mut("operationId") {
        id.push_str("_head");
    }
    if let Some(Value::Object(responses)) = fields.get_mut("responses") {
        for response in responses.values_mut().filter_map(Value::as_object_mut) {
            response.remove("content");
        }
    }
    operation
}

/// `get_api_v1_events_id` for `GET /api/v1/events/{id}`, behind the face's name.
fn operation_id(face: &Face, method: &Method, path: &str) -> String {
    let mut id = format!("{}_{}", face.name, method.as_str().to_ascii_lowercase());
    for part in path.split(['/', '{', '}', '-', '.']).filter(|part| !part.is_empty()) {
        id.push('_');
        id.push_str(part);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::FACES;

    #[test]
    fn every_reference_leads_somewhere_and_every_path_part_is_described() {
        for face in FACES {
            let document = document(face);
            let text = document.to_string();
            for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(document["components"]["schemas"].get(name).is_some(), "{}: {name}", face.name);
            }
            for (path, item) in document["paths"].as_object().unwrap() {
                for (method, operation) in item.as_object().unwrap() {
                    let described: Vec<_> = operation["parameters"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(|one| one["in"] == "path")
                        .map(|one| one["name"].as_str().unwrap().to_owned())
                        .collect();
                    let named: Vec<_> = open_parts(path).map(str::to_owned).collect();
                    assert_eq!(described.len(), named.len(), "{method} {path}");
                    assert!(named.iter().all(|name| described.contains(name)), "{method} {path}");
                    assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
                    let answers =
                        operation["responses"].as_object().unwrap().keys().filter(|status| status.as_str() < "400");
                    assert!(answers.count() > 0, "{method} {path} answers nothing");
                }
            }
        }
    }

    #[test]
    fn every_route_is_documented_once() {
        for face in FACES {
            let document = document(face);
            let documented: usize = document["paths"]
                .as_object()
                .unwrap()
                .values()
                .map(|item| item.as_object().unwrap().keys().filter(|method| *method != "head").count())
                .sum();
            assert_eq!(documented, face.routes.len() * face.mounts.len(), "{}", face.name);
        }
    }

    #[test]
    fn operation_ids_are_unique() {
        let mut ids = std::collections::BTreeSet::new();
        for face in FACES {
            for item in document(face)["paths"].as_object().unwrap().values() {
                for operation in item.as_object().unwrap().values() {
                    assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
                }
            }
        }
    }
}
