//! `annals holds`: events that nothing removes, of a server or of a store that no server has open.

use std::io::Write;
use std::process::ExitCode;

use annals_server::StoreHolds;
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::client::{Client, JSON, Method, item_path};
use crate::failure::{Failure, Result, while_doing};
use crate::filters::Filters;
use crate::store::{OR_A_SERVER, Target, offline};
use crate::terminal::{aligned, grouped, out, push_harmless, say};

const PATH: &str = "/annals/v1/holds";

/// Place, list and release legal holds.
///
/// A hold keeps the events that match its filter, now and later: no retention, no
/// clean-up and no delete removes them until it is released. With --url the
/// server is asked, with a key for events:retention; else the store of a
/// directory is opened, which no server may have open. Either way it is written
/// down in the store's audit trail.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals holds place case-7 --filter user_id=ada --from 2026-01-01
  annals holds list --url http://127.0.0.1:8080
  annals holds release case-7")]
pub(crate) struct Holds {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the holds in force, and how many events each keeps
    List(List),
    /// Place a hold; the same name and filter again change nothing
    Place(Box<Place>),
    /// Release a hold; nothing is deleted by it
    Release(Release),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals holds list
  annals holds list --url http://127.0.0.1:8080 --json | jq '.holds[].name'")]
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
  annals holds place case-7 --filter user_id=ada --from 2026-01-01
  annals holds place eu --filter realm_id=eu --url http://127.0.0.1:8080
  annals holds place everything --from 1970-01-01")]
struct Place {
    /// What the hold is called
    name: String,
    #[command(flatten)]
    filters: Filters,
    /// One JSON object, as the native API answers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  annals holds release case-7
  annals holds release case-7 --url http://127.0.0.1:8080")]
struct Release {
    /// The hold's name
    name: String,
    #[command(flatten)]
    target: Target,
}

/// Who is asked.
enum Asked {
    Server(Client),
    Store(Box<StoreHolds>),
}

pub(crate) fn run(command: &Holds) -> Result<ExitCode> {
    let mut out = out();
    match &command.action {
        Action::List(list) => {
            let found = Asked::of(&list.target)?.list()?;
            if list.json {
                writeln!(out, "{found}")?;
            } else {
                write_list(&mut out, &found)?;
            }
        }
        Action::Place(place) => {
            let placed = Asked::of(&place.target)?.place(&place.name, &query(place)?)?;
            if place.json {
                writeln!(out, "{placed}")?;
            } else {
                let events = placed.get("events").and_then(Value::as_u64).unwrap_or_default();
                say(format_args!("hold {:?} is in force and keeps {} events", place.name, grouped(events)));
            }
        }
        Action::Release(release) => {
            Asked::of(&release.target)?.release(&release.name)?;
            say(format_args!("hold {:?} is released", release.name));
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The filters as the native API takes them.
fn query(place: &Place) -> Result<String> {
    let mut query = String::new();
    place.filters.push_parameters(&mut query)?;
    Ok(query.trim_start_matches('?').to_owned())
}

impl Asked {
    fn of(target: &Target) -> Result<Self> {
        if let Some(client) = target.client()? {
            return Ok(Asked::Server(client));
        }
        let holds = offline(target.directory(), OR_A_SERVER, StoreHolds::open, StoreHolds::recovery_notes)?;
        Ok(Asked::Store(Box::new(holds)))
    }

    fn list(self) -> Result<Value> {
        match self {
            Asked::Server(client) => {
                serde_json::from_slice(&client.get(PATH)?).map_err(while_doing("read the server's answer"))
            }
            Asked::Store(holds) => {
                let list = holds.list().map_err(Failure::new);
                holds.close().map_err(Failure::new)?;
                list
            }
        }
    }

    fn place(self, name: &str, query: &str) -> Result<Value> {
        match self {
            Asked::Server(client) => {
                let path = format!("{}?{query}", item_path(PATH, name));
                let answer = client.send_once(Method::Put, &path, JSON, b"")?;
                client.value(&answer)
            }
            Asked::Store(holds) => {
                let placed = holds.place(name, query).map_err(Failure::new);
                holds.close().map_err(Failure::new)?;
                placed
            }
        }
    }

    fn release(self, name: &str) -> Result<()> {
        match self {
            Asked::Server(client) => client.delete_named(PATH, name, ("hold", "annals holds list")),
            Asked::Store(holds) => {
                let released = holds.release(name).map_err(Failure::new);
                holds.close().map_err(Failure::new)?;
                released
            }
        }
    }
}

fn write_list(out: &mut impl Write, found: &Value) -> Result<()> {
    let list = found.get("holds").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        writeln!(out, "there are no holds")?;
        return Ok(());
    }
    let mut rows = vec![["NAME", "EVENTS", "PLACED", "FILTER"].map(str::to_owned).to_vec()];
    rows.extend(list.iter().map(|hold| {
        let text = |name: &str| hold.get(name).and_then(Value::as_str).unwrap_or_default();
        let harmless = |text: &str| {
            let mut shown = String::new();
            push_harmless(&mut shown, text);
            shown
        };
        let events = hold.get("events").and_then(Value::as_u64).unwrap_or_default();
        let filter = hold.get("filter").map(words).unwrap_or_default();
        let placed = text("placed_at").split('.').next().unwrap_or_default();
        vec![harmless(text("name")), grouped(events), harmless(placed), harmless(&filter)]
    }));
    for line in aligned(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A filter as the native API shows it, for people.
fn words(filter: &Value) -> String {
    let text = |name: &str| filter.get(name).and_then(Value::as_str);
    let list = |name: &str| filter.get(name).and_then(Value::as_array);
    let values = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|");
    let joined = |list: &Vec<Value>, with: &str| list.iter().map(words).collect::<Vec<_>>().join(with);
    // Whole seconds need no fraction.
    let time = |time: &str| time.replace(".000000Z", "Z");
    if let Some(parts) = list("and") {
        return joined(parts, ", ");
    }
    if let Some(parts) = list("or") {
        return format!("({})", joined(parts, " or "));
    }
    if let Some(part) = filter.get("not") {
        return format!("not ({})", words(part));
    }
    if let Some(field) = text("field") {
        let one_of = list("any_of").map(|list| format!("{field}={}", values(list)));
        let all_of = || list("all_of").map(|list| format!("{field} all of {}", values(list)));
        let prefix = || text("prefix").map(|prefix| format!("{field}={prefix}*"));
        return one_of.or_else(all_of).or_else(prefix).unwrap_or_else(|| filter.to_string());
    }
    match (text("from"), text("to"), text("in"), text("contains")) {
        (Some(from), None, ..) => format!("from {}", time(from)),
        (None, Some(to), ..) => format!("to {}", time(to)),
        (Some(from), Some(to), ..) => format!("from {} to {}", time(from), time(to)),
        (None, None, Some(place), Some(needle)) => format!("{place} with {needle:?}"),
        // What this version does not know, as it came.
        _ => filter.to_string(),
    }
}

#[cfg(test)]
mod tests;
