//! `annals retention`: what a server keeps for how long.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, JSON, Method};
use crate::failure::{Failure, Result, while_doing};
use crate::store::Server;
use crate::terminal::{aligned, grouped, out, push_harmless, say};

const PATH: &str = "/annals/v1/retention";
const PREVIEW_PATH: &str = "/annals/v1/retention/preview";

/// Show, set, try and run the policies by which a server deletes old events.
///
/// A policy keeps the events of a realm, of an event type, of both or, with
/// neither, all of them for so many days. A pass that would delete more than half
/// of the events waits until it is confirmed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals retention show
  annals retention set everything --keep-days 365 --dry-run
  annals retention set everything --keep-days 365
  annals retention set logins --keep-days 30 --event-type user.login
  annals retention preview
  annals retention run --confirm
  annals retention remove logins

The server is asked, http://127.0.0.1:8080 or --url, with the key in ANNALS_KEY.")]
pub(crate) struct Retention {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the policies, and what their last pass did
    Show(Show),
    /// Add a policy, or change the one of that name; the others stay
    Set(Set),
    /// Take a policy away; the others stay
    Remove(Remove),
    /// Show how much the policies would delete now; nothing is deleted
    Preview(Show),
    /// Run a pass now, instead of with the next 5 minutes
    Run(Run),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals retention show
  annals retention preview --json | jq .would_delete")]
struct Show {
    /// One JSON object, as the native API answers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals retention set everything --keep-days 365 --dry-run
  annals retention set eu-logins --keep-days 30 --realm eu --event-type user.login

It runs a pass at once. What is deleted is gone: try with --dry-run.")]
struct Set {
    /// What the policy is called
    name: String,
    /// How long it keeps events, in days of 24 hours
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    keep_days: u32,
    /// It is about events of this realm alone
    #[arg(long, value_name = "REALM")]
    realm: Option<String>,
    /// It is about events of this type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// Show how much would be deleted, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals retention remove logins")]
struct Remove {
    /// The policy's name
    name: String,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals retention run
  annals retention run --confirm
  annals retention run --confirm 250000")]
struct Run {
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
struct Confirm {
    /// Let this pass delete more than half of the events; with N, no more than N
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "all", value_parser = parse_confirmed)]
    confirm: Option<Confirmed>,
}

/// What a pass may delete beyond half of the events.
#[derive(Clone, Copy, Debug)]
enum Confirmed {
    Everything,
    AtMost(u64),
}

fn parse_confirmed(text: &str) -> Result<Confirmed, String> {
    match text {
        "all" => Ok(Confirmed::Everything),
        _ => text.parse().map(Confirmed::AtMost).map_err(|_| "it is a number of events, or nothing".to_owned()),
    }
}

impl Confirm {
    fn value(&self) -> Value {
        match self.confirm {
            None => json!(false),
            Some(Confirmed::Everything) => json!(true),
            Some(Confirmed::AtMost(most)) => json!(most),
        }
    }
}

pub(crate) fn run(command: &Retention) -> Result<ExitCode> {
    let mut out = out();
    let show = match &command.action {
        Action::Show(show)
        | Action::Preview(show)
        | Action::Set(Set { show, .. })
        | Action::Remove(Remove { show, .. })
        | Action::Run(Run { show, .. }) => show,
    };
    let client = show.server.client()?;
    let is_preview = matches!(&command.action, Action::Preview(_) | Action::Set(Set { dry_run: true, .. }));
    let answer = match &command.action {
        Action::Show(_) => in_force(&client)?,
        Action::Preview(_) => send(&client, Method::Post, PREVIEW_PATH, &json!({}))?,
        Action::Set(set) => {
            let policies = with(policies(&in_force(&client)?), set);
            if set.dry_run {
                send(&client, Method::Post, PREVIEW_PATH, &json!({"policies": policies}))?
            } else {
                let body = json!({"policies": policies, "confirm": set.confirm.value()});
                send(&client, Method::Put, PATH, &body)?
            }
        }
        Action::Remove(remove) => {
            let mut policies = policies(&in_force(&client)?);
            let before = policies.len();
            policies.retain(|policy| policy.get("name").and_then(Value::as_str) != Some(&remove.name));
            if policies.len() == before {
                return Err(Failure::new(format_args!(
                    "there is no policy {:?}\n`annals retention show` shows those there are.",
                    remove.name
                )));
            }
            send(&client, Method::Put, PATH, &json!({"policies": policies}))?
        }
        Action::Run(run) if run.confirm.confirm.is_some() => {
            send(&client, Method::Put, PATH, &json!({"confirm": run.confirm.value()}))?
        }
        // A pass runs with every list that is put.
        Action::Run(_) => {
            let policies = policies(&in_force(&client)?);
            send(&client, Method::Put, PATH, &json!({"policies": policies}))?
        }
    };
    if show.json {
        writeln!(out, "{answer}")?;
    } else if is_preview {
        write_preview(&mut out, &answer)?;
    } else {
        write_state(&mut out, &answer)?;
    }
    out.flush()?;
    let failed = answer.get("failure").is_some_and(|failure| !failure.is_null());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn in_force(client: &Client) -> Result<Value> {
    serde_json::from_slice(&client.get(PATH)?).map_err(while_doing("read the server's answer"))
}

fn send(client: &Client, method: Method, path: &str, body: &Value) -> Result<Value> {
    let answer = client.send_once(method, path, JSON, body.to_string().as_bytes())?;
    client.value(&answer)
}

/// The policies of an answer, as they are put.
fn policies(answer: &Value) -> Vec<Value> {
    let list = answer.get("policies").and_then(Value::as_array).cloned().unwrap_or_default();
    let put = |mut policy: Value| {
        if let Value::Object(fields) = &mut policy {
            fields.remove("cutoff");
        }
        policy
    };
    list.into_iter().map(put).collect()
}

/// The list with a policy added, or changed in its place.
fn with(mut policies: Vec<Value>, set: &Set) -> Vec<Value> {
    let mut policy = json!({"name": set.name, "keep_days": set.keep_days});
    if let Value::Object(fields) = &mut policy {
        for (name, value) in [("realm", &set.realm), ("event_type", &set.event_type)] {
            if let Some(value) = value {
                fields.insert(name.to_owned(), json!(value));
            }
        }
    }
    match policies.iter_mut().find(|held| held.get("name") == policy.get("name")) {
        Some(held) => *held = policy,
        None => policies.push(policy),
    }
    policies
}

fn text(value: &Value, name: &str) -> String {
    let mut shown = String::new();
    match value.get(name) {
        None | Some(Value::Null) => shown.push('-'),
        Some(Value::String(text)) => push_harmless(&mut shown, text),
        Some(Value::Number(number)) => shown = number.as_u64().map_or_else(|| number.to_string(), grouped),
        Some(other) => push_harmless(&mut shown, &other.to_string()),
    }
    shown
}

fn write_policies(out: &mut impl Write, answer: &Value, columns: &[(&str, &str)]) -> Result<()> {
    let list = answer.get("policies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        writeln!(out, "there are no policies: nothing is deleted by age")?;
        return Ok(());
    }
    let mut rows = vec![columns.iter().map(|(header, _)| (*header).to_owned()).collect::<Vec<_>>()];
    rows.extend(list.iter().map(|policy| columns.iter().map(|(_, member)| text(policy, member)).collect()));
    for line in aligned(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn write_state(out: &mut impl Write, answer: &Value) -> Result<()> {
    let columns = [
        ("NAME", "name"),
        ("DAYS", "keep_days"),
        ("REALM", "realm"),
        ("EVENT TYPE", "event_type"),
        ("CUTOFF", "cutoff"),
    ];
    write_policies(out, answer, &columns)?;
    let part = |name: &str| answer.get(name).filter(|part| !part.is_null());
    if let Some(pass) = part("last_pass") {
        writeln!(out, "last pass: {}, {} events deleted", text(pass, "at"), text(pass, "deleted"))?;
    }
    if let Some(waiting) = part("waiting") {
        writeln!(
            out,
            "waiting since {}: a pass would delete {} of {} events\nLet it with `annals retention run --confirm`.",
            text(waiting, "since"),
            text(waiting, "would_delete"),
            text(waiting, "events")
        )?;
    }
    if let Some(failure) = part("failure") {
        out.flush()?;
        say(format_args!("the last pass failed: {}; it is tried again", text(failure, "message")));
    }
    Ok(())
}

fn write_preview(out: &mut impl Write, answer: &Value) -> Result<()> {
    let columns = [
        ("NAME", "name"),
        ("DAYS", "keep_days"),
        ("REALM", "realm"),
        ("EVENT TYPE", "event_type"),
        ("WOULD DELETE", "would_delete"),
    ];
    write_policies(out, answer, &columns)?;
    let (would_delete, events) = (text(answer, "would_delete"), text(answer, "events"));
    writeln!(out, "together {would_delete} of {events} events; nothing was changed")?;
    if answer.get("needs_confirmation").and_then(Value::as_bool) == Some(true) {
        writeln!(out, "That is more than half: the pass would wait for --confirm.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
