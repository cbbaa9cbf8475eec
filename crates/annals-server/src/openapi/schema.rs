//! Short words for the JSON Schemas of parameters and answers.

use serde_json::{Map, Value, json};

pub(crate) fn text() -> Value {
    json!({"type": "string"})
}

/// A text or null.
pub(crate) fn nullable_text() -> Value {
    json!({"type": ["string", "null"]})
}

pub(crate) fn boolean() -> Value {
    json!({"type": "boolean"})
}

pub(crate) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

pub(crate) fn nullable_time() -> Value {
    json!({"type": ["string", "null"], "format": "date-time"})
}

pub(crate) fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

/// A whole number of at least 0.
pub(crate) fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

/// A whole number within bounds, with what counts if it is not given.
pub(crate) fn bounded(min: u64, max: u64, default: u64) -> Value {
    json!({"type": "integer", "minimum": min, "maximum": max, "default": default})
}

/// An offset: unbounded, 0 if it is not given.
pub(crate) fn offset() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 0})
}

/// One of these texts.
pub(crate) fn one_of(texts: &[&str]) -> Value {
    json!({"type": "string", "enum": texts})
}

/// A text that matches a regular expression.
pub(crate) fn pattern(expression: &str) -> Value {
    json!({"type": "string", "pattern": expression})
}

#[expect(clippy::needless_pass_by_value, reason = "schemas are put together from what was just made")]
pub(crate) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// Any JSON object.
pub(crate) fn any_object() -> Value {
    json!({"type": "object"})
}

/// Counts by name.
pub(crate) fn counts() -> Value {
    json!({"type": "object", "additionalProperties": count()})
}

/// An object whose members are all there, and no others.
pub(crate) fn object(members: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    object_with(members, &required)
}

/// An object of these members and no others, `required` of which are always there.
pub(crate) fn object_with(members: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let Some(fields) = schema.as_object_mut().filter(|_| !required.is_empty()) {
        fields.insert("required".to_owned(), json!(required));
    }
    schema
}

/// The schema of that name of the face's own.
pub(crate) fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
