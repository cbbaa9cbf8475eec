//! What the audit routes take and answer.

use serde_json::{Value, json};

use crate::openapi::Operation;
use crate::openapi::schema::{count, list, object, object_with, text};

pub(super) fn token() -> Operation {
    let form = [
        ("username", text()),
        ("password", json!({"type": "string", "format": "password"})),
        ("grant_type", json!({"type": "string", "pattern": "^password$"})),
        ("scope", json!({"type": "string", "description": "Scopes parted by blanks; all of the user's if empty"})),
        ("client_id", text()),
        ("client_secret", text()),
    ];
    let answer = [("access_token", text()), ("token_type", json!({"const": "bearer"})), ("expires_in", count())];
    let form = object_with(&form, &["username", "password"]);
    Operation::new("A bearer token for a password, good for an hour")
        .about("The password grant of OAuth 2. The token ends with its user at once.")
        .body_of(true, vec![("application/x-www-form-urlencoded", form)])
        .answers("The token", object(&answer))
        .refuses(&[400, 401, 422, 429])
}

pub(super) fn schemas() -> Value {
    let place = json!({"anyOf": [text(), {"type": "integer"}]});
    let wrong = object_with(
        &[
            ("type", text()),
            ("loc", list(place)),
            ("msg", text()),
            ("input", json!({})),
            ("ctx", json!({"type": "object"})),
        ],
        &["type", "loc", "msg"],
    );
    json!({
        "Error": object(&[("detail", json!({"anyOf": [text(), list(wrong)]}))]),
    })
}
