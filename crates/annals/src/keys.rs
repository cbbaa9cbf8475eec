//! `annals keys`: the keys of a server, or of a store that no server has open.

use std::io::Write as _;
use std::process::ExitCode;

use annals_server::StoreKeys;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::client::{Client, JSON, Method};
use crate::failure::{Failure, Result, while_doing};
use crate::grant::Granted;
use crate::store::{OR_A_SERVER, Target, offline};
use crate::terminal::{out, push_harmless, say};

const PATH: &str = "/annals/v1/keys";

/// Create, list and revoke the keys that programs call a server with.
///
/// With --url the server is asked, with the key of an administrator; else the
/// store of a directory is opened, which no server may have open.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals keys create shipper --scope events:create --data ./annals-data
  annals keys create reader --scope events:read --realm eu --realm us
  annals keys list --url http://127.0.0.1:8080
  annals keys revoke 1f2e3d4c5b6a --url http://127.0.0.1:8080

`annals keys create` writes the key alone to standard output, this once:
  ANNALS_KEY=$(annals keys create reader --scope events:read)")]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key; it is shown this once and kept nowhere
    Create(Create),
    /// List the keys, without what opens the door
    List(List),
    /// Revoke a key; it is refused from the next request on
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Scopes:
  events:read  events:create  events:update  events:delete  events:retention
  notifications:read  notifications:write  audit:read  admin (every one)

Examples:
  annals keys create shipper --scope events:create
  annals keys create eu --scope events:read --realm eu --expires-at 2030-01-31
  annals keys create loud --scope events:create --events-per-second 10000
  annals keys create root --scope admin --url http://127.0.0.1:8080")]
struct Create {
    /// What lists call it
    name: String,
    #[command(flatten)]
    granted: Granted,
    /// Requests that it may send in a second, 0 for any number [default: as the server's settings say]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    requests_per_second: Option<u32>,
    /// Events that it may append in a second, 0 for any number [default: as the server's settings say]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000_000))]
    events_per_second: Option<u32>,
    /// Write everything about it as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals keys list
  annals keys list --url http://127.0.0.1:8080 --json | jq '.keys[].name'")]
struct List {
    /// One JSON object, as the native API answers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals keys revoke 1f2e3d4c5b6a
  annals keys revoke 1f2e3d4c5b6a --url http://127.0.0.1:8080")]
struct Revoke {
    /// The key's id: the part of it between ann_ and the next _, as lists show it
    id: String,
    #[command(flatten)]
    target: Target,
}

/// Who is asked.
enum Asked {
    Server(Client),
    Store(Box<StoreKeys>),
}

pub(crate) fn run(command: &Keys) -> Result<ExitCode> {
    let mut out = out();
    match &command.action {
        Action::Create(create) => {
            let made = Asked::of(&create.target)?.create(&body(create))?;
            if create.json {
                writeln!(out, "{made}")?;
            } else {
                writeln!(out, "{}", made.get("key").and_then(Value::as_str).unwrap_or_default())?;
                out.flush()?;
                say(format_args!("made: {}\nKeep the key well: it is not shown again.", line(&made)));
            }
        }
        Action::List(list) => {
            let found = Asked::of(&list.target)?.list()?;
            if list.json {
                writeln!(out, "{found}")?;
            } else {
                for key in found.get("keys").and_then(Value::as_array).into_iter().flatten() {
                    writeln!(out, "{}", line(key))?;
                }
            }
        }
        Action::Revoke(revoke) => {
            Asked::of(&revoke.target)?.revoke(&revoke.id)?;
            say(format_args!("key {:?} is revoked", revoke.id));
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// As the native API takes it.
fn body(create: &Create) -> Map<String, Value> {
    let granted = &create.granted;
    let body = [
        ("name", json!(create.name)),
        ("scopes", json!(granted.scopes)),
        ("realms", json!(granted.realms())),
        ("orgs", json!(granted.orgs())),
        ("user_id", json!(granted.user_id)),
        ("expires_at", json!(granted.expires_at)),
        ("requests_per_second", json!(create.requests_per_second)),
        ("events_per_second", json!(create.events_per_second)),
    ];
    body.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Asked {
    fn of(target: &Target) -> Result<Self> {
        if let Some(client) = target.client()? {
            return Ok(Asked::Server(client));
        }
        let keys = offline(target.directory(), OR_A_SERVER, StoreKeys::open, StoreKeys::recovery_notes)?;
        Ok(Asked::Store(Box::new(keys)))
    }

    fn create(self, body: &Map<String, Value>) -> Result<Value> {
        match self {
            Asked::Server(client) => {
                let body = Value::Object(body.clone()).to_string();
                let answer = client.send_once(Method::Post, PATH, JSON, body.as_bytes())?;
                client.value(&answer)
            }
            Asked::Store(keys) => {
                let made = keys.add(body).map_err(Failure::new);
                keys.close().map_err(Failure::new)?;
                made
            }
        }
    }

    fn list(self) -> Result<Value> {
        match self {
            Asked::Server(client) => {
                serde_json::from_slice(&client.get(PATH)?).map_err(while_doing("read the server's answer"))
            }
            Asked::Store(keys) => {
                let list = keys.list();
                keys.close().map_err(Failure::new)?;
                Ok(list)
            }
        }
    }

    fn revoke(self, id: &str) -> Result<()> {
        match self {
            Asked::Server(client) => client.delete_named(PATH, id, ("key", "annals keys list")),
            Asked::Store(keys) => {
                let revoked = keys.revoke(id).map_err(Failure::new);
                keys.close().map_err(Failure::new)?;
                revoked
            }
        }
    }
}

/// A key on one line, without what opens the door.
fn line(key: &Value) -> String {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{}  ", text("id"));
    push_harmless(&mut line, text("name"));
    for name in ["scopes", "realms", "orgs"] {
        if let Some(list) = key.get(name).and_then(Value::as_array) {
            let list: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            line.push_str("  ");
            push_harmless(&mut line, &format!("{name}={}", list.join(",")));
        }
    }
    for (name, shown) in [("requests_per_second", "requests"), ("events_per_second", "events")] {
        if let Some(rate) = key.get(name).and_then(Value::as_u64) {
            for part in ["  ", shown, "=", &rate.to_string(), "/s"] {
                line.push_str(part);
            }
        }
    }
    for (name, shown) in
        [("user_id", "user"), ("expires_at", "expires"), ("created_at", "created"), ("last_used", "last_used")]
    {
        if key.get(name).is_some() {
            line.push_str("  ");
            push_harmless(&mut line, &format!("{shown}={}", text(name)));
        }
    }
    line
}

#[cfg(test)]
mod tests;
