//! `annals keys`: the keys of a server, or of a store that no server has open.

use std::io::Write as _;
use std::process::ExitCode;

use annals_engine::ErrorKind;
use annals_server::StoreKeys;
use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::client::{Client, JSON, Method};
use crate::failure::{Failure, Result, while_doing};
use crate::store::{OR_A_SERVER, Target, require_store};
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
  annals keys create root --scope admin --url http://127.0.0.1:8080")]
struct Create {
    /// What lists call it
    name: String,
    /// What it may do, such as events:read; repeated: each of them
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
    /// A realm that it is limited to; repeated: each of them
    #[arg(long = "realm", value_name = "REALM")]
    realms: Vec<String>,
    /// An organisation that it is limited to; repeated: each of them
    #[arg(long = "org", value_name = "ORG")]
    orgs: Vec<String>,
    /// Whom its events name
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// When it ends, for example 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
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
    let given = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let body = [
        ("name", json!(create.name)),
        ("scopes", json!(create.scopes)),
        ("realms", json!(given(&create.realms))),
        ("orgs", json!(given(&create.orgs))),
        ("user_id", json!(create.user_id)),
        ("expires_at", json!(create.expires_at)),
    ];
    body.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Asked {
    fn of(target: &Target) -> Result<Self> {
        if let Some(client) = target.client()? {
            return Ok(Asked::Server(client));
        }
        let directory = target.directory();
        require_store(directory, OR_A_SERVER)?;
        let keys = StoreKeys::open(directory).map_err(|error| match &error {
            annals_server::Error::Engine(locked) if locked.kind() == ErrorKind::Locked => Failure::new(format_args!(
                "{} is open in another process\nIf that is `annals serve`, name it with --url URL.",
                directory.display()
            )),
            _ => Failure::new(error),
        })?;
        for note in keys.recovery_notes() {
            let mut shown = String::new();
            push_harmless(&mut shown, note);
            say(format_args!("recovery: {shown}"));
        }
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
            Asked::Server(client) => {
                let path = format!("{PATH}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
                let answer = client.send_once(Method::Delete, &path, JSON, b"")?;
                if answer.status == 404 {
                    return Err(Failure::new(format_args!(
                        "there is no key {id:?}\n`annals keys list` shows those there are."
                    )));
                }
                client.value(&answer).map(drop)
            }
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
