//! What the native routes of an administrator take and answer.

use serde_json::{Value, json};

use crate::auth::Scope;
use crate::auth::password::{PASSWORD_LEN_MAX, PASSWORD_LEN_MIN};
use crate::openapi::Operation;
use crate::openapi::schema::{any_object, boolean, count, list, named, object, object_with, one_of, text, time};
use crate::rates::OwnRates;

fn scopes() -> Value {
    let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    json!({"type": "array", "items": one_of(&names), "minItems": 1})
}

/// What keys and users have alike, behind the names that are their own.
fn identity_members(own: &[(&'static str, Value)]) -> Vec<(&'static str, Value)> {
    let shared = [
        ("scopes", scopes()),
        ("realms", list(text())),
        ("orgs", list(text())),
        ("user_id", text()),
        ("expires_at", time()),
    ];
    own.iter().cloned().chain(shared).collect()
}

/// What a new one is to have; what need not be given may be null.
fn new_identity(own: &[(&'static str, Value)]) -> Value {
    let mut required: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    required.push("scopes");
    let nullable = |(name, schema): (&'static str, Value)| {
        if required.contains(&name) { (name, schema) } else { (name, json!({"anyOf": [schema, {"type": "null"}]})) }
    };
    let members: Vec<(&str, Value)> = identity_members(own).into_iter().map(nullable).collect();
    object_with(&members, &required)
}

/// What a key may have instead of the settings' rates.
fn rates() -> impl Iterator<Item = (&'static str, Value)> {
    OwnRates::NAMES
        .into_iter()
        .map(|(name, max)| (name, json!({"type": ["integer", "null"], "minimum": 0, "maximum": max})))
}

pub(super) fn key_schema() -> Value {
    let mut members = identity_members(&[("name", text())]);
    members.extend(rates());
    members.extend([("id", text()), ("key", text()), ("created_at", time()), ("last_used", time())]);
    object_with(&members, &["id", "name", "scopes", "created_at"])
}

pub(in super::super) fn list_keys() -> Operation {
    Operation::new("Every key, without its secret").answers("The keys", object(&[("keys", list(named("Key")))]))
}

pub(in super::super) fn create_key() -> Operation {
    Operation::new("Makes a key; its secret is shown once")
        .about("Its rates are those of the settings unless it has its own, of which 0 is as much as it likes.")
        .body(new_key())
        .answers("The key", named("Key"))
}

pub(in super::super) fn delete_key() -> Operation {
    Operation::new("Revokes a key at once")
        .path("id", text(), "The key's public part")
        .answers("It is revoked", object(&[("deleted", json!({"const": 1}))]))
        .refuses(&[404])
}

fn new_key() -> Value {
    let mut schema = new_identity(&[("name", text())]);
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        members.extend(rates().map(|(name, rate)| (name.to_owned(), rate)));
    }
    schema
}

pub(super) fn user_schema() -> Value {
    let mut members = identity_members(&[("username", text())]);
    members.extend([("created_at", time()), ("last_used", time())]);
    object_with(&members, &["username", "scopes", "created_at"])
}

pub(in super::super) fn list_users() -> Operation {
    Operation::new("Every user").answers("The users", object(&[("users", list(named("User")))]))
}

pub(in super::super) fn create_user() -> Operation {
    let username = json!({"type": "string", "minLength": 1, "maxLength": 200});
    let password =
        json!({"type": "string", "format": "password", "minLength": PASSWORD_LEN_MIN, "maxLength": PASSWORD_LEN_MAX});
    Operation::new("Makes a user, who can have tokens for the password")
        .body(new_identity(&[("username", username), ("password", password)]))
        .answers("The user", named("User"))
        .refuses(&[409])
}

pub(in super::super) fn delete_user() -> Operation {
    Operation::new("Removes a user; its tokens end at once")
        .path("username", text(), "The user's name")
        .answers("It is removed", object(&[("deleted", json!({"const": 1}))]))
        .refuses(&[404])
}

pub(in super::super) fn store() -> Operation {
    Operation::new("Figures of the store itself: room, state, and what the background check found")
        .answers("The figures", any_object())
}

pub(in super::super) fn verify() -> Operation {
    Operation::new("Reads the whole store and reports damage").answers("The report", any_object()).refuses(&[409])
}

pub(in super::super) fn compact() -> Operation {
    let answer = object(&[
        ("rewritten", count()),
        ("segments_before", count()),
        ("segments_after", count()),
        ("bytes_before", count()),
        ("bytes_after", count()),
        ("seconds", json!({"type": "number", "minimum": 0})),
    ]);
    Operation::new("Seals the logs, merges the segments, and takes deleted events off the disk, now")
        .about("Takes as long as it takes to read and write what is rewritten; everything else goes on meanwhile.")
        .answers("It is done", answer)
        .refuses(&[400, 409])
}

pub(in super::super) fn backup() -> Operation {
    let flag = |about: &str| json!({"type": ["boolean", "null"], "default": false, "description": about});
    let asked = object_with(
        &[
            ("name", json!({"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"})),
            ("copy", flag("Copy sealed files, and check them, where they could be linked")),
            ("verify", flag("Read the whole backup again when it is written")),
            ("with_damage", flag("Take damaged segments as they are, instead of failing")),
        ],
        &["name"],
    );
    let answer = object(&[
        ("name", text()),
        ("cut_at", time()),
        ("events", count()),
        ("last_sequence", count()),
        ("files_linked", count()),
        ("bytes_linked", count()),
        ("files_copied", count()),
        ("bytes_copied", count()),
        ("seconds", json!({"type": "number", "minimum": 0})),
        ("verified", boolean()),
        ("damages", list(text())),
    ]);
    Operation::new("Backs the store up into a new folder below the one that the server keeps backups in")
        .about("The store as of one moment, everything acknowledged before the call in it, while it goes on.")
        .body(asked)
        .answers("It is written, durably", answer)
        .refuses(&[409])
}
