//! A store of one's own: append a batch, count, read the newest, find an event by its id.
//!
//! `cargo run -p annals-engine --example append_and_query`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use annals_engine::{AppendOptions, Batch, Durability, Engine, Event, Field, Filter, Options, Result, RowSet};

fn main() -> Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = Options::new(folder.path());
    // Nothing that was acknowledged is lost by a power cut.
    options.durability = Durability::Sync;
    options.log_size_bytes = 4 << 20;
    let engine = Engine::open(options)?;

    let mut batch = Batch::new();
    for (user, action) in [("ada", "user.login"), ("bob", "user.login"), ("ada", "file.opened")] {
        let message = format!("{user} did {action}");
        let mut event = Event::new(action);
        event.set(Field::UserId, user).set(Field::Severity, "info");
        event.message = Some(&message);
        batch.push(&event)?;
    }
    let receipt = engine.append(batch, &AppendOptions::default())?;
    println!("stored {} events, sequences {:?}", receipt.ids.len(), receipt.sequences);

    // A snapshot stays as it is, whatever is appended or deleted meanwhile.
    let snapshot = engine.snapshot();
    let ada = Filter::term(Field::UserId, "ada").and(Filter::created_between(0, i64::MAX));
    let mut found = Vec::new();
    for part in snapshot.parts() {
        let rows: RowSet = part.select(&ada)?;
        for row in rows.iter() {
            found.push(part.event(row)?);
        }
    }
    // Parts come in no order that a reader could rely on.
    found.sort_by_key(|event| (event.created_at_us, event.sequence));
    for event in found.iter().rev() {
        println!("{:>4}  {}  {}", event.sequence, event.event_type(), event.message().unwrap_or_default());
    }
    assert_eq!(found.len(), 2);

    let first = receipt.ids.first().expect("three ids");
    let event = snapshot.get(*first)?.expect("just stored");
    println!("{first} is by {}", event.get(Field::UserId).unwrap_or("nobody"));
    engine.close()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
