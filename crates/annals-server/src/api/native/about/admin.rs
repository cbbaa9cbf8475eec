//! What the native routes of an administrator take and answer.

use serde_json::{Value, json};

use crate::auth::Scope;
use crate::openapi::Operation;
use crate::openapi::schema::{any_object, list, named, object, object_with, one_of, text, time};

fn scopes() -> Value {
    let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    list(one_of(&names))
}

fn identity_members() -> Vec<(&'static str, Value)> {
    vec![
        ("name", text()),
        ("scopes", scopes()),
        ("realms", list(text())),
        ("orgs", list(text())),
        ("user_id", text()),
        ("expires_at", time()),
    ]
}

pub(super) fn key_schema() -> Value {
    let mut members = identity_members();
    members.extend([("id", text()), ("key", text()), ("created_at", time()), ("last_used", time())]);
    object_with(&members, &["id", "name", "scopes", "created_at"])
}

pub(in super::super) fn list_keys() -> Operation {
    Operation::new("Every key, without its secret").answers("The keys", object(&[("keys", list(named("Key")))]))
}

pub(in super::super) fn create_key() -> Operation {
    let nullable = |(name, schema): (&'static str, Value)| (name, json!({"anyOf": [schema, {"type": "null"}]}));
    let members: Vec<(&str, Value)> = identity_members()
        .into_iter()
        .map(|one| if ["name", "scopes"].contains(&one.0) { one } else { nullable(one) })
        .collect();
    Operation::new("Makes a key; its secret is shown once")
        .body(object_with(&members, &["name", "scopes"]))
        .answers("The key", named("Key"))
}

pub(in super::super) fn delete_key() -> Operation {
    Operation::new("Revokes a key at once")
        .path("id", text(), "The key's public part")
        .answers("It is revoked", object(&[("deleted", json!({"const": 1}))]))
        .refuses(&[404])
}

pub(in super::super) fn verify() -> Operation {
    Operation::new("Reads the whole store and reports damage").answers("The report", any_object()).refuses(&[409])
}
