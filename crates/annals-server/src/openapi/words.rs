//! JSON Schemas as people read them: the shape of the JSON with the kind of each value in its place.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A schema in words; what is nested is indented by `level`.
pub(super) fn words(schema: &Value, level: usize) -> String {
    let Some(fields) = schema.as_object() else { return "anything".to_owned() };
    if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(value) = fields.get("const") {
        return value.to_string();
    }
    if let Some(Value::Array(values)) = fields.get("enum") {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    }
    if let Some(Value::Array(several)) = fields.get("anyOf") {
        return several.iter().map(|one| words(one, level)).collect::<Vec<_>>().join(" | ");
    }
    match fields.get("type") {
        Some(Value::Array(kinds)) => {
            let kind = |kind: &Value| kind_of(kind.as_str().unwrap_or_default(), fields, level);
            kinds.iter().map(kind).collect::<Vec<_>>().join(" | ")
        }
        Some(Value::String(kind)) => kind_of(kind, fields, level),
        _ => "anything".to_owned(),
    }
}

fn kind_of(kind: &str, fields: &Map<String, Value>, level: usize) -> String {
    match kind {
        "string" => match fields.get("format").and_then(Value::as_str) {
            Some("date-time") => "time".to_owned(),
            Some("uuid") => "UUID".to_owned(),
            _ => "text".to_owned(),
        },
        "integer" => format!("whole number{}", bounds(fields)),
        "boolean" => "true | false".to_owned(),
        "array" => format!("[{}, ...]", fields.get("items").map_or("anything".to_owned(), |items| words(items, level))),
        "object" => object(fields, level),
        other => other.to_owned(),
    }
}

/// ` 1 to 500, 100 if absent`, as far as the schema says so.
fn bounds(fields: &Map<String, Value>) -> String {
    let number = |name: &str| fields.get(name).filter(|value| value.as_u64() != Some(u64::MAX)).map(Value::to_string);
    let range = match (number("minimum"), number("maximum")) {
        (Some(min), Some(max)) => format!(" {min} to {max}"),
        (Some(min), None) => format!(" from {min}"),
        (None, Some(max)) => format!(" up to {max}"),
        (None, None) => String::new(),
    };
    match number("default") {
        Some(default) => format!("{range}, {default} if absent"),
        None => range,
    }
}

/// One member a line; those that may be absent have a `?`.
fn object(fields: &Map<String, Value>, level: usize) -> String {
    let Some(Value::Object(members)) = fields.get("properties") else {
        return match fields.get("additionalProperties") {
            Some(Value::Object(each)) => format!("{{name: {}, ...}}", words(&Value::Object(each.clone()), level)),
            _ => "{...}".to_owned(),
        };
    };
    let required: Vec<&str> =
        fields.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let indent = "  ".repeat(level + 1);
    let mut text = "{\n".to_owned();
    for (name, schema) in members {
        let absent = if required.contains(&name.as_str()) { "" } else { "?" };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{indent}{name}{absent}: {}", words(schema, level + 1));
    }
    text.push_str(&"  ".repeat(level));
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::schema::{bounded, list, named, nullable_text, object_with, offset, one_of, time};
    use serde_json::json;

    #[test]
    fn schemas_read_as_the_json_that_they_describe() {
        let inner = object_with(&[("at", time())], &[]);
        let schema =
            object_with(&[("events", list(named("Event"))), ("inner", inner), ("next", nullable_text())], &["events"]);
        assert_eq!(
            words(&schema, 0),
            "{\n  events: [Event, ...]\n  inner?: {\n    at?: time\n  }\n  next?: text | null\n}"
        );
        assert_eq!(words(&bounded(1, 500, 100), 0), "whole number 1 to 500, 100 if absent");
        assert_eq!(words(&offset(), 0), "whole number from 0, 0 if absent");
        assert_eq!(words(&one_of(&["asc", "desc"]), 0), "\"asc\" | \"desc\"");
        assert_eq!(
            words(&json!({"type": "object", "additionalProperties": {"type": "integer"}}), 0),
            "{name: whole number, ...}"
        );
        assert_eq!(words(&json!({}), 0), "anything");
    }
}
